"""Parts of a tensor, alone and several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    composed,
    composite,
    method,
)
from funcdiff.compat.torch._graph import Output, node_class
from funcdiff.compat.torch._recorder import edge_of, lift, lower, primitive_node
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, _View, new_tensor
from funcdiff.compat.torch._views import view as as_view
from funcdiff.compat.torch.ops.reductions import axis_of
from funcdiff.compat.torch.ops.shapes import _Slice
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


def _several(name: str, input: Tensor, indices: Sequence[Any]) -> tuple[Any, ...]:
    """Return several views at once, outputs of one node."""
    label = name.removesuffix("Backward0")
    if type(input.value) is TracedArray:
        traced = lift(input)
        return tuple(lower(getitem(traced, index=i)) for i in indices)
    parts = [input.value[i] for i in indices]
    version = input.version
    seen = list.__getitem__(version, 0)
    edge = edge_of(input)
    outs = []
    for i, part in zip(indices, parts, strict=True):
        out: Any = new_tensor(Tensor)
        out.value, out.version, out.edge = part, version, None
        base = out.base = object.__new__(_View)
        base.parent, base.lens, base.params = input, getitem, {"index": i}
        base.seen, base.forbidden = seen, label
        outs.append(out)
    if edge is not None and STATE.recording:
        node = primitive_node(
            node_class(name),
            _parts.primitive,
            (input.value,),
            (edge,),
            {"indices": tuple(indices)},
            tuple(parts),
        )
        node.record = (*node.record[:5], None, node.record[6])
        for n, out in enumerate(outs):
            out.edge = Output(node, n)
    return tuple(outs)


def _parts_of(x: Any, *, indices: Any) -> Any:
    return tuple(x[i] for i in indices)


def _join_parts(g: Any, x: Any, *, indices: Any) -> Any:
    add = REGISTRY["index_add"].function
    total = None
    for part, index in zip(g, indices, strict=True):
        term = add(part, shape=x.shape, index=index)
        total = term if total is None else total + term
    return total


def _declare_parts() -> Any:
    from funcdiff.core.declare import linear

    def batch(values: Any, _flags: Any, _size: int, *, indices: Any) -> Any:
        over = tuple((slice(None), *i) for i in indices)
        return _parts(values[0], indices=over)

    return linear(
        _parts_of,
        _join_parts,
        batch=batch,
        name="parts",
        samples=lambda rng: [
            ((rng.standard_normal((4, 2)),), {"indices": ((slice(0, 2), Ellipsis), (slice(2, 4), Ellipsis))})
        ],
        doc="Several basic indices of one array at once.",
    )


_parts = _declare_parts()


@method
def unbind(input: Tensor, dim: int = 0) -> tuple[Any, ...]:
    """As `torch.unbind`."""
    axis = axis_of(dim, input.ndim)
    lead = (slice(None),) * axis
    return _several("UnbindBackward0", input, [(*lead, n, Ellipsis) for n in range(input.value.shape[axis])])


@method
def split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Any, ...]:
    """As `torch.split`."""
    axis = axis_of(dim, input.ndim)
    length = input.value.shape[axis]
    lead = (slice(None),) * axis
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
    return _several(name, input, [(*lead, slice(b, e), Ellipsis) for b, e in bounds])


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
    lead = (slice(None),) * axis
    pieces = np.array_split(np.arange(input.value.shape[axis]), indices_or_sections)
    ends = np.cumsum([len(p) for p in pieces]).tolist()
    bounds = zip([0, *ends[:-1]], ends, strict=True)
    return _several("SliceBackward0", input, [(*lead, slice(b, e), Ellipsis) for b, e in bounds])


@method
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Any:
    """As `Tensor.unfold`: windows along an axis, along a new last axis; a copy here."""
    axis = axis_of(dimension, input.ndim)
    starts = np.arange(0, input.value.shape[axis] - size + 1, step)
    index = (*(slice(None),) * axis, starts[:, None] + np.arange(size))

    def windows(x: Any) -> Any:
        return fnp.moveaxis(x[index], axis + 1, -1)

    return composite(composed("UnfoldBackward0"), windows, (input,))
