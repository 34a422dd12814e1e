"""From a tape to boxes and arrows."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.tape import Literal, Tape, Variable
from funcdiff.jit.passes.dead_code import drop_dead_code
from funcdiff.picture.labels import Labels, is_array, kind_line, shown
from funcdiff.picture.scene import Edge, Node, Scene
from funcdiff.source.naming import without_folders


class Graph:
    """The boxes and arrows of a tape, one box for every step."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.labels = Labels(tape)
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.edge_of: dict[tuple[int, int], Edge] = {}  # (record, operand) -> arrow
        self.node_of: dict[int, Node] = {}  # a variable's number -> the box that makes it
        for v in tape.inputs:
            name = self.labels.name(v)
            self._add(
                Node(f"x{v.number}", "input", name, kind_line(v.type), tip=f"input {name}: {v.type}"), v
            )
        for position, record in enumerate(tape.records):
            self._step(position, record)
        self._outputs()
        self._guards()
        self._fade()

    def scene(self, title: str = "", caption: str = "") -> Scene:
        """Return the boxes and arrows, to be laid out."""
        tape = self.tape
        if not title:
            steps = len(tape.records)
            title = f"{tape.name.partition(chr(10))[0]}: {steps} step{'s' if steps != 1 else ''}"
        return Scene(title, list(self.nodes.values()), self.edges, caption)

    def _add(self, node: Node, *made: Variable) -> None:
        self.nodes[node.key] = node
        self.node_of.update((v.number, node) for v in made)

    def _step(self, position: int, record: Any) -> None:
        title = self.labels.step(record)
        lines = [line for v in record.outputs for line in kind_line(v.type)]
        full = f"{', '.join(map(self.labels.name, record.outputs))} = {self.labels.right(record)}"
        tip = f"{full}\n{without_folders(record.line)}" if record.line else full
        node = Node(f"r{position}", "operation", title, lines, tip=tip)
        self._add(node, *record.outputs)
        for place, atom in enumerate(record.inputs):
            source = self._source(atom)
            if source is not None:
                edge = Edge(source.key, node.key)
                self.edges.append(edge)
                self.edge_of[position, place] = edge

    def _source(self, atom: Any) -> Node | None:
        if isinstance(atom, Variable):
            return self.node_of[atom.number]
        if not is_array(atom.value):
            return None
        name = self.labels.constant(atom.value)
        if name not in self.nodes:
            self._add(Node(name, "constant", name, [str(type_of(atom.value))], tip=shown(atom.value)))
        return self.nodes[name]

    def _outputs(self) -> None:
        several = len(self.tape.outputs) > 1
        for n, atom in enumerate(self.tape.outputs):
            word = f"output {n}" if several else "output"
            made = self.node_of.get(atom.number) if isinstance(atom, Variable) else None
            if made is not None and made.kind in ("operation", "output"):
                made.kind = "output"
                if several:
                    made.lines.append(word)
                continue
            value = shown(atom.value) if isinstance(atom, Literal) else ""
            node = Node(f"o{n}", "output", f"{word} = {value}" if value else word)
            self._add(node)
            if made is not None:
                self.edges.append(Edge(made.key, node.key))

    def _guards(self) -> None:
        for guard in self.tape.guards:
            node = self.node_of[guard.variable.number]
            line = f"decided: {shown(np.asarray(guard.value))}"
            if line not in node.lines:
                node.lines.append(line)
            node.tip += f"\nPython's control flow read it at {without_folders(guard.line)}"

    def _fade(self) -> None:
        """Fade the steps that neither an output nor a guard needs."""
        needed = {id(record) for record in drop_dead_code(self.tape).records}
        for position, record in enumerate(self.tape.records):
            if id(record) not in needed:
                self.nodes[f"r{position}"].faded = True
                for place in range(len(record.inputs)):
                    if (position, place) in self.edge_of:
                        self.edge_of[position, place].faded = True
