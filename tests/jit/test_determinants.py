"""Determinants and their derivatives in machine code: as uncompiled, at singular matrices too."""

from __future__ import annotations

import numpy as np
import optree
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason="no machine code here")
rng = np.random.default_rng(0)
det = np.linalg.det


def regular(*shape, dtype=float):
    return (rng.standard_normal(shape) + 3 * np.sqrt(shape[-1]) * np.eye(shape[-1])).astype(dtype)


def with_singular_values(*s):
    u, v = (np.linalg.qr(rng.standard_normal((len(s), len(s))))[0] for _ in range(2))
    return u * np.array(s) @ v


def is_native(f, *args):
    """Tell whether all of a program is machine code."""
    source = fd.jit(f).lower(*args).source
    return "define i32 @kernel" in source and "def run" not in source


def close(found, expected, rtol=1e-11):
    for x, y in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        finite = np.abs(y)[np.isfinite(y)]
        assert_allclose(x, y, rtol=rtol, atol=rtol * max(finite, default=0.0))


def compare(f, *args, rtol=1e-11):
    """Compare after a call with others, so that what is tested is compiled."""
    compiled = fd.jit(f)
    with np.errstate(all="ignore"):
        compiled(*(regular(*np.shape(a), dtype=a.dtype) for a in args))
        for _ in range(2):
            close(compiled(*args), f(*args), rtol)


def squared(a):
    return np.sum(np.sin(det(a)) + det(a) ** 2 * np.trace(np.linalg.inv(a), axis1=-2, axis2=-1))


def turned(a):
    return det(a) * det(a.T) ** 2 + np.linalg.slogdet(a.T)[1]


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 20])
def test_values_and_gradients(n, dtype):
    a = np.eye(n) + 0.3 * rng.standard_normal((n, n)) / n
    rtol = 1e-11 if dtype is float else 1e-4
    for f in (det, fd.grad(det), fd.value_and_grad(det), fd.grad(squared), fd.grad(turned)):
        assert is_native(f, a.astype(dtype))
        compare(f, a.astype(dtype), rtol=rtol)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_other_derivatives(n):
    a, t = regular(n, n), rng.standard_normal((n, n))
    third = fd.jacobian(fd.hessian(det))
    for f in (det, squared, turned):
        compare(fd.hessian(f), a)
        compare(lambda a, t, f=f: fd.jvp(f, (a,), (t,)), a, t)
        compare(lambda a, t, f=f: fd.jvp(fd.grad(f), (a,), (t,)), a, t)
    assert is_native(fd.hessian(det), a)
    assert is_native(fd.hessian(turned), a)
    if n < 5:
        compare(third, a, rtol=1e-10)


SINGULAR = [
    np.zeros((1, 1)),
    np.zeros((3, 3)),
    np.ones((3, 3)),
    np.diag([1.0, 2.0, 0.0]),
    np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]),
    with_singular_values(1, 1, 0, 0),
    with_singular_values(1, 1, 1, 0),
    np.diag([1.0, 1.0, 0.0, 0.0]),
]
NEARLY = [with_singular_values(3, 2, 1, 10.0**-k) for k in (1, 2, 3, 4, 5, 6, 8, 12, 15, 17, 200)]
SCALED = [scale * regular(4, 4) for scale in (1e-100, 1e-70, 1e70, 1e100)]
SCALED += [np.diag([1e200, 1e200, 1e-200, 1e-200]), np.diag([1e-200, 1e-200, 1e200, 1e200])]


@pytest.mark.parametrize("a", SINGULAR + NEARLY + SCALED)
def test_singular_and_nearly_singular(a):
    rtol = 1e-11 if np.linalg.cond(a) < 1e3 else 1e-8
    compare(fd.value_and_grad(det), a, rtol=rtol)
    compare(fd.grad(lambda a: np.sin(det(a))), a, rtol=rtol)
    compare(fd.hessian(det), a, rtol=rtol)
    compare(fd.value_and_grad(lambda a: np.linalg.slogdet(a)[1]), a, rtol=rtol)


def test_cofactors_of_a_singular_matrix():
    gradient = fd.jit(fd.grad(det))
    gradient(regular(3, 3))
    assert_allclose(gradient(np.diag([1.0, 2.0, 0.0])), np.diag([0.0, 0.0, 2.0]), atol=1e-15)
    assert_allclose(fd.jit(fd.hessian(det))(np.zeros((2, 2)))[0, 0], [[0, 0], [0, 1]])


@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (0, 2), (2, 0), (1, 1)])
def test_numbers_that_are_not_finite(at, x):
    for a in (regular(3, 3), np.eye(3), np.zeros((3, 3))):
        a[at] = x
        compare(fd.value_and_grad(det), a)
        compare(fd.hessian(det), a)


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3), (2, 3, 4, 4), (70, 3, 3), (5, 1, 1)])
def test_stacks(shape):
    a = regular(*shape) if 0 not in shape else np.zeros(shape)
    for f in (lambda a: np.sum(det(a)), squared) if shape[-1] else (lambda a: np.sum(det(a)),):
        compare(det, a)
        compare(fd.grad(f), a)
    if len(shape) == 3:
        compare(fd.vmap(fd.grad(det)), a)
        compare(fd.vmap(det), a)
        compare(fd.vmap(fd.hessian(det)), a)


def test_one_singular_matrix_of_a_stack():
    a = regular(3, 3, 3)
    a[1] = np.ones((3, 3))
    compare(fd.vmap(fd.value_and_grad(det)), a)
    compare(fd.grad(lambda a: np.sum(det(a))), a)


def unrolled(a):
    total, s = 0.0, a
    for i in range(60):
        s = 0.1 * (s @ a) / np.sqrt(1 + np.sum(s * s)) + np.eye(4) * (1 + 0.01 * i)
        total = total + np.log(np.abs(det(s))) + np.linalg.slogdet(s)[1]
    return total


def scanned(a):
    def step(s, x):
        s = 0.1 * (s @ a) + x * np.eye(4)
        return s, (det(s), np.linalg.slogdet(s)[1])

    _, (dets, logs) = fd.scan(step, a, np.linspace(1.0, 2.0, 7))
    return np.sum(dets) + np.sum(logs)


@pytest.mark.parametrize("f", [unrolled, scanned])
def test_loops(f):
    a = regular(4, 4) / 6
    for g in (f, fd.grad(f)):
        assert is_native(g, a)
        compare(g, a, rtol=1e-10)


def test_a_singular_matrix_in_a_loop():
    def f(a):
        def step(s, x):
            s = s - x * np.ones((3, 3))
            return s, det(s)

        return np.sum(fd.scan(step, a, np.array([0.5, 0.5, 1.0]))[1])

    compare(fd.value_and_grad(f), np.ones((3, 3)))


def test_one_factorization():
    found = [
        r.primitive.name for r in fd.jit(fd.value_and_grad(turned)).lower(regular(4, 4)).optimized.records
    ]
    assert found.count("packed_lu") == 1
    assert not {"det", "det_derivative", "slogdet"} & set(found)
