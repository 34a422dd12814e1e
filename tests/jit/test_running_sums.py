"""Running sums and products under the native backend: those of NumPy, and their derivatives."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
SHAPES = [((1,), 0), ((5,), 0), ((1000,), 0), ((6, 7), 0), ((6, 7), 1), ((3, 40, 5), 1), ((3, 1, 5), 1)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("f", [np.cumsum, np.cumprod])
def test_values_are_those_of_numpy(f, shape, axis, dtype):
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(dtype)
    for point in (x, x[::-1].copy()):
        found, expected = jit(lambda x: f(x, axis=axis))(point), f(point, axis=axis)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("f", [np.cumsum, np.cumprod])
def test_derivatives(f, shape, axis):
    x = np.random.default_rng(1).uniform(0.8, 1.2, shape)
    gradient = fd.value_and_grad(lambda x: np.sum(np.sin(f(2 * x - 1, axis=axis))))
    for found, expected in zip(jit(gradient)(x), gradient(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_missing_and_infinite_numbers_go_on():
    x = np.array([1.0, -0.0, np.inf, 2.0, -np.inf, np.nan, 1.0])
    with np.errstate(all="ignore"):
        for f in (np.cumsum, np.cumprod):
            np.testing.assert_array_equal(jit(f)(x), f(x))
        assert "fd.cumsum.f64" in jit(np.cumsum).lower(x).source


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_derivatives_of_products_are_machine_code(shape, axis):
    x = np.random.default_rng(2).uniform(0.8, 1.2, shape)
    x[np.random.default_rng(3).uniform(size=shape) < 0.05] = 0.0
    gradient = fd.grad(lambda x: np.sum(np.sin(np.cumprod(x, axis=axis))))
    curvature = fd.grad(lambda x: np.sum(np.cos(x) * gradient(x)))
    forward = lambda x: fd.jvp(lambda x: np.cumprod(x, axis=axis), (x,), (np.cos(x),))  # noqa: E731
    assert shape[axis] == 1 or "def run" not in jit(gradient).lower(x).source
    for f in (gradient, curvature, forward):
        for point in (x, x.astype(np.float32)):
            rtol = 1e-10 if point.dtype == float else 1e-3
            for found, expected in zip(tuple(jit(f)(point)), tuple(f(point)), strict=True):
                assert found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def test_products_that_overflow_differentiate_as_uncompiled():
    rng = np.random.default_rng(4)
    f = fd.grad(lambda x: np.sum(np.cumprod(x) * np.arange(1, x.size + 1)))
    compiled = jit(f)
    few = [1.5, -0.7, 0.0, -0.0, np.inf, -np.inf, np.nan, 1e200, 1e-300, 2.0]
    with np.errstate(all="ignore"):
        for n in (2, 4, 7):
            for _ in range(40):
                x = rng.choice(few, n, p=[0.2, 0.2, 0.1, 0.05, 0.08, 0.05, 0.04, 0.08, 0.08, 0.12])
                np.testing.assert_allclose(compiled(x), f(x), rtol=1e-11)
