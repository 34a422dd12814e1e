"""Elementwise primitives repeat their operands themselves: what only repeats for them is dropped.

The cotangent of a sum, for one, is a scalar that stands on the tape as an array of equal elements.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from funcdiff.core.primitive import Primitive
from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.passes.rewriting import Rewriter, kind


def fold_broadcasts(walk: Rewriter, record: Record) -> Record | Atom:
    """Take operands of elementwise primitives as they were before they were broadcast."""
    shape = record.outputs[0].type.shape
    if not shape or len(record.inputs) < 2 or record.params or not _is_elementwise(record.primitive):
        return record
    inputs = list(record.inputs)
    for n, atom in enumerate(inputs):
        small = _repeated(walk, atom)
        if small is not atom:
            shapes = [kind(small if m == n else a).shape for m, a in enumerate(inputs)]
            if np.broadcast_shapes(*shapes) == shape:
                inputs[n] = small
    if all(a is b for a, b in zip(inputs, record.inputs, strict=True)):
        return record
    return replace(record, inputs=tuple(inputs))


def _is_elementwise(primitive: Primitive) -> bool:
    impl = primitive.impl
    return (isinstance(impl, np.ufunc) and impl.signature is None) or primitive.name in ("scale", "where")


def _repeated(walk: Rewriter, atom: Atom) -> Atom:
    """Return what an operand repeats, if it repeats anything."""
    if isinstance(atom, Literal):
        value = atom.value
        if type(value) is np.ndarray and value.size > 1 and value.dtype.kind in "fiu":
            first = value[(0,) * value.ndim]
            if not any(value.strides) or (
                (value == first).all() and (value.dtype.kind != "f" or (first != 0 or _one_sign(value)))
            ):
                return Literal(first)
        return atom
    inner = walk.maker(atom, "broadcast_to")
    if inner is not None:
        return inner.inputs[0]
    inner = walk.maker(atom, "reshape")  # of a scalar, to one element along some axes
    return inner.inputs[0] if inner is not None and not kind(inner.inputs[0]).shape else atom


def _one_sign(zeros: np.ndarray) -> bool:
    signs = np.signbit(zeros)
    return bool(signs.all() or not signs.any())
