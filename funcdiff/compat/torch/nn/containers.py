"""Modules that hold modules or parameters."""

# ruff: noqa: D102  (an overridden method does what the class says)

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.nn.module import Module
from funcdiff.compat.torch.nn.parameter import Parameter


class _Modules(Module):
    """What lists of modules share; they are named by their places."""

    def _items(self) -> list[Any]:
        return list(self._modules.values())

    def _renumber(self, modules: Iterable[Any]) -> None:
        items = list(modules)
        self._modules.clear()
        self._modules.update((str(n), m) for n, m in enumerate(items))

    def _place(self, index: int) -> int:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return index % len(self)

    def __setitem__(self, index: int, module: Any) -> None:
        setattr(self, list(self._modules)[self._place(index)], module)

    def __delitem__(self, index: Any) -> None:
        items = self._items()
        del items[index if isinstance(index, slice) else self._place(index)]
        self._renumber(items)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def append(self, module: Any) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Any) -> Any:
        """Add a module before another."""
        items = self._items()
        items.insert(index, module)
        self._renumber(items)
        return self

    def extend(self, modules: Iterable[Any]) -> Self:
        """Add modules at the end."""
        for m in list(modules):
            self.append(m)
        return self

    def pop(self, key: int) -> Any:
        """Take a module out."""
        found = self._items()[self._place(key)]
        del self[key]
        return found

    def __iadd__(self, other: Any) -> Self:
        return self.extend(other)


class Sequential(_Modules):
    """Modules one after the other."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], (OrderedDict, dict)):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for n, module in enumerate(args):
                self.add_module(str(n), module)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._items()[self._place(index)]

    def __add__(self, other: Any) -> Any:
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Any:
        return Sequential(*self._items() * times)

    __rmul__ = __mul__

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_Modules):
    """A list of modules."""

    def __init__(self, modules: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __getitem__(self, index: Any) -> Any:
        items = self._items()
        return type(self)(items[index]) if isinstance(index, slice) else items[self._place(index)]

    def __add__(self, other: Iterable[Any]) -> Any:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Write the modules, equal ones that follow each other once."""
        runs: list[tuple[int, int, str]] = []
        for n, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], n, text)
            else:
                runs.append((n, n, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = [f"({a}): {text}" if a == b else f"({a}-{b}): {b - a + 1} x {text}" for a, b, text in runs]
        return f"{self._get_name()}(\n  " + "\n".join(lines).replace("\n", "\n  ") + "\n)"


class ModuleDict(Module):
    """Modules by name."""

    def __init__(self, modules: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Any]) -> None:
        """Enter modules."""
        for name, m in modules.items():
            self.add_module(name, m)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Any) -> None:
        self.add_module(key, module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """Give the names."""
        return self._modules.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Give names and modules."""
        return self._modules.items()

    def values(self) -> Iterable[Any]:
        """Give the modules."""
        return self._modules.values()


class ParameterList(Module):
    """A list of parameters."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        for v in list(values):
            self.append(v)
        return self

    def _place(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return str(index % len(self))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._parameters[self._place(index)]

    def __setitem__(self, index: int, value: Any) -> None:
        self._parameters[self._place(index)] = _parameter(value)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def extra_repr(self) -> str:
        lines = [
            f"  ({n}): Parameter containing: [{p.dtype} of size {'x'.join(map(str, p.shape))}]"
            for n, p in enumerate(self)
        ]
        return "\n".join(lines)


class ParameterDict(Module):
    """Parameters by name."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        return self._parameters[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: str) -> bool:
        return key in self._parameters

    def update(self, parameters: Any) -> None:
        """Add or replace parameters."""
        for name, v in parameters.items() if hasattr(parameters, "items") else parameters:
            self[name] = v

    def pop(self, key: str) -> Any:
        """Take a parameter out."""
        return self._parameters.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a parameter, or something else if it is not there."""
        return self._parameters.get(key, default)

    def keys(self) -> Iterable[str]:
        """Give the names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Any]:
        """Give the parameters."""
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Give names and parameters."""
        return self._parameters.items()

    def extra_repr(self) -> str:
        lines = [
            f"  ({k}): Parameter containing: [{p.type()} of size {'x'.join(map(str, p.shape))}]"
            for k, p in self.items()
        ]
        return "\n".join(lines)


def _parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value
