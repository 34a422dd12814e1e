"""What only the primitives of reductions can show."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.primitives.reduction import others, recurrence, shifted


def solved(a, b):
    h = np.zeros_like(b)
    h[0] = b[0]
    for n in range(1, len(a)):
        h[n] = a[n] * h[n - 1] + b[n]
    return h


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 8, 33])
def test_recurrence(n):
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal(n), rng.standard_normal(n)
    if n:
        assert_allclose(recurrence(a, b, axis=0), solved(a, b))
    assert recurrence(a, b, axis=0).shape == (n,)


def test_recurrence_keeps_a_zero_where_factors_overflow():
    a = np.array([1.0, 1e200, 1e200, 1e200])
    b = np.zeros(4)
    with np.errstate(over="ignore"):
        assert_allclose(recurrence(a, b, axis=0), b)


def test_derivatives_of_a_recurrence():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 6))
    a[2] = 0.0
    jacobians = fd.jacobian(lambda a, b: recurrence(a, b, axis=0), argnums=(0, 1))(a, b)
    for n, jacobian in enumerate(jacobians):
        for k in range(6):
            up, down = [a.copy(), b.copy()], [a.copy(), b.copy()]
            up[n][k] += 1e-6
            down[n][k] -= 1e-6
            assert_allclose(jacobian[:, k], (solved(*up) - solved(*down)) / 2e-6, atol=1e-8)


def test_product_of_the_others():
    x = np.array([[2.0, 0.0, 3.0], [1.0, 4.0, 5.0]])
    assert_allclose(others(x, (1,)), [[0, 6, 0], [20, 5, 4]])
    assert_allclose(others(x, (0, 1)), [[0, 120, 0], [0, 0, 0]])
    assert_allclose(others(x, ()), np.ones((2, 3)))


def test_shifted():
    assert_allclose(shifted(np.array([1.0, 2.0, 3.0]), 0, 7), [7, 1, 2])
    assert shifted(np.zeros(0), 0, 7).shape == (0,)
