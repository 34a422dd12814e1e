"""Arrays of a program as a kernel holds them, and what rearrangements make of them without any code.

The elements of an array are nodes in an object array `parts`, of length one along the axes that are loops, or
along which all elements are equal.  So what a rearrangement does is what NumPy does with the object array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.native.nodes import BYTES, KINDS, Group, Memory, Node

COMPONENT = -1  # an axis whose elements are nodes of their own
UNIFORM = -2  # an axis along which all elements are equal
Layout = tuple[int, ...]
"""Per axis the number of its loop, `COMPONENT` or `UNIFORM`; or `FLAT`: all axes are one loop."""
FLAT: Layout = (-3,)


class Stacked(NamedTuple):
    """What a stack holds: elements of a type, or, with more depth, stacks of them."""

    depth: int
    element: ArrayType


class Array:
    """A value of the program: computed in a group, or in memory, or both.

    Or neither yet: then it is the `source` reshaped, and its axes then permuted to `axes`.
    """

    __slots__ = ("axes", "group", "layout", "memory", "number", "parts", "ready", "source", "stack", "type")

    def __init__(self, type_: ArrayType) -> None:
        self.type = type_
        self.group: Group | None = None
        self.layout: Layout = ()
        self.parts: Any = None
        self.memory: Memory | None = None
        self.ready = 0  # the stage from which on the memory can be read
        self.number = -1
        self.source: Array | None = None
        self.axes: tuple[int, ...] = ()
        self.stack: Stacked | None = None  # the memory describes a stack

    @property
    def kind(self) -> str:
        """How its elements are computed with."""
        return KINDS[self.type.dtype]


def computed(type_: ArrayType, group: Group, layout: Layout, parts: Any) -> Array:
    """Return an array that a group computes."""
    found = Array(type_)
    found.group, found.layout, found.parts = group, layout, parts
    return found


def in_memory(type_: ArrayType, memory: Memory, ready: int) -> Array:
    """Return an array that lies in memory."""
    found = Array(type_)
    found.memory, found.ready = memory, ready
    return found


def reshape_of(source: Array, type_: ArrayType, axes: tuple[int, ...] | None = None) -> Array:
    """Return a reshaped array, its axes permuted, that is computed where it is wanted: in memory, once that is known."""
    found = Array(type_)
    found.source, found.axes = source, tuple(range(len(type_.shape))) if axes is None else axes
    return found


def is_permuted(x: Array) -> bool:
    """Tell whether what is not in memory yet has its axes in another order than it was reshaped to."""
    return x.axes != tuple(range(len(x.axes)))


def shown(x: Array, memory: Memory) -> Memory:
    """Return the memory in which an array lies whose source lies in this."""
    shape = [0] * len(x.axes)
    for n, axis in zip(x.type.shape, x.axes, strict=True):
        shape[axis] = n
    found = reshaped(memory, shape)
    assert found is not None
    return view(found, lambda a: a.transpose(x.axes)) if is_permuted(x) else found


def place_of_source(x: Array, memory: Memory) -> Memory | None:
    """Return the memory to which the source of an array is written, that the array lies in this; None if there is none."""
    if memory.shape != x.type.shape or x.source is None:
        return None
    shape = x.source.type.shape
    try:
        return view(memory, lambda a: a.transpose(np.argsort(x.axes)).reshape(shape, copy=False))
    except ValueError:
        return None


def same(x: Array) -> Array:
    """Return an array as another value of the program."""
    found = Array(x.type)
    found.group, found.layout, found.parts = x.group, x.layout, x.parts
    found.memory, found.ready = x.memory, x.ready
    found.source, found.axes = x.source, x.axes
    return found


def box(node: Node) -> Any:
    """Return parts of one node."""
    parts = np.empty((), object)
    parts[()] = node
    return parts


def contiguous_strides(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """Return the strides of an array in C order."""
    strides, step = [], size
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def is_contiguous(memory: Memory) -> bool:
    """Tell whether elements lie side by side, in C order."""
    expected = contiguous_strides(memory.shape, BYTES[memory.kind])
    return all(n == 1 or s == e for n, s, e in zip(memory.shape, memory.strides, expected, strict=True))


def fits(layout: Layout, shape: Sequence[int], into: Layout, full: Sequence[int]) -> bool:
    """Tell whether an array of some layout is broadcast into one of another as it is."""
    if layout == FLAT or into == FLAT:
        return layout == into or math.prod(shape) == 1 or all(n == UNIFORM for n in layout)
    lead = len(full) - len(shape)
    return all(
        n == 1 or mine == UNIFORM or mine == into[lead + axis]
        for axis, (n, mine) in enumerate(zip(shape, layout, strict=True))
    )


def with_axis(x: Array, type_: ArrayType, axis: int) -> Array:
    """Return an array with one more axis, of length one."""
    if x.group is not None and x.layout != FLAT:
        layout = (*x.layout[:axis], COMPONENT, *x.layout[axis:])
        shape = (*x.parts.shape[:axis], 1, *x.parts.shape[axis:])
        found = computed(type_, x.group, layout, x.parts.reshape(shape))
    elif x.memory is None:
        raise TypeError
    else:
        found = Array(type_)
    if x.memory is not None:
        m = x.memory
        strides = (*m.strides[:axis], 0, *m.strides[axis:])
        found.memory, found.ready = Memory(m.base, m.kind, type_.shape, strides, m.offset), x.ready
    return found


# --- rearrangements of what is computed ------------------------------------------------------------


def transpose(x: Array, axes: Sequence[int]) -> tuple[Any, Layout] | None:
    """Permute axes."""
    if x.layout == FLAT:
        return None
    return x.parts.transpose(axes), tuple(x.layout[a] for a in axes)


def broadcast(x: Array, shape: Sequence[int]) -> tuple[Any, Layout] | None:
    """Repeat along axes of length one, and along new ones in front."""
    if x.layout == FLAT:
        return (x.parts, FLAT) if tuple(shape) == x.type.shape else None
    lead = len(shape) - len(x.type.shape)
    layout = [UNIFORM if n != 1 else COMPONENT for n in shape[:lead]]
    for mine, n, m in zip(x.layout, x.type.shape, shape[lead:], strict=True):
        layout.append(mine if n == m else UNIFORM)
    return x.parts.reshape((1,) * lead + x.parts.shape), tuple(layout)


def reshape(x: Array, shape: Sequence[int]) -> tuple[Any, Layout] | None:
    """Reshape; loops and repeated axes must stay axes."""
    if x.layout == FLAT or 0 in x.type.shape:
        return None
    layout, parts_shape, place, before = [COMPONENT] * len(shape), list(shape), 0, 1
    for n, mine in zip(x.type.shape, x.layout, strict=True):
        if mine != COMPONENT and n != 1:
            while place < len(shape) and (math.prod(shape[:place]) != before or shape[place] == 1):
                place += 1
            if place == len(shape) or shape[place] != n:
                return None
            layout[place], parts_shape[place] = mine, 1
            place += 1
        before *= n
    return x.parts.reshape(parts_shape), tuple(layout)


def index(x: Array, key: Any) -> tuple[Any, Layout] | None:
    """Take an index; loops must be taken whole."""
    if x.layout == FLAT:
        return None
    expanded = expand(key, x.type.shape)
    if expanded is None:
        if any(mine != COMPONENT for mine, n in zip(x.layout, x.type.shape, strict=True) if n != 1):
            return None
        taken = x.parts[key]
        taken = taken if isinstance(taken, np.ndarray) else box(taken)
        return taken, (COMPONENT,) * taken.ndim
    on_parts: list[Any] = []
    layout: list[int] = []
    axis = 0
    for k in expanded:
        if k is None:
            on_parts.append(None)
            layout.append(COMPONENT)
            continue
        n, mine = x.type.shape[axis], x.layout[axis]
        axis += 1
        if mine == COMPONENT or n == 1:
            on_parts.append(k)
            if isinstance(k, slice):
                layout.append(COMPONENT)
        elif mine == UNIFORM:
            if isinstance(k, slice):
                if len(range(*k.indices(n))) == 0:
                    return None
                on_parts.append(slice(None))
                layout.append(UNIFORM)
            else:
                on_parts.append(0)
        elif isinstance(k, slice) and k.indices(n) == (0, n, 1):
            on_parts.append(slice(None))
            layout.append(mine)
        else:
            return None
    parts = x.parts[tuple(on_parts)]
    return (parts if isinstance(parts, np.ndarray) else box(parts)), tuple(layout)


def expand(key: Any, shape: Sequence[int]) -> tuple[Any, ...] | None:
    """Return a basic index with one entry per axis (and None for new ones); None if it is not basic."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if not all(
        k is None
        or k is Ellipsis
        or isinstance(k, slice)
        or (isinstance(k, (int, np.integer)) and not isinstance(k, bool))
        for k in keys
    ):
        return None
    used = sum(k is not None and k is not Ellipsis for k in keys)
    rest = [slice(None)] * (len(shape) - used)
    if Ellipsis in [k for k in keys if k is Ellipsis]:
        at = next(n for n, k in enumerate(keys) if k is Ellipsis)
        keys[at : at + 1] = rest
    else:
        keys += rest
    return tuple(keys)


