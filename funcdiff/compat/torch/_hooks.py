"""Hooks: on the gradients of tensors, on nodes, and after a leaf has received its gradient."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any, Self

from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._graph import Node, target
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray

_next_id = count().__next__


class RemovableHandle:
    """Removes a hook."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self.hooks = hooks
        self.id = number

    def __repr__(self) -> str:
        return f"<torch.utils.hooks.RemovableHandle object at {hex(id(self))}>"

    def remove(self) -> None:
        """Remove the hook; it may have been removed before."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def add(hooks: dict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
    """Enter a hook."""
    number = _next_id()
    hooks[number] = hook
    return RemovableHandle(hooks, number)


def register(tensor: Any, hook: Callable[..., Any]) -> RemovableHandle:
    """Register a hook on the gradient of a tensor."""
    if type(tensor.value) is TracedArray:
        raise unsupported(
            "hooks inside torch.func transforms", "Give the gradient a rule by an autograd.Function instead."
        )
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if tensor.is_leaf:
        if tensor._hooks is None:
            tensor._hooks = {}
        return add(tensor._hooks, hook)
    node, number = target(tensor.edge)
    by_output: dict[int, Any] = node.__dict__.setdefault("tensor_hooks", {})
    return add(by_output.setdefault(number, {}), hook)


def register_after(tensor: Any, hook: Callable[..., Any]) -> RemovableHandle:
    """Register a hook for when a leaf has received its gradient."""
    if not tensor.is_leaf or not tensor.requires_grad:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if tensor._after is None:
        tensor._after = {}
    return add(tensor._after, hook)


def retain(tensor: Any) -> None:
    """Keep the gradient of a tensor that is no leaf, after its hooks have run."""
    node, number = target(tensor.edge)
    if node.retaining is None:
        node.retaining = {}
    node.retaining[number] = weakref.ref(tensor)
    tensor.__dict__["_retains"] = True


def outward(g: Any) -> Any:
    """Make a tensor of a cotangent: PyTorch's gradients are the conjugates of ours."""
    return lower(REGISTRY["conj"].function(g) if g.dtype.kind == "c" else g)


def inward(g: Any) -> Any:
    """Return the cotangent that a gradient tensor means."""
    value = lift(g)
    return REGISTRY["conj"].function(value) if value.dtype.kind == "c" else value


def run(hooks: dict[int, Any], g: Any, name: str = "hook") -> Any:
    """Run the hooks of a tensor on its cotangent; return the cotangent they leave."""
    if g is None:
        return None
    grad = outward(g)
    changed = False
    for hook in list(hooks.values()):
        found = hook(grad)
        if found is not None:
            check(found, grad, hook)
            grad, changed = found, True
    return inward(grad) if changed else g


def check(found: Any, grad: Any, hook: Any) -> None:
    """Refuse what a hook must not return."""
    from funcdiff.compat.torch._tensor import Tensor

    name = getattr(hook, "__name__", repr(hook))
    if not isinstance(found, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(found).__name__}'")
    if found.value.shape != grad.value.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")


def run_before(node: Node, parts: list[Any]) -> list[Any]:
    """Run the hooks on what a node is about to receive."""
    tensor_hooks = node.__dict__.get("tensor_hooks")
    if tensor_hooks:
        for number, hooks in tensor_hooks.items():
            parts[number] = run(hooks, parts[number])
    if node.retaining is not None:
        for number, reference in node.retaining.items():
            tensor = reference()
            if tensor is not None and parts[number] is not None:
                old = tensor._grad
                new = outward(parts[number])
                new = new if new.requires_grad else new.clone()
                tensor._grad = new if old is None else old + new
    if node.before:
        for hook in list(node.before.values()):
            grads = tuple(None if p is None else outward(p) for p in parts)
            found = hook(grads)
            if found is not None:
                found = found if isinstance(found, tuple) else (found,)
                parts = [None if f is None else inward(f) for f in found]
    return parts


def run_after(node: Node, cot: list[Any], parts: list[Any]) -> list[Any]:
    """Run the hooks on what a node has computed."""
    for hook in list(node.hooks.values()):
        outs = tuple(None if p is None else outward(p) for p in parts)
        found = hook(tuple(None if c is None else outward(c) for c in cot), outs)
        if found is not None:
            found = found if isinstance(found, tuple) else (found,)
            if len(found) != len(cot):
                raise RuntimeError(
                    f"hook '{getattr(hook, '__name__', hook)}' has returned an incorrect number of values "
                    f"(got {len(found)}, but expected {len(cot)})"
                )
            cot = [None if f is None else inward(f) for f in found]
    return cot
