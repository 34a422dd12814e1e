"""Modules that standardise: by layer, by group, by instance, by batch."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

from typing import Any

import funcdiff.compat.torch.nn.functional as F
from funcdiff.compat.torch.nn import init
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.parameter import Parameter
from funcdiff.compat.torch.ops.creation import ones, tensor, zeros


def _scale(module: Any, shape: Any, weight: bool, bias: bool, made: dict[str, Any]) -> None:
    """Give a module the parameters of what follows the standardisation."""
    module.register_parameter("weight", Parameter(ones(*shape, **made)) if weight else None)
    module.register_parameter("bias", Parameter(zeros(*shape, **made)) if bias else None)


class _Scaled(Module):
    """A module with one weight and one bias for each element or channel."""

    def reset_parameters(self) -> None:
        """Put the weights to one and the biases to zero."""
        if self.weight is not None:
            init.ones_(self.weight)
        if getattr(self, "bias", None) is not None:
            init.zeros_(self.bias)


class LayerNorm(_Scaled):
    """Standardise over the last axes of each example."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        made = {"device": device, "dtype": dtype}
        _scale(self, shape, elementwise_affine, elementwise_affine and bias, made)

    def forward(self, input: Any) -> Any:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(_Scaled):
    """Divide by the root mean square over the last axes."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        made = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(*shape, **made)) if elementwise_affine else None)

    def forward(self, input: Any) -> Any:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Scaled):
    """Standardise over groups of channels."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        _scale(self, (num_channels,), affine, affine and bias, {"device": device, "dtype": dtype})

    def forward(self, input: Any) -> Any:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class BatchNorm1d(_Scaled):
    """Standardise each channel over the batch, and by running statistics in evaluation."""

    ranks: tuple[int, ...] = (2, 3)
    spoken = "2D or 3D"

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        made = {"device": device, "dtype": dtype}
        _scale(self, (num_features,), affine, affine and bias, made)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **made) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **made) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, input: Any) -> None:
        if input.ndim not in self.ranks:
            raise ValueError(f"expected {self.spoken} input (got {input.ndim}D input)")

    def _share(self) -> float:
        """Count the batch, and return the share it has in the running statistics."""
        if not (self.training and self.track_running_stats and self.num_batches_tracked is not None):
            return self.momentum or 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def forward(self, input: Any) -> Any:
        self._check(input)
        share = self._share()
        use_batch = self.training or self.running_mean is None
        followed = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if followed else (None, None)
        return F.batch_norm(input, mean, var, self.weight, self.bias, use_batch, share, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(BatchNorm1d):
    """Standardise each channel over the batch and the two last axes."""

    ranks = (4,)
    spoken = "4D"


class BatchNorm3d(BatchNorm1d):
    """Standardise each channel over the batch and the three last axes."""

    ranks = (5,)
    spoken = "5D"


class InstanceNorm1d(BatchNorm1d):
    """Standardise each channel of each example."""

    ranks = (2, 3)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        self._check(input)
        single = input.ndim == self.ranks[0]
        found = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return found.squeeze(0) if single else found


class InstanceNorm2d(InstanceNorm1d):
    """Standardise each channel of each example over two axes."""

    ranks = (3, 4)
    spoken = "3D or 4D"


class InstanceNorm3d(InstanceNorm1d):
    """Standardise each channel of each example over three axes."""

    ranks = (4, 5)
    spoken = "4D or 5D"
