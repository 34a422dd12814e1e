"""Convolution, plain and transposed, along one to three axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.nn.windows import padded, same, several, windows
from funcdiff.compat.torch.ops.indexing import replaced


def _products(x: Any, w: Any, stride: Any, dilation: Any, groups: int) -> Any:
    """Correlate a padded batch with kernels: the windows as columns of a matrix, the kernels as rows."""
    slices, out = windows(x, w.shape[2:], stride, dilation)
    batch, outs = x.shape[0], w.shape[0]
    columns = fnp.reshape(fnp.stack(slices, axis=2), (batch, groups, -1, math.prod(out)))
    rows = fnp.reshape(w, (groups, outs // groups, -1))
    return fnp.reshape(rows @ columns, (batch, outs, *out))


def _plus(y: Any, b: Any, n: int) -> Any:
    return y if b is None else y + fnp.reshape(b, (y.shape[1], *(1,) * n))


def _checked(
    n: int, input: Any, weight: Any, channels: int, groups: int, given: str = ""
) -> tuple[Any, bool]:
    """Return a batch, and whether it was a single example."""
    single = input.ndim == n + 1
    if not single and input.ndim != n + 2:
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv{n}d, but got input of size: {list(input.shape)}"
        )
    batch = input.unsqueeze(0) if single else input
    if batch.value.shape[1] != channels:
        raise RuntimeError(
            f"Given {given or f'groups={groups}'}, weight of size {list(weight.shape)}, expected input{list(batch.shape)} to have {channels} channels, "
            f"but got {batch.value.shape[1]} channels instead"
        )
    return batch, single


def _convolve(
    n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    step, spread = several(stride, n), several(dilation, n)
    if padding == "same":
        if any(s != 1 for s in step):
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        border: Any = same(weight.value.shape[2:], spread)
    else:
        border = (0,) * n if padding == "valid" else several(padding, n)
    batch, single = _checked(n, input, weight, weight.value.shape[1] * groups, groups)

    def compute(x: Any, w: Any, b: Any) -> Any:
        return _plus(_products(padded(x, border), w, step, spread, groups), b, n)

    found = composite(composed("ConvolutionBackward0"), compute, (batch, weight, bias))
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


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """As `torch.nn.functional.conv3d`."""
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


# --- transposed ----------------------------------------------------------------------------------------------


def _apart(x: Any, stride: tuple[int, ...]) -> Any:
    """Put zeros between the elements of the last axes."""
    if all(s == 1 for s in stride):
        return x
    n = len(stride)
    lengths = [s * (k - 1) + 1 for s, k in zip(stride, x.shape[-n:], strict=True)]
    zeros = np.zeros((*x.shape[:-n], *lengths), x.dtype)
    return replaced(zeros, x, (Ellipsis, *[slice(None, None, s) for s in stride]))


def _turned(w: Any, groups: int) -> Any:
    """Return the kernels of the convolution that a transposed one is: reversed, inputs and outputs exchanged."""
    n = len(w.shape) - 2
    size = w.shape[2:]
    parts = fnp.reshape(w, (groups, w.shape[0] // groups, w.shape[1], *size))
    parts = fnp.swapaxes(parts, 1, 2)[(Ellipsis, *(slice(None, None, -1),) * n)]
    return fnp.reshape(parts, (groups * w.shape[1], w.shape[0] // groups, *size))


def _transposed(
    n: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Any:
    step, spread = several(stride, n), several(dilation, n)
    border, more = several(padding, n), several(output_padding, n)
    for m, s, d in zip(more, step, spread, strict=True):
        if m >= s and m >= d:
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                + _words(("output_padding", more), ("stride", step), ("dilation", spread))
            )
    batch, single = _checked(n, input, weight, weight.value.shape[0], groups, "transposed=1")
    size = weight.value.shape[2:]
    widths = [
        (d * (k - 1) - p, d * (k - 1) - p + m) for d, k, p, m in zip(spread, size, border, more, strict=True)
    ]

    def compute(x: Any, w: Any, b: Any) -> Any:
        y = _products(padded(_apart(x, step), widths), _turned(w, groups), (1,) * n, spread, groups)
        return _plus(y, b, n)

    found = composite(composed("ConvolutionBackward0"), compute, (batch, weight, bias))
    return found.squeeze(0) if single else found


def _words(*named: tuple[str, tuple[int, ...]]) -> str:
    """Write settings as PyTorch does, which takes one axis for two."""
    names = ("depth", "height", "width")
    short = len(named[0][1]) == 1
    n = max(2, len(named[0][1]))
    rows = [(name, (int(name != "output_padding"), *x) if short else x) for name, x in named]
    return " ".join(f"{name}_{axis}: {v}" for name, x in rows for axis, v in zip(names[-n:], x, strict=True))


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """As `torch.nn.functional.conv_transpose1d`."""
    return _transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """As `torch.nn.functional.conv_transpose2d`."""
    return _transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """As `torch.nn.functional.conv_transpose3d`."""
    return _transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
