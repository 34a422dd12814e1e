"""Norms, cross products and sums over indices are machine code, with the results NumPy has."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

jit = functools.partial(fd.jit, backend="native")


def compare(f: Any, *args: Any, is_native: bool = True) -> None:
    compiled = jit(f)
    results = zip(as_tuple(compiled(*args)), as_tuple(f(*args)), strict=True)
    for got, expected in results:
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        scale = np.max(np.abs(expected), initial=1e-30)
        assert_allclose(got, expected, rtol=0, atol=40 * np.finfo(expected.dtype).eps * scale)
    if is_native:
        assert "def run" not in compiled.lower(*args).source  # all of it is machine code


def as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def directional(f: Any, x: Any) -> Any:
    """The derivative along x of the gradient."""
    return fd.jvp(fd.grad(f), x, x)[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4,), {}),
        ((700,), {}),
        ((3, 4), {}),
        ((3, 4), {"ord": "fro", "keepdims": True}),
        ((3, 40), {"axis": 1}),
        ((3, 4), {"axis": 0, "ord": 1, "keepdims": True}),
        ((2, 3, 4), {"axis": (0, 2)}),
    ],
)
def test_norms(dtype: Any, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)

    def total(x: Any) -> Any:
        return np.sum(np.linalg.norm(x, **options) ** 3)

    compare(lambda x: np.linalg.norm(x, **options), x)
    compare(fd.grad(total), x)
    compare(functools.partial(directional, total), x)
    compare(fd.vmap(total), np.stack([x, 2 * x]))


def test_norm_at_singular_points():
    compiled = jit(fd.value_and_grad(np.linalg.norm))
    for x in (
        np.zeros(3),
        np.array([np.inf, 1.0, 0.0]),
        np.array([np.nan, 1.0, 0.0]),
        np.array([1e200, 1.0, 0.0]),
    ):
        with np.errstate(all="ignore"):
            for got, expected in zip(compiled(x), fd.value_and_grad(np.linalg.norm)(x), strict=True):
                assert_array_equal(got, expected)
    assert jit(np.linalg.norm)(np.zeros(0)) == 0.0


def test_norms_in_a_loop():
    def power_iteration(a: Any) -> Any:
        def step(_i: Any, v: Any) -> Any:
            w = a @ v
            return w / np.linalg.norm(w)

        v = fd.fori_loop(0, 30, step, np.ones(3))
        return v @ a @ v

    a = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 3.0]])
    compare(fd.grad(power_iteration), a)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((20, 3), (20, 3)), ((5, 1, 3), (4, 3)), ((700, 3), (3,))])
def test_cross_products(dtype: Any, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    compare(np.cross, a, b)
    assert_array_equal(jit(np.cross)(a, b), np.cross(a, b))
    compare(fd.grad(lambda a, b: np.sum(np.cross(a, b) ** 3), (0, 1)), a, b)
    compare(lambda a: directional(lambda a: np.sum(np.cross(a, b) ** 3), a), a)


SUMS = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,jk->ki", (60, 70), (70, 50)),
    ("bij,bjk->ikb", (2, 3, 4), (2, 4, 5)),
    ("bij,kjb->bik", (20, 30, 40), (10, 40, 20)),
    ("ijk,kjl->il", (2, 3, 4), (4, 3, 5)),
    ("i,i->", (1000,), (1000,)),
    ("i,j->ji", (3,), (4,)),
    ("ij,ij->j", (3, 4), (3, 4)),
    ("ij,ij->ij", (3, 4), (3, 4)),
    ("ij,k->", (3, 4), (5,)),
    ("ij->j", (3, 4)),
    ("ijk->kij", (3, 4, 5)),
    ("i,j,j->i", (4,), (4,), (4,)),
    ("ij,jk,kl->il", (3, 4), (4, 5), (5, 6)),
    ("nd,nd,d->n", (50, 8), (50, 8), (8,)),
]


@pytest.mark.parametrize(
    ("subscripts", "shapes"), [(s, shapes) for s, *shapes in SUMS], ids=[s[0] for s in SUMS]
)
def test_sums_over_indices(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    operands = [rng.standard_normal(shape) for shape in shapes]
    f = functools.partial(np.einsum, subscripts)

    def total(*operands: Any) -> Any:
        return np.sum(np.einsum(subscripts, *operands) ** 2)

    compare(f, *operands)
    compare(f, *(x.astype(np.float32) for x in operands))
    compare(lambda *x: fd.vmap(f)(*x), *(np.stack([x, -x]) for x in operands))
    places = tuple(range(len(operands)))
    compare(
        fd.grad(total, places), *operands, is_native=False
    )  # an axis that is only summed is spread by ones


def test_second_derivatives_of_sums_over_indices():
    a, b = np.linspace(0.0, 1.0, 12).reshape(3, 4), np.linspace(-1.0, 1.0, 20).reshape(4, 5)
    compare(functools.partial(directional, lambda a: np.sum(np.einsum("ij,jk->ki", a, b) ** 3)), a)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ii->i", [(3, 3)]),
        ("ij,j->i", [(3, 4), (1,)]),
        ("ij,jk->ik", [(3, 0), (0, 5)]),
        ("ij,jk->ik", [(0, 4), (4, 5)]),
    ],
)
def test_sums_over_indices_that_are_left_to_numpy(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    operands = [np.random.default_rng(0).standard_normal(shape) for shape in shapes]
    compare(functools.partial(np.einsum, subscripts), *operands, is_native=False)


def test_order_of_operations_of_three_operands_is_kept():
    """Two of them overflow where the third is zero: what is summed is 0 times a finite number, as in NumPy."""
    x, y, z = np.zeros(2), np.full(2, 1e200), np.full(2, 1e200)
    assert jit(lambda *v: np.einsum("i,i,i->", *v))(x, y, z) == 0.0


def test_conjugates_of_real_numbers_are_themselves():
    compiled = jit(fd.grad(lambda x: np.sum(np.conj(x) * x)))
    x = np.array([1.0, -2.0])
    assert_array_equal(compiled(x), 2 * x)
    assert all(record.primitive.name != "conj" for record in compiled.lower(x).optimized.records)
    z = np.array([1.0 + 2.0j])
    assert_array_equal(jit(np.conj)(z), np.conj(z))
