"""The stream of PyTorch's CPU generator, which is a Mersenne Twister, and the numbers made of its words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

_BITS = {"d": 53, "f": 24, "e": 11}
"""How many random bits a number gets: as many as are exact in its type."""
_MASKS = {bits: (1 << bits) - 1 for bits in (11, 24, 53)}
_TWIST = 624
"""How many words the twister makes at once."""

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Generator:
    """A stream of random numbers.

    The words of one twist are a block, and what is made of them is made of the whole block at once: a few
    numbers are then a slice of it.
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = device
        self.manual_seed(67280421310721)

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"

    def manual_seed(self, seed: int) -> Generator:
        """Begin the stream of a seed."""
        self._seed = int(seed) & 0xFFFF_FFFF_FFFF_FFFF
        self._twister: Any = np.random.RandomState(self._seed & 0xFFFF_FFFF)._bit_generator
        self._next_normal: float | None = None
        self._begin(_NO_WORDS, _TWIST)
        return self

    def seed(self) -> int:
        """Begin a stream that nobody can know beforehand."""
        seed = time.time_ns() & 0xFFFF_FFFF
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """Return the seed of the stream."""
        return self._seed

    def get_state(self) -> Any:
        """Return where the stream stands."""
        state = self._twister.state
        state["state"]["pos"] = self._drawn - (self._end - self._at)
        return {"twister": state, "normal": self._next_normal, "seed": self._seed}

    def set_state(self, state: Any) -> Generator:
        """Put the stream where it stood."""
        self._twister.state = state["twister"]
        self._next_normal, self._seed = state["normal"], state["seed"]
        self._begin(_NO_WORDS, state["twister"]["state"]["pos"])
        return self

    def _begin(self, block: Any, drawn: int) -> None:
        """Read from a block, at the end of which so many words of a twist have been drawn."""
        self._block, self._drawn, self._at, self._end = block, drawn, 0, len(block)
        self._made: dict[Any, Any] = {}  # what has been made of the block, by the place it begins at

    def _draw(self, n: int) -> Any:
        return self._twister.random_raw(n).view(np.int64)

    def _reach(self, n: int) -> bool:
        """Draw the rest of a twist, if the block does not hold n more words; tell whether it does now."""
        left = _TWIST - self._drawn % _TWIST
        if n > self._end - self._at + left:
            return False
        self._begin(np.concatenate([self._block[self._at :], self._draw(left)]), _TWIST)
        return True

    def words(self, n: int) -> Any:
        """Return n words of 32 bits, not to be written to."""
        at, end = self._at, self._at + n
        if end <= self._end:
            self._at = end
            return self._block[at:end]
        if self._reach(n):
            self._at = n
            return self._block[:n]
        rest = self._block[at:]
        missing = n - len(rest)
        found = np.concatenate([rest, self._draw(missing)])
        self._begin(_NO_WORDS, (self._drawn + missing) % _TWIST or _TWIST)
        return found

    def _numbers(self, make: Callable[[Any], Any], n: int, each: int, aligned: int) -> Any:
        """Return n numbers, each made of so many words, not to be written to.

        What is made of words begins at every so many words (`aligned`).
        """
        needed = each * n
        if self._at + needed > self._end and not self._reach(needed):
            return make(self.words(needed))
        at = self._at
        self._at = at + needed
        start = at % aligned
        found = self._made.get((make, start))
        if found is None:
            last = self._end - (self._end - start) % aligned
            found = self._made[make, start] = make(self._block[start:last])
        first = (at - start) // each
        return found[first : first + n]

    def double_words(self, n: int) -> Any:
        """Return n words of 64 bits."""
        return _joined(self.words(2 * n)).view(np.uint64)

    def uniform(self, n: int, dtype: Any) -> Any:
        """Return n numbers in [0, 1)."""
        if dtype is _FLOAT32:
            return self._numbers(_single, n, 1, 1).copy()
        if dtype.char == "d":
            return self._numbers(_double, n, 2, 2).copy()
        return _uniform(self.words(n), dtype)

    def integers(self, n: int, low: int, high: int) -> Any:
        """Return n integers, `low` among the possible ones and `high` not."""
        span = high - low
        if span < 1 << 28:
            found = np.remainder(self.words(n), _span(span))
        else:
            found = (self.double_words(n) % np.uint64(span)).view(np.int64)
        return found + low if low else found

    def normal(self, n: int, dtype: Any) -> Any:
        """Return n standard normal numbers, by Box and Muller's method."""
        if n < 16:
            return self._few_normal(n, dtype)
        u = self.uniform(n, dtype)
        whole = n - n % 16
        out = np.empty(n, dtype)
        out[:whole] = _pairs(u[:whole])
        if whole != n:  # the last sixteen are drawn again
            out[n - 16 :] = _pairs(self.uniform(16, dtype))
        return out

    def _few_normal(self, n: int, dtype: Any) -> Any:
        """Return some normal numbers, two from each pair; the last may be left for the next time."""
        left = self._next_normal
        if left is None and not n % 2:
            if dtype is _FLOAT32:
                return self._numbers(_single_normal, n, 2, 4).copy()
            return self._numbers(_normal, n, 2, 4).astype(dtype)
        missing = n if left is None or not n else n - 1
        found = self._numbers(_normal, missing + missing % 2, 2, 4)
        if missing != n:
            found = np.concatenate([[left], found])
            self._next_normal = None
        if missing % 2:
            self._next_normal = found.item(n)
            found = found[:n]
        return found.astype(dtype)


_NO_WORDS = np.empty(0, np.int64)


@lru_cache(maxsize=256)
def _span(n: int) -> Any:
    return np.array(n)


def _joined(words: Any) -> Any:
    return (words[0::2] << 32) | words[1::2]


def _uniform(words: Any, dtype: Any) -> Any:
    bits = _BITS[dtype.char]
    return (words & _MASKS[bits]).astype(dtype) * 2.0**-bits


def _single(words: Any) -> Any:
    return _uniform(words, _FLOAT32)


def _double(words: Any) -> Any:
    return _uniform(_joined(words), _FLOAT64)


def _normal(words: Any) -> Any:
    u = _double(words)
    radius = np.sqrt(-2.0 * np.log1p(-u[1::2]))
    angle = (2 * math.pi) * u[0::2]
    found = np.empty(len(u))
    np.multiply(radius, np.cos(angle), found[0::2])
    np.multiply(radius, np.sin(angle), found[1::2])
    return found


def _single_normal(words: Any) -> Any:
    return _normal(words).astype(_FLOAT32)


def _pairs(u: Any) -> Any:
    rows = u.reshape(-1, 2, 8)
    one = u.dtype.type(1)
    radius = np.sqrt(-2 * np.log(one - rows[:, 0]))
    angle = u.dtype.type(2 * math.pi) * rows[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)
