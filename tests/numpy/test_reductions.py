"""Sums, products, means, extrema and cumulative operations against NumPy and central differences."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.numpy.checks import ZEROS, A, T, V, case, run

HOLES = np.zeros((3, 4), bool)
HOLES[0, 1] = HOLES[2, 2] = True


def with_nan(f):
    return lambda x: f(np.where(HOLES, np.nan, x))


CASES = {
    "sum": case(lambda x: np.sum(x), A),
    "sum over one axis": case(lambda x: np.sum(x, axis=1), A),
    "sum over axes, kept": case(lambda x: np.sum(x, axis=(0, -1), keepdims=True), T),
    "sum where, initial": case(lambda x: np.sum(x, axis=0, where=np.arange(4) > 1, initial=2.0), A),
    "sum over no axes": case(lambda x: np.sum(x, axis=()), A),
    "sum traced initial": case(lambda x: np.sum(x, axis=0, initial=x[0, 0]), A, values=False, batched=False),
    "prod": case(lambda x: np.prod(x, axis=(0, 2)), T),
    "prod where, initial": case(lambda x: np.prod(x, where=np.arange(4) > 1, initial=3.0), A),
    "prod with zeros": case(lambda x: np.prod(x, axis=-1), ZEROS),
    "prod with zeros, all axes": case(lambda x: np.prod(x[:2, 1:]), ZEROS),
    "mean": case(lambda x: np.mean(x), A),
    "mean where": case(lambda x: np.mean(x, axis=0, where=np.arange(12).reshape(3, 4) % 3 == 0), A),
    "max": case(lambda x: np.max(x, axis=1), A),
    "max initial where": case(lambda x: np.max(x, axis=1, initial=0.1, where=np.arange(4) > 0), A),
    "amax": case(lambda x: np.amax(x), A),
    "min": case(lambda x: np.min(x, axis=(0, 1), keepdims=True), T),
    "ptp": case(lambda x: np.ptp(x, axis=0), A),
    "cumsum": case(lambda x: np.cumsum(x), A),
    "cumsum along": case(lambda x: np.cumsum(x, axis=1), A),
    "cumprod": case(lambda x: np.cumprod(x, axis=-1), A),
    "cumprod flat": case(lambda x: np.cumprod(x), A),
    "cumprod with zeros": case(lambda x: np.cumprod(x, axis=-1), ZEROS),
    "cumprod with zeros along": case(lambda x: np.cumprod(x, axis=0), ZEROS),
    "cumulative_sum": case(lambda x: np.cumulative_sum(x, axis=1, include_initial=True), A),
    "cumulative_prod": case(lambda x: np.cumulative_prod(x, include_initial=True), V),
    "nansum": case(with_nan(lambda x: np.nansum(x, axis=1)), A),
    "nanprod": case(with_nan(lambda x: np.nanprod(x, axis=1)), A),
    "nanmax": case(with_nan(lambda x: np.nanmax(x, axis=1)), A),
    "nanmin": case(with_nan(lambda x: np.nanmin(x, keepdims=True)), A),
    "nanmean": case(with_nan(lambda x: np.nanmean(x, axis=0)), A),
    "nancumsum": case(with_nan(lambda x: np.nancumsum(x, axis=1)), A),
    "nancumprod": case(with_nan(lambda x: np.nancumprod(x, axis=0)), A),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    run(CASES[name])


@pytest.mark.parametrize(
    "f", [np.max, np.amax, lambda x: -np.min(-x), np.nanmax], ids=["max", "amax", "min", "nanmax"]
)
def test_ties_share_equally(f):
    x = np.array([2.0, 1.0, 2.0, 2.0])
    third = np.array([1.0, 0.0, 1.0, 1.0]) / 3
    assert_allclose(fd.grad(f)(x), third)
    assert_allclose(fd.jvp(f, x, np.arange(4.0))[1], third @ np.arange(4.0))
    assert_array_equal(fd.hessian(f)(x), np.zeros((4, 4)))


def test_a_nan_maximum_hands_its_derivative_to_the_nan():
    assert_array_equal(fd.grad(np.max)(np.array([1.0, np.nan, 3.0])), [0.0, 1.0, 0.0])


def test_third_derivative_of_a_product_with_zeros():
    x = np.array([0.0, 0.0, 0.0, 5.0])
    third = fd.jacobian(fd.hessian(np.prod))(x)
    for i, j, k in np.ndindex(4, 4, 4):
        expected = 5.0 if {i, j, k} == {0, 1, 2} else 0.0
        assert third[i, j, k] == expected


def test_a_long_cumulative_product_is_fast_and_right():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.9, 1.1, 3000)
    x[1000] = 0.0
    g = fd.grad(lambda x: np.sum(np.cumprod(x)))(x)
    expected = np.cumprod(np.where(np.arange(3000) == 1000, 1.0, x))[1000:].sum()
    assert_allclose(g[1000], expected)


@pytest.mark.parametrize("f", [np.sum, np.prod, np.cumsum, np.cumprod, np.nansum], ids=lambda f: f.__name__)
def test_of_nothing(f):
    x = np.zeros((0, 3))
    assert_array_equal(fd.jvp(f, x, x)[0], f(x))
    assert fd.grad(lambda x: np.sum(f(x)))(x).shape == (0, 3)


@pytest.mark.parametrize("f", [np.max, np.min], ids=lambda f: f.__name__)
def test_extremum_of_nothing_is_numpys_error(f):
    with pytest.raises(ValueError, match="zero-size array to reduction operation"):
        fd.grad(f)(np.zeros(0))


def test_mean_of_nothing_warns_as_numpy_does():
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"), np.errstate(all="ignore"):
        value, _ = fd.jvp(np.mean, np.zeros(0), np.zeros(0))
    assert np.isnan(value)


def test_nanmax_of_nan_warns_as_numpy_does():
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        value = fd.jvp(np.nanmax, np.array([np.nan]), np.ones(1))[0]
    assert np.isnan(value)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.longdouble])
@pytest.mark.parametrize("f", [np.sum, np.prod, np.mean, np.cumsum, np.cumprod], ids=lambda f: f.__name__)
def test_dtype_keyword(f, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, tangent = fd.jvp(lambda x: f(x, dtype=dtype), V, V)
        assert value.dtype == tangent.dtype == f(V, dtype=dtype).dtype
        assert fd.grad(lambda x: np.sum(np.real(f(x, dtype=dtype))))(V).dtype == np.float64


def test_float16_mean_does_not_overflow():
    x = np.full(2000, 60.0, np.float16)
    value, gradient = fd.value_and_grad(np.mean)(x)
    assert value == np.mean(x)
    assert gradient.dtype == np.float16


def test_out_writes_into_a_traced_array():
    def f(x):
        o = np.zeros_like(x)
        assert np.cumsum(x**2, out=o) is o
        total = np.zeros((), like=x)
        np.sum(o, out=total)
        return total * x[0]

    assert_allclose(fd.grad(f)(V), fd.grad(lambda x: np.sum(np.cumsum(x**2)) * x[0])(V))


def test_out_into_a_plain_array_is_refused():
    with pytest.raises(fd.errors.PlainWriteError, match=r"sum\(\.\.\., out=\.\.\.\).*zeros\(n, like=x\)"):
        fd.grad(lambda x: np.sum(x, out=np.zeros(())))(V)
