"""Which values of a body to save for its reverse sweep: a minimum vertex cut.

A value can be had by saving it, at the cost of its size, or by making it again from others, free where that
takes arithmetic only.  Carried values and the results of expensive steps can only be saved.  The cheapest set
from which all that the reverse sweep reads can be made separates, in the graph of cheap steps, those from
what is read. It is found by Dinic's algorithm: E. A. Dinic, "Algorithm for solution of a problem of maximum flow in
networks with power estimation", Soviet Math. Doklady 11 (1970).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

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


_SOURCE, _SINK = 0, 1


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
    """A flow network in which each vertex has a capacity: an edge from its way in to its way out.

    Flow along the edges between vertices is unlimited.  An edge and its reverse are numbers that differ in the last bit.
    """

    def __init__(
        self, size: dict[int, int], users: dict[int, list[int]], sources: set[int], wanted: set[int]
    ) -> None:
        self.edges: list[list[int]] = [[] for _ in range(2 + 2 * len(size))]
        self.head: list[int] = []
        self.room: list[int] = []  # what may yet flow along an edge
        self.way_in = {n: 2 + 2 * k for k, n in enumerate(size)}
        unlimited = 1 + sum(max(s, 1) for s in size.values())
        for n, at in self.way_in.items():
            self._join(at, at + 1, max(size[n], 1))
            for user in users.get(n, ()):
                self._join(at + 1, self.way_in[user], unlimited)
        for n in sources & size.keys():
            self._join(_SOURCE, self.way_in[n], unlimited)
        for n in wanted & size.keys():
            self._join(self.way_in[n] + 1, _SINK, unlimited)

    def _join(self, tail: int, head: int, room: int) -> None:
        for start, end, amount in ((tail, head, room), (head, tail, 0)):
            self.edges[start].append(len(self.head))
            self.head.append(end)
            self.room.append(amount)

    def cut(self) -> set[int]:
        """Fill the network, and return the full vertices between what can be reached and what cannot."""
        while (level := self._levels())[_SINK] >= 0:
            arc = [0] * len(self.edges)
            while self._augment(level, arc):
                pass
        return {n for n, at in self.way_in.items() if level[at] >= 0 > level[at + 1]}

    def _levels(self) -> list[int]:
        """Return how many edges with room there are from the source to each place at least, -1 where none lead."""
        level = [-1] * len(self.edges)
        level[_SOURCE] = 0
        queue = deque([_SOURCE])
        while queue:
            here = queue.popleft()
            for e in self.edges[here]:
                if self.room[e] and level[self.head[e]] < 0:
                    level[self.head[e]] = level[here] + 1
                    queue.append(self.head[e])
        return level

    def _augment(self, level: list[int], arc: list[int]) -> bool:
        """Fill one more of the shortest ways; `arc` tells which edges of each place are known to lead nowhere."""
        path: list[int] = []
        here = _SOURCE
        while here != _SINK:
            edges = self.edges[here]
            while arc[here] < len(edges):
                e = edges[arc[here]]
                if self.room[e] and level[self.head[e]] == level[here] + 1:
                    path.append(e)
                    here = self.head[e]
                    break
                arc[here] += 1
            else:
                if not path:
                    return False
                here = self.head[path.pop() ^ 1]
                arc[here] += 1
        amount = min(self.room[e] for e in path)
        for e in path:
            self.room[e] -= amount
            self.room[e ^ 1] += amount
        return True
