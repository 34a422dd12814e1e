"""Softmax and logarithms of sums of exponentials."""

from __future__ import annotations

from typing import Any

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, method, of_general, real_input
from funcdiff.compat.torch.ops import reduction_rules
from funcdiff.compat.torch.ops.axes import axis_of, reduced, single_axes
from funcdiff.core.primitive import REGISTRY

_logsumexp = of_general("LogsumexpBackward0", reduction_rules.logsumexp)
_softmax = of_general("SoftmaxBackward0", reduction_rules.softmax)
_log_softmax = of_general("LogSoftmaxBackward0", reduction_rules.log_softmax)
_exp, _log, _stop, _max = (REGISTRY[name].function for name in ("exp", "log", "stop_gradient", "max"))


@method
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """As `torch.logsumexp`."""
    params = reduced(tuple(dim) if type(dim) is list else dim, len(input.value.shape), keepdim)
    return _logsumexp(real_input(input), params)


def _normalised(operation: Any, input: Any, dim: Any, dtype: Any) -> Any:
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        input = real_input(input)
    return operation(input, single_axes(dim, len(input.value.shape)))


@method
def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """As `torch.softmax`."""
    return _normalised(_softmax, input, dim, dtype)


@method
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """As `torch.log_softmax`."""
    return _normalised(_log_softmax, input, dim, dtype)


@method
def logcumsumexp(input: Any, dim: int) -> Any:
    """As `torch.logcumsumexp`."""
    axis = axis_of(dim, input.ndim)

    def compute(x: Any) -> Any:
        top = _stop(_max(x, axis=(axis,), keepdims=True))
        top = fnp.where(fnp.isfinite(top), top, 0)
        return _log(REGISTRY["cumsum"].function(_exp(x - top), axis=axis)) + top

    return composite(composed("LogcumsumexpBackward0"), compute, (input,))
