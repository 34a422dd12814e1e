"""What `jit` promises: signatures, static arguments, aliasing, threads, memory, errors."""

from __future__ import annotations

import copy
import dataclasses
import gc
import importlib
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff import jit

X = np.linspace(0.1, 2.0, 7)

pytestmark = pytest.mark.usefixtures("both_backends")


@dataclasses.dataclass(frozen=True)
class Rate:
    rate: float


class Counted:
    def __init__(self, f):
        self.f = f
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.f(*args, **kwargs)


def test_side_effects_run_once_per_trace():
    f = Counted(lambda x: np.sin(x) * 2)
    compiled = jit(f)
    for x in (X, X + 1, X * 2):
        assert_array_equal(compiled(x), np.sin(x) * 2)
    assert f.calls == 1
    compiled(X[:3])
    compiled(X.astype(np.float32))
    compiled(X.reshape(7, 1))
    assert f.calls == 4
    compiled(X)
    assert f.calls == 4


def test_structures_and_keywords():
    f = Counted(lambda p, *, scale: (p["a"] * scale, [p["b"][0], None]))
    compiled = jit(f)
    for _ in range(2):
        a, (b, none) = compiled({"a": X, "b": (X,)}, scale=2.0)
        assert_array_equal(a, X * 2)
        assert_array_equal(b, X)
        assert none is None
    assert f.calls == 1
    compiled({"a": X, "b": (X, X)}, scale=2.0)
    assert f.calls == 2


def test_static_arguments():
    def f(x, n, how="sum"):
        for _ in range(n):
            x = np.sin(x)
        return getattr(np, how)(x)

    counted = Counted(f)
    counted.__wrapped__ = f
    compiled = jit(f, static_argnums=1, static_argnames="how")
    assert_array_equal(compiled(X, 2, how="max"), f(X, 2, how="max"))
    assert_array_equal(compiled(X, 3), f(X, 3))
    assert_array_equal(compiled(X, n=3, how="sum"), f(X, 3))
    assert_array_equal(compiled(X, 3, "prod"), f(X, 3, "prod"))
    assert compiled.lower(X, 2).tape.guards == ()
    assert_array_equal(jit(f)(X, 3, "prod"), f(X, 3, "prod"))  # strings are static, integers guarded
    with pytest.raises(fd.errors.StructureError, match="hashable"):
        compiled(X, [1])


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True, np.float32(1), 1),
        (0.0, -0.0, 0.0),
        ((1, "a"), (1.0, "a"), (True, "a")),
        (Rate(2), Rate(2.0)),
        (complex(1, 0.0), complex(1, -0.0)),
        (np.float32(0.0), np.float32(-0.0)),
    ],
    ids=repr,
)
def test_static_arguments_that_python_finds_equal(values):
    """1, 1.0 and True, and the two zeros, are keys of one entry of a dict, but give other results."""

    def f(x, how):
        for wrapper in (tuple, Rate):
            how = (how[0] if wrapper is tuple else how.rate) if isinstance(how, wrapper) else how
        return x * how, np.copysign(1.0, np.real(how)), np.arctan2(np.imag(how), -1.0)

    compiled = jit(f, static_argnums=1)
    x = np.array([2, 3])
    for value in values:
        for got, expected in zip(compiled(x, value), f(x, value), strict=True):
            assert_array_equal(got, expected, strict=True)


def test_not_a_number_as_a_static_argument():
    counted = Counted(lambda x, y: x * y)
    compiled = jit(counted, static_argnums=1)
    for _ in range(3):
        assert np.isnan(compiled(X, float("nan"))).all()
    assert counted.calls == 1


def test_arrays_that_hold_no_numbers():
    """Neither an input nor a constant; the error names the argument and what to do with dates."""
    days = np.array(["2020-01-01", "2020-02-01"], dtype="M8[D]")

    def f(x, days, *, scale=1.0):
        return x * len(days)

    with pytest.raises(
        fd.errors.DtypeError, match=r"argument\[1\] is an array of dtype datetime64\[D\].*astype"
    ):
        jit(f)(X, days)
    with pytest.raises(
        fd.errors.DtypeError, match=r"argument\['days'\]\['a'\] is an array of dtype timedelta64"
    ):
        jit(f)(X, days={"a": days - days[0]})
    with pytest.raises(fd.errors.DtypeError, match=r"argument\[0\] is an array of dtype <U1.*close over"):
        jit(lambda names, x: x)(np.array(["a", "b"]), X)
    with pytest.raises(
        fd.errors.DtypeError, match=r"argument\[0\] is an array of dtype object.*fd.numpy.array"
    ):
        jit(lambda y: y)(np.array([1.0, None]))
    with pytest.raises(fd.errors.StructureError, match=r"argument\[1\] is set.*hashable"):
        jit(f, static_argnums=0)(2, {1, 2})
    assert_array_equal(jit(lambda x: x * len(days))(X), 2 * X)
    assert jit(f)(2.0, np.datetime64("2020-01-01") and "ab") == 4.0


