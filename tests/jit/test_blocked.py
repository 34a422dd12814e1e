"""Large arrays, which are computed block by block."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.jit.blocked import BLOCK, LARGE

jit = functools.partial(fd.jit, backend="numpy")

SIZES = (LARGE, LARGE + 1, 5 * BLOCK - 7)
W = np.linspace(0.5, 1.5, max(SIZES))


def chain(x):
    return np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log1p(x**2))


def logsumexp(x):
    m = fd.stop_gradient(np.max(x))
    return m + np.log(np.sum(np.exp(x - m)))


def standardised(x):
    y = (x - x.mean()) / np.sqrt(np.mean((x - x.mean()) ** 2) + 1e-3)
    return np.sum(np.where(y > 0, np.sin(y), y**3) * W[: x.size])


def sliced(x):
    return (
        np.sum(np.sin(x[1:] - x[:-1]) ** 2) + np.maximum(x, 0.1).sum() * 2 + np.sum(np.sqrt(np.abs(x)) ** 2.5)
    )


def values(x):
    y = np.sin(x) * x + np.cos(x) / 2
    return y, y * y.sum(), np.maximum(y, x), y > 0.1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("f", [chain, logsumexp, standardised, sliced])
def test_gradients(f, size, dtype):
    x = (np.sin(np.arange(size) * 0.7) + 0.2).astype(dtype)
    compiled = jit(fd.value_and_grad(f))
    outer = jit(f)
    tolerance = 1e-12 if dtype == np.float64 else 1e-3
    for point in (x, x[::-1] * dtype(0.5)):
        value, gradient = fd.value_and_grad(f)(point)
        found, slope = compiled(point)
        assert found.dtype == value.dtype
        assert slope.dtype == gradient.dtype
        assert_allclose(found, value, rtol=tolerance)
        scale = np.abs(gradient).max()
        assert_allclose(slope / scale, gradient / scale, rtol=tolerance, atol=tolerance)
        assert_allclose(fd.grad(outer)(point) / scale, gradient / scale, rtol=tolerance, atol=tolerance)


def test_source_is_blocked():
    x = np.ones(LARGE)
    lowered = jit(fd.value_and_grad(chain)).lower(x)
    assert "def block_0" in lowered.source
    assert lowered.source.count("def block_") == 1  # value and gradient in one loop


@pytest.mark.parametrize("shape", [(LARGE,), (200, LARGE // 100), (2, 3, LARGE // 5 + 1)])
def test_several_results_and_shapes(shape):
    x = np.cos(np.arange(np.prod(shape))).reshape(shape)
    compiled = jit(values)
    for point in (x, x * 2, np.asfortranarray(x)):
        results = compiled(point)
        again = compiled(x)
        del again
        for a, b in zip(results, values(point), strict=True):
            assert a.dtype == b.dtype
            assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_strong_zeros():
    x = np.linspace(-1.0, 1.0, LARGE + 1)

    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(np.abs(x)), 0.0) * np.cos(x) + np.sin(x))

    with np.errstate(all="ignore"):
        assert_allclose(jit(fd.grad(f))(x), fd.grad(f)(x), rtol=1e-13)
        assert_allclose(jit(fd.grad(f))(x + 2), fd.grad(f)(x + 2), rtol=1e-13)


def test_mixed_with_products():
    a = np.random.default_rng(0).standard_normal((8, LARGE // 64)) / 30

    def f(x):
        y = np.tanh(np.sin(x) * x + np.cos(x))
        return np.sum((a @ y.reshape(a.shape[1], 64)) ** 2) + np.sum(np.exp(y) * x)

    x = np.sin(np.arange(float(LARGE)))
    assert_allclose(jit(f)(x), f(x), rtol=1e-12)
    assert_allclose(jit(fd.grad(f))(x), fd.grad(f)(x), rtol=1e-10, atol=1e-12)
