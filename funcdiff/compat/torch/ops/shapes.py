"""Views: other shapes and other orders of axes of the same memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import (
    linear,
    method,
)
from funcdiff.compat.torch._dtypes import (
    dtype,
)
from funcdiff.compat.torch._graph import LEAF, new_node, node_class
from funcdiff.compat.torch._recorder import stop
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, new_tensor, plain, wrap
from funcdiff.compat.torch._views import rule_of_lens, view_onto
from funcdiff.compat.torch._views import view as as_view
from funcdiff.compat.torch.ops.axes import axes_of, axis_of
from funcdiff.core.recording import TracedArray
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import copy as p_copy
from funcdiff.primitives.shape import reshape as p_reshape
from funcdiff.primitives.shape import transpose as p_transpose

_ndarray = np.ndarray
_ViewNode, _Unsafe = node_class("ViewBackward0"), node_class("UnsafeViewBackward0")
_Permute, _T, _Transpose = (
    node_class("PermuteBackward0"),
    node_class("TBackward0"),
    node_class("TransposeBackward0"),
)
_Squeeze, _Squeeze1, _Squeeze2 = (
    node_class("SqueezeBackward0"),
    node_class("SqueezeBackward1"),
    node_class("SqueezeBackward2"),
)
_Unsqueeze, _Clone, _Alias = (
    node_class("UnsqueezeBackward0"),
    node_class("CloneBackward0"),
    node_class("AliasBackward0"),
)
_Slice, _Select, _ToCopy = (
    node_class("SliceBackward0"),
    node_class("SelectBackward0"),
    node_class("ToCopyBackward0"),
)


def sizes(given: Sequence[Any]) -> tuple[int, ...]:
    """Return a shape given one by one or as one sequence."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = given[0]
    return tuple(map(operator.index, given))


