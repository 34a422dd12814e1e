"""Losses of classes: negative log likelihood and cross entropy."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, moving
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor, plain
from funcdiff.compat.torch.nn.reduction import reduced
from funcdiff.compat.torch.ops import loss_rules
from funcdiff.compat.torch.ops.exponentials import log_softmax
from funcdiff.compat.torch.ops.indexing import at
from funcdiff.core.primitive import REGISTRY

_astype = REGISTRY["astype"].function
_logaddexp, _log, _where, _abs, _exp = (
    REGISTRY[n].function for n in ("logaddexp", "log", "where", "absolute", "exp")
)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """As `torch.nn.functional.nll_loss`."""
    if weight is None and (simple := _of_classes(input, target, reduction)) is not None:
        return simple
    axis = 0 if input.ndim == 1 else 1
    _check_classes(input, target, axis, ignore_index)
    dtype = input.value.dtype

    def compute(x: Any, classes: Any, *weights: Any) -> Any:
        factors, safe = _factors(classes, ignore_index, dtype, *weights)
        found = -at(x, _places(safe) if safe.ndim else (safe,)) * factors
        if reduction == "mean":
            return fnp.sum(found) / fnp.sum(factors)
        return reduced(found, reduction)

    weights = () if weight is None else (weight,)
    node = composed("NllLossBackward0" if input.ndim <= 2 else "NllLoss2DBackward0")
    return composite(node, compute, (input, target, *weights))


_mean_chosen, _Nll = moving(loss_rules.minus_mean_of_chosen), node_class("NllLossBackward0")


def _of_classes(input: Tensor, target: Tensor, reduction: str) -> Any:
    """Return the loss where each row of a matrix has its class, none of which is ignored or unknown, else None."""
    x, classes = input.value, target.value
    if type(x) is not np.ndarray or type(classes) is not np.ndarray:
        return None
    found = _simple(x.shape, classes.shape, classes.dtype.char, reduction)
    if found is None:
        return None
    starts, length, count = found
    if classes.item(classes.argmin()) < 0 or classes.item(classes.argmax()) >= length:
        return None
    return _mean_chosen(_Nll, input, {"positions": classes + starts, "count": count})


@lru_cache(maxsize=1024)
def _simple(shape: tuple[int, ...], classes: tuple[int, ...], kind: str, reduction: str) -> Any:
    """Return where the rows of a matrix begin, their length and by what the loss is divided; None if it is no such."""
    if len(shape) != 2 or classes != shape[:1] or not shape[0] or reduction not in ("mean", "sum"):
        return None
    if kind not in "bhilq":
        return None
    return np.arange(shape[0]) * shape[1], shape[1], shape[0] if reduction == "mean" else 1


def _factors(classes: Any, ignore_index: int, dtype: Any, *weights: Any) -> tuple[Any, Any]:
    """Return how much each example counts, and the classes with 0 for those that do not."""
    used = classes != ignore_index
    safe = _where(used, classes, 0)
    factors = _astype(used, dtype=dtype)
    return (factors * at(weights[0], (safe,)) if weights else factors), safe


def _check_classes(input: Tensor, target: Tensor, axis: int, ignore_index: int) -> None:
    """Refuse classes that there are not, and shapes that do not fit."""
    shape, wanted = input.value.shape, target.value.shape
    if len(shape) <= 2 and (len(wanted) != len(shape) - 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if axis == 1 and shape[0] != wanted[0]:
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size ({wanted[0]}).")
    if target.value.dtype.kind not in "iu":
        name = FROM_NUMPY[target.value.dtype].type_name
        raise RuntimeError(f"expected scalar type Long but found {name}")
    classes = target.value
    if type(classes) is np.ndarray:
        bad = classes[(classes != ignore_index) & ((classes < 0) | (classes >= shape[axis]))]
        if bad.size:
            raise IndexError(f"Target {bad.ravel()[0]} is out of bounds.")


def _places(classes: Any) -> tuple[Any, ...]:
    """Return the index of each example's own class, classes along axis 1."""
    rest = [
        np.arange(n).reshape([-1 if k == m else 1 for m in range(classes.ndim)])
        for k, n in enumerate(classes.shape)
    ]
    return (rest[0], classes, *rest[1:])


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """As `torch.nn.functional.cross_entropy`: of classes, or of probabilities."""
    axis = 0 if input.ndim == 1 else 1
    logs = log_softmax(input, axis)
    if target.value.dtype.kind == "f":
        if target.value.shape != input.value.shape:
            kind = FROM_NUMPY[target.value.dtype].type_name
            raise RuntimeError(f"expected target dtype to be Long or Byte, but got {kind}")
        return _soft_cross_entropy(logs, target, weight, reduction, label_smoothing, axis)
    if (
        weight is None
        and not label_smoothing
        and (simple := _of_classes(logs, target, reduction)) is not None
    ):
        return simple
    hard = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return hard
    count = input.value.shape[axis]
    dtype = logs.value.dtype
    shape = [-1 if n == axis else 1 for n in range(input.ndim)]

    def smooth(x: Any, classes: Any, *weights: Any) -> Any:
        factors, _ = _factors(classes, ignore_index, dtype, *weights)
        scaled = x * fnp.reshape(weights[0], shape) if weights else x
        found = _where(classes != ignore_index, -fnp.sum(scaled, axis=axis), 0.0)
        return fnp.sum(found) / fnp.sum(factors) if reduction == "mean" else reduced(found, reduction)

    weights = () if weight is None else (weight,)
    soft = composite(composed("DivBackward0"), smooth, (logs, target, *weights))
    return (1 - label_smoothing) * hard + (label_smoothing / count) * soft


def _soft_cross_entropy(
    logs: Any, target: Any, weight: Any, reduction: str, smoothing: float, axis: int
) -> Any:
    count = logs.value.shape[axis]
    shape = [-1 if n == axis else 1 for n in range(logs.ndim)]
    w = 1.0 if weight is None else plain(weight).reshape(shape)
    examples = max(1, logs.numel() // count)

    def compute(x: Any, p: Any) -> Any:
        if smoothing:
            p = p * (1 - smoothing) + smoothing / count
        found = -fnp.sum(x * p * w, axis=axis)
        return fnp.sum(found) / examples if reduction == "mean" else reduced(found, reduction)

    return composite(composed("DivBackward1"), compute, (logs, target))
