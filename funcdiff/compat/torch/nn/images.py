"""Modules that rearrange, resample and pad images."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

from typing import Any

import funcdiff.compat.torch.nn.functional as F
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.windows import several


class PixelShuffle(Module):
    """Channels become pixels."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels become channels."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channels of groups are mixed."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Any) -> Any:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class Upsample(Module):
    """Resample to another size."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        if isinstance(scale_factor, (tuple, list)):
            scale_factor = tuple(float(f) for f in scale_factor)
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, (int, float)) else scale_factor
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Any:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        what = (
            f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        )
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resample an image by repetition."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Resample an image by bilinear interpolation that keeps the corners."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


# --- padding -------------------------------------------------------------------------------------------------


class ZeroPad1d(Module):
    """Put zeros around."""

    axes = 1
    mode = "constant"
    value: Any = 0

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = several(padding, 2 * self.axes)

    def forward(self, input: Any) -> Any:
        return F.pad(input, self.padding, self.mode, self.value if self.mode == "constant" else None)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad2d(ZeroPad1d):
    """Put zeros around two axes."""

    axes = 2


class ZeroPad3d(ZeroPad1d):
    """Put zeros around three axes."""

    axes = 3


class ConstantPad1d(ZeroPad1d):
    """Put a number around."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """Put a number around two axes."""

    axes = 2


class ConstantPad3d(ConstantPad1d):
    """Put a number around three axes."""

    axes = 3


class ReflectionPad1d(ZeroPad1d):
    """Mirror what is inside, the border once."""

    mode = "reflect"


class ReflectionPad2d(ReflectionPad1d):
    """Mirror what is inside two axes."""

    axes = 2


class ReflectionPad3d(ReflectionPad1d):
    """Mirror what is inside three axes."""

    axes = 3


class ReplicationPad1d(ZeroPad1d):
    """Repeat the border."""

    mode = "replicate"


class ReplicationPad2d(ReplicationPad1d):
    """Repeat the border of two axes."""

    axes = 2


class ReplicationPad3d(ReplicationPad1d):
    """Repeat the border of three axes."""

    axes = 3


class CircularPad1d(ZeroPad1d):
    """Go round."""

    mode = "circular"


class CircularPad2d(CircularPad1d):
    """Go round two axes."""

    axes = 2


class CircularPad3d(CircularPad1d):
    """Go round three axes."""

    axes = 3
