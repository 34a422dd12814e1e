"""Loss functions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import applied, call, composed, composite, moving
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._elementwise import shape_mismatch
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor, plain
from funcdiff.compat.torch.ops import loss_rules
from funcdiff.compat.torch.ops.exponentials import log_softmax
from funcdiff.compat.torch.ops.indexing import at
from funcdiff.core.primitive import REGISTRY

_astype = REGISTRY["astype"].function
_logaddexp, _log, _where, _abs, _exp = (
    REGISTRY[n].function for n in ("logaddexp", "log", "where", "absolute", "exp")
)


def _reduced(x: Any, reduction: str) -> Any:
    if reduction == "none":
        return x
    if reduction == "mean":
        return fnp.mean(x)
    if reduction in ("sum", "batchmean"):
        return fnp.sum(x)
    raise ValueError(f"{reduction} is not a valid value for reduction")


def _loss(node: str, f: Callable[..., Any], operands: Any, reduction: str) -> Any:
    _broadcast(*operands[:2])
    return composite(composed(node), lambda *v: _reduced(f(*v), reduction), operands)


def _broadcast(*operands: Any) -> None:
    """Refuse shapes that do not broadcast."""
    a, b = (x.value.shape if isinstance(x, Tensor) else () for x in operands)
    try:
        np.broadcast_shapes(a, b)
    except ValueError as error:
        raise shape_mismatch(np.empty(a), np.empty(b), error) from None


def _same_size(input: Tensor, target: Tensor, name: str) -> None:
    if input.value.shape != target.value.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to incorrect "
            "results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )
        _broadcast(input, target)


def mse_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """As `torch.nn.functional.mse_loss`."""
    _same_size(input, target, "mse_loss")
    if reduction in ("mean", "sum") and input.value.dtype.kind == target.value.dtype.kind == "f":
        return call(_Mse, loss_rules.squared_distance, (input, target), {"mean": reduction == "mean"})
    return _loss("MseLossBackward0", lambda x, y: (x - y) * (x - y), (input, target), reduction)


_Mse = applied("MseLossBackward0")


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """As `torch.nn.functional.l1_loss`."""
    _same_size(input, target, "l1_loss")
    distance = (input - target).abs()
    return distance if reduction == "none" else distance.mean() if reduction == "mean" else distance.sum()


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """As `torch.nn.functional.smooth_l1_loss`."""

    def f(x: Any, y: Any) -> Any:
        d = _abs(x - y)
        return _where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta) if beta else d

    return _loss("SmoothL1LossBackward0", f, (input, target), reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Any:
    """As `torch.nn.functional.huber_loss`."""

    def f(x: Any, y: Any) -> Any:
        d = _abs(x - y)
        return _where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))

    return _loss("HuberLossBackward0", f, (input, target), reduction)


# --- classification -----------------------------------------------------------------------------------------


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
        return _reduced(found, reduction)

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
        return fnp.sum(found) / fnp.sum(factors) if reduction == "mean" else _reduced(found, reduction)

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
        return fnp.sum(found) / examples if reduction == "mean" else _reduced(found, reduction)

    return composite(composed("DivBackward1"), compute, (logs, target))


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """As `torch.nn.functional.binary_cross_entropy`."""
    if input.value.shape != target.value.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. Please ensure they "
            "have the same size."
        )
    if type(input.value) is np.ndarray and np.any((input.value < 0) | (input.value > 1)):
        raise RuntimeError("all elements of input should be between 0 and 1")

    def f(x: Any, y: Any, w: Any) -> Any:
        found = -(y * _clamped_log(x) + (1.0 - y) * _clamped_log(1.0 - x))
        return found if w is None else found * w

    return _loss("BinaryCrossEntropyBackward0", f, (input, target, weight), reduction)


def _clamped_log(x: Any) -> Any:
    return fnp.maximum(_log(x), -100.0)


_Bce = applied("BinaryCrossEntropyWithLogitsBackward0")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """As `torch.nn.functional.binary_cross_entropy_with_logits`."""
    if input.value.shape != target.value.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    kind = input.value.dtype
    if (
        weight is None
        and pos_weight is None
        and reduction in ("mean", "sum")
        and kind == target.value.dtype
        and input.value.shape == target.value.shape
    ):
        return call(_Bce, loss_rules.cross_entropy_of_logits, (input, target), {"mean": reduction == "mean"})

    def f(x: Any, y: Any, w: Any, p: Any) -> Any:
        factor = 1.0 if p is None else (p - 1.0) * y + 1.0
        found = (1.0 - y) * x + factor * _logaddexp(-x, 0.0)
        return found if w is None else found * w

    operands = (input, target, weight, pos_weight)
    return _loss("BinaryCrossEntropyWithLogitsBackward0", f, operands, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """As `torch.nn.functional.kl_div`."""

    def f(x: Any, y: Any) -> Any:
        if log_target:
            return _exp(y) * (y - x)
        zero = y == 0
        return _where(zero, 0.0, y * (_log(_where(zero, 1.0, y)) - x))

    out = _loss("KlDivBackward0", f, (input, target), reduction)
    return out / input.size(0) if reduction == "batchmean" else out


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Any = None,
    eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """As `torch.nn.functional.poisson_nll_loss`."""

    def f(x: Any, y: Any) -> Any:
        found = _exp(x) - y * x if log_input else x - y * _log(x + eps)
        if full:
            big = y > 1
            safe = _where(big, y, 1.0)
            found = found + _where(big, safe * _log(safe) - safe + 0.5 * _log(2 * math.pi * safe), 0.0)
        return found

    return _loss("MeanBackward0", f, (input, target), reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """As `torch.nn.functional.gaussian_nll_loss`."""

    def f(x: Any, y: Any, v: Any) -> Any:
        v = fnp.maximum(v, eps)
        found = 0.5 * (_log(v) + (x - y) * (x - y) / v)
        return found + 0.5 * math.log(2 * math.pi) if full else found

    return _loss("MeanBackward0", f, (input, target, var), reduction)


# --- distances ------------------------------------------------------------------------------------------------


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Any:
    """As `torch.nn.functional.cosine_similarity`."""

    def compute(x: Any, y: Any) -> Any:
        a = fnp.linalg.vector_norm(x, axis=dim)
        b = fnp.linalg.vector_norm(y, axis=dim)
        return fnp.sum(x * y, axis=dim) / (fnp.maximum(a, eps) * fnp.maximum(b, eps))

    return composite(composed("SumBackward1"), compute, (x1, x2))


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """As `torch.nn.functional.pairwise_distance`."""
    return composite(
        composed("NormBackward1"),
        lambda x, y: fnp.linalg.vector_norm(x - y + eps, axis=-1, ord=p, keepdims=keepdim),
        (x1, x2),
    )


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """As `torch.nn.functional.hinge_embedding_loss`."""

    def f(x: Any, y: Any) -> Any:
        return _where(y == 1, x, 0.0) + _where(y == -1, _positive(margin - x), 0.0)

    return _loss("MeanBackward0", f, (input, target), reduction)


def _positive(x: Any) -> Any:
    return _where(x > 0, x, 0.0)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """As `torch.nn.functional.margin_ranking_loss`."""
    return _loss(
        "MeanBackward0", lambda a, b, y: _positive(-y * (a - b) + margin), (input1, input2, target), reduction
    )


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """As `torch.nn.functional.soft_margin_loss`."""
    return _loss("SoftMarginLossBackward0", lambda x, y: _logaddexp(-y * x, 0.0), (input, target), reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """As `torch.nn.functional.cosine_embedding_loss`."""

    def f(a: Any, b: Any, y: Any) -> Any:
        small = 1e-12
        norms = fnp.sqrt((fnp.sum(a * a, axis=-1) + small) * (fnp.sum(b * b, axis=-1) + small))
        cosine = fnp.sum(a * b, axis=-1) / norms
        return _where(y == 1, 1.0 - cosine, 0.0) + _where(y == -1, _positive(cosine - margin), 0.0)

    return _loss("MeanBackward0", f, (input1, input2, target), reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """As `torch.nn.functional.triplet_margin_loss`."""

    def distance(x: Any, y: Any) -> Any:
        return fnp.linalg.vector_norm(x - y + eps, axis=-1, ord=p)

    def f(a: Any, b: Any, c: Any) -> Any:
        far = distance(a, c)
        if swap:
            far = fnp.minimum(far, distance(b, c))
        return _positive(distance(a, b) - far + margin)

    return _loss("MeanBackward0", f, (anchor, positive, negative), reduction)
