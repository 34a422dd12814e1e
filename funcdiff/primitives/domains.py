"""Where the elementwise primitives are sampled by the tests: intervals and shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Interval = tuple[float, float]

REALS = (-2.0, 2.0)
POSITIVE = (0.3, 3.0)
UNIT = (0.05, 0.95)
AROUND_ZERO = (-0.9, 0.9)


def on(*intervals: Interval) -> Callable[[np.random.Generator], Any]:
    """Return a sampler that draws one real argument per interval: equal shapes, broadcast, scalar, empty."""

    def samples(rng: np.random.Generator) -> Any:
        shapes = [(2, 1) if n else (1, 3) for n in range(len(intervals))]
        return [
            (tuple(rng.uniform(low, high, 3) for low, high in intervals), {}),
            (tuple(rng.uniform(low, high, s) for (low, high), s in zip(intervals, shapes, strict=True)), {}),
            (tuple(rng.uniform(low, high) for low, high in intervals), {}),
            (tuple(rng.uniform(low, high, 0) for low, high in intervals), {}),
        ]

    return samples


def orders(*interval: float) -> Callable[[np.random.Generator], Any]:
    """Return a sampler for functions of an order, here an integer array, and an argument."""

    def samples(rng: np.random.Generator) -> Any:
        low, high = interval
        return [
            ((np.array([0, 1, 3]), rng.uniform(low, high, 3)), {}),
            ((np.array([[1], [2]]), rng.uniform(low, high, 3)), {}),
            ((2, rng.uniform(low, high)), {}),
        ]

    return samples


def complex_plane(rng: np.random.Generator) -> Any:
    """Sample complex arguments away from the axes."""

    def draw(shape: tuple[int, ...]) -> Any:
        return rng.uniform(0.3, 2.0, shape) * np.exp(1j * rng.uniform(0.2, 1.3, shape))

    return [((draw((3,)),), {}), ((-draw((2, 3)),), {}), ((draw(()),), {})]
