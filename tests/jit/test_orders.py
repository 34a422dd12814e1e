"""Nests of loops in another order than their axes, short last axes, and products of more axes than two."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native import lower
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")


def compare(f: Any, *args: Any) -> None:
    for a, b in zip(jit(f)(*args), f(*args), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14 * np.abs(b).max())


@pytest.mark.parametrize(
    "shape", [(26, 700, 3), (700, 26, 3), (300, 200), (9, 33, 65), (5, 5), (20, 20, 4, 3)]
)
def test_transpositions_and_what_is_done_on_the_way(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    y = np.random.default_rng(1).standard_normal(shape[-1])

    def f(x: Any, y: Any) -> Any:
        swapped = x.swapaxes(0, 1)
        return (
            swapped + np.sin(swapped[..., :1]),
            x.T * 2,
            np.max(swapped * y if len(shape) > 2 else swapped),
            np.sum(x, -1),
            np.sum(x.T, -1),
            np.sum(swapped * 2),
            (x * y).T.reshape(-1),
        )

    compare(f, x, y)
    compare(fd.grad(lambda x, y: sum(np.sum(v**2) for v in f(x, y)), (0, 1)), x, y)


def test_a_transposition_runs_along_its_shorter_axis(monkeypatch) -> None:
    spaces = []
    arranged = lower.Lowering.arranged

    def watched(self: Any) -> Any:
        found = arranged(self)
        spaces.extend(g.space for g in found[0] if g.space)
        return found

    monkeypatch.setattr(lower.Lowering, "arranged", watched)
    x = np.random.default_rng(0).standard_normal((4000, 26, 3))
    compare(lambda x: (x.transpose(1, 0, 2) + 1.0,), x)
    assert spaces == [(4000, 26)]


@pytest.mark.parametrize("shape", [(40, 30, 3), (6, 50, 2, 4)])
def test_gathers_and_writes_with_short_last_axes(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.standard_normal((shape[0], 25, *shape[2:]))
    rows, places = rng.integers(0, shape[1], (25,)), rng.permutation(shape[1])[:25]

    def f(x: Any, y: Any, rows: Any, places: Any) -> Any:
        z = x.copy()
        z[:, places] = y
        return x[:, rows], x[:, rows] * y, z, x[:, rows].swapaxes(0, 1)

    compare(f, x, y, rows, places)
    compare(lambda x, y: f(x, y, rows, places), x, y)

    def loss(x: Any, y: Any, rows: Any) -> Any:
        return np.sum(np.sin(x[:, rows]) * y)

    compare(fd.grad(loss, (0, 1)), x, y, rows)


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((30, 20), (20, 5, 7), 1),
        ((4, 30, 20), (20, 30), ((1, 2), (1, 0))),
        ((3, 40), (5, 40, 6), ((1,), (1,))),
        ((2, 3, 4), (4, 3, 5), ((2, 1), (0, 1))),
        ((30,), (30, 40), 1),
        ((30, 2), (20, 3), 0),
    ],
)
def test_tensordot(a: tuple[int, ...], b: tuple[int, ...], axes: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(a), rng.standard_normal(b)

    def f(x: Any, y: Any) -> Any:
        return np.tensordot(x, y, axes), np.tensordot(np.sin(x), y * 2, axes) + 1

    compare(f, x, y)
    compare(fd.grad(lambda x, y: np.sum(f(x, y)[1] ** 2), (0, 1)), x, y)
    compare(fd.vmap(f, (0, None)), np.stack([x, -x, x + 1]), y)
    compiled = jit(f)
    compiled(x, y)
    assert "def run" not in compiled.lower(x, y).source  # all of it is machine code
