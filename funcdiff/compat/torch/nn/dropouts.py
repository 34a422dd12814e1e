"""Dropout, of elements and of channels, from the shim's own stream of random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import constant
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops.random import default_generator, for_examples


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _kept(shape: tuple[int, ...], p: float, dtype: Any) -> Any:
    """Draw zeros, and ones scaled up so that the mean stays."""

    def draw(full: tuple[int, ...]) -> Any:
        u = default_generator.uniform(math.prod(full), np.dtype(np.float64)).reshape(full)
        return ((u < 1 - p) / (1 - p if p < 1 else 1)).astype(dtype)

    return wrap(for_examples(shape, draw))


def _dropped(input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Any:
    _check(p)
    if not training or p == 0:
        return input
    mask = _kept(shape, p, input.value.dtype)
    return input.mul_(mask) if inplace else input * mask


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """As `torch.nn.functional.dropout`."""
    return _dropped(input, input.value.shape, p, training, inplace)


def _channels(input: Tensor) -> tuple[int, ...]:
    return (*input.value.shape[:2], *(1,) * (input.ndim - 2))


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """As `torch.nn.functional.dropout1d`: whole channels; of one example, if it has two axes."""
    if input.ndim == 2:
        return _dropped(input, (input.value.shape[0], 1), p, training, inplace)
    return _dropped(input, _channels(input), p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """As `torch.nn.functional.dropout2d`: whole channels."""
    return _dropped(input, _channels(input), p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """As `torch.nn.functional.dropout3d`: whole channels."""
    return _dropped(input, _channels(input), p, training, inplace)


def _alpha(input: Tensor, shape: tuple[int, ...], p: float, training: bool) -> Any:
    _check(p)
    if not training or p == 0:
        return input
    alpha = 1.7580993408473766
    a = 1 / math.sqrt((alpha**2 * p + 1) * (1 - p))
    mask = constant(lambda m: m * (1 - p), (_kept(shape, p, input.value.dtype),))
    return (input * mask - alpha * (1 - mask)) * a + alpha * a * p


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """As `torch.nn.functional.alpha_dropout`: keeps mean and variance, for SELU."""
    return _alpha(input, input.value.shape, p, training)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """As `torch.nn.functional.feature_alpha_dropout`: whole channels."""
    return _alpha(input, _channels(input), p, training)
