"""Random Python loops with `free_loops`: whether they are free or stay as they are, they do what Python does."""

from __future__ import annotations

import linecache
import random
import warnings

import numpy as np
import pytest

import funcdiff as fd
from tests.jit.test_free_loops import programs_of

NAMES = list("abcde")
CONDITIONS = {
    "while": ["while t > 0.05:"],
    "predicate": ["while far(t):"],
    "two parts": ["while t > 0.05 and abs(a) < 5:"],
    "break": ["while True:"],
}


def expression(r, depth=0):
    """Write an expression of the names."""
    kind = r.random()
    if kind < 0.4 or depth > 2:
        return r.choice([*NAMES, "t", "t", "0.3", "K", "W[0]"])
    if kind < 0.65:
        return f"np.{r.choice(['sin', 'tanh'])}({expression(r, depth + 1)})"
    return f"({expression(r, depth + 1)} {r.choice('+-*')} {expression(r, depth + 1)})"


def statements(r):
    """Write what a step may do: assign, exchange, shift, decide, loop, and now and then change what is not traced."""
    a, b, c = r.sample(NAMES, 3)
    several = r.sample(NAMES, r.randint(2, 5))
    return r.choices(
        [
            [f"{a} = np.tanh({expression(r)})"],
            [f"{', '.join(several)} = {', '.join(several[1:] + several[:1])}"],
            [f"{a}, {b}, {c} = {b}, {c}, np.sin({expression(r)})"],
            [f"H = H[1:] + [np.sin({expression(r)})]", f"{a} = H[0]"],
            [f"H[1] = 0.5 * {a}", f"{b} = H[{r.randrange(3)}]"],
            [f"if {a} > 0.1:", f"    {b} = 0.9 * {c}"],
            ["q = t + 0.5", "while q > 0.1:", "    q = 0.5 * q", f"{a} = q"],
            [f"for _ in range(2): {a} = np.sin({b})"],
            ["k += 1", "if k > 7: break"],
            ["flag = not flag"],
        ],
        [9, 3, 2, 2, 2, 2, 1, 1, 1, 1],
    )[0]


def program(seed):
    """Write a function with a loop, or two."""
    r = random.Random(seed)
    starts = ["x", "t", "0.1 * x", "x + 1", "x - 1", "0.4", "x * 0"]
    lines = ["def f(x):", "    def far(t): return t > 0.05", "    t, K, W, flag, k = x, 0.7, [0.2], True, 0"]
    lines += ["    H = [x, 0.5 * x, x * x]", *(f"    {name} = {r.choice(starts)}" for name in NAMES)]
    kind = r.choice(list(CONDITIONS))
    step = [line for _ in range(r.randint(1, 5)) for line in statements(r)]
    step.append(f"t = {r.choice(['0.8 * t', '0.7 * t - 0.02', 't - 0.3', '0.75 * t + 0.001 * np.sin(t)'])}")
    if kind == "break":
        step += ["if not t > 0.05:", "    break"]
    loop = CONDITIONS[kind] + ["    " + line for line in step]
    if r.random() < 0.15:
        loop = ["for _ in range(2):", "    t = t + 0.3", *("    " + line for line in loop)]
    ends = [r.choice([*NAMES, "t", "x", "H[0]", "H[2]"]) for _ in range(r.randint(1, 4))]
    ends += r.choices([[], ["k"], ["flag"]], [8, 2, 1])[0]
    lines += ["    " + line for line in loop]
    return "\n".join(
        [*lines, "    return 0.0 * x + " + " + ".join(f"{n + 1} * {e}" for n, e in enumerate(ends))]
    )


def function(seed):
    """Make the function, whose lines can be quoted."""
    text, name = program(seed), f"<random loop {seed}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space = {"np": np}
    exec(compile(text, name, "exec"), space)
    return space["f"]


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_random_loops(first):
    free = 0
    for seed in range(first, first + 10):
        f = fd.value_and_grad(function(seed))
        compiled = fd.jit(f, backend="numpy", free_loops=True)
        points = [0.04, 0.3, 2.0, 0.9, 5.0, 0.051, 3.3]
        random.Random(seed).shuffle(points)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fd.errors.PerformanceWarning)
            for x in points:
                np.testing.assert_allclose(compiled(x), f(x), rtol=1e-8, atol=1e-10, err_msg=program(seed))
        free += programs_of(compiled)[1] > 0
    assert free > 3
