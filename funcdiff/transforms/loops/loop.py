"""The record of a loop.

``loop(carry…, invariant…, stacked…[, n]) -> carry…, collected…[, trips]`` runs its body ``(carry, invariant, x)
-> (carry, y)`` once per element of the stacked inputs, or while its condition ``(carry, invariant) -> bool``
holds.  The number of steps is static, or an operand, or found by the condition; in the last two cases what is
stacked and collected are `Stack`s.  A derivative or a batch of a loop is again a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import General, register
from funcdiff.core.recording import apply
from funcdiff.core.tape import Tape
from funcdiff.transforms.loops.body import as_body, types_of
from funcdiff.transforms.loops.interpret import Steps, example_outputs
from funcdiff.transforms.loops.stack import Stack, element
from funcdiff.transforms.sketch import is_sketching


class Loop(NamedTuple):
    """The params of a loop record.

    Attributes
    ----------
    body, cond : Body
        One step, and whether it is taken; cond is None where the number of steps is known before.
    carries, invariants : int
        How many operands are carried from step to step, and how many are the same in every step.
    length : int or None
        The number of steps, if it is static.
    reverse : bool
        Whether the last element is read first.
    recompute : bool
        Whether a reverse sweep keeps only what a step reads, and runs the step again.
    """

    body: Tape
    cond: Tape | None
    carries: int
    invariants: int
    length: int | None
    reverse: bool = False
    recompute: bool = False

    @property
    def counted(self) -> bool:
        """Whether the number of steps is an operand."""
        return self.cond is None and self.length is None

    @property
    def stacked(self) -> int:
        """How many operands have an element per step."""
        return len(self.body.inputs) - self.carries - self.invariants

    @property
    def collected(self) -> int:
        """How many results have an element per step."""
        return len(self.body.outputs) - self.carries

    def parts(self, items: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """Part what belongs to the operands: carries, invariants, stacked ones, the number of steps."""
        c, v = self.carries, self.carries + self.invariants
        end = v + self.stacked
        return list(items[:c]), list(items[c:v]), list(items[v:end]), list(items[end:])

    def __call__(self, *operands: Any) -> tuple[Any, ...]:
        """Run on operands that may be traced."""
        out: tuple[Any, ...] = loop(*operands, **self._asdict())
        return out


def run(*operands: Any, **params: Any) -> tuple[Any, ...]:
    """Run a loop on plain operands."""
    spec = Loop(**params)
    if is_sketching() and spec.length != 0:
        return stand_ins(spec, operands)
    carry, invariant, stacked, count = spec.parts(operands)
    del operands
    body = as_body(spec.body)
    step = Steps(body, spec.carries)
    kinds = types_of(body.outputs)[spec.carries :]
    of_stacked = [v.type for v in body.inputs[spec.carries + spec.invariants :]]
    steps = spec.length if spec.length is not None else int(count[0]) if count else -1
    collected: list[Any] = [None if spec.length is not None else [] for _ in kinds]
    cond = None if spec.cond is None else Steps(as_body(spec.cond), 0)
    for x in stacked:
        found = x.steps if isinstance(x, Stack) else len(x) if spec.length is not None else steps
        if found < steps or (found > steps and spec.length is not None):
            raise errors.TapeError(f"a loop of {steps} steps was given {found} elements to read")
    i = 0
    while i != steps and (cond is None or bool(cond([*carry, *invariant])[0])):
        n = steps - 1 - i if spec.reverse else i
        xs = [_element(x, n, k, spec.length is None) for x, k in zip(stacked, of_stacked, strict=True)]
        values = [*carry, *invariant, *xs]
        carry.clear()
        del xs
        outs = step(values)
        carry = outs[: spec.carries]
        for k, y in enumerate(outs[spec.carries :]):
            if collected[k] is None:
                collected[k] = room(y, steps, kinds[k])
            if spec.length is None:
                collected[k].append(y.copy() if step.compiled and isinstance(y, np.ndarray) else y)
            else:
                collected[k][n] = y
        del outs
        i += 1
    if i == 0:
        carry = [np.array(x)[()] for x in carry]
    return (*carry, *gathered(spec, collected, kinds), *([np.int64(i)] if spec.cond is not None else []))


def stand_ins(spec: Loop, operands: Sequence[Any]) -> tuple[Any, ...]:
    """Return results of the types that a loop gives, without running it: what is carried as it starts."""
    kinds = types_of(spec.body.outputs)[spec.carries :]
    ys = example_outputs(as_body(spec.body))[spec.carries :]
    carry = [x if isinstance(x, Stack) else np.array(x)[()] for x in operands[: spec.carries]]
    if spec.length is None:
        return (
            *carry,
            *(Stack([y], k) for y, k in zip(ys, kinds, strict=True)),
            *[np.int64(1)] * (spec.cond is not None),
        )
    collected = [
        Stack([y] * spec.length, k)
        if isinstance(y, Stack)
        else np.broadcast_to(np.asarray(y, k.dtype), (spec.length, *k.shape))
        for y, k in zip(ys, kinds, strict=True)
    ]
    return (*carry, *collected)


def room(y: Any, steps: int, kind: ArrayType) -> Any:
    """Return where the elements go that a loop of static length collects."""
    return [None] * steps if isinstance(y, Stack) else np.empty((steps, *kind.shape), kind.dtype)


def gathered(spec: Loop, collected: Sequence[Any], kinds: Sequence[ArrayType]) -> list[Any]:
    """Return what a loop has collected as arrays and stacks."""
    if spec.length is not None:
        found = [room(None, 0, k) if ys is None else ys for ys, k in zip(collected, kinds, strict=True)]
        return [Stack(ys, k) if type(ys) is list else ys for ys, k in zip(found, kinds, strict=True)]
    return [Stack(ys[::-1] if spec.reverse else ys, k) for ys, k in zip(collected, kinds, strict=True)]


def _element(x: Any, n: int, kind: ArrayType, dynamic: bool) -> Any:
    return element(x, n, kind) if dynamic or isinstance(x, Stack) else x[n]


primitive = General(
    "loop",
    run,
    multiple_outputs=True,
    holomorphic=True,
    doc="Run a body again and again, see funcdiff.transforms.loops.loop.",
)


def _loop(*operands: Any, **params: Any) -> Any:
    return apply(primitive, operands, params)


loop = register(primitive, _loop)
