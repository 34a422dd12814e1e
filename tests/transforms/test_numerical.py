"""`numerical`: finite differences as derivatives of opaque functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
V = np.array([0.1, 1.0, -0.5])


def smooth(x):
    return np.sin(x) * np.sum(x**2)


def opaque(x):
    assert type(x) is np.ndarray
    total = sum(float(a) ** 2 for a in x)
    return np.array([math.sin(a) * total for a in x])


F = fd.numerical(opaque)


def test_first_order():
    jacobian = fd.jacobian(smooth, X)
    assert_array_equal(F(X), opaque(X))
    assert_allclose(fd.jacfwd(F)(X), jacobian, rtol=1e-9, atol=1e-10)
    assert_allclose(fd.jacrev(F)(X), jacobian, rtol=1e-9, atol=1e-10)
    assert_allclose(fd.jvp(F, X, V)[1], jacobian @ V, rtol=1e-9)
    assert_allclose(fd.vjp(F, X, V)[1], V @ jacobian, rtol=1e-9)
    assert_allclose(fd.pullback(F, X)[1](V)[0], V @ jacobian, rtol=1e-9)
    assert_allclose(fd.linearize(F, X)[1](V), jacobian @ V, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_tangents_of_any_size(scale):
    assert_allclose(fd.jvp(F, X, V * scale)[1], fd.jvp(smooth, X, V * scale)[1], rtol=1e-9)
    assert_array_equal(fd.jvp(F, X, V * 0)[1], np.zeros(3))


def test_arguments_of_any_size():
    f = fd.numerical(lambda x: np.float64(math.log(x[0]) + math.log(x[1])))
    x = np.array([1e6, 3.0])
    assert_allclose(fd.grad(f)(x), 1 / x, rtol=1e-8)


@pytest.mark.parametrize(
    "mode",
    ["forward-over-reverse", "reverse-over-forward", "reverse-over-reverse", "forward-over-forward"],
)
def test_second_order(mode):
    expected = fd.hessian(lambda x: np.sum(smooth(x) ** 2))(X)
    found = fd.hessian(lambda x: np.sum(F(x) ** 2), mode=mode)(X)
    assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_taylor_mode():
    found = fd.jet(F, (X,), ((V, V * V),))[1]
    assert_allclose(found, fd.jet(smooth, (X,), ((V, V * V),))[1], rtol=1e-6)


def test_mapped():
    rows = np.stack([X, -X, 0.5 * X])
    assert_array_equal(fd.vmap(F)(rows), [opaque(x) for x in rows])
    found = fd.vmap(fd.jacrev(F))(rows)
    assert_allclose(found, [fd.jacobian(smooth, x) for x in rows], rtol=1e-8, atol=1e-9)
    found = fd.grad(lambda r: np.sum(fd.vmap(F)(r) ** 2))(rows)
    assert_allclose(found, fd.grad(lambda r: np.sum(fd.vmap(smooth)(r) ** 2))(rows), rtol=1e-8)


def test_inside_other_code():
    def loss(f):
        return lambda x: np.sum(np.tanh(f(np.cos(x) * x)))

    assert_allclose(fd.grad(loss(F))(X), fd.grad(loss(smooth))(X), rtol=1e-8, atol=1e-10)


def test_structures():
    def f(tree, n, flag="a"):
        assert flag == "b"
        return {"y": tree["x"] * float(tree["s"]), "n": np.arange(n)}

    g = fd.numerical(f)

    def loss(tree):
        out = g(tree, 3, flag="b")
        assert out["n"].dtype.kind == "i"
        return np.sum(out["y"] ** 2)

    found = fd.grad(loss)({"x": X, "s": 2.0})
    assert_allclose(found["x"], 8 * X, rtol=1e-10)
    assert_allclose(found["s"], 4 * np.sum(X**2), rtol=1e-10)


def test_complex():
    z = X + 1j * V
    holomorphic = fd.numerical(lambda z: np.exp(z) / (2 + z))
    modulus = fd.numerical(lambda z: np.sum(np.abs(z) ** 3))

    def loss(f):
        return lambda z: np.sum(np.abs(f(z)) ** 2)

    assert_allclose(
        fd.grad(loss(holomorphic))(z), fd.grad(loss(lambda z: np.exp(z) / (2 + z)))(z), rtol=1e-8, atol=1e-9
    )
    assert_allclose(fd.grad(modulus)(z), fd.grad(lambda z: np.sum(np.abs(z) ** 3))(z), rtol=1e-8)
    assert_allclose(
        fd.jvp(holomorphic, z, V * 1j)[1], fd.jvp(lambda z: np.exp(z) / (2 + z), z, V * 1j)[1], rtol=1e-8
    )


def test_float32_and_step():
    x = X.astype(np.float32)
    f = fd.numerical(lambda x: np.sum(np.sin(x)))
    found = fd.grad(f)(x)
    assert found.dtype == np.float32
    assert_allclose(found, np.cos(x), atol=1e-4)
    assert fd.jvp(f, x, x)[1].dtype == np.float32
    coarse = fd.numerical(lambda x: np.round(np.sum(x**2), 4), step=0.5)
    assert_allclose(fd.grad(coarse)(X), 2 * X, atol=2e-4)


def test_scalars_and_empty():
    f = fd.numerical(lambda x: math.exp(x))
    assert_allclose(fd.grad(f)(0.5), math.exp(0.5), rtol=1e-11)
    assert fd.grad(fd.numerical(np.sum))(np.zeros(0)).shape == (0,)


def test_the_function_may_write_to_its_argument():
    def f(x):
        x *= 2
        return x

    x = X.copy()
    assert_allclose(fd.jacrev(fd.numerical(f))(x), 2 * np.eye(3), atol=1e-10)
    assert_array_equal(x, X)


def test_errors():
    def closing(w):
        return np.sum(fd.numerical(lambda x: x * w)(w * 2.0))

    with pytest.raises(fd.errors.CustomRuleError, match="closes over"):
        fd.grad(closing)(X)
    with pytest.raises(fd.errors.OutputError, match="str"):
        fd.numerical(lambda x: "text")(X)
    with pytest.raises(fd.errors.StructureError, match="function"):
        fd.numerical(3.0)
