"""`rebind`: a user's function with `numpy` standing for `funcdiff.numpy`, its code as it is.

The code of a function looks its global names up in a mapping.  A rebound function is the same code with another
mapping, which asks the function's own module and translates what it finds: NumPy's and SciPy's modules and functions
into funcdiff's, functions and classes of the user's own modules into rebound ones.  Nothing of the user's is changed.
"""

from __future__ import annotations

import dis
import functools
import inspect
import threading
from abc import ABCMeta
from collections.abc import Callable, Sequence
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from funcdiff import errors
from funcdiff.core.free import settle
from funcdiff.core.trees import tree_map
from funcdiff.numpy.code_objects import (
    Rebound,
    ReboundABC,
    check_code,
    content,
    finishing,
    methods_of,
    names_read,
)
from funcdiff.numpy.counterparts import counterpart, counterparts
from funcdiff.numpy.user_names import Builtins, Globals, Names, Translated
from funcdiff.transforms.arguments import check_callable
from funcdiff.transforms.gradient import wrap

_LIBRARIES = frozenset({"funcdiff", "numpy", "scipy"})
_EMPTY: Any = object()


def rebind(f: Any = None, *, modules: Sequence[str | ModuleType] = ()) -> Any:
    """Make a function run with `numpy` and `scipy` bound to `fd.numpy` and `fd.scipy`, its code unchanged.

    So a buffer made fresh inside, ``y = np.zeros(n); y[i] = x[i]``, takes traced values.  It holds for the function
    and for the functions, classes and modules that it uses of its own top-level package (or script), however they are
    reached: by name, as attributes of modules, through closures, decorators, `functools.partial`, default arguments,
    imports inside functions, methods, and objects that are global, closed over or passed as arguments.

    Parameters
    ----------
    f : callable
        A function, bound method, partial, class or object with methods.  Left out, this returns a decorator.
    modules : sequence of str or modules
        More top-level packages whose code is rebound too.

    Returns
    -------
    callable
        Takes what `f` takes.  The modules of `f` are not changed, and global variables it writes reach them.

    Raises
    ------
    UnsupportedError
        If `f` has no Python code of its own, or when code is reached that deletes a global variable, or a
        generator that writes one.

    Notes
    -----
    Compiled code and other packages run as they are, and so do functions that are found in containers, methods
    of objects found there, and classes with ``__slots__``: there a traced value raises as it does without `rebind`.
    Rebind a function before it is jitted: ``fd.jit(fd.numpy.rebind(f))``.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> @fd.numpy.rebind
    ... def running_product(x):
    ...     y = np.zeros(len(x))
    ...     y[0] = x[0]
    ...     for i in range(1, len(x)):
    ...         y[i] = y[i - 1] * x[i]
    ...     return y[-1]
    >>> fd.grad(running_product)(np.array([2.0, 3.0, 5.0]))
    array([15., 10.,  6.])
    """
    if f is None:
        return lambda g: rebind(g, modules=modules)
    check_callable("rebind", f)
    if getattr(f, "is_rebound", False):
        return f
    code = UserCode(f, modules)
    copied = f if counterpart(f) is not f else code.translated(f)
    if copied is f:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"rebind of {errors.function_name(f)}: it has no Python code of its own that could be rebound. Rebind the "
                "function that is in it, before jit or another transform is applied."
            )
        )
    if isinstance(copied, type):
        return copied

    @wrap(f, "rebind")
    def rebound(*args: Any, **kwargs: Any) -> Any:
        args = tuple(code.translated_object(a) for a in args)
        kwargs = {name: code.translated_object(a) for name, a in kwargs.items()}
        return tree_map(settle, copied(*args, **kwargs))

    rebound.__name__ = str(getattr(f, "__name__", errors.function_name(f)))
    rebound.__qualname__ = errors.function_name(f)
    rebound.__doc__ = getattr(f, "__doc__", None)
    rebound.__wrapped__ = copied  # type: ignore[attr-defined]
    rebound.is_rebound = True  # type: ignore[attr-defined]
    return rebound


# --- the user's code --------------------------------------------------------------------------------------------


