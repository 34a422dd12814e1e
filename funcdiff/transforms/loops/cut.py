"""Which values of a body to save for its reverse sweep: a minimum vertex cut.

A value can be had by saving it, at the cost of its size, or by making it again from others, free where that
takes arithmetic only.  Carried values and the results of expensive steps can only be saved.  The cheapest set
from which all that the reverse sweep reads can be made separates, in the graph of cheap steps, those from
what is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

from funcdiff.core.primitive import LocallyConstant
from funcdiff.core.tape import Record, Variable, variables

CHEAP = frozenset(
    [
        "add",
        "subtract",
        "multiply",
        "negative",
        "positive",
        "scale",
        "square",
        "absolute",
        "where",
        "astype",
        "maximum",
        "minimum",
        "reshape",
        "transpose",
        "broadcast_to",
        "getitem",
        "real",
        "imag",
        "conj",
        "deg2rad",
        "rad2deg",
    ]
)


def is_cheap(record: Record) -> bool:
    """Tell whether a step costs less than loading its result from memory."""
    primitive = record.primitive
    return primitive.name in CHEAP or (isinstance(primitive, LocallyConstant) and not record.params)


def minimum_cut(
    records: Sequence[Record], carried: Iterable[Variable], needed: Iterable[Variable]
) -> set[int]:
    """Return the numbers of the variables to save."""
    sources = {v.number: v.type.size for v in carried}
    size = dict(sources)
    users: dict[int, list[int]] = {}
    for record in records:
        for v in record.outputs:
            size[v.number] = v.type.size
        inputs = {v.number for v in variables(record.inputs)}
        if not is_cheap(record):
            sources.update((v.number, v.type.size) for v in record.outputs)
            continue
        for v in record.outputs:
            for n in inputs:
                users.setdefault(n, []).append(v.number)
    wanted = {v.number for v in needed}
    return _Network(size, users, set(sources), wanted).cut()


class _Network:
    """Vertices with capacities, parted into a way in and a way out; flow along the edges is unlimited."""

    def __init__(
        self, size: dict[int, int], users: dict[int, list[int]], sources: set[int], wanted: set[int]
    ) -> None:
        self.sources = sources & size.keys()
        self.wanted = wanted
        self.room = {n: max(s, 1) for n, s in size.items()}  # what may yet flow through a vertex
        self.through = dict.fromkeys(size, 0)
        self.users = users
        self.back: dict[int, dict[int, int]] = {}  # flow that came along an edge, by its head

    def cut(self) -> set[int]:
        """Fill the network, and return the full vertices between what can be reached and what cannot."""
        while self._augment():
            pass
        reached = self._search()[0]
        return {n for n, out in reached if not out and (n, True) not in reached and n in self.room}

    def _search(self) -> tuple[dict[tuple[int, bool], tuple[int, bool] | None], tuple[int, bool] | None]:
        """Go from the sources breadth first, through what has room; states are (vertex, is its way out)."""
        seen: dict[tuple[int, bool], tuple[int, bool] | None] = {(n, False): None for n in self.sources}
        queue = deque(seen)
        while queue:
            state = queue.popleft()
            n, out = state
            if out:
                if n in self.wanted:
                    return seen, state
                steps = [(m, False) for m in self.users.get(n, ()) if m in self.room]
                if self.through[n]:
                    steps.append((n, False))
            else:
                steps = [(m, True) for m, flow in self.back.get(n, {}).items() if flow]
                if self.room[n]:
                    steps.append((n, True))
            for step in steps:
                if step not in seen:
                    seen[step] = state
                    queue.append(step)
        return seen, None

    def _augment(self) -> bool:
        seen, end = self._search()
        if end is None:
            return False
        path = [end]
        while (before := seen[path[-1]]) is not None:
            path.append(before)
        path.reverse()
        amount = min(self._room(a, b) for a, b in pairwise(path))
        for a, b in pairwise(path):
            self._push(a, b, amount)
        return True

    def _room(self, a: tuple[int, bool], b: tuple[int, bool]) -> float:
        if a[0] == b[0]:
            return self.through[a[0]] if a[1] else self.room[a[0]]
        return float("inf") if a[1] else self.back[a[0]][b[0]]

    def _push(self, a: tuple[int, bool], b: tuple[int, bool], amount: float) -> None:
        if a[0] == b[0]:
            sign = -1 if a[1] else 1
            self.through[a[0]] += sign * int(amount)
            self.room[a[0]] -= sign * int(amount)
        elif a[1]:
            flows = self.back.setdefault(b[0], {})
            flows[a[0]] = flows.get(a[0], 0) + int(amount)
        else:
            self.back[a[0]][b[0]] -= int(amount)
