"""`jacobian`, `jacfwd` and `jacrev`: both call forms, both modes, nesting of the result, chunks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])
ROUTES = {
    "jacobian": fd.jacobian,
    "jacfwd": fd.jacfwd,
    "jacrev": fd.jacrev,
    "forward": lambda f, argnums=0, **k: fd.jacobian(f, argnums, mode="forward", **k),
    "reverse": lambda f, argnums=0, **k: fd.jacobian(f, argnums, mode="reverse", **k),
    "auto": lambda f, argnums=0, **k: fd.jacobian(f, argnums, mode="auto", **k),
}


@pytest.fixture(params=ROUTES)
def jacobian(request):
    return ROUTES[request.param]


def complex_step_jacobian(f, x, h=1e-30):
    """Jacobian of an analytic function, exact to rounding."""
    columns = []
    for index in np.ndindex(x.shape):
        z = x.astype(complex)
        z[index] += 1j * h
        columns.append(f(z).imag / h)
    out = columns[0].shape
    return np.moveaxis(np.array(columns), 0, -1).reshape(out + x.shape)


FUNCTIONS = {
    "elementwise": lambda x: np.sin(x) * x**2,
    "wide": lambda x: np.outer(x, x),
    "narrow": lambda x: np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]) @ np.exp(x),
    "scalar": lambda x: np.sum(x**3),
    "cumulative": lambda x: np.cumsum(x * x),
    "reordered": lambda x: np.sin(x)[[2, 0, 0, 1]],
    "concatenated": lambda x: np.concatenate([x, x[:1] * x[1:2], np.ones(2)]),
    "solve": lambda x: np.linalg.solve(np.diag(x) + np.ones((3, 3)), x),
    "reshaped": lambda x: np.broadcast_to(x, (2, 3)).T * np.array([1.0, -2.0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_the_complex_step(jacobian, name):
    f = FUNCTIONS[name]
    result = jacobian(f)(X)
    expected = complex_step_jacobian(lambda z: np.asarray(f(z)), X)
    assert result.shape == np.shape(f(X)) + X.shape
    assert_allclose(result, expected, rtol=1e-10, atol=1e-13)


def test_block_shape_is_output_then_input(jacobian):
    x = np.arange(1.0, 7.0).reshape(2, 3)
    result = jacobian(lambda x: np.einsum("ij,kj->ikj", x, x)[:, 0])(x)
    assert result.shape == (2, 3, 2, 3)
    expected = np.zeros((2, 3, 2, 3))
    for i in range(2):
        for j in range(3):
            expected[i, j, i, j] += x[0, j]
            expected[i, j, 0, j] += x[i, j]
    assert_allclose(result, expected, rtol=1e-14)


def test_linear_function_has_its_matrix(jacobian):
    matrix = np.random.default_rng(0).normal(size=(4, 3))
    assert_allclose(jacobian(lambda x: matrix @ x)(X), matrix, rtol=1e-14)


def test_identity_and_constant(jacobian):
    assert_array_equal(jacobian(lambda x: x)(X), np.eye(3))
    assert_array_equal(jacobian(lambda x: np.arange(2.0))(X), np.zeros((2, 3)))
    assert_array_equal(jacobian(lambda x: 1.0)(X), np.zeros(3))


def test_scalar_to_vector(jacobian):
    assert_allclose(jacobian(lambda t: np.exp(t) * X)(0.5), np.exp(0.5) * X, rtol=1e-14)


def test_empty_input_and_empty_output(jacobian):
    assert jacobian(lambda x: x[:0] * 2.0)(X).shape == (0, 3)
    assert jacobian(lambda x: np.sum(x) * np.ones(2))(np.zeros(0)).shape == (2, 0)


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, None])
def test_chunks_do_not_change_the_result(jacobian, chunk_size):
    x = np.linspace(0.1, 1.0, 5)

    def f(x):
        return np.sin(np.outer(x, x)).sum(0) * x

    expected = complex_step_jacobian(f, x)
    assert_allclose(jacobian(f, chunk_size=chunk_size)(x), expected, rtol=1e-10, atol=1e-13)


def test_control_flow_is_followed_once_per_evaluation():
    calls = []

    def f(x):
        calls.append(1)
        return x * 2 if x.sum() > 0 else x * 3

    assert_array_equal(fd.jacrev(f)(X), 2 * np.eye(3))
    assert len(calls) == 1
    assert_array_equal(fd.jacrev(f)(-X), 3 * np.eye(3))
    assert_array_equal(fd.jacfwd(f)(X), 2 * np.eye(3))
    assert_array_equal(fd.jacfwd(f)(-X), 3 * np.eye(3))


# --- the form that is given the inputs -------------------------------------------------------------


def exp_adder(x, y):
    return 2 * np.exp(x) + 3 * y


def test_inputs_form_tuple():
    result = fd.jacobian(exp_adder, (X, Y))
    assert type(result) is tuple
    assert len(result) == 2
    assert_allclose(result[0], np.diag(2 * np.exp(X)), rtol=1e-14)
    assert_allclose(result[1], 3 * np.eye(3))


def test_inputs_form_bare_array():
    result = fd.jacobian(np.exp, X)
    assert type(result) is np.ndarray
    assert_allclose(result, np.diag(np.exp(X)), rtol=1e-14)


def test_inputs_form_tuple_of_one_stays_a_tuple():
    result = fd.jacobian(np.exp, (X,))
    assert type(result) is tuple
    assert len(result) == 1
    assert_allclose(result[0], np.diag(np.exp(X)), rtol=1e-14)


def test_inputs_form_tuple_of_outputs():
    result = fd.jacobian(lambda x: (np.exp(x), np.sum(x)), X)
    assert type(result) is tuple
    assert_allclose(result[0], np.diag(np.exp(X)), rtol=1e-14)
    assert_allclose(result[1], np.ones(3))


def test_inputs_form_tuples_of_both():
    result = fd.jacobian(lambda x, y: (x * y, np.sum(x), y), (X, Y))
    assert type(result) is tuple
    assert all(type(row) is tuple for row in result)
    assert [len(row) for row in result] == [2, 2, 2]
    assert_allclose(result[0][0], np.diag(Y))
    assert_allclose(result[0][1], np.diag(X))
    assert_allclose(result[1][0], np.ones(3))
    assert_array_equal(result[1][1], np.zeros(3))
    assert_array_equal(result[2][0], np.zeros((3, 3)))
    assert_array_equal(result[2][1], np.eye(3))


def test_inputs_form_of_different_shapes():
    matrix = np.arange(6.0).reshape(2, 3)
    by_matrix, by_vector = fd.jacobian(lambda a, x: a @ x, (matrix, X))
    assert by_matrix.shape == (2, 2, 3)
    assert by_vector.shape == (2, 3)
    assert_allclose(by_vector, matrix)
    assert_allclose(by_matrix, np.einsum("ij,k->ijk", np.eye(2), X))


def test_inputs_form_with_float_tuple_is_inputs_not_argnums():
    by_x, by_y = fd.jacobian(lambda x, y: x * y, (2.0, 3.0))
    assert_allclose([by_x, by_y], [3.0, 2.0])


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_inputs_form_takes_mode_and_chunk_size(mode):
    result = fd.jacobian(exp_adder, (X, Y), mode=mode, chunk_size=2)
    assert_allclose(result[0], np.diag(2 * np.exp(X)), rtol=1e-14)
    assert_allclose(result[1], 3 * np.eye(3))


def test_integer_second_argument_is_argnums():
    assert_allclose(fd.jacobian(exp_adder, 1)(X, Y), 3 * np.eye(3))
    by_y, by_x = fd.jacobian(exp_adder, (1, 0))(X, Y)
    assert_allclose(by_y, 3 * np.eye(3))
    assert_allclose(by_x, np.diag(2 * np.exp(X)), rtol=1e-14)


# --- the composable form ---------------------------------------------------------------------------


def test_argnums(jacobian):
    assert_allclose(jacobian(exp_adder)(X, Y), np.diag(2 * np.exp(X)), rtol=1e-14)
    assert_allclose(jacobian(exp_adder, argnums=1)(X, Y), 3 * np.eye(3))
    result = jacobian(exp_adder, argnums=(0, 1))(X, Y)
    assert type(result) is tuple
    assert_allclose(result[0], np.diag(2 * np.exp(X)), rtol=1e-14)
    assert_allclose(result[1], 3 * np.eye(3))


def test_has_aux(jacobian):
    result, aux = jacobian(lambda x: (x**2, {"x": x + 1.0}), has_aux=True)(X)
    assert_allclose(result, np.diag(2 * X), rtol=1e-14)
    assert type(aux["x"]) is np.ndarray
    assert_allclose(aux["x"], X + 1)


def test_keyword_arguments(jacobian):
    assert_allclose(jacobian(lambda x, *, k: x**k)(X, k=3), np.diag(3 * X**2), rtol=1e-14)


def test_holomorphic(jacobian):
    z = np.array([0.4 + 0.3j, -1.0 + 2.0j])
    result = jacobian(lambda z: np.exp(z) * z[::-1], holomorphic=True)(z)
    expected = np.diag(np.exp(z) * z[::-1]) + np.diag(np.exp(z))[:, ::-1]
    assert_allclose(result, expected, rtol=1e-13)


def test_output_dict_is_outermost(jacobian):
    result = jacobian(lambda x: {"square": x**2, "total": np.sum(x)})(X)
    assert set(result) == {"square", "total"}
    assert_allclose(result["square"], np.diag(2 * X), rtol=1e-14)
    assert_allclose(result["total"], np.ones(3))


def test_input_dict_is_innermost(jacobian):
    result = jacobian(lambda p: [p["a"] * p["b"], p["a"]])({"a": X, "b": 2.0})
    assert type(result) is list
    assert_allclose(result[0]["a"], 2 * np.eye(3))
    assert_allclose(result[0]["b"], X)
    assert_array_equal(result[1]["a"], np.eye(3))
    assert_array_equal(result[1]["b"], np.zeros(3))


class Point(NamedTuple):
    x: np.ndarray
    y: np.ndarray


def test_named_tuples_on_both_sides(jacobian):
    result = jacobian(lambda p: Point(p.x * p.y, p.y))(Point(X, Y))
    assert type(result) is Point
    assert type(result.x) is Point
    assert_allclose(result.x.x, np.diag(Y))
    assert_allclose(result.x.y, np.diag(X))
    assert_array_equal(result.y.x, np.zeros((3, 3)))
    assert_array_equal(result.y.y, np.eye(3))


def test_reverse_and_forward_agree_off_the_diagonal_of_a_singular_point():
    at_zero = np.array([0.0, 1.0, 4.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = fd.jacfwd(np.sqrt)(at_zero)
        reverse = fd.jacrev(np.sqrt)(at_zero)
    assert_array_equal(forward, np.diag([np.inf, 0.5, 0.25]))
    assert_array_equal(reverse, np.diag([np.inf, 0.5, 0.25]))


def test_chain_rule_is_a_product_of_jacobians():
    def inner(x):
        return np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]) @ np.sin(x)

    def outer(u):
        return np.exp(u) * u[::-1]

    product = fd.jacobian(outer)(inner(X)) @ fd.jacobian(inner)(X)
    assert_allclose(fd.jacobian(lambda x: outer(inner(x)))(X), product, rtol=1e-12)


def test_mode_must_be_known():
    with pytest.raises(ValueError, match="mode"):
        fd.jacobian(np.exp, mode="sideways")(X)


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunk_size_must_be_positive(chunk_size):
    with pytest.raises(ValueError, match="chunk_size"):
        fd.jacrev(np.exp, chunk_size=chunk_size)(X)
