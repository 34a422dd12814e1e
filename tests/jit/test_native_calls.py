"""Calls of machine code: which arguments it takes, what it leaves to Python, and that it never crashes or leaks."""

from __future__ import annotations

import functools
import gc
import pickle
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.jit.native import engine
from funcdiff.jit.native.engine import why_not
from funcdiff.jit.native.once import once

if why_not():
    pytest.skip(f"no native backend: {why_not()}", allow_module_level=True)

jit = functools.partial(fd.jit, backend="native")
X = np.linspace(0.1, 2.0, 11)


def f(x, y):
    return np.sum(x * y[::-1]), (x + y) * 2.0


def both(compiled, *args):
    for a, b in zip(compiled(*args), f(*args), strict=True):
        assert type(a) is type(b)
        assert a.dtype == b.dtype
        assert_allclose(a, b, rtol=1e-13 if b.dtype == float else 1e-5)


def test_arrays_with_another_object_for_their_dtype_run_as_machine_code():
    x = np.linspace(0.1, 1.0, 5000)
    other = pickle.loads(pickle.dumps(x))
    assert other.dtype is not x.dtype
    compiled = jit(lambda x: np.exp(np.sin(x)))
    expected = compiled(x).tobytes()
    for same in (other, np.repeat(other, 2)[::2], other.reshape(100, 50)[:, ::-1][:, ::-1].reshape(5000)):
        assert compiled(same).tobytes() == expected
    fresh = jit(lambda x: np.exp(np.sin(x)))
    assert fresh(other).tobytes() == expected


def test_any_arrays_after_the_builtin_is_installed():
    compiled = jit(f)
    both(compiled, X, X + 1)
    assert "built-in" in repr(type(compiled).__call__)
    wide = np.repeat(X, 2)
    both(compiled, wide[::2], X)  # strided
    both(compiled, X[::-1], X)
    fixed = X.copy()
    fixed.flags.writeable = False
    both(compiled, fixed, X)
    both(compiled, X, X)  # the same twice
    long = np.arange(14.0)
    both(compiled, long[1:12], long[3:])  # overlapping
    both(compiled, X.astype(np.float32), X.astype(np.float32))
    both(compiled, X.astype(np.float32), X)
    both(compiled, X.astype(">f8"), X)  # of the other byte order
    packed = np.zeros(11, np.dtype([("a", np.int8), ("b", float)]))  # not aligned
    packed["b"] = X
    both(compiled, packed["b"], X)
    both(compiled, X[:3], X[:3])
    both(compiled, X.reshape(1, 11), X.reshape(1, 11))
    both(compiled, np.arange(11), X)
    both(compiled, X, X)


def test_subclasses_scalars_and_lists():
    compiled = jit(lambda x: np.sin(x) * 2.0)
    for x in (X, np.float64(0.5), 0.5, np.float32(0.5), np.array(0.5), 1, True, np.int64(3)):
        for _ in range(3):
            assert_allclose(compiled(x), np.sin(x) * 2.0, rtol=1e-6)


@pytest.mark.parametrize(
    "shape", [(0,), (0, 3), (3, 0), (1,), (1, 1), (7, 1), (16,), (17,), (3, 4, 5), (40, 50)]
)
def test_shapes(shape):
    def g(x):
        return np.exp(x).sum(axis=-1), x.T * 2, np.maximum(x, 0.3), (x**2).sum(), x.reshape(-1)[::2]

    x = np.cos(np.arange(int(np.prod(shape)))).reshape(shape)
    for a, b in zip(jit(g)(x), g(x), strict=True):
        assert a.shape == b.shape
        assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 4095, 4096, 4097, 10_001])
