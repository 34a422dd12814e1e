"""Loss functions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import applied, call, composed, composite
from funcdiff.compat.torch._elementwise import shape_mismatch
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.nn.reduction import reduced
from funcdiff.compat.torch.ops import loss_rules
from funcdiff.core.primitive import REGISTRY

_astype = REGISTRY["astype"].function
_logaddexp, _log, _where, _abs, _exp = (
    REGISTRY[n].function for n in ("logaddexp", "log", "where", "absolute", "exp")
)


def _loss(node: str, f: Callable[..., Any], operands: Any, reduction: str) -> Any:
    _broadcast(*operands[:2])
    return composite(composed(node), lambda *v: reduced(f(*v), reduction), operands)


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


# --- probabilities -----------------------------------------------------------------------------------------


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
