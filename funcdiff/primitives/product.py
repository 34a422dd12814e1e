"""Products of arrays: matmul and its vector forms, tensordot, the cross product.

They are linear in each operand (over the reals only where an operand is conjugated), so each declares
its transposes, and no JVP.  `einsum` is a file of its own.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import multilinear
from funcdiff.core.primitive import Function
from funcdiff.primitives.shape import conj, reshape, transpose


def swap_last(x: Any) -> Any:
    """Transpose the last two axes."""
    n = len(x.shape)
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


def conjugate(x: Any) -> Any:
    """Complex conjugate, which for a real array is the array itself."""
    return conj(x) if x.dtype.kind == "c" else x


def column(x: Any) -> Any:
    """Append an axis of length one: a stack of vectors as a stack of columns."""
    return reshape(x, shape=(*x.shape, 1))


def row(x: Any) -> Any:
    """Insert an axis of length one before the last: a stack of vectors as a stack of rows."""
    return reshape(x, shape=(*x.shape[:-1], 1, x.shape[-1]))


def _pairs(*pairs: tuple[tuple[int, ...], tuple[int, ...]], **params: Any) -> Any:
    def samples(rng: np.random.Generator) -> Any:
        real = [((rng.standard_normal(s), rng.standard_normal(t)), params) for s, t in pairs]
        z = [tuple(rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in pair) for pair in pairs[:2]]
        return real + [(args, params) for args in z]

    return samples


# --- matmul ---------------------------------------------------------------------------------------


def _matmul_left(g: Any, a: Any, b: Any) -> Any:
    """Cotangent of the left factor; broadcast stacks are summed by `match`."""
    if len(b.shape) == 1:  # (…, n) @ (n,) or (n,) @ (n,)
        return g * b if len(a.shape) == 1 else column(g) * b
    if len(a.shape) == 1:  # (n,) @ (…, n, m)
        return reshape(matmul(b, column(g)), shape=b.shape[:-1])
    return matmul(g, swap_last(b))


def _matmul_right(g: Any, a: Any, b: Any) -> Any:
    if len(a.shape) == 1:
        return g * a if len(b.shape) == 1 else column(a) * row(g)
    if len(b.shape) == 1:
        if len(a.shape) > 2:  # one product instead of a stack of them that is then summed
            a, g = _flat_rows(a), reshape(g, shape=(math.prod(g.shape),))
        return matmul(g, a)
    if len(b.shape) == 2 and len(a.shape) > 2:
        a, g = _flat_rows(a), _flat_rows(g)
    return matmul(swap_last(a), g)


def _flat_rows(x: Any) -> Any:
    return reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def _batch_matmul(values: Any, flags: Any, _size: int) -> Any:
    a, b = values
    fa, fb = flags
    rank_a, rank_b = len(a.shape) - fa, len(b.shape) - fb
    # one product with more rows is many times faster than a stack of small ones
    if not fb and rank_b <= 2 and (rank_a == 1 or len(a.shape) > 2):
        out = matmul(_flat_rows(a), b)
        return reshape(out, shape=(*a.shape[:-1], *b.shape[1:]))
    if not fa and rank_a <= 2 and rank_b == 1:
        return matmul(b, a if rank_a == 1 else swap_last(a))
    if rank_a == 1:
        a = row(a)
    if rank_b == 1:
        b = column(b)
    out = matmul(*align((a, b), flags))
    if rank_a == 1 and rank_b == 1:
        return reshape(out, shape=out.shape[:-2])
    if rank_a == 1:
        return reshape(out, shape=(*out.shape[:-2], out.shape[-1]))
    if rank_b == 1:
        return reshape(out, shape=out.shape[:-1])
    return out


matmul = multilinear(
    np.matmul,
    [_matmul_left, _matmul_right],
    batch=_batch_matmul,
    name="matmul",
    operator=operator.matmul,
    samples=_pairs(
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((4, 2, 3), (3, 2)),
        ((3,), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((2, 1, 2, 3), (5, 3, 2)),
        ((2, 0), (0, 3)),
    ),
    doc="Matrix product of the last two axes; vectors at either side.",
)


# --- vecdot, matvec, vecmat -----------------------------------------------------------------------


def _batch_vectors(ranks: tuple[int, int]) -> Any:
    """Return the batch rule of a stacked product whose operands have these many core axes."""

    def batch(values: Any, flags: Any, _size: int, function: Any) -> Any:
        lead = [len(v.shape) - f - rank for v, f, rank in zip(values, flags, ranks, strict=True)]
        most = max(lead)
        aligned = [
            reshape(v, shape=(v.shape[0], *(1,) * (most - n), *v.shape[1:])) if f and n < most else v
            for v, f, n in zip(values, flags, lead, strict=True)
        ]
        return function(*aligned)

    return batch


_batch_vecdot, _batch_matvec, _batch_vecmat = (_batch_vectors(r) for r in ((1, 1), (2, 1), (1, 2)))

vecdot: Function = multilinear(
    np.vecdot,
    [lambda g, _a, b: conjugate(column(g) * b), lambda g, a, _b: column(g) * conjugate(a)],
    batch=lambda values, flags, size: _batch_vecdot(values, flags, size, vecdot),
    name="vecdot",
    samples=_pairs(((3,), (3,)), ((2, 3), (3,)), ((4, 1, 3), (2, 3))),
    doc="Sum of ``conj(a) * b`` over the last axis; linear over the reals in the first operand.",
)


matvec: Function = multilinear(
    np.matvec,
    [lambda g, _a, x: column(g) * row(x), lambda g, a, _x: matvec(swap_last(a), g)],
    batch=lambda values, flags, size: _batch_matvec(values, flags, size, matvec),
    name="matvec",
    samples=_pairs(((2, 3), (3,)), ((2, 3), (4, 3)), ((5, 1, 2, 3), (4, 3))),
    doc="Products of a stack of matrices and a stack of vectors.",
)
vecmat: Function = multilinear(
    np.vecmat,
    [lambda g, _x, a: conjugate(matvec(a, g)), lambda g, x, _a: column(conjugate(x)) * row(g)],
    batch=lambda values, flags, size: _batch_vecmat(values, flags, size, vecmat),
    name="vecmat",
    samples=_pairs(((2,), (2, 3)), ((4, 2), (2, 3)), ((4, 2), (5, 1, 2, 3))),
    doc="Products of a stack of conjugated vectors and a stack of matrices.",
)


# --- tensordot ------------------------------------------------------------------------------------

Axes = tuple[tuple[int, ...], tuple[int, ...]]


def _tensordot(a: Any, b: Any, *, axes: Axes) -> Any:
    return np.tensordot(a, b, axes=axes)[()]


def _free(ndim: int, axes: tuple[int, ...]) -> list[int]:
    return [n for n in range(ndim) if n not in axes]


def _tensordot_left(g: Any, a: Any, b: Any, *, axes: Axes) -> Any:
    free_a, free_b = _free(len(a.shape), axes[0]), _free(len(b.shape), axes[1])
    lead = len(free_a)
    out = tensordot(g, b, axes=(tuple(range(lead, lead + len(free_b))), tuple(free_b)))
    place = dict(zip(free_a, range(lead), strict=True))  # where each axis of `a` stands in `out`
    order = sorted(axes[1])
    place.update((n, lead + order.index(m)) for n, m in zip(*axes, strict=True))
    return transpose(out, axes=tuple(place[n] for n in range(len(a.shape))))


def _tensordot_right(g: Any, a: Any, b: Any, *, axes: Axes) -> Any:
    free_a, free_b = _free(len(a.shape), axes[0]), _free(len(b.shape), axes[1])
    out = tensordot(a, g, axes=(tuple(free_a), tuple(range(len(free_a)))))
    order = sorted(axes[0])
    place = {m: order.index(n) for n, m in zip(*axes, strict=True)}
    place.update(zip(free_b, range(len(order), len(b.shape)), strict=True))
    return transpose(out, axes=tuple(place[n] for n in range(len(b.shape))))


def _batch_tensordot(values: Any, flags: Any, size: int, *, axes: Axes) -> Any:
    a, b = values
    axes_a, axes_b = (tuple(n + f for n in axis) for axis, f in zip(axes, flags, strict=True))
    if not flags[1]:
        return tensordot(a, b, axes=(axes_a, axes_b))
    if not flags[0]:
        lead = len(a.shape) - len(axes_a)
        out = tensordot(a, b, axes=(axes_a, axes_b))
        return transpose(out, axes=(lead, *range(lead), *range(lead + 1, len(out.shape))))
    free_a, free_b = _free(len(a.shape), axes_a)[1:], _free(len(b.shape), axes_b)[1:]
    shape_a, shape_b = [a.shape[n] for n in free_a], [b.shape[n] for n in free_b]
    inner = math.prod(a.shape[n] for n in axes_a)
    a = reshape(transpose(a, axes=(0, *free_a, *axes_a)), shape=(size, math.prod(shape_a), inner))
    b = reshape(transpose(b, axes=(0, *axes_b, *free_b)), shape=(size, inner, math.prod(shape_b)))
    return reshape(matmul(a, b), shape=(size, *shape_a, *shape_b))


def _tensordot_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    return [
        ((normal((2, 3, 4)), normal((4, 3, 5))), {"axes": ((2, 1), (0, 1))}),
        ((normal((2, 3, 4)), normal((2, 5, 4))), {"axes": ((0, 2), (0, 2))}),
        ((normal((3, 4)), normal((4, 3))), {"axes": ((0, 1), (1, 0))}),
        ((normal((2, 3)), normal((3, 2, 2))), {"axes": ((1,), (0,))}),
        ((normal(2), normal((2, 1))), {"axes": ((), ())}),
        (
            (normal((2, 3)) + 1j * normal((2, 3)), normal((3, 2)) + 1j * normal((3, 2))),
            {"axes": ((1,), (0,))},
        ),
    ]


tensordot = multilinear(
    _tensordot,
    [_tensordot_left, _tensordot_right],
    batch=_batch_tensordot,
    name="tensordot",
    samples=_tensordot_samples,
    doc="Contract axes of two arrays, given as two tuples counted from the front.",
)


# --- cross ----------------------------------------------------------------------------------------

cross: Function = multilinear(
    np.cross,
    [lambda g, _a, b: cross(b, g), lambda g, a, _b: cross(g, a)],  # g·(t × b) = t·(b × g)
    batch=lambda values, flags, size: cross(*align(values, flags)),
    name="cross",
    samples=_pairs(((3,), (3,)), ((2, 3), (2, 3)), ((4, 1, 3), (2, 3))),
    doc="Cross product of vectors of three components along the last axis.",
)
