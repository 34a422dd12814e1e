"""`pullback`, `linearize` and `linear_transpose`: a derivative that is made once and used often."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])
V = np.array([0.1, 1.0, -0.5])


# --- pullback ------------------------------------------------------------------------------------------


def test_pull_returns_a_tuple_even_of_one():
    outputs, pull = fd.pullback(np.sin, X)
    assert_allclose(outputs, np.sin(X), rtol=1e-14)
    result = pull(V)
    assert type(result) is tuple
    assert len(result) == 1
    assert_allclose(result[0], V * np.cos(X), rtol=1e-14)


def test_pull_gives_one_cotangent_per_primal():
    _, pull = fd.pullback(lambda x, y: x * y**2, X, Y)
    by_x, by_y = pull(V)
    assert_allclose(by_x, V * Y**2, rtol=1e-14)
    assert_allclose(by_y, 2 * V * X * Y, rtol=1e-14)


def test_pull_may_be_called_many_times():
    calls = []

    def f(x):
        calls.append(1)
        y = np.zeros_like(x)
        y[1:] = np.exp(x[:-1]) * x[1:]
        y += x
        return y

    outputs, pull = fd.pullback(f, X)
    kept = outputs.copy()
    rows = np.stack([pull(row)[0] for row in np.eye(3)])
    again = np.stack([pull(row)[0] for row in np.eye(3)])
    assert len(calls) == 1
    assert_array_equal(rows, again)
    assert_array_equal(outputs, kept)
    assert_allclose(rows, fd.jacobian(f, X), rtol=1e-13)


def test_later_pull_does_not_overwrite_an_earlier_result():
    _, pull = fd.pullback(lambda x: x.reshape(3) + 0.0, X)
    first = pull(V)[0]
    kept = first.copy()
    second = pull(2 * V)[0]
    second[:] = -1
    assert_array_equal(first, kept)
    assert_allclose(pull(V)[0], kept)


def test_pull_is_linear():
    _, pull = fd.pullback(lambda x: np.exp(x) * x[::-1], X)
    assert_allclose(pull(2 * V + Y)[0], 2 * pull(V)[0] + pull(Y)[0], rtol=1e-13)


def test_pull_of_containers():
    outputs, pull = fd.pullback(lambda p, y: {"a": p[0] * y, "b": p[1]}, (X, 2.0), Y)
    assert set(outputs) == {"a", "b"}
    (by_x, by_scale), by_y = pull({"a": V, "b": 3.0})
    assert_allclose(by_x, V * Y)
    assert_allclose(by_scale, 3.0)
    assert_allclose(by_y, V * X)


def test_pullback_has_aux():
    outputs, pull, aux = fd.pullback(lambda x: (np.sum(x**2), x + 1.0), X, has_aux=True)
    assert_allclose(outputs, np.sum(X**2), rtol=1e-14)
    assert type(aux) is np.ndarray
    assert_allclose(aux, X + 1.0)
    assert_allclose(pull(1.0)[0], 2 * X, rtol=1e-14)


def test_vmap_of_pull_is_the_jacobian():
    def f(x):
        return np.outer(np.sin(x), x).sum(0)

    _, pull = fd.pullback(f, X)
    (rows,) = fd.vmap(pull)(np.eye(3))
    assert_allclose(rows, fd.jacobian(f, X), rtol=1e-12)


def test_grad_through_pull():
    """The residuals belong to an outer trace: the derivative of ``vᵀJ(x)`` by `x`."""

    def f(x):
        _, pull = fd.pullback(lambda u: u**3, x)
        return np.sum(pull(V)[0])

    assert_allclose(fd.grad(f)(X), 6 * X * V, rtol=1e-13)


def test_pull_through_control_flow():
    def f(x):
        y = x * 2
        while np.linalg.norm(y) < 1000:
            y = y * 2
        return y

    outputs, pull = fd.pullback(f, X)
    assert_allclose(pull(V)[0], V * (outputs / X), rtol=1e-13)


# --- linearize -----------------------------------------------------------------------------------------


def test_push_is_the_jvp():
    def f(x, y):
        return np.sin(x) * y, np.sum(x)

    outputs, push = fd.linearize(f, X, Y)
    assert_allclose(outputs[0], np.sin(X) * Y, rtol=1e-14)
    for v, w in [(V, Y), (Y, X), (np.zeros(3), V)]:
        pushed = push(v, w)
        assert type(pushed) is tuple
        assert_allclose(pushed[0], np.cos(X) * Y * v + np.sin(X) * w, rtol=1e-13, atol=1e-15)
        assert_allclose(pushed[1], np.sum(v), rtol=1e-13)


def test_push_reuses_the_tape():
    calls = []

    def f(x):
        calls.append(1)
        return np.exp(x) * x[::-1]

    _, push = fd.linearize(f, X)
    columns = np.stack([push(column) for column in np.eye(3)], axis=-1)
    assert len(calls) == 1
    assert_allclose(columns, fd.jacobian(f, X), rtol=1e-13)


def test_push_of_in_place_code():
    def f(x):
        y = np.zeros_like(x)
        y[::2] = x[::2] ** 2
        y[1] = x[0] * x[2]
        return y

    _, push = fd.linearize(f, X)
    for v in (V, Y):
        assert_allclose(push(v), fd.jvp(f, X, v)[1], rtol=1e-13)


def test_push_of_independent_output_is_zero():
    _, push = fd.linearize(lambda x: (np.ones(2), x), X)
    assert_array_equal(push(V)[0], np.zeros(2))
    assert_array_equal(push(V)[1], V)


def test_vmap_of_push():
    def f(x):
        return np.cumprod(x)

    _, push = fd.linearize(f, X)
    assert_allclose(fd.vmap(push)(np.eye(3)), fd.jacobian(f, X).T, rtol=1e-13, atol=1e-15)


def test_grad_through_push():
    def f(x):
        _, push = fd.linearize(lambda u: u**3, x)
        return np.sum(push(V))

    assert_allclose(fd.grad(f)(X), 6 * X * V, rtol=1e-13)


def test_grad_of_push_is_the_transpose():
    _, push = fd.linearize(lambda x: np.exp(x) * x[::-1], X)
    expected = Y @ fd.jacobian(lambda x: np.exp(x) * x[::-1], X)
    assert_allclose(fd.grad(lambda v: np.sum(Y * push(v)))(V), expected, rtol=1e-13)


# --- linear_transpose ----------------------------------------------------------------------------------


def test_transposed_function_returns_a_tuple():
    matrix = np.arange(6.0).reshape(2, 3)
    result = fd.linear_transpose(lambda x: matrix @ x, X)(np.array([1.0, 2.0]))
    assert type(result) is tuple
    assert_allclose(result[0], matrix.T @ np.array([1.0, 2.0]))


LINEAR = {
    "cumsum": np.cumsum,
    "reversed": lambda x: x[::-1] * 3.0,
    "gathered": lambda x: x[[0, 0, 2]],
    "diff": np.diff,
    "padded": lambda x: np.pad(x, 1),
    "summed": lambda x: np.sum(x) * np.ones(2),
    "stacked": lambda x: np.stack([x, -x]).T,
    "convolved": lambda x: np.convolve(x, [1.0, -2.0, 0.5]),
}


@pytest.mark.parametrize("name", LINEAR)
def test_transpose_by_dot_product(name):
    f = LINEAR[name]
    w = np.random.default_rng(1).normal(size=np.shape(f(X)))
    (transposed,) = fd.linear_transpose(f, np.zeros(3))(w)
    assert transposed.shape == X.shape
    assert_allclose(np.sum(w * f(V)), np.sum(transposed * V), rtol=1e-12, atol=1e-14)


def test_transpose_of_two_arguments():
    transpose = fd.linear_transpose(lambda x, y: 2 * x + 3 * y.sum(), X, np.zeros((2, 2)))
    by_x, by_y = transpose(V)
    assert_allclose(by_x, 2 * V)
    assert_allclose(by_y, np.full((2, 2), 3 * V.sum()))


def test_transpose_twice_is_the_function():
    def f(x):
        return np.cumsum(x) * 2.0

    once = fd.linear_transpose(f, X)
    twice = fd.linear_transpose(lambda w: once(w)[0], X)
    assert_allclose(twice(V)[0], f(V), rtol=1e-14)


def test_transpose_of_a_push():
    _, push = fd.linearize(np.tanh, X)
    (result,) = fd.linear_transpose(push, X)(V)
    assert_allclose(result, V * (1 - np.tanh(X) ** 2), rtol=1e-13)


NONLINEAR = {
    "exp": np.exp,
    "square": lambda x: x * x,
    "affine": lambda x: x + 1.0,
    "absolute": np.abs,
    "sorted": np.sort,
    "branching": lambda x: x if x[0] > 0.5 else -x,
}


@pytest.mark.parametrize("name", NONLINEAR)
def test_transpose_refuses_a_nonlinear_function(name):
    with pytest.raises(fd.errors.FuncdiffError, match="linear"):
        fd.linear_transpose(NONLINEAR[name], X)(V)
