"""Recording computes as little as it can: stand-ins of the right types take the places of values.

A loop that is recorded is not run, and of large arrays that are made element by element only the memory is got,
which nobody touches.  What is made of stand-ins is a stand-in too.  Should Python's control flow ask for one, or an
operation fail on it, all that is pending is computed in earnest.
"""

from __future__ import annotations

import weakref
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
        self.pending: list[tuple[Callable[..., Any], list[Any], dict[str, Any], Sequence[int]]] = []
        self.places: set[int] = set()
        self.entered: set[int] = set()  # the places of all that was ever a stand-in
        self.values: dict[int, Any] = {}  # of what was a stand-in, as long as somebody may look
        self.seen: dict[int, weakref.ref[Any]] = {}  # the stand-ins that are arrays

    def enter(
        self,
        function: Callable[..., Any],
        values: Sequence[Any],
        places: Sequence[int],
        params: dict[str, Any],
        made: Sequence[int],
        out: Any,
    ) -> None:
        """Note a step whose results are stand-ins."""
        operands = [Place(p) if p in self.places else v for v, p in zip(values, places, strict=True)]
        self.pending.append((function, operands, params, made))
        self.places.update(made)
        self.entered.update(made)
        for place, x in zip(made, out if isinstance(out, tuple) else (out,), strict=True):
            if type(x) is np.ndarray:
                self.seen[place] = weakref.ref(x, lambda _, place=place: self.values.pop(place, None))  # type: ignore[misc]

    def rename(self, value: Any, place: int, other: int) -> None:
        """Note that the value at a place stands at another place too."""
        if place in self.places:
            self.enter(lambda x: x, [value], [place], {}, [other], value)
        elif place in self.values:
            self.values[other] = self.values[place]
            self.entered.add(other)

    def settle(self) -> None:
        """Compute in earnest all that is pending."""
        last: dict[int, int] = {
            x: n for n, (_, operands, *_) in enumerate(self.pending) for x in operands if type(x) is Place
        }
        values = self.values
        for n, (function, operands, params, made) in enumerate(self.pending):
            out = function(*[values[x] if type(x) is Place else x for x in operands], **params)
            values.update(zip(made, out if isinstance(out, tuple) else (out,), strict=True))
            for place in {*made, *(x for x in operands if type(x) is Place)}:
                if last.get(place, n) == n and place in self.seen and self.seen[place]() is None:
                    values.pop(place, None)
        self.pending.clear()
        self.places.clear()
