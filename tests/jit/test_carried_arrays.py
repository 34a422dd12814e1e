"""Arrays that machine code carries from step to step: in one place if a step replaces them element by element."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")


def turns(f, *args):
    """Return how many arrays a program carries in two places by turns, after a comparison with NumPy's results."""
    before = [np.copy(a) for a in args]
    compiled = jit(f)
    for _ in range(2):
        for found, expected in zip(compiled(*args), f(*args), strict=True):
            assert_array_equal(found, expected)
        for a, b in zip(args, before, strict=True):
            assert_array_equal(a, b)
    text = compiled.lower(*args).source
    assert "def run" not in text
    return sum(".next = phi ptr" in line for line in text.split("\n"))


def scanned(step, *start, n=5):
    """Carry arrays through some steps; return what is carried last, and what has been collected."""
    carry, ys = fd.scan(lambda c, t: step(c, t), start, np.linspace(0.5, 1.5, n))
    return (*carry, ys)


@pytest.mark.parametrize("n", [5, 14, 16, 20, 40, 300])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_replaced_element_by_element(n, steps):
    x = np.linspace(-1, 2, n)
    f = lambda x: scanned(lambda c, t: ((c[0] * t + 1,), c[0]), x, n=steps)  # noqa: E731
    assert turns(f, x) == (steps == 1)


@pytest.mark.parametrize("n", [14, 40])
def test_exchanged_arrays(n):
    x = np.linspace(-1, 2, n)
    f = lambda x, y: scanned(lambda c, t: ((c[1] - t, c[0] * t), c[1]), x, y)  # noqa: E731
    assert turns(f, x, x + 1) == 0
    f = lambda x: scanned(lambda c, t: ((c[1] - t, c[0] * t), c[1]), x, x)  # noqa: E731
    assert turns(f, x) == 0


@pytest.mark.parametrize(
    "step",
    [
        lambda c, t: ((c[0][::-1] * t,), c[0]),
        lambda c, t: ((np.concatenate([c[0][1:], c[0][:1]]) * t,), c[0]),
        lambda c, t: ((c[0] * t + np.cumsum(c[0]),), c[0]),
        lambda c, t: ((c[0].reshape(4, -1).T.reshape(-1) + t,), c[0][0]),
    ],
)
@pytest.mark.parametrize("n", [16, 40])
def test_other_elements_are_read(step, n):
    turns(lambda x: scanned(step, x), np.linspace(-1, 2, n))


def test_what_is_read_after_it_has_been_replaced():
    def step(c, t):
        a, b = c
        new = a * t
        return (new, b + np.max(new) * a), np.min(a)

    assert turns(lambda x: scanned(step, x, x + 1), np.linspace(-1, 2, 20)) >= 1


def test_a_start_that_is_used_again_and_steps_that_are_not_taken():
    def f(x):
        y = x * 2
        z = fd.while_loop(lambda s: np.sum(s[0]) < 61.5, lambda s: (s[0] + y, s[1] * 2), (y, y))
        return (*z, y, x)

    for n in (10, 20, 40, 200):
        turns(f, np.linspace(0, 1, n))


def test_many_small_arrays_share_a_pointer():
    def f(x, w):
        def step(c, t):
            new = [w[n] * np.tanh(c[n]) + c[n - 1] * t for n in range(8)]
            return tuple(new), np.sum(new[3] * new[5])

        c, ys = fd.scan(step, tuple(x), np.linspace(0, 1, 30))
        return sum(np.sum(a * a) for a in c) + np.sum(ys)

    x, w = (np.linspace(-1, 1, 8 * 14).reshape(8, 14) * k for k in (1.0, 0.3))
    g = fd.grad(f, (0, 1))
    compiled = jit(g)
    for found, expected in zip(compiled(x, w), g(x, w), strict=True):
        assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    heads = [line for line in compiled.lower(x, w).source.split("\n") if "define" in line and ".loop" in line]
    assert len(heads) == 2
    assert all(head.count("noalias") < 32 for head in heads)
