"""Initial values of parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch.autograd.grad_mode import no_grad
from funcdiff.compat.torch.ops.random import default_generator

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0), "selu": 3.0 / 4,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """Return how much a nonlinearity asks the weights to be enlarged."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def _fans(tensor: Any) -> tuple[int, int]:
    shape = tensor.value.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


_calculate_fan_in_and_fan_out = _fans


@no_grad()
def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Fill with numbers from [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Fill with normal numbers."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def constant_(tensor: Any, val: float) -> Any:
    """Fill with one number."""
    return tensor.fill_(val)


def ones_(tensor: Any) -> Any:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor: Any) -> Any:
    """Make an identity matrix."""
    tensor.value[...] = np.eye(*tensor.shape)
    return tensor


@no_grad()
def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Fill with normal numbers between a and b."""
    from scipy.special import erfinv, ndtr

    low, high = ndtr((a - mean) / std), ndtr((b - mean) / std)
    u = (generator or default_generator).uniform(tensor.numel(), np.dtype(np.float64))
    z = mean + std * math.sqrt(2) * erfinv(2 * (low + u * (high - low)) - 1)
    tensor.value[...] = np.clip(z, a, b).reshape(tensor.shape)
    tensor.version[0] += 1
    return tensor


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill by Glorot and Bengio's rule, uniformly."""
    fan_in, fan_out = _fans(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill by Glorot and Bengio's rule, normally."""
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def _he(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    fan_in, fan_out = _fans(tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill by He's rule, uniformly."""
    bound = math.sqrt(3.0) * _he(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill by He's rule, normally."""
    return normal_(tensor, 0.0, _he(tensor, a, mode, nonlinearity), generator)


@no_grad()
def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    """Fill with orthogonal rows or columns."""
    rows = tensor.size(0)
    columns = tensor.numel() // rows
    z = (generator or default_generator).normal(rows * columns, tensor.value.dtype).reshape(rows, columns)
    q, r = np.linalg.qr(z.T if rows < columns else z)
    q = q * np.sign(np.diagonal(r))
    tensor.value[...] = gain * (q.T if rows < columns else q).reshape(tensor.shape)
    tensor.version[0] += 1
    return tensor


@no_grad()
def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Fill with normal numbers, a share of each column being zero."""
    tensor.normal_(0, std, generator=generator)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    for c in range(columns):
        order = np.argsort((generator or default_generator).uniform(rows, np.dtype(np.float64)))
        tensor.value[order[:zeros], c] = 0
    return tensor


def __getattr__(name: str) -> Any:
    return refuse("nn.init", name)
