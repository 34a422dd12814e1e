"""Modules: affine layers, dropout, embedding, shapes."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

import math
from typing import Any

import funcdiff.compat.torch.nn.functional as F
from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch.autograd.grad_mode import no_grad
from funcdiff.compat.torch.nn import init
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.parameter import Parameter
from funcdiff.compat.torch.ops.creation import empty


class Identity(Module):
    """Return what comes in."""

    def forward(self, input: Any) -> Any:
        return input


class Linear(Module):
    """An affine map: ``x @ weight.T + bias``."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        if bias:
            self.bias = Parameter(empty(out_features, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new parameters."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class Bilinear(Module):
    """``x1 @ weight @ x2 + bias``."""

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        bound = 1 / math.sqrt(in1_features)
        self.weight = Parameter(init.uniform_(empty(out_features, in1_features, in2_features), -bound, bound))
        self.register_parameter(
            "bias", Parameter(init.uniform_(empty(out_features), -bound, bound)) if bias else None
        )

    def forward(self, input1: Any, input2: Any) -> Any:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Flatten(Module):
    """Flatten a range of axes."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Any:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Give one axis a shape."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Any) -> Any:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Embedding(Module):
    """A table of vectors, read by number."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        for name, given in (
            ("max_norm", max_norm),
            ("scale_grad_by_freq", scale_grad_by_freq),
            ("sparse", sparse),
        ):
            if given:
                raise unsupported(f"nn.Embedding with {name}", "Leave it out.")
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError("Padding_idx must be within num_embeddings")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.weight = Parameter(
            empty(num_embeddings, embedding_dim, dtype=dtype, device=device) if _weight is None else _weight,
            requires_grad=not _freeze,
        )
        if _weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new vectors; that of the padding is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Embedding:
        """Make a table of given vectors."""
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Any) -> Any:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        more = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{more}"


# --- dropout -------------------------------------------------------------------------------------------------


class Dropout(Module):
    """Put a share of the elements to zero while training."""

    drop: Any = staticmethod(F.dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Any:
        return self.drop(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(Dropout):
    """Put whole channels to zero."""

    drop = staticmethod(F.dropout1d)


class Dropout2d(Dropout):
    """Put whole channels of two axes to zero."""

    drop = staticmethod(F.dropout2d)


class Dropout3d(Dropout):
    """Put whole channels of three axes to zero."""

    drop = staticmethod(F.dropout3d)


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance, for SELU."""

    drop = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(Dropout):
    """Dropout of channels that keeps mean and variance, for SELU."""

    drop = staticmethod(F.feature_alpha_dropout)
