"""What a jitted function is recorded anew for: structure, shapes, dtypes, static arguments."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import TracedArray, revive
from funcdiff.core.trees import AnyTree, flatten, path_name
from funcdiff.transforms.arguments import leaf_value

PYTHON_NUMBERS = frozenset({int, float, complex})
NUMBERS = "fcbiu"  # the kinds of dtypes that programs are compiled for


class Statics:
    """Which arguments are static, by position and by name."""

    def __init__(self, f: Callable[..., Any], argnums: Any, argnames: Any) -> None:
        self.f = f
        nums = (argnums,) if isinstance(argnums, (int, np.integer)) else tuple(argnums)
        names = (argnames,) if not isinstance(argnames, (tuple, list, set, frozenset)) else tuple(argnames)
        for n in nums:
            if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
                raise errors.ArgnumsError(
                    errors.at_user_line(
                        f"static_argnums of jit must be an int or a tuple of ints, not {argnums!r}"
                    )
                )
        for name in names:
            if not isinstance(name, str):
                raise errors.ArgnumsError(
                    errors.at_user_line(
                        f"static_argnames of jit must be a string or a tuple of strings, not {argnames!r}"
                    )
                )
        parameters = _positional(f)
        if parameters is not None:  # an argument may be given either way
            given = {int(n) if n >= 0 else n + len(parameters) for n in nums}
            names += tuple(parameters[n] for n in given if 0 <= n < len(parameters))
            nums = (*given, *(parameters.index(name) for name in names if name in parameters))
        self.nums = frozenset(int(n) for n in nums)
        self.names = frozenset(names)
        self.any = bool(nums or names)

    def part(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
        """Return (dynamic args, dynamic kwargs, static ones as a hashable)."""
        if not self.nums and not self.names:
            return args, kwargs, ()
        nums = {n if n >= 0 else n + len(args) for n in self.nums}
        fixed = tuple((n, a) for n, a in enumerate(args) if n in nums)
        named = tuple((name, a) for name, a in kwargs.items() if name in self.names)
        for where, value in (*fixed, *named):
            if not _is_hashable(value):
                raise _refusal(self.f, path_name((where,)), value)
        rest = tuple(a for n, a in enumerate(args) if n not in nums)
        return rest, {k: a for k, a in kwargs.items() if k not in self.names}, (fixed, named, len(args))

    @staticmethod
    def join(
        args: tuple[Any, ...], kwargs: dict[str, Any], static: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put static arguments back in their places."""
        if not static:
            return args, kwargs
        fixed, named, count = static
        full = dict(fixed)
        rest = iter(args)
        return tuple(full[n] if n in full else next(rest) for n in range(count)), {**kwargs, **dict(named)}


class Signature:
    """The arguments of one call as leaves, and what of them decides which program is run."""

    __slots__ = ("has_names", "key", "leaves", "objects", "static", "traced", "tree", "values")

    def __init__(self, f: Any, args: Any, kwargs: Any, static: Any) -> None:
        leaves, tree = flatten((args, kwargs))
        self.tree: AnyTree = tree
        self.leaves = leaves
        self.has_names = bool(kwargs)
        self.static = static
        self.values: list[Any] = []  # leaves as NumPy has them
        self.objects: list[Any] = []  # (place, object) of leaves that are no numbers: static too
        self.traced = False
        kinds: list[Any] = []
        for n, leaf in enumerate(leaves):
            if type(leaf) is TracedArray:
                if leaf.recorder.level < 0:
                    revive(leaf)
                leaf = leaf.value if leaf.recorder.free else leaf
                self.traced = self.traced or type(leaf) is TracedArray
            value = leaf_value(leaf)
            dtype = getattr(value, "dtype", None)
            if dtype is None or dtype.kind not in NUMBERS:
                if not _is_hashable(leaf):
                    raise _refusal(f, self._place(n), leaf)
                self.objects.append((n, leaf))
                kinds.append((type(leaf), told_apart(leaf)))
            else:
                kinds.append((value.shape, dtype, type(leaf) if type(leaf) in PYTHON_NUMBERS else None))
            self.values.append(value)
        self.key = (tree.spec, tuple(kinds), told_apart(static))  # type: ignore[union-attr]

    def _place(self, n: int) -> str:
        """Write a leaf as the call has it, static arguments counted."""
        by_name, place, *rest = self.tree.paths()[n]
        if self.static and not by_name:
            fixed, _, count = self.static
            place = [m for m in range(count) if m not in dict(fixed)][place]
        return path_name((place, *rest))

    def dynamic(self, by_value: bool) -> list[int]:
        """Return the places of the leaves that are inputs of the program."""
        fixed = {n for n, _ in self.objects}
        if by_value:
            fixed |= {n for n, kind in enumerate(self.key[1]) if len(kind) == 3 and kind[2] is not None}
        return [n for n in range(len(self.values)) if n not in fixed]


def _positional(f: Callable[..., Any]) -> list[str] | None:
    try:
        parameters: Sequence[inspect.Parameter] = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in kinds]


def told_apart(value: Any) -> Any:
    """Return a key by which values are told apart that Python finds equal: 1, 1.0 and True, or 0.0 and -0.0.

    A program holds a number with its type and sign. One that is not equal to itself has one key.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float, complex, np.number)):
        return type(value), repr(value)
    if isinstance(value, tuple):
        return type(value), tuple(map(told_apart, value))
    if isinstance(value, frozenset):
        return type(value), frozenset(map(told_apart, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return value, tuple(told_apart(getattr(value, field.name)) for field in dataclasses.fields(value))
    return type(value), value


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


# What to write in place of arrays that hold no numbers.
_REMEDIES = {
    "M": "convert dates with x.astype('int64') or x.astype(float)",
    "m": "convert times with x / np.timedelta64(1, 's') or x.astype(float)",
    "O": "make it an array of numbers with fd.numpy.array",
}


def _refusal(f: Any, where: str, value: Any) -> errors.FuncdiffError:
    name = f"jit of {errors.function_name(f)}: argument{where}"
    if isinstance(value, np.ndarray) and value.dtype.kind not in NUMBERS:
        remedy = _REMEDIES.get(value.dtype.kind, "pass what numbers it has")
        return errors.DtypeError(
            errors.at_user_line(
                f"{name} is an array of dtype {value.dtype}, and programs are compiled for arrays of numbers: {remedy}, "
                "or close over it."
            )
        )
    return errors.StructureError(
        errors.at_user_line(
            f"{name} is {type(value).__name__}, which is neither an array of numbers nor hashable. A static argument must "
            "be hashable: pass a tuple instead of a list, or close over it."
        )
    )
