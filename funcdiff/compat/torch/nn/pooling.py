"""Pooling: the largest, the mean or a norm of the windows of an array; `fold` and `unfold`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.nn.windows import padded, several, to_ceiling, windows
from funcdiff.compat.torch.ops.indexing import added
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.ordering import take_along

_NODES = {1: "SqueezeBackward1", 2: "MaxPool2DWithIndicesBackward0", 3: "MaxPool3DWithIndicesBackward0"}


def _max_pool(
    n: int,
    input: Any,
    size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    window, spread = several(size, n), several(dilation, n)
    step = window if stride is None else several(stride, n)
    border = several(padding, n)
    for p, k, d in zip(border, window, spread, strict=True):
        if p > ((k - 1) * d + 1) // 2 or p < 0:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}"
            )
    lengths = input.value.shape[-n:]
    widths = to_ceiling(lengths, window, step, border, spread, ceil_mode)
    low = -math.inf if input.value.dtype.kind == "f" else np.iinfo(input.value.dtype).min

    def stacked(x: Any) -> Any:
        return fnp.stack(windows(padded(x, widths, low), window, step, spread)[0], axis=0)

    best = constant(lambda x: REGISTRY["argmax"].function(stacked(x), axis=0, keepdims=True), (input,))

    def compute(x: Any, where: Any) -> Any:
        return take_along(stacked(x), where, 0)[0] + 0

    found = composite(composed(_NODES[n]), compute, (input, best))
    if not return_indices:
        return found
    places = np.arange(math.prod(lengths)).reshape(lengths)

    def numbers(where: Any) -> Any:
        seen = fnp.stack(windows(padded(places, widths), window, step, spread)[0], axis=0)
        shape = (seen.shape[0], *(1,) * (len(where.shape) - 1 - n), *seen.shape[1:])
        full = fnp.broadcast_to(fnp.reshape(seen, shape), (seen.shape[0], *where.shape[1:]))
        return take_along(full, where, 0)[0]

    return found, constant(numbers, (best,))


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """As `torch.nn.functional.max_pool1d`."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """As `torch.nn.functional.max_pool2d`."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """As `torch.nn.functional.max_pool3d`."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _avg_pool(
    n: int,
    input: Any,
    size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: Any = None,
) -> Any:
    window = several(size, n)
    step = window if stride is None else several(stride, n)
    border = several(padding, n)
    ones = (1,) * n
    lengths = input.value.shape[-n:]
    widths = to_ceiling(lengths, window, step, border, ones, ceil_mode)
    counted = np.ones(lengths, input.value.dtype)
    if count_include_pad:  # the padding counts, what ceil_mode adds does not
        counted = np.pad(counted, [(p, p) for p in border], constant_values=1)
        rest = [
            (0, w[1] - p) if isinstance(w, tuple) else (0, 0) for w, p in zip(widths, border, strict=True)
        ]
        counted = np.pad(counted, rest)
    else:
        counted = padded(counted, widths)
    counts = divisor or sum(windows(counted, window, step, ones)[0])

    def compute(x: Any) -> Any:
        slices, _ = windows(padded(x, widths), window, step, ones)
        return fnp.sum(fnp.stack(slices, axis=0), axis=0) / counts

    name = "SqueezeBackward1" if n == 1 else f"AvgPool{n}DBackward0"
    return composite(composed(name), compute, (input,))


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """As `torch.nn.functional.avg_pool1d`."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """As `torch.nn.functional.avg_pool2d`."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """As `torch.nn.functional.avg_pool3d`."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


# --- of a given size -----------------------------------------------------------------------------------------


def _wanted(n: int, input: Any, output_size: Any) -> tuple[list[int], tuple[int, ...]]:
    lengths = input.value.shape[-n:]
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    return [m if o is None else int(o) for o, m in zip(given, lengths, strict=True)], lengths


