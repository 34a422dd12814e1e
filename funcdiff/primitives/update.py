"""The functional form of an in-place write, as it stands on a tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.declare import linear
from funcdiff.core.matching import match
from funcdiff.core.mutation import Path, add_through, empty_sum, through, write_plain
from funcdiff.core.primitive import Function
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import reshape, transpose
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


# --- reading through a path -----------------------------------------------------------------------


def _view(x: Any, *, path: Path) -> Any:
    return through(x, path)


def _ending_in_an_index(path: Path) -> Path:
    return path if "index" in path[-1][1] else (*path, (getitem, {"index": Ellipsis}))


def _accumulate(holder: Any, g: Any, kind: ArrayType, *, path: Path) -> None:
    if not all(lens.is_lens for lens, _ in path):  # type: ignore[attr-defined]
        g = _transpose_view(g, kind, path=path)
        holder.value = g if holder.value is None else holder.value + g
        return
    if holder.value is None:
        holder.value = empty_sum(kind, g)
    add_through(holder, g, _ending_in_an_index(path))


def _transpose_view(g: Any, x: ArrayType, *, path: Path) -> Any:
    kinds = [x]
    for lens, params in path:
        kinds.append(type_of(lens(np.broadcast_to(np.zeros((), x.dtype), kinds[-1].shape), **params)))
    for (lens, params), kind in zip(reversed(path), reversed(kinds[:-1]), strict=True):
        g = match(lens.primitive.transposes[0](g, kind, **params), kind)  # type: ignore[attr-defined]
    return g


def path_over_batch(path: Path, shape: tuple[int, ...], size: int) -> tuple[Path, tuple[int, ...]]:
    """Return the path that does in a batch what `path` does in an example, and the shape it leads to."""
    steps = []
    for lens, settings in path:
        steps.append((lens, lens.primitive.batch_params(settings, shape, size)))  # type: ignore[attr-defined]
        shape = lens(np.broadcast_to(0, shape), **settings).shape
    return tuple(steps), shape


def _batch_view(values: Any, _flags: Any, size: int, *, path: Path) -> Any:
    x = values[0]
    if all(lens.is_lens for lens, _ in path):  # type: ignore[attr-defined]
        return view(x, path=path_over_batch(path, x.shape[1:], size)[0])
    for lens, params in path:
        x = lens.primitive.batch([x], [True], size, **params)  # type: ignore[attr-defined]
    return x


view: Function = linear(
    _view,
    _transpose_view,
    batch=_batch_view,
    accumulate=_accumulate,
    name="view",
    samples=lambda rng: [
        (
            (rng.standard_normal((2, 3)),),
            {
                "path": (
                    (transpose, {"axes": (1, 0)}),
                    (reshape, {"shape": (6,)}),
                    (getitem, {"index": slice(1, 4)}),
                )
            },
        ),
        (
            (rng.standard_normal(6),),
            {"path": ((getitem, {"index": slice(None, None, -1)}), (reshape, {"shape": (2, 3)}))},
        ),
    ],
    doc="What a view shows of its root: several lenses in one record, so that re-reading it costs its own size.",
)
