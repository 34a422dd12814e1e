"""Tests of what both backends promise run with each of them, by the fixture `both_backends`."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

native = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")
BACKENDS = ["numpy", pytest.param("native", marks=native)]


def nearly_equal(x, y, *_args, **_kwargs):
    """What stands for equality with machine code, whose functions differ from NumPy's in the last digits."""
    if np.asarray(x).dtype.kind in "fc":
        single = np.asarray(x).dtype in (np.float32, np.complex64)
        assert_allclose(x, y, rtol=1e-5 if single else 2e-14, atol=1e-6 if single else 1e-14)
    else:
        assert_array_equal(x, y)


@pytest.fixture(params=BACKENDS)
def both_backends(request, monkeypatch):
    """Let `jit` in the test's module stand for one backend, and compare to a few units in the last place."""
    monkeypatch.setattr(request.module, "jit", functools.partial(fd.jit, backend=request.param))
    if request.param == "native" and hasattr(request.module, "assert_array_equal"):
        monkeypatch.setattr(request.module, "assert_array_equal", nearly_equal)
    return request.param
