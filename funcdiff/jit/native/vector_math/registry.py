"""Which functions the vector math has, and their definitions as text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from funcdiff.jit.native.vector_math.builder import Builder, Value
from funcdiff.jit.native.vector_math.helpers import Helper

Formula = Callable[..., Any]  # of a builder and values; a value, or several for several results
AnyFormula = TypeVar("AnyFormula", bound=Formula)

FUNCTIONS: dict[str, Entry] = {}


@dataclass(frozen=True)
class Entry:
    """A function of vector math: its float64 formula and, unless float64 does for both, its float32 formula."""

    formula: Formula
    single: Formula | None
    arity: int


def vector_function(
    *names: str, single: Formula | None = None, generic: bool = False
) -> Callable[[AnyFormula], AnyFormula]:
    """Register a formula ``f(b, *arguments)`` under ufunc names.

    The float32 function computes in float64 and rounds, unless a formula ``single`` of its own is given or the
    formula is ``generic``, the same for both.
    """

    def register(formula: AnyFormula) -> AnyFormula:
        arity = len(inspect.signature(formula).parameters) - 1
        for name in names:
            FUNCTIONS[name] = Entry(formula, formula if generic else single, arity)
        return formula

    return register


def available(name: str, dtype: str) -> bool:
    """Whether there is a function of this ufunc name for ``"f64"`` or ``"f32"``."""
    return name in FUNCTIONS and dtype in ("f64", "f32")


def symbol(name: str, dtype: str, lanes: int) -> str:
    """The symbol of a definition, such as ``@fd.exp.f64.v8``."""
    return f"@fd.{name}.{dtype}.v{lanes}"


def definitions(wanted: Iterable[tuple[str, str, int]], attributes: str = "") -> str:
    """LLVM IR that defines the wanted functions, each once, and the helpers they call.

    Parameters
    ----------
    wanted
        Triples of ufunc name, ``"f64"`` or ``"f32"``, and number of lanes.
    attributes
        Attributes of the functions, for example ``"alwaysinline"``.

    Returns
    -------
    str
        Definitions such as ``define internal <8 x double> @fd.exp.f64.v8(<8 x double> %x0)``; with one lane the types
        are scalar. A function of several results returns a structure of them. The only symbols they refer to are
        intrinsics, which LLVM declares by itself.
    """
    texts: list[str] = []
    helpers: dict[tuple[Helper, int], None] = {}
    for name, dtype, lanes in dict.fromkeys(wanted):
        text, required = _definition(name, dtype, lanes, attributes)
        texts.append(text)
        helpers.update(dict.fromkeys(required))
    scalars = [helper.text for helper in dict.fromkeys(helper for helper, _ in helpers)]
    vectors = [helper.definition(lanes) for helper, lanes in helpers if lanes > 1]
    return "\n".join([*scalars, *vectors, *texts])


@cache
def _definition(name: str, dtype: str, lanes: int, attributes: str) -> tuple[str, list[tuple[Helper, int]]]:
    """One definition and the helpers it calls."""
    entry = FUNCTIONS[name]
    b = Builder(lanes)
    of = b.type(dtype)
    arguments = [Value(b, dtype, f"%x{k}") for k in range(entry.arity)]
    if dtype == "f64":
        answer = entry.formula(b, *arguments)
    elif entry.single is not None:
        answer = entry.single(b, *arguments)
    else:
        wide = entry.formula(b, *(b.widen(x) for x in arguments))
        answer = tuple(b.narrow(y) for y in wide) if isinstance(wide, tuple) else b.narrow(wide)
    parameters = ", ".join(f"{of} {x.text}" for x in arguments)
    result_type, body = _returned(b, answer)
    head = f"define internal {result_type} {symbol(name, dtype, lanes)}({parameters}) {attributes} {{"
    return "\n".join([head, *body, "}"]), b.requirements


def _returned(b: Builder, answer: Value | tuple[Value, ...]) -> tuple[str, list[str]]:
    """The type of the result and the lines of the body with its return."""
    if isinstance(answer, Value):
        of = b.type(answer.kind)
        return of, [*b.lines, f"  ret {of} {answer.text}"]
    of = "{ " + ", ".join(b.type(y.kind) for y in answer) + " }"
    lines, packed = list(b.lines), "poison"
    for k, y in enumerate(answer):
        lines.append(f"  %r{k} = insertvalue {of} {packed}, {b.type(y.kind)} {y.text}, {k}")
        packed = f"%r{k}"
    return of, [*lines, f"  ret {of} {packed}"]
