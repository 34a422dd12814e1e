"""`checkpoint_loop`: a long loop in a given number of kept states, placed by the binomial schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.trees import AnyTree, flatten
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.checkpoint import CheckpointedCall, checked_output, is_array, on_tape, own, run
from funcdiff.transforms.custom_call import Flat
from funcdiff.transforms.reverse import record


def checkpoint_loop(
    body: Callable[..., Any], steps: int, carry: Any, *args: Any, slots: int | None = None
) -> Any:
    """Run a loop whose reverse sweep keeps a given number of states, and recomputes the others.

    The states are placed where the number of repetitions is least: with s slots every step is run at
    most t + 2 times, t being the smallest number with ``comb(s + t, s) >= steps``.  So a thousand steps
    in ten slots are run at most six times each, the last time with intermediates kept for one step only.

    Parameters
    ----------
    body : callable
        A pure function ``body(i, carry, *args) -> carry``.
    steps : int
        How often it is run, with i from 0.
    carry : array or nested containers of arrays
        The first state.
    *args : array or nested containers of arrays
        What every step reads besides, such as parameters; what is differentiated must be passed here
        and not closed over.
    slots : int, optional
        How many states are kept, the first one included; about ``log2(steps)`` by default.

    Returns
    -------
    array or nested containers of arrays
        The last state.

    Raises
    ------
    CustomRuleError
        As `checkpoint` does.
    ValueError
        If `steps` is negative or `slots` is less than 1.

    Notes
    -----
    A. Griewank and A. Walther, "Algorithm 799: revolve", 2000.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def step(i, x, rate):
    ...     return x - rate * np.sin(x)
    >>> def last(rate):
    ...     return fd.checkpoint_loop(step, 1000, 1.0, rate, slots=10)
    >>> round(float(fd.grad(last)(0.001)), 6)
    -386.532361
    """
    check_callable("checkpoint_loop", body)
    if steps < 0:
        raise ValueError(f"checkpoint_loop needs steps of 0 or more, not {steps!r}")
    slots = max(1, math.ceil(math.log2(steps + 1))) if slots is None else slots
    if slots < 1:
        raise ValueError(f"checkpoint_loop needs slots of 1 or more, not {slots!r}")

    name = errors.function_name(body)
    if steps == 0 or not any(on_tape(x) for x in flatten((carry, args))[0]):
        for i in range(steps):
            carry = body(i, carry, *args)
        return carry
    loop = _Loop(name, body, steps, slots, flatten(carry)[1])
    leaves, tree = flatten((carry, args))
    values = [leaf_value(x) if n < loop.width or is_array(x) else x for n, x in enumerate(leaves)]
    places = [n for n, x in enumerate(values) if n < loop.width or is_array(x)]
    loop.fix([None if n in places else x for n, x in enumerate(values)], places, tree)
    found = LoopCall(name, loop.whole, loop).primitive().function(*[values[n] for n in places])
    return loop.tree.unflatten(found)


class _Loop:
    """The steps of a loop, on the leaves of its state and of what every step reads."""

    def __init__(self, name: str, body: Callable[..., Any], steps: int, slots: int, tree: AnyTree) -> None:
        self.name = name
        self.body = body
        self.steps = steps
        self.slots = slots
        self.tree = tree
        self.width = tree.num_leaves

    def fix(self, fixed: list[Any], places: list[int], tree: AnyTree) -> None:
        """Set what is the same in every step, and the places of the arrays among the leaves."""
        self.fixed, self.places, self.both = fixed, places, tree

    def step(self, i: int, state: Sequence[Any], shared: Sequence[Any]) -> list[Any]:
        """Take one step."""
        values = list(self.fixed)
        for n, v in zip(self.places, [*state, *shared], strict=True):
            values[n] = own(v) if n < self.width else v
        carry, args = self.both.unflatten(values)
        leaves, tree = flatten(self.body(i, carry, *args))
        if not tree == self.tree:
            raise errors.StructureError(
                errors.at_user_line(
                    f"checkpoint_loop of {self.name}: the body returned a state of structure {tree!r} for one of "
                    f"structure {self.tree!r}"
                )
            )
        return [checked_output(self.name, x) for x in leaves]

    def advance(self, start: int, count: int, state: Sequence[Any], shared: Sequence[Any]) -> Sequence[Any]:
        """Take steps."""
        for i in range(start, start + count):
            state = self.step(i, state, shared)
        return state

    def whole(self, *leaves: Any) -> list[Any]:
        """Run the loop; if it is recorded itself, in nested checkpoints."""
        return self.nested(0, self.steps, self.slots, leaves[: self.width], leaves[self.width :])

    def nested(
        self, start: int, count: int, slots: int, state: Sequence[Any], shared: Sequence[Any]
    ) -> list[Any]:
        """Run steps, the parts of the schedule as checkpointed calls."""
        while count > 1:
            part = first_part(count, slots)

            def section(*leaves: Any, start: int = start, part: int = part, slots: int = slots) -> list[Any]:
                return self.nested(start, part, slots, leaves[: self.width], leaves[self.width :])

            state = run(self.name, section, [*state, *shared])
            start, count, slots = start + part, count - part, max(slots - 1, 1)
        return self.step(start, state, shared)


class LoopCall(CheckpointedCall):
    """One loop; its pullback goes through the schedule and lets go of each state when it is used up."""

    def __init__(self, name: str, f: Flat, loop: _Loop) -> None:
        super().__init__(name, f)
        self.loop = loop

    def _pulled(self, g: Any, needed: Sequence[int], args: Any, before: list[Any] | None) -> list[Any]:
        if any(on_tape(v) for v in [*args, *g]):
            return super()._pulled(
                g, needed, args, before
            )  # to be differentiated again: in nested checkpoints
        loop = self.loop
        width = loop.width
        shared = args[width:]
        wanted = [n - width for n in needed if n >= width]
        totals: list[Any] = [None] * len(wanted)

        def step(i: int, state: Sequence[Any], g: list[Any]) -> list[Any]:
            inexact = [n for n, x in enumerate(state) if type_of(x).dtype.kind in "fc"]

            def taken(*given: Any) -> list[Any]:
                new_state, new_shared = list(state), list(shared)
                for n, v in zip(inexact, given, strict=False):
                    new_state[n] = v
                for n, v in zip(wanted, given[len(inexact) :], strict=True):
                    new_shared[n] = v
                return loop.step(i, new_state, new_shared)

            recording = record(taken, [*[state[n] for n in inexact], *[shared[n] for n in wanted]])
            if before is not None and i == loop.steps - 1:
                self._check_same(recording.outputs, before)
            found = recording.pull(g)
            for n, h in enumerate(found[len(inexact) :]):
                totals[n] = h if totals[n] is None else totals[n] + h
            pulled: list[Any] = [None] * width
            for n, h in zip(inexact, found, strict=False):
                pulled[n] = h
            return pulled

        def advance(start: int, count: int, state: Sequence[Any]) -> Sequence[Any]:
            return loop.advance(start, count, state, shared)

        by_state = _sweep(advance, step, 0, loop.steps, loop.slots, args[:width], list(g))
        by_shared = dict(zip(wanted, totals, strict=True))
        return [by_state[n] if n < width else by_shared[n - width] for n in needed]


def _sweep(
    advance: Callable[..., Sequence[Any]],
    step: Callable[..., list[Any]],
    start: int,
    count: int,
    slots: int,
    state: Sequence[Any],
    g: list[Any],
) -> list[Any]:
    """Pull cotangents back through steps, from the state in which they begin."""
    while count > 1:
        part = first_part(count, slots)
        later = advance(start, part, state)
        g = _sweep(advance, step, start + part, count - part, max(slots - 1, 1), later, g)
        del later
        count = part
    return step(start, state, g)


def first_part(steps: int, slots: int) -> int:
    """Return how many of two or more steps to take before the next state is kept: revolve's choice."""
    repeats = 0
    while _reach(slots, repeats) < steps:
        repeats += 1
    # The first part is reversed last, with all slots again and one repetition less; the rest with one
    # slot less.  Between the extremes the number of steps taken twice is least with the middle choice.
    least, most = _reach(slots, repeats - 2), _reach(slots, repeats - 1)
    if steps <= most + _reach(slots - 2, repeats - 1):
        part = least
    elif steps >= _reach(slots, repeats) - _reach(slots - 3, repeats):
        part = most
    else:
        part = steps - _reach(slots - 1, repeats - 1) - _reach(slots - 2, repeats - 1)
    return max(1, min(part, steps - 1))


def _reach(slots: int, repeats: int) -> int:
    """Return how many steps can be reversed with that many slots and repetitions."""
    return math.comb(slots + repeats, slots) if slots >= 0 and repeats >= 0 else 0


__all__ = ["checkpoint_loop"]
