"""`torch.autograd.graph`: nodes, and hooks over several tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from funcdiff.compat.torch._graph import Node, accumulate_node, target
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._recorder import edge_of
from funcdiff.compat.torch._tensor import Tensor


class GradientEdge(NamedTuple):
    """A node and the number of its output."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return the edge that leads to a tensor."""
    edge = edge_of(tensor)
    if edge is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    if isinstance(edge, Tensor):
        return GradientEdge(accumulate_node(edge), 0)
    return GradientEdge(*target(edge))


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[..., Any], *, mode: str = "all") -> Any:
    """Call a hook when the gradients of all (or any) of several tensors are known."""
    found: list[Any] = [None] * len(tensors)
    count = 0
    called = False

    def hook_of(n: int) -> Callable[[Any], None]:
        def hook(grad: Any) -> None:
            nonlocal count, called
            if mode == "any":
                if not called:
                    called = True
                    fn(grad)
                return
            found[n] = grad
            count += 1
            if count == len(tensors):
                fn(list(found))

        return hook

    handles = [x.register_hook(hook_of(n)) for n, x in enumerate(tensors)]

    class Handle:
        def remove(self) -> None:
            for h in handles:
                h.remove()

    return Handle()


def __getattr__(name: str) -> Any:
    return refuse("autograd.graph", name)


__all__ = ["GradientEdge", "Node", "get_gradient_edge", "register_multi_grad_hook"]