def test_sums_of_any_length(n):
    x = np.cos(np.arange(n))
    value, gradient = jit(fd.value_and_grad(lambda x: np.sum(np.exp(x)) + np.max(x) * np.min(x)))(x)
    assert_allclose(value, np.sum(np.exp(x)) + np.max(x) * np.min(x), rtol=1e-14)
    expected = np.exp(x)
    expected[np.argmax(x)] += np.min(x)
    expected[np.argmin(x)] += np.max(x)
    assert_allclose(gradient, expected, rtol=1e-13)


def test_long_sums_are_as_exact_as_numpys():
    x = np.full(1_000_000, 0.1)
    assert_allclose(jit(lambda x: np.sum(x * 1.0))(x), 1e5, rtol=4e-15)


def test_nan_and_infinity_go_through():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e-320, 3.0])

    def g(x):
        return (
            np.exp(x),
            np.log(np.abs(x)),
            x * 0.0,
            x / x,
            np.maximum(x, 1.0),
            np.minimum(x, x[::-1]),
            np.max(x),
            np.max(x[3:]),
            np.sign(x),
            np.isfinite(x),
            np.where(x > 0, x, -x),
            np.sqrt(x),
        )

    with np.errstate(all="ignore"):
        for a, b in zip(jit(g)(x), g(x), strict=True):
            assert_allclose(a, b, rtol=1e-15)


def test_wrong_arguments_raise_as_in_python():
    compiled = jit(f)
    compiled(X, X)
    with pytest.raises(TypeError):
        compiled(X)
    with pytest.raises(TypeError):
        compiled(X, X, X)
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        compiled(X, X[:5])
    for a, b in zip(compiled(X, y=X), f(X, X), strict=True):
        assert_allclose(a, b)


def test_exceptions_in_callbacks():
    compiled = jit(lambda x: np.linalg.cholesky(x @ x.T - 3.0 * np.eye(2)).sum() + np.exp(x).sum())
    good = np.array([[3.0, 0.0], [0.0, 3.0]])
    value = compiled(good)
    for _ in range(3):
        with pytest.raises(np.linalg.LinAlgError):
            compiled(good * 0.1)
        assert compiled(good) == value


def test_guards_are_checked_natively():
    def g(x):
        return np.sum(x * 2) if x[0] > 0 else np.sum(x - 1)

    compiled = jit(g)
    for _ in range(5):
        for x in (X, -X):
            assert_allclose(compiled(x), g(x))


