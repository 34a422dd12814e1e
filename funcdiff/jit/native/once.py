"""Values that are made once per process, whatever number of threads ask for them at the same time.

`functools.cache` may call its function twice then, and keep either result; but machine code goes when the last reference to
its library does, and an address in the other one would be left behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")
_lock = threading.RLock()  # one for all, as what is made may ask for others
_MISSING: Any = object()


def once(f: Callable[..., T]) -> Callable[..., T]:
    """Return the function that calls `f` once for each arguments."""
    made: dict[tuple[Any, ...], T] = {}

    @wraps(f)
    def found(*args: Any) -> T:
        value = made.get(args, _MISSING)
        if value is _MISSING:
            with _lock:
                value = made.get(args, _MISSING)
                if value is _MISSING:
                    value = made[args] = f(*args)
        return value  # type: ignore[no-any-return]

    return found
