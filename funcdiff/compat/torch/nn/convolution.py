"""Convolution and pooling, by the slices of the input that each place of the kernel sees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.ordering import take_along


def several(x: Any, n: int) -> tuple[int, ...]:
    """Return one number for each of n axes."""
    return tuple(int(i) for i in x) if isinstance(x, (tuple, list)) else (int(x),) * n


def _windows(x: Any, size: Any, stride: Any, dilation: Any) -> tuple[list[Any], tuple[int, ...]]:
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


def _padded(x: Any, padding: Any, value: Any = 0) -> Any:
    if not any(padding):
        return x
    widths = [(0, 0)] * (len(x.shape) - len(padding)) + [(p, p) for p in padding]
    return fnp.pad(x, widths, constant_values=value)


def _same(size: Any, dilation: Any, x: Any) -> Any:
    widths = [(0, 0)] * (len(x.shape) - len(size))
    for k, d in zip(size, dilation, strict=True):
        total = d * (k - 1)
        widths.append((total // 2, total - total // 2))
    return fnp.pad(x, widths)


def _convolve(
    n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    size = tuple(weight.value.shape[2:])
    step, spread = several(stride, n), several(dilation, n)
    single = input.ndim == n + 1
    if single:
        input = input.unsqueeze(0)
    channels = weight.value.shape[1] * groups
    if input.ndim != n + 2 or input.value.shape[1] != channels:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have {channels} channels, "
            f"but got {input.value.shape[1]} channels instead"
        )

    def compute(x: Any, w: Any, b: Any) -> Any:
        x = (
            _same(size, spread, x)
            if padding == "same"
            else _padded(x, () if padding == "valid" else several(padding, n))
        )
        slices, out = _windows(x, size, step, spread)
        batch, outs = x.shape[0], w.shape[0]
        columns = fnp.reshape(fnp.stack(slices, axis=2), (batch, groups, -1, math.prod(out)))
        rows = fnp.reshape(w, (groups, outs // groups, -1))
        y = fnp.reshape(rows @ columns, (batch, outs, *out))
        return y if b is None else y + fnp.reshape(b, (outs, *(1,) * n))

    found = composite(composed("ConvolutionBackward0"), compute, (input, weight, bias))
    return found.squeeze(0) if single else found


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """As `torch.nn.functional.conv1d`."""
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """As `torch.nn.functional.conv2d`."""
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


# --- pooling -------------------------------------------------------------------------------------------------


def _max_pool(n: int, input: Any, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    window, spread = several(size, n), several(dilation, n)
    step = window if stride is None else several(stride, n)
    border = several(padding, n)
    low = -math.inf if input.value.dtype.kind == "f" else np.iinfo(input.value.dtype).min

    def stacked(x: Any) -> Any:
        return fnp.stack(_windows(_padded(x, border, low), window, step, spread)[0], axis=0)

    best = constant(lambda x: REGISTRY["argmax"].function(stacked(x), axis=0, keepdims=True), (input,))

    def compute(x: Any, where: Any) -> Any:
        return take_along(stacked(x), where, 0)[0] + 0

    return composite(
        composed("SqueezeBackward1" if n == 1 else "MaxPool2DWithIndicesBackward0"), compute, (input, best)
    )


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **_: Any
) -> Any:
    """As `torch.nn.functional.max_pool1d`."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, **_: Any
) -> Any:
    """As `torch.nn.functional.max_pool2d`."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation)


def _avg_pool(n: int, input: Any, size: Any, stride: Any, padding: Any, count_include_pad: bool) -> Any:
    window = several(size, n)
    step = window if stride is None else several(stride, n)
    border = several(padding, n)

    def compute(x: Any) -> Any:
        slices, _ = _windows(_padded(x, border), window, step, (1,) * n)
        total = fnp.sum(fnp.stack(slices, axis=0), axis=0)
        if count_include_pad or not any(border):
            return total / math.prod(window)
        inside = _padded(np.ones(x.shape[-n:], x.dtype), border)
        return total / sum(_windows(inside, window, step, (1,) * n)[0])

    return composite(composed("SqueezeBackward1" if n == 1 else "AvgPool2DBackward0"), compute, (input,))


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """As `torch.nn.functional.avg_pool1d`."""
    return _avg_pool(1, input, kernel_size, stride, padding, count_include_pad)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """As `torch.nn.functional.avg_pool2d`."""
    return _avg_pool(2, input, kernel_size, stride, padding, count_include_pad)


def _adaptive(n: int, input: Any, output_size: Any) -> Any:
    lengths = input.value.shape[-n:]
    wanted = [
        length if o is None else o
        for o, length in zip(
            output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n,
            lengths,
            strict=True,
        )
    ]

    def compute(x: Any) -> Any:
        for axis, (o, length) in enumerate(zip(wanted, lengths, strict=True), len(x.shape) - n):
            lead = (slice(None),) * axis
            parts = [
                fnp.mean(x[(*lead, slice(k * length // o, -(-(k + 1) * length // o)))], axis=axis)
                for k in range(o)
            ]
            x = fnp.stack(parts, axis=axis)
        return x

    return composite(
        composed("SqueezeBackward1" if n == 1 else "AdaptiveAvgPool2DBackward0"), compute, (input,)
    )


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Any:
    """As `torch.nn.functional.adaptive_avg_pool1d`."""
    return _adaptive(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Any:
    """As `torch.nn.functional.adaptive_avg_pool2d`."""
    return _adaptive(2, input, output_size)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """As `torch.nn.functional.unfold`."""
    size, spread, border, step = (several(v, 2) for v in (kernel_size, dilation, padding, stride))

    def compute(x: Any) -> Any:
        slices, out = _windows(_padded(x, border), size, step, spread)
        return fnp.reshape(fnp.stack(slices, axis=2), (x.shape[0], -1, math.prod(out)))

    return composite(composed("Im2ColBackward0"), compute, (input,))
