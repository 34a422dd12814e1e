"""Coordinates within layers: each thing near its neighbours, and none over another.

The layers and the order within them are given.  Sweeping down and up, each layer takes the places that
are nearest, in the least squares, to the means of its neighbours in the layer before, under the condition
that neighbours keep their distance; that is an isotonic regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(eq=False)
class Thing:
    """A box, a label, or a place where a long arrow crosses a layer."""

    width: float
    height: float
    weight: float = 1.0
    x: float = 0.0
    y: float = 0.0
    above: list[Thing] = field(default_factory=list)
    below: list[Thing] = field(default_factory=list)


SWEEPS = 24


def place(layers: Sequence[Sequence[Thing]], gap: float, between: float) -> None:
    """Give things their coordinates."""
    y = 0.0
    for layer in layers:
        height = max(t.height for t in layer)
        left = 0.0
        for t in layer:
            t.x = left + t.width / 2
            t.y = y + height / 2
            left += t.width + gap
        y += height + between
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            near = [t.above if down else t.below for t in layer]
            if sweep >= SWEEPS - 2:
                near = [[*t.above, *t.below] for t in layer]
            _settle(layer, near, gap)


def _settle(layer: Sequence[Thing], near: Sequence[Sequence[Thing]], gap: float) -> None:
    """Move the things of a layer towards their neighbours as far as their distances allow."""
    wanted = []
    weights = []
    for t, others in zip(layer, near, strict=True):
        total = sum(o.weight for o in others)
        wanted.append(sum(o.x * o.weight for o in others) / total if others else t.x)
        weights.append((t.weight + total) if others else 0.01)
    starts = [0.0]
    for a, b in pairwise(layer):
        starts.append(starts[-1] + (a.width + b.width) / 2 + gap)
    found = isotonic([w - s for w, s in zip(wanted, starts, strict=True)], weights)
    for t, x, s in zip(layer, found, starts, strict=True):
        t.x = x + s


def isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the non-decreasing sequence nearest to the values: neighbours out of order share their mean."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count
    for value, weight in zip(values, weights, strict=True):
        mean, total, count = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, w, n = blocks.pop()
            mean = (before * w + mean * total) / (w + total)
            total, count = total + w, count + n
        blocks.append((mean, total, count))
    return [mean for mean, _, count in blocks for _ in range(count)]
