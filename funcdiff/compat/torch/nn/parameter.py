"""`Parameter` and `Buffer`: tensors that a module keeps."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

from typing import Any

from funcdiff.compat.torch._graph import LEAF
from funcdiff.compat.torch._tensor import Tensor, wrap


class Parameter(Tensor):
    """A tensor that a module optimises."""

    __module__ = "torch.nn.parameter"

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        out = wrap([] if data is None else data.value, cls)
        if data is not None:
            out.version = data.version
        if requires_grad:
            if out.value.dtype.kind not in "fc":
                raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
            out.edge = LEAF
        return out

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not optimised."""

    __module__ = "torch.nn.parameter"

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        out = wrap([] if data is None else data.value, cls)
        out.persistent = persistent
        return out
