"""The primitives of the shim's losses: sums over all elements of two arrays, and of the chosen ones of one."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch.ops.short import SHORT, total
from funcdiff.core.alignment import align
from funcdiff.core.declare import general, linear
from funcdiff.core.primitive import REGISTRY


def _share(x: Any, y: Any, mean: bool) -> float:
    """Return how much one of the elements that two arrays make together counts."""
    count = math.prod(np.broadcast_shapes(x.shape, y.shape))
    return 1.0 / (count or math.nan) if mean else 1.0


def _loss(name: str, elements: Any, whole: Any, slopes: Any, doc: str) -> Any:
    """Declare the sum or the mean of an elementwise function of two arrays, given its partial derivatives.

    `elements` is of primitives, `whole` the quicker sum of it for plain arrays.
    """

    def impl(x: Any, y: Any, *, mean: bool) -> Any:
        found = whole(x, y)
        return found * found.dtype.type(_share(x, y, mean)) if mean else found

    def vjp(slope: Any) -> Any:
        return lambda g, _out, x, y, *, mean: (g * _share(x, y, mean)) * slope(x, y)

    def jvp(slope: Any) -> Any:
        def push(t: Any, _out: Any, x: Any, y: Any, *, mean: bool) -> Any:
            along = slope(x, y) * t
            axes = tuple(range(len(along.shape)))
            return REGISTRY["sum"].function(along, axis=axes, keepdims=False) * _share(x, y, mean)

        return push

    def batch(values: Any, flags: Any, _size: int, *, mean: bool) -> Any:
        found = elements(*align(values, flags))
        total_ = REGISTRY["sum"].function(found, axis=tuple(range(1, len(found.shape))), keepdims=False)
        return total_ / (math.prod(found.shape[1:]) or math.nan) if mean else total_

    return general(
        impl,
        jvps=[jvp(slope) for slope in slopes],
        vjps=[vjp(slope) for slope in slopes],
        batch=batch,
        name=name,
        samples=lambda rng: [
            ((rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"mean": True}),
            ((rng.standard_normal((2, 3)), rng.standard_normal(3)), {"mean": False}),
        ],
        holomorphic=False,
        doc=doc,
    )


def _all(x: Any) -> Any:
    return total(x.reshape(-1), axis=(0,), keepdims=False)


def _sum_of_squares(x: Any, y: Any) -> Any:
    flat = (x - y).reshape(-1)
    return flat.dot(flat) if 0 < flat.size <= SHORT else _all(flat * flat)


squared_distance = _loss(
    "squared_distance",
    lambda x, y: (x - y) * (x - y),
    _sum_of_squares,
    [lambda x, y: 2 * (x - y), lambda x, y: 2 * (y - x)],
    "Sum, or mean, of the squared differences of all elements.",
)

_expit, _logaddexp = (REGISTRY[name].function for name in ("expit", "logaddexp"))

cross_entropy_of_logits = _loss(
    "cross_entropy_of_logits",
    lambda x, y: _logaddexp(x, 0) - x * y,
    lambda x, y: _all(np.logaddexp(x, 0) - x * y),
    [lambda x, y: _expit(x) - y, lambda x, _y: -x],
    "Sum, or mean, of the cross entropies of probabilities and the logistic functions of all elements.",
)


@lru_cache(maxsize=256)
def _shares(n: int, count: float, kind: str) -> Any:
    return np.full(n, -1 / count, kind)


def _chosen(x: Any, *, positions: Any, count: float) -> Any:
    found = x.take(positions)
    kind = x.dtype.char
    if kind in "fd" and 0 < found.size <= SHORT:
        return found.dot(_shares(len(found), count, kind))
    return -total(found, axis=(0,), keepdims=False) / count


def _chosen_transpose(g: Any, x: Any, *, positions: Any, count: float) -> Any:
    return at_chosen(g, shape=x.shape, positions=positions, count=count)


def _batch_chosen(values: Any, _flags: Any, size: int, *, positions: Any, count: float) -> Any:
    x = values[0]
    flat = REGISTRY["reshape"].function(x, shape=(size, math.prod(x.shape[1:])))
    found = REGISTRY["getitem"].function(flat, index=(slice(None), positions))
    return -REGISTRY["sum"].function(found, axis=(1,), keepdims=False) / count


minus_mean_of_chosen: Any = linear(
    _chosen,
    _chosen_transpose,
    batch=_batch_chosen,
    name="minus_mean_of_chosen",
    samples=lambda rng: [((rng.standard_normal((3, 4)),), {"positions": np.array([1, 7, 9]), "count": 3})],
    doc="Minus the sum of the elements at positions counted in C order, divided by a count.",
)


def _at_chosen(g: Any, *, shape: Any, positions: Any, count: float) -> Any:
    out = np.zeros(shape, np.asarray(g).dtype)
    out.put(positions, -g / count)
    return out


def _batch_at_chosen(values: Any, _flags: Any, size: int, *, shape: Any, positions: Any, count: float) -> Any:
    share = REGISTRY["reshape"].function(-(values[0] / count), shape=(size, 1))
    share = REGISTRY["broadcast_to"].function(share, shape=(size, len(positions)))
    index = (slice(None), positions)
    flat = REGISTRY["index_add"].function(share, shape=(size, math.prod(shape)), index=index)
    return REGISTRY["reshape"].function(flat, shape=(size, *shape))


at_chosen: Any = linear(
    _at_chosen,
    lambda g, _x, *, shape, positions, count: minus_mean_of_chosen(g, positions=positions, count=count),
    batch=_batch_at_chosen,
    name="at_chosen",
    samples=lambda rng: [
        ((rng.standard_normal(),), {"shape": (3, 4), "positions": np.array([1, 7, 9]), "count": 3})
    ],
    doc="Transpose of `minus_mean_of_chosen`; no place is chosen twice.",
)
