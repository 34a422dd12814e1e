"""Extrema: values, positions, and both."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant, deliver, method, moving, of_general
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops.axes import axis_of, reduced
from funcdiff.compat.torch.ops.short import extreme, largest, rows, smallest
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.indexing import getitem as p_getitem
from funcdiff.primitives.ordering import take_along

_ndarray = np.ndarray
_max, _min = (REGISTRY[name].function for name in ("max", "min"))


class Extremum(NamedTuple):
    """Elements along an axis, and where they stand."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return (
            f"torch.return_types.{type(self).__name__}(\nvalues={self.values!r},\nindices={self.indices!r})"
        )


def _named(name: str) -> Any:
    """Return the type of the results of one operation, which shows itself by that name."""
    return type(name, (Extremum,), {"__slots__": ()})


max_result, min_result = _named("max"), _named("min")
median_result, mode_result = _named("median"), _named("mode")
sort_result, topk_result, kthvalue_result = _named("sort"), _named("topk"), _named("kthvalue")
cummax_result, cummin_result = _named("cummax"), _named("cummin")


read = moving(p_getitem)


def along(shape: tuple[int, ...], order: Any, axis: int) -> tuple[Any, ...]:
    """Return the index of the elements at integer positions along an axis, one set for each vector.

    The positions may lack the axis, as those of a reduction do.
    """
    rank = len(shape)
    if rank == 1:
        return (order,)
    if rank == 2 and axis == 1:
        return rows(shape[0], order.ndim == 2), order
    others = order.ndim
    index: list[Any] = []
    for k, n in enumerate(shape):
        if k == axis:
            index.append(order)
        else:
            at = k if others == rank or k < axis else k - 1
            index.append(np.arange(n).reshape([-1 if m == at else 1 for m in range(others)]))
    return tuple(index)


def pick(cls: Any, input: Any, order: Any, axis: int) -> Any:
    """Return the elements at integer positions along an axis, as one node.

    Positions are a tensor; they have the tensor's rank, or lack the axis.
    """
    if type(input.value) is _ndarray and type(order.value) is _ndarray:
        index = along(input.value.shape, order.value, axis)
        return read(cls, input, {"index": index})

    def compute(x: Any, positions: Any) -> Any:
        if len(positions.shape) == len(x.shape):
            return take_along(x, positions, axis)
        return fnp.squeeze(take_along(x, fnp.expand_dims(positions, axis), axis), axis)

    return composite(composed(cls.__name__), compute, (input, order))


@lru_cache(maxsize=4096)
def _of_all(shape: tuple[int, ...], position: str) -> tuple[dict[str, Any], Any]:
    """Return the parameters of a reduction over all axes, and its computation."""
    params = reduced(None, len(shape), False)
    return params, extreme(shape, params["axis"], False, position)


def _extremum(
    name: str, whole: Any, impl: Any, position: str, all_node: str, node: str, result: Any, other: str
) -> Any:
    operation, cls = of_general(all_node, whole, impl), node_class(node)
    find = REGISTRY[position].function

    def extremum(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
        if dim is None:
            value = input.value
            if not value.size:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                    "with the 'dim' argument."
                )
            made = operation(input, *_of_all(value.shape, position))
            return made if out is None else deliver(made, out)
        if isinstance(dim, Tensor):
            from funcdiff.compat.torch.ops import arithmetic

            return getattr(arithmetic, other)(input, dim, out=out)
        value = input.value
        axis = axis_of(dim, len(value.shape))
        if not value.shape:
            return result(input.clone(), wrap(np.zeros((), np.int64)))
        if type(value) is _ndarray:
            order = wrap(getattr(value, position)(axis, None, keepdims=keepdim))
        else:
            order = constant(lambda x: find(x, axis=axis, keepdims=keepdim), (input,))
        return result(pick(cls, input, order, axis), order)

    extremum.__name__ = extremum.__qualname__ = name
    extremum.__doc__ = f"As `torch.{name}`."
    return method(extremum)


max = _extremum("max", _max, largest, "argmax", "MaxBackward1", "MaxBackward0", max_result, "maximum")
min = _extremum("min", _min, smallest, "argmin", "MinBackward1", "MinBackward0", min_result, "minimum")


def _shared(name: str, function: Any, impl: Any, node: str) -> Any:
    operation = of_general(node, function, impl)

    def reduce(input: Any, dim: Any = (), keepdim: bool = False, *, out: Any = None) -> Any:
        if type(dim) is list:
            dim = tuple(dim)
        made = operation(input, reduced(dim, len(input.value.shape), keepdim))
        return made if out is None else deliver(made, out)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"As `torch.{name}`."
    return method(reduce)


amax = _shared("amax", _max, largest, "AmaxBackward0")
amin = _shared("amin", _min, smallest, "AminBackward0")


def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> tuple[Any, Any]:
    """As `torch.aminmax`."""
    dims = () if dim is None else dim
    return amin(input, dims, keepdim), amax(input, dims, keepdim)


def _position(name: str) -> Any:
    find = REGISTRY[name].function

    def position(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        value = input.value
        if type(value) is _ndarray and value.size and value.shape:
            axis = None if dim is None else axis_of(dim, value.ndim)
            return wrap(getattr(value, name)(axis, None, keepdims=keepdim))

        def compute(x: Any) -> Any:
            if dim is None:
                flat = find(fnp.reshape(x, -1), axis=0, keepdims=False)
                return fnp.reshape(flat, (1,) * x.ndim) if keepdim else flat
            if not x.shape:
                return np.zeros((), np.int64)
            return find(x, axis=axis_of(dim, len(x.shape)), keepdims=keepdim)

        return constant(compute, (input,))

    position.__name__ = position.__qualname__ = name
    position.__doc__ = f"As `torch.{name}`."
    return method(position)


argmax = _position("argmax")
argmin = _position("argmin")


def _running(name: str, node: str, larger: Any, result: Any) -> Any:
    cls = node_class(node)

    def run(input: Any, dim: int) -> Any:
        axis = axis_of(dim, input.ndim)
        if not input.value.shape:
            return result(input.clone(), wrap(np.zeros((), np.int64)))

        def positions(x: Any) -> Any:
            best = larger.accumulate(x, axis=axis)
            shape = [-1 if n == axis else 1 for n in range(x.ndim)]
            at = np.where(x == best, np.arange(x.shape[axis]).reshape(shape), 0)
            return np.maximum.accumulate(at, axis=axis)

        order = constant(positions, (input,))
        return result(pick(cls, input, order, axis), order)

    run.__name__ = run.__qualname__ = name
    run.__doc__ = f"As `torch.{name}`."
    return method(run)


cummax = _running("cummax", "CummaxBackward0", np.maximum, cummax_result)
cummin = _running("cummin", "CumminBackward0", np.minimum, cummin_result)
