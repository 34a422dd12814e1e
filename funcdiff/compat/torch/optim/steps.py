"""Optimisers that move each parameter by a formula of its gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch.optim.optimizer import Optimizer, check


class SGD(Optimizer):
    """Gradient descent, with momentum."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: Any = None,
        differentiable: bool = False,
        fused: Any = None,
    ) -> None:
        check(
            lr=("learning rate", lr, lr >= 0),
            momentum=("momentum value", momentum, momentum >= 0),
            decay=("weight_decay value", weight_decay, weight_decay >= 0),
        )
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if group["weight_decay"]:
            g = g + group["weight_decay"] * x
        momentum = group["momentum"]
        if momentum:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = g.copy()
            else:
                buffer *= momentum
                buffer += (1 - group["dampening"]) * g
            g = g + momentum * buffer if group["nesterov"] else buffer
        x -= group["lr"] * g


class Adam(Optimizer):
    """Steps by running means of the gradient and its square."""

    decoupled = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: Any = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: Any = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check(
            lr=("learning rate", lr, lr >= 0),
            eps=("epsilon value", eps, eps >= 0),
            beta1=("beta parameter at index 0", betas[0], 0 <= betas[0] < 1),
            beta2=("beta parameter at index 1", betas[1], 0 <= betas[1] < 1),
            decay=("weight_decay value", weight_decay, weight_decay >= 0),
        )
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay or self.decoupled,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = np.zeros_like(x)
        state["step"] += 1
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                x *= 1 - group["lr"] * group["weight_decay"]
            else:
                g = g + group["weight_decay"] * x
        b1, b2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean += (1 - b1) * (g - mean)
        square *= b2
        square += (1 - b2) * (g * g)
        first, second = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        if group["amsgrad"]:
            square = np.maximum(state["max_exp_avg_sq"], square, out=state["max_exp_avg_sq"])
        x -= (group["lr"] / first) * (mean / (np.sqrt(square) / math.sqrt(second) + group["eps"]))


class AdamW(Adam):
    """Adam with weights that decay by themselves."""

    decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **kwargs)


class RMSprop(Optimizer):
    """Steps divided by a running root mean square."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: Any = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=("learning rate", lr, lr >= 0), alpha=("alpha value", alpha, alpha >= 0))
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, square_avg=np.zeros_like(x))
            if group["momentum"]:
                state["momentum_buffer"] = np.zeros_like(x)
            if group["centered"]:
                state["grad_avg"] = np.zeros_like(x)
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * x
        alpha = group["alpha"]
        square = state["square_avg"]
        square *= alpha
        square += (1 - alpha) * (g * g)
        if group["centered"]:
            mean = state["grad_avg"]
            mean += (1 - alpha) * (g - mean)
            root = np.sqrt(square - mean * mean)
        else:
            root = np.sqrt(square)
        step = g / (root + group["eps"])
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            buffer *= group["momentum"]
            buffer += step
            step = buffer
        x -= group["lr"] * step


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of squares."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: Any = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: Any = None,
    ) -> None:
        check(lr=("learning rate", lr, lr >= 0), decay=("lr_decay value", lr_decay, lr_decay >= 0))
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, sum=np.full_like(x, group["initial_accumulator_value"]))
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * x
        state["sum"] += g * g
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        x -= rate * (g / (np.sqrt(state["sum"]) + group["eps"]))
