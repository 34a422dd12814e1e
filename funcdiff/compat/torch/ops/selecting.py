"""Selecting and filling: by tensors of positions, by masks."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    applied,
    call,
    cast,
    composed,
    composite,
    constant,
    deliver,
    method,
)
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._errors import MAPPED_MASK, MAPPED_SHAPE
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._promotion import number_type, result_dtype
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import in_place, write
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.extrema import read
from funcdiff.compat.torch.ops.indexing import added, at, replaced
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.ordering import take_along

_ndarray = np.ndarray
_Gather, _IndexSelect = node_class("GatherBackward0"), node_class("IndexSelectBackward0")


@method
def index_select(input: Tensor, dim: int, index: Tensor) -> Any:
    """As `torch.index_select`."""
    axis = axis_of(dim, input.ndim)
    if type(input.value) is _ndarray and type(index.value) is _ndarray:
        if _outside(index.value, input.value.shape[axis] if input.ndim else 1) is not None:
            raise IndexError("index out of range in self")
        return read(_IndexSelect, input, {"index": (*(slice(None),) * axis, index.value.reshape(-1).copy())})

    def compute(x: Any, positions: Any) -> Any:
        return at(x, (*(slice(None),) * axis, positions.reshape(-1)))

    return composite(composed("IndexSelectBackward0"), compute, (input, index))


def _outside(index: Any, length: int) -> Any:
    """Return an index that leads outside of an axis, if there is one; PyTorch counts from the front only."""
    bad = (index < 0) | (index >= length)
    return index[bad][0] if bad.any() else None


@method
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Any = None) -> Any:
    """As `torch.gather`."""
    if index.value.dtype.kind not in "iu":
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    axis = axis_of(dim, input.ndim)
    shape = index.value.shape
    if type(input.value) is _ndarray and type(index.value) is _ndarray and shape:
        bad = _outside(index.value, input.value.shape[axis] if input.ndim else 1)
        if bad is not None:
            raise RuntimeError(
                f"index {bad} is out of bounds for dimension {axis} with size {input.value.shape[axis] if input.ndim else 1}"
            )
        made = read(_Gather, input, {"index": _positions(axis, index.value.copy())})
        return made if out is None else deliver(made, out)

    def compute(x: Any, positions: Any) -> Any:
        part = x[tuple(slice(None) if k == axis else slice(0, n) for k, n in enumerate(shape))]
        return take_along(part, positions, axis)

    return deliver(composite(composed("GatherBackward0"), compute, (input, index)), out)


@method
def take(input: Tensor, index: Tensor) -> Any:
    """As `torch.take`."""
    return composite(
        composed("TakeBackward0"), lambda x, positions: at(fnp.reshape(x, -1), positions), (input, index)
    )


@method
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Any:
    """As `torch.take_along_dim`."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    return composite(
        composed("GatherBackward0"),
        lambda x, positions: take_along(x, positions, axis_of(dim, input.ndim)),
        (input, indices),
    )


def _positions(axis: int, index: Any) -> tuple[Any, ...]:
    """Return the index of an array that leads to the elements which `index` names along an axis."""
    shape = index.shape
    if len(shape) == 1:
        return (index,)
    return tuple(
        index if k == axis else np.arange(n).reshape([-1 if m == k else 1 for m in range(len(shape))])
        for k, n in enumerate(shape)
    )


def _scattered(input: Tensor, dim: int, index: Tensor, src: Any, how: str) -> Any:
    axis = axis_of(dim, input.ndim)
    shape = index.value.shape
    cut = tuple(slice(0, n) for n in shape)

    def compute(x: Any, y: Any, positions: Any) -> Any:
        part = y if not hasattr(y, "shape") or not y.shape else y[cut]
        return (added if how == "add" else replaced)(x, part, _positions(axis, positions))

    node = "ScatterAddBackward0" if how == "add" else "ScatterBackward0"
    return composite(composed(node), compute, (input, src, index))


@method
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None) -> Any:
    """As `torch.scatter`."""
    return _scattered(input, dim, index, value if src is None else src, "put")


@method
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Any:
    """As `torch.scatter_add`."""
    return _scattered(input, dim, index, src, "add")


@method
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Any:
    """As `torch.index_add`."""
    lead = (slice(None),) * axis_of(dim, input.ndim)

    def compute(x: Any, y: Any, positions: Any) -> Any:
        return added(x, y if alpha == 1 else alpha * y, (*lead, positions))

    return composite(composed("IndexAddBackward0"), compute, (input, source, index))


@method
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Any:
    """As `torch.index_copy`."""
    lead = (slice(None),) * axis_of(dim, input.ndim)

    def compute(x: Any, y: Any, positions: Any) -> Any:
        return replaced(x, y, (*lead, positions))

    return composite(composed("IndexCopyBackward0"), compute, (input, source, index))


