"""Questions about arrays, answered without derivative: shapes, positions, truth, equality, dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray, concrete, innermost
from funcdiff.numpy._arguments import UNSET, as_array, axes_of, axis_of, deliver, ufunc_axes
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.reductions import flag, selected
from funcdiff.numpy.selection import condition_of
from funcdiff.primitives import queries as p
from funcdiff.primitives.comparison import equal, not_equal
from funcdiff.primitives.indexing import read
from funcdiff.primitives.shape import imag, reshape


def plain(x: Any) -> Any:
    """Return the value as a plain array, with a guard where a program is written."""
    return np.asarray(concrete(as_array(x)))


# --- shapes and dtypes --------------------------------------------------------------------------------


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """Return the shape."""
    found: tuple[int, ...] = as_array(a).shape
    return found


@implements(np.ndim)
def ndim(a: Any) -> int:
    """Return the number of axes."""
    return len(as_array(a).shape)


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """Return the number of elements, in all or along axes."""
    lengths = as_array(a).shape
    total = 1
    for n in axes_of(axis, len(lengths)):
        total *= lengths[n]
    return total


def _dtypes(arguments: Any) -> list[Any]:
    return [a.dtype if type(a) is TracedArray else a for a in arguments]


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype that NumPy's promotion gives."""
    return np.result_type(*_dtypes(arrays_and_dtypes))


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Tell whether a dtype may be converted to another."""
    source, target = _dtypes((from_, to))
    return np.can_cast(source, target, casting)  # type: ignore[arg-type]


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> Any:
    """Return the smallest dtype that holds a scalar; of an array its own."""
    return np.min_scalar_type(innermost(a)) if not a.shape else a.dtype


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """Return the inexact type that arrays have in common."""
    return np.common_type(*(np.empty(0, as_array(a).dtype) for a in arrays))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Tell whether the dtype is complex."""
    return bool(as_array(x).dtype.kind == "c")


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Tell whether the dtype is not complex."""
    return not iscomplexobj(x)


@implements(np.may_share_memory)
def may_share_memory(a: Any, b: Any, /, max_work: Any = 0) -> bool:
    """Tell whether two arrays might share memory now; traced arrays are copied before a write needs it."""
    return np.may_share_memory(innermost(a), innermost(b), max_work)


@implements(np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: Any = -1) -> bool:
    """Tell whether two arrays share memory now; traced arrays are copied before a write needs it."""
    return np.shares_memory(innermost(a), innermost(b), max_work)


# --- elementwise questions ----------------------------------------------------------------------------


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Tell where the imaginary part is not zero."""
    x = as_array(x)
    return not_equal(imag(x), 0) if x.dtype.kind == "c" else np.zeros(x.shape, bool)[()]


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """Tell where the imaginary part is zero."""
    x = as_array(x)
    return equal(imag(x), 0) if x.dtype.kind == "c" else np.ones(x.shape, bool)[()]


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """Tell where the value is positive infinity."""
    return deliver(equal(as_array(x), np.inf), out, "isposinf")


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """Tell where the value is negative infinity."""
    return deliver(equal(as_array(x), -np.inf), out, "isneginf")


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Tell where two arrays agree to tolerances."""
    return p.isclose(as_array(a), as_array(b), rtol=concrete(rtol), atol=concrete(atol), equal_nan=equal_nan)


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    """Tell which elements are among others."""
    return np.isin(plain(element), plain(test_elements), assume_unique, invert, kind=kind)


# --- questions about the whole ------------------------------------------------------------------------


@implements(np.all)
def all(a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, *, where: Any = UNSET) -> Any:
    """Tell whether all elements along axes are true."""
    a = selected(condition_of(a), where, True)
    return deliver(p.all_(a, axis=ufunc_axes(axis, len(a.shape)), keepdims=flag(keepdims)), out, "all")


@implements(np.any)
def any(a: Any, axis: Any = None, out: Any = None, keepdims: Any = UNSET, *, where: Any = UNSET) -> Any:
    """Tell whether any element along axes is true."""
    a = selected(condition_of(a), where, False)
    return deliver(p.any_(a, axis=ufunc_axes(axis, len(a.shape)), keepdims=flag(keepdims)), out, "any")


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Count the elements that are not zero."""
    a = as_array(a)
    return p.count_nonzero(a, axis=ufunc_axes(axis, len(a.shape)), keepdims=bool(keepdims))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    """Tell whether two arrays agree to tolerances everywhere."""
    return bool(concrete(all(isclose(a, b, rtol, atol, equal_nan))))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Tell whether two arrays have the same shape and elements."""
    a1, a2 = as_array(a1), as_array(a2)
    return bool(a1.shape == a2.shape and _equal(a1, a2, equal_nan))


def _equal(a1: Any, a2: Any, equal_nan: bool) -> bool:
    same = equal(a1, a2)
    if equal_nan:
        same = same | (not_equal(a1, a1) & not_equal(a2, a2))
    return bool(concrete(all(same)))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    """Tell whether two arrays broadcast against each other and are then equal."""
    a1, a2 = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return _equal(a1, a2, False)


# --- positions ----------------------------------------------------------------------------------------


def _position(of: Any, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    a = as_array(a)
    kept = flag(keepdims)
    if not a.shape and axis in (0, -1):
        axis = None
    if axis is not None:
        return deliver(of(a, axis=axis_of(axis, len(a.shape)), keepdims=kept), out, of.__name__)
    flat = reshape(a, shape=(size(a),))
    result = of(flat, axis=0, keepdims=False)
    return deliver(reshape(result, shape=(1,) * len(a.shape)) if kept else result, out, of.__name__)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = UNSET) -> Any:
    """Return where the maximum is."""
    return _position(p.argmax, a, axis, out, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = UNSET) -> Any:
    """Return where the minimum is."""
    return _position(p.argmin, a, axis, out, keepdims)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = UNSET) -> Any:
    """Return where the maximum is, NaN left out."""
    return _position(p.nanargmax, a, axis, out, keepdims)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = UNSET) -> Any:
    """Return where the minimum is, NaN left out."""
    return _position(p.nanargmin, a, axis, out, keepdims)


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[Any, ...]:
    """Return where the elements are not zero."""
    return np.nonzero(plain(condition_of(a)))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """Return where the elements of the flattened array are not zero."""
    return np.flatnonzero(plain(condition_of(a)))


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    """Return the indices of the elements that are not zero, one row each."""
    return np.argwhere(plain(condition_of(a)))


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where values would go into a sorted array."""
    a, v = as_array(a), as_array(v)
    if len(a.shape) != 1:
        raise ValueError("object of too small depth for desired array" if not a.shape else "a must be 1-D")
    if sorter is not None:
        a = read(a, (as_array(sorter),))
    return p.searchsorted(a, v, side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Return the numbers of the bins that values belong to."""
    x, bins = as_array(x), as_array(bins)
    if x.dtype.kind == "c":
        raise TypeError("x may not be complex")
    edges = plain(bins)
    rising, falling = np.all(edges[1:] >= edges[:-1]), np.all(edges[1:] <= edges[:-1])
    if not (rising or falling):
        raise ValueError("bins must be monotonically increasing or decreasing")
    if rising:
        return p.searchsorted(bins, x, side="left" if right else "right")
    return len(edges) - p.searchsorted(bins[::-1], x, side="right" if right else "left")


# --- text ---------------------------------------------------------------------------------------------


@implements(np.array2string)
def array2string(a: Any, *args: Any, **kwargs: Any) -> str:
    """Print the values."""
    return np.array2string(np.asarray(innermost(a)), *args, **kwargs)


@implements(np.array_str)
def array_str(a: Any, *args: Any, **kwargs: Any) -> str:
    """Print the values."""
    return np.array_str(np.asarray(innermost(a)), *args, **kwargs)


@implements(np.array_repr)
def array_repr(arr: Any, *args: Any, **kwargs: Any) -> str:
    """Print the traced array."""
    return repr(arr)


# --- index arrays from the shape ------------------------------------------------------------------------


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Return indices of the lower triangle of a matrix."""
    return np.tril_indices_from(_blank(arr), k)


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Return indices of the upper triangle of a matrix."""
    return np.triu_indices_from(_blank(arr), k)


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """Return indices of the diagonal of a square array."""
    return np.diag_indices_from(_blank(arr))


def _blank(x: Any) -> Any:
    return np.broadcast_to(np.float64(0), as_array(x).shape)
