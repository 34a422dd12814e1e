"""`torch.nn.utils`: gradients and parameters of many tensors at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops.joining import cat


def _listed(parameters: Any) -> list[Any]:
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def get_total_norm(tensors: Any, norm_type: float = 2.0) -> Any:
    """Return the norm of all elements together."""
    arrays = [t.value.ravel() for t in _listed(tensors)]
    if not arrays:
        return wrap(np.float32(0))
    parts = np.array([np.linalg.norm(a, norm_type) for a in arrays], arrays[0].dtype)
    return wrap(np.asarray(np.linalg.norm(parts, norm_type), arrays[0].dtype))


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Any:
    """Scale gradients so that their norm together is at most `max_norm`; return the norm before."""
    grads = [p._grad for p in _listed(parameters) if p._grad is not None]
    total = get_total_norm(grads, norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped."
        )
    factor = min(1.0, max_norm / (total.item() + 1e-6))
    for g in grads:
        g.value *= g.value.dtype.type(factor)
        g.version[0] += 1
    return total


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Limit the elements of gradients."""
    for p in _listed(parameters):
        if p._grad is not None:
            np.clip(p._grad.value, -clip_value, clip_value, out=p._grad.value)
            p._grad.version[0] += 1


def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    """Return all parameters as one vector."""
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Give parameters the elements of one vector."""
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = wrap(vec.value[at : at + n].reshape(p.shape))
        at += n


def __getattr__(name: str) -> Any:
    return refuse("nn.utils", name)
