"""Stand-ins for what primitives make of large arrays: addresses of the right type and layout.

How a result lies in memory NumPy decides by the strides of the operands.  So it is asked of a small twin: the primitive
applied to no more than two elements along each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.primitives.indexing import HOLE
from funcdiff.transforms.untouched import untouched

LARGE = 1 << 15  # elements from which an array is not computed
BROADCASTING = frozenset(["scale", "where"])  # besides NumPy's ufuncs
RAISING = frozenset(["power"])  # of integers: it depends on their values whether there is a result
MOVING = frozenset(["concatenate", "stack", "reshape", "copy"])  # what copies, and does nothing else
REDUCING = frozenset(["sum", "max", "min"])
ADDING = frozenset(["index_add", "scatter_add"])  # into zeros


def any_large(values: Sequence[Any]) -> bool:
    """Tell whether there is a large array."""
    for v in values:  # in half the time of any(): it is asked for with every record
        if type(v) is np.ndarray and v.size >= LARGE:
            return True
    return False


def stand_in(primitive: Any, values: Sequence[Any], params: dict[str, Any], known: Sequence[bool]) -> Any:
    """Return an array with the type and the layout of what a primitive makes; None if that has to be computed.

    `known` tells which of the values are no stand-ins themselves.
    """
    name = primitive.name
    if name in MOVING:
        return _moved(name, values, params)
    if any(type(v) is np.ndarray and not v.size for v in values):
        return None
    if name == "matmul":
        return _product(*values) if not params else None
    if name in REDUCING:
        return _reduced(primitive.impl, values[0], params["axis"], params)
    if name == "sum_to":
        return _summed(primitive.impl, values[0], params["shape"])
    if name == "astype":
        return _copied(values[0], params["dtype"]) if type(values[0]) is np.ndarray else None
    if name == "gather":
        return _gathered(primitive.impl, values, params["template"]) if all(known[1:]) else None
    if name in ADDING:  # the places are those of what has been read
        return untouched(params["shape"], values[0].dtype)
    function = primitive.impl
    is_elementwise = isinstance(function, np.ufunc) and function.signature is None
    if params or not (is_elementwise or name in BROADCASTING):
        return None
    made = function(*[v.dtype.type(1) if type(v) is np.ndarray else v for v in values])
    if isinstance(made, tuple) or made.dtype.kind not in ("fcb" if name in RAISING else "fcbiu"):
        return None
    shapes = [np.shape(v) for v in values]
    shape = shapes[0] if shapes.count(shapes[0]) == len(shapes) else np.broadcast_shapes(*shapes)
    if name == "scale" or all(type(v) is not np.ndarray or v.flags.c_contiguous for v in values):
        return untouched(shape, made.dtype)
    operands: list[Any] = [*[_twin(np.asarray(v)) for v in values], None]
    flags: list[Any] = [["readonly"]] * len(values) + [["writeonly", "allocate"]]
    dtypes: list[Any] = [*[None] * len(values), made.dtype]
    return _like(np.nditer(operands, (), flags, dtypes, order="K").operands[-1], shape)


def _twin(x: np.ndarray) -> Any:
    """Return ones that lie as the beginning of an array along each axis does."""
    start = x[(slice(2),) * x.ndim]
    ones = np.ones_like(start)
    if 0 not in x.strides:
        return ones
    return np.broadcast_to(ones[tuple(slice(1 if s == 0 else None) for s in x.strides)], start.shape)


def _like(small: Any, shape: Sequence[int]) -> Any:
    """Return memory of a shape whose axes lie in the order of those of a small array; a number for no axes."""
    if not shape:
        return small
    order = sorted(range(len(shape)), key=lambda axis: -small.strides[axis])
    made = untouched([shape[axis] for axis in order], small.dtype)
    return made if order == [*range(len(shape))] else made.transpose(np.argsort(order))


def _copied(x: np.ndarray, dtype: Any) -> Any:
    return _like(np.empty_like(_twin(x), dtype), x.shape)


def _product(a: Any, b: Any) -> Any:
    """Return what stands for a product of matrices, None if it is not one."""
    if not (type(a) is type(b) is np.ndarray and a.ndim >= 2 <= b.ndim and a.shape[-1] == b.shape[-2]):
        return None
    small = np.matmul(_twin(a), _twin(b))
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return _like(small, (*lead, a.shape[-2], b.shape[-1])) if small.dtype.kind in "fc" else None


def _reduced(impl: Any, x: Any, axes: Sequence[int], params: dict[str, Any]) -> Any:
    if type(x) is not np.ndarray:
        return None
    small = impl(_twin(x), **params)
    if params["keepdims"]:
        return _like(small, [1 if axis in axes else n for axis, n in enumerate(x.shape)])
    return _like(small, [n for axis, n in enumerate(x.shape) if axis not in axes])


def _summed(impl: Any, x: Any, shape: Sequence[int]) -> Any:
    if type(x) is not np.ndarray or x.shape == shape:
        return None
    small = impl(_twin(x), shape=tuple(min(n, 2) for n in shape))
    return _like(small, shape)


def _gathered(impl: Any, values: Sequence[Any], template: Any) -> Any:
    """Return what stands for elements that one array after the other of integers chooses; None if some do not exist."""
    x, *arrays = values
    places = [axis for axis, item in enumerate(template) if type(item) is type(HOLE)]
    plain = all(axis in places or item == slice(None) for axis, item in enumerate(template))
    if not plain or type(x) is not np.ndarray or places[-1] - places[0] + 1 != len(places):
        return None
    chosen = np.broadcast_shapes(*map(np.shape, arrays))
    shape = (*x.shape[: places[0]], *chosen, *x.shape[places[-1] + 1 :])
    if math.prod(shape) < LARGE:
        return None
    for axis, i in zip(places, arrays, strict=True):
        if (
            np.asarray(i).dtype.kind not in "iu"
            or not -x.shape[axis] <= np.min(i) <= np.max(i) < x.shape[axis]
        ):
            return None
    few = _twin(x)
    first = [np.zeros_like(_twin(np.asarray(i))) for i in arrays]
    return _like(impl(few, *first, template=template), shape)


def _moved(name: str, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return memory for what only copies large arrays; None if it is a view, or its layout is not plain."""
    x = values[0]
    if not all(type(v) is np.ndarray and v.size and v.dtype == x.dtype for v in values):
        return None
    match name:
        case "copy":
            plain = not params.get("lead") and params.get("order", "K") == "K" and 0 not in x.strides
            return _copied(x, x.dtype) if plain else None
        case "reshape":
            try:
                x.reshape(params["shape"], copy=False)
            except ValueError:  # it is no view, or none of so many elements
                return untouched(params["shape"], x.dtype) if math.prod(params["shape"]) == x.size else None
            return None
    if not all(v.flags.c_contiguous for v in values):
        return None
    axis, shape = params["axis"], list(x.shape)
    if name == "stack":
        shape.insert(axis, len(values))
    else:
        shape[axis] = sum(v.shape[axis] for v in values)
    return untouched(shape, x.dtype)
