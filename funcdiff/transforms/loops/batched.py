"""A loop over a batch: one loop, in which the examples that have ended stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import innermost
from funcdiff.primitives.shape import broadcast_to
from funcdiff.transforms.loops.body import Body, apply_body, as_body, record_closed
from funcdiff.transforms.loops.dependence import mapped_outputs
from funcdiff.transforms.loops.derive import kept
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.loops.stack import Stack
from funcdiff.transforms.vmap import from_front, run_batch, to_front

Pairs = list[tuple[Any, bool]]


def batched(spec: Loop, values: Sequence[Any], flags: Sequence[bool], size: int) -> Pairs:
    """Run a loop on a batch; return pairs (result, whether it is mapped)."""
    body = as_body(spec.body)
    count = flags[len(body.inputs) :]
    if any(count):
        return _of_different_counts(spec, values, flags, size)
    flags = tuple(bool(f) for f in flags[: len(body.inputs)])
    key = ("batch", spec.carries, spec.invariants, flags, size)
    mapped, outs_mapped = _spread(spec, flags)
    if spec.cond is not None and _ends_differ(spec, mapped):
        return _of_different_ends(spec, values, flags, mapped, size)
    new = spec._replace(
        body=kept(body, key, lambda: _batch_body(body, mapped, outs_mapped, size)),
        cond=None if spec.cond is None else _batch_cond(spec, as_body(spec.cond), mapped, size),
    )
    return _run(spec, new, values, flags, mapped, outs_mapped, size)


def differing(spec: Loop, flags: Sequence[bool]) -> list[bool]:
    """Tell which results differ from example to example if these operands do."""
    mapped, outs = _spread(spec, flags)
    if any(flags[len(mapped) :]):  # the number of steps
        return [True] * len(outs)
    ends = spec.cond is not None and _ends_differ(spec, mapped)
    return [*(ends or m for m in outs), *[ends] * (spec.cond is not None)]


def _spread(spec: Loop, flags: Sequence[bool]) -> tuple[tuple[bool, ...], list[bool]]:
    """Tell which inputs of the body are mapped in some step, and which outputs."""
    mapped = [bool(f) for f in flags[: len(spec.body.inputs)]]
    while True:
        outs = mapped_outputs(spec.body, mapped)
        new = [a or b for a, b in zip(mapped, outs[: spec.carries], strict=False)]
        if new == mapped[: spec.carries]:
            return tuple(mapped), [*new, *outs[spec.carries :]]
        mapped[: spec.carries] = new


def _ends_differ(spec: Loop, mapped: Sequence[bool]) -> bool:
    assert spec.cond is not None
    return mapped_outputs(spec.cond, mapped[: spec.carries + spec.invariants])[0]


def examples_over(body: Body, mapped: Sequence[bool], size: int) -> list[Any]:
    """Return examples of the inputs of a body over a batch."""
    return [repeated(e, size) if m else e for e, m in zip(body.examples, mapped, strict=True)]


def repeated(x: Any, size: int) -> Any:
    """Return a batch of equal examples."""
    return over(x, size) if isinstance(x, Stack) else np.broadcast_to(x, (size, *np.shape(x))).copy()


def batching(body: Body, mapped: Sequence[bool], outs: Sequence[bool], size: int) -> Any:
    """Return a body of leaves that are batched where flagged, as its results are."""
    return batching_of(lambda *boxes: apply_body(body, boxes), mapped, outs, size)


def batching_of(f: Any, flags: Sequence[bool], outs: Sequence[bool], size: int) -> Any:
    """Return a function of leaves that are batched where flagged, as its results are."""

    def step(*leaves: Any) -> list[Any]:
        pairs, _ = run_batch(lambda boxes: (f(*boxes), None), leaves, flags, size)
        return [over(x, size) if w and not m else x for (x, m), w in zip(pairs, outs, strict=True)]

    return step


def over(x: Any, size: int) -> Any:
    """Give a value a batch axis."""
    return broadcast_to(x, shape=(size, *type_of(x).shape))


def _batch_body(body: Body, mapped: Sequence[bool], outs: Sequence[bool], size: int) -> Body:
    return record_closed(
        f"vmap({body.name})", batching(body, mapped, outs, size), examples_over(body, mapped, size)
    )


def _batch_cond(spec: Loop, cond: Body, mapped: Sequence[bool], size: int) -> Body:
    flags = tuple(mapped[: spec.carries + spec.invariants])
    return kept(cond, ("batch", flags, size), lambda: _batch_body(cond, flags, [False], size))  # type: ignore[no-any-return]


def _run(
    spec: Loop,
    new: Loop,
    values: Sequence[Any],
    flags: Sequence[bool],
    mapped: Sequence[bool],
    outs: Sequence[bool],
    size: int,
    more: Sequence[Any] = (),
) -> Pairs:
    """Run a batched loop: carries that become mapped start so, and what is stacked counts steps first."""
    c, v = spec.carries, spec.carries + spec.invariants
    operands = [
        x if f or not m else over(x, size) for x, f, m in zip(values[:c], flags, mapped, strict=False)
    ]
    operands += [*more, *values[c:v]]
    operands += [
        to_front(x, 1) if f and not is_stack(x) else x for x, f in zip(values[v:], flags[v:], strict=False)
    ]
    operands += values[len(flags) :]
    results = new(*operands)
    c = spec.carries + len(more)
    pairs: Pairs = list(zip(results[:c], [*outs[: spec.carries], *[True] * len(more)], strict=True))
    for x, m in zip(results[c : c + spec.collected], outs[spec.carries :], strict=True):
        pairs.append((from_front(x, 1) if m and not is_stack(x) else x, m))
    pairs += [(x, False) for x in results[c + spec.collected :]]
    return pairs


def is_stack(x: Any) -> bool:
    """Tell whether a value is a stack, or full of stacks."""
    return isinstance(innermost(x), Stack)


def _select(live: Any, new: Sequence[Any], old: Sequence[Any]) -> list[Any]:
    where = REGISTRY["where"].function
    return [where(live, a, b) for a, b in zip(new, old, strict=True)]


def _of_different_ends(
    spec: Loop, values: Sequence[Any], flags: Sequence[bool], mapped: Sequence[bool], size: int
) -> Pairs:
    """Run a loop whose condition differs: while any example goes on, the others are frozen."""
    body, cond = as_body(spec.body), as_body(spec.cond)  # type: ignore[arg-type]
    c, v = spec.carries, spec.carries + spec.invariants
    all_mapped = (*[True] * c, *mapped[c:])
    outs = [True] * len(body.outputs)
    ((start, is_mapped),), _ = run_batch(
        lambda boxes: (apply_body(cond, boxes), None), values[:v], flags[:v], size
    )
    going = start if is_mapped else over(start, size)

    def step(*boxes: Any) -> list[Any]:
        carry, (live, trips), rest = boxes[:c], boxes[c : c + 2], boxes[c + 2 :]
        found = apply_body(body, [*carry, *rest])
        new = _select(live, found[:c], carry)
        again = apply_body(cond, [*new, *rest[: spec.invariants]])[0]
        both = REGISTRY["logical_and"].function(live, again)
        return [*new, both, trips + REGISTRY["astype"].function(live, dtype=np.dtype(np.int64)), *found[c:]]

    def make() -> tuple[Body, Body]:
        wide = [*all_mapped[:c], True, True, *all_mapped[c:]]
        base = examples_over(body, all_mapped, size)
        examples = [*base[:c], np.ones(size, bool), np.ones(size, np.int64), *base[c:]]
        new = record_closed(
            f"vmap({body.name})", batching_of(step, wide, [True] * (len(body.outputs) + 2), size), examples
        )

        def any_left(*leaves: Any) -> list[Any]:
            return [REGISTRY["any"].function(leaves[c], axis=(0,), keepdims=False)]

        return new, record_closed(f"vmap({cond.name})", any_left, examples[: v + 2])

    key = ("ends", c, spec.invariants, all_mapped, size, cond)
    new, left = kept(body, key, make)
    masked = spec._replace(body=new, cond=left, carries=c + 2)
    pairs = _run(spec, masked, values, flags, all_mapped, outs, size, (going, np.zeros(size, np.int64)))
    counted = pairs[c + 1]
    return [*pairs[:c], *pairs[c + 2 : -1], counted]


def _of_different_counts(spec: Loop, values: Sequence[Any], flags: Sequence[bool], size: int) -> Pairs:
    """Run a loop of which each example has a number of steps of its own: as many as the longest has."""
    body = as_body(spec.body)
    c, v = spec.carries, spec.carries + spec.invariants
    mapped = [*[True] * c, *flags[c : len(body.inputs)]]
    counts = values[-1]
    most = REGISTRY["max"].function(counts, axis=(0,), keepdims=False)

    def step(*boxes: Any) -> list[Any]:
        carry, place, invariant, counts, xs = (
            boxes[:c],
            boxes[c],
            boxes[c + 1 : v + 1],
            boxes[v + 1],
            boxes[v + 2 :],
        )
        found = apply_body(body, [*carry, *invariant, *xs])
        live = REGISTRY["less"].function(place, counts)
        collected = [y if is_stack(y) else _select(live, [y], [_nothing(y)])[0] for y in found[c:]]
        return [*_select(live, found[:c], carry), place + (-1 if spec.reverse else 1), *collected]

    def make() -> Body:
        base = examples_over(body, mapped, size)
        new_flags = [*mapped[:c], False, *mapped[c:v], True, *mapped[v:]]
        examples = [*base[:c], np.int64(0), *base[c:v], np.ones(size, np.int64), *base[v:]]
        wanted = [*[True] * c, False, *[True] * spec.collected]
        return record_closed(f"vmap({body.name})", batching_of(step, new_flags, wanted, size), examples)

    key = ("counts", c, spec.invariants, tuple(mapped), size, spec.reverse)
    new = spec._replace(body=kept(body, key, make), carries=c + 1, invariants=spec.invariants + 1)
    start = most - 1 if spec.reverse else np.int64(0)
    operands = [x if f else over(x, size) for x, f in zip(values[:c], flags, strict=False)]
    results = new(*operands, start, *values[c:v], counts, *values[v:-1], most)
    pairs: Pairs = [(x, True) for x in results[:c]]
    pairs += [(x, True) for x in results[c + 1 :]]
    return pairs


def _nothing(x: Any) -> Any:
    kind = type_of(x)
    return np.zeros(kind.shape, kind.dtype)
