"""`torch.fft`: Fourier transforms, by those of `funcdiff.numpy`."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, real_input
from funcdiff.compat.torch._dtypes import as_numpy
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops.joining import roll

_KINDS = {"fft": "FftC2CBackward0", "ifft": "FftC2CBackward0", "rfft": "FftR2CBackward0"}
_KINDS |= {"irfft": "FftC2RBackward0", "hfft": "FftC2RBackward0", "ihfft": "FftR2CBackward0"}


def _precision(dtype: Any) -> Any:
    """Return the real type of the result."""
    return np.dtype(np.float32) if dtype in (np.float32, np.complex64, np.float16) else np.dtype(np.float64)


def _typed(x: Any, dtype: Any) -> Any:
    wanted = np.result_type(dtype, np.complex64) if x.dtype.kind == "c" else dtype
    return x if x.dtype == wanted else fnp.astype(x, wanted)


def _one(name: str, several: bool, default: Any = None) -> Any:
    """Make a transform along one axis, or along several."""
    transform = getattr(fnp.fft, name)
    node = _KINDS.get(name.rstrip("n2"), "FftC2CBackward0")

    def along(input: Tensor, n: Any, axis: Any, norm: Any) -> Any:
        x = real_input(input)
        dtype = _precision(x.value.dtype)

        def compute(v: Any) -> Any:
            keywords = {"s": n, "axes": axis} if several else {"n": n, "axis": axis}
            return _typed(transform(v, norm=norm, **keywords), dtype)

        return composite(composed(node), compute, (x,))

    if several:

        def many(input: Tensor, s: Any = None, dim: Any = default, norm: Any = None) -> Any:
            axes = None if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
            lengths = None if s is None else tuple(s)
            if lengths is not None and axes is None:
                axes = tuple(range(-len(lengths), 0))
            return along(input, lengths, axes, norm)

        op: Any = many
    else:

        def single(input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None) -> Any:
            return along(input, n, dim, norm)

        op = single
    op.__name__ = op.__qualname__ = name
    op.__module__ = "torch.fft"
    op.__doc__ = f"As `torch.fft.{name}`."
    return op


fft, ifft, rfft, irfft = (_one(n, False) for n in ("fft", "ifft", "rfft", "irfft"))
hfft, ihfft = (_one(n, False) for n in ("hfft", "ihfft"))
fft2, ifft2, rfft2, irfft2 = (_one(n, True, (-2, -1)) for n in ("fft2", "ifft2", "rfft2", "irfft2"))
fftn, ifftn, rfftn, irfftn = (_one(n, True) for n in ("fftn", "ifftn", "rfftn", "irfftn"))


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **_: Any) -> Any:
    """As `torch.fft.fftfreq`."""
    return wrap(np.fft.fftfreq(n, d).astype(np.float32 if dtype is None else as_numpy(dtype)))


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **_: Any) -> Any:
    """As `torch.fft.rfftfreq`."""
    return wrap(np.fft.rfftfreq(n, d).astype(np.float32 if dtype is None else as_numpy(dtype)))


def _axes(input: Tensor, dim: Any) -> list[int]:
    return list(range(input.ndim)) if dim is None else list(dim) if isinstance(dim, (tuple, list)) else [dim]


def fftshift(input: Tensor, dim: Any = None) -> Any:
    """As `torch.fft.fftshift`."""
    axes = _axes(input, dim)
    return roll(input, [input.shape[a] // 2 for a in axes], axes)


def ifftshift(input: Tensor, dim: Any = None) -> Any:
    """As `torch.fft.ifftshift`."""
    axes = _axes(input, dim)
    return roll(input, [-(input.shape[a] // 2) for a in axes], axes)


def __getattr__(name: str) -> Any:
    return refuse("fft", name)
