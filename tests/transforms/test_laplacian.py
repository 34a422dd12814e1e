"""`laplacian`: the trace of the Hessian, in one forward pass."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from tests.test_growth import peak

X = np.array([0.3, -1.2, 2.5])
MATRIX = np.array([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [0.0, -1.0, 1.0]])


def written(x):
    y = np.zeros_like(x)
    for i in range(3):
        y[i] = np.sin(x[i]) * x[i - 1]
    y += x**2
    return np.sum(y * y)


FUNCTIONS = {
    "cubes": lambda x: np.sum(x**3),
    "network": lambda x: np.sum(np.tanh(MATRIX @ np.sin(MATRIX @ x)) ** 2),
    "norm": np.linalg.norm,
    "product": lambda x: np.prod(x) / (1 + x @ x),
    "solve": lambda x: np.sum(np.linalg.solve(np.diag(x) + np.ones((3, 3)), np.cos(x))),
    "determinant": lambda x: np.linalg.slogdet(np.outer(x, x) + np.diag(np.exp(x)))[1],
    "written": written,
    "linear": np.sum,
    "constant": lambda x: 1.0,
    "selected": lambda x: np.sum(np.where(x > 0, np.sqrt(np.abs(x)), x * x)),
    "inner gradient": lambda x: np.sum(fd.grad(lambda y: np.sum(np.sin(y) * y**2))(x)),
}


@pytest.mark.parametrize("chunk_size", [None, 2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_the_trace_of_the_hessian(name, chunk_size):
    f = FUNCTIONS[name]
    expected = np.trace(fd.hessian(f)(X))
    assert_allclose(fd.laplacian(f, chunk_size=chunk_size)(X), expected, rtol=1e-11, atol=1e-11)
    assert_allclose(fd.laplacian(f, X), expected, rtol=1e-11, atol=1e-11)


def test_harmonic_functions():
    x = np.array([0.5, 1.0, -0.7])
    assert_allclose(fd.laplacian(lambda x: 1 / np.linalg.norm(x), x), 0.0, atol=1e-14)
    assert_allclose(fd.laplacian(lambda x: x @ x, x), 6.0)


def test_each_output_has_its_own():
    def f(x):
        return {"a": np.outer(x, x**2), "b": np.sum(x**4)}

    out = fd.laplacian(f, X)
    expected = np.trace(fd.hessian(lambda x: f(x)["b"])(X))
    assert_allclose(out["b"], expected)
    for i in range(3):
        for j in range(3):
            hessian = fd.hessian(lambda x, i=i, j=j: f(x)["a"][i, j])(X)
            assert_allclose(out["a"][i, j], np.trace(hessian), atol=1e-12)


def test_arguments_are_coordinates_of_one_space():
    def f(x, tree):
        return np.sum(x**2 * tree["y"] ** 3)

    y = np.array([1.0, 2.0, 3.0])
    assert_allclose(fd.laplacian(f, (0, 1))(X, {"y": y}), np.sum(2 * y**3 + 6 * X**2 * y))
    assert_allclose(fd.laplacian(f, 1)(X, {"y": y}), np.sum(6 * X**2 * y))
    assert_allclose(fd.laplacian(lambda a, b: np.sum(a**2 * b), (X, y)), np.sum(2 * y))


def test_nests():
    f = FUNCTIONS["network"]
    rows = np.stack([X, -X, 0.5 * X])
    assert_allclose(fd.vmap(fd.laplacian(f))(rows), [fd.laplacian(f)(x) for x in rows], rtol=1e-11)
    h = 1e-5
    g = fd.grad(fd.laplacian(f))(X)
    expected = [(fd.laplacian(f)(X + h * e) - fd.laplacian(f)(X - h * e)) / (2 * h) for e in np.eye(3)]
    assert_allclose(g, expected, rtol=1e-6, atol=1e-7)
    assert_allclose(fd.jacfwd(fd.laplacian(f))(X), g, rtol=1e-10)
    quartic = fd.laplacian(fd.laplacian(lambda x: np.sum(x**2) ** 2))
    assert_allclose(quartic(X), 120.0)
    assert_allclose(fd.trace(fd.laplacian(f))(X).run(2 * X), fd.laplacian(f)(2 * X), rtol=1e-12)


def test_runs_the_function_once_and_keeps_nothing():
    runs = []

    def loop(steps):
        def f(x):
            runs.append(1)
            for _ in range(steps):
                x = np.sin(x) * 1.01 + 0.1
            return np.sum(x)

        return f

    x = np.linspace(0, 1, 100)
    fd.laplacian(loop(3))(x)
    assert len(runs) == 1
    short, long = (peak(fd.laplacian(loop(steps)), x) for steps in (20, 400))
    assert long < short + x.nbytes * 100


def test_dtypes_and_shapes():
    found = fd.laplacian(lambda x: np.sum(x**3), X.astype(np.float32))
    assert found.dtype == np.float32
    assert type(found) is np.float32
    assert_array_equal(fd.laplacian(np.sum, np.zeros(0)), 0.0)
    assert fd.laplacian(np.sin, 0.5) == -np.sin(0.5)
    assert_allclose(fd.laplacian(lambda x: np.sum(x**2), np.ones((2, 3))), 12.0)


def test_errors():
    with pytest.raises(fd.errors.DtypeError, match="real"):
        fd.laplacian(lambda z: np.sum(np.abs(z) ** 2), X + 1j)
    with pytest.raises(fd.errors.DtypeError, match="int64"):
        fd.laplacian(np.sum, np.arange(3))
    with pytest.raises(fd.errors.ArgnumsError):
        fd.laplacian(np.sum, 3)(X)
