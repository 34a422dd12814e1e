"""How temporaries lie in memory: elements along a loop side by side, where nobody asks for NumPy's order.

The derivatives of a 4 by 4 matrix in 26 directions are a loop over directions that computes 16 components.  In NumPy's
order the numbers of a component are 16 apart, and are gathered and scattered, which takes LLVM longest of all; with the
loop's axis last they are vectors, read and written as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record, variables
from funcdiff.jit.native import arrays
from funcdiff.jit.native.arrays import contiguous_strides
from funcdiff.jit.native.elementwise import loop_kinds
from funcdiff.jit.native.nodes import BYTES, Memory
from funcdiff.jit.native.spaces import is_unrolled
from funcdiff.jit.passes.rewriting import kind

if TYPE_CHECKING:
    from funcdiff.jit.native.lower import Lowering

SMALL = 1 << 18  # bytes: of larger arrays the components would be as many streams of memory
LOOKS = frozenset(["getitem", "view", "transpose", "broadcast_to", "reshape", "copy"])
READS = frozenset(["astype", "stack", "concatenate"])


def temporary(low: Lowering, type_: ArrayType, number: int, loops: Sequence[int]) -> Memory:
    """Return memory for an array of the tape that loops over some of its axes write."""
    memory = low.new(type_)
    if (
        0 < len(loops) < sum(n > 1 for n in type_.shape)
        and memory.base.size <= SMALL
        and is_read_anyhow(low, number)
    ):
        cut = _cut(low, number, type_.shape)
        inner = sorted(loops, key=lambda axis: (axis not in cut, axis))
        order = [*(axis for axis in range(len(type_.shape)) if axis not in loops), *inner]
        lying = contiguous_strides([type_.shape[axis] for axis in order], BYTES[memory.kind])
        strides = tuple(lying[order.index(axis)] for axis in range(len(order)))
        return Memory(memory.base, memory.kind, type_.shape, strides)
    return memory


def readers(low: Lowering, number: int) -> Sequence[Record]:
    """Return the records that read a value of the tape."""
    if low.readers is None:
        low.readers = {}
        for r in low.tape.records:
            for v in variables(r.inputs):
                low.readers.setdefault(v.number, []).append(r)
        low.returned = {v.number for v in variables(low.tape.outputs)}
        low.returned |= {g.variable.number for g in low.tape.guards}
    return low.readers.get(number, ())


def is_read_anyhow(low: Lowering, number: int) -> bool:
    """Tell whether all that read a value of the tape, through views too, read elements wherever they lie."""
    found = readers(low, number)
    return bool(found) and number not in low.returned and all(_reads_anyhow(low, r) for r in found)


def _reads_anyhow(low: Lowering, record: Record) -> bool:
    name = record.primitive.name
    if name in READS or loop_kinds(record) is not None:
        return True
    if name == "matmul":
        return is_unrolled(*(kind(atom).shape for atom in record.inputs))
    if name not in LOOKS:
        return False
    if name == "reshape":
        (x,) = record.inputs
        if [n for n in kind(x).shape if n != 1] != [n for n in record.params["shape"] if n != 1]:
            return False
    if name == "getitem" and arrays.expand(record.params["index"], kind(record.inputs[0]).shape) is None:
        return False
    return is_read_anyhow(low, record.outputs[0].number)


def _cut(low: Lowering, number: int, shape: Sequence[int]) -> set[int]:
    """Return the axes of which some reader takes a part: what it takes lies side by side if these are not the last."""
    found: set[int] = set()
    for record in readers(low, number):
        keys = arrays.expand(record.params["index"], shape) if record.primitive.name == "getitem" else ()
        axes = [k for k in keys or () if k is not None]
        found |= {n for n, (k, m) in enumerate(zip(axes, shape, strict=False)) if k != slice(None) and m > 1}
    return found
