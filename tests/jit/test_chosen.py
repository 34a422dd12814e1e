"""Branches between a few numbers, which stand in the loops they belong to: as Python runs them."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")


def looped(body, n=12):
    """Return the program that takes a number through some steps of a body."""
    return lambda x: fd.fori_loop(0, n, body, x)


def check(f, *values, derivatives=True):
    """Compare with the program as it is; return the text."""
    compiled = jit(f)
    for x in values:
        assert_array_equal(compiled(x), f(x))
        assert_array_equal(np.signbit(compiled(x)), np.signbit(f(x)))
    for g in [fd.grad(lambda x: np.sum(f(x))), fd.jacfwd(f)] if derivatives else []:
        for x in values:
            assert_allclose(jit(g)(x), g(x), rtol=1e-13)
    text = compiled.lower(values[0]).source
    assert "def run" not in text
    return text


def test_ways_are_blocks_of_the_loop():
    def body(i, x):
        return fd.cond(np.sum(x) > 1, lambda x: x / 2, lambda x: np.sqrt(abs(x)) + i, x)

    text = check(looped(body), np.array([0.3, -0.2]), np.array([2.0, 1.5]))
    (loop,) = (t for t in text.split("define ") if ".loop" in t.partition("(")[0])
    steps = loop[loop.index("head:") : loop.index("exit:")]
    assert ".branch" not in text
    assert "load" not in steps
    assert "store" not in steps


def test_ways_in_ways_pass_numbers_on():
    def body(i, x):
        def inner(x, k):
            return fd.cond(x > 1.5, lambda x, k: (x - 1, k + 1), lambda x, k: (x, k * 2), x, k)

        x, _ = fd.cond(x > 1, inner, lambda x, k: (x * 1.7, k), x, i)
        return x

    check(looped(body), 0.3, 1.2, -4.0)


@pytest.mark.parametrize("zeros", [(0.0, -0.0), (-0.0, -0.0), (0.0, 0.0)])
def test_constants_are_told_apart_by_their_signs(zeros):
    def body(_, x):
        return x * fd.cond(x > 1, lambda: zeros[0], lambda: zeros[1])

    check(looped(body, 3), 2.0, 0.5, derivatives=False)


def test_truth_values_and_integers_are_chosen():
    def f(x):
        def body(s):
            x, n, on = s
            return fd.cond(
                on,
                lambda x, n: (x * 0.9, n + 1, x > 0.5),
                lambda x, n: (x + 0.3, n, np.bool_(True)),
                x,
                n,
            )

        return fd.while_loop(lambda s: s[1] < 7, body, (x, np.int64(0), np.bool_(True)))[0]

    check(f, 0.2, 3.0)


def test_conditions_have_branches():
    def f(x):
        def going(x):
            return fd.cond(x > 3, lambda x: np.sin(x) > 0, lambda x: x < 40, x)

        return fd.while_loop(going, lambda x: x + 0.4, x)

    check(f, 0.2, 5.0, derivatives=False)


def test_loops_and_memory_on_a_way():
    def body(i, x):
        def way(x):
            y = np.linspace(0, 1, 20) * x[0]
            z = fd.while_loop(lambda z: z < 3, lambda z: z * 1.5 + 0.1, np.max(y) + 0.2)
            return x * 0.5 + np.tanh(np.sum(np.sin(y))) / z

        return fd.cond(np.max(x) > 0.3 * i, way, lambda x: x[::-1] + fd.fori_loop(0, 3, body_of_three, x), x)

    def body_of_three(_, x):
        return x * 0.7 + 0.1

    compiled, x = jit(looped(body)), np.array([0.4, -0.1, 0.2])
    assert_allclose(compiled(x), looped(body)(x), rtol=1e-12)
    g = fd.grad(lambda x: np.sum(looped(body)(x)))
    assert_allclose(jit(g)(x), g(x), rtol=1e-12)


def test_results_used_by_loops_over_arrays():
    def f(x):
        def body(_, s):
            y, a = s
            a = fd.cond(a > 2, lambda a: a / 3, lambda a: a + np.sqrt(a), a)
            return y * 0.9 + a, a

        return fd.fori_loop(0, 6, body, (np.linspace(0, 1, 50) * x, x))[0]

    assert_allclose(jit(f)(1.1), f(1.1), rtol=1e-15)


def test_errors_on_a_way_are_numpys():
    values = np.arange(4.0)

    def body(i, x):
        return fd.cond(x > 3, lambda x, i: x + values[i], lambda x, i: x + 1, x, i)

    f = looped(body, 6)
    compiled = jit(lambda x: f(x))
    assert compiled(-5.0) == f(-5.0)
    for g in (f, compiled):
        with pytest.raises(IndexError, match="out of bounds"):
            g(0.0)
