"""More learning rates that change from epoch to epoch, and schedules made of others."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from funcdiff.compat.torch.optim.lr_scheduler import LRScheduler


class MultiplicativeLR(LRScheduler):
    """Multiply by a function of the epoch."""

    def __init__(self, optimizer: Any, lr_lambda: Any, last_epoch: int = -1) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._rates()
        return [lr * f(self.last_epoch) for lr, f in zip(self._rates(), self.lr_lambdas, strict=True)]


class ConstantLR(LRScheduler):
    """The first rate times `factor`, until `total_iters` epochs have gone."""

    def __init__(
        self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1.0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._rates()]
        back = 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0
        return [lr * back for lr in self._rates()]


class LinearLR(LRScheduler):
    """The first rate times a factor that goes from `start_factor` to `end_factor` in a line."""

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1.0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1."
            )
        if not 0 <= end_factor <= 1.0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        a, b, n, t = self.start_factor, self.end_factor, self.total_iters, self.last_epoch
        if t == 0:
            return [lr * a for lr in self._rates()]
        if t > n:
            return self._rates()
        return [lr * (1.0 + (b - a) / (n * a + (t - 1) * (b - a))) for lr in self._rates()]


class PolynomialLR(LRScheduler):
    """The first rate times a power of the share of epochs that are left."""

    def __init__(
        self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        n, t = self.total_iters, self.last_epoch
        if t == 0 or t > n:
            return self._rates()
        factor = ((1.0 - t / n) / (1.0 - (t - 1) / n)) ** self.power
        return [lr * factor for lr in self._rates()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines, each `T_mult` times as long as the one before."""

    def __init__(
        self, optimizer: Any, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min, self.T_cur = T_mult, eta_min, last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: Any = None) -> None:
        if epoch is None:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            self.T_i, self.T_cur = self.T_0, epoch
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        super().step(None if epoch is None else math.floor(epoch))


class OneCycleLR(LRScheduler):
    """Up to `max_lr` and down again, once, momentum the other way (Smith and Topin 2019)."""

    def __init__(
        self,
        optimizer: Any,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self.total_steps, self.cycle_momentum, self.linear = (
            total_steps,
            cycle_momentum,
            anneal_strategy == "linear",
        )
        top = float(pct_start * total_steps) - 1
        if three_phase:
            ends = [top, 2 * top, total_steps - 1.0]
            rates = [("initial_lr", "max_lr"), ("max_lr", "initial_lr"), ("initial_lr", "min_lr")]
            momenta = [("max", "base"), ("base", "max"), ("max", "max")]
        else:
            ends = [top, total_steps - 1.0]
            rates = [("initial_lr", "max_lr"), ("max_lr", "min_lr")]
            momenta = [("max", "base"), ("base", "max")]
        self._phases = list(zip(ends, rates, momenta, strict=True))
        self._momenta = {"base": base_momentum, "max": max_momentum}
        highest = (
            list(max_lr) if isinstance(max_lr, (list, tuple)) else [max_lr] * len(optimizer.param_groups)
        )
        for group, high in zip(optimizer.param_groups, highest, strict=True):
            group["initial_lr"] = high / div_factor
            group["max_lr"] = high
            group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def _between(self, a: float, b: float, share: float) -> float:
        return a + (b - a) * share if self.linear else b + (a - b) / 2.0 * (1 + math.cos(math.pi * share))

    def get_lr(self) -> list[float]:
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"Tried to step {t} times. The total number of steps is {self.total_steps}")
        found = []
        for group in self.optimizer.param_groups:
            begin = 0.0
            for n, (end, rate, momentum) in enumerate(self._phases):
                if t <= end or n == len(self._phases) - 1:
                    share = (t - begin) / (end - begin)
                    found.append(self._between(group[rate[0]], group[rate[1]], share))
                    if self.cycle_momentum:
                        a, b = (self._momenta[m] for m in momentum)
                        value = self._between(a, b, share)
                        if "betas" in group:
                            group["betas"] = (value, *group["betas"][1:])
                        else:
                            group["momentum"] = value
                    break
                begin = end
        return found


class SequentialLR(LRScheduler):
    """Schedules one after the other, which change at given epochs."""

    def __init__(
        self, optimizer: Any, schedulers: Sequence[Any], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        if not schedulers:
            raise ValueError("SequentialLR expects at least one scheduler, but got no scheduler.")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone points, but got "
                f"number of schedulers {len(schedulers)} and the number of milestones to be equal to {len(milestones)}"
            )
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        self.optimizer, self.last_epoch = optimizer, last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for schedule in self._schedulers:
            schedule.last_epoch -= 1
        self._schedulers[0].step()
        self._last_lr = schedulers[0].get_last_lr()

    def step(self, epoch: Any = None) -> None:
        self.last_epoch += 1
        n = bisect_right(self._milestones, self.last_epoch)
        if n > 0 and self._milestones[n - 1] == self.last_epoch:
            self._schedulers[n].step(0)
        else:
            self._schedulers[n].step()
        self._last_lr = self._schedulers[n].get_last_lr()


class ChainedScheduler(LRScheduler):
    """Schedules that all take effect at each step."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Any = None) -> None:
        self._schedulers = list(schedulers)
        self.optimizer = self._schedulers[0].optimizer if optimizer is None else optimizer
        self._last_lr = self._rates()

    def step(self, epoch: Any = None) -> None:
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = self._rates()
