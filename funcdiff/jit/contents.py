"""What captured arrays held when a program was recorded, to be compared at each call.

A program has computed with their values: they are its constants, or what constants, shapes and the decisions of
Python's control flow were made of. So a write into one of them is a reason to record anew. An array that has its own
memory and is read-only is taken at its word: it is looked at whether it still is.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from funcdiff.core.constants import is_frozen

_WRITEABLE = 0x0400  # NumPy's flag
FEW = 2048  # bytes up to which comparing two strings of them is the fastest


def content_of(x: Any) -> Content | None:
    """Return the content of an array; None for what has none, cannot be compared, or lies in a file."""
    if not isinstance(x, np.ndarray) or isinstance(x, np.memmap) or x.dtype.hasobject or not x.nbytes:
        return None
    return Content(x)


class Content:
    """A copy of an array's elements."""

    def __init__(self, x: np.ndarray) -> None:
        self.array = x
        self.layout = (x.shape, x.strides, x.dtype)
        self.is_frozen = (
            x.base is None and not x.flags.writeable and not is_frozen(x)
        )  # not by a tape around it
        self.saved = b"" if self.is_frozen else x.tobytes("A")
        self._words: tuple[Any, Any] | None = None
        if self.is_frozen:
            return
        if x.nbytes > FEW and (x.flags.c_contiguous or x.flags.f_contiguous):
            flat = np.asarray(x).reshape(-1, order="A").view(np.uint8)
            words: Any = np.uint64 if x.nbytes % 8 == 0 else np.uint8
            self._words = flat.view(words), np.frombuffer(self.saved, words)

    def same(self) -> bool:
        """Tell whether the array holds what it held, bit for bit."""
        x = self.array
        if (x.shape, x.strides, x.dtype) != self.layout:
            return False
        if self.is_frozen:
            return not x.flags.writeable
        if self._words is None:
            return x.tobytes("A") == self.saved
        now, then = self._words
        return bool((now == then).all())

    def table(self) -> bytes | None:
        """Return what the builtin compares; None if the elements do not lie in runs at equal distances.

        Words: where the data are, the dtype, the number of axes; bytes of a run, how many runs, their distance; flags
        that must not be set; lengths and strides. Then the runs.
        """
        x = self.array
        runs = (x.itemsize, 0, 0) if self.is_frozen else _runs(x)
        if runs is None:
            return None
        length, count, distance = runs
        lie = np.lib.stride_tricks.as_strided(
            np.asarray(x), (count, length // x.itemsize), (distance, x.itemsize), writeable=False
        )
        place = [x.__array_interface__["data"][0], id(x.dtype), x.ndim]
        words = [*place, *runs, _WRITEABLE if self.is_frozen else 0, *x.shape, *x.strides]
        return struct.pack(f"<{len(words)}q", *words) + lie.tobytes()


def _runs(x: np.ndarray) -> tuple[int, int, int] | None:
    """Return the bytes of a run of elements without gaps, how many runs there are, and how far apart."""
    axes = sorted((stride, n) for stride, n in zip(x.strides, x.shape, strict=True) if n > 1 and stride)
    run = x.itemsize
    while axes and axes[0][0] == run:
        run *= axes.pop(0)[1]
    if not axes:
        return run, 1, 0
    distance, count = axes.pop(0)
    while axes and axes[0][0] == distance * count:
        count *= axes.pop(0)[1]
    return None if axes or distance < run else (run, count, distance)
