"""Views that NumPy has no index for: strides, diagonals, sliding windows, the parts of complex numbers.

The memory is shared as PyTorch shares it; for autograd such a view is the elements at certain positions.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided as _memory_at
from numpy.lib.stride_tricks import sliding_window_view

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, method
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._tensor import Tensor, owner_of
from funcdiff.compat.torch._views import view, view_onto
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.indexing import replaced
from funcdiff.compat.torch.ops.shapes import sizes
from funcdiff.core.declare import linear
from funcdiff.core.mutation import link_view
from funcdiff.core.primitive import REGISTRY, Function
from funcdiff.core.recording import TracedArray

_index_add, _conj = REGISTRY["index_add"].function, REGISTRY["conj"].function


def _elements_at(x: Any, *, positions: Any) -> Any:
    return np.asarray(x).reshape(-1)[positions]


def _over_batch(params: dict[str, Any], shape: tuple[int, ...], size: int) -> dict[str, Any]:
    positions = params["positions"]
    starts = np.arange(size).reshape(size, *(1,) * positions.ndim) * math.prod(shape)
    return {"positions": starts + positions}


def _put_back(g: Any, x: Any, *, positions: Any) -> Any:
    flat = _index_add(g, shape=(math.prod(x.shape),), index=(positions,))
    return REGISTRY["reshape"].function(flat, shape=x.shape)


elements_at: Function = linear(
    _elements_at,
    _put_back,
    name="elements_at",
    batch_params=_over_batch,
    samples=lambda rng: [
        ((rng.standard_normal((2, 3)),), {"positions": np.array([[0, 4], [2, 2]])}),
        ((rng.standard_normal(4),), {"positions": np.array([3])}),
    ],
    doc="The elements at positions counted in C order.",
)


def _positions(shape: tuple[int, ...]) -> Any:
    return np.arange(math.prod(shape)).reshape(shape)


def _seen(node: Any, x: Tensor, look: Any) -> Any:
    """Return the view that a function of arrays makes, which only moves elements."""
    params = {"positions": np.array(look(_positions(x.value.shape)))}
    if type(x.value) is TracedArray:
        return _seen_traced(x, params)
    return view_onto(node, elements_at, params, x, look(x.value))


def _seen_traced(x: Tensor, params: dict[str, Any]) -> Any:
    traced = lift(x)
    found = elements_at(traced, **params)
    return lower(link_view(traced, found, (elements_at, params)))


# --- diagonals and windows -------------------------------------------------------------------------------

_Diagonal = node_class("DiagonalBackward0")
_Unfold = node_class("UnfoldBackward0")


@method
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """As `torch.diagonal`."""
    value = input.value
    a, b, params = _on_diagonal(value.shape, offset, dim1, dim2)
    if type(value) is not np.ndarray:
        return _seen_traced(input, params)
    seen = value.diagonal(offset, a, b)
    if value.flags.writeable:
        seen.setflags(write=True)
    return view_onto(_Diagonal, elements_at, params, input, seen)


@lru_cache(maxsize=1024)
def _on_diagonal(
    shape: tuple[int, ...], offset: int, dim1: int, dim2: int
) -> tuple[int, int, dict[str, Any]]:
    """Return the axes of a diagonal, and which elements lie on it; the same for the same arguments."""
    a, b = axis_of(dim1, len(shape)), axis_of(dim2, len(shape))
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return a, b, {"positions": _positions(shape).diagonal(offset, a, b).copy()}


@method
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Any:
    """As `Tensor.unfold`: windows along an axis, their elements along a new last one."""
    if not input.ndim:
        return _seen(_Unfold, input, lambda x: x.reshape(1)[:size])
    axis = axis_of(dimension, input.ndim)
    length = input.value.shape[axis]
    if size > length:
        raise RuntimeError(f"maximum size for tensor at dimension {axis} is {length} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    pick = (*(slice(None),) * axis, slice(None, None, step))
    return _seen(
        _Unfold, input, lambda x: sliding_window_view(x, size, axis, writeable=x.flags.writeable)[pick]
    )


# --- strides ---------------------------------------------------------------------------------------------

_AsStrided = node_class("AsStridedBackward0")


def _storage(x: Any) -> Any:
    """Return the memory that an array lies in, as one axis."""
    owner = owner_of(x)
    if owner.dtype != x.dtype:
        owner = owner.view(x.dtype) if owner.flags.c_contiguous else x
    flat = owner.reshape(-1) if owner.flags.c_contiguous else owner.T.reshape(-1)
    if not np.may_share_memory(flat, x):
        raise unsupported("as_strided of such memory", "Make a copy first with x.clone().")
    return flat


@method
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """As `torch.as_strided`: a view with strides of its own on the memory the tensor lies in."""
    shape, steps = sizes((size,)), sizes((stride,))
    if len(shape) != len(steps):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in steps):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: {list(steps)}"
        )
    if type(input.value) is TracedArray:
        raise unsupported("as_strided inside torch.func transforms", "Index the tensor instead.")
    x = input.value
    flat = _storage(x)
    start = int(x.ctypes.data - flat.ctypes.data) // x.itemsize if storage_offset is None else storage_offset
    last = start + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    if math.prod(shape) and last >= flat.size:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {start}, and itemsize {x.itemsize} requiring a "
            f"storage size of {(last + 1) * x.itemsize} are out of bounds for storage of size {flat.nbytes}"
        )

    def look(memory: Any) -> Any:
        strides = [s * memory.itemsize for s in steps]
        return np.ndarray(shape, memory.dtype, memory, start * memory.itemsize, strides)

    root = input if input.base is None else input.base.root
    for seen in (input, root):  # what the view shows should lie in the tensor, else in what it is a view of
        positions = look(_numbered(seen.value, flat))
        if (positions >= 0).all():
            return view_onto(_AsStrided, elements_at, {"positions": positions.copy()}, seen, look(flat))
    raise unsupported(
        "as_strided of memory that belongs to no tensor", "Take the view of the tensor that owns the memory."
    )


def _numbered(x: Any, flat: Any) -> Any:
    """Number the elements of an array where they lie in memory; -1 where none does."""
    found = np.full(flat.size, -1, np.int64)
    start = int(x.ctypes.data - flat.ctypes.data) // x.itemsize
    places = start + sum(
        np.arange(n).reshape([-1 if k == axis else 1 for k in range(x.ndim)])
        * (x.strides[axis] // x.itemsize)
        for axis, n in enumerate(x.shape)
    )
    found[places] = _positions(x.shape)
    return found


# --- complex numbers as pairs ------------------------------------------------------------------------------


def _pairs(x: Any) -> Any:
    x = np.asarray(x)
    return x[..., None].view(x.real.dtype)


def _from_pairs(x: Any) -> Any:
    if x.dtype.kind == "c":
        return x[..., 0] + 1j * x[..., 1]
    made = np.result_type(x.dtype, np.complex64)
    whole = x.astype(np.empty(0, made).real.dtype, copy=False)
    if whole.strides[-1] != whole.itemsize:
        whole = np.ascontiguousarray(whole)
    return whole.view(made)[..., 0]


def _apart(g: Any, x: Any) -> Any:
    """Transpose `from_pairs`: of real pairs what is real of (g, i g)."""
    if x.dtype.kind != "c":
        return pairs(_conj(g))
    return fnp.stack([g, 1j * g], axis=-1)


def _batch_of(name: str) -> Any:
    return lambda values, flags, size: REGISTRY[name].function(values[0])


def _complex_sample(rng: Any) -> Any:
    return [((rng.standard_normal((2, 3)) + 1j * rng.standard_normal((2, 3)),), {})]


pairs: Function = linear(
    _pairs,
    lambda g, _x: _conj(from_pairs(g)),
    name="pairs",
    batch=_batch_of("pairs"),
    samples=_complex_sample,
    doc="Real and imaginary parts along a new last axis; linear over the reals.",
)
from_pairs: Function = linear(
    _from_pairs,
    _apart,
    name="from_pairs",
    batch=_batch_of("from_pairs"),
    samples=lambda rng: [((rng.standard_normal((3, 2)),), {})],
    doc="Complex numbers of pairs along the last axis; linear over the reals.",
)
_AsReal, _AsComplex = node_class("ViewAsRealBackward0"), node_class("ViewAsComplexBackward0")


def view_as_real(input: Tensor) -> Any:
    """As `torch.view_as_real`: real and imaginary parts along a new last axis."""
    if input.value.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    if type(input.value) is TracedArray:
        return lower(pairs(lift(input)))
    return view(_AsReal, pairs, {}, input)


def view_as_complex(input: Tensor) -> Any:
    """As `torch.view_as_complex`: pairs along the last axis as complex numbers."""
    x = input.value
    if x.dtype.kind != "f":
        kind = FROM_NUMPY[x.dtype].type_name
        raise RuntimeError(
            f"view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: {kind}"
        )
    if not x.shape:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if x.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if type(x) is TracedArray:
        return lower(from_pairs(lift(input)))
    if x.strides[-1] != x.itemsize:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    return view(_AsComplex, from_pairs, {}, input)


# --- writing without touching the tensor -------------------------------------------------------------------


def _put(name: str, input: Tensor, src: Any, index: Any) -> Any:
    """Return a tensor with the part at an index replaced."""

    def compute(x: Any, y: Any) -> Any:
        shape = np.broadcast_to(0, x.shape)[index].shape
        if tuple(y.shape) != shape:
            raise RuntimeError(
                f"expected src to have a size equal to the slice of self. src size = {list(y.shape)}, slice size = {list(shape)}"
            )
        return replaced(x, y, index)

    return composite(composed(name), compute, (input, src))


@method
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Any:
    """As `torch.select_scatter`."""
    lead = (slice(None),) * axis_of(dim, input.ndim)
    return _put("SelectScatterBackward0", input, src, (*lead, index, Ellipsis))


@method
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """As `torch.slice_scatter`."""
    lead = (slice(None),) * axis_of(dim, input.ndim)
    return _put("SliceScatterBackward0", input, src, (*lead, slice(start, end, step), Ellipsis))


def _with_positions(name: str, input: Tensor, src: Tensor, positions: Any) -> Any:
    if tuple(src.shape) != positions.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(positions.shape)}"
        )
    shape = input.value.shape

    def compute(x: Any, y: Any) -> Any:
        flat = replaced(REGISTRY["reshape"].function(x, shape=(math.prod(shape),)), y, (positions,))
        return REGISTRY["reshape"].function(flat, shape=shape)

    return composite(composed(name), compute, (input, src))


@method
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """As `torch.diagonal_scatter`."""
    where = np.diagonal(_positions(input.value.shape), offset, dim1, dim2)
    return _with_positions("DiagonalScatterBackward0", input, src, np.array(where))


@method
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Any:
    """As `torch.as_strided_scatter`."""
    shape, steps = sizes((size,)), sizes((stride,))
    flat = _positions((input.numel(),))[storage_offset or 0 :]
    where = _memory_at(flat, shape, [s * flat.itemsize for s in steps])
    return _with_positions("AsStridedScatterBackward0", input, src, np.array(where))


def _is_view(self: Any) -> bool:
    """Tell whether the tensor is a view of another."""
    return self.base is not None


def _root(self: Any) -> Any:
    """The tensor of which this is a view."""
    return None if self.base is None else self.base.root


Tensor._is_view = _is_view  # type: ignore[attr-defined]
Tensor._base = property(_root)  # type: ignore[attr-defined]


# --- parts -------------------------------------------------------------------------------------------------


def _parts(input: Tensor, given: Any, axis: int) -> Any:
    from funcdiff.compat.torch.ops.parts import tensor_split

    return tensor_split(input, given, axis)


@method
def hsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """As `torch.hsplit`."""
    _has_axes("hsplit", input, 1)
    axis = 0 if input.ndim == 1 else 1
    _divisible("hsplit", input, indices_or_sections, axis)
    return _parts(input, indices_or_sections, axis)


@method
def vsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """As `torch.vsplit`."""
    _has_axes("vsplit", input, 2)
    _divisible("vsplit", input, indices_or_sections, 0)
    return _parts(input, indices_or_sections, 0)


@method
def dsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """As `torch.dsplit`."""
    _has_axes("dsplit", input, 3)
    _divisible("dsplit", input, indices_or_sections, 2)
    return _parts(input, indices_or_sections, 2)


def _has_axes(name: str, input: Tensor, least: int) -> None:
    if input.ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {input.ndim} dimensions!"
        )


def _divisible(name: str, input: Tensor, given: Any, axis: int) -> None:
    if isinstance(given, int) and (given <= 0 or input.shape[axis] % given):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {axis}, but the size of the dimension {input.shape[axis]} is not divisible "
            f"by the split_size {given}!"
        )