def full_shape(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Fill in the -1 of a new shape."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape and known and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if known != size or -1 in shape:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


# --- reshape ---------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _resized(shape: Any, size: int) -> dict[str, Any]:
    """Return the parameter of a reshaping; the same dict for the same arguments."""
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    for n in given:
        if type(n) is not int:
            raise TypeError("not a plain number, so not to be remembered")
    return {"shape": full_shape(tuple(given), size)}


def resized(shape: Any, size: int) -> dict[str, Any]:
    """Return the parameter of a reshaping to sizes given one by one or as one sequence."""
    try:
        return _resized(shape, size)
    except TypeError:
        return {"shape": full_shape(sizes(shape), size)}


def view(input: Tensor, *shape: Any) -> Any:
    """As `Tensor.view`: the same memory in another shape, or as another dtype."""
    if len(shape) == 1 and isinstance(shape[0], dtype):
        return wrap(plain(input).view(shape[0].numpy))
    found = _viewed(input, resized(shape, input.value.size))
    if found is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return found


method(view)


def _viewed(input: Tensor, params: dict[str, Any]) -> Any:
    """Return a view in another shape, None if the memory does not allow it."""
    value = input.value
    if type(value) is TracedArray:
        return as_view(_ViewNode, p_reshape, params, input)
    made = value.reshape(params["shape"])
    if not value.flags.c_contiguous and made.size and not np.may_share_memory(made, value):
        return None
    return view_onto(_ViewNode, p_reshape, params, input, made)


@method
def reshape(input: Tensor, *shape: Any) -> Any:
    """As `torch.reshape`: a view where the memory allows it."""
    return _reshaped(input, resized(shape, input.value.size))


def _reshaped(input: Tensor, params: dict[str, Any]) -> Any:
    found = _viewed(input, params)
    return linear(_Unsafe, p_reshape, clone(input), params) if found is None else found


@lru_cache(maxsize=4096)
def _flat(size: int) -> dict[str, Any]:
    return {"shape": (size,)}


_RESHAPING = rule_of_lens(p_reshape)


def as_column(input: Tensor) -> Any:
    """Return a vector as a matrix of one column, to compute with: nobody writes through it."""
    value = input.value
    out: Any = new_tensor(Tensor)
    column = out.value = value[:, None]
    out.version = input.version
    out.edge = out.base = None
    edge = input.edge if input.base is None else input.current()
    if edge is not None and STATE.recording:
        shape = column.shape
        record = (_RESHAPING, 0, {"shape": shape}, value.shape, value.dtype, shape, None)
        out.edge = new_node(_ViewNode, (input if edge is LEAF else edge,), record, None, None)
    return out


@method
def view_as(input: Tensor, other: Tensor) -> Any:
    """As `Tensor.view_as`."""
    return view(input, other.shape)


@method
def reshape_as(input: Tensor, other: Tensor) -> Any:
    """As `Tensor.reshape_as`."""
    return reshape(input, other.shape)


@method
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Any:
    """As `torch.flatten`."""
    shape = input.value.shape
    if not shape:
        return reshape(input, 1)
    if start_dim == 0 and end_dim == -1:
        return input if len(shape) == 1 else _reshaped(input, _flat(input.value.size))
    first, last = axis_of(start_dim, len(shape)), axis_of(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return input
    return reshape(input, *shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


@method
def ravel(input: Tensor) -> Any:
    """As `torch.ravel`."""
    return reshape(input, -1)


@method
def unflatten(input: Tensor, dim: int, sizes: Any) -> Any:
    """As `torch.unflatten`."""
    shape = input.value.shape
    at = axis_of(dim, len(shape))
    try:
        inner = full_shape(tuple(sizes), shape[at])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {at} ({shape[at]}) in the input "
            "tensor"
        ) from None
    return reshape(input, *shape[:at], *inner, *shape[at + 1 :])


# --- axes --------------------------------------------------------------------------------------------


def _permuted(cls: Any, input: Tensor, params: dict[str, Any]) -> Any:
    value = input.value
    if type(value) is not _ndarray:
        return as_view(cls, p_transpose, params, input)
    return view_onto(cls, p_transpose, params, input, value.transpose(params["axes"]))


_REVERSED: list[dict[str, Any]] = [{"axes": tuple(range(rank))[::-1]} for rank in range(65)]


@lru_cache(maxsize=4096)
def _permutation(dims: Any, rank: int) -> dict[str, Any]:
    order = sizes(dims)
    if len(order) != rank:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering "
            f"of dimensions i.e. input.dim() = {rank} is not equal to len(dims) = {len(order)}"
        )
    if len({n % rank for n in order if -rank <= n < rank}) < len([n for n in order if -rank <= n < rank]):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return {"axes": axes_of(order, rank)}


@method
def permute(input: Tensor, *dims: Any) -> Any:
    """As `torch.permute`."""
    if len(dims) == 1 and isinstance(dims[0], (tuple, list)):
        dims = tuple(dims[0])
    return _permuted(_Permute, input, _permutation(dims, len(input.value.shape)))


@lru_cache(maxsize=4096)
def _swapped(dim0: int, dim1: int, rank: int) -> dict[str, Any]:
    a, b = axis_of(dim0, rank), axis_of(dim1, rank)
    order = list(range(rank))
    if rank:
        order[a], order[b] = b, a
    return {"axes": tuple(order)}


@method
def transpose(input: Tensor, dim0: int, dim1: int) -> Any:
    """As `torch.transpose`."""
    return _permuted(_Transpose, input, _swapped(dim0, dim1, len(input.value.shape)))


swapaxes = swapdims = method(transpose, "transpose", "swapaxes", "swapdims")


@method
def t(input: Tensor) -> Any:
    """As `torch.t`."""
    rank = len(input.value.shape)
    if rank > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {rank}D")
    return _permuted(_T, input, _REVERSED[rank])


def _T_property(input: Tensor) -> Any:
    return _permuted(_Permute, input, _REVERSED[len(input.value.shape)])


def _mT_property(input: Tensor) -> Any:
    if input.ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def adjoint(input: Tensor) -> Any:
    """As `torch.adjoint`: transposed and conjugated."""
    return transpose(input, -2, -1).conj()


Tensor.T = property(_T_property)  # type: ignore[attr-defined]
Tensor.mT = property(_mT_property)  # type: ignore[attr-defined]
Tensor.H = Tensor.mH = property(adjoint)  # type: ignore[attr-defined]
method(adjoint)


@method
def movedim(input: Tensor, source: Any, destination: Any) -> Any:
    """As `torch.movedim`."""
    rank = input.ndim
    first = axes_of(source, rank)
    last = axes_of(destination, rank)
    order = [n for n in range(rank) if n not in first]
    for at, axis in sorted(zip(last, first, strict=True)):
        order.insert(at, axis)
    return _permuted(_Permute, input, {"axes": tuple(order)})


moveaxis = method(movedim, "movedim", "moveaxis")


@method
def unsqueeze(input: Tensor, dim: int) -> Any:
    """As `torch.unsqueeze`."""
    params = _new_axis(dim, len(input.value.shape))
    value = input.value
    if type(value) is not _ndarray:
        return as_view(_Unsqueeze, getitem, params, input)
    return view_onto(_Unsqueeze, getitem, params, input, value[params["index"]])


@lru_cache(maxsize=4096)
def _new_axis(dim: int, rank: int) -> dict[str, Any]:
    return {"index": (*(slice(None),) * axis_of(dim, rank + 1), None, Ellipsis)}


@method
def squeeze(input: Tensor, dim: Any = None) -> Any:
    """As `torch.squeeze`."""
    value = input.value
    cls, params = _squeezed(tuple(dim) if type(dim) is list else dim, value.shape)
    if type(value) is not _ndarray:
        return as_view(cls, p_reshape, params, input)
    return view_onto(cls, p_reshape, params, input, value.reshape(params["shape"]))


@lru_cache(maxsize=4096)
def _squeezed(dim: Any, shape: tuple[int, ...]) -> tuple[Any, dict[str, Any]]:
    axes = axes_of(dim, len(shape))
    cls = _Squeeze if dim is None else _Squeeze2 if type(dim) is tuple else _Squeeze1
    return cls, {"shape": tuple(n for k, n in enumerate(shape) if not (k in axes and n == 1))}


# --- copies ------------------------------------------------------------------------------------------


@method
def clone(input: Tensor, *, memory_format: Any = None) -> Any:
    """As `torch.clone`."""
    return linear(_Clone, p_copy, input, {})


@method
def contiguous(input: Tensor, memory_format: Any = None) -> Any:
    """As `Tensor.contiguous`."""
    if type(input.value) is TracedArray or input.value.flags.c_contiguous:
        return input
    out = clone(input)
    out.value = np.ascontiguousarray(out.value).reshape(out.value.shape)
    return out


def alias(input: Tensor) -> Any:
    """Return another tensor for the same memory, as a view."""
    return as_view(_Alias, getitem, {"index": Ellipsis}, input)


@method
def detach(input: Tensor) -> Any:
    """As `torch.detach`: the same memory without history; writes to it are counted."""
    out: Any = new_tensor(Tensor)
    out.value = stop(input.value)
    out.version = input.version
    out.edge = out.base = None
    return out


@method
def select(input: Tensor, dim: int, index: int) -> Any:
    """As `torch.select`."""
    axis = axis_of(dim, len(input.value.shape))
    length = input.value.shape[axis]
    if not -length <= index < length:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {axis}"
        )
    return as_view(_Select, getitem, {"index": (*(slice(None),) * axis, int(index), Ellipsis)}, input)


def _reshaped_in_place(function: Any, name: str) -> None:
    def changed(input: Tensor, *args: Any) -> Any:
        out = function(input, *args)
        if input.edge is LEAF:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        input.value, input.edge = out.value, out.edge
        return input

    setattr(Tensor, name, changed)


_reshaped_in_place(squeeze, "squeeze_")
_reshaped_in_place(unsqueeze, "unsqueeze_")
_reshaped_in_place(t, "t_")
_reshaped_in_place(transpose, "transpose_")
