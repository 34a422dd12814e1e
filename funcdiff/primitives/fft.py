"""Discrete Fourier transforms along one axis; transforms over several axes are made of these.

With w = exp(-2πi/n), ``fft`` is y_k = c Σ_j x_j w^(jk): a symmetric matrix, so it is its own transpose.
The half spectra of real transforms weigh differently: ``rfft`` keeps each frequency once, ``irfft`` reads
all but the first and (for even n) the last one twice.  Under the pairing Re(g t) the transpose of either
is therefore the other one, conjugated, with those weights and the norm of the other direction.
Shorter and longer `n` cut and pad with zeros, each the other's transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.declare import linear
from funcdiff.core.primitive import Function
from funcdiff.primitives.arithmetic import multiply
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import concatenate, conj

OTHER = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm that gives the transform of the other direction the same factor."""


def fitted(g: Any, length: int, axis: int) -> Any:
    """Cut or pad with zeros along an axis."""
    found = g.shape[axis]
    if found > length:
        return getitem(g, index=(slice(None),) * axis + (slice(length),))
    if found < length:
        zeros = np.zeros((*g.shape[:axis], length - found, *g.shape[axis + 1 :]), g.dtype)
        return concatenate(g, zeros, axis=axis)
    return g


def _weights(g: Any, n: int, axis: int, inner: float) -> Any:
    """Return 1 for the frequencies that are their own mirror images, `inner` for the others."""
    w = np.full(n // 2 + 1, inner, g.dtype.type(0).real.dtype)
    w[0] = 1
    if n % 2 == 0:
        w[-1] = 1
    return w.reshape(-1, *(1,) * (len(g.shape) - axis - 1))


def _fft(x: Any, *, n: int, axis: int, norm: Any) -> Any:
    return np.fft.fft(x, n, axis, norm)


def _ifft(x: Any, *, n: int, axis: int, norm: Any) -> Any:
    return np.fft.ifft(x, n, axis, norm)


def _rfft(x: Any, *, n: int, axis: int, norm: Any) -> Any:
    return np.fft.rfft(x, n, axis, norm)


def _irfft(x: Any, *, n: int, axis: int, norm: Any) -> Any:
    return np.fft.irfft(x, n, axis, norm)


def _rfft_transpose(g: Any, x: ArrayType, *, n: int, axis: int, norm: str) -> Any:
    back = irfft(multiply(conj(g), _weights(g, n, axis, 0.5)), n=n, axis=axis, norm=OTHER[norm])
    return fitted(back, x.shape[axis], axis)


def _irfft_transpose(g: Any, x: ArrayType, *, n: int, axis: int, norm: str) -> Any:
    spectrum = conj(rfft(g, n=n, axis=axis, norm=OTHER[norm]))
    return fitted(multiply(spectrum, _weights(g, n, axis, 2.0)), x.shape[axis], axis)


def _real_samples(rng: np.random.Generator) -> Any:
    return [
        ((rng.standard_normal(6),), {"n": 6, "axis": 0, "norm": "backward"}),
        ((rng.standard_normal((2, 5)),), {"n": 5, "axis": 1, "norm": "ortho"}),
        ((rng.standard_normal((4, 2)),), {"n": 7, "axis": 0, "norm": "forward"}),
        ((rng.standard_normal((2, 5, 1)),), {"n": 4, "axis": 1, "norm": "backward"}),
        ((rng.standard_normal(3),), {"n": 1, "axis": 0, "norm": "backward"}),
        ((rng.standard_normal(3),), {"n": 2, "axis": 0, "norm": "ortho"}),
    ]


def _complex_samples(rng: np.random.Generator) -> Any:
    shifted = [((x + 1j * rng.standard_normal(x.shape),), params) for (x,), params in _real_samples(rng)]
    return [*shifted, *_real_samples(rng)[:3]]


fft: Function = linear(
    _fft,
    lambda g, x, *, n, axis, norm: fitted(fft(g, n=n, axis=axis, norm=norm), x.shape[axis], axis),
    batch=lambda values, flags, size, *, n, axis, norm: fft(values[0], n=n, axis=axis + 1, norm=norm),
    name="fft",
    samples=_complex_samples,
    doc="Discrete Fourier transform along an axis, of `n` points.",
)
ifft: Function = linear(
    _ifft,
    lambda g, x, *, n, axis, norm: fitted(ifft(g, n=n, axis=axis, norm=norm), x.shape[axis], axis),
    batch=lambda values, flags, size, *, n, axis, norm: ifft(values[0], n=n, axis=axis + 1, norm=norm),
    name="ifft",
    samples=_complex_samples,
    doc="Inverse discrete Fourier transform along an axis, of `n` points.",
)
rfft: Function = linear(
    _rfft,
    _rfft_transpose,
    batch=lambda values, flags, size, *, n, axis, norm: rfft(values[0], n=n, axis=axis + 1, norm=norm),
    name="rfft",
    samples=_real_samples,
    doc="The frequencies 0 ... n // 2 of the transform of a real array.",
)
irfft: Function = linear(
    _irfft,
    _irfft_transpose,
    batch=lambda values, flags, size, *, n, axis, norm: irfft(values[0], n=n, axis=axis + 1, norm=norm),
    name="irfft",
    samples=_complex_samples,
    doc="The real array of `n` points that has the frequencies 0 ... n // 2 given; linear over the reals.",
)
