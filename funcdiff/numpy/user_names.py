"""The global names, modules and built-in names that rebound code sees."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_OWN_ENTRIES = (
    "__builtins__",
    "__name__",
    "__package__",
    "__spec__",
)  # what CPython reads past `__getitem__`


class Translated(ModuleType):
    """A module as rebound code sees it."""

    def __init__(self, module: ModuleType, code: Any) -> None:
        super().__init__(module.__name__)
        vars(self).update(_module=module, _code=code)
        for name in ("__doc__", "__package__", "__spec__", "__loader__"):
            vars(self).pop(name, None)

    def __getattr__(self, name: str) -> Any:
        module = vars(self)["_module"]
        if name.startswith("__"):
            return getattr(module, name)
        return vars(self)["_code"].of_module(module)[name] if name in vars(module) else self._lazy(name)

    def _lazy(self, name: str) -> Any:
        return vars(self)["_code"].translated(getattr(vars(self)["_module"], name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(vars(self)["_module"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(vars(self)["_module"], name)

    def __dir__(self) -> list[str]:
        return dir(vars(self)["_module"])


class Globals(dict[str, Any]):
    """The global names of a module as rebound code sees them.

    CPython asks a dict that is not exactly one by `__getitem__`, but stores past it: what a ``global`` statement
    writes arrives in the dict itself, and is handed on to the module before anything else is read, and when the
    function that wrote it returns.
    """

    def __init__(self, names: dict[str, Any], code: Any) -> None:
        super().__init__({name: names[name] for name in _OWN_ENTRIES if name in names})
        dict.__setitem__(self, "__builtins__", code.builtins)
        self.names = names
        self.code = code
        self.pinned: set[str] = set(_OWN_ENTRIES)
        self.seen: dict[str, tuple[Any, Any]] = {}

    def hand_on(self) -> None:
        """Give the module what a ``global`` statement has written."""
        if len(self) > len(self.pinned):
            for name in [n for n in dict.__iter__(self) if n not in self.pinned]:
                self.names[name] = dict.pop(self, name)

    def __getitem__(self, name: str) -> Any:
        self.hand_on()
        if name in _OWN_ENTRIES:
            return dict.__getitem__(self, name)
        value = self.names[name]
        seen = self.seen.get(name)
        if seen is None or seen[0] is not value:
            self.seen[name] = seen = (value, self.code.translated(value))
        return seen[1]

    def __setitem__(self, name: str, value: Any) -> None:
        self.names[name] = value

    def __delitem__(self, name: str) -> None:
        self.hand_on()
        del self.names[name]

    def __contains__(self, name: object) -> bool:
        self.hand_on()
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        self.hand_on()
        return iter(self.names)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a global as rebound code sees it, or the default."""
        return self[name] if name in self else default  # noqa: SIM401  it is that

    def keys(self) -> Any:
        """Return the names of the module."""
        self.hand_on()
        return self.names.keys()

    def pin(self, name: str) -> None:
        """Put a name where the body of a class, which is not optimised, looks for it."""
        if name not in self.pinned and name in self.names:
            self.pinned.add(name)
            dict.__setitem__(self, name, self.code.translated(self.names[name]))


class Builtins(dict[str, Any]):
    """The built-in names, with an ``import`` statement that gives translated modules."""

    def __init__(self, code: Any) -> None:
        super().__init__()

        def importing(name: str, *args: Any, **kwargs: Any) -> Any:
            return code.translated(builtins.__import__(name, *args, **kwargs))

        self["__import__"] = importing

    def __missing__(self, name: str) -> Any:
        return vars(builtins)[name]


class Names:
    """The names of a module of NumPy's or SciPy's, translated."""

    def __init__(self, module: ModuleType, code: Any) -> None:
        self.module = module
        self.code = code

    def __getitem__(self, name: str) -> Any:
        return self.code.translated(getattr(self.module, name))
