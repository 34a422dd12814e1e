"""`custom_jvp` and `custom_vjp`: rules of the user's own, written as for JAX."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
Y = np.array([1.5, 0.7, -0.4])
V = np.array([0.1, 1.0, -0.5])


@fd.custom_jvp
def log1pexp(x):
    """Softplus, whose naive derivative overflows."""
    return np.log1p(np.exp(x))


@log1pexp.defjvp
def log1pexp_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return log1pexp(x), (1 - 1 / (1 + np.exp(x))) * t


def logistic(x):
    return 1 / (1 + np.exp(-x))


# --- custom_jvp -------------------------------------------------------------------------------------------


def test_jvp_rule_is_used_by_every_transform():
    assert_allclose(log1pexp(X), np.log1p(np.exp(X)))
    assert_allclose(fd.jvp(log1pexp, X, V)[1], logistic(X) * V, rtol=1e-13)
    assert_allclose(fd.grad(lambda x: np.sum(log1pexp(x)))(X), logistic(X), rtol=1e-13)
    assert_allclose(fd.jacrev(log1pexp)(X), np.diag(logistic(X)), rtol=1e-13)
    assert_allclose(fd.jacfwd(log1pexp)(X), np.diag(logistic(X)), rtol=1e-13)
    assert_allclose(fd.vmap(fd.grad(log1pexp))(X), logistic(X), rtol=1e-13)
    assert_allclose(fd.elementwise_grad(log1pexp)(X), logistic(X), rtol=1e-13)


def test_jvp_rule_is_stable_where_the_function_is_not():
    with np.errstate(over="ignore"):
        assert_allclose(fd.grad(log1pexp)(1000.0), 1.0)


def test_jvp_rule_at_second_order():
    slope = logistic(0.7)
    assert_allclose(fd.grad(fd.grad(log1pexp))(0.7), slope * (1 - slope), rtol=1e-12)
    assert_allclose(
        fd.hessian(lambda x: np.sum(log1pexp(x)))(X),
        np.diag(logistic(X) * (1 - logistic(X))),
        rtol=1e-12,
    )


def test_jvp_rule_may_lie():
    """The rule is believed, not the function's own derivative."""

    @fd.custom_jvp
    def f(x):
        return x**2

    @f.defjvp
    def rule(primals, tangents):
        return f(*primals), 100.0 * tangents[0]

    assert_allclose(fd.grad(f)(3.0), 100.0)
    assert_allclose(fd.jvp(f, 3.0)[1], 100.0)


def test_defjvps():
    @fd.custom_jvp
    def f(x, y):
        return np.sin(x) * y

    f.defjvps(
        lambda t, out, x, y: np.cos(x) * y * t,
        lambda t, out, x, y: np.sin(x) * t,
    )
    by_x, by_y = fd.grad(lambda x, y: np.sum(f(x, y)), argnums=(0, 1))(X, Y)
    assert_allclose(by_x, np.cos(X) * Y, rtol=1e-13)
    assert_allclose(by_y, np.sin(X), rtol=1e-13)
    assert_allclose(fd.jvp(f, (X, Y), (V, V))[1], (np.cos(X) * Y + np.sin(X)) * V, rtol=1e-13)


def test_defjvps_none_is_zero():
    @fd.custom_jvp
    def f(x, y):
        return x * y

    f.defjvps(lambda t, out, x, y: t * y, None)
    by_x, by_y = fd.grad(lambda x, y: np.sum(f(x, y)), argnums=(0, 1))(X, Y)
    assert_allclose(by_x, Y)
    assert_array_equal(by_y, np.zeros(3))


def test_jvp_rule_with_only_one_argument_traced():
    @fd.custom_jvp
    def f(x, y):
        return x * y

    @f.defjvp
    def rule(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        return f(x, y), dx * y + x * dy

    assert_allclose(fd.grad(lambda x: np.sum(f(x, Y)))(X), Y)
    assert_allclose(fd.grad(lambda y: np.sum(f(X, y)))(Y), X)


def test_jvp_rule_with_several_outputs():
    @fd.custom_jvp
    def f(x):
        return np.sin(x), {"c": np.cos(x)}

    @f.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), (np.cos(x) * t, {"c": -np.sin(x) * t})

    def total(x):
        s, c = f(x)
        return np.sum(s * 2 + c["c"])

    assert_allclose(fd.grad(total)(X), 2 * np.cos(X) - np.sin(X), rtol=1e-13)
    assert_allclose(fd.jvp(total, X, V)[1], np.sum((2 * np.cos(X) - np.sin(X)) * V), rtol=1e-13)


def test_jvp_rule_with_containers():
    @fd.custom_jvp
    def f(p):
        return p["a"] * p["b"]

    @f.defjvp
    def rule(primals, tangents):
        (p,), (t,) = primals, tangents
        return f(p), t["a"] * p["b"] + p["a"] * t["b"]

    gradient = fd.grad(lambda p: np.sum(f(p)))({"a": X, "b": 2.0})
    assert_allclose(gradient["a"], np.full(3, 2.0))
    assert_allclose(gradient["b"], np.sum(X))


