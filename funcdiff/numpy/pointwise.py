"""Functions of each element that are not ufuncs: complex parts, rounding, replacing NaN, sinc."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.mutation import link_view
from funcdiff.core.recording import TracedArray, concrete, is_scalar_value
from funcdiff.numpy._arguments import as_array, deliver, to_dtype
from funcdiff.numpy._deprecated import warn_as_numpy
from funcdiff.numpy._protocol import implements
from funcdiff.primitives import elementwise as e
from funcdiff.primitives import queries, shape
from funcdiff.primitives.comparison import isnan, trunc
from funcdiff.primitives.selection import where


@implements(np.real)
def real(val: Any) -> Any:
    """Return the real part; of a real array, the array itself."""
    val = as_array(val)
    if val.dtype.kind != "c":
        return val
    out = shape.real(val)
    return link_view(val, out, (shape.real, {})) if type(val) is TracedArray else out


@implements(np.imag)
def imag(val: Any) -> Any:
    """Return the imaginary part; of a real array, zeros."""
    val = as_array(val)
    if val.dtype.kind != "c":
        zeros = np.zeros(val.shape, val.dtype)
        return zeros[()] if is_scalar_value(val) else zeros
    out = shape.imag(val)
    return link_view(val, out, (shape.imag, {})) if type(val) is TracedArray else out


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Return the angle of complex numbers; its derivative at zero is zero."""
    z = as_array(z)
    out = e.arctan2(shape.imag(z), shape.real(z)) if z.dtype.kind == "c" else e.arctan2(0.0, z)
    return out * (180 / np.pi) if deg else out


@implements(np.real_if_close)
def real_if_close(a: Any, tol: Any = 100) -> Any:
    """Return the real part if, by their values, all imaginary parts are close to zero."""
    a = as_array(a)
    if a.dtype.kind != "c":
        return a
    if tol > 1:
        tol = np.finfo(a.dtype.type).eps * tol
    return shape.real(a) if bool(np.all(concrete(np.abs(shape.imag(a)) < tol))) else a


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Replace NaN and infinities; what is replaced has no derivative."""
    x = as_array(x)
    if x.dtype.kind == "c":
        parts = (_finite(shape.real(x), nan, posinf, neginf), _finite(shape.imag(x), nan, posinf, neginf))
        out = parts[0] + 1j * parts[1]
    elif x.dtype.kind == "f":
        out = _finite(x, nan, posinf, neginf)
    else:
        out = shape.copy(x)
    if not copy and type(x) is TracedArray and x.shape:
        x[...] = out  # type: ignore[index]
        return x
    return out


def _finite(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    limits = np.finfo(x.dtype)
    x = where(isnan(x), nan, x)
    x = where(np.equal(x, np.inf), float(limits.max) if posinf is None else posinf, x)
    return where(np.equal(x, -np.inf), float(limits.min) if neginf is None else neginf, x)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Round to decimals; the derivative is zero."""
    return deliver(queries.round_(as_array(a), decimals=decimals.__index__()), out, "round")


around = round


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """Round towards zero; the derivative is zero."""
    warn_as_numpy(np.fix, ())
    return deliver(trunc(as_array(x)), out, "fix")


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """Return sin(πx)/(πx), one at zero; its derivative there is zero."""
    return e.sinc(as_array(x), order=0)


@implements(np.i0)
def i0(x: Any) -> Any:
    """Modified Bessel function of order 0."""
    from funcdiff.primitives.special.bessel import i0 as bessel_i0  # imports scipy.special

    x = as_array(x)
    if x.dtype.kind == "c":
        raise TypeError("i0 not supported for complex values")
    return bessel_i0(to_dtype(x, np.float64) if x.dtype.kind != "f" else x)


def kaiser(M: Any, beta: Any) -> Any:
    """Kaiser window, differentiable in its shape parameter."""
    if type(beta) is not TracedArray:
        return np.kaiser(M, beta)
    if M == 1:
        return np.ones(1)
    middle = (M - 1) / 2.0
    arch = np.sqrt(1 - ((np.arange(0, M) - middle) / middle) ** 2.0)
    return i0(beta * arch) / i0(beta)
