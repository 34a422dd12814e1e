"""`hvp` and `vhp`: products with the second derivative."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])
V = np.array([0.1, 1.0, -0.5])
MATRIX = np.array([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [0.0, -1.0, 1.0]])


@pytest.fixture(params=["hvp", "vhp"])
def product(request):
    return getattr(fd, request.param)


FUNCTIONS = {
    "quadratic": lambda x: x @ MATRIX @ x,
    "cubes": lambda x: np.sum(x**3),
    "exp_of_sum": lambda x: np.exp(np.sum(x)),
    "tanh": lambda x: np.sum(np.tanh(MATRIX @ x) * x),
    "norm": np.linalg.norm,
    "solve": lambda x: np.sum(np.linalg.solve(np.diag(x) + np.ones((3, 3)), np.cos(x))),
    "written": lambda x: _written(x),
}


def _written(x):
    y = np.zeros_like(x)
    for i in range(3):
        y[i] = np.sin(x[i]) * x[i - 1]
    y += x**2
    return np.sum(y * y)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_the_hessian_times_v(product, name):
    f = FUNCTIONS[name]
    output, result = product(f, X, V)
    assert_allclose(output, f(X), rtol=1e-14)
    assert type(result) is np.ndarray
    assert_allclose(result, fd.hessian(f)(X) @ V, rtol=1e-11, atol=1e-12)


def test_closed_form(product):
    assert_allclose(product(lambda x: np.sum(x**3), X, V)[1], 6 * X * V, rtol=1e-13)


def test_tuple_of_inputs(product):
    output, result = product(lambda x, y: np.sum(x**2 * y**3), (X, Y), (V, -V))
    assert_allclose(output, np.sum(X**2 * Y**3), rtol=1e-14)
    assert type(result) is tuple
    assert_allclose(result[0], 2 * Y**3 * V - 6 * X * Y**2 * V, rtol=1e-12)
    assert_allclose(result[1], 6 * X * Y**2 * V - 6 * X**2 * Y * V, rtol=1e-12)


def test_pow_adder_reducer(product):
    def pow_adder_reducer(x, y):
        return (2 * x**2 + 3 * y**2).sum()

    v = (np.zeros(2), np.ones(2))
    output, (by_x, by_y) = product(pow_adder_reducer, (X[:2], Y[:2]), v)
    assert_allclose(output, np.sum(2 * X[:2] ** 2 + 3 * Y[:2] ** 2), rtol=1e-14)
    assert_array_equal(by_x, np.zeros(2))
    assert_allclose(by_y, np.full(2, 6.0))


def test_tuple_of_one_stays_a_tuple(product):
    _, result = product(lambda x: np.sum(x**3), (X,), (V,))
    assert type(result) is tuple
    assert len(result) == 1
    assert_allclose(result[0], 6 * X * V, rtol=1e-13)


def test_without_inputs_is_a_function(product):
    output, result = product(lambda x: np.sum(x**3))(X, V)
    assert_allclose(output, np.sum(X**3), rtol=1e-14)
    assert_allclose(result, 6 * X * V, rtol=1e-13)
    _, result = product(lambda x, y: np.sum(x * y))((X, Y), (V, 2 * V))
    assert_allclose(result[0], 2 * V)
    assert_allclose(result[1], V)


def test_v_by_keyword(product):
    assert_allclose(product(lambda x: np.sum(x**3), X, v=V)[1], 6 * X * V, rtol=1e-13)


def test_linear_and_constant_functions(product):
    assert_array_equal(product(np.sum, X, V)[1], np.zeros(3))
    assert_array_equal(product(lambda x: 2.0, X, V)[1], np.zeros(3))


def test_matrix_argument(product):
    a = np.array([[2.0, 0.3], [0.1, 1.5]])
    v = np.array([[1.0, -1.0], [0.5, 2.0]])
    inverse = np.linalg.inv(a)
    _, result = product(lambda a: np.linalg.slogdet(a)[1], a, v)
    assert_allclose(result, -(inverse @ v @ inverse).T, rtol=1e-11)


def test_dict_argument(product):
    parameters = {"a": X, "b": 2.0}
    _, result = product(lambda p: np.sum(p["a"] ** 2) * p["b"], parameters, {"a": V, "b": np.float64(1.0)})
    assert_allclose(result["a"], 4 * V + 2 * X, rtol=1e-13)
    assert_allclose(result["b"], 2 * np.sum(X * V), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_dtype_is_kept(product, dtype):
    output, result = product(lambda x: np.sum(x**3), X.astype(dtype), V.astype(dtype))
    assert output.dtype == dtype
    assert result.dtype == dtype
