"""Views that repeat: axes of length one made longer without a copy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import (
    method,
)
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch._views import view as as_view
from funcdiff.compat.torch._views import view_onto
from funcdiff.compat.torch.ops.shapes import sizes
from funcdiff.primitives.shape import broadcast_to as p_broadcast_to

_ndarray = np.ndarray
_Expand = node_class("ExpandBackward0")


@method
def expand(input: Tensor, *shape: Any) -> Any:
    """As `Tensor.expand`."""
    value = input.value
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    params, strides = _expanded(shape, value.shape, value.itemsize, input)
    if type(value) is not _ndarray or not value.flags.c_contiguous or not value.size:
        return as_view(_Expand, p_broadcast_to, params, input)
    seen = _ndarray(params["shape"], value.dtype, value, 0, strides)
    if not value.flags.writeable:
        seen.flags.writeable = False
    return view_onto(_Expand, p_broadcast_to, params, input, seen)


def _expanded(
    wanted: Any, old: tuple[int, ...], itemsize: int, input: Tensor
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return the parameter of an expansion, and the strides of what is seen in contiguous memory."""
    try:
        found = _EXPANSIONS.get((wanted, old, itemsize))
    except TypeError:
        found = None
    if found is not None:
        return found
    numbers = sizes(wanted)
    lead = len(numbers) - len(old)
    if lead < 0:
        raise RuntimeError(
            f"expand({type_name(input)}{{{list(old)}}}, size={list(numbers)}): the number of sizes provided ({len(numbers)}) must be "
            f"greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    new = tuple(old[k - lead] if n == -1 else n for k, n in enumerate(numbers))
    for k, n in enumerate(old):
        if n != 1 and n != new[lead + k]:
            raise RuntimeError(
                f"The expanded size of the tensor ({new[lead + k]}) must match the existing size ({n}) at non-singleton dimension "
                f"{lead + k}.  Target sizes: {list(new)}.  Tensor sizes: {list(old)}"
            )
    steps = [0 if n == 1 else itemsize * math.prod(old[k + 1 :]) for k, n in enumerate(old)]
    found = {"shape": new}, (*(0,) * lead, *steps)
    if len(_EXPANSIONS) < 4096 and all(type(n) is int for n in wanted):
        _EXPANSIONS[wanted, old, itemsize] = found
    return found


_EXPANSIONS: dict[Any, tuple[dict[str, Any], tuple[int, ...]]] = {}


def type_name(x: Tensor) -> str:
    """Return the name of a tensor's type."""
    return f"torch.{x.dtype.type_name}Tensor"


@method
def expand_as(input: Tensor, other: Tensor) -> Any:
    """As `Tensor.expand_as`."""
    return expand(input, other.shape)


@method
def broadcast_to(input: Tensor, size: Any) -> Any:
    """As `torch.broadcast_to`."""
    return expand(input, size)


method(lambda self, *size: expand(self, *size), "broadcast_to")


def broadcast_tensors(*tensors: Any) -> list[Any]:
    """As `torch.broadcast_tensors`."""
    shape = np.broadcast_shapes(*(x.value.shape for x in tensors))
    return [expand(x, shape) for x in tensors]


def broadcast_shapes(*shapes: Any) -> Any:
    """As `torch.broadcast_shapes`."""
    from funcdiff.compat.torch._dtypes import Size

    return Size(np.broadcast_shapes(*shapes))
