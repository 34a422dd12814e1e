"""Transforms inside transforms: no perturbation confusion, and every route to a number agrees."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd

X = np.array([0.6, -1.2, 1.7])
V = np.array([0.1, 1.0, -0.5])


def slope_reverse(f):
    return fd.grad(f)


def slope_forward(f):
    return lambda x: fd.jvp(f, x, np.ones_like(x))[1]


def slope_pull(f):
    return lambda x: fd.pullback(f, x)[1](np.ones_like(x))[0]


def slope_push(f):
    return lambda x: fd.linearize(f, x)[1](np.ones_like(x))


def slope_elementwise(f):
    return fd.elementwise_grad(f)


def slope_jacfwd(f):
    return fd.jacfwd(f)


def slope_jacrev(f):
    return fd.jacrev(f)


SLOPES = {
    "grad": slope_reverse,
    "jvp": slope_forward,
    "pullback": slope_pull,
    "linearize": slope_push,
    "elementwise_grad": slope_elementwise,
    "jacfwd": slope_jacfwd,
    "jacrev": slope_jacrev,
}
PAIRS = list(itertools.product(SLOPES, repeat=2))
BASIC = ["grad", "jvp"]


# --- perturbation confusion -----------------------------------------------------------------------------


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_captured_variable_is_constant_inside(outer, inner):
    """``d/dx [x d/dy (x + y)] = 1``: the classic that a careless implementation answers with 2."""
    d_outer, d_inner = SLOPES[outer], SLOPES[inner]
    assert_allclose(d_outer(lambda x: x * d_inner(lambda y: x + y)(1.0))(1.0), 1.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_captured_variable_of_the_outer_level_counts_outside(outer, inner):
    """``d/dx [d/dy (x² y³)] = 6 x y²``."""
    d_outer, d_inner = SLOPES[outer], SLOPES[inner]
    result = d_outer(lambda x: d_inner(lambda y: x**2 * y**3)(1.5))(2.0)
    assert_allclose(result, 6 * 2.0 * 1.5**2, rtol=1e-12)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_point_depends_on_the_outer_variable(outer, inner):
    """``d/dx [sin'(y) at y = x²] = -2 x sin(x²)``."""
    d_outer, d_inner = SLOPES[outer], SLOPES[inner]
    result = d_outer(lambda x: d_inner(np.sin)(x**2))(0.8)
    assert_allclose(result, -2 * 0.8 * np.sin(0.64), rtol=1e-12)


@pytest.mark.parametrize("kinds", list(itertools.product(BASIC, repeat=3)))
def test_three_levels_with_captures(kinds):
    """``d/dx [x d/dy [y² d/dz [x y z³]]]``, z = 1.1, y = 0.7, x = 1.3."""
    d1, d2, d3 = (SLOPES[kind] for kind in kinds)

    def f(x):
        return x * d2(lambda y: y**2 * d3(lambda z: x * y * z**3)(1.1))(0.7)

    # inner: 3 x y z², middle: d/dy 3 x y³ z² = 9 x y² z², outer: d/dx 9 x² y² z² = 18 x y² z²
    assert_allclose(d1(f)(1.3), 18 * 1.3 * 0.7**2 * 1.1**2, rtol=1e-12)


@pytest.mark.parametrize("kinds", list(itertools.product(BASIC, repeat=3)))
def test_three_levels_where_each_sees_the_others_variable(kinds):
    d1, d2, d3 = (SLOPES[kind] for kind in kinds)

    def f(x):
        def g(y):
            def h(z):
                return np.sin(x * y) * z + y * z**2 + x * z**3

            return d3(h)(x * y) * y

        return d2(g)(x) + x

    def closed_form(x):
        """``d3(h)(z) = sin(x y) + 2 y z + 3 x z²`` at ``z = x y``; then by y; then by x, at y = x."""
        # g(y) = y sin(xy) + 2 x y³ + 3 x³ y³;  g'(y) = sin(xy) + xy cos(xy) + 6 x y² + 9 x³ y²
        # at y = x: sin(x²) + x² cos(x²) + 6 x³ + 9 x⁵, plus x
        s = x * x
        return 2 * x * np.cos(s) + 2 * x * np.cos(s) - 2 * x**3 * np.sin(s) + 18 * s + 45 * s * s + 1

    assert_allclose(d1(f)(0.8), closed_form(0.8), rtol=1e-12)


def test_same_function_object_at_two_levels():
    def square(x):
        return x * x

    inner = fd.grad(square)
    assert_allclose(fd.grad(lambda x: inner(x) * square(x))(3.0), 6 * 3.0**2, rtol=1e-13)
    assert_allclose(fd.grad(fd.grad(square))(3.0), 2.0)


def test_captured_array_in_a_vector_valued_inner_function():
    """``d/dx Σ_i [J_y(x ∘ y²) 1]_i = d/dx Σ 2 x y``."""
    result = fd.grad(lambda x: np.sum(fd.jacobian(lambda y: x * y**2)(V)))(X)
    assert_allclose(result, 2 * V, rtol=1e-13)


def test_mutable_buffer_of_the_outer_level_written_with_inner_values():
    def f(x):
        y = np.zeros_like(x)
        y[0] = x[0] ** 2
        y[1:] = fd.grad(lambda u: np.sum(u**3 * x[0]))(x)[1:]
        return np.sum(y)

    # x0² + 3 x0 (x1² + x2²)
    expected = [2 * X[0] + 3 * (X[1] ** 2 + X[2] ** 2), 6 * X[0] * X[1], 6 * X[0] * X[2]]
    assert_allclose(fd.grad(f)(X), expected, rtol=1e-13)
    assert_allclose(fd.jvp(f, X, V)[1], np.dot(expected, V), rtol=1e-13)


def test_closure_over_traced_value_in_vmap():
    def f(s):
        return np.sum(fd.vmap(lambda x: fd.grad(lambda t: np.sin(t * s))(x))(X))

    # Σ s cos(x s), derivative Σ cos(x s) - s x sin(x s)
    expected = np.sum(np.cos(X * 0.9) - 0.9 * X * np.sin(X * 0.9))
    assert_allclose(fd.grad(f)(0.9), expected, rtol=1e-12)
    assert_allclose(fd.jvp(f, 0.9)[1], expected, rtol=1e-12)


# --- higher order -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_second_order(outer, inner):
    result = SLOPES[outer](SLOPES[inner](lambda x: np.exp(x) * np.sin(x)))(0.4)
    assert_allclose(result, 2 * np.exp(0.4) * np.cos(0.4), rtol=1e-12)


@pytest.mark.parametrize("kinds", list(itertools.product(BASIC, repeat=3)))
def test_third_order(kinds):
    f = np.tanh
    for kind in kinds:
        f = SLOPES[kind](f)
    t = np.tanh(0.4)
    assert_allclose(f(0.4), (1 - t**2) * (6 * t**2 - 2), rtol=1e-11)


@pytest.mark.parametrize("kinds", list(itertools.product(BASIC, repeat=4)))
def test_fourth_order(kinds):
    f = lambda x: np.sin(2 * x) / x  # noqa: E731
    for kind in kinds:
        f = SLOPES[kind](f)

    def series(x):
        """``sin(2x)/x = Σ (-1)^k 2^(2k+1) x^(2k) / (2k+1)!``, differentiated four times."""
        return sum(
            (-1) ** k * 2.0 ** (2 * k + 1) / math.factorial(2 * k + 1)
            * math.perm(2 * k, 4) * x ** (2 * k - 4)
            for k in range(2, 30)
        )  # fmt: skip

    assert_allclose(f(1.3), series(1.3), rtol=1e-9)  # five divisions by x cancel some digits


def test_sixth_derivative_of_a_polynomial():
    f = lambda x: x**7 - x**5  # noqa: E731
    for _ in range(6):
        f = fd.grad(f)
    assert_allclose(f(0.5), math.factorial(7) * 0.5, rtol=1e-12)


def test_third_derivative_tensor():
    def f(x):
        return x[0] ** 2 * x[1] + x[1] * x[2] ** 2 + np.prod(x)

    result = fd.jacobian(fd.hessian(f))(X)
    expected = np.zeros((3, 3, 3))
    for indices, value in {(0, 0, 1): 2.0, (1, 2, 2): 2.0, (0, 1, 2): 1.0}.items():
        for permutation in set(itertools.permutations(indices)):
            expected[permutation] = value
    assert_allclose(result, expected, rtol=1e-12, atol=1e-14)
    for inner, outer in itertools.product(["forward", "reverse"], repeat=2):
        by_modes = fd.jacobian(fd.jacobian(fd.grad(f), mode=inner), mode=outer)(X)
        assert_allclose(by_modes, expected, rtol=1e-12, atol=1e-14)


def test_second_order_in_two_arguments():
    """``∂²/∂x∂y`` both ways round."""

    def f(x, y):
        return np.sum(np.sin(x) * np.exp(x * y))

    xy = fd.jacobian(fd.grad(f, 0), 1)(X, V)
    yx = fd.jacobian(fd.grad(f, 1), 0)(X, V)
    expected = np.exp(X * V) * (np.cos(X) * X + np.sin(X) + np.sin(X) * X * V)
    assert_allclose(xy, np.diag(expected), rtol=1e-12, atol=1e-14)
    assert_allclose(yx, np.diag(expected), rtol=1e-12, atol=1e-14)


# --- the composition stress test: one number by every route ------------------------------------------------


def linear_algebra(x):
    a = np.outer(x, x) + np.diag(np.array([2.0, 3.0, 4.0]))
    solved = np.linalg.solve(a, np.sin(x))
    return np.linalg.slogdet(a)[1] + x @ solved + np.sum(np.linalg.inv(a) * np.eye(3))


def spectrum(x):
    a = np.outer(x, x) + np.diag(np.array([1.0, 2.0, 4.0]) * x**2) + 0.3 * np.ones((3, 3))
    return np.sum(np.linalg.eigvalsh(a) ** 3) + np.sum(np.log(np.linalg.svd(a, compute_uv=False)))


def indexing(x):
    y = x[[2, 0, 0, 1]] * x[::-1][[0, 1, 2, 0]]
    m = np.outer(x, y)[1:, ::2]
    return np.sum(m[m[:, 0] > -np.inf] ** 2) + y[-1] * x[x > 0].sum() + np.sum(np.sort(x) ** 3)


def reductions(x):
    m = np.outer(np.sin(x), x)
    return (
        np.mean(m) + np.std(m, axis=0).sum() + np.var(x) + np.prod(m[0]) + np.max(m)
        + np.linalg.norm(x) + np.sum(np.cumprod(x)) + np.log(np.sum(np.exp(m)))
    )  # fmt: skip


def in_place(x):
    y = np.zeros((2, 3), like=x)
    y[0] = np.sin(x)
    y[1, 1:] = x[:-1] ** 2
    y += x
    row = y[1]
    row *= x[::-1]
    row[0] -= y[0, 2]
    for i in range(3):
        y[0, i] = y[0, i - 1] * y[1, i] + x[i]
    np.add.at(y, ([0, 0, 1], [0, 0, 1]), x)
    return np.sum(y * y)


def control_flow(x):
    y = x * 2
    while np.linalg.norm(y) < 50:
        y = y * 2 if y[0] > 0 else y * 3
    total = 0.0
    for i, element in enumerate(y):
        total = total + (element**2 if element > 0 else np.exp(element / 50) * x[i])
    return total / 50


def object_arrays(x):
    y = np.array([x[0] ** 2, x[1] * x[2], 3.0])
    z = np.vectorize(lambda t: t**3 if t > 0 else np.sin(t))(x)
    return np.sum(np.asarray(x) * y) + np.sum(z * np.full(3, x[1]))


def mixture(x):
    def recursive(k, value):
        return value if k == 0 else recursive(k - 1, np.tanh(value * x[k % 3] + 0.1))

    generated = sum(np.cos(k * t) for k, t in enumerate(x))
    angle = np.arctan2(x[0], x[1]) + np.hypot(x[1], x[2])
    product = np.einsum("i,ij,j->", x, np.triu(np.outer(x, np.exp(-x))), x)
    return recursive(4, x[1]) + generated + angle + product + np.trapezoid(x**2)


FAMILY = {
    f.__name__: f
    for f in [
        linear_algebra,
        spectrum,
        indexing,
        reductions,
        in_place,
        control_flow,
        object_arrays,
        mixture,
    ]
}


@pytest.fixture(params=FAMILY)
def program(request):
    return FAMILY[request.param]


def agree(results, rtol=1e-9, atol=1e-10):
    """Assert that every entry of a dict equals the first."""
    (first, expected), *others = results.items()
    for name, value in others:
        message = f"{name} differs from {first}"
        assert_allclose(value, expected, rtol=rtol, atol=atol, err_msg=message)


def test_one_value_by_every_route(program):
    f = program
    results = {
        "plain": f(X),
        "replay": fd.trace(f)(X).run(X),
        "trace of a trace": fd.trace(fd.trace(f)(X).run)(X).run(X),
        "jvp": fd.jvp(f, X, V)[0],
        "vjp": fd.vjp(f, X)[0],
        "hvp": fd.hvp(f, X, V)[0],
        "vhp": fd.vhp(f, X, V)[0],
        "value_and_grad": fd.value_and_grad(f)(X)[0],
        "pullback": fd.pullback(f, X)[0],
        "linearize": fd.linearize(f, X)[0],
        "auxiliary output": fd.grad(lambda x: (f(x), f(x)), has_aux=True)(X)[1],
        "inside a gradient": fd.grad(lambda s: s * f(X))(1.0),
        "inside a push": fd.jvp(lambda s: s * f(X), 2.0)[1],
    }
    if program is not control_flow and program is not object_arrays and program is not indexing:
        results["vmap over a batch of one"] = fd.vmap(f)(X[None])[0]
        results["vmap in chunks"] = fd.vmap(f, chunk_size=1)(np.stack([X, X]))[1]
        results["vmap of a replay"] = fd.vmap(fd.trace(f)(X).run)(X[None])[0]
    agree(results, rtol=1e-13)


def central_difference(f, x, h=1e-5):
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def test_one_derivative_by_every_route(program):
    f = program
    basis = np.eye(3)
    _, pull = fd.pullback(f, X)
    _, push = fd.linearize(f, X)
    tape = fd.trace(f)(X)
    gradient_tape = fd.trace(fd.grad(f))(X)
    results = {
        "grad": fd.grad(f)(X),
        "value_and_grad": fd.value_and_grad(f)(X)[1],
        "vjp": fd.vjp(f, X)[1],
        "vjp scaled": fd.vjp(f, X, 2.0)[1] / 2,
        "jvp of the basis": [fd.jvp(f, X, e)[1] for e in basis],
        "jacobian, inputs": fd.jacobian(f, X),
        "jacobian, forward": fd.jacobian(f, mode="forward")(X),
        "jacobian, reverse": fd.jacobian(f, mode="reverse")(X),
        "jacobian, auto": fd.jacobian(f)(X),
        "jacfwd": fd.jacfwd(f)(X),
        "jacfwd in chunks": fd.jacfwd(f, chunk_size=1)(X),
        "jacrev": fd.jacrev(f)(X),
        "pull": pull(1.0)[0],
        "pull again": pull(1.0)[0],
        "push of the basis": [push(e) for e in basis],
        "vmap of push": fd.vmap(push)(basis),
        "vmap of pull": fd.vmap(pull)(np.ones(2))[0][1],
        "transpose of push": fd.linear_transpose(push, X)(1.0)[0],
        "grad of push": fd.grad(push)(V),
        "vmap of jvp by tangent": fd.vmap(lambda v: fd.jvp(f, X, v)[1])(basis),
        "vmap of vjp by cotangent": fd.vmap(lambda w: fd.vjp(f, X, w)[1])(np.ones(2))[0],
        "elementwise along axes": [fd.elementwise_grad(lambda t, e=e: f(X + t * e))(0.0) for e in basis],
        "grad of a replay": fd.grad(tape.run)(X),
        "jvp of a replay": [fd.jvp(tape.run, X, e)[1] for e in basis],
        "replay of a gradient": gradient_tape.run(X),
        "replay of a jvp": [fd.trace(lambda x, v: fd.jvp(f, x, v)[1])(X, V).run(X, e) for e in basis],
        "captured": fd.grad(lambda v: fd.jvp(f, X, v)[1])(V),
        "gradient of a sum over components": fd.grad(lambda x: f(np.stack([*x])))(X),
    }
    if program is not control_flow and program is not object_arrays and program is not indexing:
        results["vmap of grad"] = fd.vmap(fd.grad(f))(X[None])[0]
        results["grad of vmap"] = fd.grad(lambda xs: np.sum(fd.vmap(f)(xs)))(X[None])[0]
        results["jvp of vmap"] = [fd.jvp(fd.vmap(f), X[None], e[None])[1][0] for e in basis]
        results["vmap of a gradient's replay"] = fd.vmap(gradient_tape.run)(X[None])[0]
    agree(results)
    # a central difference of step 1e-5 is good to about 1e-9 of the values that enter it
    assert_allclose(results["grad"], central_difference(f, X), rtol=1e-6, atol=1e-6)


def test_one_hessian_by_every_route(program):
    f = program
    basis = np.eye(3)
    gradient = fd.grad(f)
    tape = fd.trace(f)(X)
    gradient_tape = fd.trace(gradient)(X)
    _, push_gradient = fd.linearize(gradient, X)
    _, pull_gradient = fd.pullback(gradient, X)
    results = {
        "forward-over-reverse": fd.hessian(f, mode="forward-over-reverse")(X),
        "reverse-over-forward": fd.hessian(f, mode="reverse-over-forward")(X),
        "reverse-over-reverse": fd.hessian(f, mode="reverse-over-reverse")(X),
        "forward-over-forward": fd.hessian(f, mode="forward-over-forward")(X),
        "hessian, inputs": fd.hessian(f, X),
        "jacobian of grad": fd.jacobian(gradient)(X),
        "jacfwd of grad": fd.jacfwd(gradient)(X),
        "jacrev of grad": fd.jacrev(gradient)(X),
        "jacfwd of jacfwd": fd.jacfwd(fd.jacfwd(f))(X),
        "jacfwd of jacrev": fd.jacfwd(fd.jacrev(f))(X),
        "jacrev of jacfwd": fd.jacrev(fd.jacfwd(f))(X),
        "jacrev of jacrev": fd.jacrev(fd.jacrev(f))(X),
        "hvp": [fd.hvp(f, X, e)[1] for e in basis],
        "vhp": [fd.vhp(f, X, e)[1] for e in basis],
        "vmap of hvp": fd.vmap(lambda v: fd.hvp(f, X, v)[1])(basis),
        "vmap of vhp": fd.vmap(lambda v: fd.vhp(f, X, v)[1])(basis),
        "jvp of grad": [fd.jvp(gradient, X, e)[1] for e in basis],
        "vjp of grad": [fd.vjp(gradient, X, e)[1] for e in basis],
        "grad of grad · v": [fd.grad(lambda x, e=e: np.sum(gradient(x) * e))(X) for e in basis],
        "grad of jvp": [fd.grad(lambda x, e=e: fd.jvp(f, x, e)[1])(X) for e in basis],
        "jvp of jvp": [[fd.jvp(lambda x, e=e: fd.jvp(f, x, e)[1], X, d)[1] for d in basis] for e in basis],
        "push of grad": [push_gradient(e) for e in basis],
        "pull of grad": [pull_gradient(e)[0] for e in basis],
        "grad through pull": [
            fd.grad(lambda x, e=e: np.sum(fd.pullback(f, x)[1](1.0)[0] * e))(X) for e in basis
        ],
        "hessian of a replay": fd.hessian(tape.run)(X),
        "jacobian of a gradient's replay": fd.jacobian(gradient_tape.run)(X),
        "replay of a hessian": fd.trace(fd.hessian(f))(X).run(X),
    }
    if program is not control_flow and program is not object_arrays and program is not indexing:
        results["vmap of hessian"] = fd.vmap(fd.hessian(f))(X[None])[0]
        results["hessian of vmap"] = fd.hessian(lambda xs: np.sum(fd.vmap(f)(xs)))(X[None])[0, :, 0]
    assert len(results) >= 9
    agree(results, rtol=1e-8, atol=1e-9)
    # differences of exact gradients: good to about 1e-9 of the values that enter them
    rows = central_difference(gradient, X)
    assert_allclose(results["forward-over-reverse"], rows, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["linear_algebra", "reductions", "in_place", "mixture"])
def test_one_third_derivative_by_several_routes(name):
    f = FAMILY[name]
    second = fd.hessian(f)
    results = {
        "jacobian of hessian": fd.jacobian(second)(X) @ V,
        "jvp of hessian": fd.jvp(second, X, V)[1],
        "hessian of jvp": fd.hessian(lambda x: fd.jvp(f, x, V)[1])(X),
        "hessian of grad · v": fd.hessian(lambda x: np.sum(fd.grad(f)(x) * V))(X),
        "jacobian of hvp": fd.jacobian(lambda x: fd.hvp(f, x, V)[1])(X),
        "jacrev of hvp": fd.jacrev(lambda x: fd.hvp(f, x, V)[1])(X),
        "vmap of nested hvp": fd.vmap(lambda e: fd.jvp(lambda x: fd.hvp(f, x, V)[1], X, e)[1])(np.eye(3)),
    }
    agree(results, rtol=1e-7, atol=1e-8)


HVP_NESTINGS = {
    "forward over reverse": lambda f, x, v: fd.jvp(fd.grad(f), x, v)[1],
    "reverse over forward": lambda f, x, v: fd.grad(lambda u: fd.jvp(f, u, v)[1])(x),
    "reverse over reverse": lambda f, x, v: fd.grad(lambda u: np.sum(fd.grad(f)(u) * v))(x),
    "forward over forward": lambda f, x, v: np.array(
        [fd.jvp(lambda u, e=e: fd.jvp(f, u, e)[1], x, v)[1] for e in np.eye(len(x))]
    ),
    "hvp": lambda f, x, v: fd.hvp(f, x, v)[1],
    "vhp": lambda f, x, v: fd.vhp(f, x, v)[1],
    "linearised gradient": lambda f, x, v: fd.linearize(fd.grad(f), x)[1](v),
    "pullback of gradient": lambda f, x, v: fd.pullback(fd.grad(f), x)[1](v)[0],
    "replayed": lambda f, x, v: fd.trace(lambda x, v: fd.hvp(f, x, v)[1])(x, v).run(x, v),
}


@pytest.mark.parametrize("nesting", HVP_NESTINGS)
def test_hessian_product_inside_grad_jvp_and_vmap(nesting):
    """A Hessian product in every nesting, itself differentiated and mapped."""
    product = HVP_NESTINGS[nesting]

    def f(x):
        return np.sum(x**4) + np.prod(x)

    def closed(x, v):
        cross = np.prod(x) / np.outer(x, x) * (1 - np.eye(3))
        return 12 * x**2 * v + cross @ v

    assert_allclose(product(f, X, V), closed(X, V), rtol=1e-11)
    if nesting == "replayed":
        return
    batch = np.stack([V, X, V - X])
    mapped = fd.vmap(lambda v: product(f, X, v))(batch)
    assert_allclose(mapped, [closed(X, v) for v in batch], rtol=1e-11)
    mapped = fd.vmap(lambda x: product(f, x, V))(batch)
    assert_allclose(mapped, [closed(x, V) for x in batch], rtol=1e-11)
    # v·H(x)v = 12 Σ x²v² + 2 (x0 v1 v2 + x1 v0 v2 + x2 v0 v1); its gradient by x
    gradient = fd.grad(lambda x: np.sum(product(f, x, V) * V))(X)
    expected = 24 * X * V**2 + 2 * np.array([V[1] * V[2], V[0] * V[2], V[0] * V[1]])
    assert_allclose(gradient, expected, rtol=1e-11)
    tangent = fd.jvp(lambda x: np.sum(product(f, x, V) * V), X, X)[1]
    assert_allclose(tangent, expected @ X, rtol=1e-11)


def test_vmap_between_two_derivatives():
    """grad(vmap(grad)), jvp(vmap(grad)), grad(vmap(jvp)) of ``Σ sin(s x)``."""
    xs = np.array([0.3, 0.9, -1.1])

    def inner(s):
        return fd.vmap(fd.grad(lambda x: np.sin(s * x)))(xs)  # s cos(s x)

    expected = np.cos(1.2 * xs) - 1.2 * xs * np.sin(1.2 * xs)
    assert_allclose(fd.grad(lambda s: np.sum(inner(s)))(1.2), expected.sum(), rtol=1e-12)
    assert_allclose(fd.jvp(inner, 1.2)[1], expected, rtol=1e-12)
    assert_allclose(fd.jacrev(inner)(1.2), expected, rtol=1e-12)

    def inner_forward(s):
        return fd.vmap(lambda x: fd.jvp(lambda x: np.sin(s * x), x)[1])(xs)

    assert_allclose(fd.grad(lambda s: np.sum(inner_forward(s)))(1.2), expected.sum(), rtol=1e-12)


def test_newton_step_inside_a_derivative():
    """Differentiate through solver steps that themselves use grad and hessian."""

    def minimiser(a):
        x = np.zeros(2, like=a)
        objective = lambda x: np.sum((x - a) ** 2) + 0.1 * np.sum(x**4)  # noqa: E731
        for _ in range(8):
            x = x - np.linalg.solve(fd.hessian(objective)(x), fd.grad(objective)(x))
        return x

    a = np.array([0.7, -0.4])
    x = minimiser(a)
    # implicit function theorem: (2 + 1.2 x²) dx = 2 da
    assert_allclose(fd.jacobian(minimiser)(a), np.diag(2 / (2 + 1.2 * x**2)), rtol=1e-9, atol=1e-12)


def test_views_and_their_base_are_constants_of_different_levels():
    base = np.ones((3, 2000))
    rows = base[0], base[1][::2]

    def inner(x):
        return np.sum(x * rows[0]) + np.sum(x[:1000] * rows[1])

    def outer(x):
        return np.sum(base * np.sum(x)) + fd.grad(inner)(x)[0] * np.sum(x)

    assert_allclose(fd.grad(outer)(np.ones(2000)), 6002.0)
    for array in (base, *rows):
        array[0] = 2.0  # nothing stays read-only
