"""Which names a function's code reads: of its module, and as attributes."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache
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
                ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER")
            ):
                attributes.add(name)
    return tuple(names), frozenset(attributes)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
