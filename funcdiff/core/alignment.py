"""Aligning batched operands: axis 0 is the batch, the rest broadcasts from the right as in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.primitive import REGISTRY


def align(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """Give the batched operands of an elementwise primitive equal rank, so that axis 0 stays axis 0."""
    ranks = [
        len(v.shape if hasattr(v, "shape") else np.shape(v)) - f for v, f in zip(values, flags, strict=True)
    ]
    rank = max(ranks)
    if all(r == rank or not f for r, f in zip(ranks, flags, strict=True)):
        return list(values)
    reshape = REGISTRY["reshape"].function
    return [
        reshape(v, shape=(v.shape[0], *(1,) * (rank - r), *v.shape[1:])) if f and r < rank else v
        for v, f, r in zip(values, flags, ranks, strict=True)
    ]