def test_wrong_options():
    with pytest.raises(fd.errors.UnsupportedError, match="backend"):
        jit(np.sin, backend="fast")
    with pytest.raises(fd.errors.ArgnumsError):
        jit(np.sin, static_argnums="x")
    with pytest.raises(fd.errors.ArgnumsError):
        jit(np.sin, static_argnames=1)
    with pytest.raises(fd.errors.StructureError):
        jit(3.0)


def test_results_are_the_callers_own():
    compiled = jit(lambda x: (x, x, x.reshape(-1), x[1:], np.sin(x), x * 0 + 1, np.ones(3), x.sum()))
    x = X.copy()
    first = compiled(x)
    kept = [np.array(a) for a in first]
    for a in first[:-1]:
        assert a.flags.writeable
        assert not np.shares_memory(a, x)
        for b in first[:-1]:
            assert a is b or not np.shares_memory(a, b)
        a[...] = -5.0
    assert_array_equal(x, X)
    for a, b in zip(compiled(x), kept, strict=True):
        assert_array_equal(a, b)


def test_later_calls_do_not_write_into_earlier_results():
    compiled = jit(fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) * x[::-1])))
    results = [compiled(X * n) for n in range(1, 6)]
    for n, (value, gradient) in enumerate(results, 1):
        expected = fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) * x[::-1]))(X * n)
        assert_array_equal(value, expected[0])
        assert_array_equal(gradient, expected[1])


def test_views_of_buffers_stay_right():
    def f(x):
        y = np.sin(x)
        v = y.reshape(7, 1)
        z = np.cos(x) + 1  # must not be written over y, which v shows
        w = np.exp(x) * z
        return v.T @ w, v[2:], y[::2].sum()

    compiled = jit(f)
    for x in (X, X + 1):
        for a, b in zip(compiled(x), f(x), strict=True):
            assert_array_equal(a, b)


def test_arguments_of_all_kinds():
    def f(x):
        return np.sum(np.tanh(x) * x)

    compiled, gradient = jit(f), jit(fd.grad(f))
    big = np.zeros((14, 3))
    big[:] = np.arange(42).reshape(14, 3) * 0.1
    frozen = X.copy()
    frozen.flags.writeable = False
    for x in (X, X[::-1], big[::2, 1], big.T, np.asfortranarray(big), frozen, np.zeros(0), np.zeros((0, 3))):
        assert_allclose(compiled(x), f(x), rtol=1e-14)
        assert_allclose(gradient(x), fd.grad(f)(x), rtol=1e-14)
    assert_array_equal(compiled(X.astype(">f8")), f(X))
    assert_array_equal(compiled(np.float64(2.0)), f(np.float64(2.0)))
    assert_array_equal(compiled(2.0), f(2.0))
    assert_array_equal(compiled(np.array(2.0)), f(2.0))
    assert_array_equal(compiled(np.array([1, 2])), f(np.array([1, 2])))
    assert compiled(X.astype(np.float32)).dtype == np.float32


def test_python_numbers_do_not_raise_precision():
    x = X.astype(np.float32)
    compiled = jit(lambda x, rate: x * rate)
    for rate in (0.5, 0.25, 2, 0.5):
        found = compiled(x, rate)
        assert found.dtype == np.float32
        assert_array_equal(found, x * rate)
    assert jit(lambda rate: x * rate)(0.1).dtype == np.float32
    assert compiled(x, np.float64(0.5)).dtype == np.float64


def test_overlapping_arguments():
    compiled = jit(lambda x, y: (x + y, x * y))
    a = np.arange(8.0)
    for _ in range(2):
        s, p = compiled(a[:-1], a[1:])
        assert_array_equal(s, a[:-1] + a[1:])
        assert_array_equal(p, a[:-1] * a[1:])


