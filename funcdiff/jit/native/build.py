"""Writing nodes into a group: operations, comparisons and choices, those on constants computed at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from funcdiff.jit.native.nodes import Group, Node, constant, is_constant

FLOATS = ("f64", "f32")


class Build:
    """Writes nodes into a group; constants are computed at once."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def op(self, name: str, *args: Node) -> Node:
        """Return an arithmetic operation on operands of one kind."""
        return self.group.node(name, args[0].kind, *args)

    def compare(self, name: str, x: Node, y: Node) -> Node:
        """Return "lt", "le", "gt", "ge", "eq", or "ne", which alone is true of a NaN."""
        return self.group.node(name, "i1", x, y)

    def select(self, condition: Node, x: Node, y: Node) -> Node:
        """Return x where the condition holds, and y elsewhere."""
        if condition.op == "constant":
            return x if condition.detail else y
        return x if x is y else self.group.node("select", x.kind, condition, x, y)

    def convert(self, x: Node, to: str) -> Node:
        """Return a number as one of another kind."""
        if x.kind == to:
            return x
        if x.op == "constant":
            return constant(x.detail if to != "f32" else np.float32(x.detail), to)
        if to == "i1":
            return self.compare("ne", x, constant(0, x.kind))
        return self.group.node("convert", to, x)

    def call(self, name: str, *args: Node) -> Node:
        """Return a mathematical function."""
        return self.group.node("call", args[0].kind, *args, detail=name)

    def number(self, value: float, like: Node) -> Node:
        """Return a constant of the kind of another node."""
        return constant(value, like.kind)

    # --- the pieces that several functions share ------------------------------------------------

    def add(self, x: Node, y: Node) -> Node:
        """Return a sum."""
        return self.op("add", x, y)

    def multiply(self, x: Node, y: Node) -> Node:
        """Return a product."""
        for a, b in ((x, y), (y, x)):
            if is_constant(a, 1):
                return b
        return self.op("mul", x, y)

    def truth(self, x: Node) -> Node:
        """Return whether a number counts as true."""
        return self.convert(x, "i1")

    def invert(self, x: Node) -> Node:
        """Return the opposite truth value."""
        return self.op("xor", x, constant(True, "i1"))

    def is_nan(self, x: Node) -> Node:
        """Return whether a number is a NaN."""
        return self.compare("ne", x, x) if x.kind in FLOATS else constant(False, "i1")

    def nonzero(self, x: Node) -> Node:
        """Return whether a number is not zero."""
        return self.compare("ne", x, constant(0, x.kind))

    def zeroed(self, g: Node, value: Callable[[], Node]) -> Node:
        """Return a value where `g` is not zero, and zero elsewhere."""
        if g.op == "constant":
            return value() if g.detail else constant(0, g.kind)
        out = value()
        return self.select(self.nonzero(g), out, constant(0, out.kind))
