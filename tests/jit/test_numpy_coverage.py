"""The programs of NumPy's coverage under `jit`: value and gradient, recorded once and replayed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from tests.numpy.coverage import exceptions
from tests.numpy.coverage.programs import compiled, outputs
from tests.numpy.test_coverage import LINES, normal, weighted

REFUSED_IN_PLAIN_SPELLING = {
    line.replace("np.polynomial.", "fd.numpy.polynomial.") for line in exceptions.REFUSED
}
PROGRAMS = [p for p in LINES if "fd.numpy." not in p.values[0] or p.values[0] in REFUSED_IN_PLAIN_SPELLING]


@pytest.mark.parametrize("line", PROGRAMS)
def test_program_under_jit(line):
    f, args = compiled(line)
    runs = []

    def counted(*args):
        runs.append(None)
        return f(*args)

    rng = np.random.default_rng(0)
    scalar = weighted(counted, [normal(rng, out) for out in outputs(f(*args))])
    both = fd.value_and_grad(scalar, argnums=tuple(range(len(args))))
    value, gradients = both(*args)
    step = fd.jit(both)
    step(*args)
    before = len(runs)
    found, pulled = step(*args)
    assert len(runs) == before
    assert_allclose(found, value, rtol=1e-12)
    for a, b in zip(pulled, gradients, strict=True):
        assert a.dtype == b.dtype
        assert_allclose(a, b, rtol=1e-10, atol=1e-12)
