"""Derivatives of small matrices in many directions: loops over directions, whose temporaries are vectors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.jit.native.engine import why_not
from funcdiff.jit.passes.stacked_products import keep_stacks
from funcdiff.transforms.trace import trace

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")
BATCHES = [3, 8, 9, 18, 26, 40]


def compare(f: Any, *args: Any) -> str:
    """Check that machine code gives what NumPy does; return the IR."""
    g = jit(f)
    for a, b in zip(fd.core.trees.flatten(g(*args))[0], fd.core.trees.flatten(f(*args))[0], strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    return str(g.lower(*args).source)


def chain(x: Any) -> Any:
    """Products of which every other one has to wait for a number of all of the matrix."""
    y = x
    for _ in range(4):
        y = y @ x + x.T
        y = y / np.sum(y * y)
    return y


def hidden(observed: list[int]) -> Any:
    """Forward algorithm; rows of the parameters are probabilities of what follows, and of what is seen."""

    def f(p: Any) -> Any:
        step, seen = (np.exp(part) / np.sum(np.exp(part), 1)[:, None] for part in (p[:3], p[3:]))
        state, total = seen[:, observed[0]] / 3, 0.0
        for o in observed[1:]:
            state = (state @ step) * seen[:, o]
            total = total + np.log(np.sum(state))
            state = state / np.sum(state)
        return total

    return f


@pytest.mark.parametrize("transform", [fd.hessian, fd.jacfwd, fd.jacrev])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_derivatives_of_products(transform: Any, n: int) -> None:
    x = np.random.default_rng(n).standard_normal((n, n))
    f = (lambda x: np.sum(chain(x) ** 2)) if transform is fd.hessian else chain
    source = compare(transform(f), x)
    assert "masked.scatter" not in source


def test_directions_of_a_recursion_are_one_loop_without_gathers() -> None:
    p = np.random.default_rng(0).standard_normal((6, 3))
    source = compare(fd.hessian(hidden([0, 1, 2, 1, 0, 2, 2, 1])), p)
    assert source.count("@llvm.masked.gather") < 100  # of constants, and what is written in NumPy's order
    assert "fd.matmul" not in source


@pytest.mark.parametrize("n", BATCHES)
def test_products_of_stacks_by_a_matrix(n: int) -> None:
    rng = np.random.default_rng(n)
    x, b, v = rng.standard_normal((n, 4, 4)), rng.standard_normal((4, 4)), rng.standard_normal(4)
    by_matrices = fd.vmap(lambda x, b, v: (x @ b @ b + x, x @ v, v @ x), (0, None, None))
    source = compare(by_matrices, x, b, v)
    assert "fd.matmul" not in source
    assert "fd.matvec" not in source


@pytest.mark.parametrize("n", BATCHES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_and_columns_of_a_product_are_loops(n: int, dtype: Any) -> None:
    rng = np.random.default_rng(n)
    x, b = (rng.standard_normal(shape).astype(dtype) for shape in ((n, 3), (3, 3)))
    f = lambda x, b: ((x * 2) @ b, b @ (x.T + 1), np.sum(x @ b, 0), (x @ b[0]) * x[:, 1])  # noqa: E731
    for a, c in zip(jit(f)(x, b), f(x, b), strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, c, rtol=1e-12 if dtype is np.float64 else 1e-4, atol=1e-5)


def test_what_else_reads_merged_rows_finds_them() -> None:
    def f(x: Any, b: Any) -> Any:
        rows = x.reshape(-1, 3)
        product = rows @ b
        return product.reshape(x.shape) * x, product[::2], (product @ b).reshape(x.shape), rows.sum(0)

    rng = np.random.default_rng(1)
    x, b = rng.standard_normal((7, 2, 3)), rng.standard_normal((3, 3))
    compare(f, x, b)
    tape = trace(f)(x, b)
    kept = keep_stacks(tape)
    kept.validate()
    shapes = [r.outputs[0].type.shape for r in kept.records if r.primitive.name == "matmul"]
    assert sorted(shapes) == [(7, 2, 3), (7, 2, 3), (14, 3)]


def test_large_matrices_of_a_stack_stay_merged() -> None:
    rng = np.random.default_rng(2)
    x, b = rng.standard_normal((5, 8, 8)), rng.standard_normal((8, 8))
    tape = trace(fd.vmap(lambda x: x @ b))(x)
    assert keep_stacks(tape) is tape


@pytest.mark.parametrize("n", BATCHES)
def test_temporaries_are_read_in_every_way(n: int) -> None:
    """What later stages read, in parts, turned, reshaped, put together, or as a result."""
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, 3, 4))

    def f(x: Any) -> Any:
        y = np.tanh(x) / (1.0 + np.max(x))  # wait for all of it, then for that
        z = y * np.sum(y)
        parts = np.stack([z, y], 1)
        whole = parts / np.sum(parts)
        places = np.argsort(x[:, 0, 0])
        return (
            whole[:, 1] - whole[:, 0],
            whole[1],
            (z / np.max(z)).transpose(1, 0, 2) * 2,
            (z / np.min(z)).reshape(n, 12) + 1,
            (z / np.min(z)).reshape(-1)[::3],
            np.sum(z * np.max(y), 0),
            (y * np.min(y))[places],
            np.concatenate([z, y], 0)[:, 2] / np.sum(z),
            np.concatenate([z, y], 2)[n // 2],
            z,
        )

    compare(f, x)


@pytest.mark.parametrize("n", [5, 9, 26])
def test_what_lies_in_memory_is_put_together_by_vectors(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((6, n, 4, 4))

    stacked = lambda x: np.stack([x[k] for k in (3, 1, 4, 0)], 1)  # noqa: E731
    assert "masked.gather" not in compare(stacked, x)
    compare(lambda x: np.concatenate([x[2, :, ::2], x[5, :, 1:]], 1), x)


def test_parts_of_short_axes_are_no_sweep() -> None:
    from funcdiff.jit.native.sweeps import plan

    def f(x: Any) -> Any:
        y = np.exp(x)
        return np.sum(y[:, :2] * y[:, 2:4])

    tape = trace(f)(np.ones((20, 6, 3)))
    assert list(plan(tape)) == list(tape.records)
    compare(fd.grad(f), np.random.default_rng(0).standard_normal((20, 6, 3)))


def test_what_a_loop_repeats_is_written() -> None:
    """Along axes that are loops of others: the space of (4, 4) has two, that of what is repeated one."""

    def f(x: Any) -> Any:
        v = np.broadcast_to(np.exp(x[:, 0, 0]), (4, 4))
        return v.copy(), v @ x[:, :, 1], np.stack([v, x[:, :, 0]])

    assert "define" in compare(f, np.random.default_rng(0).standard_normal((4, 4, 2)))


def test_a_tree_of_matrices_in_many_directions_is_a_loop() -> None:
    """Six fingers of four bones each, in 26 directions: some 10 000 numbers in few records."""

    def f(x: Any) -> Any:
        at = np.sin(x[:16]).reshape(4, 4)
        bones = np.tanh(x[:24, None, None] * at) + np.eye(4)
        found = []
        for finger in range(6):
            y = at
            for bone in range(4):
                y = y @ bones[4 * finger + bone]
                found.append(y)
        return np.stack(found)

    x = np.random.default_rng(0).standard_normal(26)
    source = compare(fd.jacfwd(f), x)
    assert "@kernel0.loop" in source
    assert source.count("\n") < 8000


@pytest.mark.parametrize("n", [5, 9, 26])
@pytest.mark.parametrize("count", [9, 16])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_many_entries_are_put_together_in_the_loops_around_them(n: int, count: int, axis: int) -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)
        entries = [y[..., k % 3] * k if k % 2 else np.zeros(x.shape[:-1]) for k in range(count)]
        entries[2], entries[4] = x[..., 0], np.ones_like(x[..., 0])
        whole = np.stack(entries, axis)
        parts = np.concatenate([e[..., None] for e in (*entries, y[..., 1])], 2)
        return whole, whole * 2 + np.cos(whole), parts, np.tanh(parts)

    x = np.random.default_rng(n).standard_normal((n, 22, 3))
    compare(f, x)
    compare(fd.jacfwd(lambda s: f(s * x)), 0.5)
