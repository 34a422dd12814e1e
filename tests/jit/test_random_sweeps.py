"""Random programs of slices, gathers and sums under the native backend: the answers of eager ones."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")


def random_program(seed: int) -> tuple[Callable[[Any], Any], Any]:
    """Return a function of one array that gives several, and a point."""
    random = Random(seed)
    rank = random.choice([1, 1, 1, 2, 2, 3])
    shape = tuple(
        random.choice({1: [17, 40, 65, 130, 1030], 2: [5, 18, 33], 3: [3, 6, 9]}[rank]) for _ in range(rank)
    )
    steps = [random.randrange(1 << 30) for _ in range(random.randint(2, 9))]

    def f(x: Any) -> Any:
        values = [x]
        for step in steps:
            values += [v for v in [statement(Random(step), values)] if 0 not in v.shape]
        return [v for v in values[1:] if v is not x][-3:]

    return f, np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype(
        random.choice([float, float, np.float32])
    )


def statement(random: Random, values: list[Any]) -> Any:
    x = random.choice(values[-4:])
    match random.randrange(14):
        case 0:
            return random.choice([np.sin, np.tanh, np.exp, np.square, np.negative, np.abs])(x) * 0.7
        case 1 | 2:
            a, b = overlapping(random, x, random.choice(values[-4:]))
            return random.choice([np.add, np.subtract, np.multiply, np.maximum])(a, b)
        case 3 | 4:
            return x[key(random, x.shape)]
        case 5:
            y = x.copy()
            k = key(random, x.shape, steps=(1, 1, 1, 2, -1))
            y[k] = random.choice([0.5, y[k] * 2.0, y[k] + random.choice([1.0, y.sum()])])
            return y
        case 6:
            y = x * 1.0
            k = key(random, x.shape)
            y[k] += random.choice([1.0, y[k], np.sin(x[k])])
            return y
        case 7:
            return np.roll(x, random.choice([-2, -1, 1, 3]), random.randrange(x.ndim))
        case 8:
            axis = random.randrange(x.ndim)
            return (
                np.concatenate([x, random.choice([x[::-1], 2 * x])], axis=axis) if x.size < 3000 else x[:-1]
            )
        case 9:
            return np.pad(x, random.choice([1, 2])) if x.size < 3000 else -x
        case 10:
            return np.diff(x, axis=random.randrange(x.ndim)) * 1.5
        case 11:
            return random.choice([x.T, np.flip(x), np.where(x > 0.1, x, 0.3 * x)])
        case 12:
            return x * random.choice([np.sum(x) * 0.1, np.max(x), np.mean(x * x)])
        case _:
            return np.sum(x, axis=random.randrange(x.ndim), keepdims=True) * 0.3 + x


def key(random: Random, shape: tuple[int, ...], steps: tuple[int, ...] = (1, 1, 1, 1, 2, -1)) -> Any:
    found = []
    for n in shape:
        low, high = random.choice([0, 0, 1, 2]), n - random.choice([0, 0, 1, 2])
        step = random.choice(steps)
        found.append(
            slice(low, high, step) if step > 0 else slice(high - 1, None if low == 0 else low - 1, step)
        )
    if random.random() < 0.1 and len(shape) > 1:
        found[0] = random.randrange(-shape[0], shape[0])
    return tuple(found)


def overlapping(random: Random, x: Any, y: Any) -> tuple[Any, Any]:
    """Parts of two arrays that have a shape in common."""
    if len(x.shape) != len(y.shape):
        y = x
    keys: tuple[list[slice], list[slice]] = ([], [])
    for n, m in zip(x.shape, y.shape, strict=True):
        length = min(n, m)
        length = random.choice([length, max(length - 1, 1), max(length - 2, 1)])
        for found, whole in zip(keys, (n, m), strict=True):
            start = random.randint(0, min(whole - length, 3))
            found.append(slice(start, start + length))
    return x[tuple(keys[0])], y[tuple(keys[1])]


def check(seed: int) -> None:
    f, x = random_program(seed)

    def loss(x: Any) -> Any:
        return sum(np.sum(np.sin(v) * 0.5) for v in f(x))

    compiled, gradient = fd.jit(f, backend="native"), fd.jit(fd.value_and_grad(loss), backend="native")
    with np.errstate(all="ignore"):
        for point in (x, x[..., ::-1] * 0.5):
            near = point * point.dtype.type(1 + 2 * np.finfo(point.dtype).eps)
            expected, moved = ([*f(p), *fd.value_and_grad(loss)(p)] for p in (point, near))
            found = [*compiled(point), *gradient(point)]
            for a, b, c in zip(found, expected, moved, strict=True):
                close(a, b, c)


def close(found: Any, expected: Any, moved: Any) -> None:
    """Compare up to rounding, and what rounding the point does."""
    assert np.shape(found) == np.shape(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    size = np.nanmax(np.abs(expected), initial=1.0) if np.isfinite(expected).all() else 1.0
    condition = (
        np.nanmax(np.abs(np.subtract(moved, expected)), initial=0.0) if np.isfinite(moved).all() else 0.0
    )
    tolerance = 1e-4 if np.asarray(expected).dtype == np.float32 else 1e-11
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * size + 50 * condition)


@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed):
    check(seed)
