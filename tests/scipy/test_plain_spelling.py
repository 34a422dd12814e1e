"""SciPy's own functions on traced arrays: right derivatives, or an error that says what to write instead."""

import statistics

import numpy as np
import pytest
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.spatial.distance
import scipy.special
import scipy.stats

import funcdiff as fd
from funcdiff import errors
from tests.numpy.checks import check

A = np.eye(3) * 2
X = np.array([0.7, 1.1, 1.6])
V = np.array([0.3, 1.1, 0.71, 1.93, 1.4, 2.27, 0.9, 1.6])

WORKS = {
    "trapezoid": lambda x: scipy.integrate.trapezoid(x, dx=0.1),
    "cumulative_trapezoid": lambda x: scipy.integrate.cumulative_trapezoid(x),
    "simpson": lambda x: scipy.integrate.simpson(x, dx=0.5),
    "gmean": lambda x: scipy.stats.gmean(x),
    "pearsonr": lambda x: scipy.stats.sem(x),
    "differential_entropy": lambda x: scipy.stats.differential_entropy(x),
    "relfreq": lambda x: scipy.stats.relfreq(x)[2],
    "block_diag": lambda x: scipy.linalg.block_diag(np.outer(x, x), np.eye(2)),
    "sqeuclidean": lambda x: scipy.spatial.distance.sqeuclidean(x, x[::-1]),
}


@pytest.mark.parametrize("name", WORKS)
def test_programs_of_scipy_in_python(name):
    check(WORKS[name], V, order=1, batched=False)