def test_writes_stay_inside():
    def f(x):
        x[0] = 5.0
        return x * 2

    x = X.copy()
    for _ in range(2):
        assert jit(f)(x)[0] == 10.0
    assert_array_equal(x, X)


def test_another_captured_array_is_noticed():
    weights = np.ones(7)
    scale = 1.0

    def f(x):
        return x * weights * scale

    compiled = jit(f)
    gradient = jit(fd.grad(lambda x: np.sum(f(x))))
    assert_array_equal(compiled(X), X)
    weights = np.full(7, 3.0)
    assert_array_equal(compiled(X), X * 3)
    scale = 2.0
    assert_array_equal(compiled(X), X * 6)
    assert_array_equal(gradient(X), np.full(7, 6.0))
    weights = np.full(7, 1.0)
    assert_array_equal(gradient(X), np.full(7, 2.0))


def test_a_captured_traced_value_is_not_baked_in():
    w = 2.0
    compiled = jit(lambda x: np.sum(w * x))
    compiled(X)

    def outer(v):
        nonlocal w
        w = v
        return compiled(X)

    assert_allclose(fd.grad(outer)(3.0), X.sum())
    w = 4.0
    assert_allclose(compiled(X), 4 * X.sum())


def test_threads():
    compiled = jit(fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) * np.tanh(x) + x**3)))
    points = [X * (1 + n / 10) for n in range(8)]
    expected = [compiled(x) for x in points]
    wrong = []

    def work(n):
        for _ in range(300):
            value, gradient = compiled(points[n])
            if value != expected[n][0] or not np.array_equal(gradient, expected[n][1]):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_that_record_at_the_same_time():
    compiled = jit(lambda x: x * 2 if x[0] > 0 else np.sin(x))
    start = threading.Barrier(6)
    wrong = []

    def work(n):
        start.wait()
        for k in range(40):
            x = np.full(1 + k % 5, (-1.0) ** (k + n))
            if not np.array_equal(compiled(x), x * 2 if x[0] > 0 else np.sin(x)):
                wrong.append((n, k))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_reentrancy_through_a_primitive_that_calls_back():
    def impl(x):
        return compiled(x / 2, 1.0) if x[0] > 1 else np.sin(x)

    again = fd.primitive(impl, partials=[lambda out, x: np.cos(x)], name="again_for_jit_test")
    compiled = jit(lambda x, s: np.exp(again(x) * s) + np.cos(x) * 2 + x)
    x = np.full(3, 0.5)
    expected = np.exp(np.sin(x)) + np.cos(x) * 2 + x
    assert_array_equal(compiled(x, 1.0), expected)
    y = np.full(3, 1.5)
    inner = np.exp(np.sin(y / 2)) + np.cos(y / 2) * 2 + y / 2
    assert_array_equal(compiled(y, 1.0), np.exp(inner) + np.cos(y) * 2 + y)
    assert_array_equal(compiled(x, 1.0), expected)


def test_exceptions_leave_the_function_usable():
    def impl(x):
        if x[0] > 1:
            raise RuntimeError("from inside")
        return np.sin(x)

    f = fd.primitive(impl, partials=[lambda out, x: np.cos(x)], name="raising_for_jit_test")
    compiled = jit(lambda x: f(np.tanh(x) * 3) * np.exp(x))
    x = np.full(3, 0.1)
    expected = compiled(x)
    with pytest.raises(RuntimeError, match="from inside"):
        compiled(np.full(3, 5.0))
    assert_array_equal(compiled(x), expected)
    with pytest.raises(np.linalg.LinAlgError):
        jit(np.linalg.cholesky)(-np.eye(2))


def test_memory_is_steady():
    compiled = jit(fd.value_and_grad(lambda x: np.sum(np.exp(np.sin(x)) * x)))
    x = np.linspace(0, 1, 50)
    for _ in range(100):
        compiled(x)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(3_000):
        compiled(x)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_lower_shows_what_is_compiled():
    compiled = jit(fd.grad(lambda x: np.sum(np.sin(x) ** 2)))
    lowered = compiled.lower(X)
    assert len(lowered.optimized) < len(lowered.tape)
    lowered.optimized.validate()
    assert "cos" in lowered.source
    assert lowered.compile_seconds > 0
    assert lowered.cost.records == len(lowered.optimized)
    for part in (
        "recorded",
        "optimised",
        "source",
        "define i32" if "define" in lowered.source else "def run",
    ):
        assert part in str(lowered)
    assert "sin" in repr(lowered) or "lambda" in repr(lowered)


