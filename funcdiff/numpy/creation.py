"""Making arrays.

An array made with a traced prototype (``zeros_like(x)``, ``np.zeros(n, like=x)``) is a constant of its
recorder; ``fd.numpy.zeros(n)`` is a free buffer.  Traced values can be written into both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.free import buffer
from funcdiff.core.mutation import constant_buffer
from funcdiff.core.objects import stack_objects
from funcdiff.core.recording import Recorder, TracedArray, innermost
from funcdiff.numpy._arguments import as_array, check_device, example_of, no_scalar, shape_of, to_dtype
from funcdiff.numpy._protocol import CREATION, has_traced, implements
from funcdiff.primitives.shape import broadcast_to, reshape, stack
from funcdiff.primitives.shape import copy as copy_of

# --- from values --------------------------------------------------------------------------------------


def assembled(x: Any) -> Any:
    """Stack nested sequences of traced and plain values."""
    if type(x) is TracedArray:
        return x
    if isinstance(x, (list, tuple)):
        if not has_traced(x):
            return np.asarray(x)
        parts = [assembled(i) for i in x]
        shapes = [p.shape for p in parts]
        if any(s != shapes[0] for s in shapes):
            raise ValueError(
                "setting an array element with a sequence. The requested array has an inhomogeneous shape: "
                f"its parts have the shapes {sorted(set(shapes))}."
            )
        return stack(*parts, axis=0)
    if isinstance(x, np.ndarray):
        return stack_objects(x)
    return np.asarray(x)


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
    like: Any = None,
) -> Any:
    """Make an array of (nested sequences of) numbers and traced arrays."""
    if not has_traced(object):
        limits = {"ndmin": ndmin, "ndmax": ndmax} if ndmax else {"ndmin": ndmin}
        made = np.array(object, dtype, copy=copy, order=order, subok=subok, **limits)  # type: ignore[call-overload]
        return made if made is object else writable(made, like)
    out = to_dtype(assembled(object), dtype)
    if out is object and copy:
        out = copy_of(out, order=order or "K")
    if len(out.shape) < ndmin:
        out = reshape(out, shape=(1,) * (ndmin - len(out.shape)) + out.shape)
    return out


def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Any:
    """Make an array, without a copy where the argument is one."""
    check_device(device)
    if not has_traced(a):
        return _as_like(np.asarray(a, dtype, order, device=device, copy=copy), like)
    out = no_scalar(array(a, dtype, copy=copy))
    if copy is False and out is not a:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return out


def asanyarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Any:
    """Make an array, subclasses passing through."""
    check_device(device)
    if not has_traced(a):
        return _as_like(np.asanyarray(a, dtype, order, device=device, copy=copy), like)
    return asarray(a, dtype, order, copy=copy)


def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """Make an array, refusing NaN and infinity."""
    a = asarray(a, dtype, order)
    if a.dtype.kind in "fc" and not np.all(np.isfinite(innermost(a))):
        raise ValueError("array must not contain infs or NaNs")
    return a


def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """Make an array of at least one dimension; the layout of a traced array is its own business."""
    if not has_traced(a):
        return _as_like(np.ascontiguousarray(a, dtype), like)
    a = asarray(a, dtype)
    return a if a.shape else reshape(a, shape=(1,))


def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """Make an array of at least one dimension; the layout of a traced array is its own business."""
    if not has_traced(a):
        return _as_like(np.asfortranarray(a, dtype), like)
    return ascontiguousarray(a, dtype)


def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """Make an array of a dtype; requirements on its layout are met by plain arrays only."""
    if not has_traced(a):
        return _as_like(np.require(a, dtype, requirements), like)
    return asarray(a, dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Take an array of another library by DLPack; a traced one is itself."""
    if type(x) is not TracedArray:
        return np.from_dlpack(x, device=device, copy=copy)
    check_device(device)
    return copy_of(x) if copy else x


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """Copy an array."""
    return copy_of(as_array(a), order=order)


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Convert to a dtype; to an integer one without derivative."""
    check_device(device)
    out = to_dtype(x, dtype)
    return copy_of(out) if out is x and copy else no_scalar(out)


# --- filled -------------------------------------------------------------------------------------------


def _recorder_for(prototype: TracedArray, dtype: np.dtype[Any]) -> Recorder | None:
    """Return the recorder that a constant belongs to; integers only to one that keeps integers."""
    x: Any = prototype
    while type(x) is TracedArray:
        if dtype.kind in "fc" or x.recorder.batch or x.recorder.program:
            return x.recorder
        x = x.value
    return None


def writable(plain: Any, like: Any = None) -> Any:
    """Make a new plain array one that traced values can be written into: free, or as ``like=`` asks."""
    if type(like) is not TracedArray:
        return buffer(plain)
    _ = like.shape  # refuses a prototype that outlived its transform
    recorder = _recorder_for(like, plain.dtype)
    return plain if recorder is None else constant_buffer(plain, recorder)


def _as_like(plain: Any, like: Any) -> Any:
    """Do so only where ``like=`` asks: the array may be the caller's own."""
    return plain if like is None else writable(plain, like)


