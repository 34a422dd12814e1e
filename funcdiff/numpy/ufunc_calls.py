"""Calls of ufuncs with keywords: ``out=``, ``where=``, ``dtype=``, ``casting=``; SciPy's learnt on first sight."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.primitive import Function
from funcdiff.core.recording import ASK_FOR_NDARRAYS, TracedArray, is_scalar_value
from funcdiff.numpy import _protocol
from funcdiff.numpy._arguments import as_array, plain_write, to_dtype, unsupported_keyword
from funcdiff.primitives.selection import where as choose
from funcdiff.primitives.shape import broadcast_to


def function_of(ufunc: np.ufunc) -> Function:
    """Return what a ufunc means for traced arrays; SciPy's are learnt on first sight."""
    function = _protocol.UFUNCS.get(ufunc)
    if function is None and "scipy.special" in sys.modules:
        from funcdiff.primitives import special

        _protocol.collect_ufuncs()
        _protocol.UFUNCS.update(special.UFUNCS)
        function = _protocol.UFUNCS.get(ufunc)
    if function is None:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"{name_of(ufunc)} cannot take a traced array: funcdiff has no derivative rule for it yet. Write it "
                "with functions that have one (see funcdiff.numpy and funcdiff.scipy), give it a rule with "
                "fd.custom_jvp or fd.custom_vjp, or take the plain value with fd.stop_gradient(x) where no "
                "derivative is wanted."
            )
        )
    return function


def name_of(ufunc: np.ufunc) -> str:
    """Name a ufunc with its module."""
    name = ufunc.__name__
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is ufunc:
            return f"{module}.{name}"
    return name


# --- calls with keywords ---------------------------------------------------------------------------


def call(
    ufunc: np.ufunc,
    args: tuple[Any, ...],
    *,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: Any = "same_kind",
    order: str = "K",
    subok: bool = True,
    signature: Any = None,
    sig: Any = None,
    **generalized: Any,
) -> Any:
    """Answer ``np.add(x, y, out=z, where=mask, dtype=…)``; `order` and `subok` do not matter here."""
    del order, subok
    function = function_of(ufunc)
    name = name_of(ufunc)
    if signature is not None or sig is not None:
        raise unsupported_keyword(name, "signature=", "Name the type with dtype=, or convert the arguments.")
    if generalized and ufunc.signature is None:
        raise TypeError(
            errors.at_user_line(f"{name}() got an unexpected keyword argument {next(iter(generalized))!r}")
        )
    outs = (None,) * ufunc.nout if out is None else out if isinstance(out, tuple) else (out,)
    args = tuple(as_array(a) if isinstance(a, (list, tuple, np.ndarray)) else a for a in args)
    if dtype is not None:
        args = _converted(ufunc, args, np.dtype(dtype), casting)
    if where is True:
        result = function(*args, **generalized)
    else:
        if any(o is None for o in outs):
            raise unsupported_keyword(
                name, "where= without out=", f"Write np.where(mask, {name}(…), other), or pass out=."
            )
        where = as_array(where)
        with np.errstate(all="ignore"):  # NumPy would not have computed the elements left out
            result = function(*args, **generalized)
    results = result if isinstance(result, tuple) else (result,)
    stored = tuple(
        store(_typed(r, dtype), o, where, casting, name) for r, o in zip(results, outs, strict=True)
    )
    return stored if ufunc.nout > 1 else stored[0]


def _converted(ufunc: np.ufunc, args: tuple[Any, ...], dtype: np.dtype[Any], casting: Any) -> tuple[Any, ...]:
    """Convert the arguments, so that the operation is carried out in `dtype`."""
    if dtype.kind not in "fc":
        return args
    converted = []
    for n, a in enumerate(args):
        if not hasattr(a, "dtype") or (ufunc is np.ldexp and n == 1):
            converted.append(a)
            continue
        if not np.can_cast(a.dtype, dtype, casting):
            raise errors.DtypeError(
                errors.at_user_line(
                    f"{name_of(ufunc)}: cannot cast argument {n} from {a.dtype} to {dtype} with casting rule {casting!r}"
                )
            )
        converted.append(to_dtype(a, dtype))
    return tuple(converted)


def _typed(result: Any, dtype: Any) -> Any:
    if dtype is None or result.dtype.kind not in "fc" or np.dtype(dtype).kind not in "fc":
        return result
    return to_dtype(result, dtype)


def _asked_by_numpy() -> bool:
    """Tell whether NumPy's own Python code made the call, and not the user's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("funcdiff"):
        frame = frame.f_back
    return frame.f_globals.get("__name__") in ASK_FOR_NDARRAYS


def store(result: Any, out: Any, where: Any, casting: Any, name: str) -> Any:
    """Write a result into ``out=`` if there is one, with NumPy's checks, and return it."""
    if out is None:
        return result
    if type(out) is not TracedArray:
        if type(result) is TracedArray and out.dtype.hasobject and where is True:
            # an object array, which NumPy made of traced values, keeps them
            out[...] = _protocol.as_ndarray(broadcast_to(result, shape=out.shape))
            return out
        if type(result) is TracedArray or type(where) is TracedArray:
            raise plain_write(f"{name}(..., out=...)")
        np.copyto(out, result, where=where, casting=casting)
        return out
    mask_shape = () if where is True else where.shape
    if np.broadcast_shapes(result.shape, mask_shape, out.shape) != out.shape:
        raise ValueError(
            errors.at_user_line(
                f"{name}: non-broadcastable output operand with shape {out.shape} doesn't match the result of "
                f"shape {result.shape}"
            )
        )
    if not np.can_cast(result.dtype, out.dtype, casting):
        raise errors.DtypeError(
            errors.at_user_line(
                f"{name}: cannot cast the result from {result.dtype} to {out.dtype} with casting rule {casting!r}"
            )
        )
    value = result if where is True else choose(where, result, out)
    if is_scalar_value(out) and _asked_by_numpy():
        return value  # NumPy's mean and var of object arrays take an element for an array, and use what is returned
    out[...] = to_dtype(value, out.dtype)  # type: ignore[index]
    return out
