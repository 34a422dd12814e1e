"""Mutation: in-place writes as functional updates whose buffers are reused when nobody else looks.

Every write is recorded as ``new = old with [path] replaced``; only the *buffer* is reused, and only
when its reference count says that nobody else could see the change (a residual, a view, another
traced array and the caller each hold a reference).  A view is a lens on its root: writing goes to the
root and marks the views stale, and a stale view re-reads the root at its next use.

A path is a tuple of steps ``(primitive function, params)``; its last step is always an index.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import STALE, Recorder, TracedArray, box, is_scalar_value, revive

Step = tuple[Callable[..., Any], dict[str, Any]]
Path = tuple[Step, ...]

try:
    _refcount: Callable[[Any], int] | None = sys.getrefcount
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        _refcount = None  # counts mean nothing there: always copy
except AttributeError:
    _refcount = None


class Cell:
    """A place that owns one value, for the updates of cotangents and tangents."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Written(list[Any]):
    """Marks the views of an array that has been written: from then on its slices are copied."""


def _counts() -> tuple[int, int]:
    """Measure the reference counts that `own` sees on a value only its holder holds.

    The second is the count inside a reverse sweep's rule, where the sweep's loop holds one more.
    They depend on the interpreter's version, so they are measured with functions of the same shape.
    """
    if _refcount is None:
        return 0, 0
    count = _refcount
    seen: list[int] = []

    def own(holder: Cell) -> None:
        x = holder.value
        seen.append(count(x))

    def rule(cotangents: list[Any], g: Any) -> None:
        cell = Cell(g)
        del g
        own(cell)

    own(Cell(np.zeros(1)))
    cotangents = [np.zeros(1)]
    for n in range(1):
        g = cotangents[n]
        cotangents[n] = None  # type: ignore[call-overload]
        rule(cotangents, g)
    return seen[0], seen[1]


OWNED, OWNED_IN_SWEEP = _counts()


def own(holder: Any, owned: int) -> Any:
    """Return the holder's ndarray, copied first if anybody else could see a write to it."""
    x = holder.value
    if _refcount is None or _refcount(x) > owned or x.base is not None or not x.flags.writeable:
        x = holder.value = np.array(x, order="K")  # of a scalar too, which a copy would leave one
    return x


def update(holder: Any, value: Any, path: Path, owned: int = OWNED) -> None:
    """Carry out ``holder.value[path] = value``, copying the buffer only when it is shared."""
    x = holder.value
    if type(x) is TracedArray:
        if _refcount is None or _refcount(x) > owned:
            x = holder.value = clone(x)
        write(x, value, path)
    elif (recorder := _newest_of(value, path)) is not None:
        holder.value = outer = box(x, recorder, recorder.constant_place)
        del x
        write(outer, value, path)
    else:
        del x
        write_plain(own(holder, owned), value, path)


def empty_sum(kind: ArrayType, value: Any) -> Any:
    """Return zeros to which a value, or values like it, will be added; in a program one that is repeated."""
    x = value
    while type(x) is TracedArray:
        if x.recorder.program:
            return np.broadcast_to(kind.dtype.type(0), kind.shape)
        x = x.value
    return np.zeros(kind.shape, kind.dtype)


def add_through(holder: Any, value: Any, path: Path) -> None:
    """Carry out ``holder.value[path] += value``, repeated indices adding up; basic indices in place."""
    x = holder.value
    if type(x) is not TracedArray and type(value) is not TracedArray:
        del x
        write_plain(own(holder, OWNED), value, path, add=True)
    elif is_basic(path[-1][1]["index"]):
        value = through(x, path) + value
        del x
        update(holder, value, path)
    elif any(type(i) is TracedArray for i in _items(path[-1][1]["index"])):
        ((function, params),) = path
        transpose = function.primitive.transposes[0]  # type: ignore[attr-defined]
        holder.value = x + transpose(value, type_of(x), **params)
    else:
        ((function, params),) = path
        numbers = flat_numbers(params["index"], x.shape)
        if differ(numbers, x.size):
            value = through(x, path) + value
            del x
            update(holder, value, path)
            return
        once, group = np.unique(numbers, return_inverse=True)
        flat = REGISTRY["reshape"].function(value, shape=(numbers.size,))
        total = REGISTRY["index_add"].function(flat, shape=once.shape, index=group.reshape(-1))
        step = (function, {"index": np.unravel_index(once, x.shape)})
        total = through(x, (step,)) + total
        del x
        update(holder, total, (step,))


