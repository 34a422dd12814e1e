"""The loops of a loop's derivatives: with tangents beside the values, and there and back again."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, is_differentiable, type_of
from funcdiff.core.tape import Atom, Record, Variable, variables
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.loops.body import (
    Body,
    Lifted,
    apply_body,
    as_body,
    key_of_step,
    live,
    make_body,
    merged,
    record_body,
    record_closed,
    types_of,
)
from funcdiff.transforms.loops.counters import counted_back, counters
from funcdiff.transforms.loops.cut import minimum_cut
from funcdiff.transforms.loops.dependence import active_outputs, needed_inputs
from funcdiff.transforms.loops.interpret import example_outputs
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.loops.stack import Stack
from funcdiff.transforms.reverse import record

Flags = tuple[bool, ...]


def kept(body: Body, key: Any, make: Any) -> Any:
    """Return what has been derived from a body before, or derive it."""
    if key not in body.derived:
        body.derived[key] = make()
    return body.derived[key]


def spread(spec: Loop, flags: Sequence[bool]) -> Flags:
    """Tell which inputs of the body have derivatives in some step, if these operands have."""
    active = [f and is_differentiable(v.type.dtype) for f, v in zip(flags, spec.body.inputs, strict=False)]
    c = spec.carries
    while True:
        outs = active_outputs(spec.body, active)[:c]
        if all(a or not o for a, o in zip(active, outs, strict=False)):
            return tuple(active)
        active[:c] = [a or o for a, o in zip(active, outs, strict=False)]


def choose(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """Return the flagged items."""
    return [x for x, f in zip(items, flags, strict=True) if f]


def scatter(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """Put items where the flags are, None elsewhere."""
    rest = iter(items)
    return [next(rest) if f else None for f in flags]


def zeros(kind: ArrayType) -> Any:
    """Return plain zeros of a type."""
    return np.zeros(kind.shape, kind.dtype)[()]


def ones_like(example: Any) -> Any:
    """Return an example of a co- or tangent."""
    if isinstance(example, Stack):
        return example
    return np.ones(np.shape(example), example.dtype)[()]


def widened(cond: Body, more_carries: Sequence[Any], more_invariants: Sequence[Any], carries: int) -> Body:
    """Return a condition that takes more carries and invariants, given by examples, than it reads."""
    fresh = count(1 + max(v.number for v in (*cond.inputs, *(v for r in cond.records for v in r.outputs))))
    extra = [[Variable(next(fresh), type_of(e)) for e in more] for more in (more_carries, more_invariants)]
    inputs = [*cond.inputs[:carries], *extra[0], *cond.inputs[carries:], *extra[1]]
    examples = [*cond.examples[:carries], *more_carries, *cond.examples[carries:], *more_invariants]
    return make_body(cond.name, inputs, cond.records, cond.outputs, examples, part=True)


# --- forward mode ----------------------------------------------------------------------------------


def pushed(spec: Loop, active: Flags) -> Loop:
    """Return the loop that carries tangents beside the values, where they can be nonzero."""
    body = as_body(spec.body)
    new: Loop = kept(
        body, ("push", spec.carries, spec.invariants, active), lambda: _pushed(spec, body, active)
    )
    return new._replace(
        cond=None if spec.cond is None else _wide_cond(spec, active),
        length=spec.length,
        reverse=spec.reverse,
        recompute=spec.recompute,
    )


def _wide_cond(spec: Loop, active: Flags) -> Body:
    assert spec.cond is not None
    carry, invariant, _, _ = spec.parts(as_body(spec.body).examples)
    of_carry, of_invariant, _, _ = spec.parts(active)
    cond, more = as_body(spec.cond), (choose(carry, of_carry), choose(invariant, of_invariant))
    key = ("wide", spec.carries, *(tuple(map(type_of, group)) for group in more))
    found: Body = kept(cond, key, lambda: widened(cond, *more, spec.carries))
    return found


def _pushed(spec: Loop, body: Body, active: Flags) -> Loop:
    flags = spec.parts(active)[:3]
    outs_active = [*flags[0], *active_outputs(body, active)[spec.carries :]]
    kinds = types_of(body.outputs)

    def both(*leaves: Any) -> list[Any]:
        rest = iter(leaves)
        values: list[Any] = []
        tangents: list[Any] = []
        for part in flags:
            values += [next(rest) for _ in part]
            tangents += [next(rest) if f else None for f in part]
        outs, found = push_forward(lambda *v: apply_body(body, v), values, tangents)
        t = [zeros(k) if s is None else s for s, k in zip(found, kinds, strict=True)]
        return join(spec.carries, outs, choose_pairs(t, outs_active, spec.carries))

    groups = spec.parts(body.examples)[:3]
    examples = [
        e
        for group, part in zip(groups, flags, strict=True)
        for e in (*group, *map(ones_like, choose(group, part)))
    ]
    new = record_closed(f"pushforward of {body.name}", both, examples)
    return spec._replace(
        body=new, carries=spec.carries + sum(flags[0]), invariants=spec.invariants + sum(flags[1])
    )


def choose_pairs(items: Sequence[Any], flags: Sequence[bool], carries: int) -> tuple[list[Any], list[Any]]:
    """Return the flagged items among the carries and among what is collected."""
    return choose(items[:carries], flags[:carries]), choose(items[carries:], flags[carries:])


def join(carries: int, outs: Sequence[Any], extra: tuple[Sequence[Any], Sequence[Any]]) -> list[Any]:
    """Return outputs with more carries after the carries and more collected ones after those."""
    return [*outs[:carries], *extra[0], *outs[carries:], *extra[1]]


def collected_active(spec: Loop, active: Flags) -> list[bool]:
    """Tell which collected results have derivatives."""
    return active_outputs(spec.body, active)[spec.carries :]


# --- reverse mode ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joint:
    """One step and its pullback as one program, the step's records first."""

    inputs: list[Variable]  # of the step
    seeds: list[Any]  # per result a variable or None, then one per sum
    early: list[Record]  # what depends on no cotangent
    late: list[Record]
    outputs: list[Atom]
    pulled: list[Atom]
    examples: list[Any]  # of all variables, by number
    names: dict[int, int]  # of the values of the step


