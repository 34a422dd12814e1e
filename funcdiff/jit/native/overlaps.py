"""Along which axes the steps of a loop nest do not meet in memory, so that they may be taken in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from funcdiff.jit.native.nodes import BYTES, Group, Memory, Node


@dataclass(frozen=True)
class _Place:
    """What a node reads or writes: elements of `size` bytes, from `start` bytes on, at strides along the loops.

    Blocks of memory are told by their names, since a temporary may lie where a result does.
    """

    block: str
    at: Node | None  # the address of a part of the block, if it is known at run time only
    start: int
    strides: tuple[int, ...]
    size: int


def parted_axes(group: Group) -> list[int]:
    """Return the axes that can be parted, the outermost first."""
    written = [_place(s.memory, s.offset, s.strides) for s in group.stores]
    added = [_place(a.memory, a.offset, a.strides) for a in group.accumulations]
    read = [_place(*n.detail) for n in group.nodes if n.op == "load"]
    fetched = {n.detail[0].base.root.name for n in group.nodes if n.op == "fetch"}
    blocks = {p.block for p in (*written, *added)}
    if blocks & fetched:
        return []
    read = [p for p in read if p.block in blocks]
    space = group.space
    apart = all(
        _are_apart(p, q, space)
        for n, p in enumerate(written)
        for q in (*written[:n], *added, *read)
        if p != q
    ) and all(_are_apart(p, q, space) for n, p in enumerate(added) for q in (*added[:n], *read))
    if not apart:
        return []
    axes = range(len(space))
    return [a for a in axes if all(_is_parted(p, space, a) for p in (*written, *added))]


def _place(memory: Memory, offset: int, strides: tuple[int, ...]) -> _Place:
    base = memory.base
    return _Place(base.root.name, base.at, memory.offset + offset, strides, BYTES[memory.kind])


def _is_parted(p: _Place, space: Sequence[int], axis: int) -> bool:
    """Tell whether every step along an axis writes elements of its own."""
    return p.strides[axis] != 0 and _is_injective(_steps(p, space), p.size)


def _are_apart(p: _Place, q: _Place, space: Sequence[int]) -> bool:
    """Tell whether two places have no bytes in common, whatever step of the loops each is at."""
    if p.block != q.block:
        return True
    if p.at is not q.at:
        return False
    (low, high), (first, last) = _extent(p, space), _extent(q, space)
    if high <= first or last <= low:
        return True
    # components that lie between each other: as if they were one axis more
    return (
        p.strides == q.strides
        and p.size == q.size
        and p.start != q.start
        and _is_injective([*_steps(p, space), (abs(p.start - q.start), 2)], p.size)
    )


def _steps(p: _Place, space: Sequence[int]) -> list[tuple[int, int]]:
    return [(abs(s), n) for s, n in zip(p.strides, space, strict=True) if s and n > 1]


def _extent(p: _Place, space: Sequence[int]) -> tuple[int, int]:
    """Return the bytes from which and up to which a place reaches."""
    ends = [s * (n - 1) for s, n in zip(p.strides, space, strict=True)]
    return p.start + sum(min(e, 0) for e in ends), p.start + sum(max(e, 0) for e in ends) + p.size


def _is_injective(steps: list[tuple[int, int]], size: int) -> bool:
    """Tell whether elements at different steps have no bytes in common: each axis reaches over all that is below it."""
    reach = size
    for stride, length in sorted(steps):
        if stride < reach:
            return False
        reach += stride * (length - 1)
    return True