def test_jvp_nondiff_argnums():
    @functools.partial(fd.custom_jvp, nondiff_argnums=(0,))
    def apply(g, x):
        return g(x)

    @apply.defjvp
    def rule(g, primals, tangents):
        return g(primals[0]), 2.0 * tangents[0]

    assert_allclose(apply(np.exp, X), np.exp(X))
    assert_allclose(fd.grad(lambda x: np.sum(apply(np.exp, x)))(X), np.full(3, 2.0))
    assert_allclose(fd.jvp(lambda x: apply(np.exp, x), X, V)[1], 2.0 * V)


def test_metadata_is_kept():
    assert log1pexp.__name__ == "log1pexp"
    assert "Softplus" in log1pexp.__doc__


def test_vmap_of_custom_jvp():
    xs = np.stack([X, Y])
    assert_allclose(fd.vmap(log1pexp)(xs), np.log1p(np.exp(xs)))
    result = fd.vmap(fd.grad(lambda x: np.sum(log1pexp(x))))(xs)
    assert_allclose(result, logistic(xs), rtol=1e-13)
    result = fd.grad(lambda xs: np.sum(fd.vmap(log1pexp)(xs)))(xs)
    assert_allclose(result, logistic(xs), rtol=1e-13)


def test_custom_jvp_under_trace_replays():
    tape = fd.trace(lambda x: log1pexp(x) * 2)(X)
    assert_allclose(tape.run(Y), 2 * np.log1p(np.exp(Y)))


# --- custom_vjp -------------------------------------------------------------------------------------------


def clipped(low, high):
    @fd.custom_vjp
    def clip_gradient(x):
        return x

    clip_gradient.defvjp(
        lambda x: (x, None),
        lambda residuals, g: (np.clip(g, low, high),),
    )
    return clip_gradient


def test_vjp_rule_is_used():
    clip = clipped(-0.5, 0.5)
    assert_array_equal(clip(X), X)
    gradient = fd.grad(lambda x: np.sum(Y * clip(x)))(X)
    assert_allclose(gradient, np.clip(Y, -0.5, 0.5))
    assert_allclose(fd.vjp(clip, X, Y)[1], np.clip(Y, -0.5, 0.5))


def scaled_product():
    @fd.custom_vjp
    def f(x, y):
        return np.sin(x) * y

    def forward(x, y):
        return f(x, y), (np.cos(x), np.sin(x), y)

    def backward(residuals, g):
        cos_x, sin_x, y = residuals
        return cos_x * g * y, sin_x * g

    f.defvjp(forward, backward)
    return f


def test_vjp_rule_with_residuals():
    f = scaled_product()
    by_x, by_y = fd.grad(lambda x, y: np.sum(f(x, y)), argnums=(0, 1))(X, Y)
    assert_allclose(by_x, np.cos(X) * Y, rtol=1e-13)
    assert_allclose(by_y, np.sin(X), rtol=1e-13)
    assert_allclose(fd.jacrev(f)(X, Y), np.diag(np.cos(X) * Y), rtol=1e-13)


def test_vjp_rule_with_one_argument_traced():
    f = scaled_product()
    assert_allclose(fd.grad(lambda x: np.sum(f(x, Y)))(X), np.cos(X) * Y, rtol=1e-13)
    assert_allclose(fd.grad(lambda y: np.sum(f(X, y)))(Y), np.sin(X), rtol=1e-13)


def test_vjp_rule_at_second_order():
    f = scaled_product()
    assert_allclose(fd.grad(fd.grad(lambda x: f(x, 2.0)))(0.7), -2 * np.sin(0.7), rtol=1e-12)


def test_vjp_rule_under_vmap_and_over_vmap():
    f = scaled_product()
    xs, ys = np.stack([X, Y]), np.stack([Y, X])
    result = fd.vmap(fd.grad(lambda x, y: np.sum(f(x, y))))(xs, ys)
    assert_allclose(result, np.cos(xs) * ys, rtol=1e-13)
    result = fd.grad(lambda xs: np.sum(fd.vmap(f)(xs, ys)))(xs)
    assert_allclose(result, np.cos(xs) * ys, rtol=1e-13)


def test_vjp_rule_with_none_for_a_zero():
    @fd.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (x * y, y), lambda y, g: (g * y, None))
    by_x, by_y = fd.grad(lambda x, y: np.sum(f(x, y)), argnums=(0, 1))(X, Y)
    assert_allclose(by_x, Y)
    assert_array_equal(by_y, np.zeros(3))


