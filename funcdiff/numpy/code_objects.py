"""Looking into the code of functions and classes, and the metaclass of rebound classes."""

from __future__ import annotations

import dis
import functools
import inspect
from abc import ABCMeta
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from funcdiff import errors


class Rebound(type):
    """The metaclass of rebound classes, to which instances and attributes are those of the user's class."""

    is_rebound = True

    def __instancecheck__(self, instance: Any) -> bool:
        original = vars(self).get("_user_class")
        return super().__instancecheck__(instance) if original is None else isinstance(instance, original)

    def __subclasscheck__(self, subclass: type) -> bool:
        original = vars(self).get("_user_class")
        return super().__subclasscheck__(subclass) if original is None else issubclass(subclass, original)

    def __setattr__(self, name: str, value: Any) -> None:
        original = vars(self).get("_user_class")
        if original is None:
            super().__setattr__(name, value)
        else:
            setattr(original, name, value)


class ReboundABC(Rebound, ABCMeta):
    """The same for abstract base classes."""


def methods_of(cls: type) -> Iterator[FunctionType]:
    """Return the functions in the body of a class, those in properties and beneath decorators too."""
    for value in vars(cls).values():
        found = (value.fget, value.fset, value.fdel) if type(value) is property else (value,)
        for f in found:
            f = getattr(f, "__func__", getattr(f, "func", f))
            while f is not None and type(f) is FunctionType:
                yield f
                f = getattr(f, "__wrapped__", None)


def names_read(code: CodeType) -> list[str]:
    """Return the names that code reads, nested functions included."""
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += names_read(constant)
    return found


def content(cell: Any) -> Any:
    """Return what is in a cell of a closure, if anything is."""
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def check_code(f: FunctionType, pin: Callable[[str], None]) -> None:
    """Refuse what CPython does past the mapping of global names, and put there what class bodies read."""
    stores = []
    for code in _nested(f.__code__):
        opnames = {i.opname for i in dis.get_instructions(code)}
        if "DELETE_GLOBAL" in opnames:
            raise errors.UnsupportedError(
                errors.at_user_line(f"rebind cannot run {f.__qualname__}, which deletes a global variable")
            )
        if "STORE_GLOBAL" in opnames:
            stores.append(code)
        if not code.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
            for name in code.co_names:
                pin(name)
    for code in stores:
        if code is not f.__code__ or code.co_flags & (
            inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
        ):
            raise errors.UnsupportedError(
                errors.at_user_line(
                    f"rebind cannot run {f.__qualname__}: a generator, or a function inside a function, writes a global "
                    "variable. Keep the value in an object that is passed as an argument."
                )
            )


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def finishing(copied: FunctionType, then: Callable[[], None]) -> Any:
    """Return a function that does something after each call, whatever comes of it."""

    @functools.wraps(copied)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return copied(*args, **kwargs)
        finally:
            then()

    return call
