"""`checkpoint_loop`: binomial placement of the states that a long loop keeps."""

from __future__ import annotations

import functools
import gc
import math
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.transforms.checkpoint_loop import first_part
from tests.test_growth import peak

X = np.array([0.3, -1.2, 0.9])
RATE = np.array([0.1, 0.2])


def step(i, state, rate):
    x, v = state["x"], state["v"]
    v = v - rate[0] * np.sin(x) * (i + 1.0) / 10
    return {"x": x + rate[1] * v, "v": v}


def looped(steps, slots):
    def f(x, rate):
        state = fd.checkpoint_loop(step, steps, {"x": x, "v": 0.0 * x}, rate, slots=slots)
        return np.sum(state["x"] ** 2)

    return f


def plain(steps):
    def f(x, rate):
        state = {"x": x, "v": 0.0 * x}
        for i in range(steps):
            state = step(i, state, rate)
        return np.sum(state["x"] ** 2)

    return f


@pytest.mark.parametrize("slots", [None, 1, 2, 5])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 10, 25])
def test_changes_no_derivative(steps, slots):
    f, g = looped(steps, slots), plain(steps)
    assert_allclose(f(X, RATE), g(X, RATE), rtol=1e-14)
    for found, expected in zip(fd.grad(f, (0, 1))(X, RATE), fd.grad(g, (0, 1))(X, RATE), strict=True):
        assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_second_order_and_batches():
    f, g = looped(7, 2), plain(7)
    for mode in ("forward-over-reverse", "reverse-over-reverse", "reverse-over-forward"):
        found, expected = (fd.hessian(h, 1, mode=mode)(X, RATE) for h in (f, g))
        assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    rows = np.stack([X, -X, 2 * X])
    found, expected = (fd.vmap(fd.grad(h, 1), (0, None))(rows, RATE) for h in (f, g))
    assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    assert_allclose(fd.jvp(f, (X, RATE), (X, RATE))[1], fd.jvp(g, (X, RATE), (X, RATE))[1], rtol=1e-12)


@functools.cache
def fewest(steps, slots):
    """The fewest steps that must be taken again to reverse a loop, by dynamic programming."""
    if steps <= 1 or slots == 1:
        return steps * (steps - 1) // 2
    return min(m + fewest(steps - m, slots - 1) + fewest(m, slots) for m in range(1, steps))


def taken(steps, slots):
    total = 0
    while steps > 1:
        part = first_part(steps, slots)
        total += part + taken(part, slots)
        steps, slots = steps - part, max(slots - 1, 1)
    return total


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 8])
def test_takes_the_fewest_steps(slots):
    for steps in (2, 3, 4, 7, 15, 37, 64):
        assert taken(steps, slots) == fewest(steps, slots)


@pytest.mark.parametrize(("steps", "slots"), [(30, 1), (56, 3), (57, 3), (100, 5), (200, 10)])
def test_repeats_no_step_more_often_than_it_says(steps, slots):
    runs = Counter()

    def body(i, x, rate):
        runs[i] += 1
        return x - rate * np.sin(x)

    fd.grad(lambda rate: fd.checkpoint_loop(body, steps, 1.0, rate, slots=slots))(0.1)
    repeats = next(t for t in range(steps) if math.comb(slots + t, slots) >= steps)
    assert max(runs.values()) <= repeats + 2
    assert sum(runs.values()) == 2 * steps + fewest(steps, slots)


def test_keeps_as_many_states_as_slots():
    big = np.linspace(0.1, 0.9, 20_000)

    def body(i, x):
        for _ in range(5):
            x = np.sin(x) * 1.01 + 0.1
        return x

    def held(steps, slots):
        return (
            peak(fd.grad(lambda x: np.sum(fd.checkpoint_loop(body, steps, x, slots=slots))), big) / big.nbytes
        )

    assert held(100, 4) < 4 + 15
    assert held(400, 4) < held(100, 4) + 1
    assert held(100, 20) > held(100, 4) + 10


def test_states_of_several_dtypes():
    def body(i, state, table):
        x, n = state
        return x * table[n % 3] + np.sin(x), n + 1

    def loss(loop):
        def f(x, table):
            return np.sum(loop(body, 7, (x, np.array(0)), table)[0])

        return f

    def reference(body, steps, state, table):
        for i in range(steps):
            state = body(i, state, table)
        return state

    found = fd.grad(loss(fd.checkpoint_loop), (0, 1))(X, X + 2.0)
    for a, b in zip(found, fd.grad(loss(reference), (0, 1))(X, X + 2.0), strict=True):
        assert_allclose(a, b, rtol=1e-11)


def test_leaves_no_cycles():
    fd.grad(looped(7, 2))(X, RATE)
    gc.collect()
    gc.disable()
    try:
        fd.grad(looped(7, 2))(X, RATE)
        assert gc.collect() < 50
    finally:
        gc.enable()


def test_errors():
    with pytest.raises(ValueError, match="steps"):
        fd.checkpoint_loop(step, -1, X)
    with pytest.raises(fd.errors.StructureError, match="structure"):
        fd.grad(lambda x: fd.checkpoint_loop(lambda i, y: (y, y), 3, x))(1.0)
    with pytest.raises(ValueError, match="slots"):
        fd.checkpoint_loop(step, 3, X, slots=0)

    def loss(x):
        def body(i, y):
            return x * y

        return fd.checkpoint_loop(body, 5, x)

    with pytest.raises(fd.errors.CustomRuleError, match=r"body.*as an argument"):
        fd.grad(loss)(1.0)