@method
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Any:
    """As `torch.index_fill`."""
    lead = (slice(None),) * axis_of(dim, input.ndim)
    number = float(value) if isinstance(value, Tensor) else value

    def compute(x: Any, positions: Any) -> Any:
        return replaced(x, number, (*lead, positions))

    return composite(composed("IndexFillBackward0"), compute, (input, index))


scatter_, scatter_add_ = in_place(scatter), in_place(scatter_add)
index_add_, index_copy_, index_fill_ = in_place(index_add), in_place(index_copy), in_place(index_fill)


# --- by masks -------------------------------------------------------------------------------------------


def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """As `torch.where`."""
    if input is None:
        return nonzero(condition, as_tuple=True)
    if condition.value.dtype.kind != "b":
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype.type_name}"
        )
    if not (
        isinstance(input, Tensor) and isinstance(other, Tensor) and input.value.dtype is other.value.dtype
    ):
        dtype = result_dtype(*(o.value if isinstance(o, Tensor) else o for o in (input, other)))
        input, other = (
            o.to(FROM_NUMPY[dtype]) if isinstance(o, Tensor) else wrap(np.asarray(o, dtype))
            for o in (input, other)
        )
    result = call(_Where, _where, (condition, input, other), {})
    return result if out is None else deliver(result, out)


_Where = applied("WhereBackward0")
_where = REGISTRY["where"].function


method(lambda self, condition, other: where(condition, self, other), "where")


@method
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Any:
    """As `torch.masked_fill`."""
    if mask.value.dtype.kind != "b":
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {_scalar_name(mask)}"
        )
    if isinstance(value, Tensor):
        if value.value.shape:
            raise RuntimeError(
                f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
            )
        return composite(
            composed("MaskedFillBackward1"),
            lambda x, v: fnp.where(mask.value, cast(v, x.dtype), x),
            (input, value),
        )
    if number_type(value).kind == "f" and input.value.dtype.kind in "biu":
        raise RuntimeError(
            f"value cannot be converted to type {input.dtype.type_name.lower()} without overflow"
        )
    fill = input.value.dtype.type(value)
    return call(_MaskedFill, _where, (mask, fill, input), {})


_MaskedFill = applied("MaskedFillBackward0")


def _scalar_name(x: Tensor) -> str:
    return str(x.dtype.type_name.lower())


masked_fill_ = in_place(masked_fill)


@method
def masked_select(input: Tensor, mask: Tensor) -> Any:
    """As `torch.masked_select`."""
    chosen = plain(mask, MAPPED_MASK)
    return composite(
        composed("MaskedSelectBackward0"),
        lambda x: fnp.broadcast_to(x, np.broadcast_shapes(x.shape, chosen.shape))[
            np.broadcast_to(chosen, np.broadcast_shapes(x.shape, chosen.shape))
        ],
        (input,),
    )


@method
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Any:
    """As `torch.masked_scatter`."""
    chosen = np.broadcast_to(plain(mask, MAPPED_MASK), input.value.shape)
    count = int(chosen.sum())

    def compute(x: Any, y: Any) -> Any:
        return replaced(x, fnp.reshape(y, -1)[:count], chosen)

    return composite(composed("MaskedScatterBackward0"), compute, (input, source))


@method
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """As `torch.nonzero`."""
    found = np.nonzero(np.atleast_1d(plain(input, MAPPED_SHAPE.format(name="aten::nonzero"))))
    if as_tuple:
        return tuple(map(wrap, found))
    return wrap(np.stack(found, axis=1) if input.ndim else np.zeros((len(found[0]), 0), np.int64))


@method
def argwhere(input: Tensor) -> Any:
    """As `torch.argwhere`."""
    return nonzero(input)


# --- in-place values --------------------------------------------------------------------------------------


def _filled(node: str, number: Any) -> Any:
    def fill(input: Tensor, value: Any = 0) -> Any:
        chosen = number if value is None else value
        if isinstance(chosen, Tensor):
            return composite(
                composed(node), lambda x, v: fnp.broadcast_to(cast(v, x.dtype), x.shape) + 0, (input, chosen)
            )
        return constant(lambda x: np.full(x.shape, chosen, x.dtype), (input,), node)

    fill.__name__ = "fill"
    return fill


_zero, fill = _filled("ZeroBackward0", 0), _filled("FillBackward0", None)
zero_ = in_place(_zero, "zero_")
fill_ = in_place(fill, "fill_")


@method
def fill_diagonal_(input: Tensor, fill_value: Any, wrap: bool = False) -> Any:
    """As `Tensor.fill_diagonal_`."""

    def filled(x: Any) -> Any:
        mask = np.zeros(x.value.shape, bool)
        np.fill_diagonal(mask, True, wrap)
        return composite(composed("FillDiagonalBackward0"), lambda v: fnp.where(mask, fill_value, v), (x,))

    return write(input, filled, (), {})