class UserCode:
    """The rebound versions of a user's functions, classes and modules, made when they are first met."""

    def __init__(self, f: Any, modules: Sequence[str | ModuleType]) -> None:
        names = [m if isinstance(m, str) else m.__name__ for m in modules]
        home = _home(f)
        self.packages = {n.partition(".")[0] for n in ([home] if home else []) + names} - _LIBRARIES
        self.builtins = Builtins(self)
        self.lock = threading.RLock()
        self.made: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # functions, classes and modules
        self.globals: dict[int, Globals] = {}

    def is_own(self, module: Any) -> bool:
        """Tell whether a module, by name, belongs to the user's packages."""
        return str(module).partition(".")[0] in self.packages

    def of_names(self, names: dict[str, Any]) -> Globals:
        """Return the global names of a function of the user's."""
        if isinstance(names, Globals):
            return names
        with self.lock:
            found = self.globals.get(id(names))
            if found is None:  # it holds the names, so that their id stays theirs
                found = self.globals[id(names)] = Globals(names, self)
            return found

    def of_module(self, module: ModuleType) -> Any:
        """Return the names of a module, translated."""
        if self.is_own(module.__name__):
            return self.of_names(vars(module))
        return Names(module, self)

    def translated(self, value: Any) -> Any:
        """Return what a value means in rebound code."""
        kind = type(value)
        if kind is FunctionType:
            return self._function(value)
        if kind is ModuleType:
            top = value.__name__.partition(".")[0]
            known = top in ("numpy", "scipy") or top in self.packages
            return self._once(value, lambda: Translated(value, self)) if known else value
        if kind is MethodType:
            return MethodType(self.translated(value.__func__), self.translated_object(value.__self__))
        if kind is functools.partial:
            return functools.partial(
                self.translated(value.func),
                *map(self.translated, value.args),
                **{name: self.translated(v) for name, v in value.keywords.items()},
            )
        if isinstance(value, type):
            return self._class(value) if self.is_own(value.__module__) else counterpart(value)
        if kind in _PLAIN:
            return value
        if kind in (np.random.Generator, np.random.RandomState):
            return counterparts()[np.random.default_rng](value)
        if callable(value) and (found := counterpart(value)) is not value:
            return found
        return self.translated_object(value)

    def translated_object(self, value: Any) -> Any:
        """Return an object with the methods of its rebound class and the attributes of the one given."""
        kind = type(value)
        if not self.is_own(kind.__module__) or not hasattr(value, "__dict__") or isinstance(value, type):
            return value
        rebound = self._class(kind)
        if rebound is kind:
            return value
        twin: Any = object.__new__(rebound)
        object.__setattr__(twin, "__dict__", value.__dict__)
        return twin

    def _once(self, value: Any, make: Callable[[], Any]) -> Any:
        found = self.made.get(value, _EMPTY)
        if found is _EMPTY:
            with self.lock:
                found = self.made.get(value, _EMPTY)
                if found is _EMPTY:
                    found = self.made[value] = make()
        return found

    # --- functions ---------------------------------------------------------------------------------------------

    def _function(self, f: FunctionType) -> Any:
        if getattr(f, "is_rebound", False):
            return f.__wrapped__  # type: ignore[attr-defined]
        found = counterpart(f)
        if found is not f:
            return found
        own = self._is_own_function(f)
        if not own and not self._holds_own(f, frozenset({f})):
            return f
        found = self.made.get(f, _EMPTY)
        return self._copy(f, own) if found is _EMPTY else found

    def _copy(self, f: FunctionType, own: bool) -> Any:
        with self.lock:
            if f in self.made:
                return self.made[f]
            names: Any = self.of_names(f.__globals__) if own else f.__globals__
            if own:
                check_code(f, names.pin)
            cells = f.__closure__ or ()
            changing = [
                name != "__class__" and self.may_change(content(cell))
                for name, cell in zip(f.__code__.co_freevars, cells, strict=True)
            ]
            closure = tuple(CellType() if c else cell for c, cell in zip(changing, cells, strict=True))
            copied = FunctionType(f.__code__, names, f.__name__, None, closure)
            stores = own and any(i.opname == "STORE_GLOBAL" for i in dis.get_instructions(f))
            result = finishing(copied, names.hand_on) if stores else copied
            self.made[f] = result  # before its closure is translated, which may contain it
            for cell, new, changes in zip(cells, closure, changing, strict=True):
                if changes:
                    new.cell_contents = self.translated(cell.cell_contents)
            for g in {copied, result}:
                vars(g).update({name: v for name, v in vars(f).items() if name != "__wrapped__"})
                g.__qualname__, g.__doc__, g.__module__ = f.__qualname__, f.__doc__, f.__module__
                g.__annotations__ = f.__annotations__
            copied.__defaults__ = f.__defaults__ and tuple(map(self.translated, f.__defaults__))
            if f.__kwdefaults__:
                copied.__kwdefaults__ = {name: self.translated(v) for name, v in f.__kwdefaults__.items()}
            return result

    def may_change(self, value: Any, seen: frozenset[Any] = frozenset()) -> bool:
        """Tell whether a value means something else in rebound code, without making anything."""
        kind = type(value)
        if kind is FunctionType:
            if counterpart(value) is not value or self._is_own_function(value):
                return True
            return value not in seen and self._holds_own(value, seen | {value})
        if kind is ModuleType:
            return value.__name__.partition(".")[0] in ("numpy", "scipy") or self.is_own(value.__name__)
        if kind is MethodType:
            return self.may_change(value.__func__, seen)
        if kind is functools.partial:
            return any(self.may_change(v, seen) for v in (value.func, *value.args, *value.keywords.values()))
        if isinstance(value, type):
            return self.needs_copy(value, seen) or counterpart(value) is not value
        if kind in _PLAIN:
            return False
        if kind in (np.random.Generator, np.random.RandomState):
            return True
        return (callable(value) and counterpart(value) is not value) or self.needs_copy(kind, seen)

    def _is_own_function(self, f: FunctionType) -> bool:
        if isinstance(f.__globals__, Globals):
            return False
        return self.is_own(f.__globals__.get("__name__", f.__module__))

    def _holds_own(self, f: FunctionType, seen: frozenset[Any]) -> bool:
        """Tell whether a function of another package closes over code of the user's, as decorators do."""
        if str(f.__globals__.get("__name__")).startswith(("numpy", "scipy")) or hasattr(f, "lower"):
            return False
        contents = [content(cell) for cell in f.__closure__ or ()]
        return any(
            type(c) in (FunctionType, MethodType, functools.partial) and self.may_change(c, seen)
            for c in contents
        )

    # --- classes ------------------------------------------------------------------------------------------------

    def needs_copy(self, cls: type, seen: frozenset[Any] = frozenset()) -> bool:
        """Tell whether a class of the user's has methods that mean something else in rebound code."""
        if cls in seen or not self.is_own(cls.__module__) or not _can_be_copied(cls, self):
            return False
        seen = seen | {cls}
        if any(self.needs_copy(base, seen) for base in cls.__bases__):
            return True
        return any(
            self.may_change(f.__globals__.get(name, _EMPTY), seen)
            for f in methods_of(cls)
            for name in names_read(f.__code__)
        )

    def _class(self, cls: type) -> type:
        if not self.needs_copy(cls):
            return cls
        copied: type = self._once(cls, lambda: self._copied_class(cls))
        return copied

    def _copied_class(self, cls: type) -> type:
        """Make a subclass whose methods are rebound; to its metaclass it is the class itself."""
        meta = ReboundABC if isinstance(cls, ABCMeta) else Rebound
        bases = (cls, *[b for base in cls.__bases__ if (b := self._class(base)) is not base])
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        made = meta(cls.__name__, bases, names)
        type.__setattr__(made, "_user_class", cls)
        self.made[cls] = made  # before its methods are rebound, which may name it
        for name, value in vars(cls).items():
            new = self._member(value)
            if new is not value:
                type.__setattr__(made, name, new)
                if hasattr(new, "__set_name__"):
                    new.__set_name__(made, name)
        return made

    def _member(self, value: Any) -> Any:
        kind = type(value)
        if kind is FunctionType:
            return self.translated(value)
        if kind in (staticmethod, classmethod):
            return kind(self.translated(value.__func__))
        if kind is property:
            parts = [None if f is None else self.translated(f) for f in (value.fget, value.fset, value.fdel)]
            return property(parts[0], parts[1], parts[2], value.__doc__)
        if kind is functools.cached_property:
            return functools.cached_property(self.translated(value.func))
        return value


_PLAIN = (int, float, str, bool, complex, bytes, tuple, list, dict, set, type(None), np.ndarray)


def _can_be_copied(cls: type, code: UserCode) -> bool:
    """Tell whether a subclass with rebound methods means what the class means."""
    if type(cls) not in (type, ABCMeta) or issubclass(cls, BaseException):
        return False
    for base in cls.__mro__:
        if code.is_own(base.__module__) and ({"__slots__", "__init_subclass__"} & set(vars(base))):
            return False
    return not any({"super", cls.__name__} <= set(names_read(f.__code__)) for f in methods_of(cls))


def _home(f: Any) -> str:
    """Return the module in which a callable was written."""
    while isinstance(f, functools.partial):
        f = f.func
    f = getattr(f, "__func__", f)
    if not isinstance(f, (FunctionType, type)):
        f = type(f)
    f = inspect.unwrap(f)
    names = getattr(f, "__globals__", {})
    return str(names.get("__name__") or f.__module__)
