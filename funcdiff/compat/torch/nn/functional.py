"""`torch.nn.functional`: activations, affine maps, normalisation, dropout, embedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant
from funcdiff.compat.torch._apply import linear as _linear_node
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.nn.affine import affine
from funcdiff.compat.torch.nn.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from funcdiff.compat.torch.nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    nll_loss,
    pairwise_distance,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
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
from funcdiff.compat.torch.ops import functions
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.exponentials import log_softmax as _log_softmax
from funcdiff.compat.torch.ops.exponentials import softmax as _softmax
from funcdiff.compat.torch.ops.indexing import at
from funcdiff.compat.torch.ops.linalg import matmul
from funcdiff.compat.torch.ops.random import default_generator, for_examples
from funcdiff.compat.torch.ops.reductions import vector_norm
from funcdiff.compat.torch.ops.shapes import t
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.indexing import getitem as p_getitem

_exp, _log1p, _expit, _tanh, _erf, _expm1 = (
    REGISTRY[n].function for n in ("exp", "log1p", "expit", "tanh", "erf", "expm1")
)
_logaddexp, _where, _abs = (REGISTRY[n].function for n in ("logaddexp", "where", "absolute"))


# --- affine ------------------------------------------------------------------------------------------------


def linear(input: Tensor, weight: Tensor, bias: Any = None) -> Any:
    """As `torch.nn.functional.linear`."""
    same = bias is not None and input.value.dtype == weight.value.dtype == bias.value.dtype
    if same and len(input.value.shape) == 2 and len(weight.value.shape) == 2:
        m, n = input.value.shape, weight.value.shape
        if m[1] != n[1]:
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({m[0]}x{m[1]} and {n[1]}x{n[0]})")
        return affine(bias, input, t(weight))
    out = matmul(input, t(weight))
    return out if bias is None else out + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Any = None) -> Any:
    """As `torch.nn.functional.bilinear`."""

    def compute(x: Any, y: Any, w: Any) -> Any:
        return fnp.einsum("...i,oij,...j->...o", x, w, y)

    out = composite(composed("BilinearBackward0"), compute, (input1, input2, weight))
    return out if bias is None else out + bias


# --- activations --------------------------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Any:
    """As `torch.nn.functional.relu`."""
    return functions.relu_(input) if inplace else functions.relu(input)


relu_ = functions.relu_


def _activation(name: str, node: str, f: Any) -> Any:
    cls = composed(node)

    def activate(input: Tensor, inplace: bool = False) -> Any:
        return in_place_variant(input) if inplace else out_of_place(input)

    def out_of_place(input: Tensor) -> Any:
        return composite(cls, f, (input,))

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
silu = _activation("silu", "SiluBackward0", lambda x: x * _expit(x))
mish = _activation("mish", "MishBackward0", lambda x: x * _tanh(_logaddexp(x, 0.0)))
hardswish = _activation("hardswish", "HardswishBackward0", lambda x: x * fnp.clip(x + 3.0, 0.0, 6.0) / 6.0)
hardsigmoid = _activation("hardsigmoid", "HardsigmoidBackward0", lambda x: fnp.clip(x + 3.0, 0.0, 6.0) / 6.0)


def sigmoid(input: Tensor) -> Any:
    """As `torch.nn.functional.sigmoid`."""
    return functions.sigmoid(input)


def tanh(input: Tensor) -> Any:
    """As `torch.nn.functional.tanh`."""
    return functions.tanh(input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """As `torch.nn.functional.elu`."""
    return composite(
        composed("EluBackward0"), lambda x: _where(x > 0, x, alpha * _expm1(_where(x > 0, 0.0, x))), (input,)
    )


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """As `torch.nn.functional.celu`."""
    return composite(
        composed("CeluBackward0"),
        lambda x: _where(x > 0, x, alpha * _expm1(_where(x > 0, 0.0, x) / alpha)),
        (input,),
    )


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """As `torch.nn.functional.leaky_relu`."""
    return composite(composed("LeakyReluBackward0"), lambda x: _where(x > 0, x, negative_slope * x), (input,))


def prelu(input: Tensor, weight: Tensor) -> Any:
    """As `torch.nn.functional.prelu`."""

    def compute(x: Any, w: Any) -> Any:
        if w.shape != (1,):
            w = fnp.reshape(w, (-1, *(1,) * (len(x.shape) - 2)))
        return _where(x > 0, x, w * x)

    return composite(composed("PreluKernelBackward0"), compute, (input, weight))


def gelu(input: Tensor, approximate: str = "none") -> Any:
    """As `torch.nn.functional.gelu`."""

    def compute(x: Any) -> Any:
        if approximate == "tanh":
            return 0.5 * x * (1.0 + _tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1.0 + _erf(x * math.sqrt(0.5)))

    return composite(composed("GeluBackward0"), compute, (input,))


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Any:
    """As `torch.nn.functional.softplus`."""

    def compute(x: Any) -> Any:
        scaled = beta * x
        return _where(scaled > threshold, x, _logaddexp(_where(scaled > threshold, 0.0, scaled), 0.0) / beta)

    return composite(composed("SoftplusBackward0"), compute, (input,))


def logsigmoid(input: Tensor) -> Any:
    """As `torch.nn.functional.logsigmoid`."""
    return composite(composed("LogSigmoidBackward0"), lambda x: -_logaddexp(-x, 0.0), (input,))


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
    return _softmax(input, _implicit(input) if dim is None else dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """As `torch.nn.functional.log_softmax`."""
    return _log_softmax(input, _implicit(input) if dim is None else dim, dtype)


def softmin(input: Tensor, dim: int | None = None) -> Any:
    """As `torch.nn.functional.softmin`."""
    return softmax(-input, dim)


def _implicit(input: Tensor) -> int:
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


def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """As `torch.nn.functional.pad`."""
    widths = [(0, 0)] * input.ndim
    for n in range(len(pad) // 2):
        widths[input.ndim - 1 - n] = (pad[2 * n], pad[2 * n + 1])
    axes = len(pad) // 2
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    nodes = {
        "constant": "ConstantPadNdBackward0",
        "reflect": f"ReflectionPad{axes}DBackward0",
        "replicate": f"ReplicationPad{axes}DBackward0",
        "circular": "CopySlices",
    }
    keywords = {"constant_values": 0 if value is None else value} if mode == "constant" else {}
    return composite(
        composed(nodes[mode]),
        lambda x: fnp.pad(x, widths, names[mode], **keywords),
        (input,),
    )


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


# --- dropout -------------------------------------------------------------------------------------------------


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """As `torch.nn.functional.dropout`; its own stream of random numbers."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    return _scaled_by(input, _kept(input.value.shape, p, input.value.dtype))


