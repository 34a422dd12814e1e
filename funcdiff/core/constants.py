"""Plain arrays that a tape keeps: the user's code may write to them after they were read.

A small constant is copied when it is recorded.  A large one is kept by reference and made read-only
until the function has returned, so that a write raises instead of making a derivative wrong; what
outlives the function (a pullback, a tape) gets copies then.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

SMALL = 1000  # elements; copying as many costs 0.3 µs, about what NumPy's own operation on them does

_lock = threading.Lock()
_frozen: dict[
    int, list[Any]
] = {}  # id -> [array, how many recordings hold it, views to be made writeable with it]


def keep(recorder: Any, x: Any) -> Any:
    """Return what a record may keep of a plain operand."""
    if type(x) is not np.ndarray:
        return x
    if x.size <= SMALL:
        return x.copy(order="K")
    _freeze(recorder, x)
    return x


def keep_all(recorder: Any, items: Any) -> Any:
    """Return what a record may keep of operands and params, in tuples and dicts."""
    kind = type(items)
    if kind is np.ndarray:
        return keep(recorder, items)
    if kind is tuple:
        return tuple([keep_all(recorder, i) for i in items])
    if kind is dict:
        return {name: keep_all(recorder, i) for name, i in items.items()}
    return items


def is_frozen(x: Any) -> bool:
    """Tell whether an array is read-only because a recording that goes on holds it."""
    return id(x) in _frozen


def _freeze(recorder: Any, x: Any) -> None:
    array: Any = x
    while type(array) is np.ndarray:
        with _lock:
            entry = _frozen.get(id(array))
            if entry is not None:
                entry[1] += 1
            elif array.flags.writeable:
                array.flags.writeable = False
                _frozen[id(array)] = [array, 1, []]
            else:
                array = array.base
                continue
        if recorder.frozen is None:
            recorder.frozen = []
        recorder.frozen.append(array)
        array = array.base


def release(recorder: Any) -> None:
    """Make the arrays that a recorder froze writeable again."""
    arrays, recorder.frozen = recorder.frozen, None
    for array in reversed(arrays or ()):  # a base before its views
        with _lock:
            entry = _frozen[id(array)]
            entry[1] -= 1
            if entry[1] == 0:
                del _frozen[id(array)]
                _thaw(array, entry[2])


def _thaw(array: Any, views: list[Any]) -> None:
    """Make an array and views of it writeable, now or when the array that it is a view of is."""
    base = array.base
    while type(base) is np.ndarray:
        holder = _frozen.get(id(base))
        if holder is not None:  # by a recording around this one
            holder[2] += [array, *views]
            return
        base = base.base
    array.flags.writeable = True
    for view in views:
        view.flags.writeable = True
