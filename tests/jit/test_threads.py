"""Large loops of compiled programs on several threads: the same bits as on one, whatever happens around them."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from random import Random
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff import errors
from funcdiff.core.trees import flatten
from funcdiff.jit import threads
from funcdiff.jit.native import pool, threaded
from funcdiff.jit.native.engine import why_not
from funcdiff.jit.native.nodes import Base, Group, Memory, Store
from funcdiff.jit.native.overlaps import parted_axes
from tests.jit.test_random_sweeps import random_program

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
SHARED = "call void @fd.parallel"


@pytest.fixture(autouse=True)
def one_thread_before_and_after():
    fd.set_num_threads(1)
    yield
    fd.set_num_threads(1)


@pytest.fixture
def small(monkeypatch):
    """Share small loops, too, in many parts."""
    monkeypatch.setattr(threaded, "WORTH", 1)
    monkeypatch.setattr(threaded, "LEAST", 1)
    monkeypatch.setattr(threaded, "UNITS", 2)


def native(f: Any) -> Any:
    return fd.jit(f, backend="native")


def chain(x: Any) -> Any:
    return np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log1p(x**2))


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def bits(out: Any) -> list[bytes]:
    """Return the bits of all leaves; a NaN has those of one NaN, since IEEE 754 leaves its sign open."""
    return [_one_nan(np.asarray(leaf)).tobytes() for leaf in flatten(out)[0]]


def _one_nan(x: Any) -> Any:
    return np.where(np.isnan(x), x.dtype.type(np.nan), x) if x.dtype.kind == "f" else x


def check(f: Any, *args: Any) -> int:
    """Compare one thread with several; return how many loops are shared."""
    compiled = native(f)
    with np.errstate(all="ignore"):
        alone = bits(compiled(*args))
        assert SHARED not in compiled.lower(*args).source
        for count in (2, 3, 5, 1):
            fd.set_num_threads(count)
            assert bits(compiled(*args)) == alone, count
        fd.set_num_threads(3)
        assert bits(native(f)(*args)) == alone, "compiled for threads at first"
    found: int = compiled.lower(*args).source.count(SHARED)
    fd.set_num_threads(1)
    return found


# --- the same bits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2048, 5 * 1024 - 1, 20_003])
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_vectors(small, n, dtype):
    x = np.random.default_rng(n).uniform(-0.9, 0.9, n).astype(dtype)
    assert check(fd.value_and_grad(chain), x) >= 1
    assert check(fd.value_and_grad(rosenbrock), x) >= 1
    assert check(lambda x: (np.sum(x), np.max(x), np.min(x), np.prod(1 + x / n), np.any(x > 0.8)), x) >= 1
    assert check(lambda x: (x > 0.1, np.where(x > 0, x, np.sqrt(-x)), np.floor(9 * x).astype(int)), x) >= 1
    x[[3, n // 2, n - 1]] = [np.nan, np.inf, -np.inf]
    assert check(fd.value_and_grad(chain), x) >= 1


@pytest.mark.parametrize("n", [5003, 5 * 1024 + 3])
def test_long_bodies_have_masks(small, n):
    functions = [np.sin, np.cos, np.arctan, np.tanh, np.abs]
    chosen = Random(1).choices(range(5), k=40)  # no two stretches alike, which would be rolled up

    def f(x):
        for k in chosen:
            x = functions[k](x) * 0.5 + np.where(x > k * 0.1, x, k - x) / (k + 1)
        return x

    x = np.linspace(0.1, 1, n)
    compiled = native(f)
    assert "loop" not in {r.primitive.name for r in compiled.lower(x).optimized.records}
    assert check(f, x) == 1
    assert check(lambda x: (np.sum(f(x)), np.max(f(x))), x) == 1
    assert check(lambda x: np.max(f(x)), x) == 1
    assert check(f, np.linspace(0.1, 1, 4 * 33 * 37).reshape(4, 33, 37)) >= 1


@pytest.mark.parametrize("shape", [(3, 5000), (700, 40), (40, 30, 20), (9, 2, 3000), (2500, 3), (2100, 2, 2)])
def test_axes(small, shape):
    x = np.random.default_rng(1).standard_normal(shape)
    assert check(lambda x: np.exp(x) + np.sum(x), x) >= 1
    assert check(lambda x: [np.sum(x * x, a) for a in range(x.ndim)], x) >= 0
    assert check(lambda x: [np.max(x, a, keepdims=True) - x for a in range(x.ndim)], x) >= 0
    assert check(lambda x: (x.T * 2, x[::-1] - x, np.flip(x), np.roll(x, 1, 0) * x), x) >= 1
    assert check(fd.value_and_grad(lambda x: np.sum(np.log(np.sum(np.exp(x), -1)))), x) >= 1


def test_sums_over_rows_are_parted_along_the_columns(small):
    assert check(lambda x: np.sum(np.exp(x), 0), np.linspace(0, 1, 5 * 3000).reshape(5, 3000)) >= 1


def test_stencils(small):
    u = np.random.default_rng(0).random((130, 90))

    def step(u):
        new = u.copy()
        new[1:-1, 1:-1] += 0.1 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])
        return new

    assert check(lambda u: step(step(u)), u) >= 1
    assert check(fd.value_and_grad(lambda u: np.sum(step(step(u)) ** 2)), u) >= 1


def test_examples_mapped_over(small):
    def residual(p, u):
        return np.stack([np.sin(p[0]) * u[0] - p[1], p[0] * p[1] * np.exp(u[1]) - u[0]])

    p, u = np.random.default_rng(0).random((2, 3001, 2))
    assert check(fd.vmap(fd.jacobian(residual)), p, u) >= 1


def test_writes_and_gathers(small):
    rng = np.random.default_rng(0)
    x, places = rng.random(6000), rng.integers(0, 6000, 6000)

    def f(x):
        y = x * 2.0
        y[1:] += np.exp(x[:-1])
        y[::2] = np.sin(x[::2])
        y[3000:] *= y[:3000]
        return y, x[places] * y, np.cumsum(x) * y

    assert check(f, x) >= 1
    assert check(fd.grad(lambda x: np.sum(f(x)[1] ** 2)), x) >= 1


def test_loops_within_loop_records(small):
    x = np.random.default_rng(0).random(5000)

    def twice(i, c):
        return fd.fori_loop(0, 2, lambda j, d: np.cos(d) * x[0] + j, np.sin(c) + i)

    assert check(lambda x: fd.fori_loop(0, 5, lambda i, c: np.sin(c) + x, x), x) >= 1
    assert check(lambda x: fd.fori_loop(0, 3, twice, x), x) >= 2
    assert check(lambda x: fd.while_loop(lambda c: np.sum(c) > 1, lambda c: np.sin(c) * 0.5, x), x) >= 1
    assert check(lambda x: fd.cond(x[0] > 2, np.exp, lambda x: np.sin(x) * x, x), x) >= 1
    assert (
        check(fd.grad(lambda x: np.sum(fd.scan(lambda c, _: (np.sin(c) * x, c), x, None, length=4)[1])), x)
        >= 1
    )


def test_pieces_in_python_and_loops_around(small):
    x = np.random.default_rng(0).random(5000)
    assert check(lambda x: np.sort(np.exp(x) * 2)[::-1] + np.sum(x), x) >= 1
    assert check(lambda x: fd.fori_loop(0, 5, lambda i, c: np.sin(c) + x, np.exp(x)) * x, x) >= 1
    assert check(lambda x: np.exp(x) if x[0] > 2 else np.sin(x) * np.sum(x), x) >= 1


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(small, seed):
    f, x = random_program(seed)
    check(f, x)
    check(fd.value_and_grad(lambda x: sum(np.sum(np.sin(v) * 0.5) for v in f(x))), x)


def test_products_that_need_care(small):
    """The kernel that a NaN asks for is another one."""
    x = np.linspace(0.0, 2.0, 5000)

    def f(x):
        return np.sum(fd.scan(lambda c, _: (c * np.sqrt(np.sum(x[:2])), c), 1.0, None, length=3)[1]) + chain(
            x
        )

    check(fd.value_and_grad(f), x)
    check(fd.value_and_grad(f), x * 0)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="how rounding is set differs")
def test_workers_round_as_the_caller_does(small):
    upward, nearest = 0x800, 0
    libm = ctypes.CDLL("libm.so.6" if sys.platform.startswith("linux") else None)
    x = np.random.default_rng(0).random(100_000)
    compiled = native(lambda x: (x * x * 0.1, np.sum(x)))
    usual = bits(compiled(x))
    fd.set_num_threads(4)
    assert bits(compiled(x)) == usual
    libm.fesetround(upward)
    try:
        shared = bits(compiled(x))
        fd.set_num_threads(1)
        alone = bits(compiled(x))
    finally:
        libm.fesetround(nearest)
    assert shared == alone != usual


# --- which loops -------------------------------------------------------------------------------------


def test_only_large_loops_are_shared():
    fd.set_num_threads(2)
    for n, shared in ((20_000, False), (400_000, True)):
        assert (SHARED in native(fd.grad(rosenbrock)).lower(np.ones(n)).source) == shared
    x = np.linspace(0.1, 1, 400_000)
    many = native(fd.value_and_grad(chain))(x)
    fd.set_num_threads(1)
    assert bits(native(fd.value_and_grad(chain))(x)) == bits(many)


def test_without_threads_there_is_one(small, monkeypatch):
    monkeypatch.setattr(pool, "is_available", lambda: False)
    compiled, x = native(chain), np.linspace(0, 1, 5000)
    alone = bits(compiled(x))
    fd.set_num_threads(4)
    assert fd.get_num_threads() == 4
    assert bits(compiled(x)) == alone
    assert SHARED not in compiled.lower(x).source
    assert SHARED not in native(fd.grad(chain)).lower(x).source


def group(space: tuple[int, ...], *places: tuple[str, int, tuple[int, ...]]) -> Group:
    """A group that writes at the first of some places, and reads at the others."""
    made = Group(space, 0)
    bases: dict[str, Base] = {}
    for n, (name, offset, strides) in enumerate(places):
        memory = Memory(bases.setdefault(name, Base(name, 1 << 20)), "f64", (), ())
        if n:
            made.load(memory, offset, strides)
        else:
            made.stores.append(Store(made.node("add", "f64"), memory, strides, offset))
    return made


def test_axes_along_which_steps_do_not_meet():
    assert parted_axes(group((100,), ("x", 0, (8,)), ("y", 8, (8,)))) == [0]
    assert parted_axes(group((100,), ("x", 0, (8,)), ("x", 0, (8,)))) == [0]
    assert parted_axes(group((100,), ("x", 0, (8,)), ("x", 8, (8,)))) == []
    assert parted_axes(group((100,), ("x", 0, (8,)), ("x", 800, (8,)))) == [0]
    assert parted_axes(group((100,), ("x", 0, (16,)), ("x", 8, (16,)))) == [0]
    assert parted_axes(group((100,), ("x", 0, (8,)), ("x", 0, (0,)))) == []
    assert parted_axes(group((100,), ("x", 792, (-8,)), ("x", 0, (8,)))) == []
    assert parted_axes(group((9, 5), ("x", 0, (40, 8)))) == [0, 1]
    assert parted_axes(group((9, 5), ("x", 0, (0, 8)))) == [1]
    assert parted_axes(group((9, 5), ("x", 0, (8, 8)))) == []
    assert parted_axes(group((9, 5), ("x", 0, (8, 72)), ("x", 360, (40, 8)))) == [0, 1]


# --- what goes on meanwhile --------------------------------------------------------------------------


def test_several_callers_while_the_number_changes(small):
    x = np.random.default_rng(0).random(30_000)
    programs = [native(f) for f in (chain, fd.value_and_grad(chain), fd.grad(rosenbrock), np.exp)]
    expected = [bits(p(x)) for p in programs]
    fd.set_num_threads(2)
    wrong: list[int] = []
    over = time.monotonic() + 1.5

    def work(k: int) -> None:
        while time.monotonic() < over:
            for n in range(k, k + len(programs)):
                found = bits(programs[n % 4](x))
                wrong.extend([n] if found != expected[n % 4] else [])

    callers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for caller in callers:
        caller.start()
    count = 0
    while time.monotonic() < over:
        count += 1
        fd.set_num_threads((2, 5, 1, 3)[count % 4])
    for caller in callers:
        caller.join(60)
    assert not any(c.is_alive() for c in callers)
    assert not wrong
    assert count > 10


def test_compiling_and_setting_at_the_same_time(small):
    x = np.linspace(0, 1, 5000)
    expected = bits(native(chain)(x))
    found: list[list[bytes]] = []

    def work() -> None:
        found.extend(bits(native(lambda x: chain(x))(x)) for _ in range(3))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for one in workers:
        one.start()
    for n in range(30):
        fd.set_num_threads(n % 3 + 1)
    for one in workers:
        one.join(60)
    assert not any(one.is_alive() for one in workers)
    assert found == [expected] * 9


def in_a_new_process(text: str, **environment: str) -> str:
    head = (
        "import os, sys, time, threading, warnings\nimport numpy as np\nimport funcdiff as fd\n"
        "def chain(x): return np.sum(np.tanh(x) * np.exp(-x**2) + np.log1p(x**2))\n"
        "x = np.linspace(0.1, 1.0, 400_000)\n"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", head + text],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_threads_of_its_own():
    text = """
