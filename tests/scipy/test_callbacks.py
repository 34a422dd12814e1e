"""Functions of SciPy's that call back: the callback closes over a traced array, and gives traced values.

SciPy may find its result by comparing these values, and then nothing of them is left in it; or write them into plain
arrays, or hand them to compiled code.  Each call is right or raises, in both modes, and never gives a silent zero.
"""

import numpy as np
import pytest
import scipy.differentiate
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.optimize.elementwise
import scipy.signal
import scipy.sparse.linalg
import scipy.spatial.distance
import scipy.stats
from numpy.testing import assert_allclose

import funcdiff as fd
from funcdiff import errors

so, si, ss, nd = scipy.optimize, scipy.integrate, scipy.stats, scipy.ndimage
sd, sl, distance = scipy.differentiate, scipy.sparse.linalg, scipy.spatial.distance
elementwise = scipy.optimize.elementwise

X = np.array([0.7, 1.1, 1.6])
POINTS = np.arange(5.0)
BOX = [(-3.0, 3.0), (-3.0, 3.0)]


def valley(x):
    return lambda t: (t - x[0]) ** 2 * (1 + 0.1 * np.sin(t * x[1]))


def bowl(x):
    return lambda t: (t[0] - x[0]) ** 2 + (t[1] - x[1]) ** 4 + (t[0] - t[1]) ** 2


def bowl_gradient(x):
    return lambda t: fd.numpy.array(
        [2 * (t[0] - x[0]) + 2 * (t[0] - t[1]), 4 * (t[1] - x[1]) ** 3 - 2 * (t[0] - t[1])]
    )


def bowl_hessian(x):
    return lambda t: fd.numpy.array([[4.0, -2.0], [-2.0, 12 * (t[1] - x[1]) ** 2 + 2]])


def cubic(x):
    return lambda t: t**3 + t - x[0]


def system(x):
    return lambda t: fd.numpy.array([t[0] ** 3 + t[0] - x[0], t[1] + t[0] * x[1] - 1])


def wave(x):
    return lambda t: np.exp(-x[0] * t) * np.sin(x[1] * t)


def decay(x):
    return lambda t, y: -x[0] * y


def mean_of(x):
    return lambda d, axis=-1: np.mean(d * x[0], axis=axis)


def operator(x):
    def product(v):
        return v.ravel() * x

    return sl.LinearOperator((3, 3), matvec=product, rmatvec=product, dtype=float)


def slope_of(t):
    return 3 * t**2 + 1


WORKS = {  # sums and products of what the callback gave
    "newton": lambda x: so.newton(cubic(x), 0.5, fprime=slope_of),
    "newton, Halley": lambda x: so.newton(cubic(x), 0.5, fprime=slope_of, fprime2=lambda t: 6 * t),
    "newton, secant": lambda x: so.newton(cubic(x), 0.5),
    "newton of a vector": lambda x: so.newton(lambda t: t**3 + t - x, np.full(3, 0.5), fprime=slope_of),
    "newton of a vector, secant": lambda x: so.newton(lambda t: t**3 + t - x, np.full(3, 0.5)),
    "root_scalar newton": lambda x: so.root_scalar(cubic(x), x0=0.5, fprime=slope_of, method="newton").root,
    "root_scalar secant": lambda x: so.root_scalar(cubic(x), x0=0.5, x1=1.0, method="secant").root,
    "fixed_point": lambda x: so.fixed_point(lambda t: np.cos(t) * x[0], 0.5),
    "fixed_point, iteration": lambda x: so.fixed_point(lambda t: np.cos(t) * x[0], 0.5, method="iteration"),
    "fixed_point of a vector": lambda x: so.fixed_point(lambda t: np.cos(t) * x / 2, np.full(3, 0.5)),
    "lsq_linear": lambda x: so.lsq_linear(np.eye(3) + np.diag([0.2, 0.1], 1), x).x,
    "rosen": lambda x: so.rosen(x),
    "rosen_der": lambda x: so.rosen_der(x),
    "rosen_hess": lambda x: so.rosen_hess(x),
    "rosen_hess_prod": lambda x: so.rosen_hess_prod(x, x),
    "fixed_quad": lambda x: si.fixed_quad(wave(x), 0, 1)[0],
    "cubature": lambda x: si.cubature(lambda t: np.exp(-x[0] * t[:, 0]), [0], [1]).estimate,
    "romb": lambda x: si.romb(np.concatenate([x, x[:2]])),
    "permutation_test": lambda x: (
        ss.permutation_test(
            (POINTS, POINTS + 1), lambda a, b, axis: np.mean(a * x[0], axis) - np.mean(b, axis), n_resamples=9
        ).statistic
    ),
    "monte_carlo_test": lambda x: (
        ss.monte_carlo_test(POINTS, ss.norm.rvs, mean_of(x), n_resamples=9).statistic
    ),
    "poisson.expect": lambda x: ss.poisson.expect(lambda k: k * x[0], args=(2.0,)),
    "generic_laplace": lambda x: nd.generic_laplace(POINTS, lambda a, axis, *_: a * x[0]),
    "generic_gradient_magnitude": lambda x: nd.generic_gradient_magnitude(
        POINTS, lambda a, axis, *_: a * x[0]
    ),
}


