"""Straight-line NumPy source of a tape.

Results are written into buffers that the program keeps, by position (``multiply(x1, x2, b0)``), and a
buffer is written again once nobody needs what it holds.  Constants are 0-d arrays of the dtype they are
used in, which NumPy takes three times faster than Python numbers.  The functions, constants and buffers
of a program are closed over; a call that finds the buffers in use gets others.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.mutation import write_plain
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Guard, Literal, Record, Tape, Variable, bodies
from funcdiff.jit.liveness import is_ufunc, plan, takes_buffer
from funcdiff.jit.passes.rewriting import is_weak, kind
from funcdiff.primitives.indexing import HOLE
from funcdiff.primitives.putting import path_to

_number = count().__next__
add_reduce = np.add.reduce  # a new object each time it is asked for
_EXTREMA: dict[str, tuple[Any, str]] = {
    "max": (np.maximum.reduce, "maximum_reduce"),
    "min": (np.minimum.reduce, "minimum_reduce"),
}
FEW = 1000  # elements of which a product is quicker than a sum
_TAKEN = re.compile(r"x\d+|b\d+|t|run|make")
_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


class Miss:
    """Says that a guard does not hold, and what was found."""

    __slots__ = ("index", "value")

    def __init__(self, index: int, value: Any) -> None:
        self.index = index
        self.value = value


class Unsteady(Exception):
    """Raised where a result has another shape than when the program was recorded."""


def generate(tape: Tape, watched: Sequence[Variable] = (), backend: str = "numpy") -> Source:
    """Write the source of a tape, which answers None where a watched variable holds a NaN.

    The backend is that of the bodies of loops.
    """
    return Writer(tape, watched, backend=backend).write()


class Source:
    """Source text, and what its names stand for."""

    def __init__(self, text: str, names: dict[str, Any], buffers: Sequence[ArrayType]) -> None:
        self.text = text
        self.names = names
        self.buffers = buffers
        file = f"<funcdiff jit {_number()}>"
        scope: dict[str, Any] = {}
        exec(compile(text, file, "exec"), scope)
        self._make: Callable[..., Any] = scope["make"]
        self._file = file
        # so that tracebacks show the lines; None for the time keeps checkcache from dropping it
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)

    def __del__(self) -> None:
        linecache.cache.pop(self._file, None)

    def make(self) -> Callable[..., Any]:
        """Return the function, with buffers of its own."""
        buffers = {f"b{n}": np.empty(k.shape, k.dtype) for n, k in enumerate(self.buffers)}
        function: Callable[..., Any] = self._make(**self.names, **buffers)
        return function


class Writer:
    """Writes source line by line."""

    def __init__(
        self, tape: Tape, watched: Sequence[Variable], owned: int = 0, backend: str = "numpy"
    ) -> None:
        self.tape = tape
        self.watched = {v.number for v in watched}
        self.plan = plan(tape, owned)
        self.backend = backend
        self.names: dict[str, Any] = {}
        self.of_object: dict[int, str] = {}
        self.uses: dict[str, int] = {}
        self.constants: dict[Any, str] = {}
        self.lines: list[str] = []

    def write(self) -> Source:
        """Write the whole tape."""
        tape = self.tape
        guards = list(enumerate(tape.guards))
        for v in tape.inputs:
            if v.number in self.watched:
                self._watch(v)
        for position, record in enumerate(tape.records):
            while guards and guards[0][1].position <= position:
                self._guard(*guards.pop(0))
            self.record(record)
            for v in record.outputs:
                if v.number in self.watched:
                    self._watch(v)
            for v in self.plan.dead.get(position, ()):
                self.lines.append(f"{v} = None")
        for numbered in guards:
            self._guard(*numbered)
        self.results()
        buffers = [f"b{n}" for n in range(len(self.plan.buffers))]
        body = "".join(f"        {line}\n" for line in self.lines)
        text = (
            f"def make({', '.join(['*', *self.names, *buffers]) if self.names or buffers else ''}):\n"
            f"    def run({', '.join(map(str, tape.inputs))}):\n{body}    return run\n"
        )
        return Source(text, self.names, self.plan.buffers)

    # --- names ---------------------------------------------------------------------------------

    def name_of(self, x: Any, hint: str) -> str:
        """Return the name that an object has in the source."""
        name = self.of_object.get(id(x))
        if name is None:
            name = hint
            if name in self.names or _TAKEN.fullmatch(name):
                self.uses[hint] = self.uses.get(hint, 0) + 1
                name = f"{hint}_{self.uses[hint]}"
            self.names[name] = x
            self.of_object[id(x)] = name
        return name

    def constant(self, value: Any) -> str:
        """Return the name of a constant, or the constant itself where it is short."""
        if type(value) in (bool, int) or value is None or value is Ellipsis:
            return repr(value)
        if type(value) is tuple and all(type(v) is int for v in value):
            return repr(value)
        if type(value) is float and np.isfinite(value):
            return repr(value)
        if type(value) is np.ndarray:
            value = value.view()
            value.flags.writeable = False
        return self.name_of(value, "constant")

    def atom(self, atom: Atom) -> str:
        """Write an operand."""
        return str(atom) if isinstance(atom, Variable) else self.constant(atom.value)

    def buffer(self, out: Variable) -> str | None:
        """Return the name of the memory that a result is written into."""
        number = self.plan.buffer_of.get(out.number)
        return None if number is None else f"b{number}"

    # --- records -------------------------------------------------------------------------------

    def record(self, record: Record) -> None:
        """Write a record."""
        out = record.outputs[0] if record.outputs else None
        if out is not None and takes_buffer(record) and not is_ufunc(record):
            self._broadcast(record, out)
        elif out is not None and is_ufunc(record):
            self._ufunc(record, out)
        elif out is not None and out.number in self.plan.in_place:
            self._write(record, out)
        else:
            self._call(record)

    def _broadcast(self, record: Record, out: Variable) -> None:
        buffer = self.buffer(out)
        shape, dtype = out.type
        if buffer is None:
            made = f"{self.name_of(np.empty, 'empty')}({shape!r}, {self.name_of(dtype, dtype.name)})"
            self.lines.append(f"{out} = {made}")
        else:
            self.lines.append(f"{out} = {buffer}")
        self.lines.append(f"{out}[...] = {self.atom(record.inputs[0])}")

    def _write(self, record: Record, out: Variable) -> None:
        """Write a value into an array that is needed no more as it was."""
        old, value, *arrays = map(self.atom, record.inputs)
        if record.primitive is REGISTRY["put"]:
            self._put(record, old, value, arrays)
            self.lines.append(f"{out} = {old}")
            return
        path = record.params["path"]
        lens, params = path[0]
        if len(path) == 1 and lens is REGISTRY["getitem"].function:
            self.lines.append(f"{old}[{self.constant(params['index'])}] = {value}")
        else:
            self.lines.append(f"{self.name_of(write_plain, 'write')}({old}, {value}, {self.constant(path)})")
        self.lines.append(f"{out} = {old}")

    def _put(self, record: Record, old: str, value: str, arrays: list[str]) -> None:
        template, lenses = record.params["template"], record.params["lenses"]
        if lenses:
            into = self.name_of(_put_into, "put_into")
            given = ", ".join([old, value, self.constant(lenses), self.constant(template), *arrays])
            self.lines.append(f"{into}({given})")
            return
        self.lines.append(f"{old}[{self._filled(template, arrays)}] = {value}")

    def _filled(self, template: tuple[Any, ...], arrays: Sequence[str]) -> str:
        """Write an index with operands in its holes."""
        rest = iter(arrays)
        return ", ".join(next(rest) if i is HOLE else self.constant(i) for i in template) + (
            "," if len(template) > 1 else ""
        )

    def _ufunc(self, record: Record, out: Variable) -> None:
        name = record.primitive.name
        scalars = not any(kind(a).shape for a in record.inputs) and kind_is_float(record)
        if len(record.inputs) == 2 and name in _OPERATORS and scalars:
            a, b = map(self.atom, record.inputs)
            self.lines.append(f"{out} = {a} {_OPERATORS[name]} {b}")
            return
        if name == "negative" and scalars:
            self.lines.append(f"{out} = -{self.atom(record.inputs[0])}")
            return
        if name == "power":
            a, b = (f"({self.atom(i)})" if isinstance(i, Literal) else self.atom(i) for i in record.inputs)
            self.lines.append(f"{out} = {a} ** {b}")
            return
        impl: Any = record.primitive.impl
        args = [self._operand(impl, record, n) for n in range(len(record.inputs))]
        buffer = self.buffer(out)
        if buffer is not None:
            # these two are about to take more operands by position
            args.append(f"out={buffer}" if impl in (np.maximum, np.minimum) else buffer)
        self.lines.append(f"{out} = {self.name_of(impl, name)}({', '.join(args)})")

    def _operand(self, ufunc: Any, record: Record, n: int) -> str:
        """Write an operand; a Python number as a 0-d array, if the ufunc takes both for the same."""
        atom = record.inputs[n]
        if isinstance(atom, Variable) or not is_weak(atom) or not record.outputs[0].type.shape:
            return self.atom(atom)
        value = _as_array(ufunc, record, n)
        if value is None:
            return self.atom(atom)
        key = (value.dtype.str, value.tobytes())
        name = self.constants.get(key)
        if name is None:
            value.flags.writeable = False
            name = self.constants[key] = self.name_of(value, "constant")
        return name

    def _call(self, record: Record) -> None:
        primitive, params = record.primitive, record.params
        args = [self.atom(a) for a in record.inputs]
        name = primitive.name
        outs = ", ".join(map(str, record.outputs)) + ("," if primitive.multiple_outputs else "")
        match name:
            case "sum" if primitive is REGISTRY["sum"]:
                reduce = self.name_of(add_reduce, "add_reduce")
                whole = kind(record.inputs[0]).ndim == len(params["axis"]) == 1 and not params["keepdims"]
                axis = None if whole else params["axis"]  # None is the fastest, and the same for a vector
                keep = ", None, None, True" if params["keepdims"] else ""
                call = f"{reduce}({args[0]}, {axis}{keep})"
            case "max" | "min" if primitive in (REGISTRY["max"], REGISTRY["min"]) and not params["keepdims"]:
                reduce = self.name_of(*_EXTREMA[name])
                call = f"{reduce}({args[0]}, {params['axis']!r})"
            case "reshape" if kind(record.inputs[0]).shape:
                call = f"{args[0]}.reshape({params['shape']!r})"
            case "transpose" if kind(record.inputs[0]).shape:
                call = f"{args[0]}.transpose({params['axes']!r})"
            case "getitem" if isinstance(record.inputs[0], Variable):
                call = f"{args[0]}[{self.constant(params['index'])}]"
            case "gather" if isinstance(record.inputs[0], Variable):
                call = f"{args[0]}[{self._filled(params['template'], args[1:])}]"
            case "loop" | "branch" if bodies(record):
                from funcdiff.jit.loops import compiled

                call = f"{self.name_of(compiled(record, self.backend), name)}({', '.join(args)})"
            case "where":
                call = f"{self.name_of(np.where, 'where')}({', '.join(args)})"
            case _:
                function = primitive.impl if primitive.custom is None else primitive.function
                given = [f"{key}={self.constant(value)}" for key, value in params.items()]
                foreign = primitive.user_made or primitive.custom is not None
                called = self.name_of(function, "call" if foreign else f"{name}_")
                call = f"{called}({', '.join(args + given)})"
        self.lines.append(f"{outs} = {call}" if outs else call)
        if primitive.user_made or primitive.custom is not None:
            check = self.name_of(_check, "check")
            for v in record.outputs:
                self.lines.append(f"{check}({v}, {self.name_of(v.type, f'type_of_{v}')})")

    def given(self) -> set[int]:
        """Return the numbers of the inputs that belong to somebody else."""
        return {v.number for v in self.tape.inputs}

    def is_handed_over(self, n: int) -> bool:
        """Tell whether a result must lie in memory of its own."""
        return True

    # --- guards, checks, results ----------------------------------------------------------------

    def _guard(self, index: int, guard: Guard) -> None:
        v, value = guard.variable, np.asarray(guard.value)
        miss = f"return {self.name_of(Miss, 'Miss')}({index}, {v})"
        if value.dtype == bool and not value.shape:
            self.lines.append(f"if {'not ' if value else ''}{v}: {miss}")
        elif not value.shape and value == value:
            self.lines.append(f"if {v} != {self.name_of(value[()], f'seen{index}')}: {miss}")
        else:
            same = self.name_of(_same, "same")
            self.lines.append(f"if not {same}({v}, {self.name_of(value, f'seen{index}')}): {miss}")

    def _watch(self, v: Variable) -> None:
        if not v.type.shape:
            self.lines.append(f"if {v} != {v}: return None")
            return
        shape, dtype = v.type
        if len(shape) == 1 and shape[0] <= FEW and dtype.kind == "f":  # squares have a NaN where there is one
            self.lines.append(f"t = {v}.dot({v})")
        else:
            self.lines.append(f"t = {self.name_of(add_reduce, 'add_reduce')}({v}, None)")
        self.lines.append("if t != t: return None")

    def results(self) -> None:
        """Write the return statement."""
        given = self.given()
        results: list[str] = []
        for atom in self.tape.outputs:
            text = self.atom(atom)
            if isinstance(atom, Literal):
                text = self.atom(Literal(np.asarray(atom.value)[()]))
                text = f"{text}.copy()" if kind(atom).shape else text
            elif self.is_handed_over(len(results)):
                if kind(atom).shape and atom.number in given:
                    text = f"{text}.copy()"
                elif atom.number not in self.plan.fresh:
                    text = f"{self.name_of(_own, 'own')}({text})"
                given.add(atom.number)
            results.append(text)
        self.lines.append(f"return ({', '.join(results)}{',' if len(results) == 1 else ''})")


def _as_array(ufunc: Any, record: Record, n: int) -> np.ndarray | None:
    """Return a Python number as a 0-d array, if the ufunc does the same with it."""
    given: list[Any] = [
        type(a.value) if isinstance(a, Literal) and is_weak(a) else kind(a).dtype for a in record.inputs
    ]
    if bool in given:
        return None
    try:
        asked = ufunc.resolve_dtypes((*given, None))
        atom = record.inputs[n]
        value = np.asarray(atom.value if isinstance(atom, Literal) else None, asked[n])
        given[n] = asked[n]
        return value if ufunc.resolve_dtypes((*given, None)) == asked else None
    except (OverflowError, TypeError, ValueError):
        return None


def kind_is_float(record: Record) -> bool:
    """Tell whether all operands are float64 or Python numbers, whose scalars compute as arrays do."""
    return all(is_weak(a) or kind(a).dtype == np.float64 for a in record.inputs) and not all(
        is_weak(a) for a in record.inputs
    )


def _check(x: Any, expected: ArrayType) -> None:
    if type_of(x) != expected:
        raise Unsteady


def _same(x: Any, y: np.ndarray) -> bool:
    x = np.asarray(x)
    return bool(np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"))


def _put_into(x: Any, value: Any, lenses: Any, template: Any, *arrays: Any) -> None:
    write_plain(x, value, path_to(lenses, template, arrays))


def _own(x: Any) -> Any:
    """Return an array that is nobody else's: what made it may have returned an operand or a view of one."""
    return x.copy() if isinstance(x, np.ndarray) else x
