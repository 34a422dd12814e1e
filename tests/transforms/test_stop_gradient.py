"""`stop_gradient`, `detach` and `item`: the explicit ways out of a derivative."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
V = np.array([0.1, 1.0, -0.5])
DETACH = {"stop_gradient": fd.stop_gradient, "detach": lambda y: y.detach()}


@pytest.fixture(params=DETACH)
def detach(request):
    return DETACH[request.param]


def test_reverse_mode(detach):
    assert_allclose(fd.grad(lambda x: np.sum(detach(x * x) * x))(X), X * X, rtol=1e-14)


def test_forward_mode(detach):
    output, tangent = fd.jvp(lambda x: detach(x * x) * x, X, V)
    assert_allclose(output, X**3, rtol=1e-14)
    assert_allclose(tangent, X * X * V, rtol=1e-14)


def test_all_is_stopped(detach):
    assert_array_equal(fd.grad(lambda x: np.sum(detach(x)))(X), np.zeros(3))
    assert_array_equal(fd.jvp(lambda x: detach(x), X, V)[1], np.zeros(3))
    assert_array_equal(fd.jacobian(lambda x: detach(x), X), np.zeros((3, 3)))


def test_second_order(detach):
    """Both orders are stopped: ``d/dx [detach(x²) x] = detach(x²)``, whose derivative is zero."""
    f = fd.grad(lambda x: detach(x * x) * x)
    assert_allclose(f(1.5), 2.25, rtol=1e-14)
    assert_array_equal(fd.grad(f)(1.5), 0.0)


def test_outer_derivative_of_a_value_stopped_inside():
    """What the inner function stops is stopped for the outer transform too, as in JAX."""

    def f(x):
        return fd.grad(lambda u: fd.stop_gradient(u * x) * u)(x)

    assert_array_equal(fd.grad(f)(1.5), 0.0)


def test_vmap(detach):
    xs = np.stack([X, 2 * X])
    result = fd.vmap(fd.grad(lambda x: np.sum(detach(x * x) * x)))(xs)
    assert_allclose(result, xs * xs, rtol=1e-14)


def test_plain_values_and_containers_pass_through():
    assert_array_equal(fd.stop_gradient(X), X)
    assert fd.stop_gradient(2.0) == 2.0

    def f(x):
        stopped = fd.stop_gradient({"a": x, "b": (x * 2, 3.0)})
        return np.sum(stopped["a"] * x + stopped["b"][0] * x) * stopped["b"][1]

    assert_allclose(fd.grad(f)(X), 9 * X, rtol=1e-14)


def test_item_is_a_python_number():
    seen = []

    def f(x):
        number = x[0].item()
        seen.append(number)
        return np.sum(x) * number

    assert_allclose(fd.grad(f)(X), np.full(3, X[0]))
    assert type(seen[0]) is float
    assert seen[0] == X[0]


def test_item_through_two_levels():
    slope = fd.grad(fd.grad(lambda x: x**2 * x.item()))
    assert_allclose(slope(3.0), 6.0)


def test_straight_through_estimator():
    def rounded(x):
        return x + fd.stop_gradient(np.round(x) - x)

    value, gradient = fd.value_and_grad(lambda x: np.sum(rounded(x) ** 2))(X)
    assert_allclose(value, np.sum(np.round(X) ** 2))
    assert_allclose(gradient, 2 * np.round(X))


def test_gives_plain_values_where_only_derivatives_are_traced():
    kept = []

    def f(x):
        kept.append(fd.stop_gradient(x))
        return float(fd.stop_gradient(x[0])) * np.sum(x)

    x = np.array([2.0, 3.0])
    np.testing.assert_array_equal(fd.grad(f)(x), [2.0, 2.0])
    np.testing.assert_array_equal(fd.jacfwd(f)(x), [2.0, 2.0])
    assert all(type(k) is np.ndarray for k in kept)
