"""The functional form of an in-place write, as it stands on a tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import linear
from funcdiff.core.mutation import Path, write, write_plain
from funcdiff.core.winners import read_written
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import broadcast_to


def _update_at(x: Any, value: Any, *, path: Path) -> Any:
    out = np.array(x)
    write_plain(out, value, path)
    return out


def _transpose_x(g: Any, _x: Any, _value: Any, *, path: Path) -> Any:
    return update_at(g, 0.0, path=path)


def _transpose_value(g: Any, _x: Any, _value: Any, *, path: Path) -> Any:
    return read_written(g, path)


def _batch(values: Any, flags: Any, size: int, *, path: Path) -> Any:
    """Write into a batch by the recorder that knows how."""
    from funcdiff.core.recording import box
    from funcdiff.transforms.batch import BatchRecorder

    recorder = BatchRecorder(size)
    x = box(values[0], recorder, bool(flags[0]))
    value = box(values[1], recorder, True) if flags[1] else values[1]
    write(x, value, path)
    out = x.value
    recorder.close()
    return out if x.place else broadcast_to(out, shape=(size, *out.shape))


update_at = linear(
    _update_at,
    [_transpose_x, _transpose_value],
    batch=_batch,
    name="update_at",
    samples=lambda rng: [
        ((rng.standard_normal(4), rng.standard_normal(2)), {"path": ((getitem, {"index": slice(1, 3)}),)}),
        ((rng.standard_normal((2, 3)), rng.standard_normal(3)), {"path": ((getitem, {"index": 1}),)}),
        ((rng.standard_normal(4), rng.standard_normal(3)), {"path": ((getitem, {"index": np.array([0, 2, 2])}),)}),
    ],
    doc="``x`` with the part that a path of lenses leads to replaced by a value.",
)

