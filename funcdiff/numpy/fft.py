"""`numpy.fft`, differentiable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.numpy._arguments import as_array, axis_of, deliver, to_dtype
from funcdiff.numpy._protocol import implements
from funcdiff.numpy.rearranging import roll
from funcdiff.primitives import fft as p
from funcdiff.primitives.shape import conj

# --- along one axis -------------------------------------------------------------------------------------


def _norm(norm: str | None) -> str:
    norm = norm or "backward"
    if norm not in p.OTHER:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return norm


def _points(n: Any) -> int:
    points = int(n)
    if points < 1:
        raise ValueError(f"Invalid number of FFT data points ({points}) specified.")
    return points


def _along(transform: Callable[..., Any], a: Any, n: Any, axis: Any, norm: Any) -> Any:
    """Transform along one axis, with as many points as there are unless `n` says otherwise."""
    a = as_array(a)
    if a.dtype.kind in "biu":
        a = to_dtype(a, np.float64)
    if transform is p.rfft and a.dtype.kind == "c":
        raise TypeError(
            "rfft takes real arrays: ufunc 'rfft_n_even' did not contain a loop with signature complex"
        )
    axis = axis_of(axis, len(a.shape))
    if n is None:
        n = a.shape[axis] if transform is not p.irfft else 2 * (a.shape[axis] - 1)
    return transform(a, n=_points(n), axis=axis, norm=_norm(norm))


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform along an axis."""
    return deliver(_along(p.fft, a, n, axis, norm), out, "np.fft.fft")


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Inverse discrete Fourier transform along an axis."""
    return deliver(_along(p.ifft, a, n, axis, norm), out, "np.fft.ifft")


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform of a real array along an axis: its first half."""
    return deliver(_along(p.rfft, a, n, axis, norm), out, "np.fft.rfft")


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Real array of `n` points from the first half of its transform."""
    return deliver(_along(p.irfft, a, n, axis, norm), out, "np.fft.irfft")


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Real transform of a signal with Hermitian symmetry, given by its first half."""
    return deliver(_along(p.irfft, conj(as_array(a)), n, axis, p.OTHER[_norm(norm)]), out, "np.fft.hfft")


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """First half of the inverse transform of a real array."""
    return deliver(conj(_along(p.rfft, a, n, axis, p.OTHER[_norm(norm)])), out, "np.fft.ihfft")


# --- over several axes ----------------------------------------------------------------------------------


def lengths_and_axes(a: Any, s: Any, axes: Any, half: bool | None = None) -> list[tuple[int, int]]:
    """Return pairs of length and axis; with `half`, the last axis holds half a spectrum (None: none does)."""
    rank = len(a.shape)
    if axes is None:
        axes = range(rank) if s is None else range(-len(s), 0)
    axes = [axis_of(axis, rank) for axis in axes]
    if not axes and half is not None:
        raise IndexError("at least one axis must be transformed")
    full = s is None
    if full:
        s = [a.shape[axis] for axis in axes]
    if len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    lengths = [a.shape[axis] if n == -1 else n for n, axis in zip(s, axes, strict=True)]
    if half and full and axes:
        lengths[-1] = (a.shape[axes[-1]] - 1) * 2
    return list(zip(lengths, axes, strict=True))


def _over(transform: Callable[..., Any], a: Any, pairs: list[tuple[int, int]], norm: Any) -> Any:
    for n, axis in reversed(pairs):
        a = _along(transform, a, n, axis, norm)
    return a


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform over several axes."""
    a = as_array(a)
    return deliver(_over(p.fft, a, lengths_and_axes(a, s, axes), norm), out, "np.fft.fftn")


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Inverse discrete Fourier transform over several axes."""
    a = as_array(a)
    return deliver(_over(p.ifft, a, lengths_and_axes(a, s, axes), norm), out, "np.fft.ifftn")


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform of a real array over several axes: half of the last one."""
    a = as_array(a)
    *outer, last = lengths_and_axes(a, s, axes, half=False)
    return deliver(_over(p.fft, _over(p.rfft, a, [last], norm), outer, norm), out, "np.fft.rfftn")


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Real array from its transform over several axes, of which the last one is a half."""
    a = as_array(a)
    *outer, last = lengths_and_axes(a, s, axes, half=True)
    return deliver(_over(p.irfft, _over(p.ifft, a, outer[::-1], norm), [last], norm), out, "np.fft.irfftn")


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform over two axes."""
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Inverse discrete Fourier transform over two axes."""
    return ifftn(a, s, axes, norm, out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Discrete Fourier transform of a real array over two axes."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Real array from its transform over two axes."""
    return irfftn(a, s, axes, norm, out)


# --- order of frequencies -------------------------------------------------------------------------------


def _shifts(x: Any, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rank = len(x.shape)
    if axes is None:
        axes = range(rank)
    elif not isinstance(axes, (tuple, list)):
        axes = (axes,)
    axes = tuple(axis_of(axis, rank) for axis in axes)
    return tuple(x.shape[axis] // 2 for axis in axes), axes


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Move frequency zero to the middle."""
    x = as_array(x)
    shifts, axes = _shifts(x, axes)
    return roll(x, shifts, axes)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Move frequency zero from the middle to the front."""
    x = as_array(x)
    shifts, axes = _shifts(x, axes)
    return roll(x, tuple(-n for n in shifts), axes)


def fftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
    """Return the frequencies of a Fourier transform.  `dtype` is the Array API's."""
    return to_dtype(np.fft.fftfreq(n, d, device), dtype)


def rfftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
    """Return the frequencies of a Fourier transform of real input.  `dtype` is the Array API's."""
    return to_dtype(np.fft.rfftfreq(n, d, device), dtype)


__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]