def joint(spec: Loop, active: Flags, wanted: Flags) -> Joint:
    """Record a step and its pullback, of the results that are wanted.

    Seeds are the cotangents of all active results, wanted or not, so that the records of the step have the
    same numbers whatever is wanted; and sums of the cotangents of active invariants, which go on growing.
    """
    body = as_body(spec.body)
    places = [n for n, a in enumerate(active) if a]
    c, size = spec.carries, len(body.inputs)
    sums = [n for n in places if c <= n < c + spec.invariants]
    results = [n for n, a in enumerate([*active[:c], *collected_active(spec, active)]) if a]

    def both(*leaves: Any) -> list[Any]:
        full = list(leaves[:size])

        def step(*changed: Any) -> list[Any]:
            for n, x in zip(places, changed, strict=True):
                full[n] = x
            return [*apply_body(body, full), *[full[n] for n in sums]]

        recording = record(step, [full[n] for n in places])
        seeds: list[Any] = [None] * len(body.outputs)
        for n, g in zip(results, leaves[size:], strict=False):
            seeds[n] = g if wanted[n] else None
        pulled = recording.pull([*seeds, *leaves[size + len(results) :]])
        return [*recording.outputs[: len(seeds)], *pulled]

    outs = example_outputs(body)
    examples = [*body.examples, *(ones_like(outs[n]) for n in results)]
    examples += [ones_like(body.examples[n]) for n in sums]
    recorder, inputs, outputs = record_body(both, examples, Lifted())
    late = {v.number for v in inputs[size:]}
    parts: tuple[list[Record], list[Record]] = ([], [])
    records, outputs = merged(live(recorder.records, outputs), outputs)
    for r in records:
        depends = any(v.number in late for v in variables(r.inputs))
        if depends:
            late.update(v.number for v in r.outputs)
        parts[depends].append(r)
    n = len(body.outputs)
    seeds = scatter(inputs[size : size + len(results)], [k in results for k in range(n)])
    seeds += inputs[size + len(results) :]
    names = _names(body, inputs[:size], parts[0])
    return Joint(inputs[:size], seeds, *parts, outputs[:n], outputs[n:], recorder.examples, names)


