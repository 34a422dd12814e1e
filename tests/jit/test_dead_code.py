"""What nobody needs of loops and branches is dropped, and the rest gives the same."""

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.tape import bodies
from funcdiff.jit.passes import dead_in_loops
from funcdiff.jit.passes.dead_code import drop_dead_code


def total(tape):
    """Count records, those of bodies included."""
    return len(tape.records) + sum(total(b) for r in tape.records for b in bodies(r).values())


def carries(tape):
    return [r.params["carries"] for r in tape.records if "carries" in r.params]


def counted(x):
    """Three carries of which one is wanted, that needs a second; one of two results per step."""

    def step(carry, k):
        a, b, c = carry
        return (np.sin(a) * x, b + a, np.exp(-c) * b), (a * k, np.cos(c))

    (_, b, _), (ys, _) = fd.scan(step, (x, x, x), np.arange(4.0))
    return b + ys[2]


def ended(x):
    """The condition needs a carry that nobody reads, and an invariant."""
    y = 2 * x

    def step(state):
        a, b, c, d = state
        return a * x, b + 1.0, c + b, np.tanh(d) * a

    return fd.while_loop(lambda s: s[2] < y + 9, step, (x, x, x, x))[0]


def nested(x):
    def step(i, carry):
        a, b = carry
        inner = fd.while_loop(
            lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x, np.sin(s[2]) + b), (a - a, a, a)
        )
        return inner[1], b + inner[2]

    return fd.fori_loop(0, 5, step, (x, x))[0]


def branching(x):
    def step(i, carry):
        a, b = carry
        return fd.cond(a > b, lambda a, b: (a * x, np.exp(b)), lambda a, b: (a + x, np.sin(b) * i), a, b)

    return fd.fori_loop(0, 5, step, (x, 2 * x))[0]


def whole_numbers(x):
    def step(state):
        n, m, y = state
        return n + 1, m * 2 + n, y * x

    n, m, _ = fd.while_loop(lambda s: s[0] < 7, step, (0, 1, x))
    return x * m + n


PROGRAMS = [counted, ended, nested, branching, whole_numbers]


def mapped(f):
    return fd.vmap(lambda x: f(x[0]))


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_the_rest_gives_the_same(f):
    for transform in (
        lambda f: f,
        fd.grad,
        lambda f: fd.grad(fd.grad(f)),
        mapped,
    ):
        start = np.full((3, 1), 0.6) if transform is mapped else 0.6
        tape = fd.trace(transform(f))(start)
        small = drop_dead_code(tape)
        small.validate()
        assert total(small) <= total(tape)
        for x in (start, start * 1.5):
            np.testing.assert_array_equal(small.run(x), tape.run(x))
    small = drop_dead_code(fd.trace(f)(0.6))
    np.testing.assert_allclose(fd.grad(small.run)(0.6), fd.grad(f)(0.6), rtol=1e-13)


def test_carries_and_steps_are_dropped():
    small = [drop_dead_code(fd.trace(f)(0.6)) for f in PROGRAMS]
    assert [carries(t)[0] for t in small] == [2, 3, 1, 3, 2]  # `branching` reads its index, which is carried
    assert all(
        total(t) < total(fd.trace(f)(0.6)) for t, f in zip(small, PROGRAMS, strict=True) if f is not branching
    )
    (loop,) = [r for r in small[0].records if "carries" in r.params]
    assert len(loop.outputs) == 3


def test_loops_in_which_a_variable_decides_alone_leave_the_derivative():
    def f(x):
        def step(state):
            y, height, n = state
            return 0.9 * y, 0.9 * y * x, n + 1

        start = np.float64(3.0)
        return x * x + fd.while_loop(lambda s: (s[1] > 1) & (s[2] < 9), step, (start, start * x, 0))[0]

    assert carries(drop_dead_code(fd.trace(fd.grad(f))(0.7))) == []
    pushed = fd.trace(lambda x: fd.jvp(f, x, 1.0))(0.7)
    assert (carries(pushed), carries(drop_dead_code(pushed))) == ([4], [3])


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_compiled(f, backend):
    for transform in (lambda f: f, fd.grad, lambda f: fd.jacfwd(fd.grad(f))):
        compiled = fd.jit(transform(f), backend=backend)
        for x in (0.6, 0.9):
            np.testing.assert_allclose(compiled(x), transform(f)(x), rtol=1e-11)


def test_no_body_is_made_of_a_loop_that_needs_all_it_carries(monkeypatch):
    def f(x):
        return fd.scan(lambda c, _: ((c[1] * x, np.sin(c[0])), None), (x, x), None, length=4)[0][0]

    tape = fd.trace(f)(0.3)
    monkeypatch.setattr(dead_in_loops, "make_body", None)
    assert drop_dead_code(tape) is tape
