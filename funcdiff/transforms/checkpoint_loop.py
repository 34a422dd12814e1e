"""`checkpoint_loop`: a long loop in a given number of kept states, placed by the binomial schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from funcdiff import errors
from funcdiff.transforms.arguments import check_callable
from funcdiff.transforms.checkpoint import checkpoint


def checkpoint_loop(
    body: Callable[..., Any], steps: int, carry: Any, *args: Any, slots: int | None = None
) -> Any:
    """Run a loop whose reverse sweep keeps a given number of states, and recomputes the others.

    The states are placed where the number of repetitions is least: with s slots every step is run at
    most t + 1 times, t being the smallest number with ``comb(s + t, s) >= steps``.  A thousand steps in
    ten slots are run at most five times each; without checkpoints each step's intermediates are kept.

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

    def run(start: int, count: int, slots: int, carry: Any, args: Any) -> Any:
        """Run steps, of which a reverse sweep keeps the states in which the parts begin."""
        while count > 1:
            part = first_part(count, slots)
            carry = checkpoint(section(start, part, slots))(carry, *args)
            start, count, slots = start + part, count - part, max(slots - 1, 1)
        return body(start, carry, *args) if count else carry

    def section(start: int, count: int, slots: int) -> Callable[..., Any]:
        def steps_of_loop(carry: Any, *args: Any) -> Any:
            return run(start, count, slots, carry, args)

        steps_of_loop.__qualname__ = errors.function_name(body)
        return steps_of_loop

    return run(0, steps, slots, carry, args)


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
