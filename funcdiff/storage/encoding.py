"""A tape as JSON; arrays stand beside it.

Plain numbers, words, None and booleans are themselves; a list with a word first is anything else:
``["tuple", …]``, ``["array", n]``, ``["slice", a, b, c]``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.primitive import REGISTRY, Primitive
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape
from funcdiff.core.trees import AnyTree, LeafTree
from funcdiff.primitives.indexing import HOLE
from funcdiff.source.naming import without_folders
from funcdiff.transforms.loops.body import as_body
from funcdiff.transforms.loops.stack import Stack


class Encoder:
    """Encodes one tape, and gathers its arrays."""

    def __init__(self, tape: Tape) -> None:
        self.name = tape.name
        self.arrays: list[Any] = []

    def tape(self, tape: Tape) -> dict[str, Any]:
        """Encode a tape."""
        return {
            "name": tape.name,
            "inputs": [self.variable(v) for v in tape.inputs],
            "input_names": list(tape.input_names),
            "records": [self.record(r) for r in tape.records],
            "outputs": [self.atom(a) for a in tape.outputs],
            "guards": [self.guard(g) for g in tape.guards],
            "in_tree": self.tree(tape.in_tree, "arguments"),
            "out_tree": self.tree(tape.out_tree, "results"),
            "line": without_folders(tape.line),
        }

    def variable(self, v: Any) -> list[Any]:
        """Encode where a variable is defined."""
        return [v.number, list(v.type.shape), v.type.dtype.str]

    def atom(self, atom: Atom) -> Any:
        """Encode an operand: the number of a variable, or a constant in a list."""
        return [self.value(atom.value)] if isinstance(atom, Literal) else atom.number

    def record(self, record: Record) -> dict[str, Any]:
        """Encode a step."""
        primitive = record.primitive
        if primitive.custom is not None or REGISTRY.get(primitive.name) is not primitive:
            raise self._refused(
                f"{primitive.name} is a function with rules of its own, which a file cannot hold. Add it by fd.primitive "
                "under a name that the reader registers too, or trace a plain version of it"
            )
        return {
            "do": primitive.name,
            "of": [self.atom(a) for a in record.inputs],
            "with": {name: self.value(value) for name, value in record.params.items()},
            "to": [self.variable(v) for v in record.outputs],
            "line": without_folders(record.line),
        }

    def guard(self, guard: Guard) -> list[Any]:
        """Encode what control flow saw."""
        return [
            guard.variable.number,
            self.value(np.asarray(guard.value)),
            guard.position,
            without_folders(guard.line),
        ]

    def tree(self, tree: AnyTree, what: str) -> Any:
        """Encode how leaves are nested."""
        if isinstance(tree, LeafTree):
            return 0
        return self._nest(tree.unflatten(range(tree.num_leaves)), what)

    def _nest(self, value: Any, what: str) -> Any:
        if value is None or type(value) is int:
            return value
        if type(value) is tuple:
            return ["tuple", *(self._nest(v, what) for v in value)]
        if type(value) is list:
            return ["list", *(self._nest(v, what) for v in value)]
        if type(value) is dict and all(type(key) in (str, int) for key in value):
            return ["dict", *([key, self._nest(v, what)] for key, v in value.items())]
        raise self._refused(
            f"its {what} are nested in a {type(value).__name__}; files hold tuples, lists, and dicts of words or integers"
        )

    def value(self, value: Any) -> Any:
        """Encode a constant or a setting."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else ["float", repr(value)]
        if type(value) is complex:
            return ["complex", self.value(value.real), self.value(value.imag)]
        if value is Ellipsis:
            return ["..."]
        if value is HOLE:
            return ["hole"]
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value)
        if isinstance(value, np.dtype):
            return ["dtype", value.str]
        if type(value) is slice:
            return ["slice", self.value(value.start), self.value(value.stop), self.value(value.step)]
        if type(value) in (tuple, list):
            return [type(value).__name__, *map(self.value, value)]
        if type(value).__module__.startswith("scipy.sparse"):
            rows = value.tocsr()
            parts = [self.value(part) for part in (rows.data, rows.indices, rows.indptr)]
            return ["sparse", *parts, *rows.shape]
        if isinstance(value, Tape):
            return ["body", self.tape(value), self.value(list(as_body(value).examples))]
        if isinstance(value, Stack):
            return ["stack", self.value(value.dtype), self.value(value.items)]
        primitive = getattr(value, "primitive", None)
        if isinstance(primitive, Primitive) and REGISTRY.get(primitive.name) is primitive:
            return ["lens", primitive.name]
        if type(value) is dict and all(type(key) is str for key in value):
            return ["dict", *([key, self.value(v)] for key, v in value.items())]
        raise self._refused(f"a step has a setting of type {type(value).__name__}, which a file cannot hold")

    def _array(self, value: Any) -> list[Any]:
        if value.dtype.kind not in "fcbiu" or value.dtype.names:
            raise self._refused(f"it holds an array of {value.dtype}, and a file holds numbers")
        self.arrays.append(np.asarray(value))
        return ["array" if isinstance(value, np.ndarray) else "scalar", len(self.arrays) - 1]

    def _refused(self, why: str) -> errors.UnsupportedError:
        return errors.UnsupportedError(f"tape {self.name} cannot be saved: {why}")
