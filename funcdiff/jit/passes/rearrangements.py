"""Chains of reshapes, transposes and broadcasts become one, and none where they do nothing."""

from __future__ import annotations

from dataclasses import replace

from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Atom, Record
from funcdiff.jit.passes.rewriting import Rewriter, is_weak, kind

_NAMES = frozenset(("reshape", "transpose", "broadcast_to", "sum_to", "astype"))


def fold_rearrangements(walk: Rewriter, record: Record) -> Record | Atom:
    """Merge a rearrangement with the one before it."""
    name = record.primitive.name
    if name not in _NAMES or is_weak(record.inputs[0]):
        return record
    (x,) = record.inputs
    if name in ("reshape", "broadcast_to", "transpose"):
        inner = walk.maker(x, name)
        if inner is not None and not is_weak(inner.inputs[0]):
            params = record.params
            if name == "transpose":
                first = inner.params["axes"]
                params = {"axes": tuple(first[n] for n in params["axes"])}
            x = inner.inputs[0]
            record = replace(record, inputs=(x,), params=params)
    if kind(x) != record.outputs[0].type:
        if name == "sum_to" and not record.params["shape"]:
            params = {"axis": tuple(range(len(kind(x).shape))), "keepdims": False}
            return replace(record, primitive=REGISTRY["sum"], params=params)
        return record
    if name == "transpose" and record.params["axes"] != tuple(range(len(kind(x).shape))):
        return record
    return x