def through(x: Array, path: Sequence[tuple[str, dict[str, Any]]]) -> Array | None:
    """Look at a computed array through rearrangements, by name and parameters; they keep its dtype."""
    for name, params in path:
        match name:
            case "getitem":
                found = index(x, params["index"])
                shape = _shape_of(x.type.shape, params["index"])
            case "reshape":
                found, shape = reshape(x, params["shape"]), params["shape"]
            case "transpose":
                found, shape = transpose(x, params["axes"]), tuple(x.type.shape[a] for a in params["axes"])
            case _:
                return None
        if found is None or x.group is None:
            return None
        x = computed(ArrayType(tuple(shape), x.type.dtype), x.group, found[1], found[0])
    return x


def _shape_of(shape: tuple[int, ...], key: Any) -> tuple[int, ...]:
    """Return the shape that an index takes from an array."""
    small = np.broadcast_to(np.False_, shape)  # of one byte, whatever the shape
    taken: tuple[int, ...] = small[key].shape
    return taken


# --- views of memory -------------------------------------------------------------------------------


def view(memory: Memory, function: Any) -> Memory:
    """Return the memory that a function shows which only looks at an array in another way, and never copies."""
    fake = np.lib.stride_tricks.as_strided(
        _NEVER_READ[memory.kind], memory.shape, memory.strides, writeable=False
    )
    out = function(fake)
    if not isinstance(out, np.ndarray):  # an index of a single element
        raise TypeError
    start = out.__array_interface__["data"][0] - fake.__array_interface__["data"][0] if out.size else 0
    return Memory(memory.base, memory.kind, out.shape, out.strides, memory.offset + start)