def differ(numbers: Any, size: int) -> bool:
    """Tell whether no number below a size comes twice."""
    if numbers.size < size // 16:  # costs what is read, not what there is
        return bool(len(np.unique(numbers)) == numbers.size)
    met = np.zeros(size, bool)
    met[numbers] = True
    return bool(np.count_nonzero(met) == numbers.size)


def _items(index: Any) -> tuple[Any, ...]:
    return index if type(index) is tuple else (index,)


def through(x: Any, path: Path) -> Any:
    """Look at an array through a path of lenses, of a traced array by one record."""
    if type(x) is TracedArray and len(path) > 1:
        return REGISTRY["view"].function(x, path=path)
    for function, params in path:
        x = function(x, **params)
    return x


BASIC = frozenset({int, slice, type(None), type(Ellipsis)})
"""Types of what a basic index is nearly always made of."""


def is_basic(index: Any) -> bool:
    """Tell whether an index is basic: integers, slices, Ellipsis and newaxis."""
    items = _items(index)
    if BASIC.issuperset(map(type, items)):  # a fifth off the sweep back of an x[i]
        return True
    return all(
        i is None or i is Ellipsis or (isinstance(i, (int, np.integer, slice)) and not isinstance(i, bool))
        for i in items
    )


def flat_numbers(index: Any, shape: tuple[int, ...]) -> Any:
    """Return the numbers, in C order, of the elements that a plain index reads."""
    items = _items(index)
    if len(items) == len(shape) and all(
        isinstance(i, (int, np.integer)) or (isinstance(i, np.ndarray) and i.dtype.kind in "iu")
        for i in items
    ):
        wrapped = [np.where(np.less(i, 0), np.add(i, n), i) for i, n in zip(items, shape, strict=True)]
        return np.ravel_multi_index(np.broadcast_arrays(*wrapped), shape)
    return np.arange(int(np.prod(shape))).reshape(shape)[index]


def write_plain(x: np.ndarray[Any, Any], value: Any, path: Path, add: bool = False) -> None:
    """Write into, or add to, an ndarray through a path; the array is changed."""
    index = path[-1][1]["index"]
    if len(path) == 1:
        _put(x, index, value, add)
        return
    target = through(x, path[:-1])
    if target.base is x or np.may_share_memory(target, x):
        _put(target, index, value, add)
        return
    numbers = through(np.arange(x.size).reshape(x.shape), path[:-1])  # a lens copied: write by number
    flat = x.reshape(-1)
    _put(flat, numbers[index], value, add)
    if not np.may_share_memory(flat, x):
        x[...] = flat.reshape(x.shape)


def _put(x: np.ndarray[Any, Any], index: Any, value: Any, add: bool) -> None:
    if not add:
        x[index] = value
    elif is_basic(index):
        x[index] += value
    else:
        np.add.at(x, index, value)


def clone(x: TracedArray) -> TracedArray:
    """Return another traced array with the same value and place."""
    out = box(x.value, x.recorder, x.place)
    if isinstance(getattr(x, "views", None), _Written):
        out.views = _Written()
    return out


def write(x: TracedArray, value: Any, path: Path) -> None:
    """Carry out ``x[path] = value`` on the newest level of the two."""
    recorder = x.recorder
    outer = _newest_of(value, path)
    if outer is not None and outer.level > recorder.level:
        x.value = x.value if recorder.free else clone(x)
        x.recorder = recorder = outer
        x.place = recorder.constant_place
    recorder.write(x, value, path)
    if not isinstance(getattr(x, "views", None), _Written):
        old = getattr(x, "views", ())
        x.views = _Written(old)


def _newest_of(value: Any, path: Path) -> Recorder | None:
    """Return the newest recorder of a written value and of the index it is written at."""
    found = value.recorder if type(value) is TracedArray else None
    for item in _items(path[-1][1]["index"]):
        if type(item) is TracedArray and (found is None or item.recorder.level > found.level):
            found = item.recorder
    return found


