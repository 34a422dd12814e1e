"""Numerical integration and differentiation in plain NumPy, for the methods of the other files."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

NEGLIGIBLE = 42.0
"""Nepers by which an integrand may have fallen where it is cut off: exp(-42) is 6e-19."""


@functools.cache
def gauss_legendre(count: int) -> tuple[Any, Any]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def reach(fall: Callable[[Any], Any], shape: tuple[int, ...], most: float = 1e4) -> Any:
    """Return where the increasing function `fall` attains `NEGLIGIBLE`, by bisection of the logarithm."""
    low, high = np.full(shape, math.log(1e-9)), np.full(shape, math.log(most))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(14):  # one percent is more than enough
            middle = (low + high) / 2
            enough = ~(fall(np.exp(middle)) < NEGLIGIBLE)
            high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.exp(high)


def integrate(integrand: Callable[[Any], Any], start: Any, end: Any, count: int) -> Any:
    """Integrate along a new last axis from start to end, by the Gauss-Legendre rule."""
    nodes, weights = gauss_legendre(count)
    length = np.asarray(end - start)[..., None]
    points = np.asarray(start)[..., None] + length * nodes
    return np.sum(integrand(points) * weights, axis=-1) * length[..., 0]


def cauchy(
    f: Callable[[Any], Any],
    a: Any,
    order: int,
    radius: Any,
    *,
    real: bool = True,
    within: int = 0,
    count: int = 16,
) -> Any:
    """Derivative of an analytic function by Cauchy's integral over a circle of that radius about `a`.

    The trapezoidal rule on the circle converges geometrically (Lyness & Moler 1967), and nothing cancels as
    it does in finite differences; the radius should be an eighth of the distance to a singularity.  `f` is called
    with a new first axis; `within` counts the circles about other parameters that have added theirs already.
    A function that is `real` on the real axis is evaluated on half of the circle.
    """
    if order == 0:
        return f(a)
    count += 2 * (order // 2)
    real = real and not within
    used = count // 2 if real else count
    turn = np.exp(2j * np.pi * (np.arange(used) + 0.5) / count).reshape(-1, *(1,) * (np.ndim(a) + within))
    values = f(a + radius * turn)
    values = values * turn.reshape(-1, *(1,) * (np.ndim(values) - 1)) ** -order
    total = 2 * np.sum(values, axis=0).real if real else np.sum(values, axis=0)
    return math.factorial(order) * total / (count * np.asarray(radius) ** order)
