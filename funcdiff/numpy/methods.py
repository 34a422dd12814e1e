"""Methods and properties of traced arrays: ndarray's, and PyTorch's common ones.

Each is a function of this package under the name the method has.  Where NumPy and PyTorch disagree
(``x.transpose(0, 1)``, ``x.size``, ``x.max(0)``, ``x.repeat(2)``), NumPy wins.
"""

from __future__ import annotations

from collections.abc import Iterator
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
)
from funcdiff.numpy._arguments import UNSET, as_array, axis_of, shape_of, to_dtype, unsupported_keyword
from funcdiff.numpy._protocol import UFUNCS
from funcdiff.primitives import reduction
from funcdiff.primitives.comparison import greater
from funcdiff.primitives.elementwise import add, exp, log, multiply, power
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.reduction import sum_
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import concatenate, copy
from funcdiff.primitives.shape import reshape as reshaped
from funcdiff.transforms.stop import stopped

# --- ndarray's: reductions ------------------------------------------------------------------------------


def _sum(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any) -> Any:
    if axis is None and dtype is None and out is None and keepdims is UNSET and not rest:
        return sum_(self, axis=tuple(range(len(self.shape))), keepdims=False)
    axis, keepdims = _torch_axis(axis, keepdims, rest)
    return reductions.sum(self, axis, dtype, out, keepdims, **rest)


def _mean(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any) -> Any:
    axis, keepdims = _torch_axis(axis, keepdims, rest)
    return reductions.mean(self, axis, dtype, out, keepdims, **rest)


def _prod(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any) -> Any:
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


def _dimensions(shape: tuple[Any, ...]) -> Any:
    return shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape


def _reshape(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
    return shapes.reshape(self, _dimensions(shape), order, copy=copy)


def _transpose(self: Any, *axes: Any) -> Any:
    found = _dimensions(axes)
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
    shape = shape_of(_dimensions(new_shape))
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


class Flat:
    """``x.flat``: the elements in C order, read and written by their number."""

    def __init__(self, base: Any) -> None:
        self.base = base

    def __len__(self) -> int:
        return prod(self.base.shape)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.copy())

    def __getitem__(self, index: Any) -> Any:
        out = self.copy()[index]
        return out if not out.shape else copy(out)

    def __setitem__(self, index: Any, value: Any) -> None:
        places = np.arange(len(self))[index]
        value = as_array(value)
        if value.shape:
            value = rearranging.resize(value, np.shape(places))
        self.base[np.unravel_index(places, self.base.shape)] = value

    def copy(self) -> Any:
        """Return the flattened copy."""
        return _flatten(self.base)


def _flat(self: Any) -> Flat:
    return Flat(self)


def _set_flat(self: Any, value: Any) -> None:
    Flat(self)[...] = value


# --- ndarray's: what it is ------------------------------------------------------------------------------


def _itemsize(self: Any) -> int:
    size: int = self.dtype.itemsize
    return size


def _nbytes(self: Any) -> int:
    return prod(self.shape) * _itemsize(self)


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


# --- PyTorch's ------------------------------------------------------------------------------------------


def _dot(self: Any, other: Any, out: Any = None) -> Any:
    return np.dot(self, other) if out is None else np.dot(self, other, out)


def _matmul(self: Any, other: Any) -> Any:
    return self @ other


