"""Differences, slopes, integrals, interpolation and convolution against NumPy and central differences."""

import numpy as np
import pytest

import funcdiff as fd
from tests.numpy.checks import A, V, case, run

GRID = np.array([0, 1.0, 1.5, 3.0])
XP = np.array([-1.5, -0.7, -0.1, 0.4, 0.9, 1.6])
FP = np.array([0.3, -1.0, 2.0, 0.7, 0.1, -0.4])

CASES = {
    "diff": case(lambda x: np.diff(x, n=2, axis=0), A),
    "diff with ends": case(lambda x, y: np.diff(x, prepend=y, append=1.0), A, A[:, :1]),
    "diff with a number": case(lambda x, y: np.diff(x, prepend=y), A, 2.5),
    "ediff1d": case(lambda x, y: np.ediff1d(x, to_begin=y, to_end=[1.0, 2.0]), A, 1.0),
    "gradient": case(lambda x: np.gradient(x), A),
    "gradient spacing": case(lambda x, h: np.gradient(x, h, axis=1, edge_order=2), A, 0.3),
    "gradient grid": case(lambda x, h: np.gradient(x, h, axis=1), A, GRID),
    "gradient grid, second order edges": case(lambda x, h: np.gradient(x, h, axis=1, edge_order=2), A, GRID),
    "trapezoid": case(lambda y, x: np.trapezoid(y, x, axis=0), A, GRID[:3]),
    "trapezoid on a curve": case(lambda y, x: np.trapezoid(y, x), A, A**2),
    "trapezoid step": case(lambda y, dx: np.trapezoid(y, dx=dx), A, 2.0),
    "unwrap": case(lambda x: np.unwrap(x * 4), A),
    "unwrap period": case(lambda x: np.unwrap(x * 40, period=20.0, axis=0), A),
    "interp": case(lambda x, xp, fp: np.interp(x, xp, fp), A * 1.5, XP, FP, float32=False),
    "interp ends": case(
        lambda x, xp, fp: np.interp(x, xp, fp, left=0.0, right=fp[1]), A * 1.5, XP, FP, float32=False
    ),
    "interp period": case(lambda x, xp, fp: np.interp(x, xp, fp, period=2.45), A, XP, FP, float32=False),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("lengths", [(5, 3), (2, 5), (5, 4), (4, 5), (1, 1)])
@pytest.mark.parametrize("f", [np.convolve, np.correlate], ids=lambda f: f.__name__)
def test_convolution(f, lengths, mode):
    n, m = lengths
    run(case(lambda a, v: f(a, v, mode), V[:n], V[:m] * 2))


def test_interp_at_and_beyond_the_data():
    slope = fd.elementwise_grad(lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 5.0]))
    np.testing.assert_array_equal(slope(np.array([-1.0, 0.5, 1.0, 1.5, 2.0, 3.0])), [0, 1, 4, 4, 4, 0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.diff(x, n=-1),
        lambda x: np.gradient(x, edge_order=3),
        lambda x: np.gradient(x[:1]),
        lambda x: np.convolve(x, x[:0]),
        lambda x: np.convolve(x, x, "round"),
        lambda x: np.interp(x, x, x[:2]),
        lambda x: np.interp(x, x, x, period=0),
    ],
)
def test_errors_are_of_numpys_class(f):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        f(V)
    with pytest.raises(type(theirs.value)):
        fd.jvp(f, V, V)
