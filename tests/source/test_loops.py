"""Loops and branches as source: plain Python loops that call a function for each step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import funcdiff as fd
from tests.source.test_to_source import check, function_of, same
from tests.transforms import test_loop_derivatives as programs


@pytest.mark.parametrize("f", programs.SCALAR, ids=lambda f: f.__name__)
@pytest.mark.parametrize("modes", ["", *"fr", *map("".join, itertools.product("fr", repeat=2)), "rrr"])
def test_source_in_all_modes(f, modes):
    for m in modes:
        f = programs.MODES[m](f)
    tape = fd.trace(f)(0.7)
    run = function_of(tape.to_source())
    with np.errstate(all="ignore"):
        for x in (0.7, 0.4):
            same(run(np.float64(x)), tape.run(x), 1e-11)


@pytest.mark.parametrize(
    "f", [programs.pendulum, programs.counted_while, programs.branches], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("transform", [lambda f: f, fd.grad])
def test_batches(f, transform):
    check(fd.vmap(transform(f)), np.array([0.7, 0.2, 0.9]))


def test_loops_read_like_those_of_a_person():
    def decay(x, rates):
        return fd.scan(lambda c, r: (np.exp(-r) * c, c * 2), x, rates)

    source = check(decay, 1.0, np.linspace(0, 1, 3))
    assert source.endswith(
        """
    t1 = x
    t2 = np.empty(3)
    for i in range(3):
        t1, t2[i] = step(t1, rates[i])
    return t1, t2
"""
    )


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans(steps, reverse):
    table = np.linspace(-1, 1, 12).reshape(4, 3)  # a constant of the body

    def f(c, xs):
        def step(c, x):
            c = {"a": np.tanh(table @ c["a"])[:3] * x, "n": c["n"] + 1}
            return c, (c["a"] > 0, c["a"][0] * 2, c["n"])

        return fd.scan(step, {"a": c, "n": 0}, xs, reverse=reverse)

    c, xs = np.array([0.3, 0.2, -0.5]), np.linspace(0.5, 2, steps)
    check(f, c, xs)
    check(fd.grad(lambda c, xs: np.sum(f(c, xs)[0]["a"]) + np.sum(f(c, xs)[1][1]), argnums=(0, 1)), c, xs)


def test_the_number_of_steps_is_found_when_it_runs():
    def f(x, n):
        return fd.while_loop(
            lambda s: s[1] < n, lambda s: (np.sin(s[0]) * np.array([x, 1 / x]), s[1] + 1), (x * np.ones(2), 0)
        )[0]

    tape = fd.trace(fd.grad(lambda x, n: np.sum(f(x, n))))(0.9, np.int64(3))
    run = function_of(tape.to_source())
    for n in (0, 1, 70):
        same(run(0.9, np.int64(n)), tape.run(0.9, np.int64(n)))


@pytest.mark.parametrize("n", [2, 7])
def test_buffers(n):
    def f(a):
        def step(i, y):
            y[i] = a[i] * y[i - 1] + 1.0
            return y

        y = fd.fori_loop(1, n, step, a * 1.0)
        y[0] = 3.0
        return y

    a = np.linspace(0.5, 1.5, n)
    check(f, a)
    check(fd.grad(lambda a: np.sum(f(a) ** 2)), a)
    assert np.array_equal(a, np.linspace(0.5, 1.5, n))


def test_operands_are_computed_once_and_keep_their_names():
    def f(x):
        k = np.exp(x) + 1.0
        y = fd.scan(lambda c, _: (np.sin(c) * k + x, None), x * 2 + 1, None, length=4)[0]
        z = fd.scan(lambda c, d: (c * d + y, c), y, np.stack([x, y, x * y]))
        return z[0] + np.sum(z[1]) * k

    source = check(f, 0.3)
    assert source.count("np.exp(") == 1
    check(fd.grad(f), 0.3)


def test_rules_of_the_users_own_in_a_body():
    @fd.custom_vjp
    def half(x):
        return x * 0.5

    half.defvjp(lambda x: (x * 0.5, None), lambda _, g: (g * 0.5,))
    check(fd.grad(lambda x: fd.scan(lambda c, _: (half(np.sin(c)) + x, None), x, None, length=3)[0]), 0.4)


def test_branches_take_one_side():
    def f(x):
        return fd.cond(x > 0, lambda x: (np.log(x), x), lambda x: (x * 1.0, -x), x)

    tape = fd.trace(f)(0.3)
    run = function_of(tape.to_source())
    with np.errstate(all="raise"):
        same(run(np.float64(-2.0)), (-2.0, 2.0))
        same(run(np.float64(1.0)), (0.0, 1.0))