def test_vjp_rule_with_containers():
    @fd.custom_vjp
    def f(p, scale):
        return {"out": p[0] * scale, "other": p[1]}

    def backward(residuals, g):
        x, scale = residuals
        return (g["out"] * scale, g["other"]), np.sum(g["out"] * x)

    f.defvjp(lambda p, scale: (f(p, scale), (p[0], scale)), backward)

    def total(p, scale):
        out = f(p, scale)
        return np.sum(out["out"] * out["other"])

    (by_x, by_y), by_scale = fd.grad(total, argnums=(0, 1))((X, Y), 2.0)
    assert_allclose(by_x, 2.0 * Y)
    assert_allclose(by_y, 2.0 * X)
    assert_allclose(by_scale, np.sum(X * Y))


def test_vjp_nondiff_argnums():
    @functools.partial(fd.custom_vjp, nondiff_argnums=(0, 2))
    def f(g, x, limit):
        return g(x)

    def forward(g, x, limit):
        return g(x), x

    def backward(g, limit, x, cotangent):
        assert g is np.exp
        assert limit == 0.5
        return (np.clip(cotangent, -limit, limit),)

    f.defvjp(forward, backward)
    assert_allclose(fd.grad(lambda x: np.sum(f(np.exp, x, 0.5) * Y))(X), np.clip(Y, -0.5, 0.5))


def test_forward_mode_transposes_the_vjp_rule():
    """A rule for the reverse direction is enough: it is linear, and its transpose is the other one."""

    @fd.custom_vjp
    def f(x):
        return np.cumsum(x)

    f.defvjp(lambda x: (f(x), x), lambda x, g: (100.0 * np.cumsum(g[::-1])[::-1] * x,))
    jacobian = 100.0 * np.tril(np.ones((3, 3))) * X
    assert_allclose(fd.jacrev(f)(X), jacobian, rtol=1e-13)
    assert_allclose(fd.jvp(f, X, V)[1], jacobian @ V, rtol=1e-13)
    assert_allclose(fd.jacfwd(f)(X), jacobian, rtol=1e-13)


def test_defvjp_returns_nothing_surprising_and_name_is_kept():
    @fd.custom_vjp
    def named(x):
        """Documented."""
        return x

    named.defvjp(lambda x: (x, None), lambda _, g: (g,))
    assert named.__name__ == "named"
    assert named.__doc__ == "Documented."


# --- both on one function -----------------------------------------------------------------------------------


@pytest.mark.parametrize("decorator", [fd.custom_jvp, fd.custom_vjp])
def test_both_rules_on_one_function(decorator):
    """Forward mode takes the one, reverse mode the other, whichever decorator made the object."""

    @decorator
    def f(x):
        return np.exp(x)

    f.defjvp(lambda primals, tangents: (f(*primals), 2.0 * tangents[0]))
    f.defvjp(lambda x: (f(x), None), lambda _, g: (3.0 * g,))
    assert_allclose(fd.jvp(f, X, V)[1], 2.0 * V)
    assert_allclose(fd.vjp(f, X, V)[1], 3.0 * V)
    assert_allclose(fd.jacfwd(f)(X), 2.0 * np.eye(3))
    assert_allclose(fd.jacrev(f)(X), 3.0 * np.eye(3))


def test_forward_over_reverse_through_both_rules():
    @fd.custom_jvp
    def f(x):
        return np.sin(x)

    @f.defjvp
    def jvp_rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), np.cos(x) * t

    f.defvjp(lambda x: (f(x), x), lambda x, g: (np.cos(x) * g,))
    total = lambda x: np.sum(f(x) ** 2)  # noqa: E731
    for mode in [
        "forward-over-reverse",
        "reverse-over-forward",
        "reverse-over-reverse",
        "forward-over-forward",
    ]:
        assert_allclose(fd.hessian(total, mode=mode)(X), np.diag(2 * np.cos(2 * X)), rtol=1e-12, atol=1e-14)


def test_calls_leave_no_cycles_with_the_tape():
    """What a call keeps goes when the transform returns, not when the garbage collector runs."""
    import gc
    import weakref

    class Residual(np.ndarray):
        pass

    kept = []

    @fd.custom_vjp
    def f(x):
        return np.sin(x)

    def fwd(x):
        residual = np.cos(fd.stop_gradient(x)).view(Residual)
        kept.append(weakref.ref(residual))
        return f(x), residual

    f.defvjp(fwd, lambda residual, g: (g * np.asarray(residual),))
    gc.collect()
    gc.disable()
    try:
        fd.grad(lambda x: np.sum(f(x)))(np.ones(3))
        assert kept
        assert kept[0]() is None
    finally:
        gc.enable()


def test_a_function_with_rules_cannot_write_to_its_callers_arrays():
    @fd.custom_jvp
    def f(x):
        x[0] = 100.0
        return np.sum(x)

    f.defjvp(lambda primals, tangents: (f(*primals), np.sum(tangents[0])))
    x = np.array([1.0, 2.0])
    with pytest.raises(fd.errors.PlainWriteError, match="read-only"):
        fd.grad(f)(x)
    assert_array_equal(x, [1.0, 2.0])
