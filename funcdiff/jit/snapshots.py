"""What Python's state is where control flow asks for a value: equal snapshots differ in traced values alone.

A snapshot writes down everything that can be reached from the locals of the functions that run, and from the globals
that they and the functions they reach name: containers element by element, objects by their attributes, functions by
what they close over.  A traced value is written as its type, and the number of the variable that it is goes into a list.
"""

from __future__ import annotations

import functools
import gc
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
    SimpleNamespace,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.keys import key_of
from funcdiff.core.mutation import root_and_path
from funcdiff.core.recording import STALE, TracedArray, is_scalar_value
from funcdiff.jit.flow import Around
from funcdiff.jit.reads import asks_for_identity, imports, reads

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
    type(Around.start),  # a member of a named tuple
)
_CONTAINERS = (tuple, list, set, frozenset)
_KNOWN = frozenset(
    [object, dict, *_CONTAINERS, int, float, complex, str, bytes, BaseException, Exception, SimpleNamespace]
)
_VALUES = (int, float, complex, str, bytes)
_CACHED = type(functools.lru_cache(abs))
_OF_CLASSES = frozenset(["__dict__", "__weakref__", "__doc__", "__module__", "__annotations__"])
_OF_CLASSES |= {"__dataclass_fields__", "__dataclass_params__", "_abc_impl"}  # which say what a class is
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
        self._memories: dict[int, int] = {}
        self._scalars: dict[int, int] = {}
        self._identities: list[int] = []  # which scalars are one object
        self._held: list[Any] = []  # what is written down by its identity
        self._left = MOST
        self._codes: dict[tuple[CodeType, int], dict[str, Any]] = {}  # with what their names stand for
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
        self._codes[code, id(names)] = names

    def close(self) -> None:
        """Write down what has been named."""
        done: set[Any] = set()
        known: set[Any] = set()
        while True:
            waiting = [item for item in self._codes.items() if item[0] not in done]
            for key, globals_ in waiting:
                done.add(key)
                code, number = key
                names, attributes = reads(code)
                self._attributes |= attributes
                for name in imports(code, globals_.get("__package__")):
                    if name in sys.modules and ("", name) not in known:
                        known.add(("", name))
                        self.add(name, sys.modules[name])
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
        if any(asks_for_identity(code) for code, _ in self._codes):
            self.parts["the identity of a traced value"] = self._identities

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
            self._identities.append(self._scalars.setdefault(id(x), len(self._scalars)))
            self._traced(x)
            return
        number = self._seen.get(id(x))
        if number is not None:
            self._written.append(("again", number))
            return
        self._seen[id(x)] = len(self._seen)
        if kind is TracedArray:
            self._traced(x)
        elif kind is np.ndarray or issubclass(kind, np.generic):  # never `isinstance`, which asks the object
            self._array(x)
        elif issubclass(kind, (FunctionType, MethodType, BuiltinFunctionType, functools.partial)):
            self._function(x)
        elif issubclass(kind, ModuleType):
            self._same(x)
            if not is_foreign(x.__name__):
                self._modules.append(x)
        elif issubclass(kind, type):
            self._class(x)
        elif issubclass(kind, _FIXED) or is_foreign(kind.__module__, but="builtins"):
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
        tape = x.recorder.tape  # what a reverse sweep goes through later grows step by step
        self._written.append(("of", type(x.recorder).__name__, None if tape is None else len(tape)))
        if not isinstance(x.place, int):
            self._walk(x.place)  # a tangent
        self._walk(x.value)

    def _array(self, x: Any) -> None:
        if x.dtype.hasobject:
            self._all((x.shape, x.dtype.str), x.ravel().tolist())
        else:
            self._written.append(key_of(x, contents=True))
        if isinstance(x, np.ndarray):  # arrays that share memory are written to together
            owner = x
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            memory = self._memories.setdefault(id(owner), len(self._memories))
            self._written.append((memory, x.ctypes.data - owner.ctypes.data, x.strides))

    def _function(self, f: Any) -> None:
        if isinstance(f, MethodType):
            self._all("method", (f.__func__, f.__self__))
        elif isinstance(f, functools.partial):
            self._all("partial", (f.func, f.args, f.keywords, vars(f)))
        elif isinstance(f, BuiltinFunctionType):
            owner = f.__self__
            self._written.append(("builtin", f.__module__, f.__qualname__))
            if owner is not None and not isinstance(owner, ModuleType):
                self._walk(owner)
        else:
            self._written.append(f.__code__)
            cells = f.__closure__ or ()
            if is_foreign(f.__globals__.get("__name__", "")):
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
        if not is_foreign(x.__module__):
            for base in x.__mro__[1:]:
                self._walk(base)
            for name, value in list(vars(x).items()):
                if name not in _OF_CLASSES:
                    self._all(name, _under(value))
            if type(x) is not type:
                self._walk(type(x))

    def _library(self, x: Any) -> None:
        """Write down an object of a library; what stands for a function of the user's is no more than that one."""
        if isinstance(x, _FIXED):
            self._same(x)
        elif callable(x) and callable(inner := getattr(x, "__wrapped__", None)):
            self._same(x)
            self._walk(inner)
            if type(x) is _CACHED:
                self._all("cached", _results(x))
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
        self._all("attributes", [part for item in _attributes(x).items() for part in item])
        self._all("slots", [_slot(member, x) for c in kind.__mro__ for member in _slots(c)])
        if issubclass(kind, dict):
            self._all("dict", [part for item in dict.items(x) for part in item])
        elif issubclass(kind, _CONTAINERS):
            self._all("items", x)
        elif issubclass(kind, BaseException):
            self._all("arguments", (x.args, x.__cause__, x.__context__))
        for plain in _VALUES:
            if issubclass(kind, plain):
                self._written.append(plain.__repr__(x))


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


def _attributes(x: Any) -> dict[str, Any]:
    """Return the attributes of an object itself, without running code of its class."""
    try:
        held: dict[str, Any] = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return {}
    return held


def _results(cached: Any) -> list[Any]:
    """Return what an lru_cache holds."""
    return [x for x in gc.get_referents(cached) if type(x) is not dict or not any(map(_is_link, x.values()))]


def _is_link(x: Any) -> bool:
    """Tell whether something is the link by which a bounded cache finds a result, which is a referent as well."""
    return type(x).__name__ == "_lru_list_elem"


def _slots(c: type) -> list[Any]:
    return [member for member in vars(c).values() if isinstance(member, MemberDescriptorType)]


def _slot(member: Any, x: Any) -> Any:
    try:
        return member.__get__(x)
    except AttributeError:
        return _UNBOUND


def is_foreign(module: Any, but: str = "") -> bool:
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