def zeros(shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None) -> Any:
    """Return zeros that traced values can be written into."""
    check_device(device)
    return writable(np.zeros(shape_of(shape), dtype or float, order), like)


def ones(shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None) -> Any:
    """Return ones that traced values can be written into."""
    check_device(device)
    return writable(np.ones(shape_of(shape), dtype, order), like)


def empty(shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None) -> Any:
    """Return an array, not filled with anything, that traced values can be written into."""
    check_device(device)
    return writable(np.empty(shape_of(shape), dtype or float, order), like)


def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """Return an array filled with a value, which may be traced."""
    check_device(device)
    if has_traced(fill_value):
        fill_value = to_dtype(as_array(fill_value), dtype)
        return copy_of(broadcast_to(fill_value, shape=shape_of(shape)))
    return writable(np.full(shape_of(shape), fill_value, dtype, order), like)


def _shaped_like(a: Any, dtype: Any, shape: Any) -> tuple[tuple[int, ...], Any]:
    return a.shape if shape is None else shape_of(shape), a.dtype if dtype is None else np.dtype(dtype)


def _prototype(a: Any) -> tuple[Any, Any]:
    """Return the plain array whose layout NumPy's ``..._like`` functions follow, and what to be like."""
    a = as_array(a)
    return (example_of(a), a) if type(a) is TracedArray else (a, None)


def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Return zeros of the shape and dtype of an array, ready to be written into."""
    check_device(device)
    plain, like = _prototype(a)
    return writable(np.zeros_like(plain, dtype, order, False, shape), like)  # type: ignore[call-overload]


def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Return ones of the shape and dtype of an array, ready to be written into."""
    check_device(device)
    plain, like = _prototype(a)
    return writable(np.ones_like(plain, dtype, order, False, shape), like)  # type: ignore[call-overload]


def empty_like(
    prototype: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Return an array of the shape and dtype of another, not filled with anything."""
    check_device(device)
    plain, like = _prototype(prototype)
    return writable(np.empty_like(plain, dtype, order, False, shape), like)  # type: ignore[call-overload]


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Return an array of the shape and dtype of another filled with a value, which may be traced."""
    check_device(device)
    if has_traced(fill_value):
        new, kind = _shaped_like(as_array(a), dtype, shape)
        return copy_of(broadcast_to(to_dtype(as_array(fill_value), kind), shape=new))
    plain, like = _prototype(a)
    return writable(np.full_like(plain, fill_value, dtype, order, False, shape), like)  # type: ignore[call-overload]


implements(np.zeros_like)(zeros_like)
implements(np.ones_like)(ones_like)
implements(np.empty_like)(empty_like)
implements(np.full_like)(full_like)


def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = float,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """Return a matrix with ones on a diagonal."""
    check_device(device)
    return writable(np.eye(N, M, k, dtype, order), like)


def identity(n: int, dtype: Any = None, *, like: Any = None) -> Any:
    """Return the identity matrix."""
    return writable(np.identity(n, dtype), like)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float, *, like: Any = None) -> Any:
    """Return a matrix with ones at and below a diagonal."""
    return writable(np.tri(N, M, k, dtype), like)


def fromfunction(function: Any, shape: Any, *, dtype: Any = float, like: Any = None, **kwargs: Any) -> Any:
    """Return what a function makes of the coordinates of each element."""
    result = np.fromfunction(function, shape, dtype=dtype, **kwargs)
    return result if type(result) is TracedArray else writable(result, like)


CREATION.update(
    {
        np.array: array,
        np.asanyarray: asanyarray,
        np.asarray: asarray,
        np.ascontiguousarray: ascontiguousarray,
        np.asfortranarray: asfortranarray,
        np.empty: empty,
        np.eye: eye,
        np.fromfunction: fromfunction,
        np.full: full,
        np.identity: identity,
        np.ones: ones,
        np.require: require,
        np.tri: tri,
        np.zeros: zeros,
    }
)
