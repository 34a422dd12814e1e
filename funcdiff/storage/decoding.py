"""A tape from JSON: everything is checked before anything is built of it."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import Primitive
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable
from funcdiff.core.trees import AnyTree, flatten
from funcdiff.primitives.indexing import HOLE
from funcdiff.source import find_primitive
from funcdiff.storage.bodies import is_sound, made_body, made_stack

_DTYPE = re.compile(r"[<>|=][fcbiu]\d{1,2}")
LENSES = ("getitem", "reshape", "transpose")  # what paths are made of
LARGEST = 1 << 62  # numbers and shapes


class Damaged(Exception):
    """Raised where a file does not say what a tape says."""


class Decoder:
    """Decodes one tape."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.arrays = arrays
        self.defined: dict[int, Variable] = {}

    def tape(self, d: Any) -> Tape:
        """Decode a tape."""
        inputs = tuple(self.definition(v) for v in _list(d, "inputs"))
        records = tuple(self.record(r) for r in _list(d, "records"))
        outputs = tuple(self.atom(a) for a in _list(d, "outputs"))
        guards = tuple(self.guard(g) for g in _list(d, "guards"))
        names = tuple(_word(n) for n in _list(d, "input_names"))
        in_tree, out_tree = (
            self.tree(d.get("in_tree"), len(inputs)),
            self.tree(d.get("out_tree"), len(outputs)),
        )
        positions = [g.position for g in guards]
        if positions != sorted(positions) or len(names) > len(inputs):
            raise Damaged("its guards or names are out of order")
        return Tape(
            _word(d.get("name")),
            inputs,
            records,
            outputs,
            guards,
            in_tree,
            out_tree,
            names,
            _word(d.get("line")),
        )

    def definition(self, d: Any) -> Variable:
        """Decode a variable where it is defined."""
        number, shape, dtype = _parts(d, 3)
        if not isinstance(shape, list) or len(shape) > 64:
            raise Damaged("a shape is not a list of a few numbers")
        v = Variable(_count(number), ArrayType(tuple(map(_count, shape)), _dtype(dtype)))
        if v.number in self.defined:
            raise Damaged(f"{v} is defined twice")
        self.defined[v.number] = v
        return v

    def atom(self, d: Any) -> Atom:
        """Decode an operand."""
        if isinstance(d, list) and len(d) == 1:
            return Literal(self.value(d[0]))
        return self.variable(d)

    def variable(self, d: Any) -> Variable:
        """Decode the use of a variable."""
        number = _count(d)
        if number not in self.defined:
            raise Damaged(f"x{number} is used before it is defined")
        return self.defined[number]

    def record(self, d: Any) -> Record:
        """Decode a step."""
        if not isinstance(d, dict):
            raise Damaged("a step is not described by names")
        primitive = _primitive(_word(d.get("do")))
        inputs = tuple(self.atom(a) for a in _list(d, "of"))
        settings = d.get("with")
        if not isinstance(settings, dict):
            raise Damaged(f"a step of {primitive.name} has no settings")
        _check_settings(primitive, settings)
        params = {name: self.value(value) for name, value in settings.items()}
        outputs = tuple(self.definition(v) for v in _list(d, "to"))
        record = Record(primitive, inputs, params, outputs, _word(d.get("line")))
        if primitive.control is not None and not is_sound(record):
            raise Damaged(f"a {primitive.name} does not fit its body")
        return record

    def guard(self, d: Any) -> Guard:
        """Decode what control flow saw."""
        variable, value, position, line = _parts(d, 4)
        seen = self.value(value)
        if not isinstance(seen, np.ndarray):
            raise Damaged("a guard has no value")
        return Guard(self.variable(variable), seen, _count(position), _word(line))

    def tree(self, d: Any, leaves: int) -> AnyTree:
        """Decode how leaves are nested."""
        found, tree = flatten(_nest(d))
        if found != list(range(leaves)):
            raise Damaged("its arguments or results are nested in a way that does not fit their number")
        return tree

    def value(self, d: Any) -> Any:
        """Decode a constant or a setting."""
        if d is None or isinstance(d, (bool, int, str)) or (type(d) is float and math.isfinite(d)):
            return d
        if not isinstance(d, list) or not d or not isinstance(d[0], str):
            raise Damaged("a value is of no known kind")
        kind, *parts = d
        decode = self._kinds().get(kind)
        if decode is None:
            raise Damaged(f"a value is of the unknown kind {kind[:40]!r}")
        try:
            return decode(*parts)
        except (TypeError, ValueError, OverflowError):
            raise Damaged(f"a value of kind {kind} is not written as one") from None

    def _kinds(self) -> dict[str, Callable[..., Any]]:
        return {
            "float": _special_float,
            "complex": lambda a, b: complex(_real(self.value(a)), _real(self.value(b))),
            "...": lambda: Ellipsis,
            "hole": lambda: HOLE,
            "array": self._array,
            "scalar": lambda n: self._array(n)[()],
            "dtype": _dtype,
            "slice": lambda a, b, c: slice(self.value(a), self.value(b), self.value(c)),
            "tuple": lambda *parts: tuple(map(self.value, parts)),
            "list": lambda *parts: list(map(self.value, parts)),
            "dict": lambda *pairs: {_word(key): self.value(v) for key, v in (_parts(p, 2) for p in pairs)},
            "lens": _lens,
            "sparse": self._sparse,
            "body": self._body,
            "stack": lambda dtype, items: made_stack(self.value(dtype), self.value(items)),
        }

    def _body(self, d: Any, examples: Any) -> Tape:
        values = self.value(examples)
        body = made_body(Decoder(self.arrays).tape(d), values if isinstance(values, list) else [])
        if body is None:
            raise Damaged("a body does not fit its examples")
        return body

    def _sparse(self, data: Any, indices: Any, indptr: Any, *shape: Any) -> Any:
        import scipy.sparse  # few tapes need it

        matrix = scipy.sparse.csr_array(
            (self.value(data), self.value(indices), self.value(indptr)), shape=tuple(map(_count, shape))
        )
        matrix.check_format(full_check=True)  # indices that lie outside would be read outside
        return matrix

    def _array(self, n: Any) -> Any:
        if _count(n) >= len(self.arrays):
            raise Damaged(f"array {n} is missing")
        return self.arrays[n]


