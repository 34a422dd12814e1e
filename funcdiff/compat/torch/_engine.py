"""The sweep back over a graph: nodes in the order opposite to that of their creation.

What flows are the cotangents of `funcdiff.transforms.sweeps`; nodes pull them by the rules of the tape.
"""

from __future__ import annotations

import heapq
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch import _errors, _hooks
from funcdiff.compat.torch._graph import (
    FREED,
    AccumulateGrad,
    CompositeNode,
    Node,
    Output,
    target,
)
from funcdiff.compat.torch._primitive_nodes import SingleNode
from funcdiff.compat.torch._recorder import lift, lower, ndarray
from funcdiff.compat.torch._state import ANOMALY, QUIETLY, STATE, silence, unsilence
from funcdiff.core.recording import TracedArray, innermost

OBSERVERS: list[Any] = []
"""Profilers, which are told of every node that runs."""


def sweep(
    roots: Sequence[tuple[Any, Any]],
    keep_graph: bool,
    create_graph: bool,
    wanted: Sequence[Any] | None = None,
    accumulate: bool = True,
) -> list[Any]:
    """Pull cotangents of the roots back through the graph.

    Parameters
    ----------
    roots : pairs of (edge, cotangent)
        Where to start.
    keep_graph, create_graph : bool
        Whether residuals are kept, and whether the sweep is itself recorded.
    wanted : edges, optional
        Where to stop; all leaves by default.
    accumulate : bool
        Whether leaves receive their gradients; else the cotangents of `wanted` are returned.
    """
    old = STATE.recording
    STATE.recording = (ANOMALY if STATE.anomaly else True) if create_graph else False
    token = silence(QUIETLY)
    try:
        return _Sweep(keep_graph, create_graph, wanted, accumulate).run(roots)
    finally:
        unsilence(token)
        STATE.recording = old


def _key(edge: Any) -> tuple[int, int]:
    if type(edge) is Output:
        return id(edge.node), edge.number
    return id(edge), 0


class _Sweep:
    def __init__(self, keep: bool, create: bool, wanted: Sequence[Any] | None, accumulate: bool) -> None:
        self.keep = keep
        self.create = create
        self.accumulate = accumulate
        self.wanted = None if wanted is None else {_key(e): n for n, e in enumerate(wanted)}
        self.found: list[Any] = [None] * len(wanted or ())
        self.waiting: dict[int, int] = {}
        self.parts: dict[int, list[Any]] = {}
        self.heap: list[tuple[int, Any]] = []
        self.needed: set[int] | None = None

    def run(self, roots: Sequence[tuple[Any, Any]]) -> list[Any]:
        self._count([e for e, _ in roots])
        starts: dict[int, Any] = {}
        for edge, g in roots:
            node = edge.node if type(edge) is Output else edge
            starts[id(node)] = node
            self._add(node, edge.number if type(edge) is Output else 0, g, False)
        for key, node in starts.items():
            if not self.waiting.get(key):
                self._ready(node)
        heap = self.heap
        while heap:
            node = heapq.heappop(heap)[1]
            if isinstance(node, Node):
                self._run(node)
            else:
                self._leaf(node)
        return self.found

    def _count(self, edges: Iterable[Any]) -> None:
        """Count on how many uses each node has to wait."""
        waiting = self.waiting
        nodes: dict[int, Any] = {}
        stack = []
        for e in edges:
            node = e.node if type(e) is Output else e
            if id(node) not in nodes:
                nodes[id(node)] = node
                stack.append(node)
        while stack:
            node = stack.pop()
            if not isinstance(node, Node):
                continue
            for e in node.next:
                if e is not None:
                    below = e.node if type(e) is Output else e
                    key = id(below)
                    if key in waiting:
                        waiting[key] += 1
                    else:
                        waiting[key] = 1
                        if key not in nodes:
                            nodes[key] = below
                            stack.append(below)
        if self.wanted is not None:
            ids = {key for key, _ in self.wanted}
            needed = self.needed = set()
            inner = [n for n in nodes.values() if isinstance(n, Node)]
            for node in sorted(inner, key=lambda n: n.sequence):
                for e in node.next:
                    if e is not None:
                        key = id(e.node) if type(e) is Output else id(e)
                        if key in ids or key in needed:
                            needed.add(id(node))
                            break

    def _ready(self, node: Any) -> None:
        order = -node.sequence if isinstance(node, Node) else -(1 << 64) + len(self.heap)
        heapq.heappush(self.heap, _Entry((order, node)))

    def _add(self, node: Any, number: int, g: Any, fresh: bool) -> None:
        """Add a cotangent to what a node, or leaf, has received."""
        parts = self.parts.get(id(node))
        if parts is None:
            size = node.outputs if isinstance(node, Node) else 1
            parts = self.parts[id(node)] = [None] * size + [fresh]
        old = parts[number]
        if g is None:
            return
        if old is None:
            parts[number] = g
            parts[-1] = fresh
        else:
            parts[number] = old + g
            parts[-1] = True

    def _run(self, node: Node) -> None:
        parts = self.parts.pop(id(node))[:-1]
        if node.retaining is not None or node.before is not None or "tensor_hooks" in node.__dict__:
            parts = _hooks.run_before(node, parts)
        if self.wanted is not None:
            for number, g in enumerate(parts):
                place = self.wanted.get((id(node), number))
                if place is not None:
                    self.found[place] = g
            if self.needed is not None and id(node) not in self.needed:
                return
        if all(p is None for p in parts) and not node.takes_none:
            cot: Sequence[Any] = [None] * len(node.next)
        else:
            cot = self._pull(node, parts if node.several else parts[0])
        if node.hooks:
            cot = _hooks.run_after(node, list(cot), parts)
        waiting = self.waiting
        for n, e in enumerate(node.next):
            if e is None:
                continue
            below, number = (e.node, e.number) if type(e) is Output else (e, 0)
            h = cot[n]
            self._add(below, number, h, h is not parts[0] and not _repeated(cot, n))
            key = id(below)
            waiting[key] -= 1
            if not waiting[key]:
                self._ready(below)

    def _pull(self, node: Node, g: Any) -> Sequence[Any]:
        if node.record is None:
            raise RuntimeError(FREED)
        if node.cells is not None:
            check_versions(node)
        if OBSERVERS:
            for observer in OBSERVERS:
                observer.enter(node)
        try:
            cot = node.pull_recorded(g) if self.create else node.pull(g)
        except Exception:
            if STATE.anomaly:
                _tell_where(node)
            raise
        finally:
            if OBSERVERS:
                for observer in OBSERVERS:
                    observer.leave()
        if STATE.anomaly and STATE.check_nan:
            _check_nan(node, cot)
        if not self.keep:
            node.free()
        return cot

    def _leaf(self, leaf: Any) -> None:
        g, fresh = self.parts.pop(id(leaf))
        if g is None:
            return
        hooks = leaf._hooks
        node = leaf.__dict__.get("_accumulate")
        node = node() if node is not None else None
        if hooks:
            g = _hooks.run(hooks, g)
            fresh = False
        if node is not None and node.before:
            (g,) = _hooks.run_before(node, [g])
        if self.wanted is not None:
            place = self.wanted.get((id(leaf), 0))
            if place is None:
                return
            self.found[place] = g
            if not self.accumulate:
                return
        if OBSERVERS:
            entered = node if node is not None else AccumulateGrad(leaf)
            for observer in OBSERVERS:
                observer.enter(entered)
        accumulate(leaf, g, fresh, self.create)
        if OBSERVERS:
            for observer in OBSERVERS:
                observer.leave()
        if node is not None and node.hooks:
            _hooks.run_after(node, [], [g])
        if leaf._after:
            for hook in list(leaf._after.values()):
                hook(leaf)


