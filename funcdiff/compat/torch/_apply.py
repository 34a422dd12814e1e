"""How an operation on tensors is made from what the functional layer has.

- `linear`, `bilinear`: one application of a linear primitive;
- `of_linear`, `of_general`: operations of primitives of one argument, with all that can be found beforehand;
- `call`: one application of any primitive;
- `composite`: any function of arrays, recorded as one node;
- `constant`: what is locally constant.

Each makes one node, under PyTorch's name for it.  Where a `torch.func` transform follows an operand, the
functional layer does the work and no node is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import as_numpy
from funcdiff.compat.torch._graph import (
    LEAF,
    CompositeNode,
    Output,
    ZeroNode,
    new_node,
    node_class,
    rule_of,
)
from funcdiff.compat.torch._primitive_nodes import SeveralNode, SingleNode, residuals
from funcdiff.compat.torch._promotion import real_of
from funcdiff.compat.torch._recorder import edge_of, lift, lower
from funcdiff.compat.torch._state import QUIETLY, STATE, silence, unsilence
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.core.array_type import type_of
from funcdiff.core.matching import convert
from funcdiff.core.primitive import REGISTRY, Linear, Primitive
from funcdiff.core.recording import TracedArray
from funcdiff.transforms.reverse import record

NUMBERS = frozenset({int, float, bool, complex})

_ndarray = np.ndarray
astype = REGISTRY["astype"].function


def method(function: Any, *names: str) -> Any:
    """Attach a function to `Tensor` as a method, under its own name or others."""
    for name in names or (function.__name__,):
        setattr(Tensor, name, function)
    return function


def cast(x: Any, dtype: Any) -> Any:
    """Convert an array or traced array; Python numbers stay what they are."""
    if type(x) in NUMBERS or x.dtype == dtype:
        return x
    if type(x) is _ndarray:
        return x.real.astype(dtype) if x.dtype.kind == "c" != dtype.kind else x.astype(dtype)
    return convert(x, dtype) if dtype.kind in "fc" and x.dtype.kind in "fc" else astype(x, dtype=dtype)


def deliver(result: Any, out: Tensor | None) -> Any:
    """Write a result into ``out=``, if it is given."""
    if out is None:
        return result
    if STATE.recording and (out.requires_grad or result.requires_grad):
        raise RuntimeError(
            "out=... arguments don't support automatic differentiation, but one of the arguments requires grad."
        )
    if out.value.shape != result.value.shape:
        out.value = np.empty(result.value.shape, out.value.dtype)
    out.value[...] = result.value
    out.version[0] += 1
    return out


# --- any primitive, any function ------------------------------------------------------------------


def linear(cls: Any, function: Any, x: Tensor, params: dict[str, Any]) -> Any:
    """Apply a linear primitive of one argument, as one node that keeps nothing."""
    value = x.value
    if type(value) is not _ndarray:
        return lower(function(lift(x), **params))
    primitive = function.primitive
    token = silence(QUIETLY)
    try:
        result = wrap(primitive.impl(value, **params))
    finally:
        unsilence(token)
    edge = x.edge if x.base is None else x.current()
    if edge is not None and STATE.recording:
        record = (rule_of(primitive), 0, params, value.shape, value.dtype, result.value.shape, None)
        result.edge = new_node(cls, (x if edge is LEAF else edge,), record, None, None)
    return result


def of_linear(function: Any, impl: Any = None) -> Any:
    """Make the operation of a linear primitive of one argument: ``operation(cls, x, params)`` makes one node.

    `impl` is quicker than the primitive's, and itself sees to NumPy's warnings.  ``operation(cls, x, params, made)``
    computes with a function of `x` alone, which has been made for its shape and the parameters.
    """
    primitive = function.primitive
    rule = rule_of(primitive)
    compute = impl or primitive.impl
    warns = impl is None

    def operation(cls: Any, x: Tensor, params: dict[str, Any], made: Any = None) -> Any:
        value = x.value
        if type(value) is not _ndarray:
            return lower(function(lift(x), **params))
        token = silence(QUIETLY) if warns else None
        try:
            result = wrap(made(value) if made is not None else compute(value, **params))
        finally:
            if warns:
                unsilence(token)
        edge = x.edge if x.base is None else x.current()
        if edge is not None and STATE.recording:
            record_ = (rule, 0, params, value.shape, value.dtype, result.value.shape, None)
            result.edge = new_node(cls, (x if edge is LEAF else edge,), record_, None, None)
        return result

    return operation


def moving(function: Any) -> Any:
    """Make the operation of a linear primitive that moves elements only, of which NumPy has nothing to warn."""
    return of_linear(function, function.primitive.impl)


def of_general(name: str, function: Any, impl: Any = None) -> Any:
    """Make the operation of a primitive of one argument that is not linear: ``operation(x, params)``.

    Its node keeps what the rule reads; `impl` is as in `of_linear`.  ``operation(x, params, made)`` computes
    with a function of `x` alone, which has been made for its shape and the parameters.
    """
    cls = node_class(name, SingleNode)
    primitive = function.primitive
    compute = impl or primitive.impl
    warns = impl is None
    (keep_x,), keep_out = residuals(primitive, (0,))

    def operation(x: Tensor, params: dict[str, Any], made: Any = None) -> Any:
        value = x.value
        if type(value) is not _ndarray:
            return lower(function(lift(x), **params))
        token = silence(QUIETLY) if warns else None
        try:
            result = wrap(made(value) if made is not None else compute(value, **params))
        finally:
            if warns:
                unsilence(token)
        edge = x.edge if x.base is None else x.current()
        if edge is not None and STATE.recording:
            out = result.value
            version = x.version
            result.edge = new_node(
                cls,
                (x if edge is LEAF else edge,),
                (
                    primitive,
                    value if keep_x else type_of(value),
                    params,
                    out if keep_out else None,
                    out.shape,
                    out.dtype,
                ),
                (version if keep_x else None, result.version if keep_out else None),
                (version[0], 0),
            )
        return result

    return operation


def bilinear(cls: Any, function: Any, a: Tensor, b: Tensor, impl: Any = None) -> Any:
    """Apply a multilinear primitive of two arguments, as one node (`applied`).

    `impl` may be quicker than the primitive's for their ranks.
    """
    x, y = a.value, b.value
    if type(x) is not _ndarray or type(y) is not _ndarray:
        return lower(function(lift(a), lift(b)))
    primitive = function.primitive
    token = silence(QUIETLY)
    try:
        result = wrap((impl or primitive.impl)(x, y))
    finally:
        unsilence(token)
    if STATE.recording:
        ea = a.edge if a.base is None else a.current()
        eb = b.edge if b.base is None else b.current()
        args: Any
        cells: Any
        if ea is not None and eb is not None:
            args, places, cells = (x, y), (0, 1), (a.version, b.version, None)
        elif ea is not None:
            args, places, cells = (type_of(x), y), (0, -1), (None, b.version, None)
        elif eb is not None:
            args, places, cells = (x, type_of(y)), (-1, 1), (a.version, None, None)
        else:
            return result
        out = result.value
        result.edge = new_node(
            cls,
            (a if ea is LEAF else ea, b if eb is LEAF else eb),
            (primitive, args, _NO_PARAMS, None, out.shape, out.dtype, places),
            cells,
            (a.version[0], b.version[0], 0),
        )
    return result


_NO_PARAMS: dict[str, Any] = {}


def call(cls: Any, function: Any, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply a primitive with one result to tensors and plain operands, as one node (`applied`).

    The node keeps what the rules read.  Its inputs are the tensors of real and complex numbers, as in
    PyTorch; masks and positions are not.
    """
    values = []
    wanted = False
    for i in inputs:
        if isinstance(i, Tensor):
            value = i.value
            if type(value) is TracedArray:
                return lower(function(*map(lift, inputs), **params))
            values.append(value)
            if i.edge is not None or i.base is not None:
                wanted = True
        else:
            values.append(i)
    primitive: Primitive = function.primitive
    token = silence(QUIETLY)
    try:
        result = wrap(primitive.impl(*values, **params))
    finally:
        unsilence(token)
    if wanted and STATE.recording:
        edges: list[Any] = []
        places = []
        active = False
        for i in inputs:
            place = -1
            if isinstance(i, Tensor) and i.value.dtype.kind in "fc":
                edge = i.edge if i.base is None else i.current()
                if edge is not None:
                    active = True
                    place = len(edges)
                    if edge is LEAF:
                        edge = i
                edges.append(edge)
            places.append(place)
        if active:
            result.edge = _node(cls, primitive, inputs, values, params, result, tuple(edges), tuple(places))
    return result