def _spans(length: int, count: int) -> list[slice]:
    """Return the parts of an axis, which overlap if they must."""
    return [slice(k * length // count, -(-(k + 1) * length // count)) for k in range(count)]


def _adaptive_mean(n: int, input: Any, output_size: Any) -> Any:
    wanted, lengths = _wanted(n, input, output_size)

    def compute(x: Any) -> Any:
        for axis, (o, length) in enumerate(zip(wanted, lengths, strict=True), len(x.shape) - n):
            lead = (slice(None),) * axis
            x = fnp.stack([fnp.mean(x[(*lead, s)], axis=axis) for s in _spans(length, o)], axis=axis)
        return x

    nodes = {1: "SqueezeBackward1", 2: "AdaptiveAvgPool2DBackward0", 3: "AdaptiveAvgPool3DBackward0"}
    if all(o == 1 for o in wanted) and n > 1:
        return composite(composed("MeanBackward1"), compute, (input,))
    return composite(composed(nodes[n]), compute, (input,))


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Any:
    """As `torch.nn.functional.adaptive_avg_pool1d`."""
    return _adaptive_mean(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Any:
    """As `torch.nn.functional.adaptive_avg_pool2d`."""
    return _adaptive_mean(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Any:
    """As `torch.nn.functional.adaptive_avg_pool3d`."""
    return _adaptive_mean(3, input, output_size)


def _adaptive_max(n: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    wanted, lengths = _wanted(n, input, output_size)
    places = np.arange(math.prod(lengths)).reshape(lengths)
    spans = [_spans(m, o) for m, o in zip(lengths, wanted, strict=True)]
    parts = [places[cell].ravel() for cell in itertools.product(*spans)]
    lead = input.value.shape[: len(input.value.shape) - n]

    def numbers(x: Any) -> Any:
        flat = fnp.reshape(x, (*lead, -1))
        return fnp.stack([p[fnp.argmax(flat[..., p], axis=-1)] for p in parts], axis=-1)

    best = constant(numbers, (input,))

    def compute(x: Any, where: Any) -> Any:
        return fnp.reshape(take_along(fnp.reshape(x, (*lead, -1)), where, len(lead)), (*lead, *wanted))

    name = "SqueezeBackward1" if n == 1 else f"AdaptiveMaxPool{n}DBackward0"
    found = composite(composed(name), compute, (input, best))
    return (found, best.reshape(*lead, *wanted)) if return_indices else found


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """As `torch.nn.functional.adaptive_max_pool1d`."""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """As `torch.nn.functional.adaptive_max_pool2d`."""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """As `torch.nn.functional.adaptive_max_pool3d`."""
    return _adaptive_max(3, input, output_size, return_indices)


# --- norms of windows ----------------------------------------------------------------------------------------


def _lp_pool(n: int, input: Any, p: float, size: Any, stride: Any, ceil_mode: bool) -> Any:
    pool = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1]
    out = pool(input.pow(p), size, stride, 0, ceil_mode)
    return (out.sign() * out.abs().relu() * math.prod(several(size, n))).pow(1.0 / p)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """As `torch.nn.functional.lp_pool1d`."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """As `torch.nn.functional.lp_pool2d`."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


# --- windows as columns --------------------------------------------------------------------------------------


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """As `torch.nn.functional.unfold`."""
    size, spread, border, step = (several(v, 2) for v in (kernel_size, dilation, padding, stride))
    single = input.ndim == 3
    batch = input.unsqueeze(0) if single else input

    def compute(x: Any) -> Any:
        slices, out = windows(padded(x, border), size, step, spread)
        return fnp.reshape(fnp.stack(slices, axis=2), (x.shape[0], -1, math.prod(out)))

    found = composite(composed("Im2ColBackward0"), compute, (batch,))
    return found.squeeze(0) if single else found


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """As `torch.nn.functional.fold`: windows are added where they lay."""
    length, size, spread, border, step = (
        several(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    single = input.ndim == 2
    batch = input.unsqueeze(0) if single else input
    places = np.arange(math.prod(length)).reshape(length)
    full = np.pad(places, [(p, p) for p in border], constant_values=math.prod(length))
    seen = np.stack(windows(full, size, step, spread)[0], axis=0)
    count = math.prod(size)
    channels = batch.value.shape[1] // count
    if batch.value.shape[1] % count or batch.value.shape[2] != seen[0].size:
        raise RuntimeError(
            f"Given output_size={length}, kernel_size={size}, dilation={spread}, padding={border}, stride={step}, expected size of "
            f"input's dimension 2 to match the calculated number of sliding blocks {seen.shape[1]} * {seen.shape[2]} = {seen[0].size}, but "
            f"got input.size(2)={batch.value.shape[2]}."
        )

    def compute(x: Any) -> Any:
        parts = fnp.reshape(x, (x.shape[0], channels, -1))
        zeros = np.zeros((x.shape[0], channels, math.prod(length) + 1), x.dtype)
        whole = added(zeros, parts, (slice(None), slice(None), seen.reshape(-1)))
        return fnp.reshape(whole[..., :-1], (x.shape[0], channels, *length))

    found = composite(composed("Col2ImBackward0"), compute, (batch,))
    return found.squeeze(0) if single else found
