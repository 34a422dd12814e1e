"""Programs that hold loops are recorded without running them: a loop's results are stand-ins of their types.

What is made of stand-ins is a stand-in too.  Should Python's control flow ask for one, or an operation fail on
it, all that is pending is computed in earnest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

_sketching: ContextVar[bool] = ContextVar("funcdiff loops are not run", default=False)


@contextmanager
def sketching() -> Iterator[None]:
    """Let loops answer with stand-ins."""
    token = _sketching.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _sketching.reset(token)


def is_sketching() -> bool:
    """Tell whether loops answer with stand-ins."""
    return _sketching.get()


class Place(int):
    """A stand-in among the operands of a pending step, by its place in the program."""


class Sketch:
    """The stand-ins of one program, and the steps that make the values they stand for."""

    def __init__(self) -> None:
        self.pending: list[tuple[Callable[..., Any], list[Any], dict[str, Any], range]] = []
        self.places: set[int] = set()
        self.values: dict[int, Any] = {}  # of what was a stand-in

    def enter(
        self,
        function: Callable[..., Any],
        values: Sequence[Any],
        places: Sequence[int],
        params: dict[str, Any],
        made: range,
    ) -> None:
        """Note a step whose results, at places that follow each other, are stand-ins."""
        operands = [Place(p) if p in self.places else v for v, p in zip(values, places, strict=True)]
        self.pending.append((function, operands, params, made))
        self.places.update(made)

    def rename(self, value: Any, place: int, other: int) -> None:
        """Note that the value at a place stands at another place too."""
        if place in self.places:
            self.enter(lambda x: x, [value], [place], {}, range(other, other + 1))
        elif place in self.values:
            self.values[other] = self.values[place]

    def settle(self) -> None:
        """Compute in earnest all that is pending."""
        for function, operands, params, made in self.pending:
            out = function(*[self.values[x] if type(x) is Place else x for x in operands], **params)
            self.values.update(zip(made, out if isinstance(out, tuple) else (out,), strict=True))
        self.pending.clear()
        self.places.clear()
