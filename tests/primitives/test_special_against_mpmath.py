"""Derivatives with respect to parameters against mpmath, with 30 digits, to 1e-9 and mostly far better."""

import warnings

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp

import funcdiff as fd
from funcdiff.scipy import special


def chi(x, v, k):
    return mp.nsum(
        lambda j: (
            mp.exp(-k / 2)
            * (k / 2) ** j
            / mp.factorial(j)
            * mp.gammainc(v / 2 + j, 0, x / 2, regularized=True)
        ),
        [0, 60],
    )


def student(df, t):
    tail = mp.betainc(df / 2, 0.5, 0, df / (df + t * t), regularized=True) / 2
    return tail if t < 0 else 1 - tail


def noncentral_student(df, nc, t):
    def density(s):
        log = df / 2 * mp.log(df / 2) - mp.loggamma(df / 2) + (df - 1) * mp.log(s) - df * s * s / 2
        return 2 * mp.exp(log) * mp.ncdf(t * s - nc)

    return mp.quad(density, [0, 0.5, 1, 2, 6])


def smirnov(n, d):
    last = int(mp.floor(n * (1 - d)))
    return sum(
        mp.binomial(n, j) * d * (d + j / n) ** (j - 1) * (1 - d - j / n) ** (n - j)
        for j in (mp.mpf(k) for k in range(last + 1))
    )


def besselpoly(a, lmb, nu):
    return mp.quad(lambda x: x**lmb * mp.besselj(nu, 2 * a * x), [0, 1])


def tukey(x, lmbda):
    return mp.findroot(lambda p: (p**lmbda - (1 - p) ** lmbda) / lmbda - x, 0.6)


