"""The functional form of an in-place write, as it stands on a tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import linear
from funcdiff.core.mutation import Path, write_plain
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.winners import read_written


def _update_at(x: Any, value: Any, *, path: Path) -> Any:
    out = np.array(x)
    write_plain(out, value, path)
    return out


def _transpose_x(g: Any, _x: Any, _value: Any, *, path: Path) -> Any:
    return update_at(g, 0.0, path=path)


def _transpose_value(g: Any, _x: Any, _value: Any, *, path: Path) -> Any:
    return read_written(g, path)


update_at = linear(
    _update_at,
    [_transpose_x, _transpose_value],
    name="update_at",
    samples=lambda rng: [
        ((rng.standard_normal(4), rng.standard_normal(2)), {"path": ((getitem, {"index": slice(1, 3)}),)}),
        ((rng.standard_normal((2, 3)), rng.standard_normal(3)), {"path": ((getitem, {"index": 1}),)}),
        (
            (rng.standard_normal(4), rng.standard_normal(3)),
            {"path": ((getitem, {"index": np.array([0, 2, 2])}),)},
        ),
    ],
    doc="``x`` with the part that a path of lenses leads to replaced by a value.",
)
