"""Which memory each value of a tape lies in, and how long it is needed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Literal, Record, Tape, Variable, variables

# not ufuncs, and their results are never views of an operand
_FRESH = frozenset(
    [
        "scale",
        "ratio",
        "sum",
        "max",
        "min",
        "prod",
        "matmul",
        "where",
        "concatenate",
        "stack",
        "index_add",
        "update_at",
        "put",
        "loop",
        "copy",
        "astype",
        "real",
        "imag",
        "cumsum",
        "cumprod",
        "solve",
        "inv",
        "cholesky",
        "det",
        "argmax",
        "argmin",
        "scatter_add",
        "tensordot",
        "clip",
        "native_segment",
        "packed_lu",
        "packed_lu_solve",
        "packed_lu_inverse",
        "packed_lu_det_derivative",
    ]
)


def is_ufunc(record: Record) -> bool:
    """Tell whether a record is one call of a ufunc with one result."""
    impl = record.primitive.impl
    return isinstance(impl, np.ufunc) and impl.nout == 1 and not record.params and len(record.outputs) == 1


def is_elementwise(record: Record) -> bool:
    """Tell whether a record is one call of a ufunc without core dimensions."""
    return is_ufunc(record) and record.primitive.impl.signature is None  # type: ignore[attr-defined]


def takes_buffer(record: Record) -> bool:
    """Tell whether the generated source writes the result of a record into memory it is given."""
    out = record.outputs[0].type
    if not out.shape or out.dtype.hasobject or len(record.outputs) != 1:
        return False
    if is_ufunc(record):
        return record.primitive is not REGISTRY["power"]  # which is written x ** y
    return record.primitive is REGISTRY["broadcast_to"]


def is_fresh(record: Record) -> bool:
    """Tell whether the results of a record lie in memory of their own."""
    if record.primitive.user_made or record.primitive.custom is not None:
        return False
    if record.primitive is REGISTRY["gather"]:
        return not record.outputs[0].type.shape or _has_index_array(record)
    return is_ufunc(record) or takes_buffer(record) or record.primitive.name in _FRESH


def _has_index_array(record: Record) -> bool:
    """Tell whether an index copies, as one of integers and slices alone does not."""
    shapes = [np.shape(a.value) if isinstance(a, Literal) else a.type.shape for a in record.inputs[1:]]
    return any(shapes) or any(isinstance(i, np.ndarray) for i in record.params["template"])


@dataclass
class Plan:
    """Where results go.

    Attributes
    ----------
    buffers : list of ArrayType
        Memory that the program keeps from call to call.
    buffer_of : dict
        For a variable's number, the buffer that its record writes into.
    fresh : set
        Numbers of variables that lie in memory of their own.
    in_place : set
        Numbers of results of `update_at` that are written over the array they are a changed copy of.
    dead : dict
        For a position, the large variables that the record there is the last to need.
    """

    buffers: list[ArrayType] = field(default_factory=list)
    buffer_of: dict[int, int] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)
    in_place: set[int] = field(default_factory=set)
    dead: dict[int, list[Variable]] = field(default_factory=dict)


LARGE = 1 << 14  # bytes from which a value is worth being forgotten early


def plan(tape: Tape, owned: int = 0) -> Plan:
    """Give every result that can be written into given memory a buffer, reusing those that are free.

    What is returned never lies in one: it belongs to the caller.  The first so many inputs are `owned`: they
    may be written over.
    """
    roots, last = _roots(tape), {}
    for position, record in enumerate(tape.records):
        for v in (*variables(record.inputs), *record.outputs):
            for root in roots[v.number]:
                last[root] = position
    returned = {v.number for v in variables(tape.outputs)}
    for number in returned:
        for root in roots[number]:
            last[root] = len(tape.records)
    for guard in tape.guards:
        for root in roots[guard.variable.number]:
            last[root] = max(last.get(root, 0), guard.position)
    found = Plan()
    free: dict[ArrayType, list[int]] = {}
    ending: dict[int, list[int]] = {}
    types = {v.number: v.type for record in tape.records for v in record.outputs}
    types.update((v.number, v.type) for v in tape.inputs[:owned])
    found.fresh.update(v.number for v in tape.inputs[:owned])
    for number, position in last.items():
        if number in types:
            ending.setdefault(position, []).append(number)
    for position, record in enumerate(tape.records):
        here = ending.get(position, [])
        if is_fresh(record):
            found.fresh.update(v.number for v in record.outputs)
        out = record.outputs[0]
        if takes_buffer(record) and out.number not in returned:
            operands = {v.number for v in variables(record.inputs)} if is_elementwise(record) else set()
            mine = next(
                (
                    n
                    for n in here
                    if n in operands and types[n] == out.type and n in found.buffer_of and n != out.number
                ),
                None,
            )
            if mine is not None:  # written over an operand that is needed no more
                found.buffer_of[out.number] = found.buffer_of[mine]
                here.remove(mine)
            else:
                stock = free.get(out.type)
                if stock:
                    found.buffer_of[out.number] = stock.pop()
                else:
                    found.buffer_of[out.number] = len(found.buffers)
                    found.buffers.append(out.type)
        if record.primitive in (REGISTRY["update_at"], REGISTRY["put"]):
            _write_in_place(record, here, returned, found)
        for number in here:
            buffer = found.buffer_of.get(number)
            if buffer is not None:
                free.setdefault(types[number], []).append(buffer)
            elif types[number].size * types[number].dtype.itemsize >= LARGE:
                found.dead.setdefault(position, []).append(Variable(number, types[number]))
    return found


def _write_in_place(record: Record, here: list[int], returned: set[int], found: Plan) -> None:
    """Let an array that nobody needs any more become the changed copy of itself."""
    old, out = record.inputs[0], record.outputs[0]
    if not isinstance(old, Variable) or old.number not in here or old.number not in found.fresh:
        return
    if old.type != out.type or not out.type.shape:
        return
    buffer = found.buffer_of.get(old.number)
    if buffer is not None:
        if out.number in returned:
            return
        found.buffer_of[out.number] = buffer
        here.remove(old.number)
    found.in_place.add(out.number)


def _roots(tape: Tape) -> dict[int, frozenset[int]]:
    """Return, per variable, the variables in whose memory it may lie."""
    roots = {v.number: frozenset((v.number,)) for v in tape.inputs}
    for record in tape.records:
        if is_fresh(record):
            roots.update((v.number, frozenset((v.number,))) for v in record.outputs)
        else:
            of_inputs = frozenset().union(*(roots[v.number] for v in variables(record.inputs)))
            roots.update((v.number, of_inputs | {v.number}) for v in record.outputs)
    return roots
