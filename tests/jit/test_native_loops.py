"""Loops as machine code: the results and derivatives of the reference interpreter, whatever loops do."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.jit.native.engine import why_not
from tests.random_expressions import Expressions
from tests.transforms import test_loop_derivatives as programs

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")


def is_native(f, *args):
    """Tell whether all of a program is machine code."""
    source = jit(f).lower(*args).source
    return "define i32 @kernel" in source and "def run" not in source


def same(found, expected, rtol=1e-11):
    assert_allclose(found, expected, rtol=rtol, atol=1e-12)
    assert np.asarray(found).dtype == np.asarray(expected).dtype


@pytest.mark.parametrize("f", programs.SCALAR, ids=lambda f: f.__name__)
@pytest.mark.parametrize("modes", ["", "f", "r", *map("".join, itertools.product("fr", repeat=2))])
def test_all_modes_are_native(f, modes):
    check_modes(f, modes)


@pytest.mark.parametrize("modes", list(map("".join, itertools.product("fr", repeat=3))))
def test_all_modes_of_third_order_are_native(modes):
    check_modes(programs.while_in_scan, modes)


def check_modes(f, modes):
    for mode in modes:
        f = programs.MODES[mode](f)
    compiled = jit(f)
    for w in (0.7, 1.3, -0.4):
        same(compiled(w), f(w), 1e-9)
    assert is_native(f, 0.7)


def root(x):
    return fd.while_loop(lambda y: abs(y * y - x) > 1e-9 * x, lambda y: (y + x / y) / 2, x)


def steps_of(x, n):
    """A loop with as many steps as an argument says, and a residual per step."""
    return fd.while_loop(
        lambda s: s[1] < n, lambda s: (np.sin(s[0]) * x + s[0] / 2, s[1] + 1), (x, np.int64(0))
    )[0]


@pytest.mark.parametrize("transform", [lambda f: f, fd.grad, lambda f: fd.grad(fd.grad(f))])
def test_any_number_of_steps(transform):
    f = transform(steps_of)
    compiled = jit(f)
    for n in (3, 0, 1, 63, 64, 65, 128, 129, 700):  # stacks start with 64 elements
        same(compiled(0.9, np.int64(n)), f(0.9, np.int64(n)), 1e-9)


def test_zero_steps():
    def f(x, xs):
        (a, b), ys = fd.scan(lambda c, t: ((c[0] * t, c[1] + c[0]), c[0]), (x, np.ones(40) * x), xs)
        return a + np.sum(b) + np.sum(ys)

    for xs in (np.zeros(0), np.array([2.0]), np.array([2.0, 3.0]), np.array([2.0, 3.0, 0.5])):
        same(jit(f)(1.5, xs), f(1.5, xs))
        same(jit(fd.grad(f))(1.5, xs), fd.grad(f)(1.5, xs))
        same(jit(fd.grad(f, argnums=1))(1.5, xs), fd.grad(f, argnums=1)(1.5, xs))


@pytest.mark.parametrize("n", [1, 3, 14, 16, 17, 40, 200])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_arrays_that_are_carried(n, steps):
    rng = np.random.default_rng(n)
    a, x = rng.standard_normal((3, n)), rng.standard_normal(n)

    def f(x, a):
        def step(carry, row):
            y, z = carry
            y, z = np.sin(z) * row[0] + y, y * row[1] + np.sum(z * row[2]) / n
            return (y, z), (y[0], y * z)

        (y, z), (first, products) = fd.scan(step, (x, x), np.stack([a] * steps))
        return np.sum(y * z) + np.sum(first) + np.sum(products)

    same(jit(f)(x, a), f(x, a))
    for argnum in (0, 1):
        same(jit(fd.grad(f, argnums=argnum))(x, a), fd.grad(f, argnums=argnum)(x, a))
    assert is_native(f, x, a)
    assert is_native(fd.grad(f), x, a)


def test_carries_that_change_places():
    def f(x, y):
        return fd.fori_loop(0, 5, lambda i, c: (c[1], c[2] * 1.5, c[0] + c[1]), (x, y, x))

    for n in (3, 50):
        x, y = np.arange(n) + 0.5, np.ones(n)
        for found, want in zip(jit(f)(x, y), f(x, y), strict=True):
            same(found, want)
        assert_array_equal(x, np.arange(n) + 0.5)


def test_results_do_not_share_memory_with_arguments():
    x = np.arange(50.0)
    for steps in (0, 1, 2):
        y, z = jit(lambda x, n=steps: fd.fori_loop(0, n, lambda i, c: (c[1], c[0]), (x, 2 * x)))(x)
        assert not np.shares_memory(x, y)
        assert not np.shares_memory(y, z)


def test_other_dtypes():
    def f(x):
        def step(c, k):
            a, n, flag = c
            return (np.where(flag, a * x, a + k), n + 2, np.logical_not(flag)), (n, flag, a)

        return fd.scan(step, (x, np.int64(1), np.bool_(True)), np.arange(5, dtype=x.dtype))

    for x in (np.float64(1.5), np.float32(1.5), np.linspace(0, 1, 30, dtype=np.float32)):
        for part, expected in zip(jit(f)(x), f(x), strict=True):
            for found, want in zip(part, expected, strict=True):
                same(found, want, 1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity():
    def f(x):
        return np.sum(
            fd.scan(lambda c, t: (c * t, np.log(c) * t), x, np.array([2.0, 1e200, 1e200, 0.0, 3.0]))[1]
        )

    for x in (1.0, 0.0, -1.0, np.inf, np.nan):
        same(jit(f)(x), f(x))
        same(jit(fd.grad(f))(x), fd.grad(f)(x))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_products_keep_zeros():
    def f(x):
        def step(c, t):
            return c + np.where(x > 0, np.log(x) * np.sqrt(x), x) * t, c * np.where(c > 0, np.log(c), 1.0)

        c, ys = fd.scan(step, 0 * x, np.array([1.0, 2.0, 3.0]))
        return c + np.sum(ys)

    for g in (fd.grad(f), fd.grad(fd.grad(f)), lambda x: fd.jvp(f, x, 1.0)[1]):
        compiled = jit(g)
        for x in (2.0, 0.0, -1.0, 0.5, 0.0):
            same(compiled(x), g(x))


def test_arguments_with_gaps():
    def f(x, xs):
        return fd.scan(lambda c, t: (c * t[0] + t[1], np.sum(c)), x, xs)

    x, xs = np.arange(80.0)[::2], np.arange(40.0).reshape(2, 20).T
    for found, want in zip(jit(f)(x, xs), f(x, xs), strict=True):
        same(found, want)


def test_batches_of_loops_that_end_at_different_times():
    xs = np.array([2.0, 1e-3, 1e6, 30.0, 5.0])
    for f in (root, fd.grad(root), fd.grad(fd.grad(root))):
        same(jit(fd.vmap(f))(xs), np.array([f(x) for x in xs]), 1e-8)
    assert is_native(fd.vmap(root), xs)


def test_loops_in_branches_and_branches_in_loops():
    def f(x):
        def step(c, t):
            return fd.cond(
                c > 1, lambda c: root(c) * t, lambda c: fd.fori_loop(0, 4, lambda i, d: d + t, c), c
            ), c

        c, ys = fd.scan(step, x, np.linspace(0.5, 3, 9))
        return c + np.sum(ys * ys)

    for g in (f, fd.grad(f), fd.grad(fd.grad(f)), fd.grad(lambda x: fd.jvp(f, x, 1.0)[1])):
        compiled = jit(g)
        for x in (0.1, 2.0, 40.0):
            same(compiled(x), g(x), 1e-8)
    assert is_native(fd.grad(f), 0.1)


def sorted_in_scan_around_while(x):
    def step(c, t):
        y = fd.while_loop(lambda s: np.sum(s) < 50, lambda s: s * 1.5 + 1, c * c)
        return np.sort(y) / 20 * t, np.sum(y)

    c, ys = fd.scan(step, x, np.linspace(0.5, 1, 4))
    return np.sum(c) + np.sum(ys)


def sorted_in_while(x):
    return np.sum(
        fd.while_loop(lambda s: s[1] < 5, lambda s: (np.sort(s[0]) * 1.3 + np.sin(x), s[1] + 1), (x, 0))[0]
    )


def complex_carry(x):
    return np.abs(fd.fori_loop(0, 3, lambda i, z: z * (1 + 0.5j) + x[0], x[1] + 1j))


def arrays_of_indices(x):
    index = np.array([[0, 2], [1, 1], [2, 0]])
    c, ys = fd.scan(lambda c, i: (c + np.sum(c[i] * x[i]), c[i[0]]), x, index)
    return np.sum(c) + np.sum(ys)


def short_integers(x):
    return fd.fori_loop(0, 4, lambda i, s: (s[0] * x[0] + s[1], s[1] + np.int32(1)), (x[1], np.int32(2)))[0]


@pytest.mark.parametrize(
    "f", [sorted_in_scan_around_while, sorted_in_while, complex_carry, arrays_of_indices, short_integers]
)
def test_bodies_without_machine_code(f):
    x = np.array([3.0, 1.0, 2.0])
    for g in (f, fd.grad(f), lambda x: fd.jvp(fd.grad(f), x, x)[1]):
        compiled = jit(g)
        same(compiled(x), g(x), 1e-9)
        same(compiled(x), g(x), 1e-9)


# --- buffers --------------------------------------------------------------------------------------------


def tridiagonal(a, b, c, d):
    n = len(d)

    def down(i, state):
        ratio, y = state
        m = b[i] - a[i] * ratio[i - 1]
        ratio[i] = c[i] / m
        y[i] = (d[i] - a[i] * y[i - 1]) / m
        return ratio, y

    def up(k, x):
        i = n - 2 - k
        x[i] = y[i] - ratio[i] * x[i + 1]
        return x

    ratio, y, x = fd.numpy.zeros(n), fd.numpy.zeros(n), fd.numpy.zeros(n)
    ratio[0], y[0] = c[0] / b[0], d[0] / b[0]
    ratio, y = fd.fori_loop(1, n, down, (ratio, y))
    x[n - 1] = y[n - 1]
    return fd.fori_loop(0, n - 1, up, x)


@pytest.mark.parametrize("n", [2, 5, 16, 17, 60])
def test_recurrences_written_in_place(n):
    rng = np.random.default_rng(n)
    operands = rng.uniform(0, 1, n), rng.uniform(3, 4, n), rng.uniform(0, 1, n), rng.standard_normal(n)

    def total(*operands):
        return np.sum(tridiagonal(*operands) ** 2)

    matrix = np.diag(operands[1]) + np.diag(operands[0][1:], -1) + np.diag(operands[2][:-1], 1)
    assert_allclose(jit(tridiagonal)(*operands), np.linalg.solve(matrix, operands[3]))
    gradient = fd.grad(total, argnums=(0, 1, 2, 3))
    for found, want in zip(jit(gradient)(*operands), gradient(*operands), strict=True):
        same(found, want)
    twice = fd.grad(lambda *v: sum(np.sum(np.sin(g)) for g in gradient(*v)), argnums=1)
    same(jit(twice)(*operands), twice(*operands), 1e-9)
    assert is_native(tridiagonal, *operands)
    assert is_native(gradient, *operands)


def test_writes_cost_no_copies():
    def fill(x, n):
        def step(i, y):
            y[i] = x * y[i - 1] + 0.5
            return y

        return fd.fori_loop(1, n, step, fd.numpy.zeros(n))

    few, many = (jit(fd.grad(lambda x, n=n: np.sum(fill(x, n)))) for n in (500, 20_000))

    def seconds(f):
        f(0.5)
        best = np.inf
        for _ in range(5):
            start = time.process_time()
            for _ in range(20):
                f(0.5)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(many) < 150 * seconds(few)  # 40 times the steps; copies would take 1600 times as long


@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_what_is_written_to_and_made_anew_is_not_copied(steps):
    def smooth(u, k):
        def step(u, _):
            v = u.copy()
            v[1:-1] = u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2])
            return v, None

        return np.sum(fd.scan(step, u, None, length=steps)[0] ** 3)

    def swept(y, z):
        def step(i, state):
            y, z = state
            y[i] = z[i] * 2.0
            return np.sin(y) + z, y

        return fd.fori_loop(0, steps, step, (y * 1.0, z * 1.0))

    u = np.linspace(-1, 2, 50) ** 2
    gradient = fd.grad(smooth, argnums=(0, 1))
    for found, expected in zip(jit(gradient)(u, 0.1), gradient(u, 0.1), strict=True):
        same(found, expected)
    assert "@llvm.memcpy" not in jit(gradient).lower(u, 0.1).source
    for found, expected in zip(jit(swept)(u, u + 1), swept(u, u + 1), strict=True):
        same(found, expected)


@pytest.mark.parametrize("shape", [(4,), (30,), (5, 3), (6, 20)])
def test_rows_and_old_versions(shape):
    def f(x):
        def step(i, state):
            y, z, kept = state
            before = y * 1.0
            row = y[i]
            y[i] = np.sin(row) + z[-1 - i] * 0.5
            y[0] = y[0] * 0.9
            z[i] = row + y[i - 1]
            kept = kept + before[i]
            return y, z, kept

        y, z, kept = fd.fori_loop(0, shape[0], step, (fd.numpy.array(x), fd.numpy.array(2 * x), 0 * x[0]))
        return np.sum(y * y) + np.sum(np.cos(z)) + np.sum(kept)

    x = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    same(jit(f)(x), f(x))
    same(jit(fd.grad(f))(x), fd.grad(f)(x))
    assert is_native(fd.grad(f), x)


def test_buffers_that_change_places_or_are_kept():
    def f(x):
        def step(state, i):
            y, z = state
            old = y
            z = fd.numpy.array(z)
            z[i] = y[i] * x[0]
            return (z, old), (z, y[i])

        (y, z), (all_z, some) = fd.scan(step, (x * 1.0, x + 1), np.array([3, 1, 2, 0, -1]))
        return np.sum(y * z) + np.sum(all_z[1] * all_z[3]) + np.sum(some)

    for n in (4, 25):
        x = np.linspace(0.5, 2, n)
        same(jit(f)(x), f(x))
        same(jit(fd.grad(f))(x), fd.grad(f)(x))
        same(jit(fd.vmap(f))(np.stack([x, 2 * x])), np.array([f(x), f(2 * x)]))


@pytest.mark.parametrize("n", [6, 50])
def test_indices_out_of_bounds(n):
    def read(x, first):
        return fd.fori_loop(0, 3, lambda i, s: (s[0] + x[s[1]], s[1] + 1), (0.0, first))[0]

    def write(x, first):
        def step(i, s):
            y, k = s
            y[k] = 1.0
            return y, k + 1

        return fd.fori_loop(0, 3, step, (fd.numpy.array(x), first))[0]

    x = np.arange(float(n))
    for f in (read, write):
        compiled = jit(f)
        for first in (0, n - 3, -3, -n):
            assert_array_equal(compiled(x, np.int64(first)), f(x, np.int64(first)))
        for first in (n - 2, n, -n - 1, 10**12):
            with pytest.raises(IndexError):
                compiled(x, np.int64(first))
        assert_array_equal(compiled(x, np.int64(1)), f(x, np.int64(1)))
        assert_array_equal(x, np.arange(float(n)))
        assert is_native(f, x, np.int64(0))


def of_order(f, order):
    return f if not order else of_order(lambda x: np.sum(fd.grad(f)(x) ** 2), order - 1)


@pytest.mark.parametrize("n", [6, 50])
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("first", [0, -2, -4, 3])
def test_what_is_counted_from_a_constant_needs_no_check(n, order, first):
    def total(x):
        def step(i, y):
            y[i] = np.sin(y[1 - i]) + x[i] * i
            return y

        return np.sum(fd.fori_loop(first, min(first + 5, n), step, x * 1.0))

    f, x = of_order(total, order), np.linspace(0.1, 0.9, n)
    same(jit(f)(x), f(x), 1e-9)
    assert is_native(f, x)
    assert not re.search(rf"icmp ult i64 %v\d+, {2 * n}$", jit(f).lower(x).source, re.MULTILINE)


def test_what_is_counted_too_far_is_out_of_bounds():
    def total(x, lower, upper):
        return fd.fori_loop(lower, upper, lambda i, s: s + x[i], 0.0)

    x = np.linspace(0.1, 0.9, 6)
    for bounds in ((-7, 2), (0, 7), (-9, 9)):
        with pytest.raises(IndexError):
            jit(total, static_argnums=(1, 2))(x, *bounds)
    same(jit(total, static_argnums=(1, 2))(x, -6, 6), total(x, -6, 6))


# --- memory and threads ------------------------------------------------------------------------------


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_is_steady():
    compiled = jit(fd.grad(steps_of))
    held = jit(fd.grad(lambda x: np.sum(fd.fori_loop(0, 20, lambda i, y: np.sin(y) * x, x))))
    x = np.ones(5000)

    def use():
        for n in (10, 3000, 100):
            compiled(0.9, np.int64(n))
        held(x)

    for _ in range(20):
        use()
    gc.collect()
    before = resident()
    for _ in range(200):
        use()
    assert resident() - before < 4 << 20


def test_inner_stacks_are_given_back_every_step():
    def f(x):
        def step(c, _):
            return c + fd.grad(steps_of)(c, np.int64(900)) * 1e-3, None

        return fd.scan(step, x, None, length=3000)[0]

    compiled = jit(f)
    compiled(0.3)
    before = resident() if os.path.exists("/proc/self/statm") else 0
    compiled(0.3)
    assert not before or resident() - before < 4 << 20


def test_threads():
    compiled = jit(fd.grad(steps_of))
    expected = {n: compiled(0.9, np.int64(n)) for n in (50, 500, 5000)}
    wrong = []

    def work(n):
        wrong.extend(n for _ in range(100) if compiled(0.9, np.int64(n)) != expected[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in (50, 500, 5000, 500)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def endless(x):
    return fd.while_loop(lambda y: y != 1.0, lambda y: y * x, 2.0 * x)


def endless_around_a_loop(x):
    return fd.while_loop(
        lambda y: y != 1.0,
        lambda y: fd.while_loop(lambda z: z[1] < 3000, lambda z: (-z[0], z[1] + 1), (y, 0))[0] * x,
        2 * x,
    )


def counted_for_hours(x, depth=4):
    if depth == 0:
        return np.sin(x)
    return fd.fori_loop(0, 900, lambda _, y: counted_for_hours(y, depth - 1), x)


class Enough(Exception):
    pass


def assert_interrupted(call):
    def stop(*_):
        raise Enough

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    start = time.perf_counter()
    try:
        with pytest.raises(Enough):
            call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - start < 5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
@pytest.mark.parametrize("f", [endless, endless_around_a_loop])
def test_a_loop_without_end_is_interrupted(f):
    compiled = jit(f)
    compiled(0.5)
    assert_interrupted(lambda: compiled(1.5))
    assert compiled(0.5) == 1.0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
@pytest.mark.parametrize("modes", ["", "f"])
def test_counted_loops_in_each_other_are_interrupted(modes):
    compiled = jit(functools.reduce(lambda f, m: programs.MODES[m](f), modes, counted_for_hours))
    compiled.lower(0.5)
    assert_interrupted(lambda: compiled(0.5))


NO_MEMORY = """
import resource, numpy as np, funcdiff as fd

