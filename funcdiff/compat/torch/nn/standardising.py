"""Normalisation: by layer, by group, by instance, by batch."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import applied, call, composed, composite, of_general
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._primitive_nodes import SingleNode
from funcdiff.compat.torch._tensor import Tensor, plain
from funcdiff.compat.torch.ops import by_shape, layer_rules


def _standardized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    centred = x - fnp.mean(x, axis=axes, keepdims=True)
    return centred / fnp.sqrt(fnp.mean(centred * centred, axis=axes, keepdims=True) + eps)


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """As `torch.nn.functional.layer_norm`."""
    value = input.value
    params, computation = _last_axes(value.shape, value.dtype.char, tuple(normalized_shape), eps)
    if weight is None and bias is None:
        out = _plain_layer_norm(input, params, computation)
        if type(out.edge) is _LayerNormAlone:
            out.edge.next += (None, None)  # PyTorch's node has places for weight and bias
        return out
    operands = input, 1.0 if weight is None else weight, 0.0 if bias is None else bias
    return call(_LayerNorm, layer_rules.layer_norm, operands, params)


_plain_layer_norm = of_general("NativeLayerNormBackward0", layer_rules.standardized)
_LayerNorm = applied("NativeLayerNormBackward0")
_LayerNormAlone = node_class("NativeLayerNormBackward0", SingleNode)


@lru_cache(maxsize=1024)
def _last_axes(
    shape: tuple[int, ...], kind: str, normalized: tuple[int, ...], eps: float
) -> tuple[dict[str, Any], Any]:
    """Return the parameters of a standardisation over the last axes, and its computation; refuse other shapes."""
    first = len(shape) - len(normalized)
    if shape[first:] != normalized:
        raise RuntimeError(
            f"Given normalized_shape={list(normalized)}, expected input with shape [{', '.join(['*', *map(str, normalized)])}], "
            f"but got input of size{list(shape)}"
        )
    axes = tuple(range(first, len(shape)))
    return {"axis": axes, "eps": eps}, by_shape.standardized(shape, kind, axes, eps)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """As `torch.nn.functional.rms_norm`."""
    axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    small = float(np.finfo(input.value.dtype).eps) if eps is None else eps

    def compute(x: Any, w: Any) -> Any:
        y = x / fnp.sqrt(fnp.mean(x * x, axis=axes, keepdims=True) + small)
        return y if w is None else y * w

    return composite(composed("FusedRmsNormBackward0"), compute, (input, weight))


def group_norm(
    input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """As `torch.nn.functional.group_norm`."""
    shape = input.value.shape
    if shape[1] % num_groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(shape)} and "
            f"num_groups={num_groups}"
        )
    grouped = (shape[0], num_groups, -1)
    along = (1, shape[1], *(1,) * (len(shape) - 2))

    def compute(x: Any, w: Any, b: Any) -> Any:
        y = fnp.reshape(_standardized(fnp.reshape(x, grouped), (2,), eps), shape)
        y = y if w is None else y * fnp.reshape(w, along)
        return y if b is None else y + fnp.reshape(b, along)

    return composite(composed("NativeGroupNormBackward0"), compute, (input, weight, bias))


def instance_norm(
    input: Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """As `torch.nn.functional.instance_norm`."""
    if use_input_stats:
        if running_mean is not None:
            x = plain(input)
            axes = tuple(range(2, x.ndim))
            _follow(running_mean, x.mean(axis=axes).mean(axis=0), momentum)
            _follow(running_var, x.var(axis=axes, ddof=1).mean(axis=0), momentum)
        return group_norm(input, input.size(1), weight, bias, eps)
    return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)


def batch_norm(
    input: Tensor,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """As `torch.nn.functional.batch_norm`."""
    shape = input.value.shape
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, x in named.items():
        if x is not None and x.numel() != shape[1]:
            raise RuntimeError(f"{name} should contain {shape[1]} elements not {x.numel()}")
    axes = (0, *range(2, len(shape)))
    along = (1, shape[1], *(1,) * (len(shape) - 2))
    count = math.prod([shape[n] for n in axes])
    if training:
        if count == 1:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size {input.shape}"
            )
        if running_mean is not None:
            x = plain(input)
            _follow(running_mean, x.mean(axis=axes), momentum)
            _follow(running_var, x.var(axis=axes, ddof=1), momentum)
    fixed = None if training else (running_mean.value.reshape(along), running_var.value.reshape(along))

    def compute(x: Any, w: Any, b: Any) -> Any:
        if fixed is None:
            y = _standardized(x, axes, eps)
        else:
            y = (x - fixed[0]) / np.sqrt(fixed[1] + x.dtype.type(eps))
        y = y if w is None else y * fnp.reshape(w, along)
        return y if b is None else y + fnp.reshape(b, along)

    return composite(composed("NativeBatchNormBackward0"), compute, (input, weight, bias))


def _follow(running: Tensor, new: Any, momentum: float) -> None:
    running.value[...] = (1 - momentum) * running.value + momentum * new
    running.version[0] += 1
