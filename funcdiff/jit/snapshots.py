"""What Python's state is where control flow asks for a value: equal snapshots differ in traced values alone.

A snapshot writes down everything that can be reached from the locals of the functions that run, and from the globals
that they and the functions they reach name: containers element by element, objects by their attributes, functions by
what they close over.  A traced value is written as its type, and the number of the variable that it is goes into a list.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.keys import key_of
from funcdiff.core.mutation import root_and_path
from funcdiff.core.recording import STALE, TracedArray, is_scalar_value
from funcdiff.jit.reads import reads

MOST = 20_000  # things written down in one snapshot
_PLAIN = (type(None), bool, int, str, bytes, range, type(Ellipsis), type(NotImplemented))
_FIXED = (
    np.ufunc,
    np.dtype,
    CodeType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
_CONTAINERS = (tuple, list, set, frozenset)
_KNOWN = frozenset([object, dict, *_CONTAINERS, int, float, complex, str, bytes, BaseException, Exception])
_HEAP = 1 << 9  # the flag of classes that are made while Python runs
_FOREIGN = frozenset(["funcdiff", "numpy", "scipy", *sys.stdlib_module_names]) - {"__main__"}
_UNKNOWN = frozenset(["globals", "eval", "exec"])
_UNBOUND = "unbound"


class Unseen(Exception):  # ends a snapshot
    """Something holds state that cannot be seen; the message names its type."""


class Snapshot:
    """The state, part by part.

    Attributes
    ----------
    parts : dict
        What is written down of each local and global, by what to call it.
    numbers : list of int
        The variables that the traced values are, in the order in which they are met.
    unseen : str
        What holds state that cannot be seen; empty if there is nothing.
    """

    def __init__(self, recorder: Any) -> None:
        self.recorder = recorder
        self.parts: dict[str, list[Any]] = {}
        self.numbers: list[int] = []
        self.unseen = ""
        self._seen: dict[int, int] = {}
        self._held: list[Any] = []  # what is written down by its identity
        self._left = MOST
        self._codes: dict[Any, None] = {}
        self._attributes: set[str] = set()
        self._modules: list[ModuleType] = []
        self._written: list[Any] = []

    def add(self, name: str, x: Any) -> None:
        """Write down what a name stands for."""
        self._written = self.parts.setdefault(name, [])
        try:
            self._walk(x)
        except Unseen as error:
            self.unseen = self.unseen or f"{name} {error}"
        except RecursionError:
            self.unseen = self.unseen or f"{name} is nested too deeply"
        except errors.EscapedTraceError:
            self.unseen = self.unseen or f"{name} holds a traced value of a transform that has returned"

    def read_by(self, code: CodeType, names: dict[str, Any]) -> None:
        """Have what a function's code names of its module written down."""
        self._codes.setdefault((code, id(names)), None)
        self._held.append(names)

    def close(self) -> None:
        """Write down what has been named."""
        done: set[Any] = set()
        known: set[Any] = set()
        spaces = self._held
        while True:
            waiting = [key for key in self._codes if key not in done]
            for key in waiting:
                done.add(key)
                code, number = key
                globals_ = next(d for d in spaces if id(d) == number)
                names, attributes = reads(code)
                self._attributes |= attributes
                for name in _UNKNOWN.intersection(names):
                    self.unseen = self.unseen or f"{code.co_name} looks names up by {name}()"
                for name in names:
                    if (number, name) not in known and name in globals_:
                        known.add((number, name))
                        self.add(name, globals_[name])
            for module in list(self._modules):
                for name in sorted(self._attributes & module.__dict__.keys()):
                    if (id(module), name) not in known:
                        known.add((id(module), name))
                        self.add(f"{module.__name__}.{name}", module.__dict__[name])
            if not waiting:
                break

    def differs(self, other: Snapshot) -> str:
        """Return what to call something that another snapshot shows otherwise; empty if there is nothing."""
        if self.parts == other.parts:
            return ""
        names = {**other.parts, **self.parts}
        return next((n for n in names if self.parts.get(n) != other.parts.get(n)), "the order of names")

    # --- what is written down ----------------------------------------------------------------------

    def _walk(self, x: Any) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unseen("is too large to be compared in every step")
        kind = type(x)
        if kind in _PLAIN:
            self._written.append((kind, x))
            return
        if kind in (float, complex):
            self._written.append((kind, repr(x)))  # 0.0 is not -0.0, and NaN is NaN
            return
        if kind is TracedArray and x.recorder.level >= 0 and is_scalar_value(x):  # which nobody writes to
            self._traced(x)
            return
        number = self._seen.get(id(x))
        if number is not None:
            self._written.append(("again", number))
            return
        self._seen[id(x)] = len(self._seen)
        if kind is TracedArray:
            self._traced(x)
        elif isinstance(x, (np.ndarray, np.generic)):
            self._array(x)
        elif isinstance(x, (FunctionType, MethodType, BuiltinFunctionType, functools.partial)):
            self._function(x)
        elif isinstance(x, ModuleType):
            self._same(x)
            if not _is_foreign(x.__name__):
                self._modules.append(x)
        elif isinstance(x, type):
            self._class(x)
        elif isinstance(x, _FIXED) or _is_foreign(kind.__module__, but="builtins"):
            self._library(x)
        else:
            self._object(x)

    def _same(self, x: Any) -> None:
        self._held.append(x)
        self._written.append(("is", id(x)))

    def _all(self, kind: Any, items: Iterable[Any]) -> None:
        items = list(items)
        self._written.append((kind, len(items)))
        for item in items:
            self._walk(item)

    def _traced(self, x: TracedArray) -> None:
        root, path = root_and_path(x)
        if root is not x:
            self._written.append(("view", key_of(path)))
            self._walk(root)
            if x.recorder is STALE:
                return
        if x.recorder.level < 0:
            raise Unseen("holds a traced value of a transform that has returned")
        if x.recorder is self.recorder and x.place >= 0:
            kind = type_of(x.value)
            self._written.append(("traced", kind.shape, kind.dtype.str))
            self.numbers.append(x.place)
            return
        self._written.append(("of", type(x.recorder).__name__))
        if not isinstance(x.place, int):
            self._walk(x.place)  # a tangent
        self._walk(x.value)

    def _array(self, x: Any) -> None:
        if x.dtype.hasobject:
            self._all((x.shape, x.dtype.str), x.ravel().tolist())
        else:
            self._written.append(key_of(x, contents=True))

    def _function(self, f: Any) -> None:
        if isinstance(f, MethodType):
            self._all("method", (f.__func__, f.__self__))
        elif isinstance(f, functools.partial):
            self._all("partial", (f.func, f.args, f.keywords))
        elif isinstance(f, BuiltinFunctionType):
            owner = f.__self__
            self._written.append(("builtin", f.__qualname__))
            if owner is not None and not isinstance(owner, ModuleType):
                self._walk(owner)
        else:
            self._written.append(f.__code__)
            cells = f.__closure__ or ()
            if _is_foreign(f.__globals__.get("__name__", "")):
                if hasattr(f, "__wrapped__"):
                    self._walk(f.__wrapped__)
                elif "<locals>" in f.__qualname__:  # such as a pullback
                    self._all("closure", map(_content, cells))
                return
            self.read_by(f.__code__, f.__globals__)
            self._all("closure", map(_content, cells))
            self._all("defaults", (f.__defaults__, f.__kwdefaults__, vars(f)))

    def _class(self, x: type) -> None:
        self._same(x)
        if not _is_foreign(x.__module__):
            for base in x.__mro__[1:]:
                self._walk(base)
            for name, value in list(vars(x).items()):
                if not (name.startswith("__") and name.endswith("__")) or isinstance(value, FunctionType):
                    self._all(name, _under(value))

    def _library(self, x: Any) -> None:
        """Write down an object of a library; what stands for a function of the user's is no more than that one."""
        if isinstance(x, _FIXED):
            self._same(x)
        elif callable(x) and callable(inner := getattr(x, "__wrapped__", None)):
            self._same(x)
            self._walk(inner)
        else:
            self._object(x)

    def _object(self, x: Any) -> None:
        kind = type(x)
        if kind is CellType:
            self._walk(_content(x))
            return
        if kind is dict:
            self._all("dict", [part for item in x.items() for part in item])
            return
        if kind in _CONTAINERS:
            self._all(kind, x)
            return
        if kind is slice:
            self._all(kind, (x.start, x.stop, x.step))
            return
        if not all(map(_is_transparent, kind.__mro__)):
            raise Unseen(f"is or holds a {kind.__name__}, the state of which cannot be seen")
        self._walk(kind)
        held = getattr(x, "__dict__", {})
        slots = [n for c in kind.__mro__ for n in _slots(c)]
        self._all("attributes", [part for item in held.items() for part in item])
        self._all("slots", [getattr(x, n, _UNBOUND) for n in slots])
        if isinstance(x, dict):
            self._all("dict", [part for item in dict.items(x) for part in item])
        elif isinstance(x, _CONTAINERS):
            self._all("items", x)
        elif isinstance(x, (int, float, complex, str, bytes)):
            self._written.append(repr(x))


