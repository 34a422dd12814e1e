"""Nested arguments and results as source."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from funcdiff import errors
from funcdiff.core.tape import Tape
from funcdiff.core.trees import Tree
from funcdiff.source.expression import Expression
from funcdiff.source.naming import RESERVED, identifier


def parameters(tape: Tape) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the parameters of a tape's function, and for each input the name it should have and its source.

    A nested argument is taken apart at the top of the function.
    """
    tree = tape.in_tree
    paths = tree.paths()
    names: dict[int, str] = {}
    for n, path in enumerate(paths):
        given = tape.input_names[n] if n < len(tape.input_names) else ""
        first = path[0] if path else 0
        names.setdefault(first, identifier(given.split("[")[0]) if given else f"a{first}")
    count = len(names) if not isinstance(tree, Tree) else int(tree.spec.num_children)
    parts: list[str] = []
    for n in range(count):
        part = names.get(n, f"a{n}")
        while part in RESERVED or part in parts:
            part += "_"
        parts.append(part)
    inputs = []
    for n, path in enumerate(paths):
        if len(path) < 2:
            inputs.append((parts[path[0] if path else 0], ""))
            continue
        assert isinstance(tree, Tree)
        key = path[-1]
        wanted = (
            key
            if isinstance(key, str) and key.isidentifier()
            else identifier("_".join(str(p) for p in (parts[path[0]], *path[1:])))
        )
        accessor = tree.spec.accessors()[n]
        inputs.append((wanted, accessor[1:].codify(parts[path[0]])))
    return parts, inputs


def result(tape: Tape, texts: Sequence[Expression]) -> tuple[str, set[str]]:
    """Write the results in their structure; return the classes that must be imported too."""
    imports: set[str] = set()
    return _write(tape.out_tree.unflatten(list(texts)), imports, top=True), imports


def _write(value: Any, imports: set[str], top: bool = False) -> str:
    if isinstance(value, Expression):
        return value.text
    if value is None:
        return "None"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = list(zip(value._fields, value, strict=True))
        return _class(value, imports) + f"({', '.join(f'{k}={_write(v, imports)}' for k, v in fields)})"
    if isinstance(value, tuple):
        inside = ", ".join(_write(v, imports) for v in value)
        if len(value) == 1:
            inside += ","
        return inside if top and value else f"({inside})"
    if isinstance(value, list):
        return f"[{', '.join(_write(v, imports) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_write(v, imports)}" for k, v in value.items()) + "}"
    if dataclasses.is_dataclass(value):
        fields = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
        return _class(value, imports) + f"({', '.join(f'{k}={_write(v, imports)}' for k, v in fields)})"
    raise errors.UnsupportedError(
        f"to_source: results in a {type(value).__name__} cannot be written; return a tuple, list or dict"
    )


def _class(value: Any, imports: set[str]) -> str:
    cls = type(value)
    if cls.__module__ == "__main__" or "<" in cls.__qualname__:
        raise errors.UnsupportedError(
            f"to_source: results in a {cls.__name__} need its class, which no module defines; return a tuple or dict"
        )
    imports.add(f"from {cls.__module__} import {cls.__qualname__.split('.')[0]}")
    return str(cls.__qualname__)
