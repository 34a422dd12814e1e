"""How an operation on tensors is made from what the functional layer has.

- `unary` and `binary`: one elementwise primitive, by the rule of the tape's fast path;
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
from funcdiff.compat.torch._errors import not_a_tensor
from funcdiff.compat.torch._graph import (
    LEAF,
    CompositeNode,
    Node,
    Output,
    ZeroNode,
    drop_edges,
    new_node,
    node_class,
    rule_of,
)
from funcdiff.compat.torch._promotion import real_of, result_dtype
from funcdiff.compat.torch._recorder import edge_of, lift, lower, primitive_node
from funcdiff.compat.torch._state import QUIETLY, STATE, silence, unsilence
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.matching import convert
from funcdiff.core.primitive import REGISTRY, Primitive, reads
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


def quietly(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function without NumPy's floating-point warnings."""
    token = silence(QUIETLY)
    try:
        return function(*args)
    finally:
        unsilence(token)


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


# --- one elementwise primitive ------------------------------------------------------------------


def unary(name: str, function: Any, node: str, methods: Sequence[str] | None = None) -> Any:
    """Make the operation of an elementwise primitive of one argument."""
    primitive = function.primitive
    impl = primitive.impl
    keep_out, keep_x = reads(primitive.partials[0]) or (False, False)
    rule = rule_of(primitive)
    cls = node_class(node)

    def op(input: Any, *, out: Any = None) -> Any:
        if not isinstance(input, Tensor):
            raise not_a_tensor(name, "input", 1, input)
        x = input.value
        if type(x) is not _ndarray:
            return lower(function(cast(lift(input), real_of(x.dtype))))
        if x.dtype.kind not in "fc":
            x = cast(x, real_of(x.dtype))
        token = silence(QUIETLY)
        try:
            v = impl(x)
        finally:
            unsilence(token)
        result = wrap(v)
        edge = input.edge if input.base is None else input.current()
        if edge is not None and STATE.recording:
            result.edge = new_node(
                cls,
                (input if edge is LEAF else edge,),
                (rule, 0, -1, x if keep_x else None, None, result.value if keep_out else None, None),
                (input.version if keep_x else None, None, result.version if keep_out else None),
                (input.version[0] if keep_x else 0, 0, 0),
            )
        return result if out is None else deliver(result, out)

    return _named(op, name, methods)


def _named(op: Any, name: str, methods: Sequence[str] | None) -> Any:
    op.__name__ = op.__qualname__ = name
    op.__module__ = "torch"
    op.__doc__ = f"As `torch.{name}`."
    method(op, *((name,) if methods is None else methods))
    return op


