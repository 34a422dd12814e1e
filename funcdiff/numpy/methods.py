"""Methods and properties of traced arrays: ndarray's, and PyTorch's common ones, each a function of this package."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy import joining, reductions, selection, shapes
from funcdiff.numpy._arguments import UNSET
from funcdiff.numpy._protocol import UFUNCS
from funcdiff.primitives.shape import copy
from funcdiff.primitives.reduction import sum_
from funcdiff.transforms.stop import stopped


def _sum(self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = UNSET, **rest: Any) -> Any:
    if axis is None and dtype is None and out is None and keepdims is UNSET and not rest:
        return sum_(self, axis=tuple(range(len(self.shape))), keepdims=False)
    return reductions.sum(self, axis, dtype, out, keepdims, **rest)


def _reshape(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
    return shapes.reshape(self, shape[0] if len(shape) == 1 else shape, order, copy=copy)


def _transpose(self: Any, *axes: Any) -> Any:
    if len(axes) == 1 and not isinstance(axes[0], int):
        axes = axes[0]
    return shapes.transpose(self, axes or None)


def _item(self: Any, *index: Any) -> Any:
    return np.asarray(concrete(self)).item(*index)


def _dot(self: Any, other: Any, out: Any = None) -> Any:
    return np.dot(self, other) if out is None else np.dot(self, other, out)


def _copy(self: Any, order: str = "C") -> Any:
    return copy(self)


METHODS: dict[str, Any] = {
    "copy": _copy,
    "clone": _copy,
    "detach": stopped,
    "dot": _dot,
    "item": _item,
    "max": reductions.max,
    "mean": reductions.mean,
    "min": reductions.min,
    "prod": reductions.prod,
    "ravel": shapes.ravel,
    "reshape": _reshape,
    "sum": _sum,
    "transpose": _transpose,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "square": np.square,
    "abs": np.absolute,
    "pow": np.power,
}

PROPERTIES: dict[str, Any] = {
    "T": shapes.transpose,
    "mT": shapes.matrix_transpose,
}


def _of_ufunc(ufunc: np.ufunc) -> Any:
    function = UFUNCS.get(ufunc)
    if function is not None:
        return function

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ufunc(self, *args, **kwargs)

    return method


def attach() -> None:
    """Attach methods and properties to the traced array."""
    for name, method in METHODS.items():
        if isinstance(method, np.ufunc):
            method = _of_ufunc(method)
        setattr(TracedArray, name, method)
    for name, getter in PROPERTIES.items():
        setattr(TracedArray, name, property(getter))
