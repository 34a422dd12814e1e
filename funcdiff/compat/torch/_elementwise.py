"""How the operations of elementwise primitives are made, by the rule of the tape's fast path.

The commonest operations of all: recording one is written out, without packing of arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import NUMBERS, applied, call, cast, constant, deliver, method
from funcdiff.compat.torch._errors import not_a_tensor
from funcdiff.compat.torch._graph import LEAF, new_node, node_class, rule_of
from funcdiff.compat.torch._primitive_nodes import residuals
from funcdiff.compat.torch._promotion import real_of, result_dtype
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import QUIETLY, STATE, silence, unsilence
from funcdiff.compat.torch._tensor import Tensor, new_tensor, wrap
from funcdiff.core.array_type import ArrayType, Shape, type_of
from funcdiff.core.primitive import reads

_ndarray = np.ndarray


def unary(
    name: str, function: Any, node: str, methods: Sequence[str] | None = None, integers: Any = None
) -> Any:
    """Make the operation of an elementwise primitive of one argument.

    Integers are answered by the function `integers`; without it, as real numbers.
    """
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
            if integers is not None and x.dtype.kind in "biu":
                return deliver(constant(integers, (input,)), out)
            return lower(function(cast(lift(input), real_of(x.dtype))))
        if x.dtype.kind not in "fc":
            if integers is not None:
                return deliver(constant(integers, (input,)), out)
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


@lru_cache(maxsize=4096)
def _types(a: Shape, b: Shape, dtype: Any) -> tuple[ArrayType, ArrayType, ArrayType]:
    """Return the types of operands of one dtype and of their result, the same ones each time."""
    return ArrayType(a, dtype), ArrayType(b, dtype), ArrayType(np.broadcast_shapes(a, b), dtype)


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
    first_keeps, second_keeps, both_keep = (x0, y0, v0), (x1, y1, v1), (x0 or x1, y0 or y1, v0 or v1)
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
        kx, ky, kv = second_keeps if ea is None else first_keeps if eb is None else both_keep
        types: Any
        if x is not a.value or y is not b.value or not x.dtype is y.dtype is v.dtype:
            types = type_of(a.value), type_of(b.value), type_of(v)
        else:
            m, n = x.shape, y.shape
            types = None if m == n else _types(m, n, x.dtype)
        result.edge = new_node(
            cls,
            (a if ea is LEAF else ea, b if eb is LEAF else eb),
            (
                rule,
                -1 if ea is None else 0,
                -1 if eb is None else 1,
                x if kx else None,
                y if ky else None,
                result.value if kv else None,
                types,
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


def with_number(name: str, function: Any) -> Any:
    """Make the operation of an elementwise primitive of tensors and a number: ``operation(a, b, c, number)``.

    `c` is None for one of two tensors.  Operands of several types, and what is no tensor, are left to `call`.
    """
    primitive = function.primitive
    impl = primitive.impl
    cls = applied(name)
    count = len(primitive.partials) - 1
    plans = {}  # what is kept, by which tensors require a gradient
    for active in product((False, True), repeat=count):
        if any(active):
            plans[(*active, *(False,) * (3 - count))] = _plan(primitive, active)

    def operation(a: Any, b: Any, c: Any, number: Any) -> Any:
        pair = c is None
        x: Any
        y: Any
        z: Any
        try:
            x, y, z = a.value, b.value, None if pair else c.value
            simple = x.dtype is y.dtype and x.dtype.kind == "f" and (pair or z.dtype is x.dtype)
        except AttributeError:
            simple = False
        if not simple or type(x) is not _ndarray or type(y) is not _ndarray:
            return call(cls, function, (a, b, number) if pair else (a, b, c, number), _NO_PARAMS)
        if not pair and type(z) is not _ndarray:
            return call(cls, function, (a, b, c, number), _NO_PARAMS)
        token = silence(QUIETLY)
        try:
            out = impl(x, y, number) if pair else impl(x, y, z, number)
        finally:
            unsilence(token)
        if not STATE.recording or type(out) is not _ndarray:
            result = wrap(out)
            out = result.value
            if not STATE.recording:
                return result
        else:
            result = new_tensor(Tensor)
            result.value, result.version = out, [0]
            result.edge = result.base = None
        ea = a.edge if a.base is None else a.current()
        eb = b.edge if b.base is None else b.current()
        ec = None if pair else c.edge if c.base is None else c.current()
        if ea is None and eb is None and ec is None:
            return result
        active = ea is not None, eb is not None, ec is not None
        places, kx, ky, kz, keeps = plans[active]
        first, second = a if ea is LEAF else ea, b if eb is LEAF else eb
        if not kx or not ky:
            kind_x, kind_y, _ = _types(x.shape, y.shape, x.dtype)
            x, y = x if kx else kind_x, y if ky else kind_y
        cells: Any = None
        seen: Any = None
        kept: Any
        if pair:
            if keeps:
                cells = a.version if kx else None, b.version if ky else None, None, None
                seen = a.version[0] if kx else 0, b.version[0] if ky else 0, 0, 0
            kept = primitive, (x, y, number), _NO_PARAMS, None, out.shape, out.dtype, places
            result.edge = new_node(cls, (first, second), kept, cells, seen)
            return result
        if keeps:
            cells = (
                a.version if kx else None,
                b.version if ky else None,
                c.version if kz else None,
                None,
                None,
            )
            seen = a.version[0] if kx else 0, b.version[0] if ky else 0, c.version[0] if kz else 0, 0, 0
        z = z if kz else type_of(z)
        kept = primitive, (x, y, z, number), _NO_PARAMS, None, out.shape, out.dtype, places
        result.edge = new_node(cls, (first, second, c if ec is LEAF else ec), kept, cells, seen)
        return result

    return operation


def _plan(primitive: Any, active: tuple[bool, ...]) -> Any:
    """Return the places of the arguments, which of the tensors are kept, and whether any is."""
    places = (*[n if a else -1 for n, a in enumerate(active)], -1)
    keeps, keep_out = residuals(primitive, places)
    if keep_out:
        raise TypeError(f"{primitive.name} reads its result")
    return places, keeps[0], keeps[1], len(active) > 2 and keeps[2], any(keeps[:-1])


_NO_PARAMS: dict[str, Any] = {}


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
