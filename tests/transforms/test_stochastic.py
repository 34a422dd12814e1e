"""`hutchinson`: stochastic trace and diagonal."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((20, 20)) + 5 * np.eye(20)
X = np.zeros(20)


def test_trace_lies_within_its_error():
    inside = 0
    for seed in range(30):
        trace, error = fd.hutchinson(lambda v: MATRIX @ v, X, samples=50, rng=seed)
        inside += abs(trace - np.trace(MATRIX)) < 2 * error
    assert 25 <= inside <= 30


def test_error_is_the_standard_error():
    values = [(v @ MATRIX @ v) for v in 2 * np.random.default_rng(5).integers(0, 2, (40, 20)) - 1.0]
    trace, error = fd.hutchinson(lambda v: MATRIX @ v, X, samples=40, rng=5)
    assert_allclose(trace, np.mean(values))
    assert_allclose(error, np.std(values, ddof=1) / np.sqrt(40))


def test_diagonal():
    estimate, error = fd.hutchinson(lambda v: MATRIX @ v, X, samples=400, rng=1, diagonal=True)
    assert estimate.shape == error.shape == (20,)
    assert np.all(np.abs(estimate - np.diag(MATRIX)) < 4 * error)
    assert np.mean(np.abs(estimate - np.diag(MATRIX)) < 2 * error) > 0.8


def test_diagonal_matrix_is_exact():
    d = RNG.standard_normal(20)
    trace, error = fd.hutchinson(lambda v: d * v, X, samples=2, rng=3)
    assert_allclose(trace, d.sum())
    assert_allclose(error, 0.0, atol=1e-14)
    assert_allclose(fd.hutchinson(lambda v: d * v, X, samples=2, diagonal=True)[0], d)


def test_structures_and_dtypes():
    like = {"a": np.zeros((2, 2), np.float32), "b": 1.0}
    estimate, error = fd.hutchinson(
        lambda v: {"a": 2 * v["a"], "b": -v["b"]}, like, samples=3, diagonal=True, rng=0
    )
    assert_array_equal(estimate["a"], np.full((2, 2), 2.0))
    assert estimate["a"].dtype == error["a"].dtype == np.float32
    assert estimate["b"] == -1.0
    trace, error = fd.hutchinson(lambda v: {"a": 2 * v["a"], "b": -v["b"]}, like, samples=3)
    assert (trace, error) == (7.0, 0.0)


def test_complex_matrix():
    matrix = MATRIX + 1j * RNG.standard_normal((20, 20))
    trace, error = fd.hutchinson(lambda v: matrix @ v, X.astype(complex), samples=500, rng=0)
    assert abs(trace - np.trace(matrix)) < 4 * error
    assert np.isrealobj(error)


def test_hessian_trace_and_its_derivative():
    def f(x):
        return np.sum(np.sin(x) * np.roll(x, 1) ** 2)

    x = RNG.standard_normal(6)

    def estimate(x):
        return fd.hutchinson(lambda v: fd.hvp(f, x, v)[1], x, samples=64, rng=2)[0]

    _, error = fd.hutchinson(lambda v: fd.hvp(f, x, v)[1], x, samples=64, rng=2)
    assert abs(estimate(x) - fd.laplacian(f, x)) < 4 * error
    h = 1e-5
    expected = [(estimate(x + h * e) - estimate(x - h * e)) / (2 * h) for e in np.eye(6)]
    assert_allclose(fd.grad(estimate)(x), expected, rtol=1e-6, atol=1e-8)


def test_generator_and_seed():
    a = fd.hutchinson(lambda v: MATRIX @ v, X, samples=5, rng=7)
    b = fd.hutchinson(lambda v: MATRIX @ v, X, samples=5, rng=np.random.default_rng(7))
    assert a == b


def test_errors():
    with pytest.raises(ValueError, match="samples"):
        fd.hutchinson(lambda v: v, X, samples=1)
    with pytest.raises(fd.errors.VectorError, match="shape"):
        fd.hutchinson(lambda v: v[:3], X, samples=2)
    with pytest.raises(fd.errors.DtypeError, match="int64"):
        fd.hutchinson(lambda v: v, np.arange(3), samples=2)
