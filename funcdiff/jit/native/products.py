"""Products of small matrices, unrolled: every element of the result is a sum of products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Record
from funcdiff.jit.native import calls
from funcdiff.jit.native.arrays import COMPONENT, Array, Layout, computed
from funcdiff.jit.native.build import Build
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import Group, Node
from funcdiff.jit.native.reduced import tree
from funcdiff.jit.native.spaces import TERMS

# which axes of the operands (from the right) are summed over, and which are rows and columns
_FORMS = {"matmul": (2, 2), "matvec": (2, 1), "vecmat": (1, 2), "vecdot": (1, 1)}


@handler("matmul", "matvec", "vecmat", "vecdot")
def _product(low: Lowering, record: Record) -> Array:
    out = record.outputs[0].type
    a, b = map(low.array, record.inputs)
    if record.params or kind_of(out) not in ("f64", "f32"):
        raise NotNative(record)
    ranks = list(_FORMS[record.primitive.name])
    if record.primitive.name == "matmul":
        ranks = [min(n, len(x.type.shape)) for n, x in zip(ranks, (a, b), strict=True)]
    rows = a.type.shape[-2] if ranks[0] == 2 else 1
    columns = b.type.shape[-1] if ranks[1] == 2 else 1
    inner = a.type.shape[-1]
    if rows * columns * inner > TERMS:
        return calls.product(low, record, a, b, ranks)
    if not rows * columns * inner:
        raise NotNative(record)
    if ranks == [2, 2] and len(out.shape) == 2:
        by_rows, by_columns = (loop != COMPONENT for loop in low.natural(out.shape)[1])
        if by_rows:  # a loop over vectors
            ranks, rows = [1, 2], 1
        elif by_columns:
            return _turned(
                low, low.step(record.primitive, _turned_type(out), [_turned(low, b), _turned(low, a)], {})
            )
    core = (ranks[0] == 2) + (ranks[1] == 2)
    batch = out.shape[: len(out.shape) - core]
    space, over = low.natural(batch) if batch else ((), ())
    layouts: list[Layout] = []
    for x, rank in ((a, ranks[0]), (b, ranks[1])):
        lead = len(x.type.shape) - rank
        layouts.append((*over[len(over) - lead :], *(COMPONENT,) * rank))
    shapes = [
        (*batch[len(batch) - (len(x.type.shape) - r) :], *x.type.shape[len(x.type.shape) - r :])
        for x, r in ((a, ranks[0]), (b, ranks[1]))
    ]
    stage = max(
        low.stage_of(x, (space, False), lay, s) for x, lay, s in zip((a, b), layouts, shapes, strict=True)
    )
    group = low.group((space, False), stage)
    build, of = Build(group), kind_of(out)
    left, right = (
        _converted(build, low.read(x, group, lay, s), of, x.type.shape[len(x.type.shape) - r :])
        for x, lay, s, r in zip((a, b), layouts, shapes, ranks, strict=True)
    )
    left = left if ranks[0] == 2 else left[..., None, :]
    right = right if ranks[1] == 2 else right[..., None]
    lengths = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, (*lengths, rows, inner))
    right = np.broadcast_to(right, (*lengths, inner, columns))
    nodes = np.empty((*lengths, rows, columns), object)
    for place in np.ndindex(nodes.shape):
        *at, i, j = place
        terms = [build.op("mul", left[(*at, i, k)], right[(*at, k, j)]) for k in range(inner)]
        nodes[place] = tree(build, "sum", terms)
    shape = [*lengths, *([rows] if ranks[0] == 2 else []), *([columns] if ranks[1] == 2 else [])]
    nodes = nodes.reshape([1] * (len(out.shape) - len(shape)) + shape)
    return computed(out, group, (*over, *(COMPONENT,) * core), nodes)


def _turned_type(type_: ArrayType) -> ArrayType:
    return ArrayType(type_.shape[::-1], type_.dtype)


def _turned(low: Lowering, x: Array) -> Array:
    return low.step(REGISTRY["transpose"], _turned_type(x.type), [x], {"axes": (1, 0)})


@handler("tensordot")
def _tensordot(low: Lowering, record: Record) -> Array:
    """A product of matrices, whose rows and columns are what is not summed over."""
    a, b = map(low.array, record.inputs)
    over_a, over_b = record.params["axes"]
    of = record.outputs[0].type.dtype
    (m, shape_a), (n, shape_b) = _free(a, over_a), _free(b, over_b)
    inner = math.prod(a.type.shape[axis] for axis in over_a)
    if any(x.type.dtype != of for x in (a, b)):
        raise NotNative(record)

    def turned(x: Array, axes: tuple[int, ...]) -> Array:
        type_ = ArrayType(tuple(x.type.shape[axis] for axis in axes), of)
        return low.step(REGISTRY["transpose"], type_, [x], {"axes": axes})

    def shaped(x: Array, *shape: int) -> Array:
        return low.step(REGISTRY["reshape"], ArrayType(shape, of), [x], {"shape": shape})

    rows, columns = math.prod(shape_a), math.prod(shape_b)
    left, right = (
        shaped(turned(a, (*m, *over_a)), rows, inner),
        shaped(turned(b, (*over_b, *n)), inner, columns),
    )
    product = low.step(REGISTRY["matmul"], ArrayType((rows, columns), of), [left, right], {})
    return shaped(product, *shape_a, *shape_b)


def _free(x: Array, over: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes that are not summed over, and their lengths."""
    axes = tuple(axis for axis in range(len(x.type.shape)) if axis not in over)
    return axes, tuple(x.type.shape[axis] for axis in axes)


def _converted(build: Build, nodes: Any, of: str, core: tuple[int, ...]) -> Any:
    """Return nodes as numbers of one kind, their last axes in full."""
    found = np.empty(nodes.shape, object)
    for place in np.ndindex(nodes.shape):
        node: Node = nodes[place]
        found[place] = build.convert(node, of)
    return np.broadcast_to(found, (*found.shape[: found.ndim - len(core)], *core))


Batch = tuple[Group, Layout]
