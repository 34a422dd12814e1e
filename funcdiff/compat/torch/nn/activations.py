"""Modules of activations and losses: `nn.functional` with settings."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

from typing import Any

import funcdiff.compat.torch.nn.functional as F
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.parameter import Parameter
from funcdiff.compat.torch.ops.creation import full


class _Activation(Module):
    """A function of one tensor, with settings that its text shows."""

    function: Any
    settings: tuple[tuple[str, Any], ...] = ()
    shown: tuple[str, ...] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        names = [name for name, _ in self.settings]
        given = dict(zip(names, args, strict=False)) | kwargs
        unknown = set(given) - set(names)
        if unknown or len(args) > len(names):
            raise TypeError(
                f"{type(self).__name__}() takes {names or 'no arguments'}, not {sorted(unknown) or args}"
            )
        for name, default in self.settings:
            setattr(self, name, given.get(name, default))

    def forward(self, input: Any) -> Any:
        return type(self).function(input, **{name: getattr(self, name) for name, _ in self.settings})

    def extra_repr(self) -> str:
        words = []
        for name, _ in self.settings:
            value = getattr(self, name)
            if name == "inplace":
                words += ["inplace=True"] if value else []
            else:
                words.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}")
        return ", ".join(words)


_IN_PLACE = (("inplace", False),)


class ReLU(_Activation):
    """``max(x, 0)``."""

    function: Any = staticmethod(F.relu)
    settings = _IN_PLACE


class ReLU6(_Activation):
    """``min(max(x, 0), 6)``."""

    function: Any = staticmethod(F.relu6)
    settings = _IN_PLACE


class SELU(_Activation):
    """The self-normalising exponential unit."""

    function: Any = staticmethod(F.selu)
    settings = _IN_PLACE


class SiLU(_Activation):
    """``x * sigmoid(x)``."""

    function: Any = staticmethod(F.silu)
    settings = _IN_PLACE


class Mish(_Activation):
    """``x * tanh(softplus(x))``."""

    function: Any = staticmethod(F.mish)
    settings = _IN_PLACE


class Hardswish(_Activation):
    """``x * relu6(x + 3) / 6``."""

    function: Any = staticmethod(F.hardswish)
    settings = _IN_PLACE


class Hardsigmoid(_Activation):
    """``relu6(x + 3) / 6``."""

    function: Any = staticmethod(F.hardsigmoid)
    settings = _IN_PLACE


class Sigmoid(_Activation):
    """``1 / (1 + exp(-x))``."""

    function: Any = staticmethod(F.sigmoid)


class Tanh(_Activation):
    """``tanh(x)``."""

    function: Any = staticmethod(F.tanh)


class LogSigmoid(_Activation):
    """``log(sigmoid(x))``."""

    function: Any = staticmethod(F.logsigmoid)


class Softsign(_Activation):
    """``x / (1 + |x|)``."""

    function: Any = staticmethod(F.softsign)


class Tanhshrink(_Activation):
    """``x - tanh(x)``."""

    function: Any = staticmethod(F.tanhshrink)


class ELU(_Activation):
    """``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere."""

    function: Any = staticmethod(F.elu)
    settings = (("alpha", 1.0), *_IN_PLACE)


class CELU(_Activation):
    """ELU with a continuous derivative."""

    function: Any = staticmethod(F.celu)
    settings = (("alpha", 1.0), *_IN_PLACE)


class LeakyReLU(_Activation):
    """``x`` where positive, a small multiple elsewhere."""

    function: Any = staticmethod(F.leaky_relu)
    settings = (("negative_slope", 0.01), *_IN_PLACE)


class GELU(_Activation):
    """``x`` times the normal distribution function."""

    function: Any = staticmethod(F.gelu)
    settings = (("approximate", "none"),)


class Softplus(_Activation):
    """``log(1 + exp(x))``."""

    function: Any = staticmethod(F.softplus)
    settings = (("beta", 1.0), ("threshold", 20.0))


class Hardtanh(_Activation):
    """Limited to an interval."""

    function: Any = staticmethod(F.hardtanh)
    settings = (("min_val", -1.0), ("max_val", 1.0), *_IN_PLACE)


class Softshrink(_Activation):
    """Moved towards zero."""

    function: Any = staticmethod(F.softshrink)
    settings = (("lambd", 0.5),)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(Softshrink):
    """Zero where it is small."""

    function: Any = staticmethod(F.hardshrink)


class Threshold(_Activation):
    """``x`` above a threshold, a value elsewhere."""

    function: Any = staticmethod(F.threshold)
    settings = (("threshold", 0.0), ("value", 0.0), *_IN_PLACE)


class Softmax(_Activation):
    """Exponentials that sum to one."""

    function: Any = staticmethod(F.softmax)
    settings = (("dim", None),)


class LogSoftmax(Softmax):
    """The logarithm of the softmax."""

    function: Any = staticmethod(F.log_softmax)


class Softmin(Softmax):
    """The softmax of the negative."""

    function: Any = staticmethod(F.softmin)


class GLU(_Activation):
    """One half gated by the other."""

    function: Any = staticmethod(F.glu)
    settings = (("dim", -1),)


class PReLU(Module):
    """Leaky ReLU with a slope that is learnt."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), init))

    def forward(self, input: Any) -> Any:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


