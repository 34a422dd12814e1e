"""`debug.nan_check`: where the first NaN or infinity arises."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcdiff as fd
from tests.test_growth import calls

X = np.array([0.0, 1.0, 4.0])


def root(x):
    y = x * 2.0
    z = np.sqrt(y)  # here
    return np.sum(z) * 3.0


def logarithm(x):
    y = x - 1.0
    z = np.log(y)  # here
    return np.sum(z)


def wrapped(x):
    y = np.zeros_like(x)
    y[0] = x[0] * 1e308
    y[1] = y[0] * 1e308  # here
    return np.sum(y)


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def refused(transform, f, x, *words):
    pattern = r"(?s)" + ".*".join(map(re.escape, words))
    with pytest.raises(fd.errors.NonFiniteError, match=pattern), fd.debug.nan_check():
        transform(f)(x)


TRANSFORMS = {
    "grad": fd.grad,
    "jacfwd": fd.jacfwd,
    "jacrev": fd.jacrev,
    "hessian": fd.hessian,
    "grad of grad": lambda f: fd.jacrev(fd.grad(f)),
    "forward over forward": lambda f: fd.jacfwd(fd.jacfwd(f)),
    "vmap of grad": lambda f: lambda x: fd.vmap(fd.grad(f))(np.stack([x, x])),
    "linearize": lambda f: lambda x: fd.linearize(f, x)[1](np.ones(3)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_names_the_primitive_and_the_line_of_the_function(name):
    refused(
        TRANSFORMS[name], logarithm, X, "log made the first NaN", "test_debug.py", "z = np.log(y)  # here"
    )
    refused(TRANSFORMS[name], logarithm, X + 1.0, "log made the first inf", "z = np.log(y)  # here")
    refused(TRANSFORMS[name], wrapped, X + 1.0, "multiply made the first inf", "y[1] = y[0] * 1e308  # here")


@pytest.mark.parametrize("name", TRANSFORMS)
def test_names_the_primitive_and_the_line_of_the_derivative(name):
    refused(TRANSFORMS[name], root, X, "made the first inf in the derivative of sqrt", "np.sqrt(y)  # here")


def test_of_several_outputs():
    def jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), (t / x, t)

    f = fd.custom_jvp(lambda x: (x * 0.0, x * 1.0))
    f.defjvp(jvp)
    refused(fd.grad, lambda x: np.sum(f(x)[0]), X, "in the derivative of", "np.sum(f(x)[0])")


def test_of_a_factorisation():
    def singular(x):
        return np.sum(np.linalg.qr(np.outer(x, x))[1])

    refused(fd.grad, singular, np.zeros(3), "of qr", "np.linalg.qr(np.outer(x, x))")


def test_says_which_sweep():
    refused(fd.grad, root, X, "the reverse sweep made")
    refused(fd.jacfwd, root, X, "forward mode made")


@pytest.mark.parametrize("name", TRANSFORMS)
def test_finite_programs_pass_unchanged(name):
    x = X + 2.0
    for f in (root, logarithm):
        expected = TRANSFORMS[name](f)(x)
        with fd.debug.nan_check():
            assert_allclose(TRANSFORMS[name](f)(x), expected, rtol=1e-14)


def test_programs_of_every_kind_pass():
    def f(x):
        y = np.zeros_like(x)
        y[1:] = np.sin(x[1:])
        y += np.linalg.solve(np.diag(x) + np.eye(3), x)
        q, r = np.linalg.qr(np.outer(y, y) + np.eye(3))
        return np.sum(q * r) + np.sum(np.sort(y))

    with fd.debug.nan_check():
        found = fd.hessian(f)(X)
    assert_allclose(found, fd.hessian(f)(X), rtol=1e-12)


def test_zero_cotangents_stay_zero():
    with fd.debug.nan_check():
        found = fd.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(X)
    assert_allclose(found, [0.0, 0.5, 0.25])


def test_infinities_may_pass():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0))

    refused(fd.grad, f, X, "log made the first inf")
    with fd.debug.nan_check(infinities=False):
        assert_allclose(fd.grad(f)(X), [0.0, 1.0, 0.25])
    pattern = "log made the first NaN"
    with pytest.raises(fd.errors.NonFiniteError, match=pattern), fd.debug.nan_check(infinities=False):
        fd.grad(f)(X - 1.0)


def test_what_was_not_finite_before_has_not_arisen():
    with fd.debug.nan_check():
        found = fd.grad(lambda x: np.sum(np.sin(x)))(np.array([np.nan, 0.0]))
    assert np.isnan(found[0])


def test_ends_with_the_block():
    with pytest.raises(FloatingPointError), fd.debug.nan_check():
        fd.grad(root)(X)
    assert fd.grad(root)(X)[0] == np.inf
    with fd.debug.nan_check():
        pass
    assert fd.grad(root)(X)[0] == np.inf


def test_costs_nothing_when_off():
    def chain(steps):
        def f(x):
            for _ in range(steps):
                x = np.sin(x)
            return x

        return f

    per_operation = (calls(fd.grad(chain(200)), 0.5) - calls(fd.grad(chain(100)), 0.5)) / 100
    with fd.debug.nan_check():
        watched = (calls(fd.grad(chain(200)), 0.5) - calls(fd.grad(chain(100)), 0.5)) / 100
    assert per_operation < watched / 4