# (name, SciPy's function, mpmath's, argument, points)
CASES = [
    (
        "gammainc",
        sp.gammainc,
        lambda a, x: mp.gammainc(a, 0, x, regularized=True),
        0,
        [(0.01, 1e-5), (0.3, 0.6), (2.5, 3.0), (10.0, 9.0), (10.0, 60.0), (55.0, 60.0)],
    ),
    (
        "betainc",
        sp.betainc,
        lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
        0,
        [(0.05, 3.0, 1e-4), (0.5, 0.05, 0.999), (2.0, 40.0, 0.1), (15.0, 3.0, 0.9)],
    ),
    (
        "betainc",
        sp.betainc,
        lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
        1,
        [(0.05, 3.0, 1e-4), (0.5, 0.05, 0.999), (2.0, 40.0, 0.1), (15.0, 3.0, 0.9)],
    ),
    (
        "jv",
        sp.jv,
        mp.besselj,
        0,
        [(0.0, 1e-6), (0.3, 2.0), (7.0, 0.01), (20.0, 20.0), (60.0, 21.0), (-3.7, 5.0), (2.0, 90.0)],
    ),
    (
        "yv",
        sp.yv,
        mp.bessely,
        0,
        [(0.0, 1e-3), (0.3, 2.0), (7.0, 0.01), (20.0, 20.0), (-3.7, 5.0), (2.0, 90.0)],
    ),
    (
        "iv",
        sp.iv,
        mp.besseli,
        0,
        [(0.0, 1e-6), (0.3, 2.0), (7.0, 0.01), (60.0, 21.0), (-3.7, 5.0), (2.0, 90.0)],
    ),
    ("kv", sp.kv, mp.besselk, 0, [(0.3, 2.0), (7.0, 0.01), (60.0, 21.0), (-3.7, 5.0), (2.0, 90.0)]),
    ("struve", sp.struve, mp.struveh, 0, [(0.3, 1e-3), (2.5, 7.9), (2.5, 8.1), (-0.7, 30.0)]),
    ("modstruve", sp.modstruve, mp.struvel, 0, [(0.3, 1e-3), (2.5, 8.0), (-0.7, 30.0)]),
    ("hyp0f1", sp.hyp0f1, mp.hyp0f1, 0, [(0.3, -300.0), (2.5, -5.0), (-1.5, 0.1), (8.0, 100.0)]),
    ("hyp1f1", sp.hyp1f1, mp.hyp1f1, 0, [(0.3, 0.7, -60.0), (-2.0, 3.0, 5.0), (8.0, 12.0, 0.1)]),
    ("hyp1f1", sp.hyp1f1, mp.hyp1f1, 1, [(0.3, 0.7, -60.0), (-2.0, 3.0, 5.0), (8.0, 12.0, 0.1)]),
    (
        "hyp2f1",
        sp.hyp2f1,
        mp.hyp2f1,
        0,
        [(0.3, 0.7, 0.9, -30.0), (2.5, 3.0, 4.3, 0.97), (-2.0, 0.7, 4.3, 0.8)],
    ),
    (
        "hyp2f1",
        sp.hyp2f1,
        mp.hyp2f1,
        2,
        [(0.3, 0.7, 0.9, -30.0), (2.5, 3.0, 4.3, 0.97), (-2.0, 0.7, 4.3, 0.8)],
    ),
    ("hyperu", sp.hyperu, mp.hyperu, 0, [(0.3, 0.7, 1e-3), (-1.5, 3.0, 5.0), (8.0, -4.2, 60.0)]),
    ("hyperu", sp.hyperu, mp.hyperu, 1, [(0.3, 0.7, 1e-3), (-1.5, 3.0, 5.0), (8.0, -4.2, 60.0)]),
    ("zeta", sp._ufuncs._zeta, mp.zeta, 0, [(1.01, 0.1), (3.0, 50.0), (40.0, 1.0)]),
    ("zetac", sp.zetac, mp.zeta, 0, [(-7.3,), (0.0,), (0.99,), (3.0,), (30.0,)]),
    ("ellipkinc", sp.ellipkinc, mp.ellipf, 1, [(-7.0, -8.0), (1.2, 1e-9), (5.0, 0.9)]),
    ("ellipeinc", sp.ellipeinc, mp.ellipe, 1, [(-7.0, -8.0), (1.2, 1e-9), (5.0, 0.9)]),
    ("elliprj", sp.elliprj, mp.elliprj, 3, [(1e-5, 0.7, 1e3, 0.6), (3.0, 20.0, 0.2, 5.0)]),
    ("agm", sp.agm, mp.agm, 0, [(1.0, 1.0), (1e-3, 5.0), (100.0, 0.1)]),
    (
        "eval_jacobi",
        sp.eval_jacobi,
        mp.jacobi,
        0,
        [(0.3, 0.5, 1.5, -0.2), (7.5, 2.0, -0.3, 0.6), (20.0, 0.5, 1.5, 3.0)],
    ),
    ("eval_jacobi", sp.eval_jacobi, mp.jacobi, 1, [(0.3, 0.5, 1.5, -0.2), (12.0, 2.0, -0.3, -3.0)]),
    ("eval_gegenbauer", sp.eval_gegenbauer, mp.gegenbauer, 1, [(0.3, 0.5, -0.2), (20.0, 2.0, 0.6)]),
    ("eval_genlaguerre", sp.eval_genlaguerre, mp.laguerre, 1, [(0.3, 0.5, -3.0), (7.5, 2.0, 6.0)]),
    ("eval_legendre", sp.eval_legendre, mp.legendre, 0, [(0.3, -0.95), (20.0, 0.6), (7.5, 3.0)]),
    ("eval_chebyu", sp.eval_chebyu, mp.chebyu, 0, [(0.3, -0.95), (20.0, 0.6), (7.5, 3.0)]),
    ("pbdv", lambda v, x: sp.pbdv(v, x)[0], mp.pcfd, 0, [(-4.5, 0.9), (2.0, -5.0), (7.5, 5.0)]),
    (
        "pbvv",
        lambda v, x: sp.pbvv(v, x)[0],
        lambda v, x: mp.pcfv(-v - 0.5, x),
        0,
        [(-1.0, 1.1), (2.0, -5.0), (7.5, 5.0)],
    ),
    ("pbwa", lambda a, x: sp.pbwa(a, x)[0], mp.pcfw, 0, [(-1.0, 0.9), (2.0, -4.0)]),
    ("stdtr", sp.stdtr, student, 0, [(0.3, -20.0), (7.0, 1e-3), (100.0, 2.5)]),
    ("chndtr", sp.chndtr, chi, 1, [(2.0, 3.0, 1.5), (20.0, 5.0, 8.0)]),
    ("chndtr", sp.chndtr, chi, 2, [(2.0, 3.0, 1.5), (20.0, 5.0, 8.0)]),
    ("nctdtr", sp.nctdtr, noncentral_student, 0, [(3.0, 0.5, 1.2), (8.0, -1.0, -0.3)]),
    ("smirnov", lambda n, d: sp.smirnov(int(n), d), smirnov, 1, [(2, 0.16), (9, 0.47), (50, 0.1)]),
    ("tklmbda", sp.tklmbda, tukey, 1, [(0.4, 0.3), (0.2, -0.7)]),
    ("besselpoly", sp.besselpoly, besselpoly, 1, [(0.7, 0.5, 1.3), (3.0, 0.2, 2.0)]),
    ("besselpoly", sp.besselpoly, besselpoly, 2, [(0.7, 0.5, 1.3), (3.0, 0.2, 2.0)]),
]