def test_no_arguments_and_constants():
    compiled = jit(lambda: (np.ones(2), 3.0))
    a, b = compiled()
    a[0] = 7
    assert_array_equal(compiled()[0], np.ones(2))
    assert b == 3.0


def test_results_that_are_no_arrays_raise():
    with pytest.raises(fd.errors.OutputError):
        jit(lambda x: "text")(X)


def test_names():
    def f(x):
        return x

    assert jit(f).__name__.startswith("jit(")
    assert jit(f).__wrapped__ is f


def test_functions_that_are_no_python_functions():
    assert_array_equal(jit(np.sin)(X), np.sin(X))
    from functools import partial

    assert_array_equal(jit(partial(np.multiply, 2.0))(X), 2 * X)


def test_no_floating_point_warnings():
    compiled = jit(lambda x: np.log(x))
    compiled(X)
    assert np.isneginf(compiled(np.zeros(7))).all()


def scalar_program(x, y):
    z = np.tanh(x) * y - x / 2
    for _ in range(4):
        z = np.where(z > 0.3, np.sqrt(np.abs(z)), np.exp(-z)) + np.maximum(z, x) ** 3
    return z if z < 1e6 else -z


@pytest.mark.parametrize("make", [np.float64, lambda v: np.array([v]), lambda v: np.array([[v]])])
def test_scalar_programs(make):
    def loss(x, y):
        return np.sum(scalar_program(x, y))

    for f in (loss, fd.grad(loss), fd.value_and_grad(loss, argnums=(0, 1)), fd.hessian(loss)):
        compiled = jit(f)
        for x, y in [
            (0.5, 0.7),
            (2.0, -1.0),
            (-0.3, 0.1),
            (0.0, 0.0),
            (700.0, 1.0),
            (np.inf, 1.0),
            (np.nan, 1.0),
        ]:
            x, y = make(x), make(y)
            with np.errstate(all="ignore"):
                expected = fd.core.trees.flatten(f(x, y))[0]
            for a, b in zip(fd.core.trees.flatten(compiled(x, y))[0], expected, strict=True):
                assert type(a) is type(b)
                assert a.shape == b.shape
                assert_allclose(a, b, rtol=1e-12)
    if make is np.float64:
        source = jit(loss).lower(0.5, 0.7).source
        assert "def run" in source or "define i32" in source
        assert "b0" not in jit(loss).lower(0.5, 0.7).source


