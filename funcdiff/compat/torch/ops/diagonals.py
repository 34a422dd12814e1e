"""Matrices with given diagonals, and diagonals of matrices as copies."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, method
from funcdiff.compat.torch._tensor import Tensor


@method
def diag(input: Tensor, diagonal: int = 0) -> Any:
    """As `torch.diag`."""
    name = "DiagEmbedBackward0" if input.ndim == 1 else "DiagonalBackward0_copy"
    return composite(composed(name), lambda x: fnp.diag(x, diagonal) * 1, (input,))


@method
def diag_embed(input: Tensor, offset: int = 0) -> Any:
    """As `torch.diag_embed` with the last two axes."""
    n = input.size(-1) + abs(offset)
    mask = np.eye(n, k=offset, dtype=bool)

    def compute(x: Any) -> Any:
        rows = fnp.expand_dims(x, -1)
        pad = [(0, 0)] * (len(x.shape) - 1) + [(0, 0), (0, 0)]
        pad[-2] = (max(0, -offset), max(0, offset))
        return fnp.where(mask, fnp.pad(rows, pad), 0)

    return composite(composed("DiagEmbedBackward0"), compute, (input,))
