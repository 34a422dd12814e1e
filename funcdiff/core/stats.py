"""What a tape costs: records, arithmetic, memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.primitive import Elementwise, Linear, LocallyConstant
from funcdiff.core.tape import Atom, Literal, Record, Tape, bodies


@dataclass(frozen=True)
class TapeStats:
    """Counts of a tape.

    Attributes
    ----------
    records : int
        Number of records.
    guards : int
        Number of values that Python's control flow has seen.
    flops : int
        Elementary operations: those of its steps for a loop, of one step where their number is not known, and of
        the longer side for a branch; one per element an elementwise primitive makes, ``2 m n k`` for a matrix
        product, one per element a linear primitive reads, and ``n**3`` for other matrix functions.
        An estimate, to compare programs with.
    bytes : int
        Bytes of all values the records make.
    primitives : dict
        How often each primitive stands on the tape, most frequent first.
    """

    records: int
    guards: int
    flops: int
    bytes: int
    primitives: dict[str, int]

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.primitives.items())
        return (
            f"{self.records} records, {self.guards} guards, {self.flops} flops, {self.bytes} bytes: {counts}"
        )


def stats(tape: Tape) -> TapeStats:
    """Count the records, operations and bytes of a tape."""
    counts = Counter(record.primitive.name for record in tape.records)
    made = sum(v.type.size * v.type.dtype.itemsize for record in tape.records for v in record.outputs)
    return TapeStats(
        len(tape.records), len(tape.guards), sum(map(flops, tape.records)), made, dict(counts.most_common())
    )


def flops(record: Record) -> int:
    """Estimate the elementary operations of a record."""
    inputs = [_kind(a) for a in record.inputs]
    made = sum(v.type.size for v in record.outputs)
    inner = [sum(map(flops, body.records)) for body in bodies(record).values()]
    if inner:
        return sum(inner) * (record.params.get("length") or 1) if "body" in record.params else max(inner)
    match record.primitive:
        case Elementwise() | LocallyConstant():
            return made
        case Linear():
            return max([made, *(k.size for k in inputs)])
    if record.primitive.name == "matmul":
        return 2 * made * inputs[0].shape[-1]
    if record.primitive.name == "einsum":
        subscripts = str(record.params.get("subscripts", ""))
        lengths = {
            letter: length
            for term, kind in zip(subscripts.split("->")[0].split(","), inputs, strict=False)
            for letter, length in zip(term, kind.shape, strict=False)
        }
        return 2 * math.prod(lengths.values())
    return max([made, *(k.size * (k.shape[-1] if k.shape else 1) for k in inputs)])


def _kind(atom: Atom) -> ArrayType:
    return type_of(atom.value) if isinstance(atom, Literal) else atom.type
