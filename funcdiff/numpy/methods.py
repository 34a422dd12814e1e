"""ndarray's methods and properties on traced arrays, each a function of this package."""

from __future__ import annotations

from math import ceil, floor, prod, trunc
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.mutation import rebind
from funcdiff.core.recording import TracedArray, concrete, innermost, is_scalar_value
from funcdiff.numpy import (
    diagonals,
    in_place,
    pointwise,
    queries,
    rearranging,
    reductions,
    selection,
    shapes,
    sorting,
    statistics,
    torch_names,
)
from funcdiff.numpy._arguments import UNSET, as_array, shape_of, to_dtype, unsupported_keyword
from funcdiff.numpy._protocol import UFUNCS
from funcdiff.numpy.flat import Flat
from funcdiff.numpy.shapes import dimensions
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.reduction import sum_
from funcdiff.primitives.shape import concatenate, copy
from funcdiff.primitives.shape import reshape as reshaped

# --- ndarray's: reductions ------------------------------------------------------------------------------


def _sum(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any
) -> Any:
    if axis is None and dtype is None and out is None and keepdims is UNSET and not rest:
        return sum_(self, axis=tuple(range(len(self.shape))), keepdims=False)
    axis, keepdims = _torch_axis(axis, keepdims, rest)
    return reductions.sum(self, axis, dtype, out, keepdims, **rest)


def _mean(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any
) -> Any:
    axis, keepdims = _torch_axis(axis, keepdims, rest)
    return reductions.mean(self, axis, dtype, out, keepdims, **rest)


def _prod(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any
) -> Any:
    axis, keepdims = _torch_axis(axis, keepdims, rest)
    return reductions.prod(self, axis, dtype, out, keepdims, **rest)


def _torch_axis(axis: Any, keepdims: Any, rest: dict[str, Any]) -> tuple[Any, Any]:
    """Take PyTorch's names ``dim=`` and ``keepdim=`` for axis and keepdims."""
    return rest.pop("dim", axis), rest.pop("keepdim", keepdims)


def _cumsum(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, *, dim: Any = None) -> Any:
    return reductions.cumsum(self, axis if dim is None else dim, dtype, out)


def _cumprod(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, *, dim: Any = None) -> Any:
    return reductions.cumprod(self, axis if dim is None else dim, dtype, out)