@dataclass(frozen=True)
class There:
    """A loop that collects, beside its results, what its reverse sweep reads."""

    loop: Loop
    saved: list[int]  # names of values in the joint program
    active: Flags
    program: Joint  # for cotangents of all results, with the examples that a reverse loop reads


def there(spec: Loop, active: Flags) -> There:
    """Return the loop that saves."""
    body = as_body(spec.body)
    found: There = kept(
        body, ("there", spec.carries, spec.invariants, active, spec.recompute), lambda: _there(spec, active)
    )
    loop = spec._replace(body=found.loop.body)
    return replace(found, loop=loop)


def _there(spec: Loop, active: Flags) -> There:
    body = as_body(spec.body)
    program = joint(spec, active, (True,) * len(body.outputs))
    counting = counters(spec)
    carries = [v for n, v in enumerate(program.inputs[: spec.carries]) if n not in counting]
    needed = _read_late(program)
    if spec.recompute:
        saved = {v.number for v in carries} & _closure(program, needed)
    else:
        saved = minimum_cut(program.early, carries, needed)
    order = {v.number: v for v in (*program.inputs, *(v for r in program.early for v in r.outputs))}
    numbers = [n for n in order if n in saved]
    new = make_body(
        body.name,
        program.inputs,
        program.early,
        [*program.outputs, *(order[n] for n in numbers)],
        body.examples,
        program.examples,
        part=True,
    )
    of_back = (*program.inputs, *variables(program.seeds), *variables(program.pulled))
    read = {*numbers, *(v.number for v in of_back)}
    program = replace(program, examples=[e if n in read else None for n, e in enumerate(program.examples)])
    return There(spec._replace(body=new), [program.names[n] for n in numbers], active, program)


def _read_late(program: Joint) -> list[Variable]:
    """Return what the pullback reads of the step."""
    made = {v.number for r in program.late for v in r.outputs}
    made.update(v.number for v in program.seeds if v is not None)
    read = [*variables(program.pulled), *(v for r in program.late for v in variables(r.inputs))]
    return list({v.number: v for v in read if v.number not in made}.values())


def _names(body: Body, inputs: Sequence[Variable], early: Sequence[Record]) -> dict[int, int]:
    """Name the values of a step by how they are made, whatever is wanted of its pullback."""
    table: dict[Any, int] = body.derived.setdefault("names", {})
    names = {v.number: table.setdefault(n, len(table)) for n, v in enumerate(inputs)}
    for r in early:
        read = [("value", names[a.number]) if isinstance(a, Variable) else a for a in r.inputs]
        key = key_of_step(r, read, contents=True)  # constants are copied with every recording
        for n, v in enumerate(r.outputs):
            names[v.number] = table.setdefault((key, n), len(table))
    return names


def _closure(program: Joint, needed: Sequence[Variable], saved: AbstractSet[int] = frozenset()) -> set[int]:
    """Return the numbers of all that values are made of, as far as what is saved."""
    found = {v.number for v in needed}
    for r in reversed(program.early):
        if any(v.number in found and v.number not in saved for v in r.outputs):
            found.update(v.number for v in variables(r.inputs))
    return found


@dataclass(frozen=True)
class Back:
    """The reverse loop, and which operands it takes and gives cotangents of."""

    loop: Loop
    carried: Flags  # carries with cotangents
    invariants: list[int]  # inputs of the step that it reads
    stacked: list[int]
    counters: dict[int, int]  # carries that it counts back, and by which constants
    saved: list[int]  # places among what the loop there saves
    given: Flags


