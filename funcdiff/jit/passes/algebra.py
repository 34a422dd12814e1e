"""Identities that hold to the last bit: products with one, differences with zero, double negation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeGuard

import numpy as np

from funcdiff.core.primitive import REGISTRY, Function
from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.passes.rewriting import Rewriter, is_filled_with, is_weak, kind

POWERS = {2: "square", 0.5: "sqrt"}


def simplify_algebra(walk: Rewriter, record: Record) -> Record | Atom:
    """Use identities that change no rounding.

    ``x + 0`` is not one of them: it turns -0.0 into 0.0.
    """
    rule = _RULES.get(record.primitive.name)
    return record if rule is None else rule(walk, record, *record.inputs)


def _multiply(walk: Rewriter, record: Record, a: Atom, b: Atom) -> Record | Atom:
    if is_filled_with(a, 1.0):
        return b
    if is_filled_with(b, 1.0) and record.primitive.name == "multiply":  # scale drops the sign of a zero
        return a
    return _multiply_once(walk, record, a, b)


def _multiply_once(walk: Rewriter, record: Record, a: Atom, b: Atom) -> Record:
    """Write ``c * (d * x)`` as ``(c * d) * x`` where ``d * x`` rounds nothing: ``100 * (2 * x)``.

    Neither is smaller than one: what overflows on the way then does so at the end, and nothing becomes subnormal.
    """
    out = record.outputs[0].type
    if out.dtype not in (np.float32, np.float64):
        return record
    for first, (c, scaled) in ((True, (a, b)), (False, (b, a))):
        inner = walk.maker(scaled, "multiply")
        if inner is None:
            continue
        d, x = inner.inputs if isinstance(inner.inputs[0], Literal) else inner.inputs[::-1]
        if kind(x) != out or not _is_at_least_one(c) or not _is_at_least_one(d):
            continue
        if abs(math.frexp(d.value)[0]) == 0.5:  # a power of two
            product = float(c.value) * float(d.value)
            if abs(product) <= float(np.finfo(out.dtype).max):
                new = Literal(product)
                return replace(record, inputs=(new, x) if first else (x, new))
    return record


def _is_at_least_one(atom: Atom) -> TypeGuard[Literal]:
    """Tell whether an atom is one real number, whose modulus is finite and no less than one."""
    if not isinstance(atom, Literal) or not isinstance(atom.value, int | float | np.float32):
        return False
    return math.isfinite(atom.value) and abs(float(atom.value)) >= 1


def _divide(walk: Rewriter, record: Record, a: Atom, b: Atom) -> Record | Atom:
    return a if is_filled_with(b, 1.0) else record


def _add(walk: Rewriter, record: Record, a: Atom, b: Atom) -> Record | Atom:
    """Write ``a + (-b)`` as ``a - b``, which is the same even for zeros."""
    if is_filled_with(b, -0.0):
        return a
    for x, y in ((a, b), (b, a)):
        negated = walk.maker(y, "negative")
        if negated is not None:
            return replace(record, primitive=REGISTRY["subtract"], inputs=(x, negated.inputs[0]))
    return record


def _subtract(walk: Rewriter, record: Record, a: Atom, b: Atom) -> Record | Atom:
    if is_filled_with(b, 0.0):
        return a
    negated = walk.maker(b, "negative")
    if negated is not None:
        return replace(record, primitive=REGISTRY["add"], inputs=(a, negated.inputs[0]))
    negated = walk.maker(a, "negative")
    if negated is not None and negated.inputs[0] == b and _are_floats(record):  # -x - x, zeros included
        return replace(record, primitive=REGISTRY["multiply"], inputs=(b, Literal(-2.0)))
    return record


def _are_floats(record: Record) -> bool:
    """Tell whether a record computes with floats of the precision of its result."""
    out = record.outputs[0].type
    return (
        out.dtype.kind == "f" and bool(out.shape) and all(kind(a).dtype == out.dtype for a in record.inputs)
    )


def _negative(walk: Rewriter, record: Record, a: Atom) -> Record | Atom:
    inner = walk.maker(a, "negative")
    return inner.inputs[0] if inner is not None else record


def _positive(walk: Rewriter, record: Record, a: Atom) -> Record | Atom:
    return a


def _conjugate(walk: Rewriter, record: Record, a: Atom) -> Record | Atom:
    return record if record.outputs[0].type.dtype.kind == "c" else a


def _power(walk: Rewriter, record: Record, a: Atom, b: Atom) -> Record | Atom:
    """Write the powers for which NumPy's ``**`` has a function of its own as that function."""
    out = record.outputs[0].type
    if not (isinstance(b, Literal) and is_weak(b) and kind(a) == out and out.shape and out.dtype.kind == "f"):
        return record
    name = POWERS.get(b.value)
    return record if name is None else replace(record, primitive=REGISTRY[name], inputs=(a,))


_RULES: dict[str, Function] = {
    "add": _add,
    "conj": _conjugate,
    "divide": _divide,
    "multiply": _multiply,
    "negative": _negative,
    "positive": _positive,
    "power": _power,
    "scale": _multiply,
    "subtract": _subtract,
}
