"""Writing at indices that are arguments, so that a loop may count them and vmap may map over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.declare import general
from funcdiff.core.mutation import Path, add_through, write_plain
from funcdiff.core.primitive import REGISTRY, Function
from funcdiff.core.recording import TracedArray
from funcdiff.primitives.indexing import HOLE, fill, gather, getitem, scatter_add
from funcdiff.primitives.winners import read_written


def path_to(lenses: Path, template: tuple[Any, ...], arrays: Sequence[Any]) -> Path:
    """Return the path of a write whose index has these arrays in the holes of its template."""
    return (*lenses, (getitem, {"index": fill(template, arrays)}))


def hollow(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Return an index with holes in the place of its traced parts, and those."""
    items = index if type(index) is tuple else (index,)
    arrays = [i for i in items if type(i) is TracedArray]
    return tuple(HOLE if type(i) is TracedArray else i for i in items), arrays


def _put(x: Any, value: Any, *arrays: Any, lenses: Path, template: tuple[Any, ...]) -> Any:
    out = np.array(x)
    write_plain(out, value, path_to(lenses, template, arrays))
    return out


def _zeros(x: Any) -> Any:
    kind = type_of(x)
    return np.zeros(kind.shape, kind.dtype)


def _pull_x(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, **params: Any) -> Any:
    return put(g, 0.0, *arrays, **params)


def _pull_value(g: Any, _out: Any, _x: Any, _value: Any, *arrays: Any, lenses: Any, template: Any) -> Any:
    return read_written(g, path_to(lenses, template, arrays))


put: Function = general(
    _put,
    jvps=(
        lambda t, _out, _x, _value, *arrays, **params: put(t, 0.0, *arrays, **params),
        lambda t, _out, x, _value, *arrays, **params: put(_zeros(x), t, *arrays, **params),
    ),
    vjps=(_pull_x, _pull_value),
    batch=lambda values, flags, size, **params: None,  # by the batch recorder, see transforms/batch.py
    name="put",
    samples=lambda rng: [
        (
            (rng.standard_normal(4), rng.standard_normal(), np.int64(2)),
            {"lenses": (), "template": (HOLE,)},
        ),
        (
            (rng.standard_normal((4, 3)), rng.standard_normal(2), np.int64(-1)),
            {"lenses": (), "template": (HOLE, slice(1, 3))},
        ),
        (
            (rng.standard_normal((4, 3)), rng.standard_normal((3, 3)), np.array([0, 2, 2])),
            {"lenses": (), "template": (HOLE,)},
        ),
    ],
    doc="``x`` with a part replaced by a value, where integer parts of the index are arguments.",
)


def _push(tangents: Sequence[Any], _out: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    x, _value, *arrays = args
    t = _zeros(x) if tangents[0] is None else tangents[0]
    return put(t, 0.0 if tangents[1] is None else tangents[1], *arrays, **params)


REGISTRY["put"].push = _push  # type: ignore[attr-defined]  # both tangents in one write


def _is_single(arrays: Sequence[Any], template: tuple[Any, ...]) -> bool:
    """Tell whether an index reads no element twice: integers and basic parts only."""
    return all(not type_of(a).shape for a in arrays) and not any(isinstance(i, np.ndarray) for i in template)


def _accumulate(holder: Any, g: Any, x: Any, *arrays: Any, template: tuple[Any, ...]) -> None:
    """Add the cotangent of `gather` in place, where it is certain that no element is read twice."""
    kind = type_of(x)
    if holder.value is None:
        holder.value = np.zeros(kind.shape, kind.dtype)
    if not any(type(a) is TracedArray for a in arrays):
        add_through(holder, g, path_to((), template, arrays))
    elif _is_single(arrays, template):
        total = gather(holder.value, *arrays, template=template) + g
        holder.value = put(holder.value, total, *arrays, lenses=(), template=template)
    else:
        holder.value = holder.value + scatter_add(g, *arrays, shape=kind.shape, template=template)


REGISTRY["gather"].accumulate = _accumulate  # type: ignore[attr-defined]