def back(spec: Loop, way: There, given: Flags) -> Back:
    """Return the reverse loop for cotangents of these results."""
    body = as_body(spec.body)
    key = ("back", spec.carries, spec.invariants, way.active, spec.recompute, given)
    found: Back = kept(body, key, lambda: _back(spec, way, given))
    return Back(
        found.loop._replace(length=spec.length, reverse=not spec.reverse, cond=None),
        found.carried,
        found.invariants,
        found.stacked,
        found.counters,
        found.saved,
        found.given,
    )


def _relevant(spec: Loop, active: Flags, given: Flags) -> Flags:
    """Tell which carries have a cotangent in some step, if these results have one."""
    c = spec.carries
    carried = [a and g for a, g in zip(active, given[:c], strict=False)]
    while True:
        needed = needed_inputs(spec.body, [*carried, *given[c:]])[:c]
        more = [m or (n and a) for m, n, a in zip(carried, needed, active, strict=False)]
        if more == carried:
            return tuple(carried)
        carried = more


def _back(spec: Loop, way: There, given: Flags) -> Back:
    c = spec.carries
    of_collected = collected_active(spec, way.active)
    collected = tuple(g and a for g, a in zip(given[c:], of_collected, strict=True))
    carried = _relevant(spec, way.active, (*given[:c], *collected))
    every = way.active[:c], tuple(of_collected)
    found = None
    if (carried, collected) != every:
        program = joint(spec, way.active, (*carried, *collected))
        found = _back_by(spec, way, program, carried, collected)
    if found is None:
        found = _back_by(spec, way, way.program, *every)
    assert found is not None
    return found


def _back_by(spec: Loop, way: There, program: Joint, carried: Flags, collected: Flags) -> Back | None:
    """Return the reverse loop by a program, or None if that would need more than what is saved.

    What is made by the user's own rules or in a branch is another step each time it is recorded, so that
    in a second recording it has other names than those that the loop there has saved.
    """
    c, v = spec.carries, spec.carries + spec.invariants
    active = way.active
    places = [n for n, a in enumerate(active) if a]
    pulled = dict(zip(places, program.pulled, strict=True))
    sums = [n for n in places if c <= n < v]
    results = [pulled[n] for n in range(c) if carried[n]] + [pulled[n] for n in sums]
    of_stacked = [pulled[n] for n in places if n >= v]
    known = {
        program.names[o.number]: o for o in (*program.inputs, *(o for r in program.early for o in r.outputs))
    }
    saved = {known[n].number for n in way.saved if n in known}
    needed = _closure(program, _read_late(program), saved)
    counted = {n: by for n, by in counters(spec).items() if program.inputs[n].number in needed}
    if any(i.number in needed - saved for n, i in enumerate(program.inputs[:c]) if n not in counted):
        return None
    again = [r for r in program.early if any(o.number in needed - saved for o in r.outputs)]
    read = [n for n in range(c, len(program.inputs)) if program.inputs[n].number in needed]
    invariants, stacked = [n for n in read if n < v], [n for n in read if n >= v]
    used = [
        k for k, n in enumerate(way.saved) if n in known and known[n].number in needed
    ]  # less than what all cotangents would need
    end = c + len(collected)
    of_carry = choose(program.seeds[:c], carried)
    of_collected = choose(program.seeds[c:end], collected)
    of_sums = program.seeds[end:]
    numbers, examples, back_by = counted_back(program.inputs, program.examples, counted)
    inputs = [
        *of_carry,
        *of_sums,
        *numbers,
        *(program.inputs[n] for n in invariants),
        *(program.inputs[n] for n in stacked),
        *(known[way.saved[k]] for k in used),
        *of_collected,
    ]
    new = make_body(
        f"pullback of {spec.body.name}",
        inputs,
        [*back_by, *again, *program.late],
        [*results, *(program.inputs[n] for n in counted), *of_stacked],
        [examples[i.number] for i in inputs],
        examples,
        part=True,
    )
    loop = Loop(new, None, len(results) + len(counted), len(invariants), spec.length, not spec.reverse)
    return Back(loop, carried, invariants, stacked, counted, used, (*carried, *collected))