NAMED = {
    "scipy.linalg.solve": (lambda x: scipy.linalg.solve(A, x), "fd.scipy.linalg.solve"),
    "scipy.linalg.cho_factor": (
        lambda x: scipy.linalg.cho_factor(np.outer(x, x) + A)[0],
        "fd.scipy.linalg.cho_factor",
    ),
    "scipy.linalg.expm": (lambda x: scipy.linalg.expm(np.outer(x, x)), "fd.scipy.linalg.expm"),
    "scipy.sparse.linalg.spsolve": (
        lambda x: scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(A), x),
        "fd.scipy.sparse.linalg.spsolve",
    ),
    "scipy.sparse.linalg.cg": (
        lambda x: scipy.sparse.linalg.cg(scipy.sparse.csc_array(A), x)[0],
        "fd.scipy.sparse.linalg.cg",
    ),
    "scipy.ndimage.gaussian_filter": (lambda x: scipy.ndimage.gaussian_filter(x, 1.0), "fd.numerical"),
    "scipy.integrate.quad": (lambda x: scipy.integrate.quad(lambda t: x[0] * t, 0, 1)[0], "fd.numerical"),
    "scipy.integrate.solve_ivp": (
        lambda x: scipy.integrate.solve_ivp(lambda t, y: -x[0] * y, (0, 1), [1.0]).y,
        "fd.numerical",
    ),
    "scipy.optimize.brentq": (lambda x: scipy.optimize.brentq(lambda t: t - x[0], 0, 3), "fd.numerical"),
    "scipy.optimize.minimize": (
        lambda x: scipy.optimize.minimize(lambda y: np.sum((y - x) ** 2), np.zeros(3)).x,
        "fd.numerical",
    ),
    "scipy.interpolate.CubicSpline": (
        lambda x: scipy.interpolate.CubicSpline(np.arange(3.0), x)(1.5),
        "scipy.interpolate.CubicSpline cannot take a traced array",
    ),
    "scipy.spatial.distance.cdist": (
        lambda x: scipy.spatial.distance.cdist(x[:, None], x[:, None]),
        "fd.numerical",
    ),
    "scipy.spatial.distance.squareform": (lambda x: scipy.spatial.distance.squareform(x), "fd.numerical"),
    "scipy.special.sph_harm_y": (
        lambda x: np.abs(scipy.special.sph_harm_y(1, 1, x, 0.3)),
        "fd.scipy.special.sph_harm_y",
    ),
    "scipy.signal.lfilter": (lambda x: scipy.signal.lfilter([1.0], [1.0, 0.5], x), "fd.numerical"),
    "scipy.signal.convolve2d": (lambda x: scipy.signal.convolve2d(np.outer(x, x), A), "fd.numerical"),
    "scipy.signal.zpk2ss": (lambda x: scipy.signal.zpk2ss(0.5, x[1], 2.0)[2], "fd.numerical"),
    "scipy.signal.lp2lp": (lambda x: scipy.signal.lp2lp([1.0, 2.0], x)[0], "fd.numerical"),
    "as_strided": (lambda x: scipy.linalg.circulant(x), "fd.scipy"),
    "scipy.special.logsumexp": (lambda x: scipy.special.logsumexp(x), "Call fd.scipy.special.logsumexp"),
    "scipy.special.log_softmax": (
        lambda x: scipy.special.log_softmax(x),
        "Call fd.scipy.special.log_softmax",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_errors_name_the_function_and_what_to_write(name):
    f, hint = NAMED[name]
    with pytest.raises(errors.UnsupportedError) as caught:
        fd.grad(lambda x: np.sum(f(x)))(X)
    assert name in str(caught.value)
    assert hint in str(caught.value)


DIRECT = {
    "grad": fd.grad,
    "jacobian": fd.jacobian,
    "hessian": fd.hessian,
    "jvp": lambda f: lambda x: fd.jvp(f, x, x),
    "vjp": lambda f: lambda x: fd.vjp(f, x),
    "trace": fd.trace,
    "jit": fd.jit,
    "jit of grad": lambda f: fd.jit(fd.grad(f)),
}


@pytest.mark.parametrize("name", ["logsumexp", "log_softmax"])
@pytest.mark.parametrize("transform", DIRECT)
def test_errors_name_a_function_that_is_given_itself(transform, name):
    with pytest.raises(errors.UnsupportedError, match=rf"Call fd\.scipy\.special\.{name}\."):
        DIRECT[transform](getattr(scipy.special, name))(X)


def test_errors_name_a_function_that_is_mapped_itself():
    with pytest.raises(errors.UnsupportedError, match=r"Call fd\.scipy\.linalg\.inv\."):
        fd.vmap(scipy.linalg.inv)(np.ones((2, 3, 3)) + np.eye(3))


@pytest.mark.parametrize("name", ["logsumexp", "log_softmax", "softmax"])
def test_errors_name_a_function_that_decides_by_mapped_values(name):
    f = getattr(scipy.special, name)
    for g in (f, lambda x: f(x), fd.grad(lambda x: np.sum(f(x)))):
        with pytest.raises(errors.UnsupportedError, match=rf"Call fd\.scipy\.special\.{name}\."):
            fd.vmap(g)(np.stack([X, X]))


def test_decisions_in_a_callback_of_scipys_are_the_users():
    def decides(t, y):
        return y if y[0] > 0 else -y

    with pytest.raises(errors.MappedControlFlowError, match=r"np\.where"):
        fd.vmap(lambda x: scipy.integrate.quad_vec(lambda t: decides(t, x), 0, 1)[0])(np.stack([X, X]))


def test_numbers_of_pythons_own_modules():
    with pytest.raises(errors.UnsupportedError, match=r"np\.mean for statistics\.mean"):
        fd.grad(lambda x: statistics.mean(x))(X)


def test_roots_by_newtons_method_are_differentiated_through():
    check(
        lambda x: scipy.optimize.newton(lambda t: t * t - x[0], 1.0, fprime=lambda t: 2 * t), X, batched=False
    )


def test_the_users_own_errors_pass():
    def f(x):
        scipy.optimize.brentq(lambda t: t - [][0], 0.0, 1.0)
        return np.sum(x)

    with pytest.raises(IndexError, match="list index out of range"):
        fd.grad(f)(X)
    with pytest.raises(ValueError, match="must have different signs"):
        fd.grad(lambda x: np.sum(x) * scipy.optimize.brentq(lambda t: t * t + 1, 0.0, 1.0))(X)


def test_converting_to_objects_keeps_derivatives():
    np.testing.assert_allclose(fd.grad(lambda x: (x.astype(object) ** 2).sum())(X), 2 * X)
    np.testing.assert_allclose(fd.grad(lambda x: fd.numpy.linspace(x[0], 3, 5, dtype=object)[1])(X)[0], 0.75)


def test_modules_that_are_not_covered_say_so():
    for name in ("optimize", "signal", "stats", "integrate", "interpolate", "ndimage", "spatial"):
        if name not in fd.scipy.__all__:
            with pytest.raises(AttributeError, match="not covered yet"):
                getattr(fd.scipy, name)
            assert not hasattr(fd.scipy, name)
