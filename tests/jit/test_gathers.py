"""Reading, writing and adding at arrays of integers under the native backend."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
RNG = np.random.default_rng(0)
LINE, SQUARE, NARROW, CUBE = RNG.random(50), RNG.random((30, 20)), RNG.random((30, 3)), RNG.random((7, 30, 4))


def squared(read: Any) -> Any:
    return fd.value_and_grad(lambda x: np.sum(np.sin(read(x)) ** 2))


def replaced(at: Any, value: Any) -> Any:
    def f(x: Any) -> Any:
        y = x * 1.0
        y[at] = value(x)
        return np.sum(y * y)

    return fd.value_and_grad(f)


def programs(n: int) -> dict[str, tuple[Any, Any]]:
    i, j, k = RNG.integers(-50, 50, n), RNG.integers(0, 20, n), RNG.integers(-30, 30, n)
    return {
        "line": (squared(lambda x: x[i]), LINE),
        "take": (squared(lambda x: np.take(x, i)), LINE),
        "list": (squared(lambda x: x[[1, -1, 3, 3]]), LINE),
        "of a value": (squared(lambda x: np.exp(x)[i] * x[i]), LINE),
        "matrix of places": (squared(lambda x: x[i[:, None]] * x[i]), LINE),
        "new axes": (squared(lambda x: x[i[:9], None] * x[None, j[:9]]), LINE),
        "rows": (squared(lambda x: x[k]), SQUARE),
        "short rows": (squared(lambda x: x[k]), NARROW),
        "columns": (squared(lambda x: x[:, j]), SQUARE),
        "points": (squared(lambda x: x[k, j]), SQUARE),
        "points of a slice": (squared(lambda x: x[1:5:2, k, ::-1]), CUBE),
        "places apart": (squared(lambda x: x[k % 7, :, k % 4]), CUBE),
        "mask": (squared(lambda x: x[(np.arange(600).reshape(30, 20) * n) % 3 == 0]), SQUARE),
        "bincount": (lambda w: np.bincount(j, weights=w, minlength=20), RNG.random(n)),
        "one number": (replaced(i, lambda x: 2.0 * x[:1]), LINE),
        "numbers": (replaced(i, lambda x: np.sin(x[j])), LINE),
        "of a view": (squared(lambda x: x[7:][i % 40] * x.reshape(5, 10)[1:, 3][i % 4]), LINE),
        "float32": (squared(lambda x: x[i]), LINE.astype(np.float32)),
    }


@pytest.mark.parametrize("n", [9, 40, 1037])
@pytest.mark.parametrize("name", programs(9))
def test_known_places(name, n):
    f, x = programs(n)[name]
    compiled = jit(f)
    for point in (x, x[::-1].copy()):
        same(compiled(point), f(point))
    assert "define i32" in compiled.lower(x).source


@pytest.mark.parametrize("n", [3, 9, 100, 1037])
def test_places_of_each_example(n):
    x, i = RNG.random((n, 20)), RNG.integers(-20, 20, n)
    same(jit(fd.vmap(lambda x, i: x[i]))(x, i), x[np.arange(n), i])
    many = RNG.integers(0, 20, (n, 3))
    f = fd.vmap(fd.grad(lambda x, i: np.sum(x[i] ** 2)))
    same(jit(f)(x, many), f(x, many))


@pytest.mark.parametrize("bad", [20, -21, 1 << 40])
@pytest.mark.parametrize("n", [9, 100])
def test_places_out_of_bounds_raise_as_eager_ones_do(n, bad):
    x, i = RNG.random((n, 20)), np.arange(n) % 20
    compiled = jit(fd.vmap(lambda x, i: x[i]))
    same(compiled(x, i), x[np.arange(n), i])
    wrong = i.copy()
    wrong[n // 2] = bad
    with pytest.raises(IndexError, match="out of bounds"):
        x[np.arange(n), wrong]
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(x, wrong)
    same(compiled(x, i), x[np.arange(n), i])


def same(found: Any, expected: Any) -> None:
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        tolerance = 1e-5 if np.asarray(b).dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-13)


def leaves(x: Any) -> list[Any]:
    return list(x) if isinstance(x, tuple) else [x]


@pytest.mark.parametrize("n", [6, 18, 40])
def test_what_is_fetched_at_known_places_is_fetched_again_by_later_stages(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((n, 3, 1))
    add = lambda s: fd.vmap(lambda s: fd.numpy.zeros(2) + s * np.array([2.0, 1.0]))(s)  # noqa: E731

    def f(x):
        taken = x[:, np.array([0, 2]), np.array([0, 0])]
        sums = np.sum(x, (1, 2))
        later = np.max(sums)
        return taken + add(sums), taken + later, taken * later

    def written(x):
        y = x.copy()
        np.add.at(y, [0, 0, -1], x.sum())
        return y

    for g in (f, lambda v: fd.vmap(lambda v: fd.jvp(written, x[0], v)[1])(v)):
        for a, b in zip(jit(g)(x), g(x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
