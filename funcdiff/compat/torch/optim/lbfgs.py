"""LBFGS: quasi-Newton steps from the last gradients (Nocedal and Wright, chapters 3 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.compat.torch.autograd.grad_mode import enable_grad
from funcdiff.compat.torch.optim.optimizer import Optimizer


class LBFGS(Optimizer):
    """Quasi-Newton steps; `step` needs a closure that computes the loss and its gradients."""

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def _gradient(self) -> Any:
        return np.concatenate(
            [
                (np.zeros(p.numel(), p.value.dtype) if p._grad is None else p._grad.value.ravel())
                for p in self._parameters()
            ]
        )

    def _point(self) -> Any:
        return np.concatenate([p.value.ravel() for p in self._parameters()])

    def _move_to(self, x: Any) -> None:
        at = 0
        for p in self._parameters():
            n = p.numel()
            p.value[...] = x[at : at + n].reshape(p.value.shape)
            p.version[0] += 1
            at += n

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to `max_iter` steps; return the loss before them."""
        if closure is None:
            raise RuntimeError("LBFGS.step needs a closure that computes the loss and its gradients")
        group = self.param_groups[0]
        state = self.state[self._parameters()[0]]
        state.setdefault("n_iter", 0)
        state.setdefault("func_evals", 0)

        def evaluate() -> float:
            with enable_grad():
                found = closure()
            state["func_evals"] += 1
            return float(found)

        with enable_grad():
            first = closure()
        state["func_evals"] += 1
        loss, g, evaluations = float(first), self._gradient(), 1
        if np.abs(g).max(initial=0.0) <= group["tolerance_grad"]:
            return first
        for n in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(g, state, group["history_size"])
            t = min(1.0, 1.0 / float(np.abs(g).sum())) * group["lr"] if state["n_iter"] == 1 else group["lr"]
            slope = float(g @ direction)
            if slope > -group["tolerance_change"]:
                break
            x, old, state["previous_grad"] = self._point(), loss, g.copy()
            if group["line_search_fn"] == "strong_wolfe":
                loss, g, t, used = self._search(evaluate, x, t, direction, loss, g, slope)
            else:
                self._move_to(x + t * direction)
                used = 0
                if n != group["max_iter"]:
                    loss, g, used = evaluate(), self._gradient(), 1
            evaluations += used
            state["d"], state["t"] = direction, t
            done = (
                evaluations >= group["max_eval"]
                or np.abs(g).max(initial=0.0) <= group["tolerance_grad"]
                or np.abs(direction * t).max() <= group["tolerance_change"]
                or abs(loss - old) < group["tolerance_change"]
            )
            if done and n != group["max_iter"]:
                break
        return first

    def _direction(self, g: Any, state: dict[str, Any], size: int) -> Any:
        """Return minus the inverse Hessian, as the history has it, times the gradient."""
        if state["n_iter"] == 1:
            state.update(steps=[], changes=[], scale=1.0)
            return -g
        y, s = g - state["previous_grad"], state["d"] * state["t"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            if len(state["steps"]) == size:
                state["steps"].pop(0)
                state["changes"].pop(0)
            state["steps"].append(s)
            state["changes"].append(y)
            state["scale"] = curvature / float(y @ y)
        q = -g
        pairs = list(zip(state["steps"], state["changes"], strict=True))
        weights = []
        for s, y in reversed(pairs):
            a = float(s @ q) / float(y @ s)
            weights.append(a)
            q = q - a * y
        q = q * state["scale"]
        for (s, y), a in zip(pairs, reversed(weights), strict=True):
            q = q + s * (a - float(y @ q) / float(y @ s))
        return q

    def _search(self, evaluate: Any, x: Any, t: float, d: Any, f0: float, g0: Any, slope0: float) -> Any:
        """Find a step that fulfils the strong Wolfe conditions (algorithms 3.5 and 3.6)."""
        c1, c2, used = 1e-4, 0.9, 0

        def at(step: float) -> tuple[float, Any, float]:
            nonlocal used
            self._move_to(x + step * d)
            f = evaluate()
            used += 1
            g = self._gradient()
            return f, g, float(g @ d)

        low = (0.0, f0, g0, slope0)
        high = None
        previous = low
        step = t
        while used < 25:
            f, g, slope = at(step)
            if f > f0 + c1 * step * slope0 or (used > 1 and f >= previous[1]):
                low, high = previous, (step, f, g, slope)
                break
            if abs(slope) <= -c2 * slope0:
                return f, g, step, used
            if slope >= 0:
                low, high = (step, f, g, slope), previous
                break
            previous = (step, f, g, slope)
            step *= 2.0
        if high is None:
            return previous[1], previous[2], previous[0], used
        while used < 25 and abs(high[0] - low[0]) * np.abs(d).max() > 1e-9:
            step = _minimum_of_cubic(low, high)
            f, g, slope = at(step)
            if f > f0 + c1 * step * slope0 or f >= low[1]:
                high = (step, f, g, slope)
                continue
            if abs(slope) <= -c2 * slope0:
                return f, g, step, used
            if slope * (high[0] - low[0]) >= 0:
                high = low
            low = (step, f, g, slope)
        self._move_to(x + low[0] * d)
        return low[1], low[2], low[0], used


def _minimum_of_cubic(a: Any, b: Any) -> float:
    """Return where the cubic through two points with slopes is least, kept away from both."""
    (x, f, _, p), (y, h, _, q) = (a, b) if a[0] <= b[0] else (b, a)
    w = p + q - 3 * (f - h) / (x - y)
    square = w * w - p * q
    middle = (x + y) / 2
    if square >= 0:
        r = float(np.sqrt(square))
        divisor = q - p + 2 * r
        middle = y - (y - x) * (q + r - w) / divisor if divisor else middle
    width = 0.1 * (y - x)
    return float(min(max(middle, x + width), y - width))
