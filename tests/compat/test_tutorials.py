"""The tutorials' cells print what PyTorch prints."""

from __future__ import annotations

import pytest

import funcdiff.compat.torch as ours
from tests.compat.both import agree, run
from tests.compat.tutorials import PROGRAMS, SINE


@pytest.mark.parametrize("name", PROGRAMS)
def test_runs(name):
    said = run(PROGRAMS[name], ours)
    errors = {"IN_PLACE": "a leaf Variable that requires grad is being used in an in-place operation."}
    errors["DOUBLING"] = "grad can be implicitly created only for scalar outputs"
    last = said.splitlines()[-1]
    assert ("Error" in last) == (name in errors), said
    assert errors.get(name, "") in said


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    agree(PROGRAMS[name])


PRINTED = """tensor([ 1.0000e+00,  1.5176e+00,  2.0000e+00,  2.4142e+00,  2.7321e+00,
         2.9319e+00,  3.0000e+00,  2.9319e+00,  2.7321e+00,  2.4142e+00,
         2.0000e+00,  1.5176e+00,  1.0000e+00,  4.8236e-01, -3.5763e-07,
        -4.1421e-01, -7.3205e-01, -9.3185e-01, -1.0000e+00, -9.3185e-01,
        -7.3205e-01, -4.1421e-01,  4.7684e-07,  4.8236e-01,  1.0000e+00],
       grad_fn=<AddBackward0>)
tensor(25., grad_fn=<SumBackward0>)
d:
<AddBackward0 object at 0x>
((<MulBackward0 object at 0x>, 0), (None, 0))
((<SinBackward0 object at 0x>, 0), (None, 0))
((<AccumulateGrad object at 0x>, 0),)
()
<MulBackward0 object at 0x> <SinBackward0 object at 0x> None
tensor([ 2.0000e+00,  1.9319e+00,  1.7321e+00,  1.4142e+00,  1.0000e+00,
         5.1764e-01, -8.7423e-08, -5.1764e-01, -1.0000e+00, -1.4142e+00,
        -1.7321e+00, -1.9319e+00, -2.0000e+00, -1.9319e+00, -1.7321e+00,
        -1.4142e+00, -1.0000e+00, -5.1764e-01,  2.3850e-08,  5.1764e-01,
         1.0000e+00,  1.4142e+00,  1.7321e+00,  1.9319e+00,  2.0000e+00])"""


def test_prints_the_tutorials_own_output():
    assert PRINTED in run(SINE, ours)
