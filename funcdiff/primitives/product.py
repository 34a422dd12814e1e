"""Products of arrays: matmul and einsum, multilinear in their operands."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import multilinear
from funcdiff.primitives.shape import reshape, transpose


def swap_last(x: Any) -> Any:
    """Transpose the last two axes."""
    n = len(x.shape)
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


def _matmul_left(g: Any, a: Any, b: Any) -> Any:
    """Cotangent of the left factor; broadcast stacks are summed by `match`."""
    if len(b.shape) == 1:  # (…, n) @ (n,) or (n,) @ (n,)
        return g * b if len(a.shape) == 1 else reshape(g, shape=(*g.shape, 1)) * b
    if len(a.shape) == 1:  # (n,) @ (…, n, m)
        return reshape(matmul(b, reshape(g, shape=(*g.shape, 1))), shape=b.shape[:-1])
    return matmul(g, swap_last(b))


def _matmul_right(g: Any, a: Any, b: Any) -> Any:
    if len(a.shape) == 1:
        if len(b.shape) == 1:
            return g * a
        return reshape(a, shape=(*a.shape, 1)) * reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]))
    if len(b.shape) == 1:
        out = matmul(swap_last(a), reshape(g, shape=(*g.shape, 1)))
        return reshape(out, shape=out.shape[:-1])
    return matmul(swap_last(a), g)


def _batch_matmul(values: Any, flags: Any, size: int) -> Any:
    a, b = values
    fa, fb = flags
    rank_a, rank_b = len(a.shape) - fa, len(b.shape) - fb
    if rank_a == 1:
        a = reshape(a, shape=(*a.shape[:-1], 1, a.shape[-1]))
    if rank_b == 1:
        b = reshape(b, shape=(*b.shape, 1))
    out = matmul(*align((a, b), flags))
    if rank_a == 1 and rank_b == 1:
        return reshape(out, shape=out.shape[:-2])
    if rank_a == 1:
        return reshape(out, shape=(*out.shape[:-2], out.shape[-1]))
    if rank_b == 1:
        return reshape(out, shape=out.shape[:-1])
    return out


def _samples(*pairs: tuple[tuple[int, ...], tuple[int, ...]]) -> Any:
    return lambda rng: [((rng.standard_normal(s), rng.standard_normal(t)), {}) for s, t in pairs]


matmul = multilinear(
    np.matmul,
    [_matmul_left, _matmul_right],
    batch=_batch_matmul,
    name="matmul",
    operator=operator.matmul,
    samples=_samples(
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((4, 2, 3), (3, 2)),
        ((3,), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((2, 1, 2, 3), (5, 3, 2)),
    ),
)