step = fd.jit(fd.value_and_grad(chain), backend="native")
alone = [a.tobytes() for a in step(x)]
fd.set_num_threads(3)
assert [a.tobytes() for a in step(x)] == alone
over = False
def work():
    while not over: step(x)
others = [threading.Thread(target=work) for _ in range(2)]
for one in others: one.start()
for _ in range(8):
    child = os.fork()
    if not child:
        good = all([a.tobytes() for a in step(x)] == alone for _ in range(5))
        fd.set_num_threads(2)
        good = good and [a.tobytes() for a in step(x)] == alone
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
over = True
for one in others: one.join()
import multiprocessing
def run(x): return step(x)
with multiprocessing.get_context("fork").Pool(2) as workers:
    for found in workers.map(run, [x] * 4): assert [a.tobytes() for a in found] == alone
print("fine")
"""
    assert in_a_new_process(text) == "fine\n"


def test_a_process_may_end_while_threads_compute():
    text = """
step = fd.jit(fd.value_and_grad(chain), backend="native")
fd.set_num_threads(3)
def work():
    while True: step(x)
for _ in range(3): threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
print("fine")
"""
    assert in_a_new_process(text) == "fine\n"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_signals_reach_the_interpreter(small):
    x = np.linspace(0, 1, 100_000)
    compiled = native(fd.value_and_grad(chain))
    expected = bits(compiled(x))
    fd.set_num_threads(3)
    seen: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        over = time.monotonic() + 0.5
        while time.monotonic() < over:
            assert bits(compiled(x)) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen


def os_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@linux
def test_memory_and_threads_do_not_grow(small):
    x = np.linspace(0, 1, 3000)
    compiled = native(fd.value_and_grad(chain))
    before = min(
        os_threads() for _ in range(50) if not time.sleep(0.01)
    )  # when those of other tests have left
    fd.set_num_threads(4)
    for _ in range(2000):
        compiled(x)
    assert os_threads() == before + 3
    start = resident()
    for _ in range(10_000):
        compiled(x)
    assert resident() - start < 1 << 20
    assert os_threads() == before + 3
    for count in (2, 1):  # those that are too many leave
        fd.set_num_threads(count)
        patience = time.monotonic() + 20
        while os_threads() > before + count - 1 and time.monotonic() < patience:
            time.sleep(0.01)
        assert os_threads() == before + count - 1
    for n in range(20):
        fd.set_num_threads(n % 2 * 3 + 1)
        compiled(x)
    assert resident() - start < 2 << 20


# --- the number --------------------------------------------------------------------------------------


def test_the_number_is_checked():
    assert fd.get_num_threads() == 1
    fd.set_num_threads(np.int64(2))
    assert fd.get_num_threads() == 2
    for bad in (0, -1, 1025):
        with pytest.raises(ValueError, match=rf"set_num_threads needs 1 to 1024 threads, not {bad}"):
            fd.set_num_threads(bad)
    for wrong in (1.5, "2", None, True):
        with pytest.raises(TypeError, match="set_num_threads needs an integer, not"):
            fd.set_num_threads(wrong)
    assert fd.get_num_threads() == 2


def test_the_environment_gives_the_first_number(monkeypatch):
    def first(text: str) -> int:
        monkeypatch.setenv("FUNCDIFF_NUM_THREADS", text)
        return threads._from_environment()

    assert [first(text) for text in ("", " ", "1", "3", " 12 ")] == [1, 1, 1, 3, 12]
    for bad in ("0", "-2", "many", "2.0", "5000"):
        with pytest.warns(errors.PerformanceWarning, match=f"FUNCDIFF_NUM_THREADS .* not '{bad}'"):
            assert first(bad) == 1
    text = """
step = fd.jit(fd.value_and_grad(chain), backend="native")
many = [a.tobytes() for a in step(x)]
fd.set_num_threads(1)
alone = [a.tobytes() for a in fd.jit(fd.value_and_grad(chain), backend="native")(x)]
print(many == alone, "fd.parallel" in step.lower(x).source)
"""
    assert in_a_new_process(text, FUNCDIFF_NUM_THREADS="3") == "True True\n"
