"""The nodes of a graph that is built while the program runs.

A node holds what a record of the tape holds: which rule, which arguments, which residuals.  `Node.pull`
calls the very rule that the sweeps of `funcdiff.transforms.sweeps` call.  An edge to a tensor is a
node, an `Output` of a node with several, or, for a leaf, the tensor itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from funcdiff.compat.torch._state import ANOMALY, EVER, STATE
from funcdiff.core.array_type import ArrayType
from funcdiff.core.matching import spread
from funcdiff.core.primitive import Primitive
from funcdiff.core.recording import TracedArray, box
from funcdiff.core.rules import RULES
from funcdiff.transforms.reverse import record
from funcdiff.transforms.sweeps import fitted

next_sequence = count().__next__


class _Leaf:
    """The edge of a tensor that is a leaf of the graph."""

    def __repr__(self) -> str:
        return "LEAF"


LEAF: Any = _Leaf()

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have "
    "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
    "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if you "
    "need to access saved tensors after calling backward."
)


class Node:
    """One operation of the graph, as `tensor.grad_fn` shows it.

    Attributes
    ----------
    next : tuple
        The edges to the operation's inputs, None where no gradient is wanted.
    record : object
        What the rule needs; None once it has been freed.
    cells, seen : tuples
        The version counters of what was kept, and what they said.
    sequence : int
        The number of the node in order of creation.
    """

    __slots__ = ("__dict__", "__weakref__", "cells", "next", "record", "seen", "sequence")

    cells: Any
    next: tuple[Any, ...]
    record: Any
    seen: Any
    sequence: int
    outputs = 1  # how many
    several = False  # whether rules take a list of cotangents, be it of one
    takes_none = False  # whether it runs although no cotangent has come
    hooks: Any = None
    before: Any = None  # hooks on the gradients of the outputs
    traceback: Any = None
    retaining: Any = None  # what keeps the gradient of a tensor that is no leaf

    def pull(self, g: Any) -> Sequence[Any]:
        """Pull a cotangent back to the inputs."""
        raise NotImplementedError

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        """Pull a cotangent back so that the pull itself is recorded."""
        raise NotImplementedError

    def free(self) -> None:
        """Let go of what was kept."""

    def name(self) -> str:
        """Return the name of the operation's derivative."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes of the inputs, each with the number of its output."""
        return tuple(map(target, self.next))

    @property
    def metadata(self) -> dict[str, Any]:
        """A place for the user's notes."""
        found: dict[str, Any] = self.__dict__.setdefault("_metadata", {})
        return found

    def _sequence_nr(self) -> int:
        return self.sequence

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_inputs, grad_outputs)`` after the node has run."""
        from funcdiff.compat.torch._hooks import add

        if self.hooks is None:
            self.hooks = {}
        return add(self.hooks, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_outputs)`` before the node runs."""
        from funcdiff.compat.torch._hooks import add

        if self.before is None:
            self.before = {}
        return add(self.before, hook)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {hex(id(self))}>"


class Output:
    """The edge of one output of a node that has several."""

    __slots__ = ("node", "number")

    def __init__(self, node: Node, number: int) -> None:
        self.node = node
        self.number = number


class RecordNode(Node):
    """One application of one primitive: ``record = (rule, i, j, x, y, v, t)`` as on the tape."""

    __slots__ = ()

    def pull(self, g: Any) -> Sequence[Any]:
        rule, i, j, x, y, v, t = self.record
        cot: list[Any] = [None] * len(self.next)
        rule(cot, g, i, j, x, y, v, t)
        if type(j) is dict and cot[0].shape != x:  # one number for all places
            cot[0] = spread(cot[0], x)
        return cot

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        rule, i, j, x, y, v, t = self.record
        if type(j) is dict:  # linear: (rule, 0, params, shape, dtype, shape of the result, None)
            return self.pull(g)
        cot: list[Any] = [None] * len(self.next)
        if type(i) is tuple:  # pull_any(places, primitive, args, params, out, kinds)
            x = tuple([recorded(a, self._edge(p)) for a, p in zip(x, i, strict=True)])
            if type(v) is tuple:
                v = tuple([recorded(o, Output(self, n)) for n, o in enumerate(v)])
            else:
                v = recorded(v, self)
        else:
            x, y, v = recorded(x, self._edge(i)), recorded(y, self._edge(j)), recorded(v, self)
        rule(cot, g, i, j, x, y, v, t)
        return cot

    def _edge(self, place: int) -> Any:
        return self.next[place] if place >= 0 else None

    def free(self) -> None:
        _rule, i, j, x, y, v, _t = self.record
        if type(j) is dict:
            return
        if type(i) is tuple:
            if v is None and all(a is None or type(a) is ArrayType for a in x):
                return
        elif x is None and y is None and v is None:
            return
        self.record = None


