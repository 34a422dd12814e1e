"""What the transforms do with the record of a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.primitive import General
from funcdiff.core.recording import TracedArray, newest
from funcdiff.transforms.loops.batched import batched, differing
from funcdiff.transforms.loops.body import types_of
from funcdiff.transforms.loops.derive import (
    Back,
    Flags,
    There,
    back,
    choose,
    collected_active,
    pushed,
    scatter,
    spread,
    there,
    zeros,
)
from funcdiff.transforms.loops.loop import Loop, primitive


class Rules:
    """The rules of one loop; those of a record in reverse mode know what was saved on the way."""

    takes_none = True
    pull: Any = None
    push: Any = None

    def __init__(self, spec: Loop) -> None:
        self.spec = spec

    def moving(self, flags: Sequence[bool]) -> list[bool]:
        """Tell which results can have derivatives if these operands have."""
        spec, active = self.spec, spread(self.spec, flags)
        trips = [False] * (spec.cond is not None)
        return [*active[: spec.carries], *collected_active(spec, active), *trips]

    def differing(self, flags: Sequence[bool]) -> list[bool]:
        """Tell which results differ from example to example if these operands do."""
        return differing(self.spec, flags)

    def reverse(self, level: int, _primitive: General, values: Sequence[Any], places: Sequence[int]) -> Any:
        """Run the loop and save what its reverse sweep reads; return the primitive to record and the results."""
        del level
        spec = self.spec
        active = spread(spec, [p >= 0 for p in places])
        if not any(active):
            return None
        way = there(spec, active)
        outs = way.loop(*values)
        end = spec.carries + spec.collected
        saved, results = outs[end : end + len(way.saved)], (*outs[:end], *outs[end + len(way.saved) :])
        rules = Rules(spec)
        trips = results[-1:] if spec.cond is not None else ()

        def pull(g: Any, needed: Sequence[int], _out: Any, args: Sequence[Any], _params: Any) -> list[Any]:
            found = _pull(spec, way, g[:end], [*values[: len(args)]], results, saved, trips)
            return [found[n] for n in needed]

        def push(tangents: Sequence[Any], _out: Any, args: Sequence[Any], _params: Any) -> Any:
            return self.forward(-1, args, tangents)[1]

        rules.pull, rules.push = pull, push
        return _with(rules), results

    def forward(self, level: int, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Run the loop with tangents; return (results, tangents)."""
        del level
        spec = self.spec
        active = spread(spec, [t is not None for t in tangents])
        if not any(active):
            return primitive.function(*values, **spec._asdict()), (None,) * (len(spec.body.outputs) + 1)
        full = [
            _zeros(x) if t is None and a else t for t, a, x in zip(tangents, active, values, strict=False)
        ]
        new = pushed(spec, active)
        operands: list[Any] = []
        groups = zip(spec.parts(values)[:3], spec.parts(full)[:3], spec.parts(active)[:3], strict=True)
        for xs, ts, flags in groups:
            operands += [*xs, *choose(ts, flags)]
        outs = new(*operands, *spec.parts(values)[3])
        c, k = spec.carries, new.carries
        of_collected = collected_active(spec, active)
        m = k + spec.collected
        found = [*scatter(outs[c:k], active[:c]), *scatter(outs[m : m + sum(of_collected)], of_collected)]
        rest = outs[m + sum(of_collected) :]
        results = [below(x, values) for x in (*outs[:c], *outs[k:m], *rest)]
        return tuple(results), (*found, *[None] * len(rest))

    def batch(
        self, _primitive: General, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any
    ) -> list[tuple[Any, bool]]:
        """Run the loop on a batch; return pairs (result, whether it is mapped)."""
        del params
        return batched(self.spec, values, flags, size)


def below(x: Any, values: Sequence[Any]) -> Any:
    """Take a result from the level of mapped tangents, on which it does not depend."""
    known = newest(values)
    while type(x) is TracedArray and x.recorder.batch and not x.place:
        if known is not None and x.recorder.level <= known.level:
            break
        x = x.value
    return x


def _with(rules: Rules) -> General:
    """Return a primitive for one record in reverse mode."""
    made = General(primitive.name, primitive.impl, multiple_outputs=True, custom=rules, holomorphic=True)
    made.function = primitive.function
    return made


def _zeros(x: Any) -> Any:
    return zeros(type_of(x))


def _pull(
    spec: Loop,
    way: There,
    g: Sequence[Any],
    values: Sequence[Any],
    results: Sequence[Any],
    saved: Sequence[Any],
    trips: Sequence[Any],
) -> list[Any]:
    """Return the cotangents of all operands, None where they are zero."""
    moving = (*way.active[: spec.carries], *collected_active(spec, way.active))
    given = tuple(x is not None and a and not _is_plain_zero(x) for x, a in zip(g, moving, strict=True))
    found: list[Any] = [None] * len(values)
    if not any(given):
        return found
    step: Back = back(spec, way, given)
    active: Flags = way.active
    c, v = spec.carries, spec.carries + spec.invariants
    kinds = [type_of(x) for x in values]
    sums = [n for n in range(c, v) if active[n]]
    operands = [zeros(kinds[n]) if g[n] is None else g[n] for n in range(c) if step.carried[n]]
    operands += [zeros(kinds[n]) for n in sums]
    operands += [_counted(spec, n, by, values, results) for n, by in step.counters.items()]
    operands += [values[n] for n in (*step.invariants, *step.stacked)]
    operands += [saved[n] for n in step.saved]
    for n, kind in enumerate(types_of(spec.body.outputs)[c:], c):
        if step.given[n]:  # a number stands for a stack full of it
            shape = () if spec.length is None else (spec.length, *kind.shape)
            operands.append(np.zeros(shape, kind.dtype)[()] if g[n] is None else g[n])
    operands += trips or spec.parts(values)[3]
    outs = step.loop(*operands)
    carried = [n for n in range(c) if step.carried[n]] + sums
    outs = (*outs[: len(carried)], *outs[len(carried) + len(step.counters) :])
    for n, h in zip([*carried, *(n for n in range(v, len(active)) if active[n])], outs, strict=True):
        found[n] = h
    return found


def _counted(spec: Loop, n: int, by: int, values: Sequence[Any], results: Sequence[Any]) -> Any:
    """Return what a counter is after all steps; where their number is static, nobody needs to count."""
    if spec.length is None:
        return results[n]
    with np.errstate(over="ignore"):
        return values[n] + np.array(by * spec.length).astype(type_of(values[n]).dtype)[()]


def _is_plain_zero(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic)) and not x.shape and not x


def rules_of(params: dict[str, Any]) -> Rules:
    """Return the rules of a loop record."""
    return Rules(Loop(**params))


primitive.control = rules_of