def binary(
    name: str,
    function: Any,
    node: str,
    *,
    methods: Sequence[str] | None = None,
    scalar_node: str | None = None,
    reversed_node: str | None = None,
    real: bool = False,
    impl: Any = None,
) -> Any:
    """Make the operation of an elementwise primitive of two arguments, either of which may be a number.

    `scalar_node` and `reversed_node` name the nodes of a number as second or first operand that have one
    input only; `real` says that integers are divided as real numbers.
    """
    primitive = function.primitive
    impl = impl or primitive.impl
    (v0, x0, y0), (v1, x1, y1) = (reads(p) or (False,) * 3 for p in primitive.partials)
    rule = rule_of(primitive)
    cls = node_class(node)
    cls_scalar = node_class(scalar_node or node)
    cls_reversed = node_class(reversed_node or node)

    def core(a: Any, b: Any, x: Any, y: Any) -> Any:
        token = silence(QUIETLY)
        try:
            v = impl(x, y)
        except ValueError as error:
            raise shape_mismatch(x, y, error) from None
        finally:
            unsilence(token)
        result = wrap(v)
        if not STATE.recording:
            return result
        if b is None:
            edge = a.edge if a.base is None else a.current()
            if edge is None:
                return result
            result.edge = new_node(
                cls_scalar,
                (a if edge is LEAF else edge,) if scalar_node else (a if edge is LEAF else edge, None),
                (
                    rule,
                    0,
                    -1,
                    x if x0 else None,
                    y if y0 else None,
                    result.value if v0 else None,
                    None if x is a.value else (type_of(a.value), None, type_of(v)),
                ),
                (a.version if x0 else None, None, result.version if v0 else None),
                (a.version[0] if x0 else 0, 0, 0),
            )
            return result
        if a is None:
            edge = b.edge if b.base is None else b.current()
            if edge is None:
                return result
            result.edge = new_node(
                cls_reversed,
                (b if edge is LEAF else edge,) if reversed_node else (b if edge is LEAF else edge, None),
                (
                    rule,
                    -1,
                    0,
                    x if x1 else None,
                    y if y1 else None,
                    result.value if v1 else None,
                    None if y is b.value else (None, type_of(b.value), type_of(v)),
                ),
                (None, b.version if y1 else None, result.version if v1 else None),
                (0, b.version[0] if y1 else 0, 0),
            )
            return result
        ea = a.edge if a.base is None else a.current()
        eb = b.edge if b.base is None else b.current()
        if ea is None and eb is None:
            return result
        first, second = ea is not None, eb is not None
        kx = (first and x0) or (second and x1)
        ky = (first and y0) or (second and y1)
        kv = (first and v0) or (second and v1)
        result.edge = new_node(
            cls,
            (a if ea is LEAF else ea, b if eb is LEAF else eb),
            (
                rule,
                0 if first else -1,
                1 if second else -1,
                x if kx else None,
                y if ky else None,
                result.value if kv else None,
                None
                if x.shape == y.shape and x is a.value and y is b.value
                else (type_of(a.value), type_of(b.value), type_of(v)),
            ),
            (a.version if kx else None, b.version if ky else None, result.version if kv else None),
            (a.version[0] if kx else 0, b.version[0] if ky else 0, 0),
        )
        return result

    def general(input: Any, other: Any) -> Any:
        a = input if isinstance(input, Tensor) else None
        b = other if isinstance(other, Tensor) else None
        x = _operand(input, name)
        y = _operand(other, name)
        if a is None and b is None:
            raise not_a_tensor(name, "input", 1, input)
        dtype = result_dtype(x, y)
        if real:
            dtype = real_of(dtype)
        if (a is not None and type(x) is not _ndarray) or (b is not None and type(y) is not _ndarray):
            x, y = (lift(i) if isinstance(i, Tensor) else i for i in (input, other))
            return lower(function(cast(x, dtype), cast(y, dtype)))
        return core(a, b, cast(x, dtype), cast(y, dtype))

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        if isinstance(input, Tensor):
            x = input.value
            if type(x) is _ndarray and (x.dtype.kind == "f" or (not real and x.dtype.kind == "i")):
                if isinstance(other, Tensor):
                    y = other.value
                    if type(y) is _ndarray and x.dtype is y.dtype:
                        result = core(input, other, x, y)
                        return result if out is None else deliver(result, out)
                elif type(other) is int or (type(other) is float and x.dtype.kind == "f"):
                    result = core(input, None, x, other)
                    return result if out is None else deliver(result, out)
        result = general(input, other)
        return result if out is None else deliver(result, out)

    return _named(op, name, methods)


def _operand(x: Any, name: str) -> Any:
    if isinstance(x, Tensor):
        return x.value
    if type(x) in NUMBERS:
        return x
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, np.ndarray) and x.ndim == 0:
        return x.item()
    raise TypeError(f"{name}(): argument 'other' (position 2) must be Tensor, not {type(x).__name__}")


def shape_mismatch(x: Any, y: Any, error: Exception) -> Exception:
    """Say in PyTorch's words that shapes do not broadcast."""
    a, b = np.shape(x), np.shape(y)
    if "negative integer powers" in str(error):
        return RuntimeError("Integers to negative integer powers are not allowed.")
    rank = max(len(a), len(b))
    for back, (m, n) in enumerate(zip(a[::-1], b[::-1], strict=False), 1):
        if m != n and m != 1 and n != 1:
            return RuntimeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension "
                f"{rank - back}"
            )
    return error


# --- any primitive, any function ------------------------------------------------------------------


