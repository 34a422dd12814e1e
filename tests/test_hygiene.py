"""What is left behind: no traced value, no cycle, no shared state between threads, no deep recursion."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.core import fast_binary

X = np.array([0.3, -1.2, 2.5])
V = np.array([0.1, 1.0, -0.5])


def program(x):
    y = np.zeros_like(x)
    y[1:] = np.sin(x[:-1]) * x[1:]
    row = y[:2]
    row += x[:2]
    a = np.outer(x, x) + 3 * np.eye(len(x))
    z = np.linalg.solve(a, np.exp(y))
    return np.sum(np.where(z > 0, np.log(np.abs(z)), z) ** 2) + np.linalg.norm(x)


TRANSFORMS = {
    "grad": lambda f: fd.grad(f)(X),
    "value_and_grad": lambda f: fd.value_and_grad(f)(X),
    "grad of grad": lambda f: fd.grad(lambda x: np.sum(fd.grad(f)(x)))(X),
    "jvp": lambda f: fd.jvp(f, X, V),
    "vjp": lambda f: fd.vjp(f, X),
    "hvp": lambda f: fd.hvp(f, X, V),
    "vhp": lambda f: fd.vhp(f, X, V),
    "jacobian": lambda f: fd.jacobian(f)(X),
    "jacfwd": lambda f: fd.jacfwd(f)(X),
    "jacrev": lambda f: fd.jacrev(f)(X),
    "hessian": lambda f: fd.hessian(f)(X),
    "hessian reverse over reverse": lambda f: fd.hessian(f, mode="reverse-over-reverse")(X),
    "vmap": lambda f: fd.vmap(f)(np.stack([X, V])),
    "vmap of grad": lambda f: fd.vmap(fd.grad(f))(np.stack([X, V])),
    "grad of vmap": lambda f: fd.grad(lambda xs: np.sum(fd.vmap(f)(xs)))(np.stack([X, V])),
    "pullback": lambda f: fd.pullback(f, X)[1](1.0),
    "linearize": lambda f: fd.linearize(f, X)[1](V),
    "trace": lambda f: fd.trace(f)(X).run(X),
    "linear_transpose": lambda f: fd.linear_transpose(fd.linearize(f, X)[1], X)(1.0),
}


@pytest.fixture
def no_collector():
    """Without the collector, only what is in no cycle dies.  What was alive before is not counted:

    `np.add.reduce(x)` leaks an operand whose `__array_ufunc__` raises, in NumPy itself, and other
    tests make it raise.
    """
    gc.collect()
    BEFORE[:] = gc.get_objects()
    gc.disable()
    yield
    gc.enable()
    BEFORE.clear()


BEFORE: list = []


class Abort(Exception):
    """Raised by user code in the middle of a transform."""


def spying(f, seen, *, abort=False):
    """`f`, noting the classes of what it is given and what it computes."""

    def spied(x):
        y = x * 1.0
        seen.update({type(x), type(y), type(y[0]), type(y[1:])})
        out = f(y)
        seen.add(type(out))
        if abort:
            raise Abort
        return out

    return spied


def traced_objects(seen):
    classes = seen - {np.ndarray, np.float64, float}
    assert classes
    known = {id(o) for o in BEFORE}
    return [o for o in gc.get_objects() if type(o) in classes and id(o) not in known]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_nothing_traced_is_alive_after_a_transform(name, no_collector):
    seen = set()
    result = TRANSFORMS[name](spying(program, seen))
    assert traced_objects(seen) == []
    del result


@pytest.mark.parametrize("name", TRANSFORMS)
def test_nothing_traced_is_alive_after_user_code_raised(name, no_collector):
    seen = set()
    try:
        TRANSFORMS[name](spying(program, seen, abort=True))
    except Abort:
        pass
    else:
        raise AssertionError("user code did not raise")
    assert traced_objects(seen) == []


@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_cycles_are_left(name, no_collector):
    TRANSFORMS[name](program)  # whatever is imported or built on first use is built here
    gc.collect()
    TRANSFORMS[name](program)
    assert gc.collect() == 0


@pytest.mark.parametrize("name", TRANSFORMS)
def test_intermediate_arrays_die_with_the_transform(name, no_collector):
    references = []

    def f(x):
        constant = np.full(3, 2.0)
        references.append(weakref.ref(constant))
        return program(x * constant)

    TRANSFORMS[name](f)
    assert references
    assert [r for r in references if r() is not None] == []


def test_the_callers_array_is_not_kept(no_collector):
    x = X.copy()
    reference = weakref.ref(x)
    fd.grad(program)(x)
    fd.hessian(program)(x)
    fd.vmap(fd.grad(program))(x[None])
    del x
    assert reference() is None


def test_pull_keeps_its_tape_and_lets_it_go(no_collector):
    references = []

    def f(x):
        constant = np.full(3, 2.0)
        references.append(weakref.ref(constant))
        return np.sum(x * constant)

    _, pull = fd.pullback(f, X)
    pull(1.0)
    del pull
    assert [r for r in references if r() is not None] == []


def test_object_arrays_leave_nothing(no_collector):
    seen = set()

    def f(x):
        y = np.array([x[0] ** 2, x[1], 3.0])
        seen.update({type(x), type(x[0])})
        return np.sum(y * np.asarray(x))

    fd.grad(f)(X)
    assert traced_objects(seen) == []


# --- after an error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS)
def test_results_are_right_after_an_aborted_transform(name):
    for _ in range(3):
        with pytest.raises(Abort):
            TRANSFORMS[name](spying(program, set(), abort=True))
    value, gradient = fd.value_and_grad(np.sum)(X)
    assert value == np.sum(X)
    assert_allclose(gradient, np.ones(3))
    assert_allclose(fd.grad(fd.grad(lambda x: x**3))(2.0), 12.0)


def test_generator_that_is_abandoned_half_way():
    def generate(x):
        for k in range(100):
            yield x**k

    def f(x):
        generator = generate(x)
        return next(generator) + next(generator) + next(generator)

    assert_allclose(fd.grad(f)(3.0), 7.0)


# --- threads -----------------------------------------------------------------------------------------------


def flatten(result):
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in flatten(part)]
    return [np.asarray(result)]


def test_threads_running_different_transforms_do_not_interfere():
    names = [name for name in TRANSFORMS if "linear_transpose" not in name]
    expected = {name: flatten(TRANSFORMS[name](program)) for name in names}
    with ThreadPoolExecutor(8) as pool:
        jobs = [(name, pool.submit(TRANSFORMS[name], program)) for name in names * 4]
        for name, job in jobs:
            for leaf, wanted in zip(flatten(job.result()), expected[name], strict=True):
                assert_allclose(leaf, wanted, rtol=1e-12, err_msg=name)


def test_threads_inside_one_function():
    """Pieces of one program computed by several threads are recorded as one."""

    def f(x):
        with ThreadPoolExecutor(4) as pool:
            pieces = list(pool.map(lambda k: np.sum(np.sin(x * (k + 1)) ** 2), range(16)))
        return sum(pieces)

    def serial(x):
        return sum(np.sum(np.sin(x * (k + 1)) ** 2) for k in range(16))

    assert_allclose(fd.grad(f)(X), fd.grad(serial)(X), rtol=1e-12)
    assert_allclose(fd.jvp(f, X, V)[1], fd.jvp(serial, X, V)[1], rtol=1e-12)


def test_threads_that_record_at_the_same_moment(monkeypatch):
    """Two threads have counted the records before either has written its own: their places must still differ."""
    both_counted = threading.Barrier(2)
    keep = fast_binary.keep

    def late(recorder, constant):
        with contextlib.suppress(threading.BrokenBarrierError):
            both_counted.wait(timeout=0.2)
        return keep(recorder, constant)

    factors = [np.array([1.0, 2.0, 3.0]), np.array([4.0, -5.0, 6.0])]

    def f(x):
        y = x * 1.0
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda c: y * c, factors)
        return np.sum(np.sin(first) * second)

    def serial(x):
        return np.sum(np.sin(x * factors[0]) * (x * factors[1]))

    monkeypatch.setattr(fast_binary, "keep", late)
    found = fd.grad(f)(X), fd.hvp(f, X, V)[1], fd.jvp(f, X, V)[1], fd.trace(fd.grad(f))(X).run(X)
    monkeypatch.undo()
    assert_allclose(found[0], fd.grad(serial)(X), rtol=1e-12)
    assert_allclose(found[1], fd.hvp(serial, X, V)[1], rtol=1e-12)
    assert_allclose(found[2], fd.jvp(serial, X, V)[1], rtol=1e-12)
    assert_allclose(found[3], fd.grad(serial)(X), rtol=1e-12)


def test_threads_that_record_a_program_together():
    """Switching threads as often as can be, every variable of a program has a number of its own."""

    def f(x):
        with ThreadPoolExecutor(4) as pool:
            pieces = list(pool.map(lambda k: np.sum(np.sin(np.cumsum(x * k)) * x), range(1, 40)))
        return sum(pieces)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        tapes = [fd.trace(f)(X) for _ in range(5)]
    finally:
        sys.setswitchinterval(interval)
    for tape in tapes:
        made = [v.number for r in tape.records for v in r.outputs]
        assert len(set(made)) == len(made)
        assert_allclose(tape.run(X), f(X), rtol=1e-12)


def test_threads_sharing_one_pull():
    _, pull = fd.pullback(lambda x: np.linalg.inv(np.outer(x, x) + np.eye(3)) @ np.sin(x), X)
    vectors = np.random.default_rng(0).normal(size=(64, 3))
    expected = [pull(v)[0] for v in vectors]
    with ThreadPoolExecutor(8) as pool:
        assert_allclose(list(pool.map(lambda v: pull(v)[0], vectors)), expected, rtol=1e-12)


def test_nested_transforms_in_threads():
    def third(x):
        return fd.grad(fd.grad(fd.grad(lambda x: x**5)))(x)

    points = np.linspace(0.5, 2.0, 40)
    with ThreadPoolExecutor(8) as pool:
        assert_allclose(list(pool.map(third, points)), 60 * points**2, rtol=1e-12)


# --- long programs -----------------------------------------------------------------------------------------

LONG = 100_000


def long_program(x):
    for _ in range(LONG // 2):
        x = x * 1.00001 + 1e-6
    return np.sum(x)


def test_long_tape_in_reverse():
    assert_allclose(fd.grad(long_program)(X), np.full(3, 1.00001 ** (LONG // 2)), rtol=1e-9)


def test_long_program_forward():
    assert_allclose(fd.jvp(long_program, X, V)[1], V.sum() * 1.00001 ** (LONG // 2), rtol=1e-9)


def test_long_tape_is_replayed_and_freed():
    tape = fd.trace(long_program)(X)
    assert_allclose(tape.run(V), long_program(V), rtol=1e-12)
    del tape


def test_long_second_order():
    """Second order of a long scalar recurrence ``x ← x + 1e-5 x²``, against its own recurrences."""
    steps = 20_000

    def f(x):
        for _ in range(steps):
            x = x + 1e-5 * x * x
        return x

    value, first, second = 0.5, 1.0, 0.0
    for _ in range(steps):
        second = second * (1 + 2e-5 * value) + 2e-5 * first**2
        first = first * (1 + 2e-5 * value)
        value = value + 1e-5 * value * value
    assert_allclose(fd.grad(fd.grad(f))(0.5), second, rtol=1e-10)


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def repeated_sine(steps):
    def f(x):
        for _ in range(steps):
            x = np.sin(x) + 0.5
        return x

    return f


def test_forward_mode_keeps_nothing_of_the_past():
    """Ten times the steps, the same peak: forward mode holds one value and one tangent."""
    x = np.linspace(0.0, 1.0, 10_000)
    short = peak_of(lambda: fd.jvp(repeated_sine(20), x, x))
    long = peak_of(lambda: fd.jvp(repeated_sine(200), x, x))
    assert long < 1.2 * short


def test_reverse_mode_keeps_residuals_only():
    """One residual per sine: at most two arrays a step, with the cotangent."""
    x = np.linspace(0.0, 1.0, 10_000)
    steps = 100
    peak = peak_of(lambda: fd.vjp(repeated_sine(steps), x, x))
    assert peak < (2 * steps + 20) * x.nbytes


def test_reading_a_buffer_element_by_element_does_not_copy_it():
    """A sum over n elements read one by one allocates O(n), not O(n²): 2 000 elements, 32 MB if not."""
    x = np.linspace(0.0, 1.0, 2_000)

    def f(x):
        total = 0.0
        for i in range(len(x)):
            total = total + x[i] * x[i]
        return total

    assert_allclose(fd.grad(f)(x), 2 * x)
    assert peak_of(lambda: fd.grad(f)(x)) < 8e6
