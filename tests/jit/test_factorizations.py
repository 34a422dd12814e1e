"""One factorization per matrix: what shares it, and that answers and errors stay those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff.jit import factors
from funcdiff.jit.native.engine import why_not

BACKENDS = ["numpy"] + ([] if why_not() else ["native"])
rng = np.random.default_rng(0)


def regular(*shape, dtype=float):
    return (rng.standard_normal(shape) + 3 * np.sqrt(shape[-1]) * np.eye(shape[-1])).astype(dtype)


def definite(*shape, dtype=float):
    a = regular(*shape)
    return (a @ np.swapaxes(a, -1, -2)).astype(dtype)


def likelihood(k, y):
    return y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1]


def by_cholesky(k, y):
    factor = np.linalg.cholesky(k)
    z = np.linalg.solve(factor, y)
    return z @ z + 2 * np.sum(np.log(np.diag(factor)))


def by_upper_factor(k, y):
    factor = np.linalg.cholesky(k, upper=True)
    z = np.linalg.solve(factor.T, y)
    return z @ z + np.sum(np.linalg.inv(factor) @ y)


def many(k, y):
    turned = np.linalg.solve(k.T, y)
    return (
        np.linalg.slogdet(k)[0] * turned @ np.linalg.inv(k) @ np.linalg.solve(k, y) + np.linalg.inv(k.T).sum()
    )


def columns(k, y):
    return np.sum(np.linalg.solve(k, np.stack([y, 2 * y], axis=1)) ** 2) + np.linalg.slogdet(k.T)[1]


PROGRAMS = [likelihood, by_cholesky, by_upper_factor, many, columns]


def names(f, backend, *args):
    return [r.primitive.name for r in fd.jit(f, backend=backend).lower(*args).optimized.records]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.parametrize("f", PROGRAMS)
def test_values_and_gradients(f, n, dtype, backend):
    k, y = definite(n, n, dtype=dtype), rng.standard_normal(n).astype(dtype)
    step = fd.value_and_grad(f, argnums=(0, 1))
    expected, found = step(k, y), fd.jit(step, backend=backend)(k, y)
    rtol = 1e-10 if dtype is float else 2e-3
    assert found[0].dtype == expected[0].dtype
    for a, b in zip((found[0], *found[1]), (expected[0], *expected[1]), strict=True):
        assert_allclose(a, b, rtol=rtol, atol=rtol * np.max(np.abs(b)))
        assert a.dtype == b.dtype


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f", PROGRAMS)
def test_second_order_and_batches(f, backend):
    k, y = definite(17, 17), rng.standard_normal(17)
    curvature = fd.hessian(f, argnums=1)
    assert_allclose(fd.jit(curvature, backend=backend)(k, y), curvature(k, y), rtol=1e-9, atol=1e-9)
    stack, sides = definite(3, 4, 4), rng.standard_normal((3, 4))
    gradients = fd.vmap(fd.grad(f))
    assert_allclose(fd.jit(gradients, backend=backend)(stack, sides), gradients(stack, sides), rtol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gaussian_process_factorizes_once(backend):
    found = names(fd.value_and_grad(likelihood), backend, definite(20, 20), rng.standard_normal(20))
    assert found.count("packed_lu") == 1
    assert not {"solve", "inv", "inv_or_nan", "slogdet"} & set(found)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f", [by_cholesky, by_upper_factor])
def test_a_cholesky_factor_is_not_factorized(f, backend):
    found = names(fd.value_and_grad(f), backend, definite(20, 20), rng.standard_normal(20))
    assert not {"solve", "inv", "inv_or_nan", "packed_lu"} & set(found)
    assert found.count("cholesky") == 1


def test_one_system_alone_stays_numpys():
    a = regular(20, 20)
    assert names(np.linalg.solve, "numpy", a, a[0]) == ["solve"]
    assert names(lambda x: np.linalg.slogdet(x)[1], "numpy", a) == ["slogdet"]


def test_other_transposes_are_other_matrices():
    a = regular(3, 20, 20)

    def f(a):
        turned = np.transpose(a, (0, 2, 1))
        return np.sum(np.linalg.solve(a[0], turned[0]) + np.linalg.inv(a[1]) + np.linalg.inv(turned[1]))

    for backend in BACKENDS:
        assert_allclose(fd.jit(f, backend=backend)(a), f(a), rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_singular_matrices(backend):
    a = np.ones((20, 20))
    f = fd.jit(lambda a, b: (np.linalg.solve(a, b), np.linalg.slogdet(a)), backend=backend)
    f(regular(20, 20), np.ones(20))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        f(a, np.ones(20))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        fd.jit(lambda a: (np.linalg.inv(a), np.linalg.slogdet(a)), backend=backend)(a)
    determinant = fd.jit(fd.value_and_grad(lambda a: np.linalg.slogdet(a)[1]), backend=backend)
    determinant(regular(20, 20))
    value, gradient = determinant(a)
    assert value == -np.inf
    assert np.isnan(gradient).all()
    signs = fd.jit(lambda a: np.linalg.slogdet(a), backend=backend)
    odd = np.array([[np.nan, 0.0], [0.0, 0.0]]), np.diag([-np.inf, 1.0]), np.diag([np.nan, -1.0])
    for x in (a, -np.eye(3), np.eye(3)[[1, 0, 2]], np.full((2, 2), np.nan), np.zeros((4, 4)), *odd):
        with np.errstate(all="ignore"):
            signs(regular(*x.shape))
            assert_allclose(np.array(signs(x)), np.array(np.linalg.slogdet(x)))


@pytest.mark.parametrize("shape", [(5, 5), (2, 3, 5, 5), (70, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_stacks(shape, backend):
    a = regular(*shape) if shape[-1] else np.zeros(shape)
    b = rng.standard_normal(shape)

    def f(a, b):
        return np.linalg.solve(a, b), np.linalg.slogdet(a), np.linalg.inv(np.swapaxes(a, -1, -2))

    found, expected = fd.jit(f, backend=backend)(a, b), f(a, b)
    for x, y in zip((found[0], *found[1], found[2]), (expected[0], *expected[1], expected[2]), strict=True):
        assert_allclose(x, y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("lead", [(), (2,)])
def test_factors_as_numpy_source_has_them(lead, dtype):
    a, b = regular(*lead, 6, 6, dtype=dtype), rng.standard_normal((*lead, 6, 2)).astype(dtype)
    packed = factors.factorize(a)
    tolerance = {"rtol": 1e-10 if dtype is float else 1e-3, "atol": 1e-4 if dtype is np.float32 else 1e-12}
    assert_allclose(factors.solve(packed, b, transposed=False), np.linalg.solve(a, b), **tolerance)
    turned = np.swapaxes(a, -1, -2)
    assert_allclose(factors.solve(packed, b, transposed=True), np.linalg.solve(turned, b), **tolerance)
    assert_allclose(factors.inverse(packed, or_nan=False), np.linalg.inv(a), **tolerance)
    assert_allclose(factors.sign(packed), np.linalg.slogdet(a)[0])
