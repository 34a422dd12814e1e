"""Arrays nobody is going to touch: addresses without memory.

The C library writes a note before each array, into a page that the system has to give and clear: 0.1 to 1 ms where pages
have 2 MB. On Linux the arrays lie one after the other in a range of addresses instead, which is given back with the last.
"""

from __future__ import annotations

import math
import mmap
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

RANGE = 1 << 30  # bytes of addresses that are asked for at once
SMALLEST = 1 << 18  # bytes of an array from which this is worth it
_ALIGNMENT = 64
_lock = threading.Lock()


class _Range:
    """A range of addresses, and how much of it is in use."""

    def __init__(self) -> None:
        self.addresses: weakref.ref[Any] | None = None
        self.used = 0

    def take(self, size: int) -> tuple[Any, int]:
        """Return addresses and where among them there is room."""
        with _lock:
            found = None if self.addresses is None else self.addresses()
            if found is None or self.used + size > len(found):
                flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
                found, self.used = mmap.mmap(-1, max(size, RANGE), flags=flags), 0
                self.addresses = weakref.ref(found)
            start = self.used
            self.used += -(-size // _ALIGNMENT) * _ALIGNMENT
            return found, start


_range = _Range()


def untouched(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return an array in C order that is as good as `np.empty` for whoever does not touch it."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST or sys.platform != "linux":
        return np.empty(shape, dtype)
    try:
        addresses, start = _range.take(size)
    except OSError:  # there are none to spare
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, addresses, start)
