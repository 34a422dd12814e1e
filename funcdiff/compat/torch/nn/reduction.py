"""How a loss is made of what each example costs."""

from __future__ import annotations

from typing import Any

import funcdiff.numpy as fnp


def reduced(x: Any, reduction: str) -> Any:
    """Return the elements, their mean or their sum."""
    if reduction == "none":
        return x
    if reduction == "mean":
        return fnp.mean(x)
    if reduction in ("sum", "batchmean"):
        return fnp.sum(x)
    raise ValueError(f"{reduction} is not a valid value for reduction")
