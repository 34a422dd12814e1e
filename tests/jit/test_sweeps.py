"""Programs of slices under the native backend: index maps instead of copies, with the same answers as eager ones."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not
from funcdiff.jit.native.sweeps import Sweep, plan

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def heat(u: Any) -> Any:
    v = u.copy()
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
    v[1:-1, 1:-1] = u[1:-1, 1:-1] + 0.1 * (around - 4 * u[1:-1, 1:-1])
    return v


def padded(u: Any) -> Any:
    v = np.pad(u, 1)
    return u + 0.1 * (v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - 4 * u)


def periodic(u: Any) -> Any:
    around = sum(np.roll(u, by, axis) for by in (1, -1) for axis in range(u.ndim))
    return u + 0.1 * (around - 2 * u.ndim * u)


def line(u: Any) -> Any:
    v = u.copy()
    v[1:-1] = u[1:-1] + 0.3 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return v


def loss(step: Any, times: int = 1) -> Any:
    def f(u: Any) -> Any:
        for _ in range(times):
            u = step(u)
        return np.sum(u * u)

    return f


def dear(x: Any) -> Any:
    y = np.exp(-x)
    return np.sum(y[1:] * y[:-1] + np.sin(y[2:].sum()) * y[0])


def backwards(x: Any) -> Any:
    y = 2 * x
    return np.sum(y[::-1] * x + y[::-1][3:].sum())


def strided(x: Any) -> Any:
    y = x * x
    return np.sum(y[::2] * y[1::2]) + np.sum(y[-3::-2])


def spots(x: Any) -> Any:
    y = x * 1.0
    y[0] = y[1]
    y[-1] = -y[-2]
    y[3:7] += 2.0
    return np.sum(y[1:] * y[:-1])


def wave(x: Any) -> Any:
    return np.sum(np.diff(x, n=2) ** 2) + np.max(np.diff(x))


def broadcast(x: Any) -> Any:
    y = x[:, None] * x[None, :]
    return np.sum((y[1:, :-1] - y[:-1, 1:]) ** 2)


def transposed(x: Any) -> Any:
    y = np.sin(x)
    return np.sum((y.T[1:] - y[:, :-1].T) ** 2)


def of_a_sum(x: Any) -> Any:
    y = x / np.sum(x * x)
    z = y[1:] - y[:-1]
    return np.sum(z[1:] * z[:-1]) + np.sum(z) * np.max(x)


def masked(x: Any) -> Any:
    d = x[1:] - x[:-1]
    return np.sum(np.where(d > 0, d, 0.5 * d) ** 2)


def picked(x: Any) -> Any:
    y = np.tanh(x)
    z = y[1:] - y[:-1]
    return np.sum(z) * z[3] + y[0] * y[-1]


PROGRAMS = {
    "rosenbrock": (rosenbrock, (1000,)),
    "rosenbrock 67": (rosenbrock, (67,)),
    "heat": (loss(heat), (40, 40)),
    "heat, three steps": (loss(heat, 3), (24, 33)),
    "padded": (loss(padded), (40, 23)),
    "periodic": (loss(periodic), (40, 23)),
    "periodic line": (loss(periodic, 2), (100,)),
    "line, four steps": (loss(line, 4), (130,)),
    "columns": (loss(line), (130, 3)),
    "dear": (dear, (200,)),
    "backwards": (backwards, (201,)),
    "strided": (strided, (200,)),
    "spots": (spots, (99,)),
    "wave": (wave, (300,)),
    "broadcast": (broadcast, (50,)),
    "transposed": (transposed, (40, 40)),
    "of a sum": (of_a_sum, (75,)),
    "masked": (masked, (75,)),
    "picked": (picked, (2049,)),
    "cube": (loss(periodic), (9, 10, 11)),
}


def same(found: Any, expected: Any, scale: float = 1e-13) -> None:
    for a, b in zip(fd_leaves(found), fd_leaves(expected), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        size = max(1.0, np.abs(b).max(initial=0.0)) if np.isfinite(b).all() else 1.0
        if b.dtype == np.float32:
            scale = 2e-5
        np.testing.assert_allclose(a, b, rtol=scale, atol=scale * size)


def fd_leaves(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in fd_leaves(part)] if isinstance(x, tuple) else [x]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients(name, dtype):
    f, shape = PROGRAMS[name]
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    same(jit(f)(x), f(x))
    same(jit(fd.value_and_grad(f))(x), fd.value_and_grad(f)(x))


@pytest.mark.parametrize("name", ["rosenbrock", "line, four steps", "spots", "heat"])
def test_second_order(name):
    f, shape = PROGRAMS[name]
    rng = np.random.default_rng(1)
    x, v = rng.standard_normal(shape), rng.standard_normal(shape)

    def product(x, v):
        return fd.hvp(f, x, v)

    same(jit(product)(x, v), product(x, v), 1e-12)


def swept(f: Any, *args: Any) -> list[Sweep]:
    return [s for s in plan(jit(f).lower(*args).optimized) if isinstance(s, Sweep)]


def test_a_sweep_reads_its_input_once_and_keeps_nothing_in_memory():
    x = np.linspace(0.1, 0.9, 1000)
    (sweep,) = swept(fd.value_and_grad(rosenbrock), x)
    ((written, reduced),) = sweep.phases
    assert len(written) == 1
    assert len(reduced) == 1
    source = jit(fd.value_and_grad(rosenbrock)).lower(x).source
    assert len(re.findall(r"inner\d+:", source)) == 1
    assert "%arena" not in source


def test_what_is_dear_is_computed_once():
    (sweep,) = swept(lambda x: (lambda y: y[1:] * y[:-1])(np.exp(x)), np.zeros(100))
    assert [len(written) for written, _ in sweep.phases] == [1, 1]


def test_programs_without_slices_have_no_sweeps():
    assert not swept(fd.value_and_grad(lambda x: np.sum(np.exp(x) * x)), np.zeros(100))


@pytest.mark.parametrize("n", [63, 64, 65, 96, 97, 1024, 1025, 1030, 1033, 2048, 2049, 3 * 1024 + 7])
def test_ends_of_rows(n):
    x = np.random.default_rng(n).standard_normal(n)
    f = fd.value_and_grad(lambda x: np.sum(np.abs(x) * x) + np.max(x))
    same(jit(f)(x), f(x))
    y = np.random.default_rng(n).standard_normal((3, n))
    g = lambda y: (np.sum(y * y, axis=0), np.sum(y, axis=1), np.max(y, axis=1), np.min(y))  # noqa: E731
    same(jit(g)(y), g(y))


def test_infinities_and_missing_numbers_stay_where_they_are():
    u = np.random.default_rng(0).standard_normal((40, 40))
    u[3, 4], u[0, 7], u[39, 39] = np.inf, np.nan, -np.inf
    f = fd.value_and_grad(loss(heat))
    with np.errstate(all="ignore"):
        same(jit(f)(u), f(u))
        same(jit(heat)(u), heat(u))


def test_inputs_are_left_alone():
    u = np.random.default_rng(0).standard_normal((40, 40))
    before = u.copy()
    out = jit(heat)(u)
    again = jit(heat)(u + 1.0)
    assert np.array_equal(u, before)
    assert not np.shares_memory(out, again)
