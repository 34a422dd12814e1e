"""Recording computes as little as it can: stand-ins of the right types take the places of values.

A loop that is recorded is not run, and of large arrays that are made element by element only the memory is got,
which nobody touches.  What is made of stand-ins is a stand-in too.  Should Python's control flow ask for one, or an
operation fail on it, all that is pending is computed in earnest.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

LARGE = 1 << 15  # elements from which an array is not computed
BROADCASTING = frozenset(["scale", "where"])  # besides NumPy's ufuncs
MOVING = frozenset(["concatenate", "stack", "reshape", "copy"])  # what copies, and does nothing else
_sketching: ContextVar[bool] = ContextVar("funcdiff loops are not run", default=False)


@contextmanager
def sketching() -> Iterator[None]:
    """Let loops answer with stand-ins."""
    token = _sketching.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _sketching.reset(token)


def is_sketching() -> bool:
    """Tell whether loops answer with stand-ins."""
    return _sketching.get()


def any_large(values: Sequence[Any]) -> bool:
    """Tell whether there is a large array."""
    for v in values:  # in half the time of any(): it is asked for with every record
        if type(v) is np.ndarray and v.size >= LARGE:
            return True
    return False


def stand_in(primitive: Any, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return an array with the type and the layout of what a primitive makes; None if that has to be computed."""
    if primitive.name in MOVING:
        return _moved(primitive.name, values, params)
    function = primitive.impl
    if primitive.name == "matmul":
        return _product(*values) if not params else None
    is_elementwise = isinstance(function, np.ufunc) and function.signature is None
    if params or not (is_elementwise or primitive.name in BROADCASTING):
        return None
    if any(type(v) is np.ndarray and not v.size for v in values):
        return None
    made = function(*[v[(0,) * v.ndim] if type(v) is np.ndarray else v for v in values])
    if isinstance(made, tuple) or made.dtype.kind not in "fc":
        return None
    if primitive.name == "scale":
        return np.empty(np.broadcast_shapes(*map(np.shape, values)), made.dtype)
    operands: list[Any] = [*map(np.asarray, values), None]
    flags: list[Any] = [["readonly"]] * len(values) + [["writeonly", "allocate"]]
    dtypes: list[Any] = [*[None] * len(values), made.dtype]
    return np.nditer(operands, (), flags, dtypes, order="K").operands[-1]


def _product(a: Any, b: Any) -> Any:
    """Return an array with the type and the layout of a product of matrices, None if it is not one."""
    if not (type(a) is type(b) is np.ndarray and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]):
        return None
    dtype = np.result_type(a, b)
    return np.empty((a.shape[0], b.shape[1]), dtype) if dtype.kind in "fc" else None


def _moved(name: str, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return memory for what only copies large arrays; None if it is a view, or its layout is not plain."""
    x = values[0]
    if not all(type(v) is np.ndarray and v.size and v.dtype == x.dtype for v in values):
        return None
    match name:
        case "copy":
            plain = not params.get("lead") and params.get("order", "K") == "K" and 0 not in x.strides
            return np.empty_like(x) if plain else None
        case "reshape":
            try:
                x.reshape(params["shape"], copy=False)
            except ValueError:  # it is no view, or none of so many elements
                return np.empty(params["shape"], x.dtype) if math.prod(params["shape"]) == x.size else None
            return None
    if not all(v.flags.c_contiguous for v in values):
        return None
    axis, shape = params["axis"], list(x.shape)
    if name == "stack":
        shape.insert(axis, len(values))
    else:
        shape[axis] = sum(v.shape[axis] for v in values)
    return np.empty(shape, x.dtype)


class Place(int):
    """A stand-in among the operands of a pending step, by its place in the program."""


class Sketch:
    """The stand-ins of one program, and the steps that make the values they stand for."""

    def __init__(self) -> None:
        self.pending: list[tuple[Callable[..., Any], list[Any], dict[str, Any], Sequence[int]]] = []
        self.places: set[int] = set()
        self.entered: set[int] = set()  # the places of all that was ever a stand-in
        self.values: dict[int, Any] = {}  # of what was a stand-in, as long as somebody may look
        self.seen: dict[int, weakref.ref[Any]] = {}  # the stand-ins that are arrays

    def enter(
        self,
        function: Callable[..., Any],
        values: Sequence[Any],
        places: Sequence[int],
        params: dict[str, Any],
        made: Sequence[int],
        out: Any,
    ) -> None:
        """Note a step whose results are stand-ins."""
        operands = [Place(p) if p in self.places else v for v, p in zip(values, places, strict=True)]
        self.pending.append((function, operands, params, made))
        self.places.update(made)
        self.entered.update(made)
        for place, x in zip(made, out if isinstance(out, tuple) else (out,), strict=True):
            if type(x) is np.ndarray:
                self.seen[place] = weakref.ref(x, lambda _, place=place: self.values.pop(place, None))  # type: ignore[misc]

    def rename(self, value: Any, place: int, other: int) -> None:
        """Note that the value at a place stands at another place too."""
        if place in self.places:
            self.enter(lambda x: x, [value], [place], {}, [other], value)
        elif place in self.values:
            self.values[other] = self.values[place]
            self.entered.add(other)

    def settle(self) -> None:
        """Compute in earnest all that is pending."""
        last: dict[int, int] = {
            x: n for n, (_, operands, *_) in enumerate(self.pending) for x in operands if type(x) is Place
        }
        values = self.values
        for n, (function, operands, params, made) in enumerate(self.pending):
            out = function(*[values[x] if type(x) is Place else x for x in operands], **params)
            values.update(zip(made, out if isinstance(out, tuple) else (out,), strict=True))
            for place in {*made, *(x for x in operands if type(x) is Place)}:
                if last.get(place, n) == n and place in self.seen and self.seen[place]() is None:
                    values.pop(place, None)
        self.pending.clear()
        self.places.clear()
