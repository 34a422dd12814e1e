"""SciPy's ufuncs in plain spelling, `fd.scipy.special`, and derivatives where closed forms are delicate."""

import subprocess
import sys

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


# (function, {point: derivative}), the derivatives by mpmath with 60 digits; the points are where a textbook
# form would cancel, overflow or divide by zero
DELICATE = [
    (
        sp.log_ndtr,
        {
            -300.0: 300.0033332592634,
            -40.0: 40.02496884720726,
            -5.0: 5.186503967125842,
            3.0: 0.004437839042125664,
        },
    ),
    (sp.expit, {-700.0: 9.85967654375977e-305, 40.0: 4.248354255291589e-18, 700.0: 9.85967654375977e-305}),
    (sp.log_expit, {-50.0: 1.0, 50.0: 1.9287498479639178e-22}),
    (sp.exprel, {-50.0: 0.0004, 1e-06: 0.5000003333334583, 0.0: 0.5, 3.0: 4.5745637607083705}),
    (
        sp.rgamma,
        {
            0.0: 1.0,
            -1.0: -1.0,
            -2.0: 2.0,
            -7.0: -5040.0,
            -1.5: -0.2975352391908593,
            0.25: 1.1659978983920851,
            3.0: -0.46139216754923357,
        },
    ),
    (
        sp.spence,
        {0.1: -2.558427881104495, 0.999999: -1.0000005000003334, 1.0: -1.0, 3.0: -0.5493061443340549},
    ),
    (
        sp.ellipk,
        {
            -3.0: 0.07878830166093198,
            0.0: 0.39269908169872414,
            1e-09: 0.39269908214051064,
            0.9: 4.7053640076069785,
        },
    ),
    (
        sp.ellipe,
        {
            -3.0: -0.2239757052311829,
            0.0: -0.39269908169872414,
            1e-09: -0.3926990818459863,
            0.9: -0.8185096559133889,
        },
    ),
    (sp.i1, {0.0: 0.5, 1e-08: 0.5, 2.0: 1.4842668750174028}),
    (sp.j1, {0.0: 0.5, 1e-08: 0.5, 2.0: -0.06447162473720103}),
    (sp.digamma, {-1.5: 9.379246644989124, 0.1: 101.43329915079275, 30.0: 0.033895060357739946}),
    (sp.erfinv, {-0.999: 198.93951776442475, 0.0: 0.886226925452758, 0.5: 1.1125848189719498}),
    (lambda x: sp.inv_boxcox(x, 0.0), {-1.0: 0.36787944117144233, 0.0: 1.0, 2.0: 7.38905609893065}),
    (
        lambda x: sp.boxcox(2.0, x),
        {0.0: 0.24022650695910072, 1e-07: 0.24022651805992273, 0.5: 0.3036620374447142},
    ),
    (
        lambda x: sp.inv_boxcox(0.5, x),
        {0.0: -0.20609015883751602, 1e-06: -0.2060899956829116, 0.5: -0.14464719571381096},
    ),
]


@pytest.mark.parametrize(("f", "slopes"), DELICATE)
def test_delicate_points(f, slopes):
    np.testing.assert_allclose(slope(f, list(slopes)), list(slopes.values()), rtol=1e-11)


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


def test_whole_orders_without_a_rule_say_so():
    with pytest.raises(fd.errors.MissingRuleError, match="argument 0"):
        slope(lambda n: sp.yn(n, 1.0), [2.0])


def test_complex_arguments_of_digamma():
    z = 1 + 1j
    terms = np.arange(400_000.0)
    trigamma = np.sum(1 / (z + terms) ** 2) + 1 / (z + 400_000.0 - 0.5)
    np.testing.assert_allclose(fd.grad(sp.digamma, holomorphic=True)(z), trigamma, rtol=1e-11)
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


# --- functions that are not ufuncs ---------------------------------------------------------------------------

