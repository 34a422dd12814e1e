"""Where the user's code runs just now: the batches of `vmap` and the programs being recorded around it.

Operations on traced arrays need not know this, for the arrays carry it.  A draw of random numbers does: it
may have no traced argument, and yet differ from example to example, or from run to run of a program.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from funcdiff.core.recording import Recorder

T = TypeVar("T")

SURROUNDINGS: ContextVar[tuple[Recorder, ...]] = ContextVar("funcdiff surroundings", default=())
"""The recorders of the calls of `vmap` and `trace` that are running, outermost first."""


def run_inside(recorder: Recorder, f: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function whose draws of random numbers belong to a recorder."""
    token = SURROUNDINGS.set((*SURROUNDINGS.get(), recorder))
    try:
        return f(*args, **kwargs)
    finally:
        SURROUNDINGS.reset(token)
