"""Sorting and order statistics.

Sorting differentiates as the permutation it carries out.  An order statistic (a median, a quantile)
shares its derivative equally among the elements that tie for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.comparison import bitwise_or, equal, not_equal
from funcdiff.primitives.indexing import read
from funcdiff.primitives.queries import argsort
from funcdiff.primitives.reduction import like_real, sum_
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import all_mapped, broadcast_to, reshape


def take_along(x: Any, order: Any, axis: int) -> Any:
    """Read ``x`` along an axis at integer positions, one set per vector; other axes broadcast."""
    rank = len(x.shape)
    index: list[Any] = [
        order if n == axis else np.arange(length).reshape(*(-1 if m == n else 1 for m in range(rank)))
        for n, length in enumerate(x.shape)
    ]
    shape = order.shape
    for n, length in enumerate(x.shape):
        if n != axis and length == 1 and shape[n] != 1:
            index[n] = np.zeros((1,) * rank, np.intp)
    return read(x, tuple(index))


# --- sort ---------------------------------------------------------------------------------------------


def _sort(x: Any, *, axis: int, kind: str | None) -> Any:
    return np.sort(x, axis=axis, kind=kind)  # type: ignore[arg-type]


def _sort_jvp(t: Any, _out: Any, x: Any, *, axis: int, kind: str | None) -> Any:
    return take_along(t, argsort(x, axis=axis, kind="stable"), axis)


def _sort_vjp(g: Any, _out: Any, x: Any, *, axis: int, kind: str | None) -> Any:
    order = argsort(x, axis=axis, kind="stable")
    return take_along(g, argsort(order, axis=axis, kind="stable"), axis)  # the inverse permutation


sort: Function = general(
    _sort,
    jvps=[_sort_jvp],
    vjps=[_sort_vjp],
    batch=lambda values, _flags, _size, *, axis, kind: sort(values[0], axis=axis + 1, kind=kind),
    name="sort",
    samples=lambda rng: [
        ((rng.standard_normal((3, 5)),), {"axis": 1, "kind": None}),
        ((rng.standard_normal((3, 2, 2)),), {"axis": 0, "kind": "stable"}),
        ((rng.standard_normal(4),), {"axis": 0, "kind": None}),
    ],
    doc="Sort along an axis.",
)


def _partition(x: Any, *, axis: int, kth: tuple[int, ...]) -> Any:
    return np.partition(x, kth, axis=axis)


def _permutation(out: Any, x: Any, axis: int) -> Any:
    """Return the permutation that made `out` of `x`: what is n-th in the order of one is so in the other."""
    rank = argsort(argsort(out, axis=axis, kind="stable"), axis=axis, kind="stable")
    return take_along(argsort(x, axis=axis, kind="stable"), rank, axis)


def _partition_jvp(t: Any, out: Any, x: Any, *, axis: int, kth: tuple[int, ...]) -> Any:
    return take_along(t, _permutation(out, x, axis), axis)


def _partition_vjp(g: Any, out: Any, x: Any, *, axis: int, kth: tuple[int, ...]) -> Any:
    return take_along(g, _permutation(x, out, axis), axis)


partition: Function = general(
    _partition,
    jvps=[_partition_jvp],
    vjps=[_partition_vjp],
    batch=lambda values, _flags, _size, *, axis, kth: partition(values[0], axis=axis + 1, kth=kth),
    name="partition",
    samples=lambda rng: [((rng.standard_normal((3, 5)),), {"axis": 1, "kth": (1, 3)})],
    doc="Partition along an axis.",
)


# --- order statistics -----------------------------------------------------------------------------------


def _lead(x: Any, k: Any) -> tuple[int, ...]:
    return np.broadcast_shapes(x.shape[:-1], k.shape[:-1])


def _order_statistic(x: Any, k: Any) -> Any:
    k = np.asarray(k)
    if k.ndim == 1:
        return np.partition(x, np.unique(k), axis=-1)[..., k]
    lead = _lead(x, k)
    x = np.broadcast_to(np.sort(x, axis=-1), (*lead, x.shape[-1]))
    return np.take_along_axis(x, np.broadcast_to(k, (*lead, k.shape[-1])), axis=-1)


def _ties(out: Any, x: Any) -> tuple[Any, Any]:
    """Return which elements tie for each statistic, statistics before elements, and how many do."""
    values = reshape(x, shape=(*x.shape[:-1], 1, x.shape[-1]))
    found = reshape(out, shape=(*out.shape, 1))
    mask = bitwise_or(equal(values, found), not_equal(values, values) & not_equal(found, found))
    return mask, like_real(sum_(mask, axis=(len(mask.shape) - 1,), keepdims=True), x)


def _statistic_jvp(t: Any, out: Any, x: Any, *_rest: Any, **_params: Any) -> Any:
    mask, count = _ties(out, x)
    t = reshape(t, shape=(*t.shape[:-1], 1, t.shape[-1]))
    last = len(mask.shape) - 1
    shared = sum_(where(mask, t, 0), axis=(last,), keepdims=True) / count
    return reshape(shared, shape=shared.shape[:-1])


def _statistic_vjp(g: Any, out: Any, x: Any, *_rest: Any, **_params: Any) -> Any:
    mask, count = _ties(out, x)
    g = reshape(g, shape=(*g.shape, 1)) / count
    return sum_(where(mask, g, 0), axis=(len(mask.shape) - 2,), keepdims=False)


order_statistic: Function = general(
    _order_statistic,
    jvps=[_statistic_jvp, None],
    vjps=[_statistic_vjp, None],
    batch=lambda values, flags, _size: order_statistic(*align(values, flags)),
    name="order_statistic",
    samples=lambda rng: [
        ((rng.standard_normal((3, 5)), np.array([0, 2, 2])), {}),
        ((rng.standard_normal(4), np.array([3])), {}),
        ((rng.standard_normal((3, 5)), np.array([[1], [4], [0]])), {}),
    ],
    doc="The k-th smallest elements along the last axis, for an array of positions k; ties share.",
)


def _weighted_quantile(x: Any, weights: Any, *, q: tuple[float, ...]) -> Any:
    found = np.quantile(x, q, axis=-1, weights=weights, method="inverted_cdf")
    return np.moveaxis(found, 0, -1)


def _batch_weighted_quantile(values: Any, flags: Any, size: int, *, q: tuple[float, ...]) -> Any:
    x, weights = all_mapped(values, flags, size)
    return weighted_quantile(x, broadcast_to(weights, shape=x.shape), q=q)


weighted_quantile = general(
    _weighted_quantile,
    jvps=[_statistic_jvp, lambda t, out, *_args, q: np.zeros(out.shape, out.dtype)],
    vjps=[_statistic_vjp, lambda g, _out, _x, weights, *, q: np.zeros(weights.shape, weights.dtype)],
    batch=_batch_weighted_quantile,
    name="weighted_quantile",
    samples=lambda rng: [((rng.standard_normal((3, 5)), rng.uniform(1, 2, (3, 5))), {"q": (0.3, 0.7)})],
    holomorphic=False,
    doc="Quantiles of weighted elements along the last axis: an element each, wherever the weights put it.",
)

__all__ = ["order_statistic", "partition", "sort", "take_along", "weighted_quantile"]
