"""Running maximum and minimum: what ``numpy.maximum.accumulate`` computes."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.declare import general, locally_constant
from funcdiff.core.primitive import Function
from funcdiff.primitives.reduction import recurrence
from funcdiff.primitives.selection import where


def _running_ties(x: Any, out: Any, *, axis: int) -> tuple[Any, Any, Any]:
    """Return where x attains the extremum, where that is the previous one, and how often it was met."""
    attains = np.equal(x, out) | (np.not_equal(x, x) & np.not_equal(out, out))
    real = x.dtype.type(0).real.dtype
    same = np.zeros(out.shape, real)
    late, early = (slice(None),) * axis + (slice(1, None),), (slice(None),) * axis + (slice(-1),)
    new, old = out[late], out[early]
    same[late] = np.equal(new, old) | (np.not_equal(new, new) & np.not_equal(old, old))
    return attains, same, recurrence(same, attains.astype(real), axis=axis)


running_ties: Function = locally_constant(
    _running_ties,
    name="running_ties",
    batch=lambda values, flags, size, *, axis: running_ties(*values, axis=axis + 1),
    multiple_outputs=True,
    doc="What the derivative of a running extremum reads.",
)


def _jvp(t: Any, out: Any, x: Any, *, axis: int) -> Any:
    attains, same, count = running_ties(x, out, axis=axis)
    return recurrence(same, where(attains, t, 0), axis=axis) / count


def _samples(rng: np.random.Generator) -> Any:
    return [((rng.standard_normal((2, 6)),), {"axis": 1}), ((rng.standard_normal((5, 2)),), {"axis": 0})]


def _running_maximum(x: Any, *, axis: int) -> Any:
    return np.maximum.accumulate(x, axis=axis)


def _running_minimum(x: Any, *, axis: int) -> Any:
    return np.minimum.accumulate(x, axis=axis)


running_maximum: Function = general(
    _running_maximum,
    jvps=[_jvp],
    batch=lambda values, flags, size, *, axis: running_maximum(values[0], axis=axis + 1),
    name="running_maximum",
    samples=_samples,
    holomorphic=False,
    doc="Maximum of the elements so far; those that tie share the derivative equally.",
)
running_minimum: Function = general(
    _running_minimum,
    jvps=[_jvp],
    batch=lambda values, flags, size, *, axis: running_minimum(values[0], axis=axis + 1),
    name="running_minimum",
    samples=_samples,
    holomorphic=False,
    doc="Minimum of the elements so far; those that tie share the derivative equally.",
)