def _primitive(name: str) -> Primitive:
    primitive = find_primitive(name)
    if primitive is None:
        raise errors.TapeError(
            f"it uses the primitive {name[:80]!r}, which is not registered here. If it was added by fd.primitive, add it before "
            "loading; if it is a newer funcdiff's, install that"
        )
    return primitive


def _check_settings(primitive: Primitive, settings: dict[str, Any]) -> None:
    """Refuse settings that the implementation does not take."""
    known: set[str] = set()
    if not isinstance(primitive.impl, np.ufunc):
        parameters = inspect.signature(primitive.impl).parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return
        known = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)} - {"out"}
    unknown = set(settings) - known
    if unknown:
        raise Damaged(f"a step of {primitive.name} has the unknown setting {min(unknown)[:40]!r}")


def _nest(d: Any) -> Any:
    if d is None or type(d) is int:
        return d
    if not isinstance(d, list) or not d:
        raise Damaged("a structure is of no known kind")
    kind, *parts = d
    if kind == "tuple":
        return tuple(map(_nest, parts))
    if kind == "list":
        return list(map(_nest, parts))
    if kind == "dict":
        pairs = [_parts(p, 2) for p in parts]
        if not all(type(key) in (str, int) for key, _ in pairs):
            raise Damaged("a dict has keys that are neither words nor integers")
        return {key: _nest(v) for key, v in pairs}
    raise Damaged("a structure is of no known kind")


def _lens(name: Any) -> Any:
    if name not in LENSES:
        raise Damaged("a path leads through something that is no view")
    return _primitive(name).function


def _special_float(text: Any) -> float:
    if text not in ("inf", "-inf", "nan"):
        raise Damaged("a number is not written as one")
    return float(text)


def _real(x: Any) -> float:
    if type(x) not in (int, float):
        raise Damaged("a number is not written as one")
    return float(x)


def _dtype(text: Any) -> np.dtype[Any]:
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        raise Damaged("a dtype is not one of numbers")
    try:
        return np.dtype(text)
    except TypeError:
        raise Damaged(f"this computer has no numbers of dtype {text}") from None


def _list(d: Any, name: str) -> list[Any]:
    value = d.get(name) if isinstance(d, dict) else None
    if not isinstance(value, list):
        raise Damaged(f"it has no list of {name}")
    return value


def _parts(d: Any, count: int) -> list[Any]:
    if not isinstance(d, list) or len(d) != count:
        raise Damaged(f"{count} values are expected in one place, and others found")
    return d


def _word(d: Any) -> str:
    if not isinstance(d, str):
        raise Damaged("a word is expected in one place, and something else found")
    return d


def _count(d: Any) -> int:
    if type(d) is not int or not 0 <= d < LARGEST:
        raise Damaged("a count is expected in one place, and something else found")
    return d
