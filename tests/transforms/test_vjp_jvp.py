"""`vjp` and `jvp` in the functional form of torch.autograd: values, structures, defaults of `v`."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])
V = np.array([0.1, 1.0, 0.0001])
MATRIX = np.arange(6.0).reshape(2, 3)


def exp_reducer(x):
    return np.sum(np.exp(x), axis=1)


def adder(x, y):
    return 2 * x + 3 * y


def both(x, y):
    return x * y, np.sum(x**2)


# --- vjp ---------------------------------------------------------------------------------------------


def test_vjp_bare_input():
    x = np.linspace(-1.0, 1.0, 16).reshape(4, 4)
    outputs, result = fd.vjp(exp_reducer, x, np.ones(4))
    assert_allclose(outputs, np.exp(x).sum(1), rtol=1e-14)
    assert type(result) is np.ndarray
    assert_allclose(result, np.exp(x), rtol=1e-14)


def test_vjp_v_by_keyword():
    _, result = fd.vjp(np.sin, X, v=V)
    assert_allclose(result, V * np.cos(X), rtol=1e-14)


def test_vjp_tuple_of_inputs():
    outputs, result = fd.vjp(adder, (X, Y), V)
    assert_allclose(outputs, 2 * X + 3 * Y, rtol=1e-14)
    assert type(result) is tuple
    assert_allclose(result[0], 2 * V, rtol=1e-14)
    assert_allclose(result[1], 3 * V, rtol=1e-14)


def test_vjp_tuple_of_one_stays_a_tuple():
    _, result = fd.vjp(np.sin, (X,), V)
    assert type(result) is tuple
    assert len(result) == 1
    assert_allclose(result[0], V * np.cos(X), rtol=1e-14)


def test_vjp_scalar_output_needs_no_v():
    outputs, result = fd.vjp(lambda x: np.sum(x**2), X)
    assert_allclose(outputs, np.sum(X**2), rtol=1e-14)
    assert_allclose(result, 2 * X, rtol=1e-14)
    _, result = fd.vjp(lambda x, y: np.sum(x * y), (X, Y))
    assert_allclose(result[0], Y)
    assert_allclose(result[1], X)


def test_vjp_tuple_of_outputs():
    outputs, result = fd.vjp(both, (X, Y), (V, 2.0))
    assert type(outputs) is tuple
    assert_allclose(outputs[0], X * Y)
    assert_allclose(outputs[1], np.sum(X**2), rtol=1e-14)
    assert_allclose(result[0], V * Y + 4 * X, rtol=1e-14)
    assert_allclose(result[1], V * X, rtol=1e-14)


def test_vjp_dict_of_outputs():
    outputs, result = fd.vjp(lambda x: {"a": x**2, "b": x[0]}, X, {"a": V, "b": 3.0})
    assert_allclose(outputs["a"], X**2, rtol=1e-14)
    assert_allclose(result, 2 * X * V + np.array([3.0, 0.0, 0.0]), rtol=1e-14)


def test_vjp_of_an_independent_output_is_zero():
    _, result = fd.vjp(lambda x: np.ones(2), X, np.ones(2))
    assert_array_equal(result, np.zeros(3))


def test_vjp_v_is_not_changed_and_may_be_a_list_of_numbers_or_read_only():
    v = V.copy()
    v.flags.writeable = False
    _, result = fd.vjp(lambda x: x * x, X, v)
    assert_array_equal(v, V)
    assert_allclose(result, 2 * X * V, rtol=1e-14)


def test_vjp_without_inputs_is_a_function():
    outputs, result = fd.vjp(adder)((X, Y), V)
    assert_allclose(outputs, 2 * X + 3 * Y, rtol=1e-14)
    assert_allclose(result[1], 3 * V, rtol=1e-14)
    outputs, result = fd.vjp(np.sin)(X, V)
    assert_allclose(result, V * np.cos(X), rtol=1e-14)


def test_vjp_complex_follows_the_stated_convention():
    """A cotangent is multiplied by the derivative of a holomorphic function, unconjugated."""
    z = np.array([0.2 + 0.5j, 1.0 - 1.0j])
    v = np.array([1.0 + 2.0j, -0.5j])
    _, result = fd.vjp(np.exp, z, v)
    assert_allclose(result, v * np.exp(z), rtol=1e-13)
    _, result = fd.vjp(np.conj, z, v)
    assert_allclose(result, v.conj(), rtol=1e-13)


# --- jvp ---------------------------------------------------------------------------------------------


def test_jvp_bare_input():
    x = np.linspace(-1.0, 1.0, 16).reshape(4, 4)
    outputs, result = fd.jvp(exp_reducer, x, np.ones((4, 4)))
    assert_allclose(outputs, np.exp(x).sum(1), rtol=1e-14)
    assert type(result) is np.ndarray
    assert_allclose(result, np.exp(x).sum(1), rtol=1e-14)


def test_jvp_tuple_of_inputs():
    outputs, result = fd.jvp(adder, (X, Y), (V, V))
    assert_allclose(outputs, 2 * X + 3 * Y, rtol=1e-14)
    assert_allclose(result, 5 * V, rtol=1e-14)


def test_jvp_tuple_of_one():
    outputs, result = fd.jvp(np.sin, (X,), (V,))
    assert_allclose(outputs, np.sin(X), rtol=1e-14)
    assert_allclose(result, V * np.cos(X), rtol=1e-14)


def test_jvp_scalar_input_needs_no_v():
    outputs, result = fd.jvp(lambda t: np.exp(t) * X, 0.5)
    assert_allclose(outputs, np.exp(0.5) * X, rtol=1e-14)
    assert_allclose(result, np.exp(0.5) * X, rtol=1e-14)


def test_jvp_tuple_of_outputs():
    outputs, result = fd.jvp(both, (X, Y), (V, X))
    assert type(outputs) is tuple
    assert type(result) is tuple
    assert_allclose(result[0], V * Y + X * X, rtol=1e-14)
    assert_allclose(result[1], 2 * np.sum(X * V), rtol=1e-14)


def test_jvp_of_an_independent_output_is_zero():
    outputs, result = fd.jvp(lambda x: np.ones(2), X, V)
    assert_array_equal(outputs, np.ones(2))
    assert_array_equal(result, np.zeros(2))
    outputs, result = fd.jvp(lambda x: (x, 3.0), X, V)
    assert_array_equal(result[1], 0.0)


def test_jvp_broadcast_tangent_has_the_outputs_shape():
    _, result = fd.jvp(lambda x: x + np.zeros((2, 3)), X, V)
    assert result.shape == (2, 3)
    assert_array_equal(result, np.stack([V, V]))


def test_jvp_without_inputs_is_a_function():
    outputs, result = fd.jvp(adder)((X, Y), (V, V))
    assert_allclose(result, 5 * V, rtol=1e-14)
    _, result = fd.jvp(np.sin)(X, V)
    assert_allclose(result, V * np.cos(X), rtol=1e-14)


def test_jvp_complex():
    z = np.array([0.2 + 0.5j, 1.0 - 1.0j])
    v = np.array([1.0 + 2.0j, -0.5j])
    assert_allclose(fd.jvp(np.exp, z, v)[1], v * np.exp(z), rtol=1e-13)
    assert_allclose(fd.jvp(np.conj, z, v)[1], v.conj(), rtol=1e-13)
    result = fd.jvp(np.abs, z, v)[1]
    assert result.dtype == np.float64
    assert_allclose(result, np.real(z.conj() * v) / np.abs(z), rtol=1e-13)


def test_jvp_never_runs_the_reverse_sweep():
    """Forward mode is true forward mode: a custom rule for the other direction is not called."""

    @fd.custom_jvp
    def f(x):
        return np.exp(x)

    @f.defjvp
    def rule(primals, tangents):
        return np.exp(primals[0]), np.exp(primals[0]) * tangents[0]

    def backward(residuals, cotangent):
        raise AssertionError("reverse rule called by forward mode")

    f.defvjp(lambda x: (np.exp(x), None), backward)
    assert_allclose(fd.jvp(f, X, V)[1], np.exp(X) * V, rtol=1e-14)


# --- the two together ----------------------------------------------------------------------------------

PROGRAMS = {
    "affine": lambda x: MATRIX @ x + 1.0,
    "outer": lambda x: np.outer(np.sin(x), x),
    "sorted": lambda x: np.sort(x) ** 2,
    "maximum": lambda x: np.maximum(x, 0.1) * np.cumprod(x),
    "solve": lambda x: np.linalg.solve(np.diag(x) + np.ones((3, 3)), np.cos(x)),
    "stacked": lambda x: np.stack([x, x[::-1]]) / (1 + x**2),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_dot_product(name):
    """``w · (J v) = (wᵀJ) · v`` for any `v`, `w`."""
    f = PROGRAMS[name]
    rng = np.random.default_rng(3)
    v = rng.normal(size=3)
    w = rng.normal(size=np.shape(f(X)))
    forward = fd.jvp(f, X, v)[1]
    reverse = fd.vjp(f, X, w)[1]
    assert_allclose(np.sum(w * forward), np.sum(reverse * v), rtol=1e-11)


@pytest.mark.parametrize("name", PROGRAMS)
def test_products_with_the_jacobian(name):
    f = PROGRAMS[name]
    jacobian = fd.jacobian(f, X)
    w = np.random.default_rng(4).normal(size=np.shape(f(X)))
    assert_allclose(fd.jvp(f, X, V)[1], jacobian @ V, rtol=1e-12, atol=1e-13)
    assert_allclose(fd.vjp(f, X, w)[1], np.tensordot(w, jacobian, axes=w.ndim), rtol=1e-12, atol=1e-13)


def test_control_flow():
    def doubled(x):
        y = x * 2
        while np.linalg.norm(y) < 1000:
            y = y * 2
        return y

    outputs, result = fd.vjp(doubled, X, v=V)
    factor = outputs[0] / X[0]
    assert np.log2(factor) == int(np.log2(factor))
    assert_allclose(result, V * factor, rtol=1e-14)
    assert_allclose(fd.jvp(doubled, X, V)[1], V * factor, rtol=1e-14)
