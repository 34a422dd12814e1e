"""What a loop computes side by side: many components written as rows, arrays that end up where they are wanted."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
LENGTHS = [17, 24, 65, 1003, 1024]


def compare(f: Any, *args: Any) -> None:
    for a, b in zip(jit(f)(*args), f(*args), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-13 if b.dtype != np.float32 else 1e-5)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("count", [3, 4, 5, 8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_many_components_are_written_as_rows(n: int, count: int, dtype: Any) -> None:
    x = np.random.default_rng(n).integers(-9, 9, (count, n)).astype(dtype)

    def f(x: Any) -> Any:
        wide = np.concatenate([x * x, x + x, x - 3 * x[::-1]])
        return np.stack([wide, -wide]).transpose(2, 0, 1), np.concatenate([x, wide]).T.copy()

    compare(f, x)


@pytest.mark.parametrize("n", LENGTHS)
def test_rows_beside_reductions_and_long_bodies(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((4, n))

    def f(x: Any) -> Any:
        y = x
        for k in range(30):
            y = y * 0.9 + np.roll(x, 1, 0) * (0.1 * k)
        wide = np.concatenate([y, x, y * x])
        return wide.T.copy(), np.max(y), np.min(x - y)

    def with_sums(x: Any) -> Any:
        wide, top, _ = f(x)
        return wide, top, np.sum(wide), np.sum(wide, 1)

    compare(f, x)
    compare(with_sums, x)


def test_long_bodies_that_write_what_they_read() -> None:
    x = np.random.default_rng(0).standard_normal(1003)

    def f(x: Any) -> Any:
        def step(_: Any, y: Any) -> Any:
            z = y
            for k in range(60):
                z = z * 0.5 + y * (0.01 * k)
            return z

        return (fd.fori_loop(0, 5, step, x),)

    compare(f, x)


@pytest.mark.parametrize("n", [20, 1003])
def test_reshaped_parts_are_computed_where_they_are_concatenated(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((3, n))

    def f(x: Any) -> Any:
        rows = (np.sin(x) * 2).T.ravel()
        return np.concatenate([rows, x[0], rows]), np.concatenate([x[1], rows])

    compare(f, x)
    compare(lambda x: (*f(x), (np.sin(x) * 2).T.ravel()), x)
    compare(lambda x: ((np.cos(x) * 2).T.ravel(), np.sum((np.cos(x) * 2).T.ravel() ** 2)), x)
    compare(lambda x: ((np.cos(x) * 2).T.reshape(-1).reshape(n, 3) + 1,), x)


def test_copies_are_results_of_their_own() -> None:
    x = np.random.default_rng(0).standard_normal((3, 40))

    def f(x: Any) -> Any:
        y = np.sin(x)
        flat = y.T.ravel()
        return y, y.copy(), flat, flat.copy(), x.copy()

    found = jit(f)(x)
    for a, b in zip(found, f(x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    for n, a in enumerate(found):
        assert not np.shares_memory(a, x)
        assert not any(np.shares_memory(a, b) for b in found[:n])


def test_copies_that_are_written_to_leave_what_was_copied() -> None:
    x = np.random.default_rng(0).standard_normal((3, 40))

    def f(x: Any) -> Any:
        flat = np.sin(x).T.ravel()
        other = flat.copy()
        other[3:9] = 1.0
        other[3:60] *= 2.0
        return flat, other, flat + 1

    compare(f, x)

    def g(x: Any, places: Any) -> Any:
        flat = np.sin(x).T.ravel()
        other = flat.copy()
        other[places] = x[0, 0]
        return flat, other

    compare(g, x, np.array([5, 1, 5, 100]))


@pytest.mark.parametrize("shape", [(2, 50), (50, 2), (4, 5, 3), (20, 20, 2), (2, 20, 20), (1, 50), (50, 1)])
@pytest.mark.parametrize("varying", [(0,), (-1,), (0, -1)])
def test_constants_that_repeat_along_loops(shape: tuple[int, ...], varying: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    of = [n if axis in [v % len(shape) for v in varying] else 1 for axis, n in enumerate(shape)]
    seed = np.broadcast_to(rng.integers(0, 2, of).astype(float), shape).copy()
    x = rng.standard_normal(shape)

    def f(x: Any) -> Any:
        return (
            seed * x,
            np.concatenate([seed, x * seed]),
            seed.T + np.sin(x.T),
            np.sum(seed * x, 0),
            np.broadcast_to(seed, (3, *shape)) * x,
            np.stack([seed, x]),
        )

    compare(f, x)


def test_zeros_of_a_repeated_constant_keep_their_signs() -> None:
    seed = np.repeat(np.array([[0.0], [-0.0], [np.nan]]), 40, 1)
    x = np.ones(40)
    found = jit(lambda x: seed * x)(x)
    np.testing.assert_array_equal(np.signbit(found)[:2], np.signbit(seed)[:2])
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("p", [9, 64, 67, 1003])
def test_blocks_of_a_sparse_jacobian(p: int) -> None:
    rng = np.random.default_rng(p)
    x, y = rng.standard_normal((7, 5)), rng.standard_normal((6, 4))
    of_x, of_y = rng.integers(0, 5, p), rng.integers(0, 4, p)

    def f(a: Any, b: Any) -> Any:
        return np.stack([np.sin(a[0] * b[1]) + a[6], a[1] * b[5] / (2 + a[2] ** 2), np.sum(a, 0) * b[0]])

    def blocks(x: Any, y: Any, of_x: Any, of_y: Any) -> Any:
        value, pull = fd.pullback(f, x[:, of_x], y[:, of_y])
        rows = []
        for n in range(3):
            seed = np.zeros(value.shape)
            seed[n] = 1.0
            rows.append(np.concatenate(pull(seed)))
        entries = np.stack(rows).transpose(2, 0, 1)
        columns = np.concatenate([7 * of_x + np.arange(7)[:, None], 35 + 6 * of_y + np.arange(6)[:, None]])
        return np.concatenate([entries.ravel(), value[0]]), np.concatenate([columns.T.ravel(), of_x])

    compare(blocks, x, y, of_x, of_y)
    plain = blocks(x, y, of_x, of_y)[0][: 39 * p].reshape(p, 3, 13)
    one = fd.jacobian(f, (0, 1))(x[:, of_x[3]], y[:, of_y[3]])
    np.testing.assert_allclose(plain[3], np.concatenate(one, 1), rtol=1e-12, atol=1e-14)
