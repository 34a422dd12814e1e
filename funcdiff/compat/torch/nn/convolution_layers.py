"""Modules of convolution, plain and transposed, along one to three axes."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

import math
from typing import Any

import funcdiff.compat.torch.nn.functional as F
from funcdiff.compat.torch.nn import init
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.parameter import Parameter
from funcdiff.compat.torch.nn.windows import same, several
from funcdiff.compat.torch.ops.creation import empty

_MODES = {"zeros", "reflect", "replicate", "circular"}


class _Convolution(Module):
    """What plain and transposed convolutions keep."""

    axes = 1
    transposed = False
    output_padding: tuple[int, ...]

    def _keep(
        self,
        channels: tuple[int, int],
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        made: dict[str, Any],
    ) -> None:
        n = self.axes
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if channels[0] % groups:
            raise ValueError("in_channels must be divisible by groups")
        if channels[1] % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in _MODES:
            raise ValueError(f"padding_mode must be one of {_MODES}, but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels = channels
        self.groups, self.padding_mode = groups, padding_mode
        self.kernel_size, self.stride = several(kernel_size, n), several(stride, n)
        self.dilation, self.output_padding = several(dilation, n), several(output_padding, n)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding: Any = padding
        else:
            self.padding = several(padding, n)
        first, second = channels if self.transposed else channels[::-1]
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, **made))
        self.register_parameter("bias", Parameter(empty(channels[1], **made)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new parameters."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight[0].numel()
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        words = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        ]
        if self.padding != (0,) * self.axes:
            words.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.axes:
            words.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * self.axes:
            words.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            words.append(f"groups={self.groups}")
        if self.bias is None:
            words.append("bias=False")
        if self.padding_mode != "zeros":
            words.append(f"padding_mode={self.padding_mode}")
        return ", ".join(words)


class Conv1d(_Convolution):
    """Convolution along one axis."""

    convolve: Any = staticmethod(F.conv1d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made = {"device": device, "dtype": dtype}
        channels = (in_channels, out_channels)
        self._keep(channels, kernel_size, stride, padding, 0, dilation, groups, bias, padding_mode, made)

    def forward(self, input: Any) -> Any:
        padding = self.padding
        if self.padding_mode != "zeros":
            if padding == "same":
                pairs = same(self.kernel_size, self.dilation)
            else:
                pairs = [(p, p) for p in ((0,) * self.axes if padding == "valid" else padding)]
            input = F.pad(input, [w for pair in pairs[::-1] for w in pair], self.padding_mode)
            padding = 0
        return self.convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(Conv1d):
    """Convolution along two axes."""

    axes = 2
    convolve = staticmethod(F.conv2d)


class Conv3d(Conv1d):
    """Convolution along three axes."""

    axes = 3
    convolve = staticmethod(F.conv3d)


class ConvTranspose1d(_Convolution):
    """The transpose of a convolution along one axis."""

    transposed = True
    convolve: Any = staticmethod(F.conv_transpose1d)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        made = {"device": device, "dtype": dtype}
        channels = (in_channels, out_channels)
        self._keep(
            channels, kernel_size, stride, padding, output_padding, dilation, groups, bias, padding_mode, made
        )

    def forward(self, input: Any, output_size: Any = None) -> Any:
        more = self.output_padding if output_size is None else self._reaching(input, output_size)
        return self.convolve(
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )

    def _reaching(self, input: Any, output_size: Any) -> tuple[int, ...]:
        """Return the output padding with which the output has a size."""
        n = self.axes
        given = tuple(output_size)
        wanted = given[-n:]
        if len(given) not in (n, input.ndim):
            raise ValueError(
                f"ConvTranspose{n}D: for {input.ndim}D input, output_size must have {n} or {input.ndim} elements (got {len(given)})"
            )
        found = []
        for o, length, s, p, d, k in zip(
            wanted, input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
        ):
            least = (length - 1) * s - 2 * p + d * (k - 1) + 1
            if not least <= o <= least + s - 1:
                raise ValueError(
                    f"requested an output size of {list(given)}, but valid sizes range from {least} to {least + s - 1} along an axis "
                    f"(for an input of {list(input.shape[2:])})"
                )
            found.append(o - least)
        return tuple(found)


class ConvTranspose2d(ConvTranspose1d):
    """The transpose of a convolution along two axes."""

    axes = 2
    convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(ConvTranspose1d):
    """The transpose of a convolution along three axes."""

    axes = 3
    convolve = staticmethod(F.conv_transpose3d)
