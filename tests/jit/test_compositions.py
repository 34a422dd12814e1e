"""A jitted function within and around every other transform."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

jit = functools.partial(fd.jit, backend="numpy")

X = np.linspace(0.2, 1.7, 6)
T = np.cos(np.arange(6.0))
A = np.random.default_rng(0).standard_normal((6, 6))


def chain(x):
    return np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log1p(x**2))


def products(x):
    return np.sum(np.sin(A @ x)[1:] / x[0]) + x @ (A @ x)


def written(x):
    y = np.zeros_like(x)
    y[0] = np.sin(x[1])
    y[1:] = x[:-1] * x[1:]
    y[::2] *= 2.0
    return np.sum(y**3)


def selected(x):
    return np.max(np.where(x > 1, np.sqrt(x), x**3)) + np.prod(x) + np.sort(x)[2] ** 2


def linear_algebra(x):
    m = A @ A.T + np.diag(x)
    return np.linalg.slogdet(m)[1] + x @ np.linalg.solve(m, x)


def branched(x):
    return chain(x) if x[0] > 0.5 else products(x)


FUNCTIONS = [chain, products, written, selected, linear_algebra, branched]
COMPOSITIONS = {
    "f": lambda f: f,
    "grad": fd.grad,
    "value_and_grad": fd.value_and_grad,
    "hessian": fd.hessian,
    "grad of grad": lambda f: fd.grad(lambda x: np.sum(fd.grad(f)(x) ** 2)),
    "jvp": lambda f: lambda x: fd.jvp(f, (x,), (T,)),
    "vjp": lambda f: lambda x: fd.vjp(f, x, 2.0),
    "pullback": lambda f: lambda x: fd.pullback(f, x)[1](2.0),
    "linearize": lambda f: lambda x: fd.linearize(f, x)[1](T),
    "hvp": lambda f: lambda x: fd.hvp(f, x, T),
    "jvp of grad": lambda f: lambda x: fd.jvp(fd.grad(f), (x,), (T,)),
    "jacfwd of grad": lambda f: fd.jacfwd(fd.grad(f)),
    "jacrev of grad": lambda f: fd.jacrev(fd.grad(f)),
}
POINTS = (X, X + 0.5, X[::-1].copy())


def near(x, y):
    assert type(x) is type(y)
    if isinstance(x, (tuple, list)):
        for a, b in zip(x, y, strict=True):
            near(a, b)
        return
    assert x.dtype == y.dtype
    assert x.shape == y.shape
    assert_allclose(x, y, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_jit_around_transforms(name, f):
    transformed = COMPOSITIONS[name](f)
    compiled = jit(transformed)
    for point in POINTS:
        near(compiled(point), transformed(point))
        near(compiled(point), transformed(point))


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_transforms_around_jit(name, f):
    transformed = COMPOSITIONS[name]
    compiled = jit(f)
    for point in POINTS:
        near(transformed(compiled)(point), transformed(f)(point))


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("name", ["grad", "hessian", "jvp of grad"])
def test_jit_around_transforms_around_jit(name, f):
    transformed = COMPOSITIONS[name]
    compiled = jit(transformed(jit(f)))
    for point in POINTS:
        near(compiled(point), transformed(f)(point))


@pytest.mark.parametrize("f", FUNCTIONS[:-1])
def test_with_vmap(f):
    batch = np.stack(POINTS)
    expected = np.stack([fd.grad(f)(x) for x in batch])
    for mapped in (
        fd.vmap(fd.grad(jit(f))),
        fd.vmap(jit(fd.grad(f))),
        jit(fd.vmap(fd.grad(f))),
        jit(fd.vmap(fd.grad(jit(f)))),
        jit(fd.vmap(jit(fd.grad(jit(f))))),
    ):
        near(mapped(batch), expected)
        near(mapped(batch), expected)
    near(fd.jacobian(fd.vmap(jit(f)))(batch), fd.jacobian(fd.vmap(f))(batch))
    near(
        fd.grad(lambda b: np.sum(fd.vmap(jit(f))(b) ** 2))(batch),
        fd.grad(lambda b: np.sum(fd.vmap(f)(b) ** 2))(batch),
    )
    near(fd.vmap(fd.hessian(jit(f)))(batch), fd.vmap(fd.hessian(f))(batch))
    deep = np.stack([batch, batch + 0.1])
    near(fd.vmap(fd.vmap(jit(f)))(deep), fd.vmap(fd.vmap(f))(deep))


def test_vmap_over_control_flow_raises_as_without_jit():
    with pytest.raises(fd.errors.MappedControlFlowError):
        fd.vmap(jit(branched))(np.stack(POINTS))


@pytest.mark.parametrize("f", FUNCTIONS[:-1])
def test_first_derivatives_are_the_same_to_the_last_bit(f):
    expected = fd.grad(f)(X)
    assert_array_equal(jit(fd.grad(f))(X), expected)
    assert_array_equal(fd.grad(jit(f))(X), expected)


def test_several_arguments_and_outputs():
    def f(p, x):
        y = np.tanh(p["a"] @ x) + p["b"]
        return {"sum": y.sum(), "all": (y, np.argmax(y))}

    p = {"a": A, "b": np.ones(6)}
    for g in (f, fd.jacobian(lambda p, x: f(p, x)["all"][0])):
        expected, found = g(p, X), jit(g)(p, X)
        near(fd.core.trees.flatten(found)[0], fd.core.trees.flatten(expected)[0])

    def loss(h):
        return fd.grad(lambda p, x: h(p, x)["sum"] + h(p, x)["all"][0][2], argnums=(0, 1))

    near(fd.core.trees.flatten(loss(jit(f))(p, X))[0], fd.core.trees.flatten(loss(f)(p, X))[0])


def test_a_jitted_call_is_one_record():
    compiled = jit(chain)
    compiled(X)
    recording = fd.transforms.reverse.record(lambda x: compiled(x * 2.0), [X])
    assert len(recording.records) <= 3 * 8  # the product, the call and its output


def test_no_perturbation_confusion():
    for f in (
        lambda x: x * fd.grad(jit(lambda y: x + y))(2.0),
        lambda x: x * fd.jvp(jit(lambda y: x * y), (1.0,), (1.0,))[1],
        jit(lambda x: x * fd.grad(lambda y: x * y)(2.0)),
    ):
        assert fd.grad(f)(3.0) in (1.0, 6.0)
    outer = fd.grad(lambda w: jit(lambda x: np.sum(np.sin(w * x)))(X))
    assert_allclose(outer(0.7), np.sum(X * np.cos(0.7 * X)))


def test_custom_rules():
    @fd.custom_jvp
    def f(x):
        return np.exp(x)

    @f.defjvp
    def _(primals, tangents):
        return f(primals[0]), 3.0 * f(primals[0]) * tangents[0]

    expected = 3 * np.exp(X)
    for g in (jit(fd.grad(lambda x: f(x).sum())), fd.grad(lambda x: jit(f)(x).sum())):
        assert_allclose(g(X), expected)
        assert_allclose(g(X + 1), 3 * np.exp(X + 1))


def test_complex():
    def f(z):
        return np.sum(np.abs(z) ** 2 + np.real(z * z))

    z = X + 1j * T
    for g in (jit(fd.grad(f)), fd.grad(jit(f))):
        near(g(z), fd.grad(f)(z))
