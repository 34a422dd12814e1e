"""Spread, averages, order statistics and covariances against NumPy and central differences."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.numpy.checks import A, T, V, case, run
from tests.numpy.test_reductions import with_nan

W = np.abs(A) + 1
METHODS = [
    "averaged_inverted_cdf",
    "closest_observation",
    "hazen",
    "higher",
    "interpolated_inverted_cdf",
    "inverted_cdf",
    "linear",
    "lower",
    "median_unbiased",
    "midpoint",
    "nearest",
    "normal_unbiased",
    "weibull",
]

CASES = {
    "var": case(lambda x: np.var(x, axis=1, ddof=1), A),
    "var where": case(lambda x: np.var(x, axis=0, where=np.arange(12).reshape(3, 4) % 3 > 0), A),
    "var mean": case(lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)), A),
    "std": case(lambda x: np.std(x, axis=(0, 2), keepdims=True), T),
    "std correction": case(lambda x: np.std(x, correction=1), A),
    "nanvar": case(with_nan(lambda x: np.nanvar(x, axis=1)), A),
    "nanstd": case(with_nan(lambda x: np.nanstd(x, ddof=1)), A),
    "average": case(lambda x: np.average(x, axis=1, returned=True), A),
    "average weights": case(lambda x, w: np.average(x, axis=1, weights=w), A, W[0]),
    "average all": case(
        lambda x, w: np.average(x, axis=(0, 1), weights=w, returned=True, keepdims=True), A, W
    ),
    "median": case(lambda x: np.median(x, axis=1), A),
    "median of an odd number": case(lambda x: np.median(x), V),
    "median over axes": case(lambda x: np.median(x, axis=(0, 2), keepdims=True), T),
    "nanmedian": case(with_nan(lambda x: np.nanmedian(x, axis=0)), A),
    "nanquantile": case(with_nan(lambda x: np.nanquantile(x, [0.2, 0.7], axis=1)), A, float32=False),
    "nanpercentile": case(with_nan(lambda x: np.nanpercentile(x, 20.0, axis=0, keepdims=True)), A),
    "percentile": case(lambda x: np.percentile(x, [10, 50]), A, float32=False),
    "quantile in q": case(lambda x, q: np.quantile(x, q, axis=0), A, np.array([0.2, 0.61]), float32=False),
    "quantile weights": case(
        lambda x: np.quantile(x, [0.3, 0.6], axis=1, weights=np.array([1.0, 2, 1, 3]), method="inverted_cdf"),
        A,
        float32=False,
    ),
    "cov": case(lambda x: np.cov(x), A, float32=False),
    "cov with weights": case(
        lambda x, y: np.cov(x, y, rowvar=False, ddof=0, fweights=[1, 2, 1], aweights=[0.5, 0.2, 1.0]),
        A,
        A[:, :2] ** 2,
        float32=False,
    ),
    "cov of one variable": case(lambda x: np.cov(x), V, float32=False),
    "corrcoef": case(lambda x: np.corrcoef(x)[0, 1], A, float32=False),
    "corrcoef of two": case(lambda x, y: np.corrcoef(x, y)[0, 1], V, V**2, float32=False),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


@pytest.mark.parametrize("method", METHODS)
def test_quantile_methods(method):
    run(case(lambda x: np.quantile(x, 0.3, axis=1, method=method), A))
    q = [[0.0, 0.5], [0.25, 1.0]]
    run(case(lambda x: np.quantile(x, q, axis=0, method=method, keepdims=True), A, float32=False))


@pytest.mark.parametrize("median", [np.median, np.nanmedian])
@pytest.mark.parametrize("x", [[np.inf] * 4, [-np.inf] * 2, [-np.inf, 1.0], [np.inf, 2.0], [np.inf, -np.inf]])
def test_median_of_infinities(median, x):
    x = np.array(x)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(fd.value_and_grad(median)(x)[0], median(x))


def test_median_ties_share_equally():
    x = np.array([1.0, 2.0, 2.0, 5.0])
    assert_allclose(fd.grad(np.median)(x), [0, 0.5, 0.5, 0])
    assert_allclose(fd.grad(np.median)(np.ones(3)), np.ones(3) / 3)


def test_std_of_equal_values_has_derivative_zero():
    x = np.ones(4)
    assert_array_equal(fd.grad(np.std)(x), np.zeros(4))
    assert fd.jvp(np.std, x, np.arange(4.0))[1] == 0
    assert_array_equal(fd.hessian(np.std)(x), np.zeros((4, 4)))


@pytest.mark.parametrize("f", [np.var, np.std, np.mean, lambda z: np.trace(np.cov(z))])
def test_complex_spread(f):
    z = A + 1j * A[::-1]

    def real(z):
        return np.abs(f(z))

    eps = 1e-6
    g = fd.grad(real)(z)
    direction = np.cos(A) + 1j * np.sin(3 * A)
    slope = (real(z + eps * direction) - real(z - eps * direction)) / (2 * eps)
    assert_allclose(np.real(np.sum(g * direction)), slope, rtol=1e-6)


def test_warnings_are_numpys():
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"), np.errstate(all="ignore"):
        fd.jvp(lambda x: np.var(x, ddof=9), V, V)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fd.jvp(np.var, V, V)


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: np.quantile(x, 1.5), r"\[0, 1\]"),
        (lambda x: np.percentile(x, 101), r"\[0, 100\]"),
        (lambda x: np.quantile(x, 0.5, method="best"), "'best' is not a valid method"),
        (lambda x: np.std(x, ddof=1, correction=1), "can't be provided simultaneously"),
        (lambda x: np.average(x, weights=np.zeros(5)), "sum to zero"),
    ],
)
def test_wrong_arguments(f, error):
    with pytest.raises((ValueError, ZeroDivisionError), match=error):
        fd.grad(f)(V)