def applied(name: str) -> Any:
    """Return the class of the nodes that `call` makes."""
    return node_class(name, SeveralNode)


def _node(
    cls: Any,
    primitive: Primitive,
    inputs: Sequence[Any],
    values: list[Any],
    params: dict[str, Any],
    result: Tensor,
    edges: tuple[Any, ...],
    places: tuple[int, ...],
) -> Any:
    out = result.value
    if isinstance(primitive, Linear):
        types = tuple(map(type_of, values))
        return new_node(
            cls, edges, (primitive, types, params, None, out.shape, out.dtype, places), None, None
        )
    keeps, keep_out = residuals(primitive, places)
    cells: list[Any] = [None] * len(keeps)
    seen = [0] * (len(keeps) + 1)
    kept = keep_out
    for n, keep in enumerate(keeps):
        value = values[n]
        if not keep:
            values[n] = type_of(value) if places[n] >= 0 else None
        elif value is not inputs[n]:
            cell = cells[n] = inputs[n].version
            seen[n] = cell[0]
            kept = True
    record_ = (primitive, tuple(values), params, out if keep_out else None, out.shape, out.dtype, places)
    if not kept:
        return new_node(cls, edges, record_, None, None)
    cells.append(result.version if keep_out else None)
    return new_node(cls, edges, record_, tuple(cells), tuple(seen))


