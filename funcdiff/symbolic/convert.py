"""A tape run on symbols instead of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Literal, Record, Tape
from funcdiff.source.naming import identifier
from funcdiff.source.tidying import tidied
from funcdiff.symbolic.functions import BY_IMPLEMENTATION, elementwise

LARGEST = 400  # elements of a value; expressions of more are no use to anyone
SMALL_DENOMINATOR = 64  # of constants that are written as fractions


def to_sympy(tape: Tape, *, on_path: bool = False) -> Any:
    """Return what a tape computes as SymPy expressions of symbols."""
    if tape.guards and not on_path:
        raise errors.UnsupportedError(
            f"to_sympy: Python's control flow in {tape.name} decided on values (at {tape.guards[0].line or 'an unknown line'}), so "
            "its formula holds on one side only. Write np.where, or say on_path=True to get the formula of this path"
        )
    conversion = Conversion(_sympy())
    return conversion.run(tidied(tape))


def _sympy() -> Any:
    try:
        import sympy
    except ImportError as error:
        raise errors.MissingExtraError(
            'symbolic forms need the package sympy: pip install "funcdiff[symbolic]"'
        ) from error
    return sympy


class Conversion:
    """Runs one tape on arrays of symbols."""

    def __init__(self, sympy: Any) -> None:
        self.sympy = sympy
        self.functions = elementwise(sympy)

    def run(self, tape: Tape) -> Any:
        """Return the outputs, nested as the function's."""
        values: dict[int, Any] = {}
        for n, v in enumerate(tape.inputs):
            given = tape.input_names[n] if n < len(tape.input_names) else f"x_{n}"
            values[v.number] = self.symbols(identifier(given), v.type)
        for record in tape.records:
            args = [
                self.constant(a.value) if isinstance(a, Literal) else values[a.number] for a in record.inputs
            ]
            outs = self.step(record, args)
            for v, out in zip(record.outputs, outs, strict=True):
                if v.type.size > LARGEST:
                    raise errors.UnsupportedError(
                        f"to_sympy: a value of {tape.name} has shape {v.type.shape}, and formulas are for arrays of up to "
                        f"{LARGEST} elements; trace the function with smaller arguments"
                    )
                values[v.number] = _array(out)
        outs = [self.constant(a.value) if isinstance(a, Literal) else values[a.number] for a in tape.outputs]
        return tape.out_tree.unflatten([self.result(o) for o in outs])

    def symbols(self, name: str, kind: ArrayType) -> Any:
        """Make the symbols of an input: one, or one for every element."""
        facts: dict[str, bool] = {"real": True} if kind.dtype.kind != "c" else {}
        if kind.dtype.kind in "iu":
            facts["integer"] = True
        if kind.size > LARGEST:
            raise errors.UnsupportedError(
                f"to_sympy: input {name} has shape {kind.shape}, and formulas are for arrays of up to {LARGEST} elements"
            )
        out = np.empty(kind.shape, object)
        for index in itertools.product(*map(range, kind.shape)):
            place = ",".join(map(str, index))
            tail = f"_{place}" if len(place) == 1 else f"_{{{place}}}"
            out[index] = self.sympy.Symbol(name + tail if index else name, **facts)
        return out

    def constant(self, value: Any) -> Any:
        """Return a constant as numbers of SymPy: exact where it is an integer or a short fraction."""
        value = np.asarray(value)
        out = np.empty(value.shape, object)
        for index in itertools.product(*map(range, value.shape)):
            out[index] = self.number(value[index].item())
        return out

    def number(self, x: Any) -> Any:
        """Convert one number."""
        s = self.sympy
        if isinstance(x, bool):
            return s.true if x else s.false
        if isinstance(x, complex):
            return self.number(x.real) + s.I * self.number(x.imag)
        if isinstance(x, int):
            return s.Integer(x)
        if not np.isfinite(x):
            return s.nan if np.isnan(x) else (s.oo if x > 0 else -s.oo)
        top, bottom = x.as_integer_ratio()
        return s.Rational(top, bottom) if bottom <= SMALL_DENOMINATOR else s.Float(x)

    def step(self, record: Record, args: list[Any]) -> list[Any]:
        """Carry out a step on arrays of expressions."""
        primitive, name = record.primitive, record.primitive.name
        function = self.functions.get(name)
        if primitive.user_made or primitive.custom is not None:
            raise self._unknown(name)
        if function is not None:
            return [_each(function, args)]
        if name in BY_IMPLEMENTATION:
            return [primitive.impl(*args, **record.params)]
        if name in ("max", "min"):
            return [self._extremum(self.sympy.Max if name == "max" else self.sympy.Min, args[0], record)]
        if name in ("inv", "det", "solve"):
            return [self._matrix(name, args, record)]
        raise self._unknown(name)

    def _extremum(self, function: Callable[..., Any], x: Any, record: Record) -> Any:
        axis, keepdims = record.params["axis"], record.params["keepdims"]
        if not axis:
            return x
        rest = [n for n in range(x.ndim) if n not in axis]
        rows = x.transpose(*rest, *axis).reshape(*(x.shape[n] for n in rest), -1)
        out = np.empty(rows.shape[:-1], object)
        for index in itertools.product(*map(range, out.shape)):
            out[index] = function(*rows[index])
        return out.reshape(record.outputs[0].type.shape) if keepdims else out

    def _matrix(self, name: str, args: list[Any], record: Record) -> Any:
        a = args[0]
        if a.ndim != 2:
            raise self._unknown(f"{name} of a stack of matrices")
        matrix = self.sympy.Matrix(a.tolist())
        if name == "det":
            return matrix.det()
        found = matrix.inv() if name == "inv" else matrix.LUsolve(self.sympy.Matrix(args[1].tolist()))
        return np.array(found.tolist(), object).reshape(record.outputs[0].type.shape)

    def result(self, out: Any) -> Any:
        """Return an expression, or a SymPy array of them."""
        return out[()] if not out.shape else self.sympy.Array(out.tolist(), out.shape)

    def _unknown(self, name: str) -> errors.UnsupportedError:
        return errors.UnsupportedError(f"to_sympy: {name} has no form in SymPy that funcdiff knows")


def _array(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x
    out = np.empty((), object)
    out[()] = x
    return out


def _each(function: Callable[..., Any], args: list[Any]) -> Any:
    """Apply a function to the elements of broadcast arrays."""
    shape = np.broadcast_shapes(*(a.shape for a in args))
    full = [np.broadcast_to(a, shape) for a in args]
    out = np.empty(shape, object)
    for index in itertools.product(*map(range, shape)):
        out[index] = function(*(a[index] for a in full))
    return out
