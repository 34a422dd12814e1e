"""Forward mode: every traced array carries its tangent, and nothing is kept.

As in reverse mode, products are ordinary ones at first; if a tangent of the result holds a NaN, the
function is run again with strong rules, in which a zero tangent stays zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.matching import match_tangent
from funcdiff.core.mutation import Cell, Path, update
from funcdiff.core.primitive import LocallyConstant, Primitive, call_rules
from funcdiff.core.recording import Recorder, TracedArray, box, box_inputs, output
from funcdiff.core.watching import WATCHER
from funcdiff.transforms.float_errors import without_rules
from funcdiff.transforms.record_rules import out_tangent
from funcdiff.transforms.reverse import constants, rolled_first
from funcdiff.transforms.sweeps import has_nan, writes_program


class ForwardRecorder(Recorder):
    """Computes tangents while the function runs."""

    constant_place = None
    name = "a forward-mode transform (jvp, jacfwd, …)"

    def __init__(self, strong: bool) -> None:
        super().__init__()
        self.strong = strong
        self.forward = not strong  # the fast path multiplies by ordinary products

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        tangents = [a.place if type(a) is TracedArray and a.recorder is self else None for a in args]
        values = [a.value if type(a) is TracedArray and a.recorder is self else a for a in args]
        active = any(t is not None for t in tangents)
        custom = call_rules(primitive, params) if active else None
        if custom is not None:
            found = custom.forward(self.level, values, tangents)
            if found is not None:
                out, t = found
                return self._wrap(out, t)
        out = primitive.function(*values, **params)
        if isinstance(primitive, LocallyConstant):
            return out if primitive.way_out else constants(out, self)
        if not active:
            return constants(out, self, always=True)
        kinds = [type_of(v) for v in values]
        return self._wrap(out, out_tangent(primitive, tangents, out, values, kinds, params, self.strong))

    def _wrap(self, out: Any, t: Any) -> Any:
        if isinstance(out, tuple):
            return tuple(
                box(o, self, None if s is None else match_tangent(s, type_of(o)))
                if type_of(o).dtype.kind in "fc"
                else o
                for o, s in zip(out, t, strict=True)
            )
        return box(out, self, None if t is None else match_tangent(t, type_of(out)))

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        t = None
        if type(value) is TracedArray and value.recorder is self:
            t = value.place
            value = value.value
        update(x, value, path)
        if t is not None or x.place is not None:
            if x.place is None:
                kind = type_of(x.value)
                x.place = np.zeros(kind.shape, kind.dtype)
            cell = Cell(x.place)
            x.place = None
            update(cell, 0.0 if t is None else t, path)
            x.place = cell.value


def push_forward(
    f: Callable[..., Any], values: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Run ``f`` on values with tangents; return the outputs and their tangents (None for zero)."""
    program = writes_program(values) or writes_program(tangents)
    f = rolled_first(f, values)
    outs, found = _run(f, values, tangents, strong=program)
    if not program and (writes_program(outs) or has_nan(found)):
        outs, found = _run(f, values, tangents, strong=True)
    return outs, found


def _run(
    f: Callable[..., Any], values: Sequence[Any], tangents: Sequence[Any], strong: bool
) -> tuple[list[Any], list[Any]]:
    watcher = WATCHER.get()
    recorder = ForwardRecorder(strong) if watcher is None else watcher.forward(True)
    boxes = box_inputs(values, recorder, tangents)
    with recorder, without_rules():
        out = f(*boxes)
        outs = [output(o, recorder) for o in (out if isinstance(out, (list, tuple)) else (out,))]
    return [o for o, _ in outs], [t for _, t in outs]