def refused():
    """Calls by name that raise."""
    found = {}
    for method in ("brent", "bounded", "golden"):
        bounds = {"bounds": (-3, 3)} if method == "bounded" else {}
        for part in ("x", "fun"):
            found[f"minimize_scalar {method} {part}"] = lambda x, m=method, b=bounds, p=part: (
                so.minimize_scalar(valley(x), method=m, **b)[p]
            )
    gradients = ("CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "trust-constr")
    hessians = ("Newton-CG", "dogleg", "trust-ncg", "trust-exact", "trust-krylov")
    for method in ("Nelder-Mead", "Powell", "COBYLA", "COBYQA", *gradients, *hessians):

        def minimum(x, method=method, derivatives=True, start=None):
            more = {"jac": bowl_gradient(x)} if derivatives and method in gradients + hessians else {}
            more |= {"hess": bowl_hessian(x)} if derivatives and method in hessians else {}
            return so.minimize(bowl(x), [0.1, 0.2] if start is None else start, method=method, **more)

        found[f"minimize {method}"] = lambda x, f=minimum: f(x).x
        found[f"minimize {method} value"] = lambda x, f=minimum: f(x).fun
        if method not in hessians:
            found[f"minimize {method} without gradient"] = lambda x, f=minimum: f(x, derivatives=False).x
            found[f"minimize {method} start"] = lambda x, f=minimum: f(X, derivatives=False, start=x[:2]).x
    for method in ("bisect", "brentq", "brenth", "ridder", "toms748"):
        found[method] = lambda x, m=method: getattr(so, m)(cubic(x), -3, 3)
        found[f"root_scalar {method}"] = lambda x, m=method: (
            so.root_scalar(cubic(x), bracket=(-3, 3), method=m).root
        )
    for method in (
        "hybr", "lm", "broyden1", "broyden2", "anderson", "linearmixing", "diagbroyden", "excitingmixing", "krylov",
        "df-sane",
    ):  # fmt: skip
        found[f"root {method}"] = lambda x, m=method: so.root(system(x), [0.1, 0.2], method=m).x
    for name in ("broyden1", "broyden2", "anderson", "newton_krylov", "diagbroyden", "fsolve", "leastsq"):
        found[name] = lambda x, n=name: getattr(so, n)(system(x), [0.1, 0.2])
    for method in ("trf", "dogbox", "lm"):
        found[f"least_squares {method}"] = lambda x, m=method: (
            so.least_squares(system(x), [0.1, 0.2], method=m).x
        )
    for name in ("fmin", "fmin_powell", "fmin_bfgs", "fmin_cg"):
        found[name] = lambda x, n=name: getattr(so, n)(bowl(x), [0.1, 0.2], disp=0)
    for name in ("fmin_l_bfgs_b", "fmin_tnc"):
        found[name] = lambda x, n=name: getattr(so, n)(bowl(x), [0.1, 0.2], approx_grad=True)[0]
    for method in ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA"):
        found[f"solve_ivp {method}"] = lambda x, m=method: si.solve_ivp(decay(x), (0, 1), [1.0], method=m).y
        found[f"solve_ivp {method} start"] = lambda x, m=method: (
            si.solve_ivp(lambda t, y: -y, (0, 1), x, method=m).y
        )
        found[f"solve_ivp {method} event"] = lambda x, m=method: si.solve_ivp(
            lambda t, y: -y, (0, 3), [1.0], method=m, events=lambda t, y: y[0] - x[0] / 2
        ).t_events[0]
    for name in (
        "cg",
        "gmres",
        "bicg",
        "bicgstab",
        "cgs",
        "minres",
        "lgmres",
        "gcrotmk",
        "tfqmr",
        "lsqr",
        "lsmr",
    ):
        found[f"sparse.linalg.{name}"] = lambda x, n=name: getattr(sl, n)(operator(x), np.ones(3))[0]
    return found


REFUSED = refused() | {
    "golden": lambda x: so.golden(valley(x)),
    "golden, bracket": lambda x: so.golden(valley(x), brack=(-3, 0.5, 3)),
    "golden, value": lambda x: so.golden(valley(x), full_output=True)[1],
    "golden, traced bracket": lambda x: so.golden(lambda t: (t - 0.3) ** 2, brack=(0, x[0] / 2, 2 * x[1])),
    "golden of a sum": lambda x: so.golden(lambda t: np.sum((t - x) ** 2), brack=(-1, 0.1, 3)),
    "brent": lambda x: so.brent(valley(x)),
    "fminbound": lambda x: so.fminbound(valley(x), -3, 3),
    "fminbound, bounds": lambda x: so.fminbound(lambda t: (t - 2) ** 2, 0, x[0]),
    "bracket": lambda x: so.bracket(valley(x))[1],
    "fmin_ncg": lambda x: so.fmin_ncg(bowl(x), [0.1, 0.2], bowl_gradient(x), disp=0),
    "fmin_slsqp": lambda x: so.fmin_slsqp(bowl(x), [0.1, 0.2], iprint=0),
    "fmin_cobyla": lambda x: so.fmin_cobyla(bowl(x), [0.1, 0.2], [lambda t: 3 - t[0]]),
    "brute": lambda x: so.brute(bowl(x), BOX, Ns=5),
    "basinhopping": lambda x: so.basinhopping(bowl(x), [0.1, 0.2], niter=2, rng=0).x,
    "differential_evolution": lambda x: so.differential_evolution(bowl(x), BOX, maxiter=3, rng=0).x,
    "shgo": lambda x: so.shgo(bowl(x), BOX, n=10).x,
    "dual_annealing": lambda x: so.dual_annealing(bowl(x), BOX, maxiter=3, rng=0).x,
    "dual_annealing, no local search": lambda x: so.dual_annealing(
        bowl(x), BOX, maxiter=3, rng=0, no_local_search=True
    ).x,
    "direct": lambda x: so.direct(bowl(x), BOX, maxiter=3).x,
    "constraint": lambda x: so.minimize(
        bowl(X), [0.1, 0.2], constraints=[{"type": "ineq", "fun": lambda t: x[0] / 2 - t[0]}]
    ).x,
    "bounds": lambda x: so.minimize(bowl(X), [0.1, 0.2], bounds=[(0, x[0] / 2), (0, 1)], method="Powell").x,
    "line_search": lambda x: so.line_search(bowl(x), bowl_gradient(x), np.array([0.1, 0.2]), np.ones(2))[0],
    "curve_fit": lambda x: so.curve_fit(lambda t, a, b: a * t + b * x[0], POINTS, POINTS**2)[0],
    "curve_fit, data": lambda x: so.curve_fit(lambda t, a, b: a * t + b, POINTS[:3], x)[0],
    "linprog": lambda x: so.linprog(x, A_ub=np.ones((1, 3)), b_ub=[1.0]).x,
    "nnls": lambda x: so.nnls(np.eye(3), x)[0],
    "isotonic_regression": lambda x: so.isotonic_regression(x).x,
    "find_root": lambda x: elementwise.find_root(cubic(x), (-3.0, 3.0)).x,
    "find_root, args": lambda x: elementwise.find_root(lambda t, a: t**3 - a, (-3.0, 3.0), args=(x[0],)).x,
    "find_minimum": lambda x: elementwise.find_minimum(valley(x), (-3.0, 0.5, 3.0)).x,
    "bracket_root": lambda x: elementwise.bracket_root(cubic(x), -3.0, 3.0).bracket[0],
    "bracket_minimum": lambda x: elementwise.bracket_minimum(valley(x), 0.5).bracket[0],
    "quad": lambda x: si.quad(wave(x), 0, 1)[0],
    "quad, limit": lambda x: si.quad(np.exp, 0, x[0])[0],
    "quad, args": lambda x: si.quad(lambda t, a: np.exp(t * a), 0, 1, args=(x[0],))[0],
    "dblquad": lambda x: si.dblquad(lambda s, t: x[0] * s * t, 0, 1, 0, 1)[0],
    "nquad": lambda x: si.nquad(lambda s, t: x[0] * s * t, [(0, 1), (0, 1)])[0],
    "quad_vec": lambda x: si.quad_vec(lambda t: np.exp(-x * t), 0, 1)[0],
    "tanhsinh": lambda x: si.tanhsinh(wave(x), 0, 1).integral,
    "nsum": lambda x: si.nsum(lambda k: 1 / (k + x[0]) ** 3, 1, 20).sum,
    "qmc_quad": lambda x: si.qmc_quad(lambda t: np.exp(-x[0] * t[0]), [0.0], [1.0]).integral,
    "odeint": lambda x: si.odeint(lambda y, t: -x[0] * y, [1.0], [0, 1.0])[-1],
    "ode": lambda x: si.ode(decay(x)).set_integrator("dopri5").set_initial_value([1.0], 0).integrate(1.0),
    "solve_bvp": lambda x: si.solve_bvp(
        lambda t, y: np.vstack((y[1], -x[0] * y[0])),
        lambda a, b: np.array([a[0], b[0] - 1]),
        np.linspace(0, 1, 5),
        np.zeros((2, 5)),
    ).y[0],
    "derivative": lambda x: sd.derivative(wave(x), 0.5).df,
    "jacobian": lambda x: sd.jacobian(lambda t: t**2 * x[0], np.array([1.0, 2.0])).df,
    "hessian": lambda x: sd.hessian(lambda t: np.sum(t**3 * x[0], axis=0), np.array([1.0, 2.0])).ddf,
    "bootstrap": lambda x: ss.bootstrap((POINTS,), mean_of(x), n_resamples=9, method="percentile").standard_error,
    "norm.expect": lambda x: ss.norm.expect(lambda t: t * x[0]),
    "gamma.fit": lambda x: ss.gamma.fit(x, floc=0)[0],
    "boxcox_normmax": lambda x: ss.boxcox_normmax(x),
    "yeojohnson": lambda x: ss.yeojohnson(x)[0],
    "generic_filter": lambda x: nd.generic_filter(POINTS, lambda w: w.sum() * x[0], 3),
    "geometric_transform": lambda x: nd.geometric_transform(POINTS, lambda c: (c[0] * x[0] / 2,)),
    "pdist": lambda x: distance.pdist(POINTS[:4].reshape(2, 2), lambda a, b: np.sum((a - b) ** 2) * x[0]),
    "cdist": lambda x: distance.cdist(np.eye(2), np.eye(2), lambda a, b: np.sum((a - b) ** 2) * x[0]),
    "eigsh": lambda x: sl.eigsh(operator(x), 1)[0],
    "svds": lambda x: sl.svds(operator(x), 1)[1],
    "funm": lambda x: scipy.linalg.funm(np.eye(2) + 0.1, lambda t: t * x[0]),
}  # fmt: skip


def weighted(f):
    """A number made of what a call gives."""

    def scalar(x):
        out = np.ravel(f(x)) if not isinstance(f(X), list) else f(x)
        return sum(np.sum(part * (n + 1.0)) for n, part in enumerate(out))

    return scalar


@pytest.mark.parametrize("name", WORKS)
def test_right(name):
    f = weighted(WORKS[name])
    h = 1e-4
    expected = [(f(X + e) - f(X - e)) / (2 * h) for e in h * np.eye(3)]
    assert_allclose(fd.grad(f)(X), expected, rtol=1e-5, atol=1e-7)
    for n, e in enumerate(np.eye(3)):
        assert_allclose(fd.jvp(f, X, e)[1], expected[n], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore")
def test_refused(name, capfd):
    f = REFUSED[name]
    with pytest.raises(errors.FuncdiffError):
        fd.grad(lambda x: np.sum(f(x)))(X)
    with pytest.raises(errors.FuncdiffError):
        fd.jvp(f, X, X)


BY_VERSION = {
    "approx_fprime": lambda x: so.approx_fprime(np.array([0.1, 0.2]), bowl(x)),
    "check_grad": lambda x: so.check_grad(bowl(x), bowl_gradient(x), np.array([0.1, 0.2])),
    "fixed_quad, limit": lambda x: si.fixed_quad(np.exp, 0, x[0])[0],
}
"""Where one version of SciPy computes with traced arrays, and another cannot."""


@pytest.mark.parametrize("name", BY_VERSION)
def test_right_or_refused(name):
    f = weighted(BY_VERSION[name])
    h = 1e-4
    expected = [(f(X + e) - f(X - e)) / (2 * h) for e in h * np.eye(3)]
    for derivative in (fd.grad, fd.jacfwd):
        try:
            found = derivative(f)(X)
        except errors.UnsupportedError:
            continue
        assert_allclose(found, expected, rtol=1e-5, atol=2e-4)  # SciPy's differences err by 1e-8


def test_the_users_own_comparisons_are_control_flow():
    def golden_section(x):
        a, b = 0.0, 3.0
        while b - a > 1e-3:
            c, d = b - 0.618 * (b - a), a + 0.618 * (b - a)
            if (c - x) ** 2 < (d - x) ** 2:
                b = d
            else:
                a = c
        return (a + b) / 2 * x

    assert_allclose(fd.grad(golden_section)(1.1), 1.1, rtol=1e-3)


def test_searches_over_plain_values_run_inside_a_differentiated_function():
    def f(x):
        return np.sum(x) * so.golden(lambda t: (t - 0.3) ** 2)

    assert_allclose(fd.grad(f)(X), np.full(3, 0.3), rtol=1e-6)
    assert_allclose(fd.jit(f)(X), 0.3 * np.sum(X), rtol=1e-6)


def test_the_error_names_the_function_and_why():
    with pytest.raises(errors.UnsupportedError, match="comparing values") as caught:
        fd.jit(fd.grad(lambda x: so.golden(valley(x))))(X)
    assert "scipy.optimize.golden" in str(caught.value)
    assert "condition that its result satisfies" in str(caught.value)
