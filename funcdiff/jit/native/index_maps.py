"""Index maps: which element of an operand each element of a result is, for slices and what puts slices together.

A map has a step per axis of the operand: its index is `start + step * i`, where `i` is the index along an axis
of the result, or along a loop.  A map composed with a map is a map, so an element of a program that slices,
shifts and adds is an expression of elements of its inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.native.arrays import expand
from funcdiff.jit.passes.rewriting import kind

FIXED = -1  # stands for an index that does not change


class Along(NamedTuple):
    """The index along one axis: `start + step * i`, with `i` the index along `axis`."""

    axis: int
    start: int
    step: int


Map = tuple[Along, ...]
Box = tuple[tuple[int, int], ...]
"""Per axis the first index inside, and the first one after that."""


@dataclass(frozen=True, slots=True)
class Use:
    """An operand of a record: where it is read for an element of the result, if that lies in the box."""

    atom: Atom
    map: Map
    box: Box | None = None  # None for everywhere


@dataclass(frozen=True, slots=True)
class Uses:
    """What a record makes its elements of: one of the operands, or, computed with, all of them."""

    operands: tuple[Use, ...]
    chosen: bool = True  # the first whose box an element lies in is the element


def identity(rank: int) -> Map:
    """Return the map that changes nothing."""
    return tuple(Along(axis, 0, 1) for axis in range(rank))


def composed(inner: Map, outer: Map) -> Map:
    """Return `inner`, of an operand, in terms of what the map `outer` of the result is in terms of."""
    found = []
    for axis, start, step in inner:
        if axis == FIXED:
            found.append(Along(FIXED, start, 0))
        else:
            through, first, by = outer[axis]
            found.append(Along(through, start + step * first, step * by))
    return tuple(found)


def uses(record: Record) -> Uses | None:
    """Return the index maps of a record that only chooses elements; None for other records."""
    given = record.inputs
    match record.primitive.name:
        case "getitem":
            return _one(given[0], _looked(kind(given[0]).shape, [record.params["index"]]))
        case "view":
            return _one(given[0], _looked(kind(given[0]).shape, _keys(record.params["path"])))
        case "update_at":
            return _replaced(given[0], given[1], record, _keys(record.params["path"]))
        case "index_add":
            return _replaced(_zero(record), given[0], record, [record.params["index"]])
        case "concatenate":
            return _concatenated(record)
        case "transpose":
            axes = record.params["axes"]
            return _one(given[0], tuple(Along(axes.index(n), 0, 1) for n in range(len(axes))))
        case "broadcast_to":
            return _one(given[0], broadcast(kind(given[0]).shape, record.outputs[0].type.shape))
        case "reshape":
            return _one(given[0], _reshaped(kind(given[0]).shape, record.outputs[0].type.shape))
    return None


def elementwise(record: Record) -> Uses:
    """Return the index maps of a record that acts on each element."""
    shape = record.outputs[0].type.shape
    return Uses(tuple(Use(a, broadcast(kind(a).shape, shape)) for a in record.inputs), chosen=False)


def broadcast(shape: Sequence[int], full: Sequence[int]) -> Map:
    """Return where an array is read that is broadcast to a shape."""
    lead = len(full) - len(shape)
    return tuple(
        Along(FIXED, 0, 0) if n == 1 and full[lead + axis] != 1 else Along(lead + axis, 0, 1)
        for axis, n in enumerate(shape)
    )


def _one(atom: Atom, found: Map | None) -> Uses | None:
    return None if found is None else Uses((Use(atom, found),))


def _zero(record: Record) -> Atom:
    return Literal(record.outputs[0].type.dtype.type(0))


def _keys(path: Any) -> list[Any] | None:
    """Return the indices of a path of lenses; None if it does more than take indices."""
    if any(function.primitive.name != "getitem" for function, _ in path):
        return None
    return [params["index"] for _, params in path]


def _looked(shape: Sequence[int], keys: Sequence[Any] | None) -> Map | None:
    """Return the map that indices make, one after the other."""
    if keys is None:
        return None
    found = identity(len(shape))
    for key in keys:
        expanded = expand(key, shape)
        if expanded is None:
            return None
        step, shape = _indexed(expanded, shape)
        found = composed(found, step)
    return found


def _indexed(expanded: Sequence[Any], shape: Sequence[int]) -> tuple[Map, list[int]]:
    """Return the map of a basic index, and the shape that it takes."""
    found: list[Along] = []
    taken: list[int] = []
    for k in expanded:
        if k is None:
            taken.append(1)
            continue
        n = shape[len(found)]
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            found.append(Along(len(taken), start, step))
            taken.append(len(range(start, stop, step)))
        else:
            found.append(Along(FIXED, int(k) % n, 0))
    return tuple(found), taken


def _reshaped(shape: Sequence[int], to: Sequence[int]) -> Map | None:
    """Return the map of a reshape that adds or drops axes of length one alone."""
    long = [axis for axis, n in enumerate(to) if n != 1]
    if [n for n in shape if n != 1] != [to[axis] for axis in long]:
        return None
    rest = iter(long)
    return tuple(Along(FIXED, 0, 0) if n == 1 else Along(next(rest), 0, 1) for n in shape)


def _replaced(base: Atom, value: Atom, record: Record, keys: Sequence[Any] | None) -> Uses | None:
    """Return an array with a box replaced."""
    shape = record.outputs[0].type.shape
    looked = _looked(shape, keys)
    if looked is None or any(a.axis != FIXED and a.step != 1 for a in looked):
        return None
    assert keys is not None
    extents = list(shape)
    for key in keys:
        extents = _indexed(expand(key, extents) or (), extents)[1]
    inverse = [Along(FIXED, 0, 0)] * len(extents)
    box = []
    for axis, (along, start, _) in enumerate(looked):
        if along == FIXED:
            box.append((start, start + 1))
        else:
            box.append((start, start + extents[along]))
            inverse[along] = Along(axis, -start, 1)
    read = composed(broadcast(kind(value).shape, extents), tuple(inverse))
    of_base = broadcast(kind(base).shape, shape)
    return Uses((Use(value, read, tuple(box)), Use(base, of_base)))


def _concatenated(record: Record) -> Uses:
    axis, shape = record.params["axis"], record.outputs[0].type.shape
    found, at = [], 0
    for a in record.inputs:
        n = kind(a).shape[axis]
        box = tuple((at, at + n) if k == axis else (0, m) for k, m in enumerate(shape))
        moved = tuple(Along(k, -at if k == axis else 0, 1) for k in range(len(shape)))
        found.append(Use(a, moved, box))
        at += n
    return Uses(tuple(found))


# --- boxes of loops ----------------------------------------------------------------------------------


def preimage(along: Along, low: int, high: int) -> tuple[int, int]:
    """Return the indices `i` for which `low <= start + step * i < high`, as first and first after."""
    _, start, step = along
    if step > 0:
        return -(-(low - start) // step), -(-(high - start) // step)
    return (start - high) // -step + 1, (start - low) // -step + 1


def inside(map_: Map, box: Box, within: Box) -> Box | None:
    """Return the part of a box of loops that a map takes into another box; None if it is empty."""
    found = list(within)
    for along, (low, high) in zip(map_, box, strict=True):
        if along.axis == FIXED:
            if not low <= along.start < high:
                return None
            continue
        first, after = preimage(along, low, high)
        mine = found[along.axis]
        found[along.axis] = (max(mine[0], first), min(mine[1], after))
        if found[along.axis][0] >= found[along.axis][1]:
            return None
    return tuple(found)
