"""How cost grows, by counting bytes, calls and records; never by a clock.

`allocated` adds up every byte of array data that is allocated during a call, through NumPy's own hook
for allocators.  An O(n) copy per written element shows as O(n^2) bytes, although each copy dies at once
and no peak ever sees more than one of them.  (A Python profiler could add them up too, but the extra
references that a profiler holds turn writes in place into copies.)
"""

from __future__ import annotations

import ctypes
import gc
import inspect
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest
from numpy._core import _multiarray_umath

import funcdiff as fd

LINEAR = 2.4  # doubling n must not do more than this; a copy per element comes to 3.5 and more


class Allocator(ctypes.Structure):
    """NumPy's `PyDataMem_Handler`: a name, a version, and the four functions."""

    MALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    CALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", MALLOC),
        ("calloc", CALLOC),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


class AllocationCounter:
    """NumPy's own allocator with a count of bytes; a context manager.

    Only `malloc` and `calloc` are replaced: an array that outlives the count is freed by NumPy's code.
    """

    def __init__(self) -> None:
        self.bytes = 0
        capsule = ctypes.pythonapi.PyCapsule_GetPointer
        capsule.restype, capsule.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        table = ctypes.cast(capsule(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
        self.set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[304])
        get_handler = ctypes.PYFUNCTYPE(ctypes.py_object)(table[305])
        plain = Allocator.from_address(capsule(get_handler(), b"mem_handler"))

        def malloc(context: int, size: int) -> int:
            self.bytes += size
            return plain.malloc(context, size)

        def calloc(context: int, number: int, size: int) -> int:
            self.bytes += number * size
            return plain.calloc(context, number, size)

        self.handler = Allocator.from_buffer_copy(plain)
        self.handler.malloc = Allocator.MALLOC(malloc)
        self.handler.calloc = Allocator.CALLOC(calloc)
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.capsule = new(ctypes.addressof(self.handler), b"mem_handler", None)

    def __enter__(self) -> Self:
        self.bytes = 0
        self.before = self.set_handler(self.capsule)
        return self

    def __exit__(self, *exception: object) -> None:
        self.set_handler(self.before)


# One for all, and never destroyed: arrays remember the allocator they are freed with.
COUNTER = AllocationCounter()
ctypes.pythonapi.Py_IncRef(ctypes.py_object(COUNTER.handler))


def allocated(function: Callable[..., Any], *args: Any) -> int:
    """Bytes of array data allocated during `function(*args)`, freed ones included."""
    with COUNTER:
        function(*args)
    return COUNTER.bytes


def calls(function: Callable[..., Any], *args: Any) -> int:
    """How many Python and C functions run during `function(*args)`."""
    total = 0

    def on_event(frame: Any, event: str, arg: Any) -> None:
        nonlocal total
        total += event in ("call", "c_call")

    sys.setprofile(on_event)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
    return total


def peak(function: Callable[..., Any], *args: Any) -> int:
    """The most memory held at any moment of `function(*args)`, beyond what was held before."""
    gc.collect()
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- programs that fill or read n elements one at a time; f(x) is a scalar ---


def fill(x: Any) -> Any:
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * x[i]
    return y.sum()


def recurrence(x: Any) -> Any:
    """Each write reads the one before, and the element read is kept as a residual."""
    y = np.zeros_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = np.sin(y[i - 1]) + x[i]
    return y.sum()


def augmented(x: Any) -> Any:
    y = x.copy()
    for i in range(1, len(x)):
        y[i] *= x[i - 1]
        y[i] += y[i - 1]
    return y.sum()


def slices(x: Any) -> Any:
    y = x * 1.0
    for i in range(0, len(x) - 1, 2):
        y[i : i + 2] = np.cos(y[i : i + 2]) * x[i]
    return y.sum()


def row_views(x: Any) -> Any:
    y = np.zeros_like(x).reshape(-1, 2)
    for i in range(len(y)):
        row = y[i]
        row[0] = x[2 * i]
        row[1] = np.sin(x[2 * i + 1]) * row[0]
    return y.sum()


def many_live_views(x: Any) -> Any:
    y = (x * 1.0).reshape(-1, 2)
    rows = [y[i] for i in range(len(y))]
    for row in rows:
        row *= 2.0
    return sum(np.sin(row[0]) * row[1] for row in rows) + y.sum()


def view_of_view(x: Any) -> Any:
    y = np.zeros_like(x)
    window = y[::-1][1:]
    for i in range(len(x) - 1):
        window[i] = x[i] * x[i + 1]
    return y.sum()


def reads(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total = total + np.sin(x[i])
    return total


def reads_of_slices(x: Any) -> Any:
    total = 0.0
    for i in range(len(x) - 1):
        total = total + (x[i : i + 2] * x[i + 1]).sum()
    return total


def accumulating(x: Any) -> Any:
    y = np.zeros_like(x)
    for i in range(len(x)):
        np.add.at(y, [i, 0], x[i])
    return (y * y).sum()


PROGRAMS = (
    fill,
    recurrence,
    augmented,
    slices,
    row_views,
    many_live_views,
    view_of_view,
    reads,
    reads_of_slices,
    accumulating,
)


def gradient(f: Any, x: np.ndarray) -> Any:
    return fd.grad(f)(x)


def reverse_over_reverse(f: Any, x: np.ndarray) -> Any:
    return fd.grad(lambda t: (fd.grad(f)(t) * x).sum())(x)


def forward_over_reverse(f: Any, x: np.ndarray) -> Any:
    return fd.jvp(fd.grad(f), x, x)[1]


def forward(f: Any, x: np.ndarray) -> Any:
    return fd.jvp(f, x, x)[1]


def reverse_over_forward(f: Any, x: np.ndarray) -> Any:
    return fd.grad(lambda t: fd.jvp(f, t, x)[1])(x)


ROUTES = (gradient, forward, reverse_over_reverse, forward_over_reverse, reverse_over_forward)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_element_by_element_costs_linear_bytes(program: Any, route: Any) -> None:
    small, large = np.linspace(0.1, 0.9, 600), np.linspace(0.1, 0.9, 1200)
    route(program, small[:10].copy())  # caches and lazy imports are not part of the growth
    before, after = allocated(route, program, small), allocated(route, program, large)
    whole = (after - 2 * before) / (600 * large.nbytes)  # copies of the whole array for each element
    assert after < LINEAR * before + 1000, f"{after / before:.2f} times the bytes for 2n, {whole:.2f} copies"


def test_the_measure_sees_a_copy_per_element() -> None:
    """The yardstick itself: a program that does copy must be caught."""

    def copying(x: Any) -> Any:
        y = x
        for i in range(len(x)):
            y = y.copy()
            y[i] = 2.0
        return y.sum()

    small, large = np.ones(700), np.ones(1400)
    assert allocated(copying, large) / allocated(copying, small) > 3.5


def loop(steps: int) -> Any:
    def f(x: Any) -> Any:
        for _ in range(steps):
            x = np.sin(x) * 1.01 + 0.1
        return x.sum()

    return f


def test_forward_memory_does_not_grow_with_the_program() -> None:
    x = np.linspace(0, 1, 1000)
    fd.jvp(loop(3), x, x)
    short, long = (peak(fd.jvp, loop(steps), x, x) for steps in (100, 10_000))
    assert long <= short + 2 * x.nbytes
    assert short < 20 * x.nbytes


def test_forward_jacobian_memory_does_not_grow_with_the_program() -> None:
    x = np.linspace(0, 1, 20)

    def vector(steps: int) -> Any:
        def f(x: Any) -> Any:
            for _ in range(steps):
                x = np.sin(x) * 1.01 + 0.1
            return x

        return f

    fd.jacfwd(vector(3))(x)
    short, long = (peak(fd.jacfwd(vector(steps)), x) for steps in (50, 3000))
    assert long <= short + 2 * 20 * x.nbytes


def test_forward_memory_of_writes_does_not_grow_with_their_number() -> None:
    x = np.linspace(0, 1, 1000)

    def writes(steps: int) -> Any:
        def f(x: Any) -> Any:
            y = x.copy()
            tail = y[1:]
            for i in range(steps):
                y[i % 1000] = np.sin(y[(i + 1) % 1000])
                tail[i % 999] *= 1.1
            return y.sum()

        return f

    fd.jvp(writes(3), x, x)
    short, long = (peak(fd.jvp, writes(steps), x, x) for steps in (100, 5000))
    assert long <= short + 4 * x.nbytes


BIG = 100_000
# program of `steps` steps, and how many arrays of the size of x a step may keep
RESIDUALS = {
    "add a constant": (lambda y, c: y + c, 0),
    "multiply by a constant": (lambda y, c: y * c, 0),
    "scale": (lambda y, c: 0.99 * y, 0),
    "affine": (lambda y, c: (0.5 * y - c) * c + y, 0),
    "reverse and negate": (lambda y, c: -y[::-1], 0),
    "in place": (lambda y, c: y.__iadd__(c), 0),
    "sine": (lambda y, c: np.sin(y), 1),
    "tanh keeps its output": (lambda y, c: np.tanh(y), 1),
    "square": (lambda y, c: y * y, 1),
    "affine then sine": (lambda y, c: np.sin(0.5 * y + c), 1),
    "division by a constant": (lambda y, c: y / c, 0),
    "comparison": (lambda y, c: np.where(y > 0.5, y, c), 1),
}


@pytest.mark.parametrize("name", RESIDUALS)
def test_reverse_keeps_residuals_only(name: str) -> None:
    step, kept = RESIDUALS[name]
    x, c = np.linspace(0.1, 0.9, BIG), np.linspace(0.9, 1.0, BIG)
    steps = 40

    def f(x: Any) -> Any:
        y = x * 1.0
        for _ in range(steps):
            y = step(y, c)
        return y.sum()

    fd.grad(f)(x[:10].repeat(BIG // 10))
    held = peak(fd.grad(f), x) / x.nbytes
    assert held < steps * kept + 12, f"{held:.1f} arrays held for {steps} steps"


def test_a_sum_of_many_terms_accumulates_in_place() -> None:
    """n uses of one array must not keep n cotangents."""
    x = np.linspace(0.1, 0.9, BIG)

    def f(x: Any) -> Any:
        return sum((x * (i + 1.0)).sum() for i in range(40))

    assert peak(fd.grad(f), x) / x.nbytes < 10


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_nothing_is_kept_after_the_call(route: Any) -> None:
    x = np.linspace(0.1, 0.9, 1000)
    route(fill, x[:5].copy())
    gc.collect()
    tracemalloc.start()
    try:
        route(fill, x)
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            route(fill, x)
        held = tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()
    assert held < 4000, f"{held} bytes stay after three more calls, without garbage collection"


def scalar_chain(steps: int) -> Any:
    def f(x: Any) -> Any:
        y = x
        for _ in range(steps // 2):
            y = y * 0.999
            y = y + x
        return y.sum()

    return f


def test_a_tape_of_100_000_records_does_not_recurse() -> None:
    x = np.array([0.5, 1.0])
    limit = sys.getrecursionlimit()
    fd.grad(scalar_chain(10))(x)
    sys.setrecursionlimit(len(inspect.stack(0)) + 60)
    try:
        first = fd.grad(scalar_chain(100_000))(x)
        second = fd.hvp(scalar_chain(20_000), x, x)[1]
        _, pull = fd.pullback(scalar_chain(100_000), x)
        (third,) = pull(1.0)
        del pull  # a recursive destructor would end here
    finally:
        sys.setrecursionlimit(limit)
    assert np.all(np.isfinite(first))
    np.testing.assert_array_equal(first, third)
    np.testing.assert_array_equal(second, 0.0)


def test_a_trace_of_100_000_operations_does_not_recurse() -> None:
    x = np.array([0.5, 1.0])
    limit = sys.getrecursionlimit()
    fd.trace(scalar_chain(10))(x).run(x)
    sys.setrecursionlimit(len(inspect.stack(0)) + 80)
    try:
        tape = fd.trace(scalar_chain(100_000))(x)
        np.testing.assert_allclose(tape.run(x), scalar_chain(100_000)(x))
        del tape
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_calls_grow_linearly_with_the_tape(route: Any) -> None:
    x = np.array([0.5, 1.0])
    route(scalar_chain(10), x)
    small, large = (calls(route, scalar_chain(steps), x) for steps in (1_000, 4_000))
    assert large / small < 4.2


def test_a_record_is_small() -> None:
    """A step whose residuals are shared constants costs the record alone."""
    x = np.array([0.5, 1.0])

    def tape_bytes(steps: int) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            held = fd.pullback(scalar_chain(steps), x)
            assert held
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    tape_bytes(10)
    per_record = (tape_bytes(20_000) - tape_bytes(10_000)) / 10_000
    assert per_record < 160, f"{per_record:.0f} bytes per record"


def test_jacobian_chunks_bound_the_memory() -> None:
    x = np.linspace(0.1, 0.9, 400)

    def f(x: Any) -> Any:
        y = x
        for _ in range(20):
            y = np.sin(y) * x
        return y

    fd.jacrev(f)(x[:3])
    whole = peak(fd.jacrev(f), x)
    chunked = peak(lambda: fd.jacobian(f, mode="reverse", chunk_size=20)(x))
    result = 400 * x.nbytes
    assert chunked < 3 * result
    assert chunked < whole


def test_pushing_writes_forward_costs_linear_bytes():
    """The pushforward over a recorded tape writes tangents in place where nobody reads the old ones again."""

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0]
        for i in range(1, len(x)):
            y[i] = 0.5 * y[i - 1] + x[i]
        return y

    def cost(n: int) -> int:
        x = np.linspace(0.5, 1.5, n)
        _, push = fd.linearize(f, x)
        return allocated(push, x)

    assert cost(800) < LINEAR * cost(400)