class _Entry(tuple[int, Any]):
    """An entry of the heap: compared by the order alone."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return bool(self[0] < other[0])


def _repeated(cot: Sequence[Any], n: int) -> bool:
    """Tell whether a cotangent is handed to another input too."""
    return len(cot) > 1 and any(h is cot[n] for k, h in enumerate(cot) if k != n)


def _holders(g: Any) -> int:
    """Count the references to the array whose memory a view shows, the view's own among them."""
    base = g.base
    return sys.getrefcount(base)


_ALONE = _holders(np.zeros(2)[:1]) if sys.implementation.name == "cpython" else 0


def _is_own(g: Any) -> bool:
    """Tell whether nobody else holds the memory of an array, and it lies in C order."""
    base = g.base
    if base is None:
        return bool(g.flags.writeable)
    return (
        type(base) is np.ndarray and g.flags.c_contiguous and g.flags.writeable and _holders(g) <= _ALONE + 1
    )


def accumulate(leaf: Any, g: Any, fresh: bool, create_graph: bool) -> None:
    """Add a cotangent to the gradient of a leaf; `fresh` says that nobody else holds the array."""
    if g.dtype.kind == "c":
        grad = _hooks.outward(g)
    else:
        if type(g) is np.ndarray and not (fresh and _is_own(g)):
            g = g.copy()
        grad = lower(g)
    old = leaf._grad
    if old is None:
        leaf._grad = grad
    elif create_graph or type(old.value) is TracedArray or type(grad.value) is TracedArray:
        leaf._grad = lower(lift(old) + lift(grad))
    else:
        np.add(old.value, grad.value, out=old.value)
        old.version[0] += 1


def check_versions(node: Node) -> None:
    """Refuse to use what was kept and has been overwritten since."""
    for n, (cell, seen) in enumerate(zip(node.cells, node.seen, strict=True)):
        if cell is not None and cell[0] != seen:
            arrays = getattr(node, "arrays", None)
            if arrays is not None:
                x = arrays[n]
                if isinstance(node, CompositeNode) and not node.saved(x):
                    continue
                raise _modified(x, cell, None, seen, cell[0])
            if isinstance(node, SingleNode):
                kept, edge = node.residual(n)
                raise _modified(kept, () if edge is node else cell, edge, seen, cell[0])
            _rule, i, _j, x, y, v, _t = node.record
            last = n == len(node.cells) - 1
            kept = v if last else x[n] if type(i) is tuple else (x, y)[n]
            if last:
                edge = node
            elif type(i) is tuple:
                edge = node.next[i[n]] if i[n] >= 0 else None
            else:
                edge = node.next[min(n, len(node.next) - 1)]
            raise _modified(kept, () if last else cell, edge, seen, cell[0])


def _modified(x: Any, cell: Any, edge: Any, seen: int, version: int) -> RuntimeError:
    written = cell[1]() if len(cell) > 1 else None  # the node that wrote it
    node, number = (written, 0) if written is not None else target(edge)
    if isinstance(node, AccumulateGrad):
        node = None
    return _errors.modified(ndarray(x), node, number, version, seen)


def _check_nan(node: Node, cot: Sequence[Any]) -> None:
    for n, h in enumerate(cot):
        if h is not None and np.isnan(innermost(h)).any():
            _tell_where(node)
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {n}th output.")


def _tell_where(node: Node) -> None:
    if node.traceback is None:
        text = (
            f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly during forward "
            "pass for more information."
        )
    else:
        text = f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{node.traceback}"
    warnings.warn(text, UserWarning, stacklevel=2)
