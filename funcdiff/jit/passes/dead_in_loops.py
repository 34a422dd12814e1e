"""What nobody needs of a loop or a branch is not carried, collected or computed.

A carry is needed if what comes out of it is read, or the condition reads it, or a needed carry or collected result
depends on it; what depends on what is looked at by dropping dead code in the body, bodies in it included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from funcdiff.core.tape import Record, Tape, variables
from funcdiff.transforms.loops.body import Body, as_body, make_body
from funcdiff.transforms.loops.loop import Loop

Drop = Callable[[Tape], Tape]
Flags = tuple[bool, ...]


def pruned(record: Record, wanted: Flags, drop: Drop) -> Record:
    """Return a loop or a branch that gives only the wanted outputs, and those that they need."""
    if all(wanted):
        return record
    params = record.params
    is_loop = "body" in params
    body = as_body(params["body" if is_loop else "then"])
    same = {n: v for n, v in params.items() if n != "length"}  # whose steps are the same, however many
    key = ("pruned", wanted, *same.values(), params.get("length") is None)
    if key not in body.derived:
        body.derived[key] = (_pruned_loop if is_loop else _pruned_branch)(params, wanted, drop)
    new, inputs, outputs = body.derived[key]
    if all(outputs):
        return record
    return Record(
        record.primitive,
        chosen(record.inputs, inputs),
        params | new,
        chosen(record.outputs, outputs),
        record.line,
    )


def chosen(items: Sequence[Any], flags: Sequence[bool]) -> tuple[Any, ...]:
    """Return the flagged items."""
    return tuple(x for x, f in zip(items, flags, strict=True) if f)


def _needed(body: Tape, wanted: Sequence[bool], drop: Drop) -> tuple[Tape, list[bool]]:
    """Return what of a body gives the wanted outputs, and which inputs that reads."""
    part = Tape(
        body.name, body.inputs, body.records, chosen(body.outputs, wanted), (), body.in_tree, body.out_tree
    )
    part = drop(part)
    read = {v.number for v in variables([*part.outputs, *(a for r in part.records for a in r.inputs)])}
    return part, [v.number in read for v in body.inputs]


def _closed(part: Tape, body: Body, inputs: Sequence[bool]) -> Body:
    """Return the part of a body as a body of some of its inputs."""
    examples = chosen(body.examples, inputs)
    return make_body(body.name, chosen(part.inputs, inputs), part.records, part.outputs, examples, part=True)


def _pruned_loop(
    params: dict[str, Any], wanted: Flags, drop: Drop
) -> tuple[dict[str, Any], list[bool], list[bool]]:
    """Return the params that change, and which operands and outputs stay."""
    spec = Loop(**params)
    body, cond = as_body(spec.body), None if spec.cond is None else as_body(spec.cond)
    c, v = spec.carries, spec.carries + spec.invariants
    of_cond = [False] * v if cond is None else _needed(cond, (True,), drop)[1]
    carried, collected = list(wanted[:c]), wanted[c : c + spec.collected]
    carried = [a or b for a, b in zip(carried, of_cond, strict=False)]
    while True:
        part, read = _needed(body, (*carried, *collected), drop)
        more = [a or b for a, b in zip(carried, read, strict=False)]
        if more == carried:
            break
        carried = more
    if all(carried) and all(collected):
        return {}, [True] * (v + spec.stacked + spec.counted), [True] * len(wanted)
    stay = [*carried, *(a or b for a, b in zip(read[c:v], of_cond[c:], strict=True)), *read[v:]]
    new = {
        "body": _closed(part, body, stay),
        "cond": None if cond is None else _closed(cond, cond, stay[:v]),
        "carries": sum(carried),
        "invariants": sum(stay[c:v]),
    }
    return (
        new,
        [*stay, *[True] * spec.counted],
        [*carried, *collected, *[True] * (cond is not None)],
    )


def _pruned_branch(
    params: dict[str, Any], wanted: Flags, drop: Drop
) -> tuple[dict[str, Any], list[bool], list[bool]]:
    """Return the params that change, and which operands and outputs stay."""
    sides = {name: as_body(side) for name, side in params.items()}
    parts = {name: _needed(side, wanted, drop) for name, side in sides.items()}
    read = [any(flags) for flags in zip(*(flags for _, flags in parts.values()), strict=True)]
    new = {name: _closed(part, sides[name], read) for name, (part, _) in parts.items()}
    return new, [True, *read], list(wanted)
