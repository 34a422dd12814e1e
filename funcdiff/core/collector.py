"""Python's garbage collector, told to look less often while something long is written.

A program's records are objects that stay, and each of them makes some more that go at once.  The collector would go through
all that stay again and again, which takes as long as recording them does.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

RARELY = 50_000  # objects more than before, after which the collector looks for garbage; CPython's own number is 700 or 2000
_lock = Lock()
_writers = 0
_before: tuple[int, ...] = ()


@contextmanager
def looking_rarely() -> Iterator[None]:
    """Let the collector look for garbage rarely, unless it is off or looks still less often."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _writers, _before
    with _lock:
        _writers += 1
        found = gc.get_threshold()
        if _writers == 1 and 0 < found[0] < RARELY:
            _before = found
            gc.set_threshold(RARELY, *found[1:])


def _leave() -> None:
    global _writers, _before
    with _lock:
        _writers -= 1
        if not _writers and _before:
            if gc.get_threshold()[0] == RARELY:  # nobody has set another meanwhile
                gc.set_threshold(*_before)
            _before = ()
