"""What a function reads without being given it: from its closure, module and defaults, and what it reaches from there.

Arrays and numbers found there are constants of a recorded program, so a call looks whether names still stand for the
same objects, and whether arrays hold what they held. What is reached are attributes that the code names, of objects
and modules, and the elements of tuples, lists and dicts.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import TracedArray
from funcdiff.jit.contents import Content, content_of
from funcdiff.jit.reads import reads

DEPTH = 4  # containers and attributes within each other
LENGTH = 64  # elements of a container up to which it is looked into
MOST = 1000  # values, and functions and objects, looked at

_MISSING: Any = object()
_NUMBERS = (bool, int, float, complex)
_WATCHED = (np.ndarray, np.generic, TracedArray, *_NUMBERS)
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
_FOREIGN = ("funcdiff", "numpy", "scipy", "builtins")

Place = tuple[Any, Any]
"""A dict and a key, a list and an index, or a cell and None."""


class Captures:
    """What was read when the programs were recorded.

    `before` is what was known of the same function; copies of what has not been written to are taken over.
    """

    def __init__(
        self, f: Any, before: Captures | None = None, objects: Iterable[tuple[Any, str]] = ()
    ) -> None:
        self._attributes: frozenset[str] = frozenset()  # that any of the code loads, of whatever object
        known_attributes = None
        while known_attributes != self._attributes:
            known_attributes = self._attributes
            self._look_at_all(f, objects)
        known = {} if before is None else before.contents
        self.contents: dict[int, Content] = {}  # of the arrays, by identity
        self._names: dict[int, str] = {}
        for _, x, name in self.seen:
            if id(x) not in self.contents:
                old = known.get(id(x))
                content = old if old is not None and old.same() else content_of(x)
                if content is not None:
                    self.contents[id(x)] = content
                    self._names[id(x)] = name

    def _look_at_all(self, f: Any, objects: Iterable[tuple[Any, str]]) -> None:
        self.seen: list[tuple[Place, Any, str]] = []  # what stood at a place, and what to call it
        self.generators: list[Any] = []  # of random numbers
        self.lengths: list[tuple[Any, int, str]] = []  # of containers
        self._left = MOST  # so many values are looked at
        self._visited: set[Any] = set()
        self._waiting: list[Any] = []
        self._function(f)
        while self._waiting:
            self._look(self._waiting.pop())
        for x, name in objects:
            self._value((CellType(x), None), x, name, 0)
            while self._waiting:
                self._look(self._waiting.pop())

    def _reads(self, function: FunctionType) -> tuple[str, ...]:
        """Return the global names that a function reads, and note the attributes."""
        names, attributes = reads(function.__code__)
        self._attributes |= attributes
        return names

    def same(self) -> bool:
        """Tell whether every place still holds the same object, and arrays hold the same."""
        return self.changed() is None

    def changed(self) -> str | None:
        """Return what to call something that is another object, or has been written to; None if there is nothing."""
        for (holder, key), x, name in self.seen:
            now = _at(holder, key)
            if now is not x and not _equal(now, x):
                return name
        for container, length, name in self.lengths:
            if len(container) != length:
                return name
        for number, content in self.contents.items():
            if not content.same():
                return self._names[number]
        return None

    def random_states(self) -> list[str]:
        """Return what tells whether random numbers have been drawn, by generators in reach or by NumPy's own.

        The latter only where code names it: SciPy draws for itself, where nothing depends on it.
        """
        states = list(map(_random_state, self.generators))
        if "random" in self._attributes:
            states.append(_random_state(np.random.mtrand._rand))  # what users' functions may draw from
        return states

    def watched(self) -> list[tuple[Any, Any, Any, Any]] | None:
        """Return (holder, key, what was seen there, its content) of all, as the builtin takes them.

        It is None if there are arrays that only Python can compare, or containers that may grow.
        """
        if self.lengths:
            return None
        if any(type(holder) is _ClassAttributes for (holder, _), _, _ in self.seen):
            return None
        tables = {number: content.table() for number, content in self.contents.items()}
        if None in tables.values():
            return None
        return [
            (holder, key.to_bytes(8, "little") if type(holder) is list else key, x, tables.get(id(x)))
            for (holder, key), x, _ in self.seen
        ]

    # --- where to look ---------------------------------------------------------------------------

    def _function(self, f: Any) -> None:
        """Have a function looked at once."""
        if id(f) not in self._visited and len(self._visited) < MOST:
            self._visited.add(id(f))
            self._waiting.append(f)

    def _look(self, f: Any) -> None:
        """Look at what a function reads, or one that stands for another."""
        if isinstance(f, MethodType):
            self._method(f)
            return
        inner = f.func if isinstance(f, partial) else getattr(f, "__wrapped__", None)
        if callable(inner):
            self._function(inner)
        if isinstance(f, partial):
            for value in (*f.args, *f.keywords.values()):
                self._value((CellType(value), None), value, "functools.partial", 0)
        if not isinstance(f, FunctionType):
            if not _is_function(f):
                self._object(f, errors.function_name(f), 0)
            return
        names = () if _is_ours(f) else self._reads(f)
        for free, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            value = _at(cell, None)
            if not _is_ours(f):
                self._value((cell, None), value, free, 0)
            elif _is_function(value):
                self._function(value)
        if _is_ours(f):
            return
        for value in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._value((CellType(value), None), value, "a default", 0)
        for name in names:
            self._value((f.__globals__, name), f.__globals__.get(name, _MISSING), name, 0)

    def _method(self, method: MethodType) -> None:
        function = method.__func__
        self._function(function)
        if isinstance(function, FunctionType):
            self._object(method.__self__, "self", 0)

    def _value(self, place: Place, value: Any, name: str, depth: int) -> None:
        """Look at what stands at a place."""
        self._left -= 1
        if self._left < 0 or depth > DEPTH or value is _MISSING:
            return
        if isinstance(value, _WATCHED):
            self.seen.append((place, value, name))
        elif isinstance(source := getattr(value, "__self__", value), _GENERATORS):  # its methods too
            self.generators.append(source)
        elif _is_function(value):
            self._function(value)
            if not _is_ours(value):
                self.seen.append((place, value, name))
        elif isinstance(value, ModuleType):
            if value.__name__.split(".", 1)[0] not in _FOREIGN:
                for attribute in sorted(self._attributes & value.__dict__.keys()):
                    inner = value.__dict__[attribute]
                    self._value((value.__dict__, attribute), inner, f"{name}.{attribute}", depth + 1)
        else:
            before = len(self.seen)
            if isinstance(value, (list, dict, set, deque)) and not _is_log(value):
                self.lengths.append((value, len(value), name))
            for inner_place, inner, label in _parts(value, name):
                self._value(inner_place, inner, label, depth + 1)
            if type(value) not in (tuple, list, dict):
                self._object(value, name, depth)
            if len(self.seen) > before:
                self.seen.append((place, value, name))

    def _object(self, x: Any, name: str, depth: int) -> None:
        """Look at the attributes of an object that are read, and at the methods that read them."""
        kind = type(x)
        held = getattr(x, "__dict__", None)
        if isinstance(x, type) or type(held) is not dict or kind.__module__.split(".", 1)[0] in _FOREIGN:
            return
        if ("attributes", id(x)) in self._visited:
            return
        self._visited.add(("attributes", id(x)))
        for attribute in sorted(self._attributes | {"__call__"}):
            label = f"{name}.{attribute}"
            if attribute in held:
                self._value((held, attribute), held[attribute], label, depth + 1)
                continue
            owner = next((c for c in kind.__mro__ if attribute in c.__dict__), object)
            member = owner.__dict__.get(attribute)
            member = member.fget if isinstance(member, property) else member
            if isinstance(member, FunctionType):
                self._function(member)
            elif isinstance(member, _WATCHED):
                self._value((_ClassAttributes(owner), attribute), member, label, depth + 1)


def _random_state(generator: Any) -> str:
    """Write the state of a generator of random numbers."""
    if isinstance(generator, random.SystemRandom):  # has none
        return ""
    if isinstance(generator, random.Random):
        return repr(generator.getstate())
    if isinstance(generator, np.random.Generator):
        state: Any = generator.bit_generator.state
    else:
        state = generator.get_state(legacy=False)
    return repr((state.get("pos", state["state"]), state["state"], state.get("has_gauss")))


def _is_log(container: Any) -> bool:
    """Tell whether the function itself puts into a container what it meets while it is recorded."""
    inner = container.values() if isinstance(container, dict) else container
    return any(type(x) is TracedArray for x in islice(inner, LENGTH))


class _ClassAttributes:
    """The attributes of a class, looked up as in a dict."""

    def __init__(self, cls: type) -> None:
        self.get = cls.__dict__.get


def _parts(x: Any, name: str) -> Iterator[tuple[Place, Any, str]]:
    """Yield the elements of a container."""
    kind = type(x)
    if kind not in (tuple, list, dict) or len(x) > LENGTH:
        return
    if kind is dict:
        yield from (((x, key), value, f"{name}[{key!r}]") for key, value in x.items() if type(key) is str)
    elif kind is list:
        yield from (((x, n), value, f"{name}[{n}]") for n, value in enumerate(x))
    else:
        yield from (((CellType(value), None), value, f"{name}[{n}]") for n, value in enumerate(x))


def _at(holder: Any, key: Any) -> Any:
    """Return what stands at a place."""
    if type(holder) is CellType:
        try:
            return holder.cell_contents
        except ValueError:  # the name has been deleted, or is not bound yet
            return _MISSING
    if type(holder) is list:
        return holder[key] if key < len(holder) else _MISSING
    return holder.get(key, _MISSING)


def _is_function(x: Any) -> bool:
    """Tell whether something is a function written in Python, or stands for one, as what `jit` returns does."""
    if isinstance(x, (FunctionType, MethodType)):
        return True
    named = getattr(x, "__dict__", None)
    return isinstance(named, dict) and isinstance(named.get("__wrapped__"), (FunctionType, MethodType))


def _is_ours(f: Any) -> bool:
    if not isinstance(f, FunctionType):
        return False
    return str(f.__globals__.get("__name__", "")).split(".", 1)[0] in _FOREIGN


def _equal(now: Any, seen: Any) -> bool:
    """Tell whether two numbers are the same in a program, as 0.0 and -0.0 are not."""
    return type(now) is type(seen) and isinstance(now, (*_NUMBERS, np.generic)) and repr(now) == repr(seen)
