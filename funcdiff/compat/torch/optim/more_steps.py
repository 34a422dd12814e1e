"""More optimisers that move each parameter by a formula of its gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch.optim.optimizer import Optimizer, check

_RUN = {"foreach": None, "maximize": False, "capturable": False, "differentiable": False}


class Adadelta(Optimizer):
    """Steps by the ratio of running root mean squares of steps and gradients (Zeiler 2012)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        **run: Any,
    ) -> None:
        check(
            lr=("learning rate", lr, lr >= 0),
            rho=("rho value", rho, 0 <= rho <= 1),
            eps=("epsilon value", eps, eps >= 0),
            decay=("weight_decay value", weight_decay, weight_decay >= 0),
        )
        super().__init__(
            params,
            {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, **self.settings(_RUN, run)},
        )

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, square_avg=np.zeros_like(x), acc_delta=np.zeros_like(x))
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * x
        rho, eps = group["rho"], group["eps"]
        square, moved = state["square_avg"], state["acc_delta"]
        square *= rho
        square += (1 - rho) * (g * g)
        delta = np.sqrt(moved + eps) / np.sqrt(square + eps) * g
        moved *= rho
        moved += (1 - rho) * (delta * delta)
        x -= group["lr"] * delta


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square (Kingma and Ba 2014)."""

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        **run: Any,
    ) -> None:
        _check_betas(lr, eps, betas, weight_decay)
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **self.settings(_RUN, run)},
        )

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(x), exp_inf=np.zeros_like(x))
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * x
        b1, b2 = group["betas"]
        mean, largest = state["exp_avg"], state["exp_inf"]
        mean += (1 - b1) * (g - mean)
        np.maximum(largest * b2, np.abs(g) + group["eps"], out=largest)
        x -= group["lr"] / (1 - b1 ** state["step"]) * (mean / largest)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        **run: Any,
    ) -> None:
        _check_betas(lr, eps, betas, weight_decay)
        check(decay=("momentum_decay value", momentum_decay, momentum_decay >= 0))
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                **self.settings(_RUN, run),
            },
        )

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, mu_product=1.0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
        state["step"] += 1
        t, (b1, b2), lr = state["step"], group["betas"], group["lr"]
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                x *= 1 - lr * group["weight_decay"]
            else:
                g = g + group["weight_decay"] * x
        mu = b1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))
        mu_next = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * group["momentum_decay"]))
        state["mu_product"] *= mu
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean += (1 - b1) * (g - mean)
        square *= b2
        square += (1 - b2) * (g * g)
        root = np.sqrt(square / (1 - b2**t)) + group["eps"]
        x -= lr * (1 - mu) / (1 - state["mu_product"]) * (g / root)
        x -= lr * mu_next / (1 - state["mu_product"] * mu_next) * (mean / root)


class RAdam(Optimizer):
    """Adam whose rate waits until the variance of its scale is known (Liu and others 2019)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        **run: Any,
    ) -> None:
        _check_betas(lr, eps, betas, weight_decay)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                **self.settings(_RUN, run),
            },
        )

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
        state["step"] += 1
        t, (b1, b2), lr = state["step"], group["betas"], group["lr"]
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                x *= 1 - lr * group["weight_decay"]
            else:
                g = g + group["weight_decay"] * x
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean += (1 - b1) * (g - mean)
        square *= b2
        square += (1 - b2) * (g * g)
        first, second = 1 - b1**t, 1 - b2**t
        longest = 2 / (1 - b2) - 1
        length = longest - 2 * t * b2**t / second
        step = mean / first
        if length > 5:
            rect = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            step = step * rect * (math.sqrt(second) / (np.sqrt(square) + group["eps"]))
        x -= lr * step


class Rprop(Optimizer):
    """Steps by the signs of gradients, longer while a sign stays (Riedmiller and Braun 1993)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        **run: Any,
    ) -> None:
        check(lr=("learning rate", lr, lr >= 0))
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(
            params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, **self.settings(_RUN, run)}
        )

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, prev=np.zeros_like(x), step_size=np.full_like(x, group["lr"]))
        state["step"] += 1
        shrink, grow = group["etas"]
        same = np.sign(g * state["prev"])
        factors = np.where(same > 0, grow, np.where(same < 0, shrink, 1.0)).astype(x.dtype)
        np.clip(state["step_size"] * factors, *group["step_sizes"], out=state["step_size"])
        g = np.where(same < 0, 0, g)
        x -= np.sign(g) * state["step_size"]
        state["prev"][...] = g


class ASGD(Optimizer):
    """Gradient descent that keeps the mean of its iterates (Polyak and Juditsky 1992)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        **run: Any,
    ) -> None:
        check(
            lr=("learning rate", lr, lr >= 0),
            decay=("weight_decay value", weight_decay, weight_decay >= 0),
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                **self.settings(_RUN, run),
            },
        )

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, eta=group["lr"], mu=1.0, ax=np.zeros_like(x))
        state["step"] += 1
        if group["weight_decay"]:
            g = g + group["weight_decay"] * x
        x *= 1 - group["lambd"] * state["eta"]
        x -= state["eta"] * g
        mean = state["ax"]
        if state["mu"] == 1:
            mean[...] = x
        else:
            mean += (x - mean) * state["mu"]
        t = state["step"]
        state["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * t) ** group["alpha"]
        state["mu"] = 1 / max(1, t - group["t0"])


def _check_betas(lr: float, eps: float, betas: tuple[float, float], weight_decay: float) -> None:
    check(
        lr=("learning rate", lr, lr >= 0),
        eps=("epsilon value", eps, eps >= 0),
        beta1=("beta parameter at index 0", betas[0], 0 <= betas[0] < 1),
        beta2=("beta parameter at index 1", betas[1], 0 <= betas[1] < 1),
        decay=("weight_decay value", weight_decay, weight_decay >= 0),
    )
