"""In which order the loops of a nest run: the last one is the one along which memory is read and written best.

What lies far apart along the last loop costs a line of the cache for every element, unless the loop is so short that
the lines are still there when the next loop comes back to what lies beside it: so a transposition runs
along its shorter axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from funcdiff.jit.native.engine import LANES
from funcdiff.jit.native.nodes import Base, Group, Memory

LINE = 64  # bytes of a line of the cache
KEPT = 256  # lines that are there when a loop begins anew
FAR = 4.0  # what a line from further away costs, in lines that are there
BETTER = 0.8  # the share of the cost at which another order is worth it
Access = tuple[Base, int, tuple[int, ...]]


def reorder(group: Group) -> None:
    """Let the loops of a group run in the best order, if any order gives the same."""
    if len(group.space) < 2 or group.scatters or group.accumulations or group.flat:
        return
    if any(r.name not in ("max", "min") for r in group.reductions):  # whose results an order would round
        return
    accesses = list(_accesses(group))
    written = {id(s.memory.base.root) for s in group.stores}
    if any(id(n.detail[0].base.root) in written for n in group.nodes if n.op in ("load", "fetch")):
        return
    rank = len(group.space)
    own = tuple(range(rank))
    orders = [(*(a for a in own if a != last), last) for last in own]
    costs = {order: _cost(group.space, accesses, order) for order in orders}
    best = min(orders, key=lambda order: costs[order])
    if costs[best] <= BETTER * costs[own]:
        _permute(group, best)


def _accesses(group: Group) -> Iterator[Access]:
    """Yield what is read and written, components side by side once: where it begins, and strides along the loops."""
    seen = set()

    def place(memory: Memory, offset: int, strides: tuple[int, ...]) -> Access:
        return memory.base, (memory.offset + offset) // LINE, strides

    for node in group.nodes:
        if node.op == "load":
            seen.add(place(*node.detail))
        elif node.op == "fetch":  # along the axes of its index it is read wherever that says
            memory, start, strides = node.detail
            (at,) = node.args
            far = at.axes if at.group is group else 0
            seen.add(
                place(memory, start, tuple(1 << 20 if far >> n & 1 else s for n, s in enumerate(strides)))
            )
    for store in group.stores:
        seen.add(place(store.memory, store.offset, store.strides))
    return iter(seen)


def _cost(space: Sequence[int], accesses: Sequence[Access], order: Sequence[int]) -> float:
    """Return about how many lines are read and written for each element, and how full vectors are."""
    *_, around, last = order
    total = 1.0
    for _, _, strides in accesses:
        along, across = abs(strides[last]), abs(strides[around])
        if along <= LINE:
            total += along / LINE
        elif across <= LINE and space[last] <= KEPT:
            total += max(across, 8) / LINE + 1 / LANES
        else:
            total += FAR
    return total * -(-space[last] // LANES) * LANES / space[last]


def _permute(group: Group, order: tuple[int, ...]) -> None:
    def moved(strides: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(strides[axis] for axis in order)

    group.space = moved(group.space)
    for node in group.nodes:
        node.axes = sum(1 << to for to, axis in enumerate(order) if node.axes >> axis & 1)
        if node.op in ("load", "fetch"):
            memory, offset, strides = node.detail
            node.detail = memory, offset, moved(strides)
    for store in group.stores:
        store.strides = moved(store.strides)
