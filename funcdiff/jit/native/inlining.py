"""Vector math written into a loop where it is short: constants stay in registers, and so do the accumulators."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from funcdiff.jit.native.engine import LANES

ROOM = 250  # lines of vector math in one loop
LONG = 512  # elements from which on a loop is worth it

_NAME = re.compile(r"%\w+")
_ARGUMENT = re.compile(r"%x\d+")


@cache
def template(name: str, kind: str) -> tuple[list[str], str] | None:
    """Return the lines of a function and its result, if it is without branches and calls."""
    from funcdiff.jit.native import vector_math

    lines = vector_math.definitions([(name, kind, LANES)]).split("\n")
    body = [line for line in lines if line.startswith("  ")]
    labels = sum(line.endswith(":") for line in lines)
    if sum(line.startswith("define") for line in lines) != 1 or labels != 1 or len(body) > ROOM:
        return None
    return body[:-1], body[-1].split()[-1]


def written(found: tuple[list[str], str], prefix: str, args: Sequence[str]) -> tuple[list[str], str]:
    """Return the lines on arguments, with names of their own."""

    def renamed(match: re.Match[str]) -> str:
        name = match.group()
        return args[int(name[2:])] if _ARGUMENT.fullmatch(name) else f"%{prefix}.{name[1:]}"

    body, result = found
    return [_NAME.sub(renamed, line) for line in body], _NAME.sub(renamed, result)
