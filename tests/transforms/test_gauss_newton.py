"""`ggnvp`: products with the generalised Gauss-Newton matrix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
V = np.array([0.1, 1.0, -0.5])
MATRIX = np.array([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [0.0, -1.0, 1.0], [0.2, 0.4, -0.7]])


def written(x):
    y = np.zeros_like(x)
    for i in range(3):
        y[i] = np.sin(x[i]) * x[i - 1]
    y += x**2
    return y


FUNCTIONS = {
    "linear": lambda x: MATRIX @ x,
    "network": lambda x: np.tanh(MATRIX @ x),
    "scalar": lambda x: np.sum(np.sin(x)),
    "written": written,
    "selected": lambda x: np.where(x > 0, np.sqrt(np.abs(x)), 0.0),
}
LOSSES = {
    "squares": lambda y: np.sum(y**2) / 2,
    "softmax": lambda y: np.log(np.sum(np.exp(y))),
}


def explicit(f, loss, x, v):
    jacobian = fd.jacobian(f, x)
    y = f(x)
    hessian = fd.hessian(loss, y).reshape(np.size(y), np.size(y))
    jacobian = jacobian.reshape(np.size(y), x.size)
    return (jacobian.T @ hessian @ (jacobian @ v.ravel())).reshape(x.shape)


@pytest.mark.parametrize("loss", ["squares", "softmax"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_the_product_of_the_three_matrices(name, loss):
    f, loss = FUNCTIONS[name], LOSSES[loss]
    result = fd.ggnvp(f, loss, X, V)
    assert type(result) is np.ndarray
    assert_allclose(result, explicit(f, loss, X, V), rtol=1e-11, atol=1e-12)


def test_of_a_linear_function_it_is_the_hessian_product():
    f, loss = FUNCTIONS["linear"], LOSSES["softmax"]
    assert_allclose(fd.ggnvp(f, loss, X, V), fd.hvp(lambda x: loss(f(x)), X, V)[1], rtol=1e-12)


def test_is_positive_semidefinite_where_the_hessian_is_not():
    f, loss = FUNCTIONS["network"], LOSSES["squares"]
    matrix = np.stack([fd.ggnvp(f, loss, X, e) for e in np.eye(3)])
    assert_allclose(matrix, matrix.T, atol=1e-13)
    assert np.linalg.eigvalsh(matrix).min() > -1e-13


def test_structures():
    def model(weights, bias):
        return {"a": np.tanh(weights["w"] @ bias), "b": (bias * 2, weights["s"])}

    def loss(out):
        return np.sum(out["a"] ** 2) + np.sum(out["b"][0] * out["b"][1]) ** 2

    inputs = ({"w": MATRIX[:3], "s": 0.5}, X)
    v = ({"w": MATRIX[1:], "s": 2.0}, V)
    result = fd.ggnvp(model, loss, inputs, v)
    assert result[0]["w"].shape == (3, 3)
    assert result[0]["s"].shape == ()

    def pack(parts):
        return np.concatenate([parts[0]["w"].ravel(), np.atleast_1d(parts[0]["s"]), parts[1]])

    def flat(x):
        out = model({"w": x[:9].reshape(3, 3), "s": x[9]}, x[10:])
        return np.concatenate([out["a"], out["b"][0], out["b"][1][None]])

    def flat_loss(y):
        return loss({"a": y[:3], "b": (y[3:6], y[6])})

    expected = explicit(flat, flat_loss, pack(inputs), pack(v))
    assert_allclose(pack(result), expected, rtol=1e-10)


def test_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(1)
        return x**2

    fd.ggnvp(f, np.sum, X, V)
    assert len(calls) == 1


def test_without_inputs_is_a_function():
    f, loss = FUNCTIONS["network"], LOSSES["squares"]
    assert_array_equal(fd.ggnvp(f, loss)(X, V), fd.ggnvp(f, loss, X, V))


def test_tuple_of_one_stays_a_tuple():
    result = fd.ggnvp(np.sin, np.sum, (X,), (V,))
    assert type(result) is tuple
    assert len(result) == 1


def test_nests():
    f, loss = FUNCTIONS["network"], LOSSES["softmax"]
    vectors = np.stack([V, 2 * V, X])
    batch = fd.vmap(lambda v: fd.ggnvp(f, loss, X, v))(vectors)
    assert_allclose(batch, [fd.ggnvp(f, loss, X, v) for v in vectors], rtol=1e-12)
    points = fd.vmap(lambda x: fd.ggnvp(f, loss, x, V))(vectors)
    assert_allclose(points, [fd.ggnvp(f, loss, x, V) for x in vectors], rtol=1e-12)

    def energy(x):
        return np.sum(fd.ggnvp(f, loss, x, V) ** 2)

    h = 1e-5
    expected = [(energy(X + h * e) - energy(X - h * e)) / (2 * h) for e in np.eye(3)]
    assert_allclose(fd.grad(energy)(X), expected, rtol=1e-7, atol=1e-9)
    assert_allclose(fd.jacfwd(energy)(X), fd.grad(energy)(X), rtol=1e-11)
    tape = fd.trace(lambda x: fd.ggnvp(f, loss, x, V))(X)
    assert_allclose(tape.run(2 * X), fd.ggnvp(f, loss, 2 * X, V), rtol=1e-12)


def test_keeps_float32():
    result = fd.ggnvp(np.sin, lambda y: np.sum(y**2), X.astype(np.float32), V)
    assert result.dtype == np.float32


def test_scalar_input_needs_no_vector():
    assert_allclose(fd.ggnvp(np.sin, np.square, 0.5), 2 * np.cos(0.5) ** 2)


def test_empty():
    assert fd.ggnvp(np.sin, np.sum, np.zeros(0), np.zeros(0)).shape == (0,)


def test_errors():
    with pytest.raises(fd.errors.VectorError, match="shape"):
        fd.ggnvp(np.sin, np.sum, X, V[:2])
    with pytest.raises(fd.errors.OutputError, match="scalar"):
        fd.ggnvp(np.sin, np.sin, X, V)
    with pytest.raises(fd.errors.DtypeError, match="int64"):
        fd.ggnvp(lambda x: (x, np.arange(3)), lambda y: np.sum(y[0]), X, V)
    with pytest.raises(fd.errors.StructureError, match="function"):
        fd.ggnvp(np.sin, 3.0, X, V)