def root_of(x: TracedArray) -> TracedArray:
    """Return the array that a view looks at, or the array itself."""
    base = getattr(x, "base", None)
    return x if base is None else base[0]


def root_and_path(x: TracedArray) -> tuple[TracedArray, Path]:
    """Return the array that a view looks at, and the lenses on the way to it."""
    base = getattr(x, "base", None)
    if base is None:
        return x, ()
    root, link = base
    steps = []
    while link is not None:
        link, step = link
        steps.append(step)
    return root, tuple(reversed(steps))


def mark_views_stale(root: TracedArray) -> None:
    """Let the views of a written array re-read it at their next use."""
    views = getattr(root, "views", None)
    if views:
        for reference in views:
            view = reference()
            if view is not None:
                view.recorder = STALE
                view.value = view.place = None  # or the view would keep the root's buffer shared
        views.clear()


def assign(x: TracedArray, value: Any, step: Step) -> None:
    """Carry out the user's ``x[index] = value``, through the lenses if `x` is a view."""
    if x.recorder is not STALE and x.recorder.level < 0:
        revive(x)
    if type(value) is TracedArray and value.recorder.level < 0:
        revive(value)
    root, lenses = root_and_path(x)
    if root.recorder.level < 0:
        revive(root)
    for function, _ in lenses:
        if not getattr(function, "is_lens", False):
            of, instead = f"the view that {function.__name__} made", "Write to the array itself"
            if function.__name__ == "read":
                of, instead = "the view read at the index of a loop", "Write y[i, j] = v, not y[i][j] = v"
            raise errors.UnsupportedError(
                errors.at_user_line(
                    f"writing through {of} is not supported. {instead}, or make a copy first with x.copy()."
                )
            )
    mark_views_stale(root)
    if root is not x:
        x.recorder, x.value, x.place = STALE, None, None
    write(root, value, (*lenses, step))


def rebind(x: TracedArray, new: TracedArray) -> None:
    """Let `x` be `new` from now on, as ``x += v`` does, and its views with it."""
    x.value = new.value
    x.recorder = new.recorder
    x.place = new.place
    mark_views_stale(x)


def link_view(x: TracedArray, view: Any, step: Step) -> Any:
    """Note that `view` looks at `x`, so that writes to either are seen through the other."""
    if type(view) is not TracedArray or view is x or (not x.shape and is_scalar_value(x)):
        return view  # what NumPy makes of a scalar is no view
    base = getattr(x, "base", None)
    root, link = (x, None) if base is None else base
    view.base = (root, (link, step))  # a chain of links: each costs the same, however long the path
    _register(root, view)
    return view


def _register(root: TracedArray, view: TracedArray) -> None:
    views = getattr(root, "views", None)
    if views is None:
        views = root.views = []
    elif len(views) >= 64 and not len(views) & (len(views) - 1):  # forget dead views, amortised
        views[:] = [reference for reference in views if reference() is not None]
    views.append(weakref.ref(view))


def is_written(x: TracedArray) -> bool:
    """Tell whether the array has been written to, so that its slices must not share its buffer."""
    return isinstance(getattr(x, "views", None), _Written)


def refresh(view: TracedArray) -> None:
    """Re-read a stale view through its lenses."""
    root, path = root_and_path(view)
    value: Any = through(root, path)
    if type(value) is not TracedArray:  # pragma: no cover - a view of a traced array is one
        raise errors.TapeError("a view of a traced array was read as a plain value")
    if 2 * value.size <= root.size:
        own_buffer(value)
    view.value, view.recorder, view.place = value.value, value.recorder, value.place
    _register(root, view)


def own_buffer(x: Any) -> None:
    """Give a slice a buffer of its own, or it would keep its root's shared and force a copy at each write."""
    while type(x) is TracedArray:
        if type(x.value) is np.ndarray:
            x.value = x.value.copy(order="K")
        if type(x.place) is np.ndarray:  # a tangent
            x.place = x.place.copy(order="K")
        elif type(x.place) is TracedArray:
            own_buffer(x.place)
        x = x.value


def constant_buffer(value: Any, recorder: Recorder) -> TracedArray:
    """Wrap a fresh plain array as a constant that traced values can be written into."""
    return box(value, recorder, recorder.constant_place)
