"""`Optimizer`: groups of parameters with settings, and a state for each parameter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._hooks import RemovableHandle, add
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.autograd.grad_mode import enable_grad


class Optimizer:
    """What all optimisers share; a subclass says how one parameter moves."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got {params.type()}"
            )
        for name in ("differentiable", "capturable"):
            if defaults.get(name):
                raise unsupported(f"optimiser with {name}=True", "Leave it out.")
        if isinstance(defaults.get("lr"), Tensor):
            defaults = {**defaults, "lr": defaults["lr"].item()}
        self.defaults = defaults
        self._stepped = False
        self._before: dict[int, Any] = {}
        self._after: dict[int, Any] = {}
        self.state: Any = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))

    @staticmethod
    def settings(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """Return settings of how an optimiser runs, refusing those there are not."""
        for name in given:
            if name not in known:
                raise TypeError(f"__init__() got an unexpected keyword argument {name!r}")
        return {**known, **given}

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step."""
        return add(self._before, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return add(self._after, hook)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own."""
        given = param_group["params"]
        listed = [given] if isinstance(given, Tensor) else list(given)
        listed = [p[1] if isinstance(p, tuple) else p for p in listed]
        for p in listed:
            if not isinstance(p, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}"
                )
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
            if any(p is q for g in self.param_groups for q in g["params"]):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append({**self.defaults, **param_group, "params": listed})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the parameters, or put them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                grad = p._grad
                if grad is None:
                    continue
                if set_to_none:
                    p.grad = None
                elif grad.grad_fn is not None:
                    p._grad = wrap(np.zeros_like(grad.value))
                else:
                    grad.value[...] = 0
                    grad.version[0] += 1

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parameters by one step."""
        self._stepped = True
        args = (self,) if closure is None else (self, closure)
        for hook in list(self._before.values()):
            hook(self, args, {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p._grad is not None:
                    g = p._grad.value
                    if group.get("maximize"):
                        g = -g
                    self._move(p.value, g, self.state[p], group)
                    p.version[0] += 1
        for hook in list(self._after.values()):
            hook(self, args, {})
        return loss

    def _move(self, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move one parameter, in place."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return settings and states, parameters by number."""
        numbers = {id(p): n for n, p in enumerate(self._parameters())}
        return {
            "state": {numbers[id(p)]: _as_tensors(s) for p, s in self.state.items()},
            "param_groups": [
                {
                    **{k: v for k, v in g.items() if k != "params"},
                    "params": [numbers[id(p)] for p in g["params"]],
                }
                for g in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over settings and states."""
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            if len(mine["params"]) != len(theirs["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
                )
            mine.update({k: v for k, v in theirs.items() if k != "params"})
        parameters = self._parameters()
        self.state.clear()
        for n, s in state_dict["state"].items():
            self.state[parameters[int(n)]] = _as_arrays(s)

    def _parameters(self) -> list[Any]:
        return [p for g in self.param_groups for p in g["params"]]

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for n, group in enumerate(self.param_groups):
            text += f"\nParameter Group {n}\n"
            for key in sorted(k for k in group if k != "params"):
                text += f"    {key}: {group[key]}\n"
        return text + ")"


def _as_tensors(state: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for k, v in state.items():
        if isinstance(v, np.ndarray):
            found[k] = wrap(v.copy())
        elif k in _NUMBERS:  # a tensor of one number in PyTorch
            found[k] = wrap(np.asarray(v, np.float32))
        else:
            found[k] = v
    return found


def _as_arrays(state: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v
        if not isinstance(v, Tensor)
        else v.value.copy()
        if v.value.shape or k not in _NUMBERS
        else _NUMBERS[k](v.item())
        for k, v in state.items()
    }


_NUMBERS: dict[str, Callable[[Any], Any]] = {"step": int, "mu_product": float, "eta": float, "mu": float}


def check(**settings: tuple[str, Any, bool]) -> None:
    """Refuse settings out of their range: name, value, whether it is right."""
    for spoken, value, right in settings.values():
        if not right:
            raise ValueError(f"Invalid {spoken}: {value}")


Parameters = Iterable[Any]
