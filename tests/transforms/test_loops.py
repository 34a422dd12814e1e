"""Loops and branches: what they mean, as jax.lax has it, and what they refuse."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import funcdiff as fd


class Pair(NamedTuple):
    a: Any
    b: Any


WAYS = {"at once": lambda f: f, "traced": lambda f: lambda *a: fd.trace(f)(*a).run(*a), "jit": fd.jit}


@pytest.fixture(params=WAYS, ids=str)
def way(request):
    return WAYS[request.param]


def test_scan_carries_and_stacks(way):
    def run(xs):
        return fd.scan(lambda c, x: (c + x, c * x), 1.0, xs)

    last, ys = way(run)(np.array([2.0, 3.0, 4.0]))
    assert last == 10.0
    np.testing.assert_array_equal(ys, [2.0, 9.0, 24.0])


def test_scan_from_the_end(way):
    last, ys = way(lambda xs: fd.scan(lambda c, x: (c + x, c), 0.0, xs, reverse=True))(np.arange(4.0))
    assert last == 6.0
    np.testing.assert_array_equal(ys, [6.0, 5.0, 3.0, 0.0])


def test_scan_over_containers(way):
    def step(c, x):
        return {"s": c["s"] + x[0] @ x[1].a, "n": c["n"] + 1}, (x[1].b, None, Pair(c["n"], c["s"]))

    def run(u, v):
        return fd.scan(step, {"s": 0.0, "n": 0}, (u, Pair(v, 2 * v[:, 0])))

    u, v = np.arange(6.0).reshape(3, 2), np.ones((3, 2))
    last, (twice, nothing, pair) = way(run)(u, v)
    assert last == {"s": 15.0, "n": 3}
    assert nothing is None
    assert type(pair) is Pair
    np.testing.assert_array_equal(twice, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(pair.a, [0, 1, 2])
    np.testing.assert_array_equal(pair.b, [0.0, 1.0, 6.0])
    assert pair.a.dtype == int


def test_scan_without_xs(way):
    assert way(lambda x: fd.scan(lambda c, nothing: (c * 2, nothing), x, None, length=5))(1.5) == (48.0, None)


@pytest.mark.parametrize("reverse", [False, True])
def test_zero_steps(way, reverse):
    def run(c, xs):
        return fd.scan(lambda c, x: (c + x, (c[:2] * 2, 1)), c, xs, reverse=reverse)

    c = np.arange(3.0)
    last, (ys, ones) = way(run)(c, np.ones((0, 3)))
    np.testing.assert_array_equal(last, c)
    assert ys.shape == (0, 2)
    assert ones.shape == (0,)
    assert ones.dtype == int
    gradient = fd.grad(lambda c: np.sum(way(run)(c, np.ones((0, 3)))[0] ** 2))(c)
    np.testing.assert_array_equal(gradient, 2 * c)


def test_zero_trips_of_a_while(way):
    run = way(lambda x: fd.while_loop(lambda y: y < 0, lambda y: y + 1.5, x))
    assert run(2.0) == 2.0
    assert fd.grad(run)(2.0) == 1.0
    assert run(-2.0) == 1.0


def test_while_at_other_numbers_of_steps():
    def halvings(x):
        return fd.while_loop(lambda s: s[0] > 1.0, lambda s: (s[0] / 2, s[1] + 1), (x, 0))

    tape = fd.trace(halvings)(8.0)
    assert len(tape) == 1
    assert not tape.guards
    assert tape.run(8.0) == (1.0, 3)
    assert tape.run(1024.0) == (1.0, 10)
    assert tape.run(0.5) == (0.5, 0)


def test_reverse_mode_holds_for_any_number_of_steps():
    def root(x):
        return fd.while_loop(lambda y: abs(y * y - x) > 1e-13 * x, lambda y: (y + x / y) / 2, x)

    first, second = fd.trace(fd.grad(root))(2.0), fd.trace(fd.grad(fd.grad(root)))(2.0)
    for x in (2.0, 3e4, 1e-3, 1e12):  # up to some fifty steps
        np.testing.assert_allclose(first.run(x), 0.5 / np.sqrt(x), rtol=1e-9)
        np.testing.assert_allclose(second.run(x), -0.25 * x**-1.5, rtol=1e-7)


def test_growth_past_the_first_slots():
    def count(x, limit):
        return fd.while_loop(lambda s: s[0] < limit, lambda s: (s[0] + 1, s[1] * x + np.sin(s[1])), (0, x))[1]

    def plain(x, limit):
        y = x
        for _ in range(limit):
            y = y * x + np.sin(y)
        return y

    tape = fd.trace(fd.grad(count))(0.3, 2)
    for limit in (0, 1, 63, 64, 65, 300):
        np.testing.assert_allclose(tape.run(0.3, limit), fd.grad(plain)(0.3, limit), rtol=1e-12)


def test_fori_loop(way):
    run = way(lambda x: fd.fori_loop(2, 5, lambda i, c: c * x + i, 1.0))
    assert run(2.0) == ((1 * 2 + 2) * 2 + 3) * 2 + 4
    assert way(lambda x: fd.fori_loop(5, 2, lambda i, c: c * x, 1.0))(2.0) == 1.0


def test_an_index_gives_way_like_a_python_integer(way):
    x = np.float32(0.5)
    out = way(lambda x: fd.fori_loop(-2, 2, lambda i, c: c * x + i, 0.0))(x)
    assert out.dtype == np.float32
    assert out == ((-2 * 0.5 - 1) * 0.5 + 0) * 0.5 + 1


def test_counted_loops_need_no_array_of_indices():
    def f(x, n):
        return fd.fori_loop(3, n, lambda i, c: np.sin(c) + 1e-3 * x * i, x)

    for transform in (f, fd.grad(f), fd.grad(fd.grad(f))):
        tape = fd.trace(lambda x, t=transform: t(x, 10**12))(0.3)  # no step is taken
        tape.validate()
        made = [v.type for r in tape.records for v in r.outputs]
        assert not any(k.shape and k.dtype == np.int64 for k in made)
        assert not any(np.size(a.value) > 1 for r in tape.records for a in r.inputs if hasattr(a, "value"))
        again = fd.trace(lambda x, t=transform: t(x, 9))
        assert again(0.3).run(0.7) == pytest.approx(transform(0.7, 9), rel=1e-13)


@pytest.mark.parametrize("by", [np.int8(1), np.int8(2), np.int8(5)])
def test_counters_of_any_loop_are_counted_back(by):
    def f(x):
        def step(state):
            n, c = state
            return n + by, np.sin(c) * n

        return fd.while_loop(lambda s: s[0] * by < 40, step, (np.int8(3), x))[1]

    gradient = fd.trace(fd.grad(f))(0.3)
    stacks = gradient.records[0].params["body"].outputs[2:]
    assert [v.type.dtype for v in stacks] == [np.float64] * len(stacks)
    assert gradient.run(1.2) == pytest.approx(fd.grad(f)(1.2), rel=1e-13)
    second = fd.trace(fd.grad(fd.grad(f)))(0.3)
    assert second.run(1.2) == pytest.approx(fd.grad(fd.grad(f))(1.2), rel=1e-12)


def test_bounds_that_are_traced():
    def power(x, n):
        return fd.fori_loop(0, n, lambda i, c: c * x, 1.0)

    run = fd.jit(power)
    assert [float(run(2.0, n)) for n in (0, 1, 5)] == [1.0, 2.0, 32.0]
    assert float(fd.grad(run)(2.0, 5)) == 80.0
    np.testing.assert_array_equal(fd.vmap(power)(np.full(3, 2.0), np.array([0, 1, 5])), [1.0, 2.0, 32.0])
    gradient = fd.vmap(fd.grad(power))(np.full(3, 2.0), np.array([0, 1, 5]))
    np.testing.assert_array_equal(gradient, [0.0, 1.0, 80.0])


def test_cond_takes_one_branch(way):
    run = way(lambda x: fd.cond(x > 0, lambda x: (np.sqrt(x), 1), lambda x: (-x, 0), x))
    assert run(4.0) == (2.0, 1)
    assert run(-4.0) == (4.0, 0)


def test_cond_on_one_tape_takes_both_branches():
    def f(x):
        return fd.cond(x > 0, np.sqrt, np.negative, x)

    for tape, values in ((fd.trace(f)(4.0), (2.0, 9.0)), (fd.trace(fd.grad(f))(4.0), (0.25, -1.0))):
        assert not tape.guards
        assert tape.run(4.0) == values[0]
        assert tape.run(-9.0) == values[1]


def test_a_number_and_an_operand_by_name_choose_too():
    assert fd.cond(3, lambda x: x, lambda x: -x, 1.0) == 1.0
    assert fd.cond(0, lambda x: x, lambda x: -x, operand=1.0) == -1.0
    assert fd.cond(np.bool_(True), lambda: 1, lambda: 2) == 1


def test_closed_over_values_are_constants_of_the_record():
    def f(w, b):
        def step(c, x):
            return np.tanh(w @ c + x) + b, None

        return np.sum(fd.scan(step, np.zeros(2), np.ones((3, 2)))[0])

    w, b = np.array([[0.1, 0.2], [0.3, 0.4]]), 0.5
    tape = fd.trace(f)(w, b)
    assert [r.primitive.name for r in tape.records] == ["loop", "sum"]

    def plain(w, b):
        c = np.zeros(2)
        for _ in range(3):
            c = np.tanh(w @ c + 1.0) + b
        return np.sum(c)

    for way in WAYS.values():
        for got, want in zip(way(fd.grad(f, (0, 1)))(w, b), fd.grad(plain, (0, 1))(w, b), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_steps_that_compute_with_what_they_close_over_only_are_made_once():
    tape = fd.trace(lambda w: fd.fori_loop(0, 5, lambda i, c: c + np.sin(w), 0.0))(1.0)
    assert [r.primitive.name for r in tape.records] == ["sin", "loop"]


def test_writes_in_place_reach_no_caller(way):
    def step(i, y):
        y[i] = y[i - 1] + 1.0
        return y

    start = np.zeros(4)
    np.testing.assert_array_equal(way(lambda y: fd.fori_loop(1, 4, step, y))(start), [0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(start, np.zeros(4))

    xs = np.ones((2, 2))

    def spoil(c, x):
        x[0] = 7.0
        return c + x, x

    way(lambda xs: fd.scan(spoil, np.zeros(2), xs))(xs)
    np.testing.assert_array_equal(xs, np.ones((2, 2)))


def test_carries_that_are_one_array_part(way):
    def step(i, state):
        a, b = state
        a[i] = 1.0
        return a, b + a

    def run(x):
        return fd.fori_loop(0, 2, step, (x, x))

    a, b = way(run)(np.zeros(2))
    np.testing.assert_array_equal(a, [1.0, 1.0])
    np.testing.assert_array_equal(b, [2.0, 1.0])

    def twins(i, state):
        a, _ = state
        a[i] = a[i] + 1.0
        return a, a

    a, b = way(lambda x: fd.fori_loop(0, 2, twins, (x, x)))(np.zeros(2))
    np.testing.assert_array_equal(a, [1.0, 1.0])
    np.testing.assert_array_equal(b, [1.0, 1.0])


def test_collected_buffers_keep_what_they_were(way):
    def step(y, n):
        y = y.copy()
        y[0] = y[0] + n
        return y, y

    def in_place(y, n):
        y[0] = y[0] + n
        return y, y

    for body in (step, in_place):
        _, ys = way(lambda y, body=body: fd.scan(body, y, np.arange(3.0)))(np.zeros(2))
        np.testing.assert_array_equal(ys, [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])


def test_rows_read_at_an_index_cannot_be_written_through():
    def step(i, y):
        row = y[i]
        row[0] = 1.0
        return y

    with pytest.raises(fd.errors.UnsupportedError, match=r"Write y\[i, j\] = v"):
        fd.trace(lambda y: fd.fori_loop(0, 2, step, y))(np.zeros((2, 2)))


def test_python_numbers_take_the_dtype_of_the_first_step(way):
    x = np.ones(3, np.float32)
    last, ys = way(lambda x: fd.scan(lambda c, v: (c + v, c), 0.0, x))(x)
    assert last.dtype == np.float32
    assert last == 3.0
    out = way(lambda x: fd.fori_loop(0, 3, lambda i, c: c + i * x[0] + i / 2, x))(x)
    assert out.dtype == np.float32
    out = way(lambda x: fd.fori_loop(0, 3, lambda i, c: c + x, 0.0 * x))(x)
    assert out.dtype == np.float32
    assert way(lambda x: fd.scan(lambda c, v: (c + v, None), 0, x))(np.ones(2))[0] == 2.0


def test_integer_and_boolean_carries(way):
    def step(state, x):
        best, at, found, n = state
        better = x > best
        return (np.where(better, x, best), np.where(better, n, at), found | better, n + 1), None

    run = way(lambda xs: fd.scan(step, (0.0, -1, False, 0), xs)[0])
    assert run(np.array([1.0, 5.0, 2.0])) == (5.0, 1, True, 3)
    assert run(np.array([-1.0])) == (0.0, -1, False, 1)
    gradient = fd.grad(lambda xs: run(xs)[0])(np.array([1.0, 5.0, 2.0]))
    np.testing.assert_array_equal(gradient, [0.0, 1.0, 0.0])


def test_complex_carries(way):
    def f(z):
        return fd.scan(lambda c, _: (c * c + z, None), z, None, length=3)[0]

    def plain(z):
        c = z
        for _ in range(3):
            c = c * c + z
        return c

    z = 0.3 + 0.2j
    np.testing.assert_allclose(way(f)(z), plain(z))
    want = fd.grad(plain, holomorphic=True)(z)
    np.testing.assert_allclose(way(fd.grad(f, holomorphic=True))(z), want)


def test_bodies_that_ask_for_values_are_unrolled():
    def f(x):
        return fd.fori_loop(0, 4, lambda i, c: c * 2 if c < 5 else c + 1, x)

    tape = fd.trace(f)(1.0)
    assert "loop" not in [r.primitive.name for r in tape.records]
    assert len(tape.guards) == 4
    assert tape.run(1.1) == f(1.1)
    assert fd.jit(f)(3.0) == f(3.0)


def test_lookup_in_a_traced_table(way):
    def f(table, numbers):
        return fd.scan(lambda c, n: (c + table[n], None), 0.0, numbers)[0]

    table, numbers = np.array([1.0, 10.0, 100.0]), np.array([0, 2, 2])
    assert way(f)(table, numbers) == 201.0
    np.testing.assert_array_equal(way(fd.grad(f))(table, numbers), [1.0, 0.0, 2.0])


def test_aux_and_nested_containers():
    def f(x):
        last, ys = fd.scan(lambda c, v: (c * v, c), x, np.array([2.0, 3.0]))
        return last, {"steps": ys}

    (value, aux), gradient = fd.jit(fd.value_and_grad(f, has_aux=True))(2.0)
    assert value == 12.0
    assert gradient == 6.0
    np.testing.assert_array_equal(aux["steps"], [2.0, 4.0])


def test_results_are_the_callers_own(way):
    x = np.ones(3)
    out = way(lambda x: fd.while_loop(lambda s: s[0] < 0, lambda s: s, (x[0], x)))(x)[1]
    out[0] = 5.0
    assert x[0] == 1.0


# --- the tape ----------------------------------------------------------------------------------------


def test_the_body_is_shown_indented():
    shown = str(fd.trace(lambda c, xs: fd.scan(lambda c, x: (c * x, c), c, xs))(1.0, np.ones(3)))
    assert shown.partition("(c")[2] == (
        ": float64[], xs: float64[3]):\n"
        "  x2: float64[], x3: float64[3] = loop(c, xs, carries=1, invariants=0, length=3)\n"
        "    body(x0: float64[], x1: float64[]):\n"
        "      x2: float64[] = multiply(x0, x1)\n"
        "      return x2, x0\n"
        "  return x2, x3"
    )


@pytest.mark.parametrize(
    "transform", [lambda f: f, fd.grad, lambda f: fd.grad(fd.grad(f))], ids=["0", "1", "2"]
)
def test_tapes_do_not_grow_with_the_number_of_steps(transform):
    def f(c, xs):
        last, ys = fd.scan(lambda c, x: (np.sin(c) * x, c), c, xs)
        return last + np.sum(ys)

    lengths = [len(fd.trace(transform(f))(1.0, np.linspace(0.1, 0.9, n))) for n in (10, 10_000)]
    assert lengths[0] == lengths[1] < 30


def test_a_tape_with_loops_is_checked_and_counted():
    tape = fd.trace(lambda c: fd.fori_loop(0, 100, lambda i, c: np.sin(c) * c, c))(np.ones(5))
    tape.validate()
    assert tape.stats().flops == 1000


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: fd.scan(lambda c, x: c, x, np.ones(2)), fd.errors.StructureError, "pair"),
        (
            lambda x: fd.scan(lambda c, x: ((c, c), None), x, np.ones(2)),
            fd.errors.StructureError,
            "structure",
        ),
        (
            lambda x: fd.scan(lambda c, v: (c * v, None), x, np.ones((2, 3))),
            fd.errors.StructureError,
            r"float64\[3\]",
        ),
        (lambda x: fd.scan(lambda c, v: (c > 0, None), x, np.ones(2)), fd.errors.StructureError, r"bool\[\]"),
        (lambda x: fd.scan(lambda c, v: (c, "a"), x, np.ones(2)), fd.errors.StructureError, "str"),
        (lambda x: fd.scan(lambda c, v: (c, v), x, (np.ones(2), np.ones(3))), ValueError, "lengths differ"),
        (lambda x: fd.scan(lambda c, v: (c, v), x, np.ones(2), length=3), ValueError, "lengths differ"),
        (lambda x: fd.scan(lambda c, v: (c, v), x), ValueError, "xs or a length"),
        (lambda x: fd.scan(lambda c, v: (c, v), x, 3.0), ValueError, "scalar.*closes over"),
        (lambda x: fd.scan(lambda c, v: (c, v), x, None, length=-1), ValueError, "negative"),
        (lambda x: fd.scan(lambda c, v: (c, v), "a", np.ones(2)), fd.errors.StructureError, "str"),
        (lambda x: fd.scan(lambda c, v: (c, v), x, np.ones(2), unroll=0), ValueError, "unroll"),
        (lambda x: fd.scan(lambda c, v: (c, v), x, np.ones(2), checkpoint=0), ValueError, "checkpoint"),
        (
            lambda x: fd.while_loop(lambda c: c, lambda c: c, x),
            fd.errors.StructureError,
            "boolean scalar.*np.any",
        ),
        (lambda x: fd.while_loop(x, lambda c: c, x), fd.errors.StructureError, "cond_fun of while_loop"),
        (
            lambda x: fd.fori_loop(0, 3, x, x),
            fd.errors.StructureError,
            "body_fun of fori_loop must be a function",
        ),
        (lambda x: fd.scan(x, x, np.ones(2)), fd.errors.StructureError, "f of scan must be a function"),
        (
            lambda x: fd.cond(True, x, lambda: x),
            fd.errors.StructureError,
            "true_fun of cond must be a function",
        ),
        (lambda x: fd.fori_loop(0, 3, lambda i, c: None, x), fd.errors.StructureError, "None.*written to"),
        (lambda x: fd.fori_loop(0, x * 2, lambda i, c: c, x), TypeError, r"integers, not .*int\("),
        (
            lambda x: fd.while_loop(lambda c: c < 2, lambda c: np.ones(2), x),
            fd.errors.StructureError,
            "carry",
        ),
        (lambda x: fd.fori_loop(0, 2.5, lambda i, c: c, x), TypeError, "integers"),
        (
            lambda x: fd.cond(np.ones(2) > 0, lambda: 1, lambda: 2),
            fd.errors.StructureError,
            "np.where chooses",
        ),
    ],
)
def test_errors(call, error, message):
    for run in (call, fd.trace(call), fd.grad(call)):
        with pytest.raises(error, match=message) as caught:
            run(1.0)
        assert "test_loops.py" in str(caught.value)


def test_branches_that_differ_are_refused_where_both_are_looked_at():
    with pytest.raises(fd.errors.StructureError, match=r"float64\[\] and int64\[\]"):
        fd.trace(lambda x: fd.cond(x > 0, lambda x: x, lambda x: 1, x))(1.0)
    with pytest.raises(fd.errors.StructureError, match="structures"):
        fd.vmap(lambda x: fd.cond(x > 0, lambda x: x, lambda x: (x, x), x))(np.ones(2))


def test_values_of_a_body_do_not_escape():
    kept = []

    def step(c, x):
        kept.append(c)
        return c * x, None

    fd.trace(lambda c: fd.scan(step, c, np.ones(2))[0])(1.0)
    with pytest.raises(fd.errors.EscapedTraceError, match=r"body of a loop.*outside of it.*carry"):
        kept[0] + 1


BOOLEAN_CARRIES = {
    "fori": lambda x: fd.fori_loop(
        0, 4, lambda i, c: (~c[0], np.where(c[0], x[i], c[1])), (True, 0.0 * x[0])
    )[1],
    "scan": lambda x: fd.scan(
        lambda c, a: ((~c[0], np.where(c[0], a, c[1])), c[1]), (True, 0.0 * x[0]), x[:]
    )[0][1],
    "while": lambda x: fd.while_loop(
        lambda c: ~c[0] | (c[1] < 3), lambda c: (~c[0], c[1] + 1, np.where(c[0], x[2], c[2])), (True, 0, x[0])
    )[2],
}


@pytest.mark.parametrize("loop", BOOLEAN_CARRIES)
def test_a_carried_python_bool_is_a_boolean_of_numpy(way, loop):
    f, x = BOOLEAN_CARRIES[loop], np.array([1.0, 2.0, 3.0, 4.0])
    assert way(f)(x) == 3.0
    np.testing.assert_array_equal(way(fd.grad(f))(x), [0.0, 0.0, 1.0, 0.0])


def test_a_carried_python_bool_is_seen_as_one_without_steps(way):
    seen = []

    def step(c, a):
        seen.append(type(~c).__name__ != "int")
        return ~c, a

    assert way(lambda xs: fd.scan(step, True, xs)[0])(np.ones(0))
    assert all(seen)


def test_a_carried_python_bool_gives_way_where_examples_stop_by_themselves():
    def f(x):
        return fd.while_loop(lambda c: c[1] < 3.0, lambda c: (c[0] + 1, c[1] * 2.0), (True, x))[0]

    assert [f(1.0), f(2.0)] == [3, 2]
    np.testing.assert_array_equal(fd.vmap(f)(np.array([1.0, 2.0])), [3, 2])
