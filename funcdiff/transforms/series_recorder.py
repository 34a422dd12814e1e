"""The recorders of Taylor mode: what they carry through each kind of primitive, and when it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.matching import match_tangent
from funcdiff.core.mutation import Cell, Path, update
from funcdiff.core.primitive import (
    Elementwise,
    Linear,
    LocallyConstant,
    Multilinear,
    Primitive,
    call_rules,
)
from funcdiff.core.recording import Recorder, TracedArray, box
from funcdiff.primitives.update import update_at
from funcdiff.transforms import series as rules
from funcdiff.transforms.record_rules import general_tangent
from funcdiff.transforms.reverse import constants
from funcdiff.transforms.series import Coefficient, Series


class SeriesRecorder(Recorder):
    """Carries series through primitives; `keep` says when their coefficients are computed."""

    constant_place = None
    name = "a Taylor-mode transform (jet, laplacian)"

    def __init__(self, strong: bool) -> None:
        super().__init__()
        self.strong = strong

    def keep(self, made: Sequence[Series]) -> list[Series | None]:
        """Return what the traced arrays of the outputs of one primitive carry."""
        raise NotImplementedError

    def inner(self) -> SeriesRecorder:
        """Return a recorder on which a rule is evaluated."""
        raise NotImplementedError

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        series = [a.place if type(a) is TracedArray and a.recorder is self else None for a in args]
        values = [a.value if type(a) is TracedArray and a.recorder is self else a for a in args]
        if all(s is None for s in series):
            out = primitive.function(*values, **params)
            return constants(out, self, always=not isinstance(primitive, LocallyConstant))
        custom = call_rules(primitive, params)
        if custom is not None:
            return self.call(custom, primitive, values, series, params)
        out = primitive.function(*values, **params)
        match primitive:
            case LocallyConstant():
                return out if primitive.way_out else constants(out, self)
            case Linear():
                made: Any = Series((), rules.linear(primitive.function, series, values, params))
            case Multilinear():
                made = Series((), rules.multilinear(primitive.function, series, values, params))
            case Elementwise():
                made = Series()
                made.rule = rules.elementwise(self, primitive, made, out, series, values)
            case _:

                def tangent(_inner: Any, n: int, t: Any, o: Any, x: Any) -> Any:
                    return general_tangent(primitive, n, t, o, x, params)  # type: ignore[arg-type]

                made = rules.general(self, rules.one_by_one(tangent), out, series, values)
        return self.wrap(out, made)

    def call(
        self,
        custom: Any,
        primitive: Primitive,
        values: Sequence[Any],
        series: Sequence[Any],
        params: dict[str, Any],
    ) -> Any:
        """Apply a function with custom rules: its forward rule is evaluated on series."""

        def tangents(inner: SeriesRecorder, t: Sequence[Any], _out: Any, x: Sequence[Any]) -> Any:
            return custom.forward(inner.level + 1, x, t)[1]

        out = self.call_value(custom, primitive, values, series, params)
        return self.wrap(out, rules.general(self, tangents, out, series, values))

    def call_value(
        self, _custom: Any, primitive: Primitive, values: Sequence[Any], _series: Sequence[Any], params: Any
    ) -> Any:
        """Evaluate a function with custom rules."""
        return primitive.function(*values, **params)

    def wrap(self, out: Any, made: Any) -> Any:
        """Make traced arrays of outputs and their series."""
        if not isinstance(out, tuple):
            return box(out, self, self.keep([_matched(made, out)])[0])
        inexact = [type_of(o).dtype.kind in "fc" for o in out]
        kept = iter(self.keep([_matched(s, o) for s, o, i in zip(made, out, inexact, strict=True) if i]))
        return tuple(box(o, self, next(kept)) if i else o for o, i in zip(out, inexact, strict=True))


def _matched(made: Series, out: Any) -> Series:
    """Let every coefficient have the type of the value."""
    rule, kind = made.rule, type_of(out)

    def matched(k: int) -> Coefficient:
        found = rule(k)  # type: ignore[misc]
        return None if found is None else match_tangent(found, kind)

    made.rule = matched
    return made


class JetRecorder(SeriesRecorder):
    """Computes every coefficient at once, up to an order; `collapse` may then reduce the last one."""

    def __init__(self, order: int, strong: bool, collapse: Callable[[Any], Any] | None = None) -> None:
        super().__init__(strong)
        self.length = order
        self.collapse = collapse
        self.unfinished: list[Series] = []

    def inner(self) -> SeriesRecorder:
        return RuleRecorder(self.strong, self.unfinished)

    def keep(self, made: Sequence[Series]) -> list[Series | None]:
        with np.errstate(all="ignore"):  # the user's own warnings came with the value
            for series in made:
                series.order(self.length)
        for series in (*made, *self.unfinished):
            series.rule = None  # rules refer to series and series to rules: leave no cycles
        self.unfinished.clear()
        if self.collapse is not None:
            for series in made:
                if series[-1] is not None:
                    series[-1] = self.collapse(series[-1])
        return [None if all(c is None for c in series) else series for series in made]

    def call_value(
        self, custom: Any, primitive: Primitive, values: Sequence[Any], series: Sequence[Any], params: Any
    ) -> Any:
        # the first order by the ordinary route, which checks what the rule returns and closes over
        first = [None if s is None else s.order(1) for s in series]
        return custom.forward(self.level, values, first)[0]

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        new = None
        if type(value) is TracedArray and value.recorder is self:
            new = value.place
            value = value.value
        update(x, value, path)
        if new is None and x.place is None:
            return
        kind = type_of(x.value)
        old = [None] * self.length if x.place is None else list(x.place)
        x.place = None  # so that a coefficient that nobody else holds is written in place
        for k in range(self.length):
            written = None if new is None else new[k]
            if old[k] is None and written is None:
                continue
            cell = Cell(np.zeros(kind.shape, kind.dtype) if old[k] is None else old[k])
            old[k] = None
            update(cell, 0.0 if written is None else written, path)
            old[k] = cell.value
        x.place = Series(old)


class RuleRecorder(SeriesRecorder):
    """Evaluates a rule on series, coefficient by coefficient as they are asked for."""

    def __init__(self, strong: bool, unfinished: list[Series]) -> None:
        super().__init__(strong)
        self.unfinished = unfinished

    def inner(self) -> SeriesRecorder:
        return RuleRecorder(self.strong, self.unfinished)

    def keep(self, made: Sequence[Series]) -> list[Series | None]:
        self.unfinished.extend(made)
        return list(made)

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        new = None
        if type(value) is TracedArray and value.recorder is self:
            new = value.place
            value = value.value
        kinds = [x.value, value]
        update(x, value, path)
        if new is not None or x.place is not None:
            rule = rules.linear(update_at, [x.place, new], kinds, {"path": path})
            (x.place,) = self.keep([Series((), rule)])
