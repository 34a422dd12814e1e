"""Joining, repeating and reordering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    call,
    composed,
    composite,
    deliver,
    method,
)
from funcdiff.compat.torch._dtypes import (
    FROM_NUMPY,
)
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._promotion import promote
from funcdiff.compat.torch._tensor import Tensor, plain
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.ops.axes import axes_of, axis_of
from funcdiff.compat.torch.ops.conversions import to
from funcdiff.compat.torch.ops.shapes import expand, reshape, sizes, unsqueeze, view
from funcdiff.core.primitive import REGISTRY


def _common(tensors: Sequence[Any]) -> Any:
    found = tensors[0].value.dtype
    for x in tensors[1:]:
        found = promote(found, x.value.dtype)
    return found


_Cat, _Stack = node_class("CatBackward0"), node_class("StackBackward0")


def cat(tensors: Sequence[Any], dim: int = 0, *, out: Any = None) -> Any:
    """As `torch.cat`."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
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
    return deliver(
        call(_Cat, REGISTRY["concatenate"].function, [to(x, d) for x in kept], {"axis": axis}), out
    )


concat = concatenate = cat


def stack(tensors: Sequence[Any], dim: int = 0, *, out: Any = None) -> Any:
    """As `torch.stack`."""
    tensors = list(tensors)
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
    return deliver(call(_Stack, REGISTRY["stack"].function, [to(x, d) for x in tensors], {"axis": axis}), out)


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
    return composite(composed("RepeatBackward0"), lambda x: fnp.tile(x, times), (input,))


@method
def tile(input: Tensor, *dims: Any) -> Any:
    """As `torch.tile`."""
    times = sizes(dims)
    return composite(composed("RepeatBackward0"), lambda x: fnp.tile(x, times), (input,))


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
    axes = axes_of(sizes(dims), input.ndim)
    return composite(composed("FlipBackward0"), lambda x: fnp.flip(x, axes) + 0, (input,))


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
    return composite(composed("TrilBackward0"), lambda x: fnp.tril(x, diagonal), (input,))


@method
def triu(input: Tensor, diagonal: int = 0) -> Any:
    """As `torch.triu`."""
    return composite(composed("TriuBackward0"), lambda x: fnp.triu(x, diagonal), (input,))


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