def composite(cls: Any, function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    """Apply a function of arrays to tensors and plain operands, as one node.

    The function must not return views of its arguments, nor anything but an array or a tuple of arrays.
    """
    values, followed = _values(inputs)
    if followed:
        return lowered(function(*map(lift, inputs)))
    edges = _edges(inputs) if STATE.recording else None
    token = silence(QUIETLY)
    try:
        if edges is None:
            out = function(*values)
            return tuple(map(wrap, out)) if isinstance(out, (tuple, list)) else wrap(out)
        active = [n for n, e in enumerate(edges) if e is not None]
        several = False

        def at(*boxes: Any) -> Any:
            nonlocal several
            args = list(values)
            for n, b in zip(active, boxes, strict=True):
                args[n] = b
            found = function(*args)
            several = isinstance(found, (tuple, list))
            return found

        recording = record(at, [values[n] for n in active])
    finally:
        unsilence(token)
    results = [wrap(o) for o in recording.outputs]
    if all(p < 0 for p in recording.places):
        return tuple(results) if several else results[0]
    tensors = [i for i in inputs if isinstance(i, Tensor)]
    slots = [n for n, i in enumerate(inputs) if isinstance(i, Tensor) and i.value.dtype.kind in "fc"]
    cells = tuple([t.version for t in tensors])
    node = new_node(cls, tuple([edges[n] for n in slots]), recording, cells, tuple([c[0] for c in cells]))
    node.function, node.inputs, node.slots = function, values, slots
    node.arrays = [t.value for t in tensors]
    if not several:
        results[0].edge = node
        return results[0]
    node.outputs, node.several = len(results), True
    for n, (r, place) in enumerate(zip(results, recording.places, strict=True)):
        if place >= 0 and r.value.dtype.kind in "fc":
            r.edge = Output(node, n)
    return tuple(results)


def composed(name: str) -> Any:
    """Return the class of the nodes of a composite operation."""
    return node_class(name, CompositeNode)


def _values(inputs: Sequence[Any]) -> tuple[list[Any], bool]:
    """Return the values of operands, and whether a transform follows one of them."""
    values = [i.value if isinstance(i, Tensor) else i for i in inputs]
    for v in values:
        if type(v) is TracedArray:
            return values, True
    return values, False


def _edges(inputs: Sequence[Any]) -> list[Any] | None:
    """Return the edges of operands, None if none requires a gradient."""
    edges = [edge_of(i) if isinstance(i, Tensor) else None for i in inputs]
    for e in edges:
        if e is not None:
            return edges
    return None


def lowered(out: Any) -> Any:
    """Make tensors of the results of the functional layer."""
    return tuple(map(lower, out)) if isinstance(out, (tuple, list)) else lower(out)


def constant(function: Callable[..., Any], inputs: Sequence[Any], node: str | None = None) -> Any:
    """Apply what is locally constant; with a node's name the result stays connected, with derivative zero."""
    values, followed = _values(inputs)
    if followed:
        return lowered(function(*map(lift, inputs)))
    token = silence(QUIETLY)
    try:
        result = wrap(function(*values))
    finally:
        unsilence(token)
    if node is not None and STATE.recording and result.value.dtype.kind in "fc":
        edges = _edges(inputs)
        if edges is not None:
            cls = node_class(node, ZeroNode)
            slots = [n for n, i in enumerate(inputs) if isinstance(i, Tensor)]
            types = tuple([type_of(values[n]) for n in slots])
            result.edge = new_node(cls, tuple([edges[n] for n in slots]), types, None, None)
    return result


def real_input(input: Any) -> Any:
    """Return a tensor of integers as one of the default floating type, others as they are."""
    if input.value.dtype.kind in "biu":
        return wrap(cast(input.value, real_of(input.value.dtype)))
    return input


def to_dtype(input: Any, dtype: Any) -> Any:
    """Convert to ``dtype=``, if it is given."""
    return input if dtype is None or as_numpy(dtype) == input.value.dtype else input.to(dtype)
