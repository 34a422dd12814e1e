"""Adding at places that are known, which is summing what is gathered; arrays of integers that index within loops."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native import segments
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
RNG = np.random.default_rng(0)


def compare(f: Any, *args: Any) -> None:
    found, expected = jit(f)(*args), f(*args)
    assert found.dtype == expected.dtype
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * scale)


@pytest.fixture
def tables(answered):
    """Tell of each addition at known places whether a table of the places is used."""
    return answered(segments, "summed")


@pytest.mark.parametrize(
    ("shape", "index", "tabled"),
    [
        ((7,), RNG.integers(0, 7, 5000), True),
        ((7,), RNG.integers(-7, 7, 300), True),
        ((100,), RNG.permutation(100), True),
        ((100,), RNG.permutation(100)[:80], True),
        (
            (1000,),
            np.r_[np.zeros(500, int), np.arange(700)],
            False,
        ),  # most of which would be gathered in vain
        ((1000,), 400 + RNG.integers(0, 5, 100), True),
        ((30, 3), RNG.integers(0, 30, 400), True),
        ((30, 3), RNG.integers(0, 30, (40, 5)), True),
        ((2, 30, 3), (slice(None), np.repeat(np.arange(30), 4)), True),
        ((30, 16), RNG.integers(0, 30, 400), None),  # rows are vectors
        ((2, 30, 16), (slice(None), RNG.integers(0, 30, 400)), None),
        ((20, 20), (RNG.integers(0, 20, 900), RNG.integers(0, 20, 900)), False),
        ((6, 6), (RNG.integers(0, 6, 900), RNG.integers(0, 6, 900)), True),
        ((7, 7), (3, RNG.integers(0, 7, (30, 4))), True),
        ((40, 40), np.ix_(np.arange(0, 40, 3), np.arange(1, 40, 2)), False),
        ((300,), RNG.random(300) < 0.7, True),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients_of_gathers(tables, shape: Any, index: Any, tabled: bool, dtype: Any) -> None:
    x = RNG.standard_normal(shape).astype(dtype)
    w = RNG.standard_normal(x[index].shape).astype(dtype)
    gradient = fd.grad(lambda x: np.sum(np.sin(x[index]) * w))
    found, expected = jit(gradient)(x), gradient(x)
    assert found.dtype == expected.dtype == dtype
    tolerance = {"rtol": 1e-12, "atol": 1e-13} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(found, expected, **tolerance)
    if tabled is not None:
        assert all(used == tabled for used in tables)


def test_one_index_for_two_shapes(tables) -> None:
    index = RNG.integers(0, 9, 200)

    def loss(x: Any, y: Any) -> Any:
        return np.sum(np.sin(x[index]) * y[index, 1]) + np.sum(y[index] ** 2) + np.sum(x[index] ** 3)

    for n in (9, 12):
        x, y = RNG.standard_normal(n), RNG.standard_normal((n, 2))
        gradient = fd.grad(loss, (0, 1))
        for a, b in zip(jit(gradient)(x, y), gradient(x, y), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert all(tables)


def taken(a: Any, rows: Any) -> Any:
    """Return a sum over a loop whose steps index with arrays of integers."""

    def step(total: Any, row: Any) -> Any:
        part = a[1:, row]
        return total + np.sum(np.sin(part) * part[0]) * a[0, row[0]], np.sum(part)

    total, sums = fd.scan(step, 0.0, rows)
    return total + np.sum(sums**2)


def test_arrays_of_integers_index_within_loops() -> None:
    a = RNG.standard_normal((5, 8))
    rows = RNG.integers(-8, 8, (6, 7))
    compiled = jit(taken)
    np.testing.assert_allclose(compiled(a, rows), taken(a, rows), rtol=1e-12)
    assert "def run" not in compiled.lower(a, rows).source  # all of it is machine code
    compare(fd.grad(taken), a, rows)
    compare(lambda a: taken(a, rows), a)
    compare(fd.grad(lambda a: taken(a, rows)), a)
    for wrong in (8, -9):
        changed = rows.copy()
        changed[3, 2] = wrong
        with pytest.raises(IndexError):
            taken(a, changed)
        with pytest.raises(IndexError):
            compiled(a, changed)
    np.testing.assert_allclose(compiled(a, rows[::-1].copy()), taken(a, rows[::-1]), rtol=1e-12)


def test_writes_at_arrays_of_integers_within_loops() -> None:
    rows = np.array([RNG.permutation(40)[:20] for _ in range(6)])
    x = RNG.standard_normal(40)

    def f(x: Any, rows: Any) -> Any:
        def step(y: Any, row: Any) -> Any:
            z = y.copy()
            z[row] = np.sin(y[row]) + 1
            return z, z[row[0]]

        y, seen = fd.scan(step, x, rows)
        return np.concatenate([y, seen])

    compare(f, x, rows)
    compare(fd.grad(lambda x, rows: np.sum(f(x, rows) ** 2)), x, rows)
