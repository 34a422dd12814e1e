"""Applying functions along axes, and counting by bins."""

import numpy as np
import pytest

import funcdiff as fd
from tests.numpy.checks import A, T, V, case, run

CASES = {
    "apply_along_axis": case(lambda x: np.apply_along_axis(lambda v: v * v[0], 1, x), A),
    "apply_along_axis to matrices": case(lambda x: np.apply_along_axis(lambda v: np.outer(v, v), 1, x), T),
    "apply_along_axis to numbers": case(lambda x: np.apply_along_axis(np.sum, 0, x), A),
    "apply_over_axes": case(lambda x: np.apply_over_axes(np.sum, x, [0, 2]), T),
    "bincount": case(lambda w: np.bincount([0, 3, 3, 1, 0], w, minlength=6), V, float32=False),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


def test_vectorize_goes_over_object_arrays():
    f = np.vectorize(lambda v: v * v + 1)
    np.testing.assert_allclose(fd.grad(lambda x: np.sum(f(x)))(V), 2 * V)
