"""Gathers of what is computed at little cost, and rearranged results that are written where they belong."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native import fetched
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
RNG = np.random.default_rng(0)


def compare(f: Any, *args: Any) -> None:
    for a, b in zip(jit(f)(*args), f(*args), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14 * np.abs(b).max())


@pytest.fixture
def fused(answered):
    """Tell of each array that is gathered from whether it is computed there."""
    return answered(fetched, "computed_there")


@pytest.mark.parametrize("shape", [(26, 50, 3), (40, 50, 3), (7, 50, 2), (26, 50), (300, 50, 20)])
@pytest.mark.parametrize("known", [False, True])
def test_cheap_arrays_are_computed_where_they_are_gathered(
    fused, shape: tuple[int, ...], known: bool
) -> None:
    x = RNG.standard_normal((shape[1], shape[0], *shape[2:]))
    c = RNG.standard_normal((shape[0], 1, *shape[2:]))
    corners = RNG.integers(-50, 50, (31, 3))

    def f(x: Any, c: Any, corners: Any) -> Any:
        y = x.swapaxes(0, 1) + c
        taken = y[:, corners]
        blend = taken[:, :, 0] * 0.5 - taken[:, :, 1] + taken[:, :, 2] ** 2
        flat = blend.reshape(shape[0], -1).T
        return taken * 2, np.concatenate([flat[:, :1], flat], 1), flat.copy().ravel(), np.max(flat)

    if known:
        compare(lambda x, c: f(x, c, corners), x, c)
    else:
        compare(f, x, c, corners)
    assert any(fused) or shape[0] == 7  # whose components stand in one loop


def test_components_and_slices_beside_what_is_gathered(fused) -> None:
    x = RNG.standard_normal((4, 500))
    rows = RNG.integers(0, 500, 700)

    def f(x: Any, rows: Any) -> Any:
        y = np.stack([x[0] + x[1], x[2] * 2, -x[3]])
        return y[:, rows], y[::-1, rows], y[1:, rows[:300]], y[2, rows], y[:, rows].T + 1

    compare(f, x, rows)
    assert any(fused)
    with pytest.raises(IndexError):
        jit(f)(x, rows + 500)


def test_what_costs_more_is_kept_in_memory(fused) -> None:
    x, rows = RNG.standard_normal((26, 300)), RNG.integers(0, 300, 400)
    compare(lambda x, rows: (np.sin(x)[:, rows], np.sin(x)), x, rows)
    assert not any(fused)


def test_gathers_of_arrays_that_are_written_to(fused) -> None:
    x, rows = RNG.standard_normal(300), RNG.integers(0, 300, 400)

    def f(x: Any, rows: Any) -> Any:
        y = x * 2
        before = (y + 1)[rows]
        y[3:40] = x[0]
        y[rows[:20]] = 1.0
        return before, (y + 1)[rows], y

    compare(f, x, rows)

    def looped(x: Any, rows: Any) -> Any:
        def step(y: Any, row: Any) -> Any:
            z = (y * 0.5 + 1)[row]
            y = y.copy()
            y[row] = z
            return y, z.sum()

        return fd.scan(step, x, rows.reshape(10, 40))

    compare(looped, x, rows)


def test_an_index_that_is_the_same_everywhere() -> None:
    x = RNG.standard_normal((60, 3))

    def f(x: Any, k: Any) -> Any:
        places = np.broadcast_to(k, (40,)) * 1
        return np.sum(x[places]), np.sum(np.sin(x[places]), 0), x[places][:, 1] + 1, np.max(x[places])

    compare(f, x, np.array([5]))
    compare(lambda x: f(x, np.array([7])), x)


@pytest.mark.parametrize("shape", [(30, 40, 3), (40, 30, 3), (2, 3, 50), (50, 2, 3)])
def test_permuted_reshapes_are_written_where_they_belong(shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape)

    def f(x: Any) -> Any:
        y = x * 2 + 1
        flat = y.reshape(shape[0], -1)
        turned = flat.T
        return (
            np.concatenate([turned, turned[:, :1]], 1),
            turned,
            turned.T,
            turned.reshape(-1),
            y.reshape(-1, shape[-1]).T,
            np.sum(turned, 1),
            turned.reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1),
            np.concatenate([y.reshape(-1), x.reshape(-1)]),
        )

    compare(f, x)
    gradient = fd.grad(lambda x: sum(np.sum(v**2) for v in f(x)))
    compare(lambda x: (gradient(x),), x)


def test_what_is_fetched_beside_what_is_cheap_is_fetched_where_its_own_loops_say() -> None:
    table, beside = RNG.standard_normal((60, 40)), RNG.standard_normal((2, 50, 40))
    known, rows, columns = RNG.integers(0, 60, 50), RNG.integers(0, 50, 30), RNG.integers(0, 40, 30)

    def f(x: Any, y: Any) -> Any:
        stacked = np.stack([x[known], y[0] + 1, y[1] * 2])
        return stacked[:, rows, columns] * 2, stacked[:, :, columns], stacked[:, rows[:, None], columns[:7]]

    compare(f, table, beside)


def test_what_was_fetched_before_a_write_is_not_fetched_again() -> None:
    x, beside = RNG.standard_normal(500), RNG.standard_normal((3, 400))
    known = RNG.integers(0, 500, 400)

    def f(x: Any, beside: Any, i: Any) -> Any:
        y = np.sin(x)
        stacked = np.stack([y[known], *beside])
        most = np.max(stacked)
        y[i] = most * 10
        y[i + 1] = np.sum(stacked)
        return stacked * np.max(y), stacked + most, y

    compare(f, x, beside, int(known[0]))
    compare(f, x, beside, np.array(known[0]))


def test_what_is_read_again_may_change_along_more_loops_than_what_was_computed() -> None:
    x, y = RNG.standard_normal(50), RNG.standard_normal((50, 40))

    def f(x: Any, y: Any) -> Any:
        same = np.sin(np.broadcast_to(x[:, None], y.shape)) * np.ones(y.shape)
        sums = np.cumsum(same, 1)
        later = np.max(y)
        return (same + 1) * later, sums, (same + 1 + y) * later

    compare(f, x, y)
