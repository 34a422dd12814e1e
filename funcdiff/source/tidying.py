"""Steps that Python's in-place operators add and that a reader does not want to see."""

from __future__ import annotations

from funcdiff.core.keys import key_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Record, Tape, Variable
from funcdiff.jit.passes.dead_code import drop_dead_code
from funcdiff.jit.passes.pipeline import optimise
from funcdiff.jit.passes.rewriting import Rewriter
from funcdiff.source.calls import expanded


def tidied(tape: Tape) -> Tape:
    """Return a tape with the same results, whose steps are those that a person would write."""
    return drop_dead_code(Rewriter(optimise(expanded(tape))).run(_drop_writes_of_itself))


def _drop_writes_of_itself(walk: Rewriter, record: Record) -> Record | Atom:
    """Drop ``y[i] = y[i]``, the second half of ``y[i] += v``."""
    if record.primitive is not REGISTRY["update_at"] or len(record.params["path"]) != 1:
        return record
    old, value = record.inputs
    copied = walk.maker(value, "copy")
    read = walk.maker(copied.inputs[0] if copied is not None else value, "getitem")
    if read is None or not isinstance(old, Variable) or read.inputs[0] != old:
        return record
    ((_, params),) = record.params["path"]
    return old if key_of(params) == key_of(read.params) else record
