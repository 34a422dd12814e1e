"""`torch.nn.functional`: activations, affine maps, normalisation, dropout, embedding."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant, of_general
from funcdiff.compat.torch._apply import linear as _linear_node
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._elementwise import unary
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor, plain
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.nn.affine import bilinear, linear
from funcdiff.compat.torch.nn.attention import multi_head_attention_forward, scaled_dot_product_attention
from funcdiff.compat.torch.nn.class_losses import cross_entropy, nll_loss
from funcdiff.compat.torch.nn.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from funcdiff.compat.torch.nn.dropouts import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from funcdiff.compat.torch.nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cosine_similarity,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    pairwise_distance,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from funcdiff.compat.torch.nn.padding import pad
from funcdiff.compat.torch.nn.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    fold,
    lp_pool1d,
    lp_pool2d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    unfold,
)
from funcdiff.compat.torch.nn.shuffling import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
)
from funcdiff.compat.torch.nn.standardising import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)
from funcdiff.compat.torch.ops import functions, rules
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.exponentials import log_softmax as _log_softmax
from funcdiff.compat.torch.ops.exponentials import softmax as _softmax
from funcdiff.compat.torch.ops.indexing import at
from funcdiff.compat.torch.ops.reductions import vector_norm
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.indexing import getitem as p_getitem

_exp, _log1p, _expit, _tanh, _erf, _expm1 = (
    REGISTRY[n].function for n in ("exp", "log1p", "expit", "tanh", "erf", "expm1")
)
_logaddexp, _where, _abs = (REGISTRY[n].function for n in ("logaddexp", "where", "absolute"))


# --- activations --------------------------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Any:
    """As `torch.nn.functional.relu`."""
    return functions.relu_(input) if inplace else functions.relu(input)


relu_ = functions.relu_


def _activation(name: str, node: str, f: Any, operation: Any = None) -> Any:
    """Make an activation of a function of arrays, or of an operation on tensors, with its in-place variant."""
    cls = composed(node)

    def activate(input: Tensor, inplace: bool = False) -> Any:
        return in_place_variant(input) if inplace else out_of_place(input)

    def out_of_place(input: Tensor) -> Any:
        return composite(cls, f, (input,)) if operation is None else operation(input)

    out_of_place.__name__ = name
    in_place_variant = in_place(out_of_place, f"{name}_")
    activate.__name__ = activate.__qualname__ = name
    activate.__doc__ = f"As `torch.nn.functional.{name}`."
    return activate


relu6 = _activation("relu6", "HardtanhBackward0", lambda x: fnp.clip(x, 0.0, 6.0))
selu = _activation(
    "selu",
    "EluBackward0",
    lambda x: 1.0507009873554805 * _where(x > 0, x, 1.6732632423543772 * _expm1(_where(x > 0, 0.0, x))),
)
silu = _activation("silu", "SiluBackward0", None, unary("silu", rules.silu, "SiluBackward0", ()))
mish = _activation("mish", "MishBackward0", lambda x: x * _tanh(_logaddexp(x, 0.0)))
hardswish = _activation("hardswish", "HardswishBackward0", lambda x: x * fnp.clip(x + 3.0, 0.0, 6.0) / 6.0)
hardsigmoid = _activation("hardsigmoid", "HardsigmoidBackward0", lambda x: fnp.clip(x + 3.0, 0.0, 6.0) / 6.0)


def sigmoid(input: Tensor) -> Any:
    """As `torch.nn.functional.sigmoid`."""
    return functions.sigmoid(input)


def tanh(input: Tensor) -> Any:
    """As `torch.nn.functional.tanh`."""
    return functions.tanh(input)


_elu, _leaky_relu = of_general("EluBackward0", rules.elu), of_general("LeakyReluBackward0", rules.leaky_relu)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """As `torch.nn.functional.elu`."""
    return _elu(input, {"alpha": alpha})


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """As `torch.nn.functional.celu`."""
    return composite(
        composed("CeluBackward0"),
        lambda x: _where(x > 0, x, alpha * _expm1(_where(x > 0, 0.0, x) / alpha)),
        (input,),
    )


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """As `torch.nn.functional.leaky_relu`."""
    return _leaky_relu(input, {"slope": negative_slope})


def prelu(input: Tensor, weight: Tensor) -> Any:
    """As `torch.nn.functional.prelu`."""

    def compute(x: Any, w: Any) -> Any:
        if w.shape != (1,):
            w = fnp.reshape(w, (-1, *(1,) * (len(x.shape) - 2)))
        return _where(x > 0, x, w * x)

    return composite(composed("PreluKernelBackward0"), compute, (input, weight))


_gelu = unary("gelu", rules.gelu, "GeluBackward0", ())
_softplus = unary("softplus", rules.softplus, "SoftplusBackward0", ())


def gelu(input: Tensor, approximate: str = "none") -> Any:
    """As `torch.nn.functional.gelu`."""
    if approximate == "none":
        return _gelu(input)

    def compute(x: Any) -> Any:
        return 0.5 * x * (1.0 + _tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    return composite(composed("GeluBackward0"), compute, (input,))


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Any:
    """As `torch.nn.functional.softplus`."""
    if beta == 1 and threshold == 20:
        return _softplus(input)

    def compute(x: Any) -> Any:
        scaled = beta * x
        return _where(scaled > threshold, x, _logaddexp(_where(scaled > threshold, 0.0, scaled), 0.0) / beta)

    return composite(composed("SoftplusBackward0"), compute, (input,))


def logsigmoid(input: Tensor) -> Any:
    """As `torch.nn.functional.logsigmoid`."""
    return _logsigmoid(input)


_logsigmoid = unary("logsigmoid", rules.logsigmoid, "LogSigmoidBackward0", ())


def softsign(input: Tensor) -> Any:
    """As `torch.nn.functional.softsign`."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Any:
    """As `torch.nn.functional.tanhshrink`."""
    return input - functions.tanh(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """As `torch.nn.functional.hardtanh`."""
    return composite(composed("HardtanhBackward0"), lambda x: fnp.clip(x, min_val, max_val), (input,))


def softshrink(input: Tensor, lambd: float = 0.5) -> Any:
    """As `torch.nn.functional.softshrink`."""
    return composite(
        composed("SoftshrinkBackward0"),
        lambda x: _where(x > lambd, x - lambd, _where(x < -lambd, x + lambd, 0.0)),
        (input,),
    )


def hardshrink(input: Tensor, lambd: float = 0.5) -> Any:
    """As `torch.nn.functional.hardshrink`."""
    return composite(composed("HardshrinkBackward0"), lambda x: _where(_abs(x) > lambd, x, 0.0), (input,))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    """As `torch.nn.functional.threshold`."""
    return composite(composed("ThresholdBackward0"), lambda x: _where(x > threshold, x, value), (input,))


def glu(input: Tensor, dim: int = -1) -> Any:
    """As `torch.nn.functional.glu`."""
    axis = axis_of(dim, input.ndim)
    half = input.value.shape[axis] // 2
    if 2 * half != input.value.shape[axis]:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {axis} is size {input.value.shape[axis]}"
        )
    lead = (slice(None),) * axis

    def compute(x: Any) -> Any:
        return x[(*lead, slice(0, half))] * _expit(x[(*lead, slice(half, None))])

    return composite(composed("GluBackward0"), compute, (input,))


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """As `torch.nn.functional.softmax`."""
    return _softmax(input, _implicit("softmax", input) if dim is None else dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """As `torch.nn.functional.log_softmax`."""
    return _log_softmax(input, _implicit("log_softmax", input) if dim is None else dim, dtype)


def softmin(input: Tensor, dim: int | None = None) -> Any:
    """As `torch.nn.functional.softmin`."""
    return _softmax(-input, _implicit("softmin", input) if dim is None else dim)


def _implicit(name: str, input: Tensor) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=4,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    """As `torch.nn.functional.normalize`."""
    return input / vector_norm(input, p, dim, True).clamp_min(eps).expand_as(input)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Any:
    """As `torch.nn.functional.one_hot`."""
    if tensor.value.dtype != np.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, but got {FROM_NUMPY[tensor.value.dtype]}."
        )
    if num_classes < 0:
        num_classes = int(plain(tensor).max()) + 1
    elif type(tensor.value) is np.ndarray and tensor.numel() and int(tensor.value.max()) >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    if type(tensor.value) is np.ndarray and tensor.numel() and int(tensor.value.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    rows = np.eye(num_classes, dtype=np.int64)
    return constant(lambda places: at(rows, (places,)), (tensor,))


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, **_: Any) -> Any:
    """As `torch.nn.functional.embedding`."""
    size = weight.value.shape[0]
    index = input.value
    if type(index) is np.ndarray:
        if index.size and (index.min() < 0 or index.max() >= size):
            raise IndexError("index out of range in self")
        if padding_idx is None:
            return _linear_node(node_class("EmbeddingBackward0"), p_getitem, weight, {"index": (index,)})
    stop = REGISTRY["stop_gradient"].function

    def compute(w: Any, places: Any) -> Any:
        rows = at(w, (places,))
        if padding_idx is None:
            return rows
        return _where(fnp.expand_dims(places != padding_idx % size, -1), rows, stop(rows))

    return composite(composed("EmbeddingBackward0"), compute, (weight, input))


def __getattr__(name: str) -> Any:
    return refuse("nn.functional", name)


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "alpha_dropout", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu",
    "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "dropout",
    "dropout1d", "dropout2d", "dropout3d", "elu", "embedding", "feature_alpha_dropout", "fold",
    "gaussian_nll_loss", "gelu", "glu", "group_norm", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm",
    "leaky_relu", "linear", "log_softmax", "logsigmoid", "lp_pool1d", "lp_pool2d", "margin_ranking_loss",
    "max_pool1d", "max_pool2d", "max_pool3d", "mish", "mse_loss", "multi_head_attention_forward",
    "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance", "pixel_shuffle", "pixel_unshuffle",
    "poisson_nll_loss", "prelu", "relu", "relu6", "relu_", "rms_norm", "scaled_dot_product_attention",
    "selu", "sigmoid", "silu", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus",
    "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "triplet_margin_loss", "unfold",
    "upsample",
]  # fmt: skip
