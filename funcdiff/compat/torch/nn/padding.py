"""Padding: constants, reflections, copies of the edge and wrapped copies."""

from __future__ import annotations

from typing import Any

from funcdiff.compat.torch._apply import composed, composite
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.nn.windows import padded


def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """As `torch.nn.functional.pad`: pairs of widths, those of the last axis first; negative ones cut."""
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    axes = len(pad) // 2
    if axes > input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length {len(pad)} and input "
            f"of dimension {input.ndim}"
        )
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in names:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if mode != "constant":
        if value is not None:
            raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
        if axes not in (1, 2, 3) or input.ndim not in (axes + 1, axes + 2):
            raise NotImplementedError(
                f"Padding size {len(pad)} is not supported for {input.ndim}D input tensor.\nSupported combinations for non-constant "
                "padding:\n  - 2D or 3D input: padding size = 2 (pads last dimension)\n  - 3D or 4D input: padding size = 4 (pads last 2 "
                "dimensions)\n  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
            )
    nodes = {
        "constant": "ConstantPadNdBackward0",
        "reflect": f"ReflectionPad{axes}DBackward0",
        "replicate": f"ReplicationPad{axes}DBackward0",
        "circular": "torch::autograd::CopySlices",
    }
    pairs = [(int(pad[2 * n]), int(pad[2 * n + 1])) for n in range(axes)][::-1]
    for (before, after), length in zip(pairs, input.shape[input.ndim - axes :], strict=True):
        if before + after + length < 0 or -before > length or -after > length:
            raise RuntimeError("narrow(): length must be non-negative.")
        if mode == "reflect" and max(before, after) >= length:
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({before}, {after}) at dimension {input.ndim - 1} of input {list(input.shape)}"
            )
        if mode == "circular" and max(before, after) > length:
            raise RuntimeError("Padding value causes wrapping around more than once.")

    def compute(x: Any) -> Any:
        return padded(x, pairs, 0 if value is None else value, names[mode])

    return composite(composed(nodes[mode]), compute, (input,))
