"""Memory that compiled programs keep is given back on request, and taken again when it is needed."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

native = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")
proc = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def long(x, n):
    return fd.while_loop(lambda s: s[1] < n, lambda s: (np.sin(s[0]) * x, s[1] + 1), (x, 0))[0]


def with_buffers(x):
    y = np.sin(x)[::-1] * x
    return np.cumsum(y)[::-1] * y[::-1]


PROGRAMS = {
    "stacks": (fd.grad(long), (0.9, 2_000_000)),
    "values in between": (with_buffers, (np.linspace(0, 1, 3_000_000),)),
    "results": (lambda x: x * 2.0, (np.linspace(0, 1, 5_000_000),)),
}


@proc
@native
@pytest.mark.parametrize("name", PROGRAMS)
def test_memory_is_given_back(name):
    f, args = PROGRAMS[name]
    compiled = fd.jit(f, backend="native")
    first = np.copy(compiled(*args))
    compiled(*args)
    before = resident()
    fd.release_memory()
    assert before - resident() > 10 << 20
    assert np.array_equal(compiled(*args), first)


@native
def test_results_of_the_first_call_are_used_again_by_the_next():
    compiled, x = fd.jit(lambda x: x * 2.0, backend="native"), np.linspace(0, 1, 1 << 17)
    first = compiled(x).__array_interface__["data"][0]
    assert compiled(x).__array_interface__["data"][0] == first
    held = compiled(x)
    assert not np.shares_memory(compiled(x), held)


@native
@pytest.mark.skipif(sys.platform != "linux", reason="other systems are not asked")
def test_large_memory_is_asked_for_in_large_pages():
    for size, asked in ((3_000_000, True), (30_000, False)):
        x = np.linspace(0, 1, size)
        compiled = fd.jit(with_buffers, backend="native")
        assert ("@madvise(ptr %huge.start" in compiled.lower(x).source) == asked
        np.testing.assert_allclose(compiled(x), with_buffers(x), rtol=1e-12)


def test_buffers_of_source_are_given_back():
    compiled, x = fd.jit(with_buffers, backend="numpy"), np.linspace(0, 1, 1000)
    first = np.copy(compiled(x))
    (entry,) = compiled.compiled.entries.values()
    code = entry.paths.recent.program.replay.code
    assert code.idle
    fd.release_memory()
    assert not code.idle
    assert np.array_equal(compiled(x), first)
    assert code.idle


def test_results_in_use_stay():
    compiled = fd.jit(lambda x: x + 1.0)
    held = [compiled(np.full(100_000, float(n))) for n in range(4)]
    fd.release_memory()
    more = [compiled(np.full(100_000, 10.0 + n)) for n in range(4)]
    assert [a[0] for a in held + more] == [1, 2, 3, 4, 11, 12, 13, 14]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("native", marks=native)])
def test_calls_of_other_threads_go_on(backend):
    f, (x,) = PROGRAMS["values in between"][0], (np.linspace(0, 1, 50_000),)
    compiled, gradient = fd.jit(f, backend=backend), fd.jit(fd.grad(long), backend=backend)
    expected = np.copy(compiled(x)), float(gradient(0.9, 300))
    wrong, done = [], threading.Event()

    def call():
        for _ in range(60):
            found = compiled(x), float(gradient(0.9, 300))
            if not np.array_equal(found[0], expected[0]) or found[1] != expected[1]:
                wrong.append(found)

    def release():
        while not done.is_set():
            fd.release_memory()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        callers = [threading.Thread(target=call) for _ in range(3)]
        releaser = threading.Thread(target=release)
        for t in (*callers, releaser):
            t.start()
        for t in callers:
            t.join()
        done.set()
        releaser.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
