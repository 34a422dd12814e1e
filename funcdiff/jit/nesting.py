"""How a function's results are nested, where that is in tuples and lists alone.

An int stands for a leaf, by its number; ("tuple", parts) and ("list", parts) for containers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Nesting = Any


def nesting_of(tree: Any) -> Any:
    """Return how results are nested, as the wrapper takes it; None if only Python can nest them so."""
    count = tree.num_leaves

    def look(x: Any) -> Any:
        if type(x) is int:
            return x
        if type(x) in (tuple, list):
            return type(x).__name__, [look(part) for part in x]
        raise TypeError

    try:
        found = look(tree.unflatten(list(range(count))))
    except TypeError:
        return None
    return found if _leaves(found) == list(range(count)) else None


def _leaves(nesting: Any) -> list[int]:
    return [nesting] if isinstance(nesting, int) else [n for part in nesting[1] for n in _leaves(part)]


def flatten_as(nesting: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """Return the function that makes a tuple of results again; None if they are one already."""
    if isinstance(nesting, int):
        return lambda out: (out,)
    if nesting[0] == "tuple" and all(isinstance(part, int) for part in nesting[1]):
        return None

    def gather(out: Any, shape: Any) -> list[Any]:
        if isinstance(shape, int):
            return [out]
        return [x for part, inner in zip(out, shape[1], strict=True) for x in gather(part, inner)]

    return lambda out: tuple(gather(out, nesting))


def nest(nesting: Any, leaves: Sequence[Any]) -> Any:
    """Put leaves into tuples and lists."""
    if isinstance(nesting, int):
        return leaves[nesting]
    kind, parts = nesting
    made = [nest(part, leaves) for part in parts]
    return tuple(made) if kind == "tuple" else made