def _kept(shape: tuple[int, ...], p: float, dtype: Any) -> Any:
    def draw(full: tuple[int, ...]) -> Any:
        u = default_generator.uniform(math.prod(full), np.dtype(np.float64)).reshape(full)
        return ((u < 1 - p) / (1 - p if p < 1 else 1)).astype(dtype)

    return wrap(for_examples(shape, draw))


def _scaled_by(input: Tensor, mask: Tensor) -> Any:
    return input * mask


def _channels(input: Tensor, p: float, training: bool) -> Any:
    if not training or p == 0:
        return input
    shape = (*input.value.shape[:2], *(1,) * (input.ndim - 2))
    return _scaled_by(input, _kept(shape, p, input.value.dtype))


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """As `torch.nn.functional.dropout1d`: whole channels."""
    return _channels(input, p, training)


dropout2d = dropout3d = dropout1d


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """As `torch.nn.functional.alpha_dropout`."""
    if not training or p == 0:
        return input
    alpha = 1.7580993408473766
    a = 1 / math.sqrt((alpha**2 * p + 1) * (1 - p))
    mask = constant(lambda m: m * (1 - p), (_kept(input.value.shape, p, input.value.dtype),))
    return (input * mask - alpha * (1 - mask)) * a + alpha * a * p


# --- normalisation --------------------------------------------------------------------------------------------


def _standardized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    centred = x - fnp.mean(x, axis=axes, keepdims=True)
    return centred / fnp.sqrt(fnp.mean(centred * centred, axis=axes, keepdims=True) + eps)


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """As `torch.nn.functional.layer_norm`."""
    count = len(normalized_shape)
    axes = tuple(range(input.ndim - count, input.ndim))

    def compute(x: Any, w: Any, b: Any) -> Any:
        y = _standardized(x, axes, eps)
        y = y if w is None else y * w
        return y if b is None else y + b

    return composite(composed("NativeLayerNormBackward0"), compute, (input, weight, bias))


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


# --- attention ------------------------------------------------------------------------------------------------


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """As `torch.nn.functional.scaled_dot_product_attention`."""
    factor = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    scores = matmul(query, key.transpose(-2, -1)) * factor
    if is_causal:
        mask = np.tri(query.size(-2), key.size(-2), dtype=bool)
        scores = scores.masked_fill(wrap(~mask), -math.inf)
    if attn_mask is not None:
        if attn_mask.value.dtype.kind == "b":
            scores = scores.masked_fill(attn_mask.logical_not(), -math.inf)
        else:
            scores = scores + attn_mask
    weights = dropout(_softmax(scores, -1), dropout_p)
    return matmul(weights, value)


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "alpha_dropout", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "conv1d",
    "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss",
    "cosine_similarity", "cross_entropy", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu",
    "embedding", "fold", "gaussian_nll_loss", "gelu", "glu", "group_norm", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "hinge_embedding_loss", "huber_loss", "instance_norm", "kl_div", "l1_loss",
    "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid", "lp_pool1d", "lp_pool2d",
    "margin_ranking_loss", "max_pool1d", "max_pool2d", "max_pool3d", "mish", "mse_loss", "nll_loss",
    "normalize", "one_hot", "pad", "pairwise_distance", "poisson_nll_loss", "prelu", "relu", "relu6",
    "relu_", "rms_norm", "scaled_dot_product_attention", "selu", "sigmoid", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink",
    "threshold", "triplet_margin_loss", "unfold",
]  # fmt: skip
