"""Integers and roundings found from traced values stand wherever NumPy takes a number, in every transform."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd

X = np.array([2.7, 1.2, 3.4, 0.1, 0.5, 0.6])


def k(x):
    return np.argmax(x)


def written(x, index):
    y = x * 2.0
    y[index] = 0.0
    return y.sum()


PROGRAMS = {
    "x[k]": lambda x: x[k(x)],
    "x[:k]": lambda x: x[: k(x)].sum(),
    "x[k:]": lambda x: x[k(x) :].sum(),
    "x[::k]": lambda x: x[:: k(x)].sum(),
    "x[k:None:k]": lambda x: x[k(x) : None : k(x)].sum(),
    "x[None, :k]": lambda x: x[None, : k(x)].sum(),
    "x[:count]": lambda x: (x[: np.count_nonzero(x > 1.0)] ** 2).sum(),
    "y[k] = 0": lambda x: written(x, k(x)),
    "y[:k] = 0": lambda x: written(x, slice(None, k(x))),
    "list[:k]": lambda x: sum(list(x)[: k(x)]),
    "reshape": lambda x: x.reshape(k(x), -1)[1].sum(),
    "roll": lambda x: np.roll(x, k(x))[0],
    "split": lambda x: np.split(x, [k(x)])[0].sum(),
    "diag": lambda x: (np.diag(x, k(x)) ** 2).sum(),
    "diagonal": lambda x: np.diagonal(np.outer(x, x), k(x)).sum(),
    "diagflat": lambda x: (np.diagflat(x, -k(x)) ** 2).sum(),
    "trace": lambda x: np.trace(np.outer(x, x), k(x)),
    "triu": lambda x: np.triu(x.reshape(2, 3), k(x) - 2).sum(),
    "tril": lambda x: np.tril(x.reshape(2, 3), k(x) - 2).sum(),
    "tri": lambda x: np.tri(k(x)).sum() * x[0],
    "vander": lambda x: np.vander(x, k(x)).sum(),
    "arange": lambda x: np.arange(k(x)).sum() * x[0],
    "arange from": lambda x: np.arange(1, k(x) + 3, k(x)).sum() * x[0],
    "unravel_index": lambda x: x.reshape(2, 3)[np.unravel_index(k(x), (2, 3))],
    "unravel_index by columns": lambda x: x.reshape(2, 3)[np.unravel_index(k(x), (2, 3), order="F")],
    "unravel_index of many": lambda x: x.reshape(2, 3)[np.unravel_index(np.argsort(x)[2:4], (2, 3))].prod(),
    "ravel_multi_index": lambda x: x[np.ravel_multi_index((k(x) - 1, k(x)), (2, 3))],
    "ravel_multi_index, wrapped": lambda x: x[
        np.ravel_multi_index((k(x), k(x) + 2), (2, 3), mode=("wrap", "clip"), order="F")
    ],
    "ix_": lambda x: (np.outer(x, x)[np.ix_(np.argsort(x)[:2], [1, 2])] ** 2).sum(),
    "ix_ of booleans": lambda x: np.outer(x, x)[np.ix_(x > 1.0, [0, 1])].prod(),
    "quantile": lambda x: np.quantile(x, k(x) / 3.0),
    "int(floor(x))": lambda x: x[int(np.floor(x[0]))],
    "float(floor(x))": lambda x: x[0] * float(np.floor(x[2])),
    "int(x // 2)": lambda x: x[int(x.sum() // 2)],
    "math.floor(x)": lambda x: x[math.floor(x[0])],
    "round(x)": lambda x: x[round(x[0])],
    "float(k / 3)": lambda x: x[0] * float(k(x) / 3),
    "int(mean of booleans)": lambda x: x[int((x > 1.0).mean() * 4)],
    "int(sqrt(k))": lambda x: x[int(np.sqrt(k(x)))],
    "int(ceil(k / 2))": lambda x: x[int(np.ceil(k(x) / 2))],
    "math.sqrt(k / 2)": lambda x: x[0] * math.sqrt(k(x) / 2),
    "float(stop_gradient)": lambda x: x[0] * float(fd.stop_gradient(x[1])),
    "complex(sign)": lambda x: x[0] * abs(complex(np.sign(x[0]))),
}


def by_differences(f, x, step=1e-6):
    return np.array([(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))])


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_gradients(name):
    f = PROGRAMS[name]
    value = f(X)
    moves = name != "float(stop_gradient)"
    slope = by_differences(f, X) if moves else np.eye(6)[0] * X[1]
    assert_allclose(fd.trace(f)(X).run(X), value)
    assert_allclose(fd.jit(f)(X), value)
    for gradient in (fd.grad(f), fd.jit(fd.grad(f)), fd.grad(fd.jit(f)), fd.jacfwd(f)):
        assert_allclose(gradient(X), slope, atol=1e-7)
        assert_allclose(gradient(X), slope, atol=1e-7)  # compiled
    assert_allclose(fd.jit(fd.hvp(f))(X, X)[1], fd.hvp(f)(X, X)[1], atol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_stored(name, tmp_path):
    tape = fd.trace(PROGRAMS[name])(X)
    tape.save(tmp_path / "tape")
    assert_allclose(fd.load(tmp_path / "tape").run(X), PROGRAMS[name](X))


@pytest.mark.parametrize("name", ["x[:k]", "arange", "int(floor(x))", "float(k / 3)", "unravel_index"])
def test_compiled_programs_follow_the_value(name):
    f = PROGRAMS[name]
    compiled = fd.jit(fd.grad(f))
    for x in (X, X[::-1].copy(), X + 0.5, np.roll(X, 2)):
        assert_allclose(compiled(x), fd.grad(f)(x))


@pytest.mark.parametrize(
    "name", ["x[k]", "ix_", "unravel_index", "unravel_index by columns", "unravel_index of many"]
)
def test_positions_that_vmap_maps_over(name):
    f = PROGRAMS[name]
    batch = np.stack([X, X[::-1], np.roll(X, 1)])
    assert_allclose(fd.vmap(f)(batch), [f(x) for x in batch])
    assert_allclose(fd.vmap(fd.grad(f))(batch), [fd.grad(f)(x) for x in batch])


def test_positions_out_of_bounds():
    with pytest.raises(ValueError, match="out of bounds"):
        fd.jit(lambda x: x.reshape(2, 3)[np.unravel_index(np.argmax(x) + 7, (2, 3))])(X)
    with pytest.raises(ValueError, match="invalid entry"):
        fd.jit(lambda x: x[np.ravel_multi_index((np.argmax(x), 0), (2, 3))])(X)


@pytest.mark.parametrize("f", [lambda x: int(x[0]) * x[1], lambda x: float(x[0] * np.floor(x[0])) * x[1]])
def test_what_has_a_derivative_is_no_integer(f):
    for transform in (fd.grad, fd.jit, fd.trace, lambda f: fd.jit(fd.grad(f))):
        with pytest.raises(fd.errors.ConversionError, match="would drop its derivative"):
            transform(f)(X)


def test_roundings_that_vmap_maps_over():
    with pytest.raises(fd.errors.FuncdiffError, match=r"vmap|derivative"):
        fd.vmap(lambda x: x[int(np.floor(x[0]))])(np.stack([X, X]))
