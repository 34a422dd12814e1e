"""Which names a function's code reads: of its module, and as attributes."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import resolve_name
from itertools import pairwise
from types import CodeType

_GLOBAL = frozenset(("LOAD_GLOBAL", "LOAD_NAME"))


@lru_cache(maxsize=1024)
def reads(code: CodeType) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the global names and the attributes that code loads, that of the functions within it too."""
    names: dict[str, None] = {}
    attributes: set[str] = set()
    for inner in _codes(code):
        for instruction in dis.get_instructions(inner):
            name = instruction.argval
            if instruction.opname in _GLOBAL:
                names[name] = None
            elif type(name) is str and instruction.opname.startswith(
                ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER", "IMPORT_FROM")
            ):
                attributes.add(name)
    return tuple(names), frozenset(attributes)


@lru_cache(maxsize=1024)
def imports(code: CodeType, package: str | None) -> tuple[str, ...]:
    """Return the names of the modules that code imports while it runs."""
    found: dict[str, None] = {}
    for inner in _codes(code):
        steps = list(dis.get_instructions(inner))
        for n, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                level = steps[n - 2].argval  # loaded before the names that are wanted
                found[resolve_name("." * level + step.argval, package) if level else step.argval] = None
    return tuple(found)


@lru_cache(maxsize=1024)
def asks_for_identity(code: CodeType) -> bool:
    """Tell whether code may tell one object from another that is equal to it."""
    names, attributes = reads(code)
    if "id" in names or not attributes.isdisjoint(("index", "remove", "count")):
        return True
    for inner in _codes(code):
        steps = list(dis.get_instructions(inner))
        for before, step in pairwise(steps):
            is_constant = before.opname == "LOAD_CONST"  # as in `x is None`
            if step.opname == "CONTAINS_OP" or (step.opname == "IS_OP" and not is_constant):
                return True
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
