"""Reading and writing by index, and what selects elements."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, linear, method
from funcdiff.compat.torch._graph import LEAF, new_node, node_class
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch._views import rule_of_lens, view_onto, view_through, write
from funcdiff.compat.torch._views import view as as_view
from funcdiff.compat.torch.ops.conversions import copy_
from funcdiff.compat.torch.ops.shapes import _Alias, _Select, _Slice, _Unsqueeze
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray
from funcdiff.primitives.indexing import getitem as p_getitem
from funcdiff.primitives.indexing import is_mapped, plain_index, read, scatter_add
from funcdiff.primitives.putting import hollow, put
from funcdiff.primitives.update import update_at

_Index = node_class("IndexBackward0")


def _is_advanced(item: Any) -> bool:
    if isinstance(item, Tensor):
        return bool(item.value.shape) or item.value.dtype.kind == "b"
    return isinstance(item, (list, np.ndarray, bool, range))


def _plain_item(item: Any) -> Any:
    """Return one item of an index as NumPy takes it."""
    if isinstance(item, Tensor):
        value = item.value
        if value.dtype.kind not in "biu":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        if type(value) is TracedArray:
            return value
        if value.dtype == np.uint8:
            return value.astype(bool)
        return value if value.shape or value.dtype.kind == "b" else int(value)
    if isinstance(item, slice):
        bounds = (item.start, item.stop, item.step)
        found = slice(*(None if b is None else int(b) for b in bounds))
        if found.step is not None and found.step <= 0:
            raise ValueError("step must be greater than zero")
        return found
    if type(item) is list and item and all(type(i) is int for i in item):
        return np.array(item, np.int64)
    if isinstance(item, (list, range)):
        return np.asarray([_plain_item(i) for i in item], dtype=None if item else np.int64)
    if item is None or item is Ellipsis or isinstance(item, (int, np.integer, np.ndarray, np.bool_)):
        return item
    if type(item) is TracedArray:
        return item
    if isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
        f"{type(item).__name__})"
    )


_NEW = (Ellipsis,)


def getitem(input: Tensor, index: Any) -> Any:
    """Read ``input[index]``: views for basic indices, one node for each item as in PyTorch."""
    kind = type(index)
    if kind is int:
        value = input.value
        if type(value) is np.ndarray and value.ndim and -len(value) <= index < len(value):
            return view_onto(_Select, p_getitem, {"index": (index, Ellipsis)}, input, value[index, ...])
        return _one(input, 0, index)
    if kind is slice and index.step is None:
        start, stop, value = index.start, index.stop, input.value
        if (
            type(start) in _BOUNDS
            and type(stop) in _BOUNDS
            and start is not stop
            and type(value) is np.ndarray
            and value.ndim
        ):
            return view_onto(_Slice, p_getitem, {"index": (index, Ellipsis)}, input, value[index])
    if kind is slice or kind is tuple:
        found = _basic(input, index if kind is tuple else (index,))
        if found is not None:
            return found
    if kind is slice:
        return _one(input, 0, _plain_item(index))
    if kind is not tuple:
        if index is None:
            return as_view(_Unsqueeze, p_getitem, {"index": (None, Ellipsis)}, input)
        if index is Ellipsis:
            return as_view(_Alias, p_getitem, {"index": Ellipsis}, input)
        if isinstance(index, list) and any(isinstance(i, slice) for i in index):
            return getitem(input, tuple(index))
        index = (index,)
    items = [_plain_item(i) if isinstance(i, Tensor) and not _is_advanced(i) else i for i in index]
    _check_count(input, items)
    if any(_is_advanced(i) for i in items):
        return _advanced(input, items)
    out, axis, place = input, 0, 0  # `place` is the axis of the input
    for item in items:
        if item is Ellipsis:
            rest = _used(items[items.index(Ellipsis) + 1 :])
            axis, place = out.ndim - rest, input.ndim - rest
        elif item is None:
            out = as_view(_Unsqueeze, p_getitem, {"index": (*(slice(None),) * axis, None, Ellipsis)}, out)
            axis += 1
        elif isinstance(item, slice):
            item = _plain_item(item)
            if item != slice(None):
                out = _one(out, axis, item)
            axis, place = axis + 1, place + 1
        else:
            out = _one(out, axis, _plain_item(item), whole=input, place=place)
            place += 1
    return as_view(_Alias, p_getitem, {"index": Ellipsis}, out) if out is input else out


_BOUNDS = frozenset({int, type(None)})
_WHOLE = slice(None)


def _basic(input: Tensor, items: tuple[Any, ...]) -> Any:
    """Index by plain integers and slices alone: a node for each, but one tensor; None for other indices."""
    value = input.value
    if type(value) is not np.ndarray:
        return None
    steps: list[Any] = []  # the items that are no whole slices
    for item in items:
        if type(item) is slice:
            start, stop, step = item.start, item.stop, item.step
            if start is None and stop is None and step is None:
                continue
            if (
                type(start) not in _BOUNDS
                or type(stop) not in _BOUNDS
                or (step is not None and (type(step) is not int or step <= 0))
            ):
                return None
        elif type(item) is not int:
            return None
        steps.append(item)
    if not steps:
        return None
    index = (*items, Ellipsis)
    try:
        seen = value[index]
    except IndexError:
        return None
    if len(steps) == 1:
        cls = _Slice if type(steps[0]) is slice else _Select
        return view_onto(cls, p_getitem, {"index": index}, input, seen)
    edge = input.edge if input.base is None else input.current()
    if edge is not None:
        edge = _nodes(input, value, items, edge) if STATE.recording else None
    return view_through(input, seen, p_getitem, {"index": index}, edge)


def _nodes(input: Tensor, value: Any, items: tuple[Any, ...], edge: Any) -> Any:
    """Make the nodes of integers and slices, each of which looks at what those before it have found."""
    rule = rule_of_lens(p_getitem)
    axis = 0
    for item in items:
        sliced = type(item) is slice
        if sliced and item == _WHOLE:
            axis += 1
            continue
        index = (*(_WHOLE,) * axis, item, Ellipsis)
        found = value[index]
        record = (rule, 0, {"index": index}, value.shape, value.dtype, found.shape, None)
        edge = new_node(_Slice if sliced else _Select, (input if edge is LEAF else edge,), record, None, None)
        value = found
        axis += sliced
    return edge


def _used(items: Any) -> int:
    return sum(
        (max(1, i.value.ndim) if isinstance(i, Tensor) and i.value.dtype.kind == "b" else 1)
        for i in items
        if i is not None and i is not Ellipsis
    )


def _check_count(input: Tensor, items: Any) -> None:
    if _used(items) > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim}")


def _one(input: Tensor, axis: int, item: Any, whole: Any = None, place: int = 0) -> Any:
    """Index one axis by an integer or a slice."""
    if type(item) is slice:
        return as_view(_Slice, p_getitem, {"index": (*(slice(None),) * axis, item, Ellipsis)}, input)
    shape = input.value.shape
    if not shape:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim "
            "tensor to a number"
        )
    if type(item) is not TracedArray and not -shape[axis] <= item < shape[axis]:
        raise IndexError(f"index {item} is out of bounds for dimension {place} with size {shape[axis]}")
    if type(item) is TracedArray:
        places = (*(slice(None),) * axis, item)
        return lower(read(lift(input), places))
    return as_view(_Select, p_getitem, {"index": (*(slice(None),) * axis, item, Ellipsis)}, input)


def _advanced(input: Tensor, items: Any) -> Any:
    index = tuple(_plain_item(i) for i in items)
    if type(input.value) is TracedArray or any(type(i) is TracedArray for i in index):
        for i in index:
            if type(i) is TracedArray and i.dtype.kind == "b" and is_mapped(i):
                raise RuntimeError(
                    "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over indexing "
                    "with a boolean mask."
                )
        return lower(read(lift(input), plain_index(index)))
    copied = tuple(np.array(i) if isinstance(i, np.ndarray) else i for i in index)
    try:
        return linear(_Index, p_getitem, input, {"index": copied})
    except IndexError:
        _check_bounds(input.value.shape, index)
        raise


def _check_bounds(shape: tuple[int, ...], index: Any) -> None:
    axis = 0
    for n, i in enumerate(index):
        if i is None:
            continue
        if i is Ellipsis:
            axis = len(shape) - _used(index[n + 1 :])
            continue
        if isinstance(i, np.ndarray) and i.dtype.kind == "b":
            for k, length in enumerate(i.shape):
                if shape[axis + k] != length:
                    raise IndexError(
                        f"The shape of the mask {list(i.shape)} at index {k} does not match the shape of the indexed tensor {list(shape)} "
                        f"at index {axis + k}"
                    )
            axis += i.ndim
            continue
        if isinstance(i, np.ndarray) and i.size:
            size = shape[axis]
            bad = i[(i < -size) | (i >= size)]
            if bad.size:
                raise IndexError(
                    f"index {bad.ravel()[0]} is out of bounds for dimension {axis} with size {size}"
                )
        axis += 1


method(getitem, "__getitem__")

_IndexPut = composed("IndexPutBackward0")


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """Carry out ``input[index] = value``."""
    items = index if isinstance(index, tuple) else (index,)
    if type(input.value) is TracedArray:
        input.value[tuple(_plain_item(i) for i in items)] = lift(value)  # type: ignore[index]
        return
    items = tuple(_plain_item(i) if isinstance(i, Tensor) and not _is_advanced(i) else i for i in items)
    if not any(_is_advanced(i) for i in items):
        target = getitem(input, items)
        if not isinstance(value, Tensor):
            number = value if isinstance(value, (bool, int, float, complex)) else np.asarray(value)
            value = wrap(np.asarray(number, input.value.dtype))
        shape = target.value.shape
        if value.value.ndim > len(shape):  # leading axes of length one are dropped, as NumPy does
            value = value.reshape(value.value.shape[value.value.ndim - len(shape) :])
        copy_(target, value)
        return
    places = tuple(_plain_item(i) for i in items)
    _check_bounds(input.value.shape, places)
    source = value if isinstance(value, Tensor) else wrap(np.asarray(value, input.value.dtype))
    if source.value.dtype != input.value.dtype:
        source = source.to(input.dtype)
    write(input, lambda x, y: _put(x, y, places, False), (source,), {})


method(setitem, "__setitem__")


def at(x: Any, places: Any) -> Any:
    """Return the elements at an index, parts of which a transform may follow."""
    return read(x, plain_index(places))


def replaced(x: Any, y: Any, places: Any) -> Any:
    """Return an array with the elements at an index replaced."""
    places = plain_index(places)
    template, arrays = hollow(places)
    if arrays:
        return put(x, y, *arrays, lenses=(), template=template)
    return update_at(x, y, path=((p_getitem, {"index": places}),))


def added(x: Any, y: Any, places: Any) -> Any:
    """Return an array with values added at an index, repeated places adding up."""
    places = plain_index(places)
    template, arrays = hollow(places)
    sample = tuple(np.zeros(i.shape, np.intp) if type(i) is TracedArray else i for i in places)
    shape = np.broadcast_to(0, x.shape)[sample].shape
    full = fnp.broadcast_to(y, shape)
    if arrays:
        return x + scatter_add(full, *arrays, shape=x.shape, template=template)
    return x + REGISTRY["index_add"].function(full, shape=x.shape, index=places)


def _put(x: Any, y: Any, places: Any, accumulate: bool) -> Any:
    change = added if accumulate else replaced
    arrays = [wrap(i) for i in places if type(i) is TracedArray]  # so that the transform is seen

    def compute(old: Any, new: Any, *_: Any) -> Any:
        return change(old, new, places)

    return composite(_IndexPut, compute, (x, y, *arrays))


@method
def index_put_(input: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """As `Tensor.index_put_`."""
    places = tuple(_plain_item(i) for i in indices)
    return write(input, lambda x, y: _put(x, y, places, accumulate), (values,), {})


@method
def index_put(input: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """As `torch.index_put`."""
    return _put(input, values, tuple(_plain_item(i) for i in indices), accumulate)