_NEVER_READ: dict[str, Any] = {
    "f64": np.zeros(1, np.float64),
    "f32": np.zeros(1, np.float32),
    "i64": np.zeros(1, np.int64),
    "i1": np.zeros(1, np.bool_),
}


def view_through(memory: Memory, path: Sequence[tuple[str, dict[str, Any]]]) -> Memory | None:
    """Return the memory that rearrangements show; None if they need a copy."""
    for name, params in path:
        match name:
            case "getitem":
                key = params["index"]
                if expand(key, memory.shape) is None:
                    return None
                key = key if isinstance(key, tuple) else (key,)
                if not any(k is Ellipsis for k in key):
                    key = (*key, Ellipsis)  # so that a single element is a view, too
                found: Memory | None = view(memory, lambda a, key=key: a[key])
            case "reshape":
                found = reshaped(memory, params["shape"])
            case "transpose":
                found = view(memory, lambda a, axes=params["axes"]: a.transpose(axes))
            case _:
                return None
        if found is None:
            return None
        memory = found
    return memory


def reshaped(memory: Memory, shape: Sequence[int]) -> Memory | None:
    """Return reshaped memory, if that needs no copy."""
    if is_contiguous(memory) or 0 in memory.shape:
        strides = contiguous_strides(shape, BYTES[memory.kind])
        return Memory(memory.base, memory.kind, tuple(shape), strides, memory.offset)
    old = [(n, s) for n, s in zip(memory.shape, memory.strides, strict=True) if n != 1]
    if [n for n, _ in old] != [n for n in shape if n != 1]:
        return None
    rest = iter(s for _, s in old)
    return Memory(
        memory.base,
        memory.kind,
        tuple(shape),
        tuple(0 if n == 1 else next(rest) for n in shape),
        memory.offset,
    )
