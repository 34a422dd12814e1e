"""Rearranging and resampling of images: pixel shuffles, `interpolate`, `grid_sample`, padding of channels."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite
from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._tensor import Tensor


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Any:
    """As `torch.nn.functional.pixel_shuffle`: channels become pixels."""
    r = upscale_factor
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)="
            f"{channels} is not divisible by {r * r}"
        )
    n = len(lead)
    parts = input.reshape(*lead, channels // (r * r), r, r, height, width)
    turned = parts.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return turned.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Any:
    """As `torch.nn.functional.pixel_unshuffle`: pixels become channels."""
    r = downscale_factor
    *lead, channels, height, width = input.shape
    if height % r or width % r:
        raise RuntimeError(
            f"pixel_unshuffle expects {'height' if height % r else 'width'} to be divisible by downscale_factor, but input.size("
            f"{-2 if height % r else -1})={height if height % r else width} is not divisible by {r}"
        )
    n = len(lead)
    parts = input.reshape(*lead, channels, height // r, r, width // r, r)
    turned = parts.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return turned.reshape(*lead, channels * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Any:
    """As `torch.nn.functional.channel_shuffle`."""
    batch, channels, *rest = input.shape
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    parts = input.reshape(batch, groups, channels // groups, *rest)
    return parts.transpose(1, 2).reshape(*input.shape)


# --- resampling ----------------------------------------------------------------------------------------------


def _nearest(n: int, length: int, scale: float) -> Any:
    """Return the matrix that takes, for each of n places, the pixel it falls into."""
    at = np.minimum(np.floor(np.arange(n) * scale), length - 1).astype(int)
    return np.eye(length)[at]


def _nearest_exact(n: int, length: int, scale: float) -> Any:
    at = np.minimum(np.floor((np.arange(n) + 0.5) * scale), length - 1).astype(int)
    return np.eye(length)[at]


def _positions(n: int, length: int, scale: float, corners: bool) -> Any:
    if corners:
        return np.arange(n) * ((length - 1) / (n - 1) if n > 1 else 0.0)
    return (np.arange(n) + 0.5) * scale - 0.5


def _straight(n: int, length: int, scale: float, corners: bool) -> Any:
    """Return the matrix of linear interpolation between neighbouring pixels."""
    at = np.maximum(_positions(n, length, scale, corners), 0.0)
    low = np.minimum(at.astype(int), length - 1)
    high = np.minimum(low + 1, length - 1)
    share = np.clip(at - low, 0.0, 1.0)[:, None]
    return np.eye(length)[low] * (1 - share) + np.eye(length)[high] * share


def _cubic(n: int, length: int, scale: float, corners: bool, a: float = -0.75) -> Any:
    """Return the matrix of cubic convolution (Keys 1981) with the parameter a."""
    at = _positions(n, length, scale, corners)
    low = np.floor(at)
    t = at - low

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    found = np.zeros((n, length))
    for step, share in ((-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))):
        places = np.clip(low + step, 0, length - 1).astype(int)
        np.add.at(found, (np.arange(n), places), share)
    return found


def _area(n: int, length: int) -> Any:
    found = np.zeros((n, length))
    for k in range(n):
        part = slice(k * length // n, -(-(k + 1) * length // n))
        found[k, part] = 1 / (part.stop - part.start)
    return found


_NODES = {
    "nearest": "UpsampleNearest{n}DBackward0",
    "nearest-exact": "UpsampleNearestExact{n}DBackward0",
    "linear": "UpsampleLinear1DBackward0",
    "bilinear": "UpsampleBilinear2DBackward0",
    "bicubic": "UpsampleBicubic2DBackward0",
    "trilinear": "UpsampleTrilinear3DBackward0",
    "area": "AdaptiveAvgPool{n}DBackward0",
}
_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """As `torch.nn.functional.interpolate`: each axis by a matrix of weights.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, lengths...).
    size, scale_factor : int or float, or tuples of them
        How long the axes become, or how many times longer.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"}
        How pixels are weighted.
    align_corners : bool, optional
        Whether the outermost pixels keep their places.
    """
    n = input.ndim - 2
    lengths = input.shape[2:]
    if mode not in _NODES:
        raise NotImplementedError(f"Input Error: unknown interpolation mode {mode}")
    if _AXES.get(mode, n) != n:
        raise NotImplementedError(f"Got {input.ndim}D input, but {mode} mode needs {_AXES[mode] + 2}D input")
    if antialias:
        raise unsupported("interpolate with antialias=True", "Smooth the input first.")
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        wanted = [int(s) for s in size] if isinstance(size, (tuple, list)) else [int(size)] * n
        scales = [length / w for length, w in zip(lengths, wanted, strict=True)]
    elif scale_factor is not None:
        factors = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor] * n
        wanted = [math.floor(length * f) for length, f in zip(lengths, factors, strict=True)]
        scales = [
            length / w if recompute_scale_factor else 1 / f
            for length, w, f in zip(lengths, wanted, factors, strict=True)
        ]
    else:
        raise ValueError("either size or scale_factor should be defined")
    weigh: Any = {
        "nearest": _nearest,
        "nearest-exact": _nearest_exact,
        "area": lambda w, length, _s: _area(w, length),
        "bicubic": lambda w, length, s: _cubic(w, length, s, bool(align_corners)),
    }.get(mode, lambda w, length, s: _straight(w, length, s, bool(align_corners)))
    dtype = input.value.dtype
    matrices = [
        weigh(w, length, s).astype(dtype) for w, length, s in zip(wanted, lengths, scales, strict=True)
    ]

    def compute(x: Any) -> Any:
        for axis, matrix in enumerate(matrices, 2):
            x = fnp.moveaxis(fnp.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
        return x + 0

    return composite(composed(_NODES[mode].format(n=n)), compute, (input,))


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """As `torch.nn.functional.upsample`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        UserWarning,
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)
