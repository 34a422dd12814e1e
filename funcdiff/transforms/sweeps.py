"""The sweeps over a recorded tape: back with cotangents, forward with tangents.

The sweep back multiplies cotangents with partial derivatives by ordinary products.  Only if a result holds
a NaN is it run again with strong rules, in which a zero cotangent stays zero whatever it meets; so
``np.where(x > 0, np.log(x), 0.0)`` has finite derivatives and regular programs pay one test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.matching import convert, written_out
from funcdiff.core.mutation import own_buffer
from funcdiff.core.recording import TracedArray, innermost
from funcdiff.core.rules import RULES
from funcdiff.transforms.record_rules import pull_write, push_write

FIELDS = 8
"""Fields of a record, see core/fastpath.py."""


class Recording:
    """A function recorded at a point: its outputs, and the sweeps over its tape."""

    __slots__ = ("decided", "inputs", "length", "outputs", "places", "program", "records")

    def __init__(
        self,
        records: list[Any],
        length: int,
        inputs: Sequence[Any],
        outputs: list[Any],
        places: list[int],
    ) -> None:
        self.records = records
        self.length = length
        self.inputs = inputs
        self.outputs = outputs
        self.places = places
        self.program = False  # whether an older level writes a program, which must hold at other values too
        self.decided = False  # whether the function asked for values, so that it is right only near them

    def pull(self, seeds: Sequence[Any]) -> list[Any]:
        """Pull cotangents of the outputs (None for zero) back to the inputs."""
        strong = self.program or writes_program(seeds)
        with np.errstate(all="ignore"):  # the user's own warnings came when the function ran
            found = self._pull(seeds, strong)
            if not strong and has_nan(found):
                found = self._pull(seeds, True)
        return [zeros_like(x) if g is None else fitted(g, x) for g, x in zip(found, self.inputs, strict=True)]

    def _pull(self, seeds: Sequence[Any], strong: bool) -> list[Any]:
        cot: list[Any] = [None] * self.length
        for place, seed in zip(self.places, seeds, strict=True):
            if place >= 0 and seed is not None:
                cot[place] = seed if cot[place] is None else cot[place] + seed
        it = reversed(self.records)
        if strong:
            for t, v, y, x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
                g = cot[n]
                if g is not None:
                    cot[n] = None
                    RULES[rule].strong_pull(cot, g, i, j, x, y, v, t)
        else:  # zip re-uses its tuple; slicing the eight fields out is 7 % of value-and-gradient slower
            for t, v, y, x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
                g = cot[n]
                if g is not None:
                    cot[n] = None
                    rule(cot, g, i, j, x, y, v, t)
        return cot[: len(self.inputs)]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Push tangents of the inputs (None for zero) forward to the outputs; None where zero."""
        strong = self.program or writes_program(tangents)
        with np.errstate(all="ignore"):
            found = self._push(tangents, strong)
            if not strong and has_nan(found):
                found = self._push(tangents, True)
        return [None if t is None else fitted(t, o) for t, o in zip(found, self.outputs, strict=True)]

    def _push(self, tangents: Sequence[Any], strong: bool) -> list[Any]:
        tan: list[Any] = [None] * self.length
        tan[: len(tangents)] = tangents
        last = self._last_writes()
        it = iter(self.records)
        for rule, n, i, j, x, y, v, t in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            if rule is pull_write:
                push_write(tan, n, i, j, x, y, v, t, n in last)
                continue
            rules = RULES[rule]
            (rules.strong_push if strong else rules.push)(tan, n, i, j, x, y, v, t)
            if last and rules.primitive.is_lens:  # a view of a tangent would make the next write copy it
                if type(tan[n]) is np.ndarray:
                    tan[n] = tan[n].copy(order="K")
                else:
                    own_buffer(tan[n])
        return [tan[p] if p >= 0 else None for p in self.places]

    def _last_writes(self) -> set[int]:
        """Return the writes after which nothing reads the version before."""
        if pull_write not in self.records[::FIELDS]:
            return set()
        later = set(self.places)
        found = set()
        it = reversed(self.records)
        for _t, _v, _y, _x, j, i, n, rule in zip(it, it, it, it, it, it, it, it):  # noqa: B905
            if rule is pull_write and i >= len(self.inputs) and i not in later:
                found.add(n)
            later.update(i if isinstance(i, tuple) else (i,))
            if isinstance(j, int):
                later.add(j)
        return found


def is_program(x: Any) -> bool:
    """Tell whether a program is being written on one of the levels below."""
    while type(x) is TracedArray:
        if x.recorder.program:
            return True
        x = x.value
    return False


def writes_program(values: Sequence[Any]) -> bool:
    """Tell whether a program is being written on a level below any of the values."""
    for x in values:
        if type(x) is TracedArray and is_program(x):
            return True
    return False


def has_nan(values: Sequence[Any]) -> bool:
    """Tell whether any array holds a NaN, without recording guards."""
    for x in values:
        if x is not None:
            if type(x) is TracedArray:
                x = innermost(x)
            if type(x) is not np.ndarray:
                total = x
            elif x.ndim == 1 and len(x) <= 1000:
                total = x.dot(x)  # of small arrays, in a third of the time of their minimum
            elif x.size:
                total = np.minimum.reduce(x, axis=None)  # of large ones, in 0.6 of the time of their sum
            else:
                continue
            if total != total:
                return True
    return False


def fitted(g: Any, x: Any) -> Any:
    """Give a derivative the shape and dtype of the value that it belongs to.

    The cotangent of a full sum is one number until then.  Records with a Python number take the result's dtype to
    be the operand's, but some ufuncs of SciPy answer in double precision then, as all do for float16.
    """
    if type(g) is TracedArray:
        if type(x) is TracedArray and g.kind is x.kind is not None:
            return g
    elif type(x) is np.ndarray and g.shape == x.shape and g.dtype is x.dtype:
        return g
    kind = type_of(x)
    g = written_out(g, kind)
    return g if g.dtype == kind.dtype else convert(g, kind.dtype)


def zeros_like(x: Any) -> Any:
    """Return plain zeros of the type of a value."""
    kind = type_of(x)
    return np.zeros(kind.shape, kind.dtype) if kind.shape else kind.dtype.type(0)
