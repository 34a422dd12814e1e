"""Bodies that do the same are one: what is derived of it, and compiled, is made once; those that differ stay apart.

What depends on what in a body is found without running it.
"""

import gc
import itertools

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.tape import bodies
from funcdiff.transforms.loops import batched, derive
from funcdiff.transforms.loops.body import BODIES, apply_body
from funcdiff.transforms.loops.dependence import mapped_outputs
from funcdiff.transforms.vmap import run_batch


def of_loops(tape):
    """Return the bodies of the loops on a tape."""
    return [r.params["body"] for r in tape.records if "body" in r.params]


def root(x, c=2.0):
    return fd.while_loop(lambda y: abs(y * y - x) > 1e-12 * x, lambda y: (y + x / y) / c, x)


@pytest.fixture
def made(answered):
    """Count the programs of a step and its pullback."""
    return answered(derive, "joint")


def test_loops_that_do_the_same_have_one_body():
    first, second = of_loops(fd.trace(lambda x: root(x) + root(x * x))(2.0))
    assert first is second


def test_equal_loops_are_derived_once_wherever_they_stand(made):
    def f(x):
        def step(c, _):
            return c + fd.cond(x > 1, root, lambda x: x, x * c), None

        return root(x) + fd.scan(step, root(x * x), None, length=3)[0] + fd.grad(root)(x + 1)

    tape = fd.trace(fd.grad(lambda x: root(x) + root(x * x)))(2.0)
    assert len(made) == 1
    assert fd.grad(lambda x: root(x) + root(x * x))(2.0) == pytest.approx(tape.run(2.0), rel=1e-14)
    made.clear()
    gradient = fd.trace(fd.grad(f))(2.0).run(2.0)
    assert len(made) == 4  # root, what fd.grad made of it: there and back, and the step
    assert gradient == pytest.approx(fd.grad(f)(2.0), rel=1e-13)


@pytest.mark.parametrize("constants", [(0.0, -0.0), (1, 1.0), (1, True), (np.float32(1), np.float64(1))])
def test_constants_that_differ_in_sign_or_type_keep_bodies_apart(constants):
    def f(x, one):
        return fd.scan(lambda c, _: (c * x, np.arctan2(one, c) * 1.0), x, None, length=2)[1]

    x = np.float64(-2.0)
    tape = fd.trace(lambda x: [f(x, c) for c in constants])(x)
    one, other = of_loops(tape)
    assert one is not other
    for y, c in zip(tape.run(x), constants, strict=True):
        np.testing.assert_array_equal(y, f(x, c))


def test_what_is_kept_of_inner_loops_keeps_bodies_apart():
    """A stack is of the same type whatever its elements are."""

    def f(x, size):
        def step(c, _):
            return fd.while_loop(lambda y: y[0] < 9, lambda y: y * x, c * np.ones(size)).mean(), None

        return fd.scan(step, x, None, length=3)[0]

    def both(x):
        return f(x, 2) * f(x, 3)

    for g in (fd.grad(both), fd.grad(fd.grad(both))):
        assert fd.trace(g)(1.5).run(1.5) == pytest.approx(g(1.5), rel=1e-12)


def test_a_body_under_other_conditions_is_batched_anew():
    def f(x, limit):
        return fd.while_loop(lambda y: y < limit * x, lambda y: 1.5 * y + x, x)

    xs = np.array([1.0, 2.0, 5.0])
    for limit in (3.0, 9.0, 27.0, 5.0):
        gc.collect()
        tape = fd.trace(fd.vmap(lambda x, limit=limit: f(x, limit) + f(x, 2 * limit)))(xs)
        np.testing.assert_array_equal(tape.run(xs), [f(x, limit) + f(x, 2 * limit) for x in xs])


def test_bodies_live_as_long_as_a_tape_holds_them():
    tape = fd.trace(lambda x: root(x, 3.25))(2.0)
    (body,) = of_loops(tape)
    assert any(b is body for b in BODIES.values())
    number = len(BODIES)
    del tape, body
    gc.collect()
    assert len(BODIES) < number


def test_records_quote_their_own_lines():
    def f(x):
        a = fd.scan(lambda c, _: (np.sin(c), None), x, None, length=2)[0]
        b = fd.scan(lambda c, _: (np.sin(c), None), x, None, length=2)[0]
        return a + b

    lines = [b.records[0].line for r in fd.trace(f)(1.0).records for b in bodies(r).values()]
    assert len(set(lines)) == 2


