"""`checkpoint` with a budget of memory: the same values and derivatives, and no more bytes than allowed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.transforms.checkpoint_budget import place
from tests.test_growth import peak

X = np.array([0.3, -1.2, 0.9])
V = np.array([0.1, 1.0, -0.5])
MATRIX = np.array([[0.7, 0.2, -0.3], [0.5, 0.3, 0.1], [0.0, -0.4, 0.6]])
LONG = np.linspace(0.1, 1.0, 20_000)


def chain(x):
    for _ in range(100):
        x = np.sin(x) * 1.01
    return np.sum(x)


def layers(x):
    for _ in range(30):
        x = np.tanh(MATRIX @ x) + 0.1 * x
    return np.sum(x * x)


def written(x):
    y = np.zeros_like(x)
    for _ in range(5):
        for i in range(3):
            y[i] = np.sin(x[i] + y[i - 1]) * x[i - 2]
        y *= x
    return np.sum(y)


def branching(x):
    count = 0
    while np.sum(x * x) < 40.0:
        x = x * 1.2 + np.sin(x)
        count += 1
    return np.sum(x) * count


def skipping(x):
    kept = []
    for k in range(12):
        x = np.exp(-x * x) + np.cos(x + k)
        kept.append(x)
    return sum(np.sum(a * b) for a, b in zip(kept, kept[::-1], strict=True))


def factored(x):
    a = np.outer(x, x) + 3 * np.eye(3)
    for _ in range(6):
        q, r = np.linalg.qr(a)
        a = r @ q + np.linalg.solve(a, np.eye(3))
    return np.sum(np.log(np.diag(a) ** 2))


PROGRAMS = {f.__name__: f for f in (chain, layers, written, branching, skipping, factored)}
MAPPED = ("chain", "layers", "written", "skipping", "factored")


def smallest(f, x):
    """The smallest budget that a placement is found for, to a tenth."""
    tape = fd.trace(f)(x)
    low, high = 0, 2 * sum(v.type.size * v.type.dtype.itemsize for r in tape.records for v in r.outputs)
    while high - low > high // 10:
        middle = (low + high) // 2
        try:
            place("f", tape, middle)
            high = middle
        except ValueError:
            low = middle
    return high


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_derivatives_are_the_same(name):
    f = PROGRAMS[name]
    least = smallest(f, X)
    for budget in (least, 2 * least, 10**9):
        g = fd.checkpoint(f, memory=budget)
        assert_array_equal(g(X), f(X))
        assert_allclose(fd.grad(g)(X), fd.grad(f)(X), rtol=1e-13)
        assert_allclose(fd.jvp(g, X, V)[1], fd.jvp(f, X, V)[1], rtol=1e-13)
    g = fd.checkpoint(f, memory=least)
    for mode in ("forward-over-reverse", "reverse-over-reverse", "reverse-over-forward"):
        assert_allclose(fd.hessian(g, 0, mode=mode)(X), fd.hessian(f)(X), rtol=1e-9, atol=1e-10)
    assert_allclose(fd.jit(fd.grad(g))(X), fd.grad(f)(X), rtol=1e-12)
    if name in MAPPED:
        xs = np.stack([X, X / 2])
        assert_allclose(fd.vmap(fd.grad(g))(xs), [fd.grad(f)(x) for x in xs], rtol=1e-12)
        assert_allclose(fd.grad(lambda b: np.sum(fd.vmap(g)(b)))(xs), [fd.grad(f)(x) for x in xs], rtol=1e-12)


@pytest.mark.parametrize("arrays", [200, 50, 40, 30, 22])
def test_the_sweep_stays_within_the_budget(arrays):
    g = fd.checkpoint(chain, memory=arrays * LONG.nbytes)
    expected = fd.grad(chain)(LONG)
    assert_array_equal(fd.grad(g)(LONG), expected)
    # besides: the argument's copy, its gradient, the results of an operation and of its rule
    assert peak(fd.grad(g), LONG) < (min(arrays, 99) + 6) * LONG.nbytes


def test_all_of_the_memory_is_used_before_anything_is_run_again():
    runs = []

    @fd.primitive(partials=[lambda out, x: np.cos(x)], name="counted_sine")
    def sine(x):
        runs.append(None)
        return np.sin(x)

    def f(x):
        for _ in range(64):
            x = sine(x)
        return np.sum(x)

    counts = []
    for arrays in (1000, 48, 32, 24, 20):
        runs.clear()
        fd.grad(fd.checkpoint(f, memory=arrays * LONG.nbytes))(LONG)
        counts.append(len(runs) / 64)
    assert counts[0] == 2  # traced, and run
    assert counts == sorted(counts)
    assert 2 < counts[1] < 3  # a part of it is run again
    assert counts[2] <= 3
    assert counts[-1] < 6


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(ValueError, match=r"cannot be had in 1000 bytes.*bytes if nothing is run again"):
        fd.grad(fd.checkpoint(chain, memory=1000))(LONG)
    with pytest.raises(ValueError, match="0 bytes or more"):
        fd.checkpoint(chain, memory=-1)
    assert fd.checkpoint(chain, memory=0)(LONG) == chain(LONG)  # nothing is kept without a sweep


def test_arguments_and_results_may_be_nested():
    def step(params, x, *, scale):
        for _ in range(10):
            x = np.tanh(params["w"] @ x + params["b"]) * scale
        return {"x": x, "norm": np.linalg.norm(x), "count": 10}

    params = {"w": MATRIX, "b": V}

    def loss(step):
        def f(params):
            out = step(params, X, scale=1.5)
            return np.sum(out["x"]) * out["norm"] * out["count"]

        return f

    found = fd.grad(loss(fd.checkpoint(step, memory=600)))(params)
    expected = fd.grad(loss(step))(params)
    assert_allclose(found["w"], expected["w"], rtol=1e-12)
    assert_allclose(found["b"], expected["b"], rtol=1e-12)


def test_a_closed_over_traced_value_is_refused():
    def f(w):
        return fd.checkpoint(lambda x: chain(x * w), memory=40 * LONG.nbytes)(LONG * w)

    with pytest.raises(fd.errors.CustomRuleError, match="Pass the value"):
        fd.grad(f)(2.0)


def test_the_argument_is_not_changed_by_writes():
    def f(x):
        x *= 2.0
        x[0] = np.sin(x[1])
        return np.sum(np.exp(x))

    def outer(f):
        def g(x):
            y = x * 1.0
            return f(y) + np.sum(y)

        return g

    g = fd.checkpoint(f, memory=10**6)
    plain = fd.checkpoint(f)
    assert_allclose(fd.grad(outer(g))(X), fd.grad(outer(plain))(X))
