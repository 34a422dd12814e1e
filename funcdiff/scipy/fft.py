"""`scipy.fft`, differentiable; plain ``scipy.fft.fft(x)`` reaches it too, by SciPy's backends.

Names and signatures are SciPy's.  `workers` and `overwrite_x` are accepted and have no effect on traced arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft as sf
from scipy.fft import (
    fftfreq,
    fhtoffset,
    get_workers,
    next_fast_len,
    prev_fast_len,
    register_backend,
    rfftfreq,
    set_backend,
    set_global_backend,
    set_workers,
    skip_backend,
)

from funcdiff.numpy import fft as _np
from funcdiff.numpy._arguments import as_array, axis_of, unsupported_keyword
from funcdiff.primitives import trigonometric_transforms as _trigonometric
from funcdiff.primitives.fft import OTHER, fitted
from funcdiff.primitives.product import conjugate
from funcdiff.scipy._protocol import follows, inexact, plain

Transform = Callable[..., Any]

# --- Fourier transforms, as NumPy's ---------------------------------------------------------------------


def _input(x: Any, plan: Any) -> Any:
    if plan is not None:
        raise NotImplementedError("Passing a precomputed plan is not yet supported by scipy.fft functions")
    return inexact(x)


def _lengths(s: Any) -> Any:
    return (s,) if isinstance(s, (int, np.integer)) else s


def _axes(axes: Any, rank: int) -> Any:
    """Return axes as a sequence without repeats, or None."""
    if axes is None:
        return None
    found = [axis_of(axis, rank) for axis in _lengths(axes)]
    if len(set(found)) != len(found):
        raise ValueError("all axes must be unique")
    return found


def _along(original: Any, transform: Transform) -> Any:
    """Return the transform along one axis with SciPy's signature."""

    @follows(original)
    def function(
        x: Any,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        plan: Any = None,
    ) -> Any:
        del overwrite_x, workers
        return transform(_input(x, plan), n, axis, norm)

    return _named(function, original)


def _over(original: Any, transform: Transform, default: tuple[int, ...] | None) -> Any:
    """Return the transform over several axes with SciPy's signature."""

    @follows(original)
    def function(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        plan: Any = None,
    ) -> Any:
        del overwrite_x, workers
        x = _input(x, plan)
        return transform(x, _lengths(s), _axes(axes, len(x.shape)), norm)

    return _named(function, original)


def _named(function: Any, original: Any) -> Any:
    function.__name__ = function.__qualname__ = original.__name__
    function.__doc__ = f"As `scipy.fft.{original.__name__}`, differentiable."
    return function


