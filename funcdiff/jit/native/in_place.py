"""Temporaries in the memory of results: what is read for the last time where a result is written lies there already.

The loop then reads and writes the same elements, and touches one array less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from funcdiff.jit.native.nodes import BYTES, Base, Group, Memory


def share(groups: Sequence[Group], bases: list[Base], results: Sequence[Base]) -> list[Base]:
    """Let temporaries be results for as long as these have not been written; return the memory that remains."""
    split = {id(b.root) for b in bases if b.of is not None}
    for result in results:
        users = [g for g in groups if any(base is result for base in _touched(g))]
        if (
            len(users) != 1
            or not users[0].space
            or users[0].accumulations
            or users[0].fills
            or id(result) in split
        ):
            continue
        (group,) = users
        for base in bases:
            if id(base) not in split and _fits(base, result, group, groups):
                base.name, base.place = result.name, result.place
                bases = [b for b in bases if b is not result]
                break
    return bases


class Accesses:
    """Where groups read and write arrays, which are known by the names of their memory."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = groups
        self.found: dict[str, list[tuple[int, str, Any]]] = {}
        for n, group in enumerate(groups):
            for node in group.nodes:
                if node.op in ("load", "fetch"):
                    self._enter(n, "read" if node.op == "load" else "", *node.detail)
            for store in group.stores:
                self._enter(n, "written", store.memory, store.offset, store.strides)
            for base in _touched_otherwise(group):
                self.found.setdefault(base.root.name, []).append((n, "", None))

    def _enter(self, n: int, how: str, memory: Memory, offset: int, strides: tuple[int, ...]) -> None:
        base = memory.base
        plain = how if base.of is None else ""
        self.found.setdefault(base.root.name, []).append((n, plain, _place(memory, offset, strides)))

    def replaces(self, old: str, new: str) -> bool:
        """Tell whether one array is read for the last time where another is written, element by element.

        Then both may lie in the same place.
        """
        if new not in self.found:
            return False
        writer = min(n for n, _, _ in self.found[new])
        reads = [(how, place) for n, how, place in self.found.get(old, ()) if n >= writer]
        if any(n > writer for n, _, _ in self.found.get(old, ())) or any(how != "read" for how, _ in reads):
            return False
        if not reads or not self.groups[writer].space:
            return True  # straight code reads before it writes
        writes = [(how, place) for n, how, place in self.found[new] if n == writer]
        return all(how == "written" for how, _ in writes) and {p for _, p in reads} <= {p for _, p in writes}


def _touched(group: Group) -> Iterator[Base]:
    """Yield the memory that a group reads and writes."""
    for node in group.nodes:
        if node.op in ("load", "fetch"):
            yield node.detail[0].base
    for store in group.stores:
        yield store.memory.base
    yield from _touched_otherwise(group)


def _touched_otherwise(group: Group) -> Iterator[Base]:
    """Yield the memory that a group reads and writes in other ways than by loads and stores."""
    for accumulation in group.accumulations:
        yield accumulation.memory.base
    for scatter in group.scatters:
        yield scatter.memory.base
    for memory, _ in group.fills:
        yield memory.base
    for arguments in (*(c.arguments for c in group.calls), *(i.arguments for i in group.invocations)):
        for a in arguments:
            if not isinstance(a, str):
                yield a[0]


def _fits(base: Base, result: Base, group: Group, groups: Sequence[Group]) -> bool:
    """Tell whether a temporary's elements are read for the last time where those of a result are written."""
    temporary = base.place < 0 and base.constant is None and base.of is None and not base.mutable
    if not temporary or base.size != result.size or base.last != group.when:
        return False
    later = [g for g in groups if g.when >= group.when and g is not group]
    if base.first >= group.when or any(b is base for g in later for b in _touched(g)):
        return False
    written = {(_place(s.memory, s.offset, s.strides)) for s in group.stores if s.memory.base is result}
    read = {_place(*n.detail) for n in group.nodes if n.op == "load" and n.detail[0].base is base}
    fetched = any(n.op == "fetch" and n.detail[0].base is base for n in group.nodes)
    return (
        bool(read)
        and not fetched
        and read <= written
        and not any(s.memory.base is base for s in group.stores)
    )


def _place(memory: Memory, offset: int, strides: tuple[int, ...]) -> tuple[int, tuple[int, ...], int]:
    return memory.offset + offset, strides, BYTES[memory.kind]