_NO_VALUES = frozenset({ArrayType, TracedArray, dict})


def recorded(x: Any, edge: Any) -> Any:
    """Give a residual its place in the graph, so that what is computed with it is recorded."""
    if edge is None or x is None or type(x) in _NO_VALUES:
        return x
    from funcdiff.compat.torch._recorder import GRAPH

    return box(x, GRAPH, edge)


class CompositeNode(Node):
    """One operation made of several primitives: a `Recording` of it, and the function to record it again.

    Attributes
    ----------
    function : callable
        The operation, of arrays.
    inputs : list
        All its arguments.
    slots : list of int
        Which of them have an edge, be it None; ``record`` is over those with one that is not.
    """

    __slots__ = ()

    function: Any
    inputs: Any
    slots: Any
    keeps = False  # whether such a node has been seen to hold arrays

    def pull(self, g: Any) -> Sequence[Any]:
        return self._pulled(self.record, g if self.several else (g,))

    def _pulled(self, recording: Any, seeds: Any) -> Sequence[Any]:
        found = zip(recording._pull(seeds, False), recording.inputs, strict=True)
        cot: list[Any] = []
        for e in self.next:
            g, x = (None, None) if e is None else next(found)
            cot.append(None if g is None else fitted(g, x))
        return cot

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        active = [(n, e) for n, e in zip(self.slots, self.next, strict=True) if e is not None]

        def at(*values: Any) -> Any:
            args = list(self.inputs)
            for (n, _), v in zip(active, values, strict=True):
                args[n] = v
            return self.function(*args)

        recording = record(at, [recorded(self.inputs[n], e) for n, e in active])
        return self._pulled(recording, g if self.several else (g,))

    def saved(self, x: Any) -> bool:
        """Tell whether the recording holds an array, which has been written since."""
        return any(_holds(field, x) for field in self.record.records)

    def free(self) -> None:
        cls = type(self)
        if cls.keeps or any(_holds(field, None) for field in self.record.records):
            cls.keeps = True
            self.record = self.function = self.inputs = None


def _holds(field: Any, x: Any) -> bool:
    """Tell whether a field of a record holds (memory of) the array `x`, or, without it, any array."""
    if type(field) is tuple or type(field) is list:
        return any(_holds(f, x) for f in field)
    if type(field) is dict:
        return any(_holds(f, x) for f in field.values())
    if type(field) is np.ndarray:
        return True if x is None else bool(np.may_share_memory(field, x))
    return False


class ZeroNode(Node):
    """An operation that is locally constant: ``record`` is the types of its inputs."""

    __slots__ = ()

    def pull(self, g: Any) -> Sequence[Any]:
        return [
            None if e is None else np.zeros(k.shape, k.dtype)
            for e, k in zip(self.next, self.record, strict=True)
        ]

    pull_recorded = pull


class AccumulateGrad(Node):
    """What `next_functions` shows for a leaf: it adds to the leaf's gradient."""

    __slots__ = ()

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.next = ()
        self.record = None
        self.sequence = (1 << 64) - 1

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"


def accumulate_node(leaf: Any) -> AccumulateGrad:
    """Return the node of a leaf, the same as long as anybody holds it."""
    kept = leaf.__dict__.get("_accumulate")
    node = kept() if kept is not None else None
    if node is None:
        node = AccumulateGrad(leaf)
        leaf.__dict__["_accumulate"] = weakref.ref(node)
    return node


def target(edge: Any) -> tuple[Any, int]:
    """Return the node an edge leads to, and the number of its output."""
    if edge is None or isinstance(edge, Node):
        return edge, 0
    if type(edge) is Output:
        return edge.node, edge.number
    return accumulate_node(edge), 0


def new_node(cls: Any, next: Any, record: Any, cells: Any, seen: Any) -> Any:
    """Make a node."""
    node = cls()  # 0.03 us less than object.__new__: no node that is made here has an `__init__`
    node.next = next
    node.record = record
    node.cells = cells
    node.seen = seen
    node.sequence = next_sequence()
    if EVER.anomaly and STATE.recording is ANOMALY:
        from funcdiff.compat.torch._recorder import trace

        trace(node)
    return node


_classes: dict[tuple[type[Node], str], type[Node]] = {}


def node_class(name: str, base: type[Node] = RecordNode) -> Any:
    """Return the class of nodes of that name."""
    found = _classes.get((base, name))
    if found is None:
        found = _classes[base, name] = type(name, (base,), {"__slots__": ()})
    return found


_rules: dict[Primitive, Any] = {}


def rule_of(primitive: Primitive) -> Any:
    """Return the rule of a primitive on the tape's fast path."""
    found = _rules.get(primitive)
    if found is None:
        _rules.update((rules.primitive, rule) for rule, rules in RULES.items())
        found = _rules[primitive]
    return found