def _values(inputs: Sequence[Any]) -> tuple[list[Any], bool]:
    """Return the values of operands, and whether a transform follows one of them."""
    values = [i.value if isinstance(i, Tensor) else i for i in inputs]
    for v in values:
        if type(v) is TracedArray:
            return values, True
    return values, False


def _edges(inputs: Sequence[Any]) -> list[Any] | None:
    """Return the edges of operands, None if nothing is to be recorded."""
    if not STATE.recording:
        return None
    edges = [edge_of(i) if isinstance(i, Tensor) else None for i in inputs]
    for e in edges:
        if e is not None:
            return edges
    return None


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


def bilinear(cls: Any, function: Any, a: Tensor, b: Tensor) -> Any:
    """Apply a multilinear primitive of two arguments, as one node."""
    x, y = a.value, b.value
    if type(x) is not _ndarray or type(y) is not _ndarray:
        return lower(function(lift(a), lift(b)))
    primitive = function.primitive
    token = silence(QUIETLY)
    try:
        result = wrap(primitive.impl(x, y))
    finally:
        unsilence(token)
    if STATE.recording:
        ea = a.edge if a.base is None else a.current()
        eb = b.edge if b.base is None else b.current()
        first, second = ea is not None, eb is not None
        if first or second:
            result.edge = new_node(
                cls,
                (a if ea is LEAF else ea, b if eb is LEAF else eb),
                (
                    rule_of(primitive),
                    0 if first else -1,
                    1 if second else -1,
                    x if second else None,
                    y if first else None,
                    {},
                    (type_of(x), type_of(y), type_of(result.value)),
                ),
                (a.version if second else None, b.version if first else None, None),
                (a.version[0] if second else 0, b.version[0] if first else 0, 0),
            )
    return result


def call(cls: Any, function: Any, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply a primitive to tensors and plain operands, as one node."""
    primitive: Primitive = function.primitive
    values, followed = _values(inputs)
    if followed:
        return lowered(function(*map(lift, inputs), **params))
    token = silence(QUIETLY)
    try:
        out = primitive.impl(*values, **params)
    finally:
        unsilence(token)
    edges = _edges(inputs)
    if edges is None:
        return tuple(map(wrap, out)) if type(out) is tuple else wrap(out)
    if type(out) is not tuple:
        result = wrap(out)
        node = primitive_node(cls, primitive, values, edges, params, result.value)
        result.edge = node
        node.cells, node.seen = _versions(node, inputs, (result,))
        drop_edges(node, [isinstance(i, Tensor) for i in inputs])
        return result
    results = tuple(map(wrap, out))
    node = primitive_node(cls, primitive, values, edges, params, tuple(r.value for r in results))
    node.cells, node.seen = _versions(node, inputs, results)
    for n, r in enumerate(results):
        if r.value.dtype.kind in "fc":
            r.edge = Output(node, n)
    return results


def _versions(node: Node, inputs: Sequence[Any], results: Sequence[Any]) -> tuple[Any, Any]:
    kept, out = node.record[3], node.record[5]
    cells = [
        i.version if isinstance(i, Tensor) and type(k) is not ArrayType else None
        for i, k in zip(inputs, kept, strict=True)
    ]
    cells.append(results[0].version if out is not None and len(results) == 1 else None)
    if not any(c is not None for c in cells):
        return None, None
    return tuple(cells), tuple([0 if c is None else c[0] for c in cells])


def composite(cls: Any, function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    """Apply a function of arrays to tensors and plain operands, as one node.

    The function must not return views of its arguments, nor anything but an array or a tuple of arrays.
    """
    values, followed = _values(inputs)
    if followed:
        return lowered(function(*map(lift, inputs)))
    edges = _edges(inputs)
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


def lowered(out: Any) -> Any:
    """Make tensors of the results of the functional layer."""
    return tuple(map(lower, out)) if isinstance(out, (tuple, list)) else lower(out)


def constant(function: Callable[..., Any], inputs: Sequence[Any], node: str | None = None) -> Any:
    """Apply what is locally constant; with a node's name the result stays connected, with derivative zero."""
    values, followed = _values(inputs)
    if followed:
        return lowered(function(*map(lift, inputs)))
    result = wrap(quietly(function, *values))
    if node is not None and result.value.dtype.kind in "fc":
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