def test_constants_of_other_types_or_signs_make_other_steps():
    """Equal numbers are one constant only if they are alike to the last bit and of one type."""

    def step(c, _):
        return c + sum(
            [1 / (c * k) for k in (0.0, -0.0, 0, True, 1, 1.0, 2**70, 2.0**70, np.nan, np.nan)]
        ), None

    (body,) = of_loops(fd.trace(lambda x: fd.scan(step, x, None, length=2)[0])(1.5))
    kept = [r.inputs[1].value for r in body.records if r.primitive.name == "multiply"]
    assert list(map(repr, kept)) == ["0.0", "-0.0", "0", "True", "1", "1.0", str(2**70), repr(2.0**70), "nan"]


def test_values_that_a_body_closes_over_come_in_once():
    """Whatever reads them, by whichever name, and as they were when they were read."""

    def f(x, n):
        y, z = np.exp(x), x

        def step(c, _):
            for k in range(n):
                c = c * y + (c * z + k) * y
            return c, None

        return np.sum(fd.scan(step, x, None, length=3)[0])

    for x in (0.5, np.linspace(0.1, 0.4, 3)):
        tape = fd.trace(lambda x: f(x, 4))(x)
        (body,) = of_loops(tape)
        assert len(body.inputs) <= 4
        assert tape.run(x) == f(x, 4)
        assert fd.trace(fd.grad(lambda x: f(x, 4)))(x).run(x) == pytest.approx(
            fd.grad(lambda x: f(x, 4))(x), rel=1e-14
        )


def mixed(a, b, n, p):
    """Loops and branches of which some results depend on some operands only."""

    def step(i, s):
        x, y, z = s
        inner = fd.while_loop(lambda t: t[0] < 3.0, lambda t: (t[0] + 1.0, t[1] * y), (x, z))
        return y, y * 0.5, inner[1] + i

    x, y, z = fd.fori_loop(0, 3, step, (a, b, a * 0.0))
    u, v = fd.cond(p > 0, lambda a, b: (np.sin(a), 1.0), lambda a, b: (a, b), a, b)
    w = fd.scan(lambda c, k: (c, (c * 2.0, k)), b, np.stack([n, n]))[1]
    return x, y, z, u, v, w[0][1], w[1][0], np.array(2.0)


def test_what_differs_in_a_batch_is_known_before_it_is_run():
    tape = fd.trace(mixed)(0.5, 1.5, 2.5, 1.0)
    for flags in itertools.product((False, True), repeat=4):
        values = [np.array([0.5, 0.6]) if f else np.float64(0.5) for f in flags]
        pairs, _ = run_batch(lambda boxes: (apply_body(tape, boxes), None), values, flags, 2)
        assert mapped_outputs(tape, flags) == [bool(m) for _, m in pairs], flags


def test_a_batch_of_a_loop_is_recorded_once(answered):
    found = answered(batched, "record_closed")
    fd.trace(fd.vmap(lambda x: fd.fori_loop(0, 9, lambda i, s: (s[1], s[2], s[2] * x), (1.0, 1.0, x))))(
        np.ones(3)
    )
    assert len(found) == 1


def test_what_is_kept_with_a_body_does_not_grow_with_the_numbers_of_steps():
    def step(c, _):
        return (np.sin(c[0]) * c[1], c[1] + 1.0, c[2] * c[0]), c[2]

    held, sizes = [], []
    for n in range(2, 8):
        f = fd.jit(lambda x, n=n: fd.scan(step, (x, x, x), None, length=n)[0][0], backend="numpy")
        assert f(0.5) == f.__wrapped__(0.5)
        held.append((f, f.lower(0.5)))
        (body,) = of_loops(held[-1][1].tape)
        sizes.append(len(body.derived))
    assert len(set(sizes)) == 1


def test_tangents_widen_a_condition_once():
    def f(x):
        return fd.while_loop(lambda s: s[0] < 3.0, lambda s: (s[0] + 1.0, s[1] * x), (0.0, x))[1]

    tape = fd.trace(lambda x: [fd.jvp(f, t, 1.0)[1] for t in (x, 2 * x)])(1.5)
    first, second = (r.params["cond"] for r in tape.records if "cond" in r.params)
    assert first is second
