"""The record of a branch: ``branch(predicate, operand…) -> result…``, by one of two bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from funcdiff.core.array_type import is_differentiable
from funcdiff.core.primitive import REGISTRY, General, register
from funcdiff.core.recording import apply
from funcdiff.core.tape import Tape
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.loops.batched import batching, examples_over
from funcdiff.transforms.loops.body import Body, apply_body, as_body, record_closed, types_of
from funcdiff.transforms.loops.dependence import active_outputs, mapped_outputs
from funcdiff.transforms.loops.derive import choose, kept, ones_like, scatter, zeros
from funcdiff.transforms.loops.interpret import example_outputs, interpreter
from funcdiff.transforms.loops.rules import below
from funcdiff.transforms.reverse import record
from funcdiff.transforms.vmap import run_batch


class Branch(NamedTuple):
    """The params of a branch record: what is run if the predicate holds, and what if not."""

    then: Tape
    other: Tape

    def __call__(self, predicate: Any, *operands: Any) -> tuple[Any, ...]:
        """Run on operands that may be traced."""
        out: tuple[Any, ...] = branch(predicate, *operands, then=self.then, other=self.other)
        return out

    def map(self, key: Any, make: Any) -> Branch:
        """Return the branch whose sides are derived from those of this one."""
        both = (self.then, self.other)
        return Branch(*(kept(b, ("branch", *key), lambda b=b: make(b)) for b in map(as_body, both)))


def run(predicate: Any, *operands: Any, then: Tape, other: Tape) -> tuple[Any, ...]:
    """Run one side on plain operands."""
    outs = interpreter(as_body(then if predicate else other))(list(operands))
    return tuple(np.array(x)[()] if any(x is o for o in operands) else x for x in outs)


primitive = General("branch", run, multiple_outputs=True, holomorphic=True, doc="Run one of two bodies.")


def _branch(predicate: Any, *operands: Any, **params: Any) -> Any:
    return apply(primitive, (predicate, *operands), params)


branch = register(primitive, _branch)


class Rules:
    """The rules of one branch; the side is run again in the reverse sweep."""

    takes_none = True
    pull: Any = None
    push: Any = None

    def __init__(self, spec: Branch) -> None:
        self.spec = spec

    def _active(self, flags: Sequence[bool]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """Tell which operands have derivatives, and which results in one side at least."""
        sides = self.spec
        active = tuple(
            f and is_differentiable(v.type.dtype) for f, v in zip(flags, sides.then.inputs, strict=True)
        )
        outs = zip(active_outputs(sides.then, active), active_outputs(sides.other, active), strict=True)
        return active, tuple(a or b for a, b in outs)

    def moving(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Tell which results can have derivatives if the predicate and these operands have."""
        return self._active(flags[1:])[1]

    def differing(self, flags: Sequence[bool]) -> list[bool]:
        """Tell which results differ from example to example if the predicate or these operands do."""
        sides = (mapped_outputs(side, flags[1:]) for side in self.spec)
        return [flags[0] or a or b for a, b in zip(*sides, strict=True)]

    def reverse(self, level: int, _primitive: General, values: Sequence[Any], places: Sequence[int]) -> Any:
        """Run the branch; return the primitive to record and the results."""
        del level
        active, outs_active = self._active([p >= 0 for p in places[1:]])
        if not any(outs_active):
            return None
        rules = Rules(self.spec)

        def pull(g: Any, needed: Sequence[int], _out: Any, args: Sequence[Any], _params: Any) -> list[Any]:
            given = tuple(x is not None and a for x, a in zip(g, outs_active, strict=True))
            new = self.spec.map(("pull", active, given), lambda b: _pulled(b, active, given))
            cotangents = scatter(new(*args, *choose(g, given)), active)
            return [cotangents[n - 1] for n in needed]

        rules.pull = pull
        rules.push = lambda tangents, _out, args, _params: self.forward(-1, args, tangents)[1]
        ruled = General(primitive.name, primitive.impl, multiple_outputs=True, custom=rules, holomorphic=True)
        ruled.function = primitive.function
        return ruled, self.spec(*values)

    def forward(self, level: int, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Run the branch with tangents; return (results, tangents)."""
        del level
        active, outs_active = self._active([t is not None for t in tangents[1:]])
        new = self.spec.map(("push", active, outs_active), lambda b: _pushed(b, active, outs_active))
        outs = new(*values, *choose(tangents[1:], active))
        count = len(outs_active)
        return tuple(below(x, values) for x in outs[:count]), tuple(scatter(outs[count:], outs_active))

    def batch(
        self, _primitive: General, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any
    ) -> list[tuple[Any, bool]]:
        """Run the branch on a batch, or both sides and select; return pairs (result, whether it is mapped)."""
        del params
        operands, mapped = values[1:], tuple(bool(f) for f in flags[1:])
        sides = [as_body(self.spec.then), as_body(self.spec.other)]
        if not flags[0]:
            outs = tuple(self.differing(flags))
            new = self.spec.map(("batch", mapped, outs, size), lambda b: _batched(b, mapped, outs, size))
            return list(zip(new(values[0], *operands), outs, strict=True))

        def both(*boxes: Any) -> list[Any]:
            then, other = (apply_body(side, boxes[1:]) for side in sides)
            where = REGISTRY["where"].function
            return [where(boxes[0], a, b) for a, b in zip(then, other, strict=True)]

        with np.errstate(all="ignore"):  # what an example has not chosen may be out of its domain
            pairs, _ = run_batch(lambda boxes: (both(*boxes), None), values, flags, size)
        return pairs


def _pulled(body: Body, active: Sequence[bool], given: Sequence[bool]) -> Body:
    places = [n for n, a in enumerate(active) if a]
    count = len(body.inputs)

    def pulled(*leaves: Any) -> list[Any]:
        def side(*changed: Any) -> list[Any]:
            full = list(leaves[:count])
            for n, x in zip(places, changed, strict=True):
                full[n] = x
            return apply_body(body, full)

        return record(side, [leaves[n] for n in places]).pull(scatter(leaves[count:], given))

    seeds = choose([ones_like(x) for x in example_outputs(body)], given)
    return record_closed(f"pullback of {body.name}", pulled, [*body.examples, *seeds])


def _pushed(body: Body, active: Sequence[bool], outs_active: Sequence[bool]) -> Body:
    count = len(body.inputs)
    kinds = types_of(body.outputs)

    def pushed(*leaves: Any) -> list[Any]:
        tangents = scatter(leaves[count:], active)
        outs, found = push_forward(lambda *v: apply_body(body, v), leaves[:count], tangents)
        t = [zeros(k) if s is None else s for s, k in zip(found, kinds, strict=True)]
        return [*outs, *choose(t, outs_active)]

    more = choose(body.examples, active)
    return record_closed(f"pushforward of {body.name}", pushed, [*body.examples, *map(ones_like, more)])


def _batched(body: Body, mapped: Sequence[bool], outs: Sequence[bool], size: int) -> Body:
    step = batching(body, mapped, outs, size)
    return record_closed(f"vmap({body.name})", step, examples_over(body, mapped, size))


def rules_of(params: dict[str, Any]) -> Rules:
    """Return the rules of a branch record."""
    return Rules(Branch(**params))


primitive.control = rules_of
