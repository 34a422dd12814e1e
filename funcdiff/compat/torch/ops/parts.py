"""Parts of a tensor, alone and several at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import method
from funcdiff.compat.torch._graph import Node, Output, new_node, node_class
from funcdiff.compat.torch._recorder import edge_of, lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, _View, new_tensor
from funcdiff.compat.torch._views import view as as_view
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.shapes import _Slice
from funcdiff.core.array_type import ArrayType
from funcdiff.core.matching import written_out
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray
from funcdiff.primitives.indexing import getitem


@method
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Any:
    """As `torch.narrow`."""
    axis = axis_of(dim, input.ndim)
    begin = int(start)
    size = input.value.shape[axis]
    begin = begin + size if begin < 0 else begin
    if length < 0 or begin + length > size:
        raise RuntimeError(f"start ({begin}) + length ({length}) exceeds dimension size ({size}).")
    return as_view(_Slice, getitem, {"index": (*(slice(None),) * axis, slice(begin, begin + length))}, input)


class _PartsNode(Node):
    """Parts that follow each other: ``record = (shapes, dtype, axis, whether they lack the axis)``."""

    __slots__ = ()

    def pull(self, g: Any) -> Any:
        shapes, kind, axis, single = self.record
        parts = [
            np.zeros(shape, kind) if part is None else written_out(part, ArrayType(shape, kind))
            for part, shape in zip(g, shapes, strict=True)
        ]
        return (REGISTRY["stack" if single else "concatenate"].function(*parts, axis=axis),)

    pull_recorded = pull


def _several(name: str, input: Tensor, axis: int, bounds: Any) -> tuple[Any, ...]:
    """Return several views at once, outputs of one node: slices along an axis, or its single places."""
    label = name.removesuffix("Backward0")
    lead = (slice(None),) * axis
    count = input.value.shape[axis]
    places: Any = range(count) if bounds is None else [slice(b, e) for b, e in bounds]
    indices = [(*lead, place, Ellipsis) for place in places]
    if type(input.value) is TracedArray:
        traced = lift(input)
        return tuple(lower(getitem(traced, index=i)) for i in indices)
    version = input.version
    seen = list.__getitem__(version, 0)
    edge = edge_of(input)
    outs = []
    for i in indices:
        out: Any = new_tensor(Tensor)
        out.value, out.version, out.edge = input.value[i], version, None
        base = out.base = object.__new__(_View)
        base.parent, base.lens, base.params = input, getitem, {"index": i}
        base.seen, base.forbidden = seen, label
        outs.append(out)
    if edge is not None and STATE.recording and outs:
        record = ([o.value.shape for o in outs], input.value.dtype, axis, bounds is None)
        node = new_node(node_class(name, _PartsNode), (edge,), record, None, None)
        node.outputs, node.several = len(outs), True
        for n, out in enumerate(outs):
            out.edge = Output(node, n)
    return tuple(outs)


@method
def unbind(input: Tensor, dim: int = 0) -> tuple[Any, ...]:
    """As `torch.unbind`."""
    axis = axis_of(dim, input.ndim)
    return _several("UnbindBackward0", input, axis, None)


@method
def split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Any, ...]:
    """As `torch.split`."""
    axis = axis_of(dim, input.ndim)
    length = input.value.shape[axis]
    if isinstance(split_size, int):
        ends = list(range(0, length, split_size)) or [0]
        bounds = [(b, min_of(b + split_size, length)) for b in ends]
        name = "SplitBackward0"
    else:
        if sum(split_size) != length:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {length} (input tensor's size at dimension {axis}), but "
                f"got split_sizes={list(split_size)}"
            )
        stops = np.cumsum(split_size).tolist()
        bounds = list(zip([0, *stops[:-1]], stops, strict=True))
        name = "SplitWithSizesBackward0"
    return _several(name, input, axis, bounds)


min_of = min


@method
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """As `torch.chunk`."""
    length = input.size(dim)
    found: tuple[Any, ...] = split(input, max(1, -(-length // chunks)), dim)
    return found


@method
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """As `torch.tensor_split`."""
    axis = axis_of(dim, input.ndim)
    pieces = np.array_split(np.arange(input.value.shape[axis]), indices_or_sections)
    ends = np.cumsum([len(p) for p in pieces]).tolist()
    bounds = zip([0, *ends[:-1]], ends, strict=True)
    return _several("SliceBackward0", input, axis, list(bounds))