def test_negations_go_where_they_cost_nothing():
    """Products with negated factors, and -x - x, keep the signs of zeros."""
    x = np.array([0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, -3.0])
    y = np.array([2.0, 0.0, -0.0, 1.0, 2.0, 1.0, np.inf])

    def products(x, y):
        return x * y, -x * y, y * -x, -x * -y, -x - x, -(x * y) - x * y, x - -x

    names = [r.primitive.name for r in jit(products).lower(x, y).optimized.records]
    assert names.count("multiply") <= 4
    with np.errstate(all="ignore"):
        compiled = jit(products)
        for _ in range(2):
            for found, expected in zip(compiled(x, y), products(x, y), strict=True):
                assert_array_equal(found, expected)
                assert_array_equal(np.signbit(found[:5]), np.signbit(expected[:5]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_factors_are_one_where_their_product_rounds_nothing(dtype):
    """A power of two beside a factor, neither smaller than one: to the last bit, at the ends of the range too."""
    info = np.finfo(dtype)
    ends = [info.max, info.max / 3, info.tiny, info.tiny / 8, info.smallest_subnormal, 0.0, np.inf, np.nan]
    x = np.array([*ends, *(-v for v in ends), *np.random.default_rng(0).standard_normal(20)], dtype)

    def once(x):
        return (
            100 * (2 * x),
            (x * 4) * 3.7,
            -1.1 * (x * 8),
            np.float32(5.0) * (-2.0 * x),
            2.0**90 * (2.0**20 * x),
        )

    def twice(x):  # 2 * x may overflow where x does not, and 1.7 * x is rounded
        return 0.5 * (2 * x), 3 * (0.25 * x), 4 * (1.7 * x), 2.0**1000 * (2.0**24 * x.astype(float))

    with np.errstate(all="ignore"):
        for f, count in ((once, 5), (twice, 8)):
            compiled = jit(f)
            names = [r.primitive.name for r in compiled.lower(x).optimized.records]
            assert names.count("multiply") <= count
            for _ in range(2):
                for found, expected in zip(compiled(x), f(x), strict=True):
                    assert found.dtype == expected.dtype
                    np.testing.assert_array_equal(found, expected)
                    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_scalar_programs_where_python_raises_and_numpy_answers():
    with np.errstate(all="ignore"):
        for f in (
            np.log,
            np.exp,
            np.sqrt,
            lambda x: 1.0 / x,
            lambda x: x**0.5,
            np.arcsin,
            lambda x: np.sin(1 / x),
        ):
            for x in (-2.0, 0.0, 1e4, np.inf, -np.inf, np.nan, 0.5):
                x = np.float64(x)
                assert_allclose(jit(lambda x, f=f: f(x) * 2)(x), f(x) * 2, rtol=1e-14)


def test_empty_constants_among_results(both_backends):
    x, y = np.ones((0, 3), np.float32), np.ones((1, 3))
    f = fd.grad(lambda x, y: np.sum(np.repeat(np.concatenate([y, 2 * y, y]), 2, 1) ** 2), argnums=(0, 1))
    found = jit(f)(x, y)
    assert found[0].shape == (0, 3)
    assert found[0].dtype == np.float32
    assert_array_equal(found[1], 24 * y)


def test_inputs_without_axes_are_not_handed_out(both_backends):
    x = np.array(2.0)
    for f in (lambda x: x, lambda x: (np.sort(x.reshape(1)), x)):
        found = jit(f)(x)
        assert not np.shares_memory(found[-1] if isinstance(found, tuple) else found, x)


NUMBERS = {
    "int": 3,
    "bool": True,
    "complex": 1 + 2j,
    "int64": np.int64(3),
    "int8": np.int8(3),
    "float32": np.float32(0.5),
    "complex64": np.complex64(1j),
    "truth": np.bool_(True),
    "0-d": np.array(0.5),
    "0-d int": np.array(3, np.int32),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_all_kinds_are_quick(name, monkeypatch):
    """They are told by their type: nothing else is looked at, as for arrays and floats."""

    def f(x, s):
        return x * s, s + 1

    x, s = np.linspace(0.5, 2.0, 4), NUMBERS[name]
    compiled = jit(f)
    expected = compiled(x, s)
    monkeypatch.setattr(importlib.import_module("funcdiff.jit.compiled"), "Signature", None)
    for got, first, plain in zip(compiled(x, s), expected, f(x, s), strict=True):
        assert_array_equal(got, first, strict=True)
        assert_array_equal(got, plain, strict=True)


def test_numbers_of_different_kinds_one_after_the_other():
    def f(x, s):
        return x * s, x + s

    compiled = jit(f)
    scalars = [*NUMBERS.values(), 0.5, np.float64(0.5), -1, 2, np.uint64(2**63), np.array(2.0), False]
    with np.errstate(all="ignore"):
        for x in (np.arange(3.0), np.arange(3, dtype=np.float32), np.arange(3)):
            for s in scalars + scalars[::-1]:
                for got, plain in zip(compiled(x, s), f(x, s), strict=True):
                    assert_array_equal(got, np.asarray(plain))
                    assert got.dtype == np.asarray(plain).dtype
    x = np.arange(3.0)
    for s in (2, 2**63, -1, 2**64 - 1, 2):
        assert_array_equal(compiled(x, s), f(x, s))


def sum_of_powers(x, n):
    return np.sum(x**n)


@pytest.mark.parametrize("called_before", [False, True])
def test_jitted_functions_are_pickled_and_copied_with_their_settings(called_before):
    x = np.array([1.0, 2.0, 3.0])
    for f in (
        fd.jit(sum_of_powers, static_argnums=1),
        fd.jit(fd.grad(sum_of_powers), static_argnames="n"),
        fd.grad(fd.jit(sum_of_powers, static_argnums=1, backend="numpy")),
    ):
        if called_before:
            f(x, 2)
        for again in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f)):
            assert again is not f
            assert_allclose(again(x, 3), f(x, 3), rtol=1e-15)
