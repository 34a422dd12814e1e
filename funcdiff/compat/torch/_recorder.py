"""The graph as the oldest recorder: how traced values of every transform reach it, and come from it.

A tensor that requires a gradient is, to the functional layer, a traced array of `GRAPH`.  So the rules
of primitives can be run on tensors (`create_graph=True`), and `torch.func` transforms nest over the graph
as transforms nest in each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._graph import LEAF, Node, Output, RecordNode, next_sequence, node_class
from funcdiff.compat.torch._state import ANOMALY, STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.core.array_type import type_of
from funcdiff.core.mutation import Path
from funcdiff.core.primitive import (
    REGISTRY,
    Elementwise,
    General,
    Linear,
    LocallyConstant,
    Multilinear,
    Primitive,
    call_rules,
)
from funcdiff.core.recording import Recorder, TracedArray, box, newest
from funcdiff.transforms.record_rules import pull_any

NAMES = {
    "multiply": "MulBackward0",
    "subtract": "SubBackward0",
    "divide": "DivBackward0",
    "negative": "NegBackward0",
    "power": "PowBackward1",
    "absolute": "AbsBackward0",
    "sum": "SumBackward1",
    "sum_to": "SumBackward1",
    "broadcast_to": "ExpandBackward0",
    "reshape": "ViewBackward0",
    "transpose": "PermuteBackward0",
    "matmul": "MmBackward0",
    "matvec": "MvBackward0",
    "vecdot": "DotBackward0",
    "getitem": "IndexBackward0",
    "index_add": "IndexPutBackward0",
    "astype": "ToCopyBackward0",
    "copy": "CloneBackward0",
    "concatenate": "CatBackward0",
    "square": "PowBackward0",
    "update_at": "CopySlices",
}
"""What PyTorch calls the nodes of primitives; the others by their own names."""


def node_name(primitive: Primitive) -> str:
    """Return the name of the node of a primitive that was applied by a rule."""
    own: str | None = getattr(primitive.custom, "node_name", None)
    return own or NAMES.get(primitive.name) or primitive.name.title().replace("_", "") + "Backward0"


class GraphRecorder(Recorder):
    """Makes a node of every primitive applied to a tensor that requires a gradient."""

    constant_place = None
    name = "a PyTorch graph"

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        edges = [a.place if type(a) is TracedArray and a.recorder is self else None for a in args]
        values = [a.value if type(a) is TracedArray and a.recorder is self else a for a in args]
        custom = call_rules(primitive, params)
        ruled = None
        if custom is not None and STATE.recording:
            ruled = custom.reverse(self.level, primitive, values, [-1 if e is None else 0 for e in edges])
        if ruled is None:
            out = primitive.function(*values, **params)
        else:
            primitive, out = ruled
        if isinstance(primitive, LocallyConstant) or not STATE.recording:
            return out
        node = primitive_node(node_class(node_name(primitive)), primitive, values, edges, params, out)
        if type(out) is tuple:
            return tuple(
                box(o, self, Output(node, n)) if o.dtype.kind in "fc" else o for n, o in enumerate(out)
            )
        return box(out, self, node)

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        out = REGISTRY["update_at"].function(x, value, path=path)
        if type(out) is TracedArray and out.recorder is self:
            x.value, x.place = out.value, out.place
        else:
            x.value, x.place = out, None


GRAPH = GraphRecorder()


def primitive_node(
    cls: Any,
    primitive: Primitive,
    values: Sequence[Any],
    edges: Sequence[Any],
    params: dict[str, Any],
    out: Any,
) -> Node:
    """Make the node of one application of any primitive."""
    everything = isinstance(primitive, Linear)
    kinds = [type_of(v) if everything or e is not None else None for v, e in zip(values, edges, strict=True)]
    if everything:
        kept: Any = tuple(kinds)
    elif isinstance(primitive, Multilinear):
        active = sum([e is not None for e in edges])
        kept = tuple(
            [v if active > (e is not None) else k for v, k, e in zip(values, kinds, edges, strict=True)]
        )
    else:
        kept = tuple(values)
    keeps_out = isinstance(primitive, (Elementwise, General))
    places = tuple([-1 if e is None else n for n, e in enumerate(edges)])
    node: RecordNode = cls.__new__(cls)
    node.next = tuple(edges)
    node.cells = node.seen = None
    node.sequence = next_sequence()
    several = type(out) is tuple
    types = tuple([type_of(o) for o in out]) if several else type_of(out)
    node.record = (
        pull_any,
        places,
        primitive,
        kept,
        params,
        out if keeps_out or several else None,
        (*kinds, types),
    )
    if several:
        node.outputs, node.several = len(out), True
    if STATE.recording is ANOMALY:
        trace(node)
    return node


def trace(node: Node) -> None:
    """Remember where a node was made, for anomaly detection."""
    from funcdiff.compat.torch.autograd.anomaly_mode import stack

    node.traceback = stack()


def edge_of(x: Tensor) -> Any:
    """Return the edge of a tensor as a node keeps it: the tensor itself for a leaf."""
    edge = x.edge if x.base is None else x.current()
    return x if edge is LEAF else edge


def lift(x: Any) -> Any:
    """Return the value of a tensor as the functional layer sees it."""
    if not isinstance(x, Tensor):
        return x
    edge = edge_of(x)
    if edge is None or not STATE.recording or type(x.value) is TracedArray:
        return x.value
    return box(x.value, GRAPH, edge)


def lower(value: Any) -> Any:
    """Make a tensor of a value of the functional layer."""
    if type(value) is TracedArray and value.recorder is GRAPH:
        out = wrap(value.value)
        place = value.place
        if isinstance(place, Tensor):  # a leaf that passed through: its alias
            from funcdiff.compat.torch.ops.shapes import alias

            return alias(place)
        out.edge = place
        return out
    if not STATE.recording and type(value) is TracedArray:
        value = stop(value)
    return wrap(value)


def stop(value: Any) -> Any:
    """Return a value without derivatives; what no transform follows is returned as it is."""
    return REGISTRY["stop_gradient"].function(value) if type(value) is TracedArray else value


def is_followed(values: Sequence[Any]) -> bool:
    """Tell whether a transform follows any of the values."""
    return newest(values) is not None


def ndarray(x: Any) -> Any:
    """Return a result of NumPy's as an array, if it is a scalar."""
    return x if type(x) is np.ndarray or type(x) is TracedArray else np.asarray(x)