@pytest.mark.parametrize(
    ("name", "f", "exact", "argument", "points"), CASES, ids=[f"{c[0]}-{c[3]}" for c in CASES]
)
def test_derivative_with_respect_to_a_parameter(name, f, exact, argument, points):
    def at(point):
        before, value, after = point[:argument], point[argument], point[argument + 1 :]
        slope = fd.grad(lambda a: f(*before, a, *after))(value)
        with mp.workdps(30):
            expected = mp.diff(
                lambda a: exact(*map(mp.mpf, before), a, *map(mp.mpf, after)), mp.mpf(value), h=mp.mpf("1e-9")
            )
        return slope, float(mp.re(expected))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, expected = zip(*map(at, points), strict=True)
    np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=name)


def test_orders_of_reflected_bessel_functions_at_integers():
    # DLMF 10.2.4 and 10.15.3: at order 0 the derivative of J is π/2 Y, that of Y is -π/2 J, that of I is -K
    x = np.array([0.1, 1.0, 7.0, 40.0])
    slope = fd.elementwise_grad
    np.testing.assert_allclose(slope(sp.jv)(np.zeros(4), x), np.pi / 2 * sp.y0(x), rtol=1e-11)
    np.testing.assert_allclose(slope(sp.yv)(np.zeros(4), x), -np.pi / 2 * sp.j0(x), rtol=1e-11)
    np.testing.assert_allclose(slope(sp.iv)(np.zeros(4), x), -sp.k0(x), rtol=1e-10)
    np.testing.assert_allclose(slope(sp.kv)(np.zeros(4), x), 0.0, atol=1e-14)


def test_ends_of_the_domain():
    grad = fd.elementwise_grad
    assert grad(sp.gammainc)(np.array([2.0]), np.array([0.0])) == 0.0
    assert grad(sp.betainc)(np.array([2.0]), np.array([3.0]), np.array([1.0])) == 0.0
    assert np.isnan(grad(sp.jv)(np.array([0.5]), np.array([-1.0])))
    np.testing.assert_allclose(grad(sp.eval_legendre, 1)(np.array([3.0]), np.array([1.0])), 6.0)
    np.testing.assert_allclose(grad(lambda x: sp.lpmv(0, 3, x))(np.array([1.0, -1.0])), [6.0, 6.0])
    np.testing.assert_allclose(grad(sp.beip)(np.array([0.0])), 0.5)
    np.testing.assert_allclose(grad(lambda x: sp.sici(x)[0])(np.array([0.0])), 1.0)
    np.testing.assert_allclose(grad(lambda x: special.spherical_jn(1, x))(np.array([0.0])), 1 / 3)
    np.testing.assert_allclose(grad(lambda z: np.real(special.lambertw(z)))(np.array([0.0])), 1.0)
    np.testing.assert_allclose(grad(lambda x: sp.it2j0y0(x)[0])(np.array([1e-9])), 1e-9 / 4)
    # the density of Student's t at 0 wrt df = 2, where it is 1 / sqrt(8)
    expected = ((sp.digamma(1.5) - sp.digamma(1.0)) / 2 - 1 / 4) / np.sqrt(8)
    np.testing.assert_allclose(fd.hessian(sp.stdtr, argnums=(0, 1))(2.0, 0.0)[0][1], expected)


def test_mathieu_and_spheroidal_values_where_the_matrix_grows():
    # central differences of SciPy's values: as many coefficients are kept on the circle as at its center
    q = np.array([0.0, 0.24, 0.249, 0.99])
    h = 1e-3
    expected = (sp.mathieu_a(2, q + h) - sp.mathieu_a(2, q - h)) / (2 * h)
    np.testing.assert_allclose(fd.elementwise_grad(lambda q: sp.mathieu_a(2, q))(q), expected, atol=1e-5)
    c = np.array([0.5, 0.95, 1.999])
    expected = (sp.pro_cv(1, 2, c + h) - sp.pro_cv(1, 2, c - h)) / (2 * h)
    np.testing.assert_allclose(fd.elementwise_grad(lambda c: sp.pro_cv(1, 2, c))(c), expected, atol=1e-5)
    expected = (sp.pro_ang1(1, 2, c + h, 0.4)[0] - sp.pro_ang1(1, 2, c - h, 0.4)[0]) / (2 * h)
    np.testing.assert_allclose(
        fd.elementwise_grad(lambda c: sp.pro_ang1(1, 2, c, 0.4)[0])(c), expected, atol=1e-5
    )
