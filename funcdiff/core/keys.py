"""Keys of constants and params, by which equal records are told."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

SMALL = 1000  # elements up to which constants are compared by value


def key_of(value: Any, contents: bool = False) -> Any:
    """Return something hashable that is equal only for values that are alike to the last bit.

    Large arrays are told by their identity, unless `contents` says that there may be copies of them.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.hasobject or (value.size > SMALL and not contents):
            return id(value)  # both are alive, as both stand on the tape
        if value.size > SMALL:
            return ("digest", value.shape, value.dtype.str, hashlib.blake2b(value.tobytes()).digest())
        return ("array", value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, slice):
        return ("slice", *(key_of(v, contents) for v in (value.start, value.stop, value.step)))
    if isinstance(value, (tuple, list)):
        return (type(value), *(key_of(v, contents) for v in value))
    if isinstance(value, dict):
        return tuple((name, key_of(v, contents)) for name, v in sorted(value.items()))
    if type(value) in (float, int) and value and value == value:
        return (type(value), value)
    if isinstance(value, (bool, int, float, complex)):
        return (type(value), repr(value))  # 0.0 is not -0.0
    if isinstance(value, (str, bytes, type(None), type(Ellipsis), np.dtype)):
        return (type(value), value)
    return id(value)
