"""Nodes of one application of a primitive, which know types only when they are pulled.

They call the rules that the sweeps over a tape call, and undo broadcasting by the same `match`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from funcdiff.compat.torch._graph import Node, recorded
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.matching import match, written_out
from funcdiff.core.primitive import Elementwise, General, Linear, Multilinear, Primitive, reads
from funcdiff.transforms.record_rules import cotangents, general_cotangent


class SingleNode(Node):
    """One application of a primitive of one argument: ``record = (primitive, x, params, out, shape, dtype)``.

    What the rule does not read is a type (`x`) or None (`out`); shape and dtype are those of the result.
    """

    __slots__ = ()

    def pull(self, g: Any) -> Sequence[Any]:
        primitive, x, params, out, shape, dtype = self.record
        return self._pulled(primitive, x, params, out, written_out(g, ArrayType(shape, dtype)))

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        primitive, x, params, out, shape, dtype = self.record
        x, out = recorded(x, self.next[0]), recorded(out, self)
        return self._pulled(primitive, x, params, out, written_out(g, ArrayType(shape, dtype)))

    def _pulled(self, primitive: Any, x: Any, params: Any, out: Any, g: Any) -> Sequence[Any]:
        return (match(general_cotangent(primitive, 0, g, out, (x,), params), type_of(x)),)

    def residual(self, n: int) -> tuple[Any, Any]:
        """Return what was kept of an argument, or (last) of the result, and the edge to it."""
        return (self.record[3], self) if n else (self.record[1], self.next[0])

    def free(self) -> None:
        if self.cells is not None:
            self.record = None


class SeveralNode(SingleNode):
    """One application of a primitive of several arguments: ``record = (primitive, args, params, out, shape, dtype,
    places)``, with the place of each argument among the edges, -1 if it has none.
    """

    __slots__ = ()

    def pull(self, g: Any) -> Sequence[Any]:
        primitive, args, params, out, shape, dtype, places = self.record
        g = written_out(g, ArrayType(shape, dtype))
        return self._all_pulled(primitive, args, params, out, places, g)

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        primitive, args, params, out, shape, dtype, places = self.record
        g = written_out(g, ArrayType(shape, dtype))
        args = tuple([a if p < 0 else recorded(a, self.next[p]) for a, p in zip(args, places, strict=True)])
        return self._all_pulled(primitive, args, params, recorded(out, self), places, g)

    def _all_pulled(
        self, primitive: Any, args: Any, params: Any, out: Any, places: Any, g: Any
    ) -> Sequence[Any]:
        needed = [n for n, p in enumerate(places) if p >= 0]
        found: list[Any] = [None] * len(self.next)
        for n, h in zip(needed, cotangents(primitive, g, needed, out, args, params, False), strict=True):
            if h is not None:
                found[places[n]] = match(h, type_of(args[n]))
        return found

    def residual(self, n: int) -> tuple[Any, Any]:
        _primitive, args, _params, out, _shape, _dtype, places = self.record
        if n == len(args):
            return out, self
        return args[n], self.next[places[n]] if places[n] >= 0 else None


# --- what is kept ---------------------------------------------------------------------------------

_residuals: dict[Any, tuple[tuple[bool, ...], bool]] = {}


def residuals(primitive: Primitive, places: tuple[int, ...]) -> tuple[tuple[bool, ...], bool]:
    """Tell which arguments the rules of the active ones (their places not -1) read, and whether the result."""
    found = _residuals.get((primitive, places))
    if found is None:
        found = _residuals[primitive, places] = _find_residuals(primitive, places)
    return found


def _find_residuals(primitive: Any, places: tuple[int, ...]) -> tuple[tuple[bool, ...], bool]:
    count = len(places)
    active = [n for n, p in enumerate(places) if p >= 0]
    nothing, everything = ((False,) * count, False), ((True,) * count, True)
    if isinstance(primitive, Linear):
        return nothing
    if isinstance(primitive, Multilinear):
        return tuple([len(active) > (p >= 0) for p in places]), False
    if isinstance(primitive, Elementwise):
        flags = [reads(primitive.partials[n]) or (False,) * (count + 1) for n in active]
    elif isinstance(primitive, General) and primitive.accumulate is None and primitive.custom is None:
        rules = [primitive.vjps[n] or primitive.transposes[n] for n in active]
        if None in rules:
            return everything  # a JVP is transposed where it stands
        flags = [reads(rule)[1:] for rule in rules]
    else:
        return everything
    if any(len(f) != count + 1 for f in flags):
        return everything
    out, *args = (any(column) for column in zip(*flags, strict=True))
    return tuple(args), out