def _searchsorted(self: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    return queries.searchsorted(self, v, side, sorter)


# --- ndarray's: shape and order -------------------------------------------------------------------------


def _reshape(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
    return shapes.reshape(self, dimensions(shape), order, copy=copy)


def _transpose(self: Any, *axes: Any) -> Any:
    found = dimensions(axes)
    return shapes.transpose(self, found if found is None or len(found) or len(axes) else None)


def _flatten(self: Any, order: str = "C") -> Any:
    return copy(shapes.ravel(self, order))


def _copy(self: Any, order: str = "C") -> Any:
    return self if is_scalar_value(self) else copy(self, order=order)  # scalars are immutable


def _clone(self: Any) -> Any:
    return _copy(self, "K")


def _deepcopy(self: Any, memo: Any) -> Any:
    return _clone(self)


def _astype(
    self: Any, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
) -> Any:
    if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast array data from {self.dtype!r} to {np.dtype(dtype)!r} according to the rule {casting!r}"
        )
    out = to_dtype(self, dtype)
    return _clone(out) if out is self and copy else out


def _view(self: Any, *shape: Any, dtype: Any = None, type: Any = None) -> Any:
    """NumPy's ``x.view()`` and ``x.view(dtype)`` of its own dtype, and PyTorch's ``x.view(2, -1)``."""
    if not shape and dtype is None:
        return self[...]
    if dtype is None and (isinstance(shape[0], (int, tuple, list)) and not isinstance(shape[0], bool)):
        return _reshape(self, *shape)
    dtype = np.dtype(shape[0] if dtype is None else dtype)
    if dtype == self.dtype:
        return self[...]
    raise unsupported_keyword(
        "view", f"the dtype {dtype} for an array of {self.dtype}", "Convert the values with x.astype(dtype)."
    )


def _resize(self: Any, *new_shape: Any, refcheck: bool = True) -> None:
    """Change the shape in place; what is new is zero."""
    if getattr(self, "base", None) is not None:
        raise ValueError("cannot resize this array: it does not own its data")
    if refcheck and any(reference() is not None for reference in getattr(self, "views", ())):
        raise ValueError("cannot resize an array that has views. Use np.resize, or refcheck=False.")
    shape = shape_of(dimensions(new_shape))
    flat = reshaped(self, shape=(prod(self.shape),))
    missing = prod(shape) - prod(self.shape)
    if missing > 0:
        flat = concatenate(flat, np.zeros(missing, self.dtype), axis=0)
    rebind(self, reshaped(getitem(flat, index=slice(0, prod(shape))), shape=shape))


def _squeeze(self: Any, axis: Any = None, *, dim: Any = None) -> Any:
    return shapes.squeeze(self, axis if dim is None else dim)


# --- ndarray's: selection, and writing ------------------------------------------------------------------


def _choose(self: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    return selection.choose(self, choices, out, mode)


def _compress(self: Any, condition: Any, axis: Any = None, out: Any = None) -> Any:
    return selection.compress(condition, self, axis, out)


def _clip(self: Any, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Any:
    return selection.clip(self, min, max, out, **kwargs)


def _fill(self: Any, value: Any) -> None:
    if np.shape(value):
        raise ValueError("setting an array element with a sequence.")
    self[...] = value


def _sort(self: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    self[...] = sorting.sort(self, axis, kind, order, stable=stable)


def _partition(self: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> None:
    self[...] = sorting.partition(self, kth, axis, kind, order)


def _set_real(self: Any, value: Any) -> None:
    self[...] = value if self.dtype.kind != "c" else as_array(value) + 1j * pointwise.imag(self)


def _set_imag(self: Any, value: Any) -> None:
    if self.dtype.kind != "c":
        raise TypeError("array does not have imaginary part to set")
    self[...] = pointwise.real(self) + 1j * as_array(value)


def _item(self: Any, *index: Any) -> Any:
    return np.asarray(concrete(self)).item(*index)


def _tolist(self: Any) -> Any:
    return [_tolist(row) for row in self] if self.shape else self


def _flat(self: Any) -> Flat:
    return Flat(self)


def _set_flat(self: Any, value: Any) -> None:
    Flat(self)[...] = value


# --- ndarray's: what it is ------------------------------------------------------------------------------


def _itemsize(self: Any) -> int:
    size: int = self.dtype.itemsize
    return size


def _nbytes(self: Any) -> int:
    total: int = prod(self.shape) * self.dtype.itemsize
    return total


def _refused(name: str, said: str = "") -> Any:
    """Return a method that would give the values away as bytes: those of a buffer of no transform are plain."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.recorder.free:
            return getattr(self.value, name)(*args, **kwargs)
        raise errors.ConversionError(
            errors.at_user_line(
                f"{said or name} of a traced array (dtype {self.dtype}, shape {self.shape}) would drop its derivative. Take the "
                "plain values with fd.stop_gradient(x)."
            )
        )

    return method


def _strides(self: Any) -> Any:
    plain = innermost(self)
    return plain.strides if plain.shape == self.shape else np.empty(self.shape, self.dtype).strides


def _flags(self: Any) -> Any:
    return np.asarray(innermost(self)).flags


def _device(self: Any) -> str:
    return "cpu"


def _to_device(self: Any, device: str, /, *, stream: Any = None) -> Any:
    if device != "cpu":
        raise ValueError(f"unsupported device {device!r}: only 'cpu' is")
    return self


def _dot(self: Any, other: Any, out: Any = None) -> Any:
    return np.dot(self, other) if out is None else np.dot(self, other, out)


def _rounded(function: Any) -> Any:
    def method(self: Any, *args: Any) -> Any:
        return function(_item(self), *args)

    return method


METHODS: dict[str, Any] = {
    "__array_priority__": 1000.0,
    "__ceil__": _rounded(ceil),
    "__copy__": _clone,
    "__deepcopy__": _deepcopy,
    "__floor__": _rounded(floor),
    "__reduce_ex__": _refused("__reduce_ex__", "pickling"),
    "__trunc__": _rounded(trunc),
    "abs": np.absolute,
    "absolute": np.absolute,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "all": queries.all,
    "any": queries.any,
    "arccos": np.arccos,
    "arccosh": np.arccosh,
    "arcsin": np.arcsin,
    "arcsinh": np.arcsinh,
    "arctan": np.arctan,
    "arctan2": np.arctan2,
    "arctanh": np.arctanh,
    "argmax": queries.argmax,
    "argmin": queries.argmin,
    "argpartition": sorting.argpartition,
    "argsort": sorting.argsort,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "astype": _astype,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "byteswap": _refused("byteswap"),
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "choose": _choose,
    "clip": _clip,
    "compress": _compress,
    "conj": np.conjugate,
    "conjugate": np.conjugate,
    "copy": _copy,
    "copysign": np.copysign,
    "cos": np.cos,
    "cosh": np.cosh,
    "cumprod": _cumprod,
    "cumsum": _cumsum,
    "deg2rad": np.deg2rad,
    "degrees": np.degrees,
    "diagonal": diagonals.diagonal,
    "divide": np.divide,
    "dot": _dot,
    "dump": _refused("dump"),
    "dumps": _refused("dumps"),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "fabs": np.fabs,
    "fill": _fill,
    "flatten": _flatten,
    "floor": np.floor,
    "fmod": np.fmod,
    "hypot": np.hypot,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "item": _item,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "logaddexp": np.logaddexp,
    "logical_not": np.logical_not,
    "max": reductions.max,
    "maximum": np.maximum,
    "mean": _mean,
    "min": reductions.min,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "negative": np.negative,
    "nonzero": queries.nonzero,
    "partition": _partition,
    "power": np.power,
    "prod": _prod,
    "put": in_place.put,
    "rad2deg": np.rad2deg,
    "radians": np.radians,
    "ravel": shapes.ravel,
    "reciprocal": np.reciprocal,
    "remainder": np.remainder,
    "repeat": rearranging.repeat,
    "reshape": _reshape,
    "resize": _resize,
    "rint": np.rint,
    "round": pointwise.round,
    "searchsorted": _searchsorted,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sort": _sort,
    "sqrt": np.sqrt,
    "square": np.square,
    "squeeze": _squeeze,
    "std": statistics.std,
    "subtract": np.subtract,
    "sum": _sum,
    "swapaxes": shapes.swapaxes,
    "take": selection.take,
    "tan": np.tan,
    "tanh": np.tanh,
    "to_device": _to_device,
    "tobytes": _refused("tobytes"),
    "tofile": _refused("tofile"),
    "tolist": _tolist,
    "trace": diagonals.trace,
    "transpose": _transpose,
    "trunc": np.trunc,
    "var": statistics.var,
    "view": _view,
}
"""What ``x.name(...)`` calls with x as its first argument."""

PROPERTIES: dict[str, property] = {
    "T": property(shapes.transpose, doc="The array with its axes reversed, a view."),
    "device": property(_device, doc="Where the array is: 'cpu'."),
    "flags": property(_flags, doc="The memory layout of the plain values."),
    "flat": property(_flat, _set_flat, doc="The elements in C order."),
    "imag": property(pointwise.imag, _set_imag, doc="The imaginary part."),
    "itemsize": property(_itemsize, doc="Bytes per element."),
    "mT": property(shapes.matrix_transpose, doc="The last two axes transposed, a view."),
    "nbytes": property(_nbytes, doc="Bytes of all elements."),
    "real": property(pointwise.real, _set_real, doc="The real part."),
    "strides": property(_strides, doc="Bytes from one element to the next along each axis."),
}


def _of_ufunc(ufunc: np.ufunc) -> Any:
    """Return the method a ufunc makes: its primitive's function, as fast as an operator."""
    function = UFUNCS.get(ufunc)
    if function is not None:
        return function

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ufunc(self, *args, **kwargs)

    return method


def attach() -> None:
    """Attach methods and properties to the traced array."""
    for name, method in (METHODS | torch_names.METHODS).items():
        setattr(TracedArray, name, _of_ufunc(method) if isinstance(method, np.ufunc) else method)
    for name, getter in PROPERTIES.items():
        setattr(TracedArray, name, getter)
