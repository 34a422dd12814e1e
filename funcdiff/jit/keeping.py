"""What compiled programs keep from call to call, and how it is given back."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakSet

_keepers: WeakSet[Any] = WeakSet()
_lock = threading.Lock()


def keeps(x: Any) -> None:
    """Enter something that has memory which its method `release` gives back."""
    with _lock:
        _keepers.add(x)


class Kept(list[Any]):
    """The results that a builtin function may use again; its length stays."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, count: int) -> None:
        super().__init__([None] * count)
        keeps(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def release(self) -> None:
        """Let the results go."""
        for n in range(len(self)):
            self[n] = None


def release_memory() -> None:
    """Give back the memory that compiled functions keep from call to call.

    A function made by `jit` keeps what it needs for values in between, and large results that nobody else refers
    to any more, since fresh memory costs more than most functions do.  This gives back all of it; programs stay
    compiled, and take memory again when they are called.  Calls that run in other threads meanwhile go on.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> double = fd.jit(lambda x: 2 * x)
    >>> double(np.ones(3))
    array([2., 2., 2.])
    >>> fd.release_memory()
    >>> double(np.ones(3))
    array([2., 2., 2.])
    """
    with _lock:
        keepers = list(_keepers)
    for x in keepers:
        x.release()
