"""`hessian`: the two call forms, the four modes, containers, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])
MODES = [
    "forward-over-reverse",
    "reverse-over-forward",
    "reverse-over-reverse",
    "forward-over-forward",
]
MATRIX = np.array([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [0.0, -1.0, 1.0]])


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_hessian(x):
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i, i + 1] += -400 * x[i]
        h[i + 1, i] += -400 * x[i]
        h[i + 1, i + 1] += 200
    return h


CLOSED_FORMS = {
    "quadratic": (lambda x: x @ MATRIX @ x, lambda x: MATRIX + MATRIX.T),
    "cubes": (lambda x: np.sum(x**3), lambda x: np.diag(6 * x)),
    "exp_of_sum": (lambda x: np.exp(np.sum(x)), lambda x: np.full((3, 3), np.exp(np.sum(x)))),
    "product": (
        np.prod,
        lambda x: np.prod(x) / np.outer(x, x) * (1 - np.eye(3)),
    ),
    "norm": (
        np.linalg.norm,
        lambda x: np.eye(3) / np.linalg.norm(x) - np.outer(x, x) / np.linalg.norm(x) ** 3,
    ),
    "rosenbrock": (rosenbrock, rosenbrock_hessian),
    "linear": (np.sum, lambda x: np.zeros((3, 3))),
    "constant": (lambda x: 1.0, lambda x: np.zeros((3, 3))),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_form(mode, name):
    f, expected = CLOSED_FORMS[name]
    result = fd.hessian(f, mode=mode)(X)
    assert result.shape == (3, 3)
    assert_allclose(result, expected(X), rtol=1e-11, atol=1e-12)


def test_log_determinant(mode):
    a = np.array([[2.0, 0.3], [0.1, 1.5]])
    inverse = np.linalg.inv(a)
    result = fd.hessian(lambda a: np.linalg.slogdet(a)[1], mode=mode)(a)
    assert result.shape == (2, 2, 2, 2)
    assert_allclose(result, -np.einsum("jk,li->ijkl", inverse, inverse), rtol=1e-11)


def test_scalar_argument(mode):
    result = fd.hessian(lambda x: np.sin(x) * x, mode=mode)(0.7)
    assert np.shape(result) == ()
    assert_allclose(result, 2 * np.cos(0.7) - 0.7 * np.sin(0.7), rtol=1e-13)


def test_tensor_argument(mode):
    x = np.arange(1.0, 7.0).reshape(2, 3)
    result = fd.hessian(lambda x: np.sum(x**3), mode=mode)(x)
    assert result.shape == (2, 3, 2, 3)
    assert_allclose(result.reshape(6, 6), np.diag(6 * x.ravel()), rtol=1e-13)


def test_symmetric(mode):
    def f(x):
        return np.sum(np.tanh(MATRIX @ x) * np.exp(-(x**2))) + x[0] * x[1] * x[2]

    result = fd.hessian(f, mode=mode)(X)
    assert_allclose(result, result.T, rtol=1e-11, atol=1e-13)


def test_control_flow(mode):
    def f(x):
        total = 0.0
        for i in range(3):
            total = total + (x[i] ** 2 if x[i] > 0 else x[i] ** 3)
        return total

    assert_allclose(fd.hessian(f, mode=mode)(X), np.diag([2.0, -7.2, 2.0]), rtol=1e-13)


# --- call forms ------------------------------------------------------------------------------------


def coupled(x, y):
    return np.sum(x**2 * y**3)


def coupled_blocks():
    return (
        np.diag(2 * Y**3),
        np.diag(6 * X * Y**2),
        np.diag(6 * X * Y**2),
        np.diag(6 * X**2 * Y),
    )


def test_inputs_form_tuple():
    result = fd.hessian(coupled, (X, Y))
    assert type(result) is tuple
    assert all(type(row) is tuple for row in result)
    blocks = [block for row in result for block in row]
    for block, expected in zip(blocks, coupled_blocks(), strict=True):
        assert_allclose(block, expected, rtol=1e-12)


def test_inputs_form_bare_and_tuple_of_one():
    assert_allclose(fd.hessian(rosenbrock, X), rosenbrock_hessian(X), rtol=1e-12)
    result = fd.hessian(rosenbrock, (X,))
    assert type(result) is tuple
    assert type(result[0]) is tuple
    assert_allclose(result[0][0], rosenbrock_hessian(X), rtol=1e-12)


def test_inputs_form_pow_adder():
    """``2 x^2 + 3 y^2``: constant second derivatives, as in torch.autograd.functional's example."""
    result = fd.hessian(lambda x, y: np.sum(2 * x**2 + 3 * y**2), (np.ones(1), np.ones(1)))
    assert_allclose(np.block([list(row) for row in result]), [[4.0, 0.0], [0.0, 6.0]])


def test_argnums_integer(mode):
    assert_allclose(fd.hessian(coupled, mode=mode)(X, Y), coupled_blocks()[0], rtol=1e-12)
    assert_allclose(fd.hessian(coupled, argnums=1, mode=mode)(X, Y), coupled_blocks()[3], rtol=1e-12)


def test_argnums_tuple(mode):
    result = fd.hessian(coupled, argnums=(0, 1), mode=mode)(X, Y)
    blocks = [block for row in result for block in row]
    for block, expected in zip(blocks, coupled_blocks(), strict=True):
        assert_allclose(block, expected, rtol=1e-12)


def test_inputs_form_takes_mode(mode):
    assert_allclose(fd.hessian(rosenbrock, X, mode=mode), rosenbrock_hessian(X), rtol=1e-12)


def test_keyword_arguments(mode):
    result = fd.hessian(lambda x, *, k: np.sum(x**k), mode=mode)(X, k=3)
    assert_allclose(result, np.diag(6 * X), rtol=1e-13)


def test_dict_argument(mode):
    result = fd.hessian(lambda p: np.sum(p["a"] ** 2) * p["b"], mode=mode)({"a": X, "b": 2.0})
    assert_allclose(result["a"]["a"], 4 * np.eye(3), rtol=1e-13)
    assert_allclose(result["a"]["b"], 2 * X, rtol=1e-13)
    assert_allclose(result["b"]["a"], 2 * X, rtol=1e-13)
    assert_array_equal(result["b"]["b"], 0.0)


def test_mode_must_be_known():
    with pytest.raises(ValueError, match="mode"):
        fd.hessian(np.sum, mode="sideways-over-reverse")(X)
