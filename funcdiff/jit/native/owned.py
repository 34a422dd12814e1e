"""Writing into arrays in place: a changed copy is the array itself, where nobody needs it as it was."""

from __future__ import annotations

from funcdiff.core.tape import Record, variables
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import Memory
from funcdiff.jit.native.temporaries import readers


def owned(low: Lowering, record: Record, x: Array, in_loops: bool) -> tuple[Memory, int]:
    """Return memory that has the elements of an array and may be written to, and from which stage on.

    `in_loops` tells whether it is written to by loops, which run after the straight code of their stage.
    """
    memory = low.memory(x)
    base = memory.base
    mine = base.owned or (base.place < 0 and base.constant is None)
    whole = arrays.is_contiguous(memory) and memory.offset == 0 and base.of is None
    if mine and whole and not _is_read_later(low, record, x):
        base.mutable = True
        stage, by_loops = base.last
        return memory, max(x.ready, stage + int(by_loops or in_loops))
    copied = low.new(x.type)
    copied.base.mutable = True
    return copied, low.write(arrays.in_memory(x.type, memory, x.ready), copied)


def _is_read_later(low: Lowering, record: Record, x: Array) -> bool:
    """Tell whether what has not been lowered yet reads what lies in an array's memory."""
    assert x.memory is not None
    base = x.memory.base
    for number, other in low.arrays.items():
        memory = other.memory if other.source is None else other.source.memory
        if memory is None or memory.base.root is not base:
            continue
        found = readers(low, number)
        if number in low.returned:
            return True
        for r in found:
            if (r is not record or other is not x) and r.outputs[0].number not in low.arrays:
                return True
    return sum(low.arrays[v.number] is x for v in variables(record.inputs)) > 1
