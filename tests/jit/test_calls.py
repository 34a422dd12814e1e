"""Products, factorizations and systems inside compiled programs: computed by BLAS and LAPACK, equal to eager ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
import funcdiff.scipy.linalg
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no native backend: {why_not()}")

RNG = np.random.default_rng(5)


def normal(*shape):
    return RNG.standard_normal(shape)


def definite(n, *lead):
    a = normal(*lead, n, n)
    return a @ np.swapaxes(a, -1, -2) + n * np.eye(n)


def solve_lower(a, b):
    return funcdiff.scipy.linalg.solve_triangular(a, b, lower=True)


A, B, D, S = normal(20, 30), normal(30, 25), normal(30), definite(30)

PROGRAMS = {
    "matrices": (lambda a, b: np.tanh(a @ b), (A, B), "matmul"),
    "turned factors": (lambda a, b: b.T @ a.T + 1, (A, B), "matmul"),
    "one turned factor": (lambda a, b: a @ b.T, (A, normal(25, 30)), "matmul"),
    "strided factors": (lambda a, b: a[:, ::2] @ b[::2, 1:], (A, B), "matmul"),
    "matrix and vector": (lambda a, x: np.exp(a @ x * 0.1), (A, D), "matvec"),
    "vector and matrix": (lambda y, a: y @ a * 2, (normal(20), A), "matvec"),
    "vector and turned matrix": (lambda x, a: x @ a.T, (D, A), "matvec"),
    "strided vector": (lambda a, x: a @ x[::2], (normal(30, 15), D), "matvec"),
    "vectors": (lambda x, y: (x * 2) @ y, (normal(1000), normal(1000)), "dot"),
    "a stack and a matrix": (lambda a, b: a @ b, (normal(3, 20, 30), B), "matmul"),
    "a stack and a vector": (lambda a, x: a @ x, (normal(3, 20, 30), D), "matvec"),
    "two stacks": (lambda a, b: a @ b, (normal(3, 20, 30), normal(3, 30, 7)), "matmul"),
    "broadcast stacks": (lambda a, b: a @ b, (normal(2, 1, 20, 30), normal(3, 30, 7)), "matmul"),
    "a constant factor": (lambda a: a @ B, (A,), "matmul"),
    "float32": (lambda a, b: a @ b, (A.astype(np.float32), B.astype(np.float32)), "matmul"),
    "cholesky": (lambda s: np.linalg.cholesky(s), (S,), "cholesky"),
    "upper cholesky": (lambda s: np.linalg.cholesky(s, upper=True), (S,), "cholesky"),
    "stacked cholesky": (lambda s: np.linalg.cholesky(s), (definite(5, 3),), "cholesky"),
    "inverse": (lambda s: np.linalg.inv(s), (S,), "inv"),
    "solve for a vector": (lambda s, b: np.linalg.solve(s, b), (S, D), "solve"),
    "solve for columns": (lambda s, b: np.linalg.solve(s, b), (S, B), "solve"),
    "solve a turned system": (lambda s, b: np.linalg.solve(s.T, b), (normal(9, 9), normal(9, 2)), "solve"),
    "solve a stack": (lambda s, b: np.linalg.solve(s, b), (definite(5, 3), normal(5, 2)), "solve"),
    "triangle": (solve_lower, (S, B), "solve_triangular"),
    "triangle, a vector": (solve_lower, (S, D), "solve_triangular"),
    "turned triangle": (
        lambda s, b: funcdiff.scipy.linalg.solve_triangular(s.T, b, lower=False),
        (S, B),
        "solve_triangular",
    ),
    "transposed triangle": (
        lambda s, b: funcdiff.scipy.linalg.solve_triangular(s, b, lower=True, trans=1, unit_diagonal=True),
        (S / 30, B),
        "solve_triangular",
    ),
}


def same(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    tolerance = 1e-4 if found.dtype == np.float32 else 1e-10
    assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_call_routines_and_agree_with_eager_ones(name):
    f, arguments, routine = PROGRAMS[name]
    compiled = fd.jit(f, backend="native")
    for _ in range(2):
        same(compiled(*arguments), f(*arguments))
    assert f"@fd.{routine}." in str(compiled.lower(*arguments))


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "float32"])
def test_gradients(name):
    f, arguments, _ = PROGRAMS[name]
    gradient = fd.grad(lambda *xs: np.sum(np.sin(f(*xs))), argnums=tuple(range(len(arguments))))
    for found, expected in zip(
        fd.jit(gradient, backend="native")(*arguments), gradient(*arguments), strict=True
    ):
        same(found, expected)


def test_operands_are_not_written_to():
    a, b = S.copy(), B.copy()
    fd.jit(lambda a, b: np.linalg.solve(a, b) + np.linalg.cholesky(a) @ b, backend="native")(a, b)
    np.testing.assert_array_equal(a, S)
    np.testing.assert_array_equal(b, B)


@pytest.mark.parametrize(
    ("f", "good", "bad"),
    [
        (lambda a: np.linalg.cholesky(a), S, -S),
        (lambda a: np.linalg.inv(a), S, np.zeros_like(S)),
        (lambda a: np.linalg.solve(a, B), S, np.zeros_like(S)),
        (lambda a: solve_lower(a, B), S, np.zeros_like(S)),
    ],
    ids=["cholesky", "inv", "solve", "solve_triangular"],
)
def test_errors_are_those_of_eager_programs(f, good, bad):
    compiled = fd.jit(f, backend="native")
    compiled(good)
    with pytest.raises(np.linalg.LinAlgError) as eager:
        f(bad)
    with pytest.raises(np.linalg.LinAlgError, match=str(eager.value)):
        compiled(bad)
    same(compiled(good), f(good))


def test_a_training_step_agrees():
    def loss(w1, w2, x, t):
        return np.sum((np.tanh(x @ w1) @ w2 - t) ** 2)

    arguments = normal(30, 40), normal(40, 5), normal(64, 30), normal(64, 5)
    step = fd.value_and_grad(loss, argnums=(0, 1))
    value, gradients = fd.jit(step, backend="native")(*arguments)
    expected, expected_gradients = step(*arguments)
    assert_allclose(value, expected, rtol=1e-12)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        same(found, wanted)
