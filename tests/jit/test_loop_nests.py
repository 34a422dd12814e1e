"""Loops of the native backend: ends of rows, sums side by side, vector math within, temporaries in results' memory."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native import loops
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
LENGTHS = [
    1,
    2,
    7,
    8,
    9,
    17,
    31,
    32,
    33,
    40,
    63,
    97,
    1023,
    1024,
    1025,
    1031,
    1032,
    1056,
    2047,
    2048,
    3 * 1024 + 45,
]


def logsumexp(x: Any) -> Any:
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


@pytest.mark.parametrize("n", LENGTHS)
def test_reductions_at_every_length(n):
    x = np.random.default_rng(n).standard_normal(n)

    def f(x):
        return np.sum(x), np.max(x), np.min(x), np.prod(1 + 1e-3 * x), np.all(x > -9), np.any(x > 9)

    for a, b in zip(jit(f)(x), f(x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    y = np.random.default_rng(n).standard_normal((3, n))

    def g(y):
        return np.sum(y, 0), np.sum(y, 1), np.max(y, 1), np.sum(np.exp(y), 1), y * 2 + np.sum(y)

    for a, b in zip(jit(g)(y), g(y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [100, 1030])
@pytest.mark.parametrize("place", [0, 5, 31, 32, 77, 99, -1])
def test_missing_numbers_reach_extrema_from_every_place(n, place):
    x = np.linspace(-1.0, 1.0, n)
    x[place] = np.nan
    assert np.isnan(jit(np.max)(x))
    assert np.isnan(jit(np.min)(x))
    x[place] = np.inf
    assert jit(np.max)(x) == np.inf
    assert jit(lambda x: np.min(-x))(x) == -np.inf


@pytest.mark.parametrize("n", [64, 1000, 1001, 5000])
def test_logsumexp(n):
    x = np.random.default_rng(n).standard_normal(n)
    for found, expected in zip(
        jit(fd.value_and_grad(logsumexp))(x), fd.value_and_grad(logsumexp)(x), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("f", [np.exp, np.tanh, np.log1p, np.arctan, np.cbrt, fd.scipy.special.erf])
def test_vector_math_within_a_loop_is_that_which_is_called(f, monkeypatch):
    x = np.concatenate([np.linspace(0.0, 3.0, 1500), [np.inf, np.nan, 0.0, -0.0, 1e-310, 800.0]])
    with np.errstate(all="ignore"):
        within = jit(f)(x)
        monkeypatch.setattr(loops, "ROOM", 0)
        called = jit(lambda x: f(x))(x)
    np.testing.assert_array_equal(within, called)


# --- temporaries in the memory of results ------------------------------------------------------------

N = 3000


def once(x: Any) -> Any:
    e = np.exp(x)
    return e / np.sum(e)


def twice(x: Any) -> Any:
    e = np.exp(x)
    s = np.sum(e)
    return e / s, e * s


def shifted(x: Any) -> Any:
    e = np.exp(x)
    return e[::-1] / np.sum(e)


def columns(x: Any) -> Any:
    e = np.exp(x.reshape(-1, 3))
    return e / np.sum(e)


def returned(x: Any) -> Any:
    e = np.exp(x)
    return e, e / np.sum(e)


def chained(x: Any) -> Any:
    e = np.exp(x)
    for _ in range(3):
        e = np.sin(e) / np.sum(e)
    return e


@pytest.mark.parametrize("f", [once, twice, shifted, columns, returned, chained])
def test_temporaries_in_the_memory_of_results(f):
    x = np.random.default_rng(0).standard_normal(N)
    compiled = jit(f)
    first = compiled(x)
    kept = [np.array(part) for part in leaves(first)]
    compiled(x + 1.0)  # whose results are others
    for found, copy, expected in zip(leaves(first), kept, leaves(f(x)), strict=True):
        np.testing.assert_array_equal(found, copy)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_softmax_has_no_temporary():
    x = np.random.default_rng(0).standard_normal(N)
    assert "%m1 = getelementptr i8, ptr %arena" not in jit(once).lower(x).source


def leaves(x: Any) -> list[Any]:
    return list(x) if isinstance(x, tuple) else [x]
