"""SciPy's ufuncs in plain spelling, `fd.scipy.special`, and derivatives where closed forms are delicate."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.special as sp

import funcdiff as fd
import funcdiff.scipy


def slope(f, x):
    return fd.grad(lambda x: np.sum(f(x)))(np.asarray(x, float))


def test_plain_spelling():
    x = np.array([0.4, 2.0, 5.5])
    np.testing.assert_allclose(slope(sp.gammaln, x), sp.digamma(x), rtol=1e-14)
    np.testing.assert_allclose(slope(sp.expit, x), sp.expit(x) * sp.expit(-x), rtol=1e-14)
    np.testing.assert_allclose(slope(lambda x: sp.gammainc(2.0, x), x), x * np.exp(-x), rtol=1e-13)


def test_scipy_spelling_of_numpy_functions():
    x = np.array([0.4, 2.0])
    for ours, numpys in ((sp.log1p, np.log1p), (sp.expm1, np.expm1), (sp.exp2, np.exp2), (sp.cbrt, np.cbrt)):
        np.testing.assert_allclose(slope(ours, x), slope(numpys, x), rtol=1e-14)


# (function, derivative, points): the points are where a textbook form would cancel, overflow or divide by 0
DELICATE = [
    (sp.log_ndtr, lambda x: mpmath.npdf(x) / mpmath.ncdf(x), [-300.0, -40.0, -5.0, 3.0]),
    (sp.expit, lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2, [-700.0, 40.0, 700.0]),
    (sp.log_expit, lambda x: 1 / (1 + mpmath.exp(x)), [-50.0, 50.0]),
    (sp.exprel, lambda x: mpmath.diff(lambda t: mpmath.expm1(t) / t, x) if x else 0.5, [-50.0, 1e-6, 0.0, 3.0]),
    (sp.rgamma, lambda x: mpmath.diff(mpmath.rgamma, x), [0.0, -1.0, -2.0, -7.0, -1.5, 0.25, 3.0]),
    (sp.spence, lambda x: mpmath.log(x) / (1 - x) if x != 1 else -1, [0.1, 0.999999, 1.0, 3.0]),
    (sp.ellipk, lambda m: mpmath.diff(mpmath.ellipk, m), [-3.0, 0.0, 1e-9, 0.9]),
    (sp.ellipe, lambda m: mpmath.diff(mpmath.ellipe, m), [-3.0, 0.0, 1e-9, 0.9]),
    (sp.i1, lambda x: (mpmath.besseli(0, x) + mpmath.besseli(2, x)) / 2, [0.0, 1e-8, 2.0]),
    (sp.j1, lambda x: (mpmath.besselj(0, x) - mpmath.besselj(2, x)) / 2, [0.0, 1e-8, 2.0]),
    (sp.digamma, lambda x: mpmath.polygamma(1, x), [-1.5, 0.1, 30.0]),
    (sp.erfinv, lambda p: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(mpmath.erfinv(p) ** 2), [-0.999, 0.0, 0.5]),
    (lambda x: sp.inv_boxcox(x, 0.0), mpmath.exp, [-1.0, 0.0, 2.0]),
    (lambda x: sp.boxcox(2.0, x), lambda t: mpmath.diff(lambda s: (2**s - 1) / s, t) if t else mpmath.log(2) ** 2 / 2,
     [0.0, 1e-7, 0.5]),
    (lambda x: sp.inv_boxcox(0.5, x), lambda t: mpmath.diff(lambda s: (1 + s / 2) ** (1 / s), t) if t else -mpmath.e**0.5 / 8,
     [0.0, 1e-6, 0.5]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "derivative", "points"), DELICATE)
def test_delicate_points(f, derivative, points):
    with mpmath.workdps(60):
        expected = [float(derivative(mpmath.mpf(x))) for x in points]
    np.testing.assert_allclose(slope(f, points), expected, rtol=1e-11)


def test_entropies_at_zero():
    assert slope(lambda y: sp.xlogy(0.0, y), [0.0])[0] == 0.0
    assert slope(lambda y: sp.xlog1py(0.0, y), [-1.0])[0] == 0.0
    assert slope(lambda y: sp.rel_entr(0.0, y), [0.0])[0] == 0.0
    assert slope(lambda y: sp.kl_div(0.0, y), [2.0])[0] == 1.0
    assert slope(sp.entr, [0.0])[0] == np.inf
    np.testing.assert_array_equal(slope(lambda x: sp.gammainc(1.0, x), [0.0]), [1.0])


def test_huber_on_both_branches():
    r = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(slope(lambda r: sp.huber(1.0, r), r), np.clip(r, -1, 1))
    np.testing.assert_allclose(slope(lambda d: sp.huber(d, r), 1.0), 4.0)


def test_orders_without_a_rule_say_so():
    with pytest.raises(fd.errors.MissingRuleError, match="argument 0"):
        slope(lambda v: sp.jv(v, 1.0), [0.5])


def test_a_ufunc_without_a_rule_says_so():
    with pytest.raises(fd.errors.UnsupportedError, match=r"scipy\.special\.struve"):
        slope(lambda x: sp.struve(1.0, x), [0.5])


def test_complex_arguments_of_polygamma_say_so():
    with pytest.raises(fd.errors.UnsupportedError, match="polygamma"):
        fd.grad(sp.digamma, holomorphic=True)(1 + 1j)
    np.testing.assert_allclose(fd.grad(sp.loggamma, holomorphic=True)(1 + 1j), sp.digamma(1 + 1j))


# --- fd.scipy.special ------------------------------------------------------------------------------------

special = funcdiff.scipy.special


def test_polygamma_and_zeta():
    x = np.array([0.4, 2.0])
    for n in range(4):
        np.testing.assert_allclose(special.polygamma(n, x), sp.polygamma(n, x))
        np.testing.assert_allclose(
            slope(lambda x, n=n: special.polygamma(n, x), x), sp.polygamma(n + 1, x), rtol=1e-12
        )
    orders = np.array([0, 3])
    np.testing.assert_allclose(
        slope(lambda x: special.polygamma(orders, x), x), sp.polygamma(orders + 1, x), rtol=1e-12
    )
    np.testing.assert_allclose(slope(lambda q: special.zeta(3.0, q), x), -3 * sp.zeta(4.0, x), rtol=1e-12)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 20, (3, 4)), rng.uniform(0, 2, (3, 4))
    for weights in (None, b):
        value, pull = fd.pullback(
            lambda a, w=weights: special.logsumexp(a, axis=axis, b=w, keepdims=keepdims), a
        )
        expected = sp.logsumexp(a, axis=axis, b=weights, keepdims=keepdims)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
        assert np.shape(value) == np.shape(expected)
        if weights is None:
            (g,) = pull(np.ones_like(expected))
            np.testing.assert_allclose(g, sp.softmax(a, axis=axis), rtol=1e-12)
    fd.testing.check_grads(
        lambda a, b: special.logsumexp(a, axis=axis, b=b, keepdims=keepdims), (a / 20, b), order=2
    )


def test_logsumexp_keeps_small_digits_and_is_finite_at_minus_infinity():
    value, g = fd.value_and_grad(special.logsumexp)(np.array([0.0, -50.0]))
    np.testing.assert_allclose(value, np.exp(-50.0), rtol=1e-14)
    np.testing.assert_allclose(g, [1.0, np.exp(-50.0)], rtol=1e-14)
    with np.errstate(all="raise"):
        value, g = fd.value_and_grad(special.logsumexp)(np.array([-np.inf, -np.inf]))
    assert value == -np.inf
    np.testing.assert_array_equal(g, 0.0)
    np.testing.assert_array_equal(fd.grad(special.logsumexp)(np.array([-np.inf, 3.0])), [0.0, 1.0])


def test_logsumexp_with_signs():
    b = np.array([1.0, -3.0])
    size, sign = special.logsumexp(np.array([1.0, 2.0]), b=b, return_sign=True)
    a = np.array([1.0, 2.0])

    def f(a):
        found, s = special.logsumexp(a, b=b, return_sign=True)
        assert fd.stop_gradient(s) == sign
        return found

    value, g = fd.value_and_grad(f)(a)
    np.testing.assert_allclose(value, size)
    np.testing.assert_allclose(g, b * np.exp(a) / np.sum(b * np.exp(a)))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_softmax(axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    for f, original in ((special.softmax, sp.softmax), (special.log_softmax, sp.log_softmax)):
        value, _ = fd.pullback(lambda x, f=f: f(x, axis=axis), x)
        np.testing.assert_allclose(value, original(x, axis=axis), rtol=1e-14)
        fd.testing.check_grads(lambda x, f=f: f(x, axis=axis), (x,), order=2)
    far = np.array([1000.0, 0.0])
    np.testing.assert_array_equal(fd.jacobian(special.log_softmax)(far), [[0.0, 0.0], [-1.0, 1.0]])


def test_plain_arguments_go_to_scipy():
    assert isinstance(special.gammaln(3.0), np.float64)
    np.testing.assert_array_equal(special.softmax([1.0, 2.0]), sp.softmax([1.0, 2.0]))
    np.testing.assert_array_equal(special.sinc([0.5]), np.sinc([0.5]))


def test_every_name_is_scipys():
    from funcdiff.numpy.ufuncs import Ufunc

    for name, value in vars(special).items():
        if isinstance(value, Ufunc) and not name.startswith("_"):
            assert value.ufunc is getattr(sp, name)


def test_importing_funcdiff_does_not_import_scipy():
    code = "import sys, funcdiff, funcdiff.numpy; assert not [m for m in sys.modules if m.split('.')[0] == 'scipy']"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "f", [sp.expit, sp.gammaln, sp.erf, lambda x: sp.xlogy(0.5, x), lambda x: sp.jv(1, x)]
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_gradients_keep_the_precision_of_the_input(f, dtype):
    x = np.array([0.5, 1.5], dtype)
    assert fd.grad(lambda x: np.sum(f(x)))(x).dtype == dtype
