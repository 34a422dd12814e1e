"""`checkpoint`: the same values and derivatives, less memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.test_growth import peak

X = np.array([0.3, -1.2, 0.9])
V = np.array([0.1, 1.0, -0.5])
MATRIX = np.array([[0.7, 0.2, -0.3], [0.5, 0.3, 0.1], [0.0, -0.4, 0.6]])


def written(x):
    y = np.zeros_like(x)
    for i in range(3):
        y[i] = np.sin(x[i]) * x[i - 1]
    x *= 2.0
    x[0] = y[1]
    return y + x


def loop(x):
    while np.sum(x * x) < 20.0:
        x = x * 1.5 + np.sin(x)
    return x


STEPS = {
    "layer": lambda x: np.tanh(MATRIX @ x),
    "written": written,
    "loop": loop,
    "solve": lambda x: np.linalg.solve(np.diag(x) + 3 * np.eye(3), np.cos(x)),
    "selected": lambda x: np.where(x > 0, np.sqrt(np.abs(x)), 0.0),
    "identity": lambda x: x,
    "nested": fd.checkpoint(lambda x: np.sin(x) * x),
}


def total(step):
    def f(x):
        y = x * 1.0
        for _ in range(3):
            y = step(y)
        return np.sum(y * x)

    return f


def pairs(name):
    return total(STEPS[name]), total(fd.checkpoint(STEPS[name]))


def mixed(f):
    """Every composition of two and some of three, as one list of results."""
    batch = np.stack([X, 0.5 * X])
    return [
        f(X),
        fd.grad(f)(X),
        fd.jvp(f, X, V)[1],
        fd.jacobian(lambda x: f(x) * x, X),
        fd.jacrev(lambda x: f(x) * x)(X),
        fd.pullback(f, X)[1](2.0)[0],
        fd.linearize(f, X)[1](V),
    ] + [
        fd.hessian(f, 0, mode=f"{a}-over-{b}")(X)
        for a, b in [("forward", "reverse"), ("reverse", "forward"), ("reverse", "reverse"), ("forward",) * 2]
    ] + [
        fd.grad(lambda x: np.sum(fd.hvp(f, x, V)[1]))(X),
        fd.grad(lambda v: fd.jvp(f, X, v)[1])(V),
        fd.jet(f, (X,), ((V, V * V, X),))[1],
        fd.grad(lambda x: fd.jet(f, (x,), ((V, V * V),))[1][1])(X),
        fd.jet(fd.grad(f), (X,), ((V, V * V),))[1],
        fd.grad(lambda b: np.sum(np.sin([1.0, 2.0] * fd.vmap(f)(b))))(batch) if f.mapped else 0.0,
        fd.vmap(fd.grad(f))(batch) if f.mapped else 0.0,
        fd.vmap(fd.hessian(f))(batch) if f.mapped else 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_changes_no_derivative(name):
    plain, checkpointed = pairs(name)
    plain.mapped = checkpointed.mapped = name != "loop"
    for found, expected in zip(mixed(checkpointed), mixed(plain), strict=True):
        assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_of_a_transform_and_in_one():
    def energy(x):
        return np.sum(np.sin(x) * x**2)

    step = fd.checkpoint(fd.grad(energy))
    assert_allclose(fd.jacrev(step)(X), fd.hessian(energy)(X), rtol=1e-13)
    mapped = fd.checkpoint(fd.vmap(energy))
    assert_allclose(fd.grad(lambda x: np.sum(mapped(x)))(np.eye(3)), fd.vmap(fd.grad(energy))(np.eye(3)))


def test_structures():
    @fd.checkpoint
    def f(tree, scale, *, power, text):
        assert text == "static"
        return {"a": tree["x"] ** power * scale, "n": (np.argmax(tree["x"]), len(text))}

    def loss(tree):
        out = f(tree, 3, power=2, text="static")
        assert out["n"][0] == 2
        return np.sum(out["a"] * tree["y"])

    g = fd.grad(loss)({"x": X, "y": V})
    assert_allclose(g["x"], 6 * X * V)
    assert_allclose(g["y"], 3 * X**2)


def test_weak_scalars_and_dtypes_stay():
    f = fd.checkpoint(lambda x, c: x * c)
    x = X.astype(np.float32)
    assert fd.grad(lambda x: np.sum(f(x, 2.5)))(x).dtype == np.float32
    z = X + 1j * V
    found = fd.grad(lambda z: np.sum(np.abs(f(z, 1j)) ** 2))(z)
    assert_allclose(found, 2 * z.conj())


def test_outputs_that_are_not_used_and_integers():
    f = fd.checkpoint(lambda x: (np.sin(x), np.cos(x), np.argsort(x), x > 0))
    assert_allclose(fd.grad(lambda x: np.sum(f(x)[1]))(X), -np.sin(X))


def test_plain_calls_are_plain():
    f = fd.checkpoint(lambda x: np.sin(x))
    assert type(f(X)) is np.ndarray
    assert type(f(0.5)) is np.float64
    assert f.__name__.startswith("checkpoint(")


def test_writes_do_not_reach_the_caller():
    f = fd.checkpoint(written)

    def loss(x):
        y = x * 1.0
        z = f(y)
        return np.sum(z * y)

    def reference(x):
        y = x * 1.0
        return np.sum(written(y.copy()) * y)

    assert_allclose(fd.grad(loss)(X), fd.grad(reference)(X), rtol=1e-12)
    assert_allclose(fd.jvp(loss, X, V)[1], fd.jvp(reference, X, V)[1], rtol=1e-12)


def test_recomputes_in_the_reverse_sweep_only():
    runs = []

    @fd.checkpoint
    def f(x):
        runs.append(type(x))
        return np.sin(x)

    y, pull = fd.pullback(f, X)
    assert len(runs) == 1
    pull(y)
    assert len(runs) == 2
    runs.clear()
    fd.jvp(f, X, V)
    assert len(runs) == 1


# --- memory ------------------------------------------------------------------------------------------

BIG = np.linspace(0.1, 0.9, 20_000)


def deep(step, layers):
    def f(x):
        for _ in range(layers):
            x = step(x)
        return np.sum(x)

    return f


def layer(x):
    for _ in range(20):
        x = np.sin(x) * 1.01 + 0.1
    return x


def test_keeps_the_inputs_only():
    plain = peak(fd.grad(deep(layer, 20)), BIG) / BIG.nbytes
    checkpointed = peak(fd.grad(deep(fd.checkpoint(layer), 20)), BIG) / BIG.nbytes
    assert plain > 390
    assert checkpointed < 20 + 20 + 12


def test_nested_checkpoints_keep_less():
    twice = fd.checkpoint(deep(fd.checkpoint(layer), 10))
    assert peak(fd.grad(twice), BIG) / BIG.nbytes < 10 + 20 + 12


@pytest.mark.parametrize(
    ("route", "arrays"),
    [
        (lambda f, x: fd.hvp(f, x, x), 170),
        (lambda f, x: fd.grad(lambda t: fd.jvp(f, t, x)[1])(x), 170),
        (lambda f, x: fd.grad(lambda t: np.sum(fd.grad(f)(t) * x))(x), 300),
    ],
    ids=["forward over reverse", "reverse over forward", "reverse over reverse"],
)
def test_second_order_keeps_less_too(route, arrays):
    short, full = deep(fd.checkpoint(layer), 20), deep(layer, 20)
    assert peak(route, short, BIG) / BIG.nbytes < arrays
    assert peak(route, full, BIG) / BIG.nbytes > 2.5 * arrays


def test_mapped_calls_keep_less():
    rows = BIG.reshape(20, 1000)

    def loss(step):
        return lambda x: np.sum(fd.vmap(deep(step, 20))(x))

    assert peak(fd.grad(loss(fd.checkpoint(layer))), rows) / BIG.nbytes < 60


# --- what it refuses ---------------------------------------------------------------------------------


def test_a_traced_value_that_is_closed_over_raises():
    def loss(w):
        return np.sum(fd.checkpoint(lambda x: w * x)(w + 1.0))

    with pytest.raises(fd.errors.CustomRuleError, match="as an argument"):
        fd.grad(loss)(X)
    with pytest.raises(fd.errors.CustomRuleError, match="as an argument"):
        fd.hessian(loss)(X)


def test_closures_that_lose_nothing_work():
    def loss(w):
        return np.sum(fd.checkpoint(lambda x: w * x)(X))

    assert_allclose(fd.grad(loss)(X), X)

    def forward(w):
        return np.sum(fd.checkpoint(lambda x: w * x)(w + 1.0))

    assert_allclose(fd.jvp(forward, X, V)[1], np.sum((2 * X + 1) * V))

    def outer(w):
        return np.sum(fd.grad(lambda x: np.sum(fd.checkpoint(lambda y: w * y**2)(x)))(X))

    assert_allclose(fd.grad(outer)(X), 2 * X)


def test_random_functions_raise():
    rng = np.random.default_rng(0)
    f = fd.checkpoint(lambda x: x * rng.standard_normal(3))
    with pytest.raises(fd.errors.CustomRuleError, match="other values"):
        fd.grad(lambda x: np.sum(f(x)))(X)


def test_plain_arguments_may_change_later():
    data = np.array([1.0, 2.0, 3.0])
    f = fd.checkpoint(lambda x, c: np.sin(x) * c)

    def loss(x):
        total = 0.0
        for k in range(3):
            data[:] = k
            total = total + np.sum(f(x, data))
        return total

    assert_allclose(fd.grad(loss)(X), 3 * np.cos(X))
    _, pull = fd.pullback(lambda x: f(x, data), X)
    data[:] = 100.0
    assert_allclose(pull(np.ones(3))[0], 2 * np.cos(X))
    wide = np.ones(2000)
    _, pull = fd.pullback(lambda x: f(x, wide), np.zeros(2000))
    wide[:] = 7.0
    assert_array_equal(pull(np.ones(2000))[0], np.ones(2000))


def test_outputs_that_are_not_arrays_raise():
    with pytest.raises(fd.errors.OutputError, match="str"):
        fd.grad(lambda x: fd.checkpoint(lambda y: (y, "text"))(x)[0])(1.0)
    with pytest.raises(fd.errors.StructureError, match="function"):
        fd.checkpoint(3.0)


def test_on_a_tape_the_function_is_inline():
    f = fd.checkpoint(lambda x: np.sin(x) * x)
    assert "sin" in str(fd.trace(f)(X))
    tape = fd.trace(fd.grad(lambda x: np.sum(f(x))))(X)
    assert_allclose(tape.run(2 * X), fd.grad(lambda x: np.sum(f(x)))(2 * X))