def test_threads():
    compiled = jit(fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) * np.cumsum(x)[-1])))
    big = np.linspace(0, 1, 50_000)
    expected = [compiled(big + k) for k in range(4)]
    wrong = []

    def work(k):
        for _ in range(20):
            value, gradient = compiled(big + k)
            if value != expected[k][0] or not np.array_equal(gradient, expected[k][1]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_memory_is_steady():
    compiled = jit(fd.value_and_grad(lambda x: np.sum(np.exp(x) * x)))
    pair = jit(f)
    compiled(X), pair(X, X)
    counts = [sys.getrefcount(x) for x in (X, X.dtype, X.dtype.type)]
    gc.collect()
    tracemalloc.start()
    compiled(X), pair(X, X)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(100_000):
        compiled(X)
    for _ in range(1000):
        pair(X[::-1], X)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 4096
    assert all(sys.getrefcount(x) - n < 20 for x, n in zip((X, X.dtype, X.dtype.type), counts, strict=True))


def test_machine_code_goes_with_its_function():
    compiled = jit(lambda x: x * 3.0)
    compiled(X)
    program = next(iter(compiled.compiled.entries.values())).paths.recent.program
    library = weakref.ref(program.builtin._library)
    del compiled, program
    gc.collect()
    assert library() is None


def test_large_results_are_used_again_only_when_nobody_has_them():
    compiled = jit(lambda x: x * 2.0)
    x = np.arange(100_000.0)
    compiled(x)
    first = compiled(x)
    second = compiled(x + 1)
    assert not np.shares_memory(first, second)
    assert_array_equal(first, 2 * x)
    place, part = second.ctypes.data, second[10:20]
    del second
    third = compiled(x)
    assert not np.shares_memory(part, third)
    place = third.ctypes.data
    del third
    fourth = compiled(x)
    assert fourth.ctypes.data == place
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy 2.5
        fourth.shape = (10, 10_000)
    del fourth
    assert compiled(x).shape == (100_000,)
    fifth = compiled(x)
    fifth.flags.writeable = False
    del fifth
    assert compiled(x).flags.writeable
    sixth = compiled(x)
    seen = weakref.ref(sixth)
    del sixth
    compiled(x)
    assert seen() is None


def test_captured_names_are_looked_at_by_the_builtin():
    factor = np.array([2.0])

    def g(x):
        return x * factor

    compiled = jit(g)
    assert_array_equal(compiled(X), X * 2)
    assert_array_equal(compiled(X), X * 2)
    factor = np.array([5.0])
    assert_array_equal(compiled(X), X * 5)
    assert_array_equal(compiled(X), X * 5)


FACTOR = np.array([2.0])


@jit
def scaled(x):
    return x * FACTOR


def test_names_that_an_inner_compiled_function_reads_are_looked_at(monkeypatch):
    compiled = jit(lambda x: scaled(x) + 1.0)
    for _ in range(2):
        assert_array_equal(compiled(X), X * 2 + 1)
    monkeypatch.setitem(globals(), "FACTOR", np.array([5.0]))
    for _ in range(2):
        assert_array_equal(compiled(X), X * 5 + 1)


def test_several_signatures_take_turns():
    compiled = jit(lambda x: x + 1)
    arrays = [np.ones(n) for n in range(1, 12)]
    for _ in range(3):
        for a in arrays:
            assert_array_equal(compiled(a), a + 1)


def test_methods():
    class Model:
        scale = 2.0

        @jit
        def value(self, x):
            return x * self.scale

    model = Model()
    for _ in range(3):
        assert_array_equal(model.value(X), 2 * X)


def test_names_and_signature():
    import inspect

    def loss(x, *, scale=1.0):
        return x * scale

    compiled = jit(loss)
    assert compiled.__name__.endswith("loss)")
    assert str(inspect.signature(compiled)) == "(x, *, scale=1.0)"
    assert "loss" in repr(compiled)


def test_without_llvmlite_auto_falls_back_and_native_says_what_to_install(monkeypatch):
    reason = f"it needs llvmlite: {engine.INSTALL}"
    monkeypatch.setattr(engine, "_attempt", lambda: reason)
    compiled = fd.jit(lambda x: x + 1)
    assert_array_equal(compiled(X), X + 1)
    assert "def run" in compiled.lower(X).source
    with pytest.raises(fd.errors.UnsupportedError, match=r'pip install "funcdiff\[jit\]"'):
        jit(np.sin)


def test_what_llvm_refuses_runs_as_numpy_source(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise RuntimeError("no")

    compiled = jit(lambda x: np.sum(x * 7.25))
    monkeypatch.setattr(engine.Engine, "compile", refuse)
    with pytest.warns(fd.errors.PerformanceWarning, match="LLVM"):
        value = compiled(X)
    assert_allclose(value, np.sum(X * 7.25))
    assert "def run" in compiled.lower(X).source


NARROW = """
import sys
import llvmlite.binding as llvm
features = llvm.get_host_cpu_features()
if sys.argv[1] == "narrow":
    for name in features:
        if name.startswith(("avx512", "avx10", "amx")):
            features[name] = False
llvm.get_host_cpu_features = lambda: features
import numpy as np, funcdiff as fd
for n in (3, 10, 2500):
    x = np.linspace(0.1, 3.0, n)
    f = lambda x: np.sum(np.tanh(x) * np.exp(-x**2) + np.log1p(x**2) * np.sin(x) ** 3) / np.max(x)
    value, gradient = fd.jit(fd.value_and_grad(f), backend="native")(x)
    print(value.tobytes().hex(), gradient.tobytes().hex())
f = lambda p: np.stack([np.sin(p[0]) * p[1], p[0] * np.exp(p[1])])
print(fd.jit(fd.vmap(fd.jacobian(f)), backend="native")(np.cos(np.arange(26.0)).reshape(13, 2)).tobytes().hex())
"""


def test_answers_do_not_depend_on_the_width_of_vectors():
    found = [
        subprocess.run(
            [sys.executable, "-c", NARROW, width], capture_output=True, text=True, timeout=120, check=True
        )
        for width in ("wide", "narrow")
    ]
    assert found[0].stdout
    assert found[0].stdout == found[1].stdout


def test_unknown_symbols_are_refused_before_linking():
    text = "declare double @no_such_function(double)\ndefine double @g(double %x) {\n  %y = call double @no_such_function(double %x)\n  ret double %y\n}\n"
    with pytest.raises(KeyError, match="no_such_function"):
        engine.engine().compile([(text, 1)], {}, ["g"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space")
def test_no_memory_is_an_error_and_no_crash():
    code = """
import resource
import numpy as np, funcdiff as fd
f = fd.jit(lambda x: (np.exp(x)[::-1] * x, x * 2.0), backend="native")
x = np.linspace(0, 1, 3_000_000)
f(x)
f(x)
kept = f(x)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (8 << 20), resource.RLIM_INFINITY))
for _ in range(3):
    try:
        f(x)
    except MemoryError:
        print("MemoryError")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
del kept
print(float(f(x)[1][-1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["MemoryError"] * 3 + ["2.0"], done.stderr


@pytest.mark.parametrize("dtype", [">f8", ">f4"])
def test_bytes_in_another_order(dtype):
    """What NumPy makes of them has another dtype object than its arrays of that dtype have otherwise."""
    x = np.linspace(0.1, 2.0, 6).astype(dtype)
    for f in (np.sum, lambda x: np.cumsum(x * 2) * x, lambda x: np.sort(x)[::-1] * np.exp(x)):
        gradient = fd.value_and_grad(lambda x, f=f: np.sum(f(x) ** 2))
        for _ in range(2):
            compiled = jit(gradient)
            assert_allclose(compiled(x)[0], gradient(x)[0], rtol=1e-5)
            assert_allclose(compiled(x)[1], gradient(x)[1], rtol=1e-5)
            assert_allclose(compiled(x.astype(float))[1], gradient(x)[1], rtol=1e-5)


def test_what_threads_ask_for_at_the_same_time_is_made_once():
    made = []

    @once
    def slow(n):
        made.append(n)
        time.sleep(0.02)
        return object()

    found = []
    threads = [threading.Thread(target=lambda n=n: found.append(slow(n % 2))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 1]
    assert len(set(map(id, found))) == 2


def test_the_first_call_of_a_process_may_come_from_several_threads():
    code = """
import threading
import time
import numpy as np, funcdiff as fd
x = np.linspace(0.1, 2.0, 50)
step = fd.jit(fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) + np.linalg.solve(np.outer(x, x) + np.eye(50), x))))
start, wrong = threading.Barrier(6), []
expected = fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) + np.linalg.solve(np.outer(x, x) + np.eye(50), x)))(x)
def work():
    start.wait()
    for _ in range(500):
        if not np.allclose(step(x)[1], expected[1]):
            wrong.append(1)
threads = [threading.Thread(target=work) for _ in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(wrong)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["[]"], done.stderr


def test_block_jacobians_are_one_loop_without_temporaries():
    def residual(p, u):
        return np.stack([np.sin(p[0]) * u[0] - p[1], p[0] * p[1] * np.exp(u[1]) - u[0]])

    p, u = np.random.default_rng(0).random((2, 5000, 2))
    lowered = jit(fd.vmap(fd.jacobian(residual))).lower(p, u)
    assert "malloc" not in lowered.source
    assert len([line for line in lowered.source.splitlines() if "store <" in line]) == 1