def _hfftn(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return _np.irfftn(conjugate(x), s, axes, OTHER[norm or "backward"])


def _ihfftn(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return conjugate(_np.rfftn(x, s, axes, OTHER[norm or "backward"]))


fft = _along(sf.fft, _np.fft)
ifft = _along(sf.ifft, _np.ifft)
rfft = _along(sf.rfft, _np.rfft)
irfft = _along(sf.irfft, _np.irfft)
hfft = _along(sf.hfft, _np.hfft)
ihfft = _along(sf.ihfft, _np.ihfft)
fft2 = _over(sf.fft2, _np.fftn, (-2, -1))
ifft2 = _over(sf.ifft2, _np.ifftn, (-2, -1))
rfft2 = _over(sf.rfft2, _np.rfftn, (-2, -1))
irfft2 = _over(sf.irfft2, _np.irfftn, (-2, -1))
hfft2 = _over(sf.hfft2, _hfftn, (-2, -1))
ihfft2 = _over(sf.ihfft2, _ihfftn, (-2, -1))
fftn = _over(sf.fftn, _np.fftn, None)
ifftn = _over(sf.ifftn, _np.ifftn, None)
rfftn = _over(sf.rfftn, _np.rfftn, None)
irfftn = _over(sf.irfftn, _np.irfftn, None)
hfftn = _over(sf.hfftn, _hfftn, None)
ihfftn = _over(sf.ihfftn, _ihfftn, None)


@follows(sf.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Shift frequency zero to the middle."""
    return _np.fftshift(as_array(x), axes)


@follows(sf.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Shift frequency zero back to the front."""
    return _np.ifftshift(as_array(x), axes)


# --- cosine and sine transforms ---------------------------------------------------------------------------


def _settings(type: int, norm: str | None, orthogonalize: bool | None, inverse: bool) -> dict[str, Any]:
    """Return type, norm and orthogonality; the inverse is the transposed type with the other norm."""
    if type not in _trigonometric.TURNED:
        raise ValueError(f"invalid type {type}: there are types 1 to 4")
    norm = norm or "backward"
    if norm not in OTHER:
        raise ValueError(f'Invalid norm value {norm!r}, should be "backward", "ortho" or "forward"')
    return {
        "type": _trigonometric.TURNED[type] if inverse else type,
        "norm": OTHER[norm] if inverse else norm,
        "orthogonalize": norm == "ortho" if orthogonalize is None else bool(orthogonalize),
    }


def _fit_and(transform: Transform, x: Any, n: Any, axis: int, settings: dict[str, Any]) -> Any:
    n = x.shape[axis] if n is None else int(n)
    if n < 1:
        raise ValueError(f"invalid number of data points ({n}) specified")
    return transform(fitted(x, n, axis), n=n, axis=axis, **settings)


def _real_along(original: Any, transform: Transform, inverse: bool) -> Any:
    @follows(original)
    def function(
        x: Any,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        del overwrite_x, workers
        x = inexact(x)
        settings = _settings(type, norm, orthogonalize, inverse)
        return _fit_and(transform, x, n, axis_of(axis, len(x.shape)), settings)

    return _named(function, original)


def _real_over(original: Any, transform: Transform, inverse: bool) -> Any:
    @follows(original)
    def function(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        del overwrite_x, workers
        x = inexact(x)
        settings = _settings(type, norm, orthogonalize, inverse)
        for n, axis in _np.lengths_and_axes(x, _lengths(s), _axes(axes, len(x.shape))):
            x = _fit_and(transform, x, n, axis, settings)
        return x

    return _named(function, original)


dct = _real_along(sf.dct, _trigonometric.dct, False)
idct = _real_along(sf.idct, _trigonometric.dct, True)
dst = _real_along(sf.dst, _trigonometric.dst, False)
idst = _real_along(sf.idst, _trigonometric.dst, True)
dctn = _real_over(sf.dctn, _trigonometric.dct, False)
idctn = _real_over(sf.idctn, _trigonometric.dct, True)
dstn = _real_over(sf.dstn, _trigonometric.dst, False)
idstn = _real_over(sf.idstn, _trigonometric.dst, True)

# --- Hankel transforms ------------------------------------------------------------------------------------


def _hankel(transform: Transform, a: Any, **settings: Any) -> Any:
    for name, value in settings.items():
        if not plain(value):
            raise unsupported_keyword(
                "scipy.fft.fht",
                f"a traced {name}",
                "It is differentiable in the array alone: take fd.stop_gradient of the setting, or fd.numerical.",
            )
    return transform(inexact(a), **{name: float(value) for name, value in settings.items()})


@follows(sf.fht)
def fht(a: Any, dln: float, mu: float, offset: float = 0.0, bias: float = 0.0) -> Any:
    """Fast Hankel transform of an array, in which it is linear."""
    return _hankel(_trigonometric.fht, a, dln=dln, mu=mu, offset=offset, bias=bias)


@follows(sf.ifht)
def ifht(A: Any, dln: float, mu: float, offset: float = 0.0, bias: float = 0.0) -> Any:
    """Inverse fast Hankel transform of an array, in which it is linear."""
    return _hankel(_trigonometric.ifht, A, dln=dln, mu=mu, offset=offset, bias=bias)


__all__ = [
    "dct",
    "dctn",
    "dst",
    "dstn",
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "fht",
    "fhtoffset",
    "get_workers",
    "hfft",
    "hfft2",
    "hfftn",
    "idct",
    "idctn",
    "idst",
    "idstn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ifht",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "next_fast_len",
    "prev_fast_len",
    "register_backend",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
    "set_backend",
    "set_global_backend",
    "set_workers",
    "skip_backend",
]