def f(x):
    return fd.while_loop(lambda s: s[1] > -1.0, lambda s: (np.sin(s[0]) * x, s[1] + 1), (x, 0.0))[0]

compiled = fd.jit(fd.grad(f), backend="native")
compiled.lower(0.9)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), resource.RLIM_INFINITY))
try:
    compiled(0.9)
except MemoryError:
    print("no memory")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_no_memory_is_an_error():
    ran = subprocess.run(
        [sys.executable, "-c", NO_MEMORY], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "no memory\n"


# --- random programs -----------------------------------------------------------------------------------

UNARY = [np.sin, np.tanh, lambda v: 0.3 * v, lambda v: v * v / 4, np.arctan, lambda v: v - np.sum(v) / 7]
BINARY = [
    np.add,
    np.multiply,
    np.subtract,
    lambda a, b: a * np.cos(b),
    lambda a, b: np.where(a > b, a, b / 2),
    lambda a, b: a / (2 + b * b),
    lambda a, b: (
        np.concatenate([a, b], -1)[..., 1 : 1 + a.shape[-1]] if np.shape(a) == np.shape(b) != () else a
    ),
]
expressions = Expressions(UNARY, BINARY, most_names=6, most_leaves=4)


statements = st.recursive(
    st.lists(expressions.strategy, min_size=2, max_size=2),
    lambda inner: st.tuples(
        st.sampled_from(["fori", "scan", "while", "cond", "fill", "keep"]), st.integers(0, 4), inner
    ),
    max_leaves=3,
)


def run(statement, carry, w):
    """Do what a statement says to two arrays; `w` is a number that all may read."""
    match statement:
        case [first, second]:
            new = tuple(np.tanh(expressions.value(e, [*carry, w])) for e in (first, second))
            return tuple(n + np.zeros_like(c) for n, c in zip(new, carry, strict=True))
        case ("fori", n, inner):
            return fd.fori_loop(0, n, lambda i, c: run(inner, c, w + 0.1 * i), carry)
        case ("scan", n, inner):

            def step(c, t):
                c = run(inner, c, w * t)
                return c, c[0] * c[1]

            carry, ys = fd.scan(step, carry, np.linspace(0.3, 1.2, n), reverse=n % 2 == 0)
            return carry[0] + np.sum(ys, 0), carry[1]
        case ("while", n, inner):
            going = lambda s: (s[0] < n) & (np.sum(s[1][0]) < 30)  # noqa: E731
            return fd.while_loop(going, lambda s: (s[0] + 1, run(inner, s[1], w)), (np.int64(0), carry))[1]
        case ("fill", n, inner) if np.shape(carry[0]):  # reads of what has been written, and of what will be
            size = min(n, len(carry[0]))

            def fill(i, c):
                a, b = c
                a[i] = np.tanh(b[-1 - i] * w + a[i - size])
                b[i - 1] = a[i] * 0.5 + b[0]
                return a, b

            carry = fd.fori_loop(0, size, fill, tuple(fd.numpy.array(c) for c in carry))
            return run(inner, carry, w)
        case ("fill", _, inner):
            return run(inner, carry, w)
        case ("keep", n, inner):  # old versions are returned beside new ones

            def keep(i, c):
                a, b = c
                new = fd.numpy.array(a)
                new[...] = b * w
                if np.shape(a):
                    new[i % len(a)] = a[0] + b[-1]
                return run(inner, (new, a), w)

            return fd.fori_loop(0, n, keep, carry)
        case ("cond", n, inner):
            return fd.cond(
                np.sum(carry[0]) > 0.1 * n, lambda *c: run(inner, c, w), lambda a, b: (b / 2, a * w), *carry
            )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(statements, min_size=1, max_size=2),
    st.sampled_from([(), (3,), (18,), (2, 20)]),
    st.sampled_from(["", "r", "f", "rr", "fr", "rf"]),
)
def test_random_programs(parts, shape, modes):
    start = np.linspace(-1.0, 1.0, int(np.prod(shape))).reshape(shape)

    def f(w):
        carry = start * w + 0.5, np.cos(start + w)
        for part in parts:
            carry = run(part, carry, w)
        return np.sum(carry[0]) + np.sum(carry[1] * carry[0])

    for mode in modes:
        f = programs.MODES[mode](f)
    compiled = jit(f)
    for w in (0.7, -0.3):
        same(compiled(w), f(w), 1e-8)
