"""What a loop runs in every step, or a branch: a tape lowered where its operands are given in several ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Atom, Tape, Variable, variables
from funcdiff.jit.native.arrays import COMPONENT, UNIFORM, Array, computed
from funcdiff.jit.native.handlers import NotNative, kind_of
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.mapped import is_flat
from funcdiff.jit.native.nodes import Base, Group, Node
from funcdiff.jit.native.plain_products import Weak, weak_body
from funcdiff.jit.passes.pipeline import optimise_for
from funcdiff.transforms.loops.body import Body


def prepared(body: Tape) -> Tape:
    """Return an optimised body, made once."""
    if body.guards:
        raise NotNative
    if not isinstance(body, Body):
        return optimise_for(body, "native")
    if "native tape" not in body.derived:
        body.derived["native tape"] = optimise_for(_tape(body), "native")
    found: Tape = body.derived["native tape"]
    return found


def prepared_weak(body: Tape, carries: int) -> Weak | None:
    """Return a body with ordinary products, made once; None if there is no need for it."""
    if body.guards:
        raise NotNative
    if not isinstance(body, Body):
        return weak_body(body, carries)
    key = ("native weak", carries)
    if key not in body.derived:
        body.derived[key] = weak_body(_tape(body), carries)
    found: Weak | None = body.derived[key]
    return found


def _tape(body: Body) -> Tape:
    return Tape(body.name, body.inputs, body.records, body.outputs, (), body.in_tree, body.out_tree)


class BodyLowering(Lowering):
    """Lowers a tape into the middle of a function."""

    def __init__(
        self, tape: Tape, name: str, prefix: str = "", weak: bool = True, threads: bool = False
    ) -> None:
        super().__init__(tape, name, weak, threads)
        self.prefix = prefix
        self.choices = 0  # branches that stand among its own numbers
        self.looped: set[int] | None = None  # what loops over all elements read and write

    def is_small(self, v: Variable) -> bool:
        """Tell whether the elements of an array are numbers of straight code, for those too that read it."""
        if self.natural(v.type.shape)[0]:
            return False
        if self.looped is None:
            vectors = [r for r in self.tape.records if is_flat(self, r.outputs[0])]
            self.looped = {
                v.number for r in vectors for v in (*r.outputs, *variables(r.inputs)) if v.type.size > 1
            }
        return v.number not in self.looped

    def given(self, type_: ArrayType, texts: Sequence[str], extent: tuple[int, int] | None = None) -> Array:
        """Return an array whose elements are known by these names, integers perhaps between two that are known."""
        straight = self.group(((), False), 0)
        nodes = np.empty(len(texts), object)
        for n, text in enumerate(texts):
            nodes[n] = self._given(kind_of(type_), text, straight)
            nodes[n].detail = extent
        return computed(type_, straight, (COMPONENT,) * len(type_.shape), nodes.reshape(type_.shape))

    def standing_for(
        self, type_: ArrayType, nodes: Sequence[Node], stands: dict[int, tuple[Node, Node]]
    ) -> Array:
        """Return an array of numbers of another lowering; for those that are not constants, others stand here."""
        straight = self.group(((), False), 0)
        found = np.empty(len(nodes), object)
        for n, node in enumerate(nodes):
            if node.op == "constant":
                found[n] = node
            else:
                if id(node) not in stands:
                    extent = node.detail if node.op == "given" else None
                    stands[id(node)] = Node("given", node.kind, (), extent, 0, straight), node
                found[n] = stands[id(node)][0]
        return computed(type_, straight, (COMPONENT,) * len(type_.shape), found.reshape(type_.shape))

    def full(self, type_: ArrayType, of: Node | str) -> Array:
        """Return an array full of one number."""
        straight = self.group(((), False), 0)
        node = of if isinstance(of, Node) else self._given(kind_of(type_), of, straight)
        nodes = np.empty((1,) * len(type_.shape), object)
        nodes[...] = node
        layout = tuple(UNIFORM if n != 1 else COMPONENT for n in type_.shape)
        return computed(type_, straight, layout, nodes)

    def same(self, type_: ArrayType, x: Array) -> Array:
        """Return an array of constants of another lowering."""
        return computed(type_, self.group(((), False), 0), x.layout, x.parts)

    @staticmethod
    def _given(kind: str, text: str, straight: Group) -> Node:
        node = Node("given", kind, (), None, 0, straight)
        node.text = text
        return node

    def result(self, atom: Atom) -> Array:
        """Return a result, which may be a stack."""
        return self.arrays[atom.number] if isinstance(atom, Variable) else self.array(atom)

    def numbers(self, x: Array) -> list[Node]:
        """Return the elements of a small array as they are when all has run."""
        (found,), group = self.numbers_of([x])
        group.kept += found
        return found

    def numbers_of(self, xs: Sequence[Array]) -> tuple[list[list[Node]], Group]:
        """Return the elements of small arrays, and the straight code in which all of them are known."""
        layouts = [(COMPONENT,) * len(x.type.shape) for x in xs]
        pairs = list(zip(xs, layouts, strict=True))
        stage = max(self.stage_of(x, ((), False), layout, x.type.shape) for x, layout in pairs)
        group = self.group(((), False), stage)
        found = []
        for x, layout in pairs:
            parts = np.broadcast_to(self.read(x, group, layout, x.type.shape), x.type.shape)
            found.append(list(parts.reshape(-1)))
        return found, group

    def arranged(self) -> tuple[list[Group], list[Base], int]:
        """Return the groups in order, the memory they use, and how much of it the arena is."""
        found = super().arranged()
        for base in found[1]:
            if base.place < 0 and base.constant is None:
                base.name = f"{self.prefix}{base.name}"
        return found


def constants(x: Array) -> list[Node] | None:
    """Return the elements of a small array, if all are constants."""
    if x.group is None or x.group.space:
        return None
    if x.parts.size > 64 or any(n.op != "constant" for n in x.parts.reshape(-1)):
        return None
    return list(np.broadcast_to(x.parts, x.type.shape).reshape(-1)) if x.type.size <= 64 else None


def is_constant(x: Array) -> bool:
    """Tell whether all elements of a computed array are constants."""
    return x.group is not None and not x.group.space and all(n.op == "constant" for n in x.parts.reshape(-1))