def _norm(self: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """The vector norm of all elements, or along ``dim``, as PyTorch has it."""
    order = 2 if p in ("fro", None) else p
    x = reshaped(self, shape=(prod(self.shape),)) if dim is None else self
    if isinstance(dim, tuple) and len(dim) > 1:
        powers = power(np.abs(self), order)
        return power(_sum(powers, dim, keepdims=keepdim), 1 / order) if order != 2 else np.sqrt(_sum(powers, dim))
    out = np.linalg.norm(x, order, axis=0 if dim is None else dim, keepdims=keepdim and dim is not None)
    return reshaped(out, shape=(1,) * len(self.shape)) if keepdim and dim is None else out


def _relu(self: Any) -> Any:
    return where(greater(self, 0), self, 0)


def _sigmoid(self: Any) -> Any:
    from scipy.special import expit

    return expit(self)


def _softmax(self: Any, dim: Any = -1) -> Any:
    e = exp(_below_maximum(self, dim))
    return e / sum_(e, axis=(axis_of(dim, len(self.shape)),), keepdims=True)


def _log_softmax(self: Any, dim: Any = -1) -> Any:
    x = _below_maximum(self, dim)
    return x - log(sum_(exp(x), axis=(axis_of(dim, len(self.shape)),), keepdims=True))


def _below_maximum(x: Any, dim: Any) -> Any:
    """Subtract the maximum, which changes neither the softmax nor its derivative."""
    return x - reduction.max_(stopped(x), axis=(axis_of(dim, len(x.shape)),), keepdims=True)


def _unsqueeze(self: Any, dim: int) -> Any:
    return shapes.expand_dims(self, dim)


def _permute(self: Any, *dims: Any) -> Any:
    return shapes.transpose(self, _dimensions(dims))


def _expand(self: Any, *sizes: Any) -> Any:
    wanted = tuple(_dimensions(sizes))
    lead = len(wanted) - len(self.shape)
    return shapes.broadcast_to(
        self, tuple(self.shape[n - lead] if length == -1 else length for n, length in enumerate(wanted))
    )


def _t(self: Any) -> Any:
    if len(self.shape) > 2:
        raise ValueError(f"t() expects an array with at most 2 dimensions, but it has {len(self.shape)}")
    return shapes.transpose(self)


def _numel(self: Any) -> int:
    return prod(self.shape)


def _dim(self: Any) -> int:
    return len(self.shape)


def _numpy(self: Any) -> Any:
    raise errors.ConversionError(
        errors.at_user_line(
            "x.numpy() of a traced array would drop its derivative. Use the traced array itself, which works with "
            "NumPy's functions, or fd.stop_gradient(x) where no derivative is wanted."
        )
    )


def _rounded(function: Any) -> Any:
    def method(self: Any, *args: Any) -> Any:
        return function(_item(self), *args)

    return method


def _array(self: Any) -> Any:
    """``__array__``, which only a free buffer has: others become object arrays of their elements."""
    if not self.recorder.free:
        raise AttributeError("a traced array is not converted to a plain one")

    def convert(dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.value, dtype, copy=copy)

    return convert


def _sub_scaled(self: Any, other: Any, *, alpha: Any = 1) -> Any:
    return self - (other if alpha == 1 else multiply(alpha, other))


def _add_scaled(self: Any, other: Any, *, alpha: Any = 1) -> Any:
    return add(self, other if alpha == 1 else multiply(alpha, other))


METHODS: dict[str, Any] = {
    "__array_priority__": 1000.0,
    "__ceil__": _rounded(ceil),
    "__copy__": _clone,
    "__deepcopy__": _deepcopy,
    "__floor__": _rounded(floor),
    "__trunc__": _rounded(trunc),
    "abs": np.absolute,
    "absolute": np.absolute,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "add": _add_scaled,
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
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "choose": _choose,
    "clamp": _clip,
    "clip": _clip,
    "clone": _clone,
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
    "detach": stopped,
    "diagonal": diagonals.diagonal,
    "dim": _dim,
    "div": np.divide,
    "divide": np.divide,
    "dot": _dot,
    "exp": np.exp,
    "exp2": np.exp2,
    "expand": _expand,
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
    "log_softmax": _log_softmax,
    "logaddexp": np.logaddexp,
    "logical_not": np.logical_not,
    "matmul": _matmul,
    "max": reductions.max,
    "maximum": np.maximum,
    "mean": _mean,
    "min": reductions.min,
    "minimum": np.minimum,
    "mm": _matmul,
    "mul": np.multiply,
    "multiply": np.multiply,
    "mv": _matmul,
    "neg": np.negative,
    "negative": np.negative,
    "nonzero": queries.nonzero,
    "norm": _norm,
    "numel": _numel,
    "numpy": _numpy,
    "partition": _partition,
    "permute": _permute,
    "pow": np.power,
    "power": np.power,
    "prod": _prod,
    "put": in_place.put,
    "rad2deg": np.rad2deg,
    "radians": np.radians,
    "ravel": shapes.ravel,
    "reciprocal": np.reciprocal,
    "relu": _relu,
    "remainder": np.remainder,
    "repeat": rearranging.repeat,
    "reshape": _reshape,
    "resize": _resize,
    "rint": np.rint,
    "round": pointwise.round,
    "searchsorted": _searchsorted,
    "sigmoid": _sigmoid,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "softmax": _softmax,
    "sort": _sort,
    "sqrt": np.sqrt,
    "square": np.square,
    "squeeze": _squeeze,
    "std": statistics.std,
    "sub": _sub_scaled,
    "subtract": _sub_scaled,
    "sum": _sum,
    "swapaxes": shapes.swapaxes,
    "t": _t,
    "take": selection.take,
    "tan": np.tan,
    "tanh": np.tanh,
    "to_device": _to_device,
    "tolist": _tolist,
    "trace": diagonals.trace,
    "transpose": _transpose,
    "trunc": np.trunc,
    "unsqueeze": _unsqueeze,
    "var": statistics.var,
    "view": _view,
}
"""What ``x.name(...)`` calls with x as its first argument."""

PROPERTIES: dict[str, property] = {
    "T": property(shapes.transpose, doc="The array with its axes reversed, a view."),
    "__array__": property(_array),
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
    for name, method in METHODS.items():
        setattr(TracedArray, name, _of_ufunc(method) if isinstance(method, np.ufunc) else method)
    for name, getter in PROPERTIES.items():
        setattr(TracedArray, name, getter)

