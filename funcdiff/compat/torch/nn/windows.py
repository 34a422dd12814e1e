"""What convolution and pooling share: windows that slide over the last axes of an array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import funcdiff.numpy as fnp


def several(x: Any, n: int) -> tuple[int, ...]:
    """Return one number for each of n axes."""
    if isinstance(x, (tuple, list)):
        return tuple(int(i) for i in x) if len(x) > 1 or n == 1 else (int(x[0]),) * n
    return (int(x),) * n


def windows(x: Any, size: Any, stride: Any, dilation: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Return, for each place of a kernel, the slice of the last axes it sees; and their shape."""
    n = len(size)
    lengths = x.shape[-n:]
    out = tuple(
        (length - d * (k - 1) - 1) // s + 1
        for length, k, s, d in zip(lengths, size, stride, dilation, strict=True)
    )
    if any(o < 1 for o in out):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, lengths))}). Kernel size: ({' x '.join(map(str, size))}). "
            "Kernel size can't be greater than actual input size"
        )
    slices = []
    for place in np.ndindex(*size):
        index = tuple(
            slice(p * d, p * d + s * (o - 1) + 1, s)
            for p, d, s, o in zip(place, dilation, stride, out, strict=True)
        )
        slices.append(x[(Ellipsis, *index)])
    return slices, out


def padded(x: Any, padding: Any, value: Any = 0, mode: str = "constant") -> Any:
    """Pad the last axes on both sides; each entry is a width or a pair of them, and negative ones cut."""
    pairs = [p if isinstance(p, tuple) else (p, p) for p in padding]
    if not any(map(any, pairs)):
        return x
    rest = len(x.shape) - len(pairs)
    if any(min(p) < 0 for p in pairs):
        cut = [slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(pairs, x.shape[rest:], strict=True)]
        x = x[(Ellipsis, *cut)]
        pairs = [(max(0, a), max(0, b)) for a, b in pairs]
    widths = [(0, 0)] * rest + pairs
    if mode != "constant":
        return fnp.pad(x, widths, mode)
    return fnp.pad(x, widths, constant_values=value)


def same(size: Any, dilation: Any) -> list[tuple[int, int]]:
    """Return the padding with which a convolution of stride 1 keeps lengths."""
    totals = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    return [(t // 2, t - t // 2) for t in totals]


def to_ceiling(
    lengths: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> list[Any]:
    """Return the padding of a pool, with what `ceil_mode` adds on the right for windows that begin inside."""
    if not ceil_mode:
        return list(padding)
    pairs = []
    for length, k, s, p, d in zip(lengths, size, stride, padding, dilation, strict=True):
        reach = length + 2 * p - d * (k - 1) - 1
        count = math.ceil(reach / s) + 1
        if (count - 1) * s >= length + p:  # the last window would begin in the padding
            count -= 1
        pairs.append((p, p + max(0, (count - 1) * s - reach)))
    return pairs
