# NumPy's functions that are written in Python are differentiable as they stand, except that they make arrays
# with `np.array` and `np.zeros`, which know nothing of traced values, and ask for `isinstance(x, np.ndarray)`.
# `Rebinding` makes copies of a module's functions whose global names mean funcdiff's versions of these three;
# everything else is NumPy's own code, and reaches the primitives through NumPy's protocols.

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.linalg import _linalg

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy._protocol import CREATION, FUNCTIONS, has_traced, implements


class _ArrayMeta(type):
    def __instancecheck__(cls, x: object) -> bool:
        return type(x) is TracedArray or isinstance(x, np.ndarray)


class AnyArray(metaclass=_ArrayMeta):
    """What ``isinstance(x, np.ndarray)`` asks for in rebound code."""


def _translated(value: Any) -> Any:
    """Return what a global of NumPy's code means in a rebound copy."""
    if isinstance(value, ModuleType):
        return _NAMESPACES.get(value.__name__, value)
    if value is np.ndarray:
        return AnyArray
    try:
        made = CREATION.get(value)
    except TypeError:  # unhashable
        return value
    return value if made is None else made


class Namespace:
    """A module of NumPy's as rebound code sees it."""

    def __init__(self, module: ModuleType, **replace: Any) -> None:
        self._module = module
        vars(self).update(replace)

    def __getattr__(self, name: str) -> Any:
        value = _translated(getattr(self._module, name))
        setattr(self, name, value)
        return value


def of_all_examples(x: Any, reduce: Callable[..., Any]) -> Any:
    """Return the plain value of an array; under `vmap` that of all examples, reduced over them."""
    while type(x) is TracedArray:
        if x.recorder.batch:
            x = reduce(x.value, axis=0) if x.place else x.value
        else:
            x = concrete(x)
    return x


def every(flags: Any) -> bool:
    """Tell whether all elements are true, under `vmap` those of all examples."""
    return bool(np.all(of_all_examples(flags, np.all)))


def real_unless_complex(w: Any, matrix: Any) -> Any:
    """Drop zero imaginary parts of all eigenvalues of a real matrix, as `eigvals` itself did before NumPy 2.5."""
    if matrix.dtype.kind != "c" and w.dtype.kind == "c" and every(w.imag == 0):
        return w.real
    return w


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """As `numpy.linalg.lstsq`; under `vmap` the rank is the smallest of all examples'."""
    x, residuals, rank, s = np.linalg.lstsq(a, b, rcond)
    return x, residuals, of_all_examples(rank, np.min), s


_NAMESPACES: dict[str, Any] = {
    "numpy": Namespace(np),
    "numpy._core.numeric": Namespace(np._core.numeric, all=every),
    "numpy.linalg": Namespace(np.linalg, lstsq=lstsq),
    "numpy.linalg._linalg": Namespace(_linalg, _to_real_if_imag_zero=real_unless_complex),
}


def _import(name: str, *args: Any) -> Any:
    """Import as ``from numpy.linalg._linalg import ...`` inside of a function does: what is got means ours."""
    module = builtins.__import__(name, *args)
    return _NAMESPACES.get(module.__name__, module) if len(args) > 2 and args[2] else module


_BUILTINS = {**vars(builtins), "__import__": _import}


def either(original: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is NumPy's own, at its own speed, where no argument is traced."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        traced = has_traced(args) or (kwargs and has_traced(kwargs))
        return (ours if traced else original)(*args, **kwargs)

    return call


class Rebinding:
    """Copies of the functions and classes of a module of NumPy's, made when first asked for.

    `replace` gives the copies globals of our own, by name.  Where `both` is set, the copies call one another as `either`
    does.
    """

    def __init__(self, module: ModuleType, replace: dict[str, Any] | None = None, both: bool = False) -> None:
        self.module = module
        self.both = both
        self.globals: dict[str, Any] = dict(replace or {})
        # what a function imports from the module beside its own comes from the package beside ours
        self.globals["__package__"] = "funcdiff.numpy." + module.__name__.split(".")[1]
        self.globals["__spec__"] = None
        self.globals["__builtins__"] = _BUILTINS
        for name, value in vars(module).items():
            if name not in self.globals:
                self.globals[name] = self._copied(value)

    def _copied(self, value: Any) -> Any:
        python = getattr(value, "_implementation", value)  # beneath NumPy's dispatch
        if isinstance(python, FunctionType) and python.__globals__ is vars(self.module):
            if self._is_ours(value):
                return value
            return either(python, self.function(python)) if self.both else self.function(python)
        if isinstance(value, type) and value.__module__ == self.module.__name__:
            return self.class_(value)
        return _translated(value)

    @staticmethod
    def _is_ours(value: Any) -> bool:
        return value in FUNCTIONS

    def function(self, python: FunctionType) -> Callable[..., Any]:
        """Copy a function, its global names bound to ours."""
        copied = FunctionType(
            python.__code__, self.globals, python.__name__, python.__defaults__, python.__closure__
        )
        copied.__kwdefaults__ = python.__kwdefaults__
        copied.__dict__.update(python.__dict__)
        copied.__doc__ = python.__doc__
        return copied

    def class_(self, cls: type) -> type:
        """Copy a class, its methods and static functions bound to ours."""
        body: dict[str, Any] = {}
        for name, value in vars(cls).items():
            if name in ("__dict__", "__weakref__"):
                continue
            if isinstance(value, staticmethod):
                found = self.globals.get(value.__func__.__name__, value.__func__)
                body[name] = staticmethod(found)
            elif isinstance(value, classmethod):
                body[name] = classmethod(self.function(value.__func__))  # type: ignore[arg-type]
            elif isinstance(value, property) and isinstance(value.fget, FunctionType):
                body[name] = property(self.function(value.fget))
            elif isinstance(value, FunctionType):
                body[name] = self.function(value)
            else:
                body[name] = value
        bases = tuple(self.globals.get(base.__name__, base) for base in cls.__bases__)
        return type(cls)(cls.__name__, bases, body)

    def __getitem__(self, name: str) -> Any:
        """Return the copy of a function that runs NumPy's own where nothing is traced."""
        return implements(getattr(self.module, name))(self.globals[name])