FUNCTIONS = {
    "multigammaln": lambda s, x: s.multigammaln(x + 3, 3),
    "comb": lambda s, x: s.comb(x + 4, x),
    "comb with repetition": lambda s, x: s.comb(x + 4, x, repetition=True),
    "perm": lambda s, x: s.perm(x + 4, x),
    "factorial": lambda s, x: s.factorial(3 * x),
    "softplus": lambda s, x: s.softplus(x),
    "diric": lambda s, x: s.diric(5 * x, 4),
    "lambertw": lambda s, x: np.real(s.lambertw(x)),
    "lambertw, lower branch": lambda s, x: np.real(s.lambertw(-x / 3, -1)),
    "jvp": lambda s, x: s.jvp(1.5, x, 2),
    "yvp": lambda s, x: s.yvp(1.5, x, 2),
    "ivp": lambda s, x: s.ivp(1.5, x, 3),
    "kvp": lambda s, x: s.kvp(1.5, x, 3),
    "h1vp": lambda s, x: np.imag(s.h1vp(1.5, x)),
    "h2vp": lambda s, x: np.imag(s.h2vp(1.5, x)),
    "spherical_jn": lambda s, x: s.spherical_jn(2, x),
    "spherical_yn": lambda s, x: s.spherical_yn(2, x, True),
    "spherical_in": lambda s, x: s.spherical_in(np.array([0, 3]), x),
    "spherical_kn": lambda s, x: s.spherical_kn(2, x, derivative=True),
    "assoc_laguerre": lambda s, x: s.assoc_laguerre(x, 3, 1.5),
    "legendre_p": lambda s, x: s.legendre_p(3, x),
    "assoc_legendre_p": lambda s, x: s.assoc_legendre_p(3, 1, x),
    "assoc_legendre_p, normalized": lambda s, x: s.assoc_legendre_p(3, -2, x, norm=True),
    "sph_legendre_p": lambda s, x: s.sph_legendre_p(3, -2, x),
    "sph_harm_y": lambda s, x: np.real(s.sph_harm_y(3, 2, x, x * x)),
    "zeta": lambda s, x: s.zeta(x + 2),
    "zeta of two arguments": lambda s, x: s.zeta(x + 2, x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_are_not_ufuncs(name):
    f = FUNCTIONS[name]
    x = np.array([0.3, 0.7])
    expected = f(sp, x)
    value, _ = fd.pullback(lambda x: f(special, x), x)
    assert np.shape(value) == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_array_equal(f(special, x), expected)
    fd.testing.check_grads(lambda x: f(special, x), (x,), order=2)
    together = fd.vmap(fd.grad(lambda x: np.sum(f(special, x))))(np.stack([x, x / 2]))
    np.testing.assert_allclose(together[1], fd.grad(lambda x: np.sum(f(special, x)))(x / 2), rtol=1e-10)


def test_diric_where_the_quotient_is_zero_over_zero():
    slope_of = fd.grad(fd.grad(lambda x: special.diric(x, 5)))
    np.testing.assert_allclose(slope_of(2 * np.pi), -(5**2 - 1) / 12, rtol=1e-12)


# --- nothing is dropped -----------------------------------------------------------------------------------------


def test_every_public_name_of_scipy_special_is_here():
    assert [name for name in sp.__all__ if not hasattr(special, name)] == []


def test_every_ufunc_takes_traced_arrays_or_says_why_not():
    from funcdiff.numpy import _protocol

    assert [
        n for n in dir(sp) if isinstance(getattr(sp, n), np.ufunc) and getattr(sp, n) not in _protocol.UFUNCS
    ] == []


@pytest.mark.parametrize(
    "f",
    [
        lambda x: special.roots_jacobi(3, x[0], x[1]),
        lambda x: special.ellip_harm(5.0, 8.0, 1, 1, x[0]),
        lambda x: special.comb(x, 2, exact=True),
        lambda x: special.legendre_p_all(3, x),
        lambda x: special.factorial2(x),
        lambda x: sp.ncfdtrinc(2.0, 3.0, 0.5, x),
        lambda x: special.ncfdtrinc(2.0, 3.0, 0.5, x),
        lambda x: special.legendre_p(3, x, diff_n=1),
    ],
)
def test_what_has_no_derivative_says_so(f):
    with pytest.raises(fd.errors.UnsupportedError, match=r"scipy\.special"):
        fd.grad(lambda x: np.sum(f(x)))(np.array([0.3, 0.7]))


def test_missing_arguments_are_named_with_the_reason():
    with pytest.raises(fd.errors.MissingRuleError, match=r"expn .*argument 0: it is an integer parameter"):
        fd.grad(lambda n: sp.expn(n, 0.3))(5.0)
    with pytest.raises(fd.errors.MissingRuleError, match=r"mathieu_modcem1 .*argument 1: no accurate method"):
        fd.grad(lambda q: sp.mathieu_modcem1(1, q, 0.5)[0])(1.0)


def test_several_outputs_in_plain_spelling():
    x = np.array([0.4, 1.3])
    np.testing.assert_allclose(slope(lambda x: sp.airy(x)[0], x), sp.airy(x)[1], rtol=1e-14)
    np.testing.assert_allclose(slope(lambda x: sum(sp.sici(x)), x), (np.sin(x) + np.cos(x)) / x, rtol=1e-14)
    np.testing.assert_allclose(slope(lambda x: sp.ellipj(x, 0.3)[3], x), sp.ellipj(x, 0.3)[2], rtol=1e-14)
    values, slopes = fd.jvp(sp.fresnel, (x,), (np.ones(2),))
    np.testing.assert_array_equal(values, sp.fresnel(x))
    np.testing.assert_allclose(slopes, [np.sin(np.pi / 2 * x * x), np.cos(np.pi / 2 * x * x)], rtol=1e-14)
