"""Methods that PyTorch's users know, as methods of traced arrays.

Where NumPy and PyTorch disagree (``x.transpose(0, 1)``, ``x.size``, ``x.max(0)``, ``x.repeat(2)``), NumPy wins.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import is_scalar_value
from funcdiff.numpy import selection, shapes
from funcdiff.numpy._arguments import axis_of
from funcdiff.numpy.linalg import vector_norm
from funcdiff.numpy.shapes import dimensions
from funcdiff.primitives import reduction
from funcdiff.primitives.comparison import greater
from funcdiff.primitives.elementwise import add, exp, log, multiply
from funcdiff.primitives.reduction import sum_
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import copy
from funcdiff.transforms.stop import stopped


def _matmul(self: Any, other: Any) -> Any:
    return self @ other


def _clone(self: Any) -> Any:
    return self if is_scalar_value(self) else copy(self)


def _clamp(self: Any, min: Any = None, max: Any = None) -> Any:
    return selection.clip(self, min, max)


def _norm(self: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """The vector norm of all elements, or along ``dim``, as PyTorch has it."""
    return vector_norm(self, ord=2 if p in ("fro", None) else p, axis=dim, keepdims=keepdim)


def _relu(self: Any) -> Any:
    return where(greater(self, 0), self, 0)


def _sigmoid(self: Any) -> Any:
    from scipy.special import expit

    return expit(self)


def _softmax(self: Any, dim: Any = -1) -> Any:
    e = exp(_below_maximum(self, dim))
    return e / sum_(e, axis=(axis_of(dim, len(self.shape)),), keepdims=True)


def _log_softmax(self: Any, dim: Any = -1) -> Any:
    x = _below_maximum(self, dim)
    return x - log(sum_(exp(x), axis=(axis_of(dim, len(self.shape)),), keepdims=True))


def _below_maximum(x: Any, dim: Any) -> Any:
    """Subtract the maximum, which changes neither the softmax nor its derivative."""
    return x - reduction.max_(stopped(x), axis=(axis_of(dim, len(x.shape)),), keepdims=True)


def _unsqueeze(self: Any, dim: int) -> Any:
    return shapes.expand_dims(self, dim)


def _permute(self: Any, *dims: Any) -> Any:
    return shapes.transpose(self, dimensions(dims))


def _expand(self: Any, *sizes: Any) -> Any:
    wanted = tuple(dimensions(sizes))
    lead = len(wanted) - len(self.shape)
    return shapes.broadcast_to(
        self, tuple(self.shape[n - lead] if length == -1 else length for n, length in enumerate(wanted))
    )


def _t(self: Any) -> Any:
    if len(self.shape) > 2:
        raise ValueError(f"t() expects an array with at most 2 dimensions, but it has {len(self.shape)}")
    return shapes.transpose(self)


def _numel(self: Any) -> int:
    return prod(self.shape)


def _dim(self: Any) -> int:
    return len(self.shape)


def _numpy(self: Any) -> Any:
    raise errors.ConversionError(
        errors.at_user_line(
            "x.numpy() of a traced array would drop its derivative. Use the traced array itself, which works with "
            "NumPy's functions, or fd.stop_gradient(x) where no derivative is wanted."
        )
    )


def _sub_scaled(self: Any, other: Any, *, alpha: Any = 1) -> Any:
    return self - (other if alpha == 1 else multiply(alpha, other))


def _add_scaled(self: Any, other: Any, *, alpha: Any = 1) -> Any:
    return add(self, other if alpha == 1 else multiply(alpha, other))


METHODS: dict[str, Any] = {
    "add": _add_scaled,
    "clamp": _clamp,
    "clone": _clone,
    "detach": stopped,
    "dim": _dim,
    "div": np.divide,
    "expand": _expand,
    "log_softmax": _log_softmax,
    "matmul": _matmul,
    "mm": _matmul,
    "mul": np.multiply,
    "mv": _matmul,
    "neg": np.negative,
    "norm": _norm,
    "numel": _numel,
    "numpy": _numpy,
    "permute": _permute,
    "pow": np.power,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "sub": _sub_scaled,
    "t": _t,
    "unsqueeze": _unsqueeze,
}
"""What ``x.name(...)`` calls with x as its first argument."""