def _content(cell: Any) -> Any:
    """Return what a cell holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return _UNBOUND


def _under(member: Any) -> tuple[Any, ...]:
    """Return the functions behind a member of a class, or the member."""
    if isinstance(member, (staticmethod, classmethod)):
        return (member.__func__,)
    if isinstance(member, property):
        return member.fget, member.fset
    if isinstance(member, functools.cached_property):
        return (member.func,)
    return (member,)


def _slots(c: type) -> list[str]:
    return [n for n, member in vars(c).items() if isinstance(member, MemberDescriptorType)]


def _is_foreign(module: Any, but: str = "") -> bool:
    """Tell whether a module belongs to Python, NumPy, SciPy or funcdiff itself."""
    return str(module).partition(".")[0] in _FOREIGN and module != but


def _is_transparent(c: type) -> bool:
    """Tell whether the instances of a class hold nothing but what Python shows of them: no class of C's does."""
    if c in _KNOWN:
        return True
    file = getattr(sys.modules.get(c.__module__), "__file__", None)
    is_compiled = c.__module__ in sys.builtin_module_names or (file is not None and not file.endswith(".py"))
    made_by_class = c.__flags__ & _HEAP and not isinstance(vars(c).get("__new__"), BuiltinFunctionType)
    return bool(made_by_class and not is_compiled)
