"""The one place where broadcasting and dtype promotion are undone."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY


def match(g: Any, kind: ArrayType) -> Any:
    """Turn a cotangent of a broadcast, promoted operand into one of the operand's own type."""
    shape, dtype = kind
    if g.shape != shape:
        if len(g.shape) < len(shape) or any(
            m == 1 != n for m, n in zip(g.shape[::-1], shape[::-1], strict=False)
        ):
            g = REGISTRY["broadcast_to"].function(g, shape=shape)
        else:
            g = REGISTRY["sum_to"].function(g, shape=shape)
    if g.dtype is not dtype and g.dtype != dtype:
        g = convert(g, dtype)
    return g


def spread(g: Any, shape: tuple[int, ...]) -> Any:
    """Write out a cotangent that is one number for all places of an array, as that of a sum is."""
    return REGISTRY["broadcast_to"].function(g, shape=shape)


def written_out(g: Any, kind: ArrayType) -> Any:
    """Return a cotangent in the shape of what it belongs to; one number may stand for all places."""
    return g if g.shape == kind.shape else spread(g, kind.shape)


def match_tangent(t: Any, kind: ArrayType) -> Any:
    """Give a tangent the shape and dtype of the output it belongs to."""
    shape, dtype = kind
    if not hasattr(t, "shape"):
        t = np.asarray(t)
    if t.shape != shape:
        t = REGISTRY["broadcast_to"].function(t, shape=shape)
    if t.dtype is not dtype and t.dtype != dtype:
        t = convert(t, dtype)
    return t


def convert(x: Any, dtype: np.dtype[Any]) -> Any:
    """Convert to a dtype; from complex to real this takes the real part."""
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = REGISTRY["real"].function(x)
        if x.dtype == dtype:
            return x
    return REGISTRY["astype"].function(x, dtype=dtype)


def scale(g: Any, p: Any) -> Any:
    """Multiply, except that a zero `g` stays zero whatever `p` is."""
    return REGISTRY["scale"].function(g, p)


def inverse(x: Any) -> Any:
    """Return 1 / x, infinite at a Python zero too."""
    return REGISTRY["divide"].function(1, x)
