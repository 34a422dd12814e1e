"""`scaled_dot_product_attention` and `multi_head_attention_forward`, of differentiable operations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.nn.affine import linear
from funcdiff.compat.torch.nn.dropouts import dropout
from funcdiff.compat.torch.ops.creation import zeros
from funcdiff.compat.torch.ops.exponentials import softmax
from funcdiff.compat.torch.ops.joining import cat
from funcdiff.compat.torch.ops.products import matmul


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """As `torch.nn.functional.scaled_dot_product_attention`.

    Parameters
    ----------
    query, key, value : Tensor
        Of shapes (..., L, E), (..., S, E) and (..., S, V).
    attn_mask : Tensor, optional
        True where a key is seen, or numbers that are added to the scores.
    dropout_p : float, default 0
        The share of weights that are put to zero.
    is_causal : bool, default False
        Whether a place sees only those before it, and itself.
    scale : float, optional
        What the scores are multiplied by; ``1 / sqrt(E)`` by default.
    enable_gqa : bool, default False
        Whether heads of `query` share those of `key` and `value`.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
        )
    if enable_gqa:
        heads = query.size(-3)
        key = key.repeat_interleave(heads // key.size(-3), -3)
        value = value.repeat_interleave(heads // value.size(-3), -3)
    factor = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    scores = matmul(query, key.transpose(-2, -1)) * factor
    if is_causal:
        attn_mask = wrap(np.tri(query.size(-2), key.size(-2), dtype=bool))
    if attn_mask is None:
        return matmul(dropout(softmax(scores, -1), dropout_p), value)
    if attn_mask.value.dtype.kind == "b":
        scores = scores.masked_fill(attn_mask.logical_not(), -math.inf)
    else:
        scores = scores + attn_mask
    blind = (scores.detach() == -math.inf).all(-1, keepdim=True)  # a place that sees nothing gets zeros
    weights = softmax(scores.masked_fill(blind, 0.0), -1).masked_fill(blind, 0.0)
    return matmul(dropout(weights, dropout_p), value)


def _as_numbers(mask: Any, dtype: Any) -> Any:
    """Return a mask as what is added to scores: minus infinity where a boolean one is True."""
    if mask is None or mask.value.dtype.kind != "b":
        return mask
    return zeros(*mask.shape, dtype=dtype).masked_fill(mask, -math.inf)


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weights: Any, in_proj_weight: Any, bias: Any
) -> list[Any]:
    """Return queries, keys and values after their affine maps."""
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    if in_proj_weight is not None:
        if query is key and key is value:
            size = query.size(-1)
            found = linear(query, in_proj_weight, bias).unflatten(-1, (3, size))
            return [found.select(-2, n) for n in range(3)]
        weights = in_proj_weight.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """As `torch.nn.functional.multi_head_attention_forward`."""
    single = query.ndim == 2
    if query.ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if single:
        same = query is key, key is value
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, size = query.shape
    if size != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {size}")
    width = size // num_heads
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _projected(
        query, key, value, separate, None if use_separate_proj_weight else in_proj_weight, in_proj_bias
    )
    mask, padding = _as_numbers(attn_mask, q.dtype), _as_numbers(key_padding_mask, q.dtype)
    more = 0
    if bias_k is not None:
        k, v = cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)])
        more += 1
    q = q.reshape(length, batch * num_heads, width).transpose(0, 1)
    k = k.reshape(k.size(0), batch * num_heads, width).transpose(0, 1) if static_k is None else static_k
    v = v.reshape(v.size(0), batch * num_heads, width).transpose(0, 1) if static_v is None else static_v
    if add_zero_attn:
        blank = zeros(batch * num_heads, 1, width, dtype=k.dtype)
        k, v = cat([k, blank], 1), cat([v, blank], 1)
        more += 1
    if more:
        mask = None if mask is None else cat([mask, zeros(*mask.shape[:-1], more, dtype=mask.dtype)], -1)
        padding = None if padding is None else cat([padding, zeros(batch, more, dtype=padding.dtype)], -1)
    seen = k.size(1)
    if mask is not None:
        mask = mask.reshape(-1, num_heads, length, seen) if mask.ndim == 3 else mask
    if padding is not None:
        hidden = padding.reshape(batch, 1, 1, seen)
        mask = hidden if mask is None else mask + hidden
    q, k, v = (x.reshape(batch, num_heads, -1, width) for x in (q, k, v))
    share = dropout_p if training else 0.0
    if not need_weights:
        out, weights = scaled_dot_product_attention(q, k, v, mask, share), None
    else:
        scores = matmul(q * math.sqrt(1.0 / width), k.transpose(-2, -1))
        weights = dropout(softmax(scores if mask is None else scores + mask, -1), share)
        out = matmul(weights, v)
        weights = weights.mean(1) if average_attn_weights else weights.view(*weights.shape)
    out = out.permute(2, 0, 1, 3).reshape(length * batch, size)
    out = linear(out, out_proj_weight, out_proj_bias).view(length, batch, -1)
    if single:
        return out.squeeze(1), None if weights is None else weights.squeeze(0)
    return out, weights