# --- losses ------------------------------------------------------------------------------------------------


class _Loss(Module):
    """A loss function with settings."""

    function: Any
    names: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = ()

    def __init__(
        self, *args: Any, reduction: str = "mean", size_average: Any = None, reduce: Any = None, **kwargs: Any
    ) -> None:
        super().__init__()
        self.reduction = reduction
        given = dict(zip(self.names, args, strict=False)) | kwargs
        for name, default in zip(self.names, self.defaults, strict=True):
            value = given.pop(name, default)
            if name in ("weight", "pos_weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        if given:
            raise TypeError(f"{type(self).__name__}() got unexpected arguments {sorted(given)}")

    def forward(self, *tensors: Any) -> Any:
        settings = {name: getattr(self, name) for name in self.names}
        return type(self).function(*tensors, reduction=self.reduction, **settings)


class MSELoss(_Loss):
    """Mean squared error."""

    function: Any = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    """Mean absolute error."""

    function: Any = staticmethod(F.l1_loss)


class SmoothL1Loss(_Loss):
    """Squared below `beta`, absolute above."""

    function: Any = staticmethod(F.smooth_l1_loss)
    names, defaults = ("beta",), (1.0,)


class HuberLoss(_Loss):
    """Squared below `delta`, absolute above."""

    function: Any = staticmethod(F.huber_loss)
    names, defaults = ("delta",), (1.0,)


class CrossEntropyLoss(_Loss):
    """Cross entropy of logits and classes or probabilities."""

    function: Any = staticmethod(F.cross_entropy)
    names, defaults = ("weight", "ignore_index", "label_smoothing"), (None, -100, 0.0)


class NLLLoss(_Loss):
    """Negative log likelihood of log probabilities."""

    function: Any = staticmethod(F.nll_loss)
    names, defaults = ("weight", "ignore_index"), (None, -100)


class BCELoss(_Loss):
    """Binary cross entropy of probabilities."""

    function: Any = staticmethod(F.binary_cross_entropy)
    names, defaults = ("weight",), (None,)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of logits."""

    function: Any = staticmethod(F.binary_cross_entropy_with_logits)
    names, defaults = ("weight", "pos_weight"), (None, None)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence of log probabilities."""

    function: Any = staticmethod(F.kl_div)
    names, defaults = ("log_target",), (False,)


class PoissonNLLLoss(_Loss):
    """Negative log likelihood of counts."""

    function: Any = staticmethod(F.poisson_nll_loss)
    names, defaults = ("log_input", "full", "eps"), (True, False, 1e-8)


class GaussianNLLLoss(_Loss):
    """Negative log likelihood of normal numbers."""

    function: Any = staticmethod(F.gaussian_nll_loss)
    names, defaults = ("full", "eps"), (False, 1e-6)


class HingeEmbeddingLoss(_Loss):
    """Distance of what is alike, hinge of what is not."""

    function: Any = staticmethod(F.hinge_embedding_loss)
    names, defaults = ("margin",), (1.0,)


class MarginRankingLoss(_Loss):
    """Hinge of a difference of the wrong sign."""

    function: Any = staticmethod(F.margin_ranking_loss)
    names, defaults = ("margin",), (0.0,)


class SoftMarginLoss(_Loss):
    """``log(1 + exp(-y x))``."""

    function: Any = staticmethod(F.soft_margin_loss)


class CosineEmbeddingLoss(_Loss):
    """By the cosine of two vectors."""

    function: Any = staticmethod(F.cosine_embedding_loss)
    names, defaults = ("margin",), (0.0,)


class TripletMarginLoss(_Loss):
    """Nearer to the positive than to the negative, by a margin."""

    function: Any = staticmethod(F.triplet_margin_loss)
    names, defaults = ("margin", "p", "eps", "swap"), (1.0, 2.0, 1e-6, False)


class CosineSimilarity(Module):
    """The cosine of two vectors."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The distance of two vectors."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
