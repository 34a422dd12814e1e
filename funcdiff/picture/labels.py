"""The words of a picture: names of values, what a step computes, values, derivatives as formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.primitive import Elementwise, Linear, Multilinear, Over
from funcdiff.core.tape import Atom, Literal, Record, Tape, Variable
from funcdiff.source import constants
from funcdiff.source.expression import Expression, operation
from funcdiff.source.inlining import Helpers
from funcdiff.source.naming import RESERVED, Names, user_names
from funcdiff.source.spelling import filled, path, spell
from funcdiff.source.tidying import tidied
from funcdiff.transforms.trace import trace

LONGEST = 36  # characters of a title
LONGEST_FORMULA = 22  # of a derivative on an edge
SHOWN = 6  # elements of an array


class Labels:
    """Names every value of a tape once."""

    def __init__(self, tape: Tape) -> None:
        wanted = user_names(tape)
        self.names = Names([n for n in RESERVED if n not in ("np", "places")])
        given = dict(zip((v.number for v in tape.inputs), tape.input_names, strict=False))
        forever = len(tape.records) + 1
        for v in tape.inputs:
            self.names.give(v.number, given.get(v.number, ""), -1, forever)
        number = 0
        for position, record in enumerate(tape.records):
            for v in record.outputs:
                name = wanted.get(v.number, "")
                if not name:
                    number += 1
                    name = f"v{number}"
                self.names.give(v.number, name, position, forever)
        self.of_constant: dict[int, str] = {}

    def name(self, v: Variable) -> str:
        """Return the name of a value."""
        return self.names.of[v.number]

    def constant(self, value: Any) -> str:
        """Return the name of an array that stands on the tape."""
        return self.of_constant.setdefault(id(value), f"c{len(self.of_constant) + 1}")

    def operand(self, atom: Atom) -> Expression:
        """Write an operand: a name, or a number."""
        if isinstance(atom, Variable):
            return Expression(self.name(atom))
        return Expression(self.constant(atom.value)) if is_array(atom.value) else short_number(atom.value)

    def step(self, record: Record) -> str:
        """Write what a step computes, as ``c = a + b``."""
        left = ", ".join(map(self.name, record.outputs))
        return shortened(f"{left} = {self.right(record)}")

    def right(self, record: Record) -> str:
        """Write the right-hand side of a step."""
        return spelled(record, [self.operand(a) for a in record.inputs]).text


def spelled(record: Record, args: list[Expression]) -> Expression:
    """Write a step as a person would say it."""
    params = record.params
    match record.primitive.name:
        case "scale":
            return operation("multiply", args) or args[0]
        case "square":
            return Expression(f"{args[0].within(9)}²", 8)
        case "update_at":
            return Expression(f"{path(args[0], params['path']).text} ← {args[1].text}", 0)
        case "put":
            place = f"{args[0].text}[{filled(params['template'], args[2:])}]"
            return Expression(f"{place} ← {args[1].text}", 0)
        case "index_add":
            return Expression(f"0[{constants.index(params['index'])}] ← {args[0].text}", 0)
        case "sum_to":
            return Expression(f"sum({args[0].text})")
    try:
        written = spell(record, args, Helpers([]))
    except errors.UnsupportedError:
        written = Expression(f"{record.primitive.name}({', '.join(a.text for a in args)})")
    return Expression(plain(written.text), written.strength)


def plain(text: str) -> str:
    """Drop the modules of NumPy and SciPy from source text."""
    for module in ("np.linalg.", "np.fft.", "np.", "scipy.linalg.", "special."):
        text = text.replace(module, "")
    return text


def is_array(value: Any) -> bool:
    """Tell whether a constant is more than a number."""
    return bool(np.size(value) > 1)


def short_number(value: Any) -> Expression:
    """Write a number with few digits."""
    text = shown(value)
    return Expression(text, 7 if text.startswith("-") else 9)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut a text that is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def kind_line(kind: ArrayType) -> list[str]:
    """Write shape and dtype; nothing for a plain number."""
    return [] if kind == (type_of(1.0)) else [str(kind) if kind.shape else kind.dtype.name]


def shown(value: Any) -> str:
    """Write a value in a few characters."""
    value = np.asarray(value)
    if value.size == 1 and not value.shape:
        return _number(value[()])
    if value.size <= SHOWN:
        if value.ndim == 1:
            return f"[{' '.join(_number(v) for v in value)}]"
        return f"[{' '.join(shown(v) for v in value)}]"
    if (value == value.flat[0]).all():
        return f"all {_number(value.flat[0])}"
    if value.dtype.kind in "fiu" and np.isfinite(value).all():
        return f"{_number(value.min())} … {_number(value.max())}"
    return f"{value.size} numbers"


def _number(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (complex, np.complexfloating)):
        return f"{value:.3g}"
    text = f"{float(value):.4g}"
    return "0" if text == "-0" else text


def formula(record: Record, place: int, labels: Labels) -> str:
    """Write the derivative of a step by one of its operands, as a formula or as the linear map it is."""
    primitive = record.primitive
    args = [labels.operand(a) for a in record.inputs]
    if isinstance(primitive, Elementwise):
        partial = primitive.partials[place]
        if isinstance(partial, int):
            return str(partial)
        return _partial(record, partial, args, labels) if partial is not None else ""
    if isinstance(primitive, Multilinear) or (isinstance(primitive, Linear) and len(args) == 1):
        if primitive.name == "sum" and type_of_atom(record.inputs[0]).ndim == len(record.params["axis"]):
            return "Σ"
        if primitive.name == "scale":
            return shortened(args[1 - place].text, LONGEST_FORMULA)
        args[place] = Expression("·")
        return shortened(spelled(record, args).text, LONGEST_FORMULA)
    return ""


def type_of_atom(atom: Atom) -> ArrayType:
    """Return the type of an operand."""
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type


def _partial(record: Record, partial: Any, args: Sequence[Expression], labels: Labels) -> str:
    """Write a partial derivative by recording the rule that computes it."""
    rule = (lambda *v: 1 / partial.denominator(*v)) if isinstance(partial, Over) else partial
    examples = [
        a.value if isinstance(a, Literal) else np.ones(a.type.shape, a.type.dtype)[()]
        for a in (*record.outputs, *record.inputs)
    ]
    traced = [n for n, a in enumerate((*record.outputs, *record.inputs)) if isinstance(a, Variable)]

    def of_traced(*values: Any) -> Any:
        full = list(examples)
        for n, value in zip(traced, values, strict=True):
            full[n] = value
        return rule(*full)

    try:
        with np.errstate(all="ignore"):
            tape = tidied(trace(of_traced)(*(examples[n] for n in traced)))
    except errors.FuncdiffError:
        return ""
    known = [Expression(labels.name(record.outputs[0])), *args]
    texts = {v.number: known[n] for v, n in zip(tape.inputs, traced, strict=True)}
    for step in tape.records:
        operands = [
            texts[a.number] if isinstance(a, Variable) else short_number(a.value) for a in step.inputs
        ]
        texts.update((v.number, spelled(step, operands)) for v in step.outputs)
    (out,) = tape.outputs
    text = texts[out.number].text if isinstance(out, Variable) else shown(out.value)
    return shortened(text, LONGEST_FORMULA)
