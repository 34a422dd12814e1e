"""Records that are lowered as several: norms of vectors, cross products, and sums over indices."""

from __future__ import annotations

import functools
import math

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Record
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering


@handler("vector_norm")
def _vector_norm(low: Lowering, record: Record) -> Array:
    """The root of a sum of squares, or the sum of sizes."""
    out = record.outputs[0].type
    (x,) = _floats(low, record)
    order, axis, keepdims = (record.params[name] for name in ("order", "axis", "keepdims"))
    if order not in (1, 2):
        raise NotNative(record)
    axes = tuple(range(len(x.type.shape))) if axis is None else axis
    each = low.step(REGISTRY["square" if order == 2 else "absolute"], x.type, [x], {})
    total = low.step(REGISTRY["sum"], out, [each], {"axis": axes, "keepdims": keepdims})
    return low.step(REGISTRY["sqrt"], out, [total], {}) if order == 2 else total


@handler("cross")
def _cross(low: Lowering, record: Record) -> Array:
    """Products of the components after and before each, and the other way round."""
    out = record.outputs[0].type
    a, b = _floats(low, record)
    if any(x.type.shape[-1] != 3 for x in (a, b)) or not out.size:
        raise NotNative(record)
    ahead = _multiplied(low, _rotated(low, a, 1), _rotated(low, b, 2))
    behind = _multiplied(low, _rotated(low, a, 2), _rotated(low, b, 1))
    return low.step(REGISTRY["subtract"], out, [ahead, behind], {})


def _rotated(low: Lowering, x: Array, n: int) -> Array:
    """Return the components of vectors from the n-th on, and those before it."""

    def part(where: slice) -> Array:
        lengths = (*x.type.shape[:-1], len(range(3)[where]))
        return low.step(
            REGISTRY["getitem"], ArrayType(lengths, x.type.dtype), [x], {"index": (Ellipsis, where)}
        )

    parts = [part(slice(n, None)), part(slice(None, n))]
    return low.step(REGISTRY["concatenate"], x.type, parts, {"axis": len(x.type.shape) - 1})


@handler("einsum")
def _einsum(low: Lowering, record: Record) -> Array:
    """A product of matrices where two operands share what is summed over, else products summed as NumPy does."""
    operands = _floats(low, record)
    given, output = record.params["subscripts"].split("->")
    terms = given.split(",")
    sizes: dict[str, int] = {}
    for x, term in zip(operands, terms, strict=True):
        if len(set(term)) != len(term) or any(
            sizes.setdefault(letter, n) != n for letter, n in zip(term, x.type.shape, strict=True)
        ):
            raise NotNative(record)  # diagonals, and axes of length 1 that are repeated
    if 0 in sizes.values() or (len(terms) > 2 and record.params["optimize"]):
        raise NotNative(record)
    summed = [letter for letter in sizes if letter not in output]
    if len(terms) == 2 and summed and all(letter in term for letter in summed for term in terms):
        return _product(low, operands, terms, output, sizes)
    letters = [*output, *summed]
    aligned = [_aligned(low, x, term, letters) for x, term in zip(operands, terms, strict=True)]
    full = functools.reduce(functools.partial(_multiplied, low), aligned)
    axes = tuple(range(len(output), len(letters)))
    if not axes:
        return full
    return low.step(REGISTRY["sum"], record.outputs[0].type, [full], {"axis": axes, "keepdims": False})


def _floats(low: Lowering, record: Record) -> list[Array]:
    """Return the operands, which are of the result's dtype."""
    of = record.outputs[0].type
    found = [low.array(a) for a in record.inputs]
    if kind_of(of) not in ("f64", "f32") or any(x.type.dtype != of.dtype for x in found):
        raise NotNative(record)
    return found


def _product(
    low: Lowering, operands: list[Array], terms: list[str], output: str, sizes: dict[str, int]
) -> Array:
    """Multiply stacks of matrices, whose inner axes are what is summed over."""
    left, right = terms
    stacked = [n for n in output if n in left and n in right]
    rows, columns = ([n for n in term if n in output and n not in stacked] for term in terms)
    inner = [n for n in left if n not in output]

    def length(letters: list[str]) -> int:
        return math.prod(sizes[n] for n in letters)

    batch = tuple(sizes[n] for n in stacked)
    a = _turned(low, operands[0], left, [*stacked, *rows, *inner])
    b = _turned(low, operands[1], right, [*stacked, *inner, *columns])
    a = _shaped(low, a, (*batch, length(rows), length(inner)))
    b = _shaped(low, b, (*batch, length(inner), length(columns)))
    type_ = ArrayType((*batch, length(rows), length(columns)), a.type.dtype)
    product = low.step(REGISTRY["matmul"], type_, [a, b], {})
    found = [*stacked, *rows, *columns]
    return _turned(low, _shaped(low, product, tuple(sizes[n] for n in found)), found, [*output])


def _multiplied(low: Lowering, a: Array, b: Array) -> Array:
    shape = np.broadcast_shapes(a.type.shape, b.type.shape)
    return low.step(REGISTRY["multiply"], ArrayType(shape, a.type.dtype), [a, b], {})


def _aligned(low: Lowering, x: Array, term: str, letters: list[str]) -> Array:
    """Return an operand with an axis for each letter, of length 1 where it has none."""
    x = _turned(low, x, term, [n for n in letters if n in term])
    lengths = iter(x.type.shape)
    return _shaped(low, x, tuple(next(lengths) if n in term else 1 for n in letters))


def _turned(low: Lowering, x: Array, before: str | list[str], after: list[str]) -> Array:
    axes = tuple(before.index(n) for n in after)
    if axes == tuple(range(len(axes))):
        return x
    type_ = ArrayType(tuple(x.type.shape[axis] for axis in axes), x.type.dtype)
    return low.step(REGISTRY["transpose"], type_, [x], {"axes": axes})


def _shaped(low: Lowering, x: Array, shape: tuple[int, ...]) -> Array:
    if x.type.shape == shape:
        return x
    return low.step(REGISTRY["reshape"], ArrayType(shape, x.type.dtype), [x], {"shape": shape})
