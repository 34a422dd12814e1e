"""What a kernel computes, element by element: nodes in groups, each group a loop nest over one space.

A node stands for one number at each point of its group's space, so one line of a program on arrays is one
node, or one per component where an axis is too short to be a loop of its own.  The last axis of a space is
taken several elements at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

KINDS = {np.dtype(float): "f64", np.dtype(np.float32): "f32", np.dtype(np.int64): "i64", np.dtype(bool): "i1"}
BYTES = {"f64": 8, "f32": 4, "i64": 8, "i1": 1}


class Node:
    """A number at every point of a space.

    `op` is "constant", "load", "fetch" (a load from as many bytes further on as its operand says), "reduced" (a
    loop's result), or the name of an operation on `args`; `axes` are the bits of the loop axes that the number
    changes along.
    """

    __slots__ = ("args", "axes", "detail", "group", "kind", "op", "text")

    def __init__(
        self, op: str, kind: str, args: tuple[Node, ...], detail: Any, axes: int, group: Any
    ) -> None:
        self.op = op
        self.kind = kind
        self.args = args
        self.detail = detail
        self.axes = axes
        self.group: Group | None = group  # None for a constant
        self.text: Any = None  # its name in the IR, once emitted

    def __repr__(self) -> str:
        return f"<{self.op} {self.kind} {self.detail if self.detail is not None else ''}>"


@dataclass(eq=False)
class Memory:
    """Where an array lies: `strides` in bytes, from `offset` bytes after where a pointer points to."""

    base: Base
    kind: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0


@dataclass(eq=False)
class Base:
    """A block of memory: an argument of the kernel, a constant, or a part of its arena.

    Attributes
    ----------
    name : str
        Of the pointer, in the IR.
    size : int
        Bytes.
    place : int
        Number among the kernel's pointers, or -1.
    constant : array or None
        What a constant holds.
    first, last : tuple
        The stages, and in them straight code or loops, that write it first and read it last.
    start : int
        Where it begins in the arena.
    at, of : Node, Base
        Of a part whose place is known at run time: its address, and the block that it is a part of.
    owned : bool
        Whether a pointer of the kernel's points to memory that it may write over.
    mutable : bool
        Whether it is written to more than once.
    """

    name: str
    size: int
    place: int = -1
    constant: Any = None
    first: tuple[int, int] = (1 << 60, 0)
    last: tuple[int, int] = (-1, 0)
    start: int = 0
    at: Node | None = None
    of: Base | None = None
    owned: bool = False
    mutable: bool = False

    @property
    def root(self) -> Base:
        """The block of which this is a part."""
        return self if self.of is None else self.of.root

    def used(self, group: Group) -> None:
        """Note that a group reads or writes here."""
        if self.of is not None:
            self.of.used(group)
        self.first = min(self.first, group.when)
        self.last = max(self.last, group.when)


@dataclass(eq=False)
class Store:
    """Writes a node's numbers into memory; `strides` along the loop axes."""

    node: Node
    memory: Memory
    strides: tuple[int, ...]
    offset: int


@dataclass(eq=False)
class Reduction:
    """Adds up (or the like) a node's numbers over all axes of the space."""

    name: str  # "sum", "max", "min", "prod"
    node: Node
    result: Node


@dataclass(eq=False)
class Accumulation:
    """Reduces over some axes of the space, into memory that is written along the others."""

    name: str
    node: Node
    memory: Memory
    strides: tuple[int, ...]  # zero along the axes reduced over
    offset: int
    over: int  # bits of the axes reduced over


@dataclass(eq=False)
class Scatter:
    """Puts a node's numbers into memory at offsets in bytes that another gives, or adds them, one by one in order."""

    node: Node
    at: Node
    memory: Memory
    strides: tuple[int, ...]
    offset: int
    adds: bool


@dataclass(eq=False)
class Call:
    """Calls one of `blas.OPERATIONS`; arguments are texts, or a base and the bytes from its start, the result first."""

    operation: str
    kind: str
    arguments: list[Any]
    work: int


@dataclass(eq=False)
class Invocation:
    """Calls a function of the same module; arguments are texts, or a base and the bytes from its start."""

    function: str
    arguments: list[Any]
    work: int


@dataclass(eq=False)
class Group:
    """A loop nest, or the straight code of a stage where `space` is empty."""

    space: tuple[int, ...]
    stage: int
    flat: bool = False
    nodes: list[Node] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    reductions: list[Reduction] = field(default_factory=list)
    accumulations: list[Accumulation] = field(default_factory=list)
    scatters: list[Scatter] = field(default_factory=list)
    guards: list[tuple[Node, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    kept: list[Node] = field(default_factory=list)  # numbers that are read when all groups have run
    fills: list[tuple[Memory, Any]] = field(default_factory=list)  # memory set to one number before the loops
    known: dict[Any, Node] = field(default_factory=dict)

    @property
    def when(self) -> tuple[int, int]:
        """Order of execution: straight code of a stage stands before its loops."""
        return self.stage, int(bool(self.space))

    @property
    def size(self) -> int:
        """How many points the space has."""
        return math.prod(self.space)

    def node(self, op: str, kind: str, *args: Node, detail: Any = None) -> Node:
        """Return the node of an operation, one that is there already if there is one."""
        key = (op, kind, detail, *map(id, args))
        found = self.known.get(key)
        if found is None:
            axes = 0
            for a in args:
                if a.group is self:
                    axes |= a.axes
            if op == "fetch":
                memory, _, strides = detail
                memory.base.used(self)
                axes |= self._along(strides)
            found = self.known[key] = Node(op, kind, args, detail, axes, self)
            self.nodes.append(found)
        return found

    def load(self, memory: Memory, offset: int, strides: tuple[int, ...]) -> Node:
        """Return the number that stands in memory at each point."""
        base = memory.base
        base.used(self)
        key = ("load", id(base), memory.offset + offset, strides)
        found = self.known.get(key)
        if found is None:
            found = Node("load", memory.kind, (), (memory, offset, strides), self._along(strides), self)
            self.known[key] = found
            self.nodes.append(found)
        return found

    def _along(self, strides: tuple[int, ...]) -> int:
        """Return the bits of the loop axes along which what is read with these strides changes."""
        axes = 0
        for n, (stride, length) in enumerate(zip(strides, self.space, strict=True)):
            if stride and length > 1:
                axes |= 1 << n
        return axes


def constant(value: Any, kind: str) -> Node:
    """Return the node of a constant."""
    number: Any = bool(value) if kind == "i1" else int(value) if kind == "i64" else float(value)
    return Node("constant", kind, (), number, 0, None)


def constants(values: Any, kind: str) -> Any:
    """Return the nodes of an array of constants."""
    nodes = np.empty(values.shape, object)
    for place in np.ndindex(values.shape):
        nodes[place] = constant(values[place].item(), kind)
    return nodes


def is_constant(node: Node, value: float) -> bool:
    """Tell whether a node is a constant of this value; zeros by their sign too."""
    if node.op != "constant" or node.detail != value:
        return False
    return math.copysign(1.0, node.detail) == math.copysign(1.0, value)
