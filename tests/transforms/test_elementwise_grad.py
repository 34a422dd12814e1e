"""`elementwise_grad`: the derivative of an elementwise function at every element, of any order."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.linspace(-1.5, 2.0, 6).reshape(2, 3)

DERIVATIVES = {
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "gaussian": (lambda x: np.exp(-(x**2)), lambda x: -2 * x * np.exp(-(x**2))),
    "erf": (scipy.special.erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2))),
    "relu": (lambda x: np.where(x > 0, x, 0.0), lambda x: (x > 0).astype(float)),
    "identity": (lambda x: x, np.ones_like),
    "constant": (lambda x: np.ones_like(x), np.zeros_like),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_first_derivative(name):
    f, derivative = DERIVATIVES[name]
    result = fd.elementwise_grad(f)(X)
    assert result.shape == X.shape
    assert_allclose(result, derivative(X), rtol=1e-13, atol=1e-15)


def test_six_derivatives_of_tanh_by_nesting():
    """The n-th derivative of tanh is a polynomial in tanh: ``p_{n+1} = p_n' (1 - t²)``."""
    t = np.tanh(X)
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    one_minus_square = np.polynomial.Polynomial([1.0, 0.0, -1.0])
    f = np.tanh
    for _ in range(6):
        f = fd.elementwise_grad(f)
        polynomial = polynomial.deriv() * one_minus_square
        assert_allclose(f(X), polynomial(t), rtol=1e-10, atol=1e-11)


def test_scalar():
    assert_allclose(fd.elementwise_grad(np.sin)(0.3), np.cos(0.3), rtol=1e-14)


def test_argnums():
    def f(x, y):
        return x**2 * y

    assert_allclose(fd.elementwise_grad(f)(X, 3.0), 6 * X, rtol=1e-14)
    assert_allclose(fd.elementwise_grad(f, argnums=1)(X, X), X**2, rtol=1e-14)
    by_x, by_y = fd.elementwise_grad(f, argnums=(0, 1))(X, X + 1)
    assert_allclose(by_x, 2 * X * (X + 1), rtol=1e-14, atol=1e-15)
    assert_allclose(by_y, X**2, rtol=1e-14)


def test_keyword_arguments():
    assert_allclose(fd.elementwise_grad(lambda x, *, k: x**k)(X, k=2), 2 * X, rtol=1e-14)


def test_python_branches_inside_vectorize():
    def g(t):
        return t * t if t > 0 else -t

    result = fd.elementwise_grad(np.vectorize(g, otypes=[object]))(X)
    assert_allclose(result, np.where(X > 0, 2 * X, -1.0), rtol=1e-14)


def test_empty():
    result = fd.elementwise_grad(np.sin)(np.zeros((0, 3)))
    assert result.shape == (0, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    assert fd.elementwise_grad(lambda x: 2.0 * np.sin(x))(X.astype(dtype)).dtype == dtype


def test_singular_point_of_one_element_leaves_the_others():
    assert_array_equal(fd.elementwise_grad(np.sqrt)(np.array([0.0, 4.0])), [np.inf, 0.25])
