"""Softmax and logarithms of sums of exponentials."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, method, of_general, real_input
from funcdiff.compat.torch._graph import LEAF, new_node, node_class
from funcdiff.compat.torch._primitive_nodes import SingleNode
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import QUIETLY, STATE, silence, unsilence
from funcdiff.compat.torch._tensor import Tensor, new_tensor, wrap
from funcdiff.compat.torch.ops import by_shape, reduction_rules
from funcdiff.compat.torch.ops.axes import axis_of, reduced, single_axes
from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY

_ndarray = np.ndarray

_logsumexp = of_general("LogsumexpBackward0", reduction_rules.logsumexp)
_exp, _log, _stop, _max = (REGISTRY[name].function for name in ("exp", "log", "stop_gradient", "max"))


@method
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """As `torch.logsumexp`."""
    params = reduced(tuple(dim) if type(dim) is list else dim, len(input.value.shape), keepdim)
    return _logsumexp(real_input(input), params)


@lru_cache(maxsize=4096)
def _made(make: Any, dim: int, shape: tuple[int, ...], kind: str) -> tuple[Any, dict[str, Any], Any]:
    """Return the type of an array, parameters for one axis, and the computation, None for whole numbers."""
    params = single_axes(dim, len(shape))
    compute = None if kind in _INTEGERS else make(shape, kind, params["axis"])
    return ArrayType(shape, np.dtype(kind)), params, compute


_INTEGERS = np.typecodes["AllInteger"] + "?"


def _normalising(name: str, node: str, function: Any, make: Any) -> Any:
    """Make an operation along one axis; what `of_general` does is written out, for the sake of small tensors."""
    cls = node_class(node, SingleNode)
    primitive = function.primitive

    def normalised(input: Any, dim: int, dtype: Any = None) -> Any:
        if dtype is not None:
            input = input.to(dtype)
        value = input.value
        kind, params, compute = _made(make, dim, value.shape, value.dtype.char)
        if compute is None:
            return normalised(real_input(input), dim)
        if type(value) is not _ndarray:
            return lower(function(lift(input), **params))
        token = silence(QUIETLY)
        try:
            out = compute(value)
        finally:
            unsilence(token)
        if not STATE.recording:
            return wrap(out)
        result: Any = new_tensor(Tensor)
        result.value, result.version = out, [0]
        result.edge = result.base = None
        edge = input.edge if input.base is None else input.current()
        if edge is not None:
            result.edge = new_node(
                cls,
                (input if edge is LEAF else edge,),
                (primitive, kind, params, out, *kind),
                (None, result.version),
                (0, 0),
            )
        return result

    normalised.__name__ = normalised.__qualname__ = name
    normalised.__doc__ = f"As `torch.{name}`."
    return method(normalised)


softmax = _normalising("softmax", "SoftmaxBackward0", reduction_rules.softmax, by_shape.softmax)
log_softmax = _normalising(
    "log_softmax", "LogSoftmaxBackward0", reduction_rules.log_softmax, by_shape.log_softmax
)


@method
def logcumsumexp(input: Any, dim: int) -> Any:
    """As `torch.logcumsumexp`."""
    axis = axis_of(dim, input.ndim)

    def compute(x: Any) -> Any:
        top = _stop(_max(x, axis=(axis,), keepdims=True))
        top = fnp.where(fnp.isfinite(top), top, 0)
        return _log(REGISTRY["cumsum"].function(_exp(x - top), axis=axis)) + top

    return composite(composed("LogcumsumexpBackward0"), compute, (input,))
