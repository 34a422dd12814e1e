"""Joining, repeating and reordering."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    applied,
    call,
    composed,
    composite,
    deliver,
    method,
    moving,
)
from funcdiff.compat.torch._dtypes import (
    FROM_NUMPY,
)
from funcdiff.compat.torch._graph import LEAF, Node, new_node, node_class
from funcdiff.compat.torch._promotion import promote
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.ops import moving_rules
from funcdiff.compat.torch.ops.axes import axes_of, axis_of
from funcdiff.compat.torch.ops.conversions import to
from funcdiff.compat.torch.ops.expansion import expand
from funcdiff.compat.torch.ops.shapes import reshape, sizes, unsqueeze, view
from funcdiff.core.array_type import ArrayType
from funcdiff.core.matching import written_out
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.indexing import getitem as p_getitem

_ndarray = np.ndarray


def _common(tensors: Sequence[Any]) -> Any:
    found = tensors[0].value.dtype
    for x in tensors[1:]:
        found = promote(found, x.value.dtype)
    return found


_concatenate, _stack = (REGISTRY[name].function for name in ("concatenate", "stack"))


class _JoinNode(Node):
    """A node of several joined tensors: ``record = (primitive, shapes, dtype, axis, shape of the result)``."""

    __slots__ = ()

    def pull(self, g: Any) -> Sequence[Any]:
        primitive, shapes, kind, axis, whole = self.record
        g = written_out(g, ArrayType(whole, kind))
        types = [ArrayType(shape, kind) for shape in shapes]
        part = primitive.transposes[0]
        return [None if edge is None else part(n, g, *types, axis=axis) for n, edge in enumerate(self.next)]

    pull_recorded = pull


def _joined(cls: Any, function: Any, join: Any, tensors: Sequence[Any], dim: Any) -> Any:
    """Join tensors of one dtype whose shapes fit; None for others."""
    values = []
    edges = []
    kind = None
    active = False
    recording = STATE.recording
    for x in tensors:
        value = x.value if isinstance(x, Tensor) else None
        if type(value) is not _ndarray or (kind is not None and value.dtype is not kind):
            return None
        kind = value.dtype
        values.append(value)
        if recording:
            edge = x.edge if x.base is None else x.current()
            if edge is not None:
                active = True
                if edge is LEAF:
                    edge = x
            edges.append(edge)
    try:
        out = join(values, dim)
    except (ValueError, TypeError):
        return None
    result = wrap(out)
    if active:
        axis = dim if dim >= 0 else dim + out.ndim
        record = (function.primitive, [v.shape for v in values], kind, axis, out.shape)
        result.edge = new_node(cls, tuple(edges), record, None, None)
    return result


_Cat, _Stack = (node_class(name, _JoinNode) for name in ("CatBackward0", "StackBackward0"))
_Converted, _ConvertedStack = applied("CatBackward0"), applied("StackBackward0")


def cat(tensors: Sequence[Any], dim: int = 0, *, out: Any = None) -> Any:
    """As `torch.cat`."""
    made = _joined(_Cat, _concatenate, np.concatenate, tensors, dim)
    if made is None:
        made = _cat(list(tensors), dim)
    return made if out is None else deliver(made, out)


def _cat(tensors: list[Any], dim: int) -> Any:
    """Join tensors that need conversion, empty ones among them, and traced ones; or say what is wrong."""
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    shapes = [x.value.shape for x in tensors]
    kept = [x for x, s in zip(tensors, shapes, strict=True) if s != (0,)] or tensors[:1]
    axis = axis_of(dim, kept[0].ndim)
    for n, x in enumerate(kept):
        a, b = kept[0].value.shape, x.value.shape
        if len(a) != len(b):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(a)} and {len(b)}")
        if not a:
            raise RuntimeError(f"zero-dimensional tensor (at position {n}) cannot be concatenated")
        for k, (i, j) in enumerate(zip(a, b, strict=True)):
            if i != j and k != axis:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {i} but got size {j} for tensor number "
                    f"{n} in the list."
                )
    d = FROM_NUMPY[_common(tensors)]
    return call(_Converted, _concatenate, [to(x, d) for x in kept], {"axis": axis})


concat = concatenate = cat


def stack(tensors: Sequence[Any], dim: int = 0, *, out: Any = None) -> Any:
    """As `torch.stack`."""
    made = _joined(_Stack, _stack, _stack_arrays, tensors, dim)
    if made is None:
        made = _stacked(list(tensors), dim)
    return made if out is None else deliver(made, out)


def _stack_arrays(values: list[Any], dim: int) -> Any:
    shape = values[0].shape
    for v in values:
        if v.shape != shape:
            raise ValueError
    if dim == 0:
        out = np.concatenate(values) if shape else np.array(values)
        return out.reshape((len(values), *shape))
    return np.stack(values, dim)


def _stacked(tensors: list[Any], dim: int) -> Any:
    """Stack tensors that need conversion, and traced ones; or say what is wrong."""
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0].value.shape
    for n, x in enumerate(tensors):
        if x.value.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x.shape)} at entry {n}"
            )
    axis = axis_of(dim, len(first) + 1)
    d = FROM_NUMPY[_common(tensors)]
    return call(_ConvertedStack, _stack, [to(x, d) for x in tensors], {"axis": axis})


def atleast_1d(*tensors: Any) -> Any:
    """As `torch.atleast_1d`."""
    found = [x if x.ndim else reshape(x, 1) for x in _listed(tensors)]
    return found[0] if len(found) == 1 else tuple(found)


def atleast_2d(*tensors: Any) -> Any:
    """As `torch.atleast_2d`."""
    found = [
        reshape(x, 1, 1) if not x.ndim else unsqueeze(x, 0) if x.ndim == 1 else x for x in _listed(tensors)
    ]
    return found[0] if len(found) == 1 else tuple(found)


def _listed(tensors: Sequence[Any]) -> Sequence[Any]:
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors


def hstack(tensors: Sequence[Any]) -> Any:
    """As `torch.hstack`."""
    parts = [x if x.ndim else reshape(x, 1) for x in tensors]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Any]) -> Any:
    """As `torch.vstack`."""
    return cat([atleast_2d(x) for x in tensors], 0)


row_stack = vstack


def column_stack(tensors: Sequence[Any]) -> Any:
    """As `torch.column_stack`."""
    return cat([reshape(x, x.numel(), 1) if x.ndim <= 1 else x for x in tensors], 1)


def dstack(tensors: Sequence[Any]) -> Any:
    """As `torch.dstack`."""
    return cat([unsqueeze(atleast_2d(x), -1) if x.ndim < 3 else x for x in tensors], 2)


# --- repeating and reordering ---------------------------------------------------------------------------


@method
def repeat(input: Tensor, *sizes_: Any) -> Any:
    """As `Tensor.repeat`."""
    times = sizes(sizes_)
    if len(times) < input.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    return _repeated(_Repeat, input, {"times": times})


_repeated, _read, _triangle = moving(moving_rules.tile), moving(p_getitem), moving(moving_rules.triangle)
_Repeat, _Flip = node_class("RepeatBackward0"), node_class("FlipBackward0")
_Tril, _Triu = node_class("TrilBackward0"), node_class("TriuBackward0")


@method
def tile(input: Tensor, *dims: Any) -> Any:
    """As `torch.tile`."""
    times = sizes(dims)
    missing = input.ndim - len(times)
    return _repeated(_Repeat, input, {"times": (1,) * missing + times if missing > 0 else times})


@method
def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None) -> Any:
    """As `torch.repeat_interleave`."""
    counts = plain(repeats) if isinstance(repeats, Tensor) else repeats
    return composite(
        composed("RepeatInterleaveBackward0"), lambda x: fnp.repeat(x, counts, axis=dim), (input,)
    )


@method
def flip(input: Tensor, *dims: Any) -> Any:
    """As `torch.flip`."""
    if len(dims) == 1 and isinstance(dims[0], (tuple, list)):
        dims = tuple(dims[0])
    out = _read(_Flip, input, _flipped(dims, len(input.value.shape)))
    if type(out.value) is _ndarray:
        out.value = out.value.copy()
    return out


_WHOLE, _TURN = slice(None), slice(None, None, -1)


@lru_cache(maxsize=4096)
def _flipped(dims: tuple[int, ...], rank: int) -> dict[str, Any]:
    axes = axes_of(sizes(dims), rank) if dims else ()
    return {"index": (*[_TURN if n in axes else _WHOLE for n in range(rank)], Ellipsis)}


def fliplr(input: Tensor) -> Any:
    """As `torch.fliplr`."""
    return flip(input, 1)


def flipud(input: Tensor) -> Any:
    """As `torch.flipud`."""
    return flip(input, 0)


@method
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Any:
    """As `torch.roll`."""
    return composite(composed("RollBackward0"), lambda x: fnp.roll(x, shifts, axis=dims), (input,))


@method
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Any:
    """As `torch.rot90`."""
    return composite(composed("Rot90Backward0"), lambda x: fnp.rot90(x, k, dims) + 0, (input,))


@method
def tril(input: Tensor, diagonal: int = 0) -> Any:
    """As `torch.tril`."""
    value = input.value
    params, made = moving_rules.triangle_of(value.shape, value.dtype.char, diagonal, True)
    return _triangle(_Tril, input, params, made)


@method
def triu(input: Tensor, diagonal: int = 0) -> Any:
    """As `torch.triu`."""
    value = input.value
    params, made = moving_rules.triangle_of(value.shape, value.dtype.char, diagonal, False)
    return _triangle(_Triu, input, params, made)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """As `torch.meshgrid`."""
    tensors = tuple(_listed(tensors))
    if indexing == "xy" and len(tensors) >= 2:
        swapped = meshgrid(tensors[1], tensors[0], *tensors[2:], indexing="ij")
        return (swapped[1], swapped[0], *swapped[2:])
    shape = [x.numel() for x in tensors]
    made = []
    for n, x in enumerate(tensors):
        made.append(expand(view(x, *(-1 if k == n else 1 for k in range(len(shape)))), shape))
    return tuple(made)


def cartesian_prod(*tensors: Any) -> Any:
    """As `torch.cartesian_prod`."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(x, -1) for x in meshgrid(*tensors)], 1)


tril_, triu_ = in_place(tril), in_place(triu)
