"""Computations made for a shape give what the formulas give in double precision, at every size and range."""

from __future__ import annotations

import numpy as np
import pytest

import funcdiff.compat.torch  # noqa: F401  (which must be imported first)
from funcdiff.compat.torch.ops import by_shape

SHAPES = [
    ((7,), (0,)),
    ((1,), (0,)),
    ((40,), (0,)),
    ((3, 4), (1,)),
    ((3, 4), (0,)),
    ((20, 3), (1,)),
    ((3, 20), (0,)),
    ((20, 20), (1,)),
    ((30, 40), (1,)),
    ((2, 3, 4), (2,)),
    ((2, 3, 4), (0, 2)),
    ((3, 4), (0, 1)),
    ((0, 3), (1,)),
]
RANGES = {
    "usual": (0, 1),
    "large": (0, 30),
    "far up": (60, 1),
    "far down": (-60, 3),
    "overflowing": (200, 100),
    "equal": (2.7, 0),
}
TOLERANCE = {"f": 3e-6, "d": 1e-12, "e": 2e-2}


def values(shape, kind, where, seed=0):
    middle, spread = RANGES[where]
    return (middle + spread * np.random.default_rng(seed).standard_normal(shape)).astype(kind)


def close(found, expected, kind, scale=1.0):
    assert found.dtype == np.dtype(kind)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, TOLERANCE[kind], scale * TOLERANCE[kind])


each = pytest.mark.parametrize("where", RANGES)
kinds = pytest.mark.parametrize("kind", "fde")
shapes = pytest.mark.parametrize(("shape", "axis"), SHAPES)


@each
@kinds
@shapes
def test_softmax(shape, axis, kind, where):
    x = values(shape, kind, where)
    wide = x.astype(np.float64)
    if x.size:
        wide = wide - wide.max(axis, keepdims=True)
    sums = np.exp(wide).sum(axis, keepdims=True)
    logs = wide - np.log(sums)
    scale = max(1.0, np.abs(wide).max(initial=0.0))
    with np.errstate(all="ignore"):
        close(by_shape.softmax(shape, kind, axis)(x), np.exp(wide) / sums, kind)
        close(by_shape.log_softmax(shape, kind, axis)(x), logs, kind, 10 + scale)


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
@each
@kinds
@shapes
def test_variance(shape, axis, kind, where, keepdims, correction):
    x = values(shape, kind, where)
    with np.errstate(all="ignore"):
        made = by_shape.variance(shape, kind, axis, correction, keepdims)(x)
        if len(axis) == 1 and shape[axis[0]] == 1 and correction:
            assert np.isnan(made).all()
            return
        expected = np.var(x.astype(np.float64), axis, ddof=correction, keepdims=keepdims)
    close(np.asarray(made), np.asarray(expected), kind, max(1.0, np.abs(expected).max(initial=0.0)))
    if where == "equal" and kind != "d":
        assert (np.asarray(made) == 0).all()


@each
@kinds
@shapes
def test_layers(shape, axis, kind, where):
    x, t = values(shape, kind, where), values(shape, kind, "usual", 1)
    wide = x.astype(np.float64)
    d = wide - wide.mean(axis, keepdims=True) if x.size else wide
    scale = 1 / np.sqrt((d * d).mean(axis, keepdims=True) + 1e-2)
    size = np.abs(wide).max(initial=1.0)
    close(by_shape.standardized(shape, kind, axis, 1e-2)(x), d * scale, kind, 10 * size)
    inverse = by_shape.inverse_deviation(shape, kind, axis, 1e-2)(x)
    close(inverse, np.broadcast_to(scale, shape), kind, 10 * size)
    y = (d * scale).astype(kind)
    expected = t - t.mean(axis, keepdims=True) - y * (t * y).mean(axis, keepdims=True)
    close(by_shape.centred_against(shape, kind, axis)(t, y), expected, kind, 10)
