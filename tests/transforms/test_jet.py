"""`jet`: Taylor mode, against nested forward mode, JAX and closed forms."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.transforms.forward import push_forward
from tests.primitives.test_registry import DEFINED_UP_TO_PHASES, SAMPLED, each_sample, random_like
from tests.test_growth import LINEAR, PROGRAMS, allocated

X = np.array([0.3, 0.7, 0.5])
SERIES = tuple(np.random.default_rng(0).standard_normal((4, 3)) * 0.4)


def nested(f, primals, series):
    """The derivatives at 0 of f along the curves, by forward mode in forward mode."""
    order = len(series[0])

    def along(t):
        points = []
        for x, terms in zip(primals, series, strict=True):
            power = t
            for k, c in enumerate(terms, 1):
                x = x + c * (power / math.factorial(k))
                power = power * t
            points.append(x)
        out = f(*points)
        return out if isinstance(out, list) else [out]

    def derivative(g):
        def derived(t):
            outs, found = push_forward(g, [t], [np.float64(1.0)])
            return [np.zeros(o.shape, o.dtype) if d is None else d for o, d in zip(outs, found, strict=True)]

        return derived

    rows, g = [], along
    for _ in range(order):
        g = derivative(g)
        rows.append(g(np.float64(0.0)))
    return [[row[n] for row in rows] for n in range(len(rows[0]))]


def agrees(f, primals, series, tol=1e-10):
    out, found = fd.jet(f, primals, series)
    expected = nested(f, primals, series)
    if not isinstance(out, list):
        out, found = [out], [found]
    for y, row, wanted in zip(out, found, expected, strict=True):
        for a, b in zip(row, wanted, strict=True):
            assert a.shape == np.shape(y)
            assert a.dtype == np.asarray(y).dtype
            size = max(1.0, float(np.max(np.abs(b), initial=0.0)))
            assert_allclose(a, b, rtol=tol, atol=tol * size)


# --- every primitive ---------------------------------------------------------------------------------


SECOND_ORDER_ONLY = {"obl_ang1", "obl_ang1_order", "pro_ang1", "pro_ang1_order"}
"""Angular spheroidal functions: their third derivatives are refused."""

COSTLY = {
    "eval_jacobi",
    "eval_sh_jacobi",
    "fractional_matrix_power",
    "hyp2f1",
    "hyp2f1_parameter",
    "hyperu",
    "hyperu_parameter",
    "jv_order",
    "log_wright_bessel",
    "logm",
    "logm_derivative",
    "ncfdtr",
    "ncfdtr_density",
    "ncfdtr_order",
    "ncfdtr_step",
    "ncfdtri",
    "sparse_least_squares",
    "struve_order",
    "wright_bessel",
    "wright_parameter",
    "zonal",
}
"""Derivatives that are quadratures or matrix functions: five to fifty seconds for the fourth, under one for the second."""


@pytest.mark.parametrize("name", SAMPLED)
def test_every_primitive_to_order_four(name):
    rng = np.random.default_rng(3)
    order = 2 if name in SECOND_ORDER_ONLY | COSTLY else 4
    for f, values in each_sample(name):
        if name in DEFINED_UP_TO_PHASES and any(v.dtype.kind == "c" for v in values):
            continue
        agrees(f, values, [[random_like(rng, v) * 0.3 for _ in range(order)] for v in values], tol=1e-7)


# --- closed forms and peers --------------------------------------------------------------------------


def test_counts_derivatives():
    y, series = fd.jet(np.exp, (0.5,), ((1.0, 0.0, 0.0, 0.0, 0.0),))
    assert_allclose([y, *series], np.full(6, np.exp(0.5)), rtol=1e-14)


def test_sine_to_order_thirty():
    _, series = fd.jet(np.sin, (0.5,), ((1.0,) + (0.0,) * 29,))
    expected = [np.sin(0.5 + k * np.pi / 2) for k in range(1, 31)]
    assert_allclose(series, expected, rtol=1e-12)


def test_expm1_keeps_its_digits():
    y, series = fd.jet(lambda t: np.expm1(t * t), (1e-9,), ((1.0, 0.0, 0.0),))
    assert_allclose(y, 1e-18, rtol=1e-14)
    assert_allclose(series, [2e-9, 2.0, 12e-9], rtol=1e-14)


def test_polynomial_at_zero_ends():
    _, series = fd.jet(lambda x: x**3, (0.0,), ((1.0, 0.0, 0.0, 0.0, 0.0),))
    assert_array_equal(series, [0.0, 0.0, 6.0, 0.0, 0.0])


def test_series_of_the_argument():
    """d²/dt² f(x(t)) = f'' x'² + f' x''."""
    x, x1, x2 = 0.4, 2.0, 3.0
    _, (y1, y2) = fd.jet(np.sin, (x,), ((x1, x2),))
    assert_allclose(y1, np.cos(x) * x1)
    assert_allclose(y2, -np.sin(x) * x1**2 + np.cos(x) * x2)


PEERS = {
    "exp": lambda np, x: np.exp(x),
    "expm1": lambda np, x: np.expm1(x),
    "log": lambda np, x: np.log(x),
    "log1p": lambda np, x: np.log1p(x),
    "trigonometric": lambda np, x: np.sin(x) * np.cos(2 * x),
    "hyperbolic": lambda np, x: np.tanh(x) + np.sinh(x) / np.cosh(x),
    "sqrt": lambda np, x: np.sqrt(x),
    "powers": lambda np, x: x**3 + x**2.5 + 2.0**x + x**x,
    "quotient": lambda np, x: np.sin(x) / (1 + x * x),
    "abs": lambda np, x: np.abs(x - 0.4),
    "softmax": lambda np, x: np.exp(x) / np.sum(np.exp(x)),
    "products": lambda np, x: np.outer(x, x) @ np.sin(x),
    "cumsum": lambda np, x: np.cumsum(x * x),
    "max": lambda np, x: np.max(x * x),
    "constant": lambda np, x: np.ones(2),
}


@pytest.mark.peers
@pytest.mark.parametrize("name", PEERS)
def test_agrees_with_jax(name):
    jax = pytest.importorskip("jax")
    from jax.experimental.jet import jet

    f = PEERS[name]
    with jax.enable_x64(True):
        value, series = jet(lambda x: f(jax.numpy, x), (X,), (SERIES,))
    ours, found = fd.jet(lambda x: f(np, x), (X,), (SERIES,))
    assert_allclose(ours, value, rtol=1e-13)
    assert type(found) is list
    assert_allclose(found, np.asarray(series), rtol=1e-11, atol=1e-11)


# --- programs ----------------------------------------------------------------------------------------


def written(x):
    y = np.zeros_like(x)
    tail = y[1:]
    for i in range(3):
        y[i] = np.sin(x[i]) * x[i - 1]
    tail *= x[:2]
    y += x**2
    y[0] = 1.5
    return y


def solved(x):
    return np.linalg.solve(np.diag(x) + np.ones((3, 3)), np.cos(x))


FUNCTIONS = {
    "written": written,
    "solved": solved,
    "determinant": lambda x: np.linalg.det(np.outer(x, np.cos(x)) + np.eye(3)),
    "eigenvalues": lambda x: np.linalg.eigvalsh(np.diag(x) + np.outer(x, x)),
    "loop": lambda x: [x := np.sin(x) * 1.1 for _ in range(4)][-1],
    "branch": lambda x: np.exp(x) if x[0] > 0 else x,
    "selected": lambda x: np.where(x > 0.4, np.sqrt(x), x * x),
    "special": lambda x: scipy.special.gammaln(x) * scipy.special.erf(x),
    "sorted": lambda x: np.sort(x)[::-1] * np.arange(3.0),
    "norm": lambda x: np.linalg.norm(x) * np.prod(x),
    "two": lambda x: [x * 2, np.sum(x**3)],
    "partly constant": lambda x: [x, np.ones(3)],
    "stopped": lambda x: fd.stop_gradient(x) * x,
    "float16 inside": lambda x: x.astype(np.float32).astype(float) * 1.0,
    "mapped inside": lambda x: fd.vmap(lambda a: np.sin(a) * x)(x),
    "gradient inside": lambda x: fd.grad(lambda a: np.sum(np.sin(a) * a**2))(x),
    "forward inside": lambda x: fd.jvp(solved, x, x * x)[1],
    "hessian inside": lambda x: fd.hessian(lambda a: np.sum(np.sin(a) * a**2) * np.prod(a))(x),
    "jet inside": lambda x: fd.jet(np.sin, (x,), ((x, x * x),))[1][1],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_programs_agree_with_nested_forward_mode(name):
    agrees(FUNCTIONS[name], (X,), (SERIES,), tol=1e-5 if "float16" in name else 1e-10)


@pytest.mark.parametrize("name", ["written", "solved", "selected", "norm"])
def test_nests_in_the_other_transforms(name):
    f = FUNCTIONS[name]

    def last(x):
        return np.sum(fd.jet(f, (x,), ((x * x, np.cos(x), SERIES[0]),))[1][2])

    g = fd.grad(last)(X)
    h = 1e-5
    assert_allclose(g, [(last(X + h * e) - last(X - h * e)) / (2 * h) for e in np.eye(3)], rtol=2e-7)
    assert_allclose(fd.jacfwd(last)(X), g, rtol=1e-10)
    batch = np.stack([X, X[::-1], X * 0.9])
    assert_allclose(fd.vmap(last)(batch), [last(x) for x in batch], rtol=1e-11)
    assert_allclose(fd.trace(last)(X).run(0.9 * X), last(0.9 * X), rtol=1e-11)
    assert_allclose(fd.jet(last, (X,), ((np.eye(3)[1],),))[1][0], g[1], rtol=1e-10)


def test_mapped_directions():
    found = fd.vmap(lambda v: fd.jet(solved, (X,), ((v, np.zeros(3)),))[1][1])(np.eye(3))
    for n in range(3):
        expected = fd.jet(solved, (X,), ((np.eye(3)[n], np.zeros(3)),))[1][1]
        assert_allclose(found[n], expected, rtol=1e-12)


def test_custom_rules():
    @fd.custom_jvp
    def forward(x):
        return np.sin(x)

    forward.defjvp(lambda primals, tangents: (forward(*primals), tangents[0] * np.cos(primals[0])))

    @fd.custom_vjp
    def backward(x, y):
        return np.sin(x) * y

    backward.defvjp(
        lambda x, y: (backward(x, y), (x, y)), lambda r, g: (g * np.cos(r[0]) * r[1], g * np.sin(r[0]))
    )
    expected = fd.jet(np.sin, (X,), (SERIES,))[1]
    assert_allclose(fd.jet(forward, (X,), (SERIES,))[1], expected, rtol=1e-13)
    expected = fd.jet(lambda x: np.sin(x) * x**2, (X,), (SERIES,))[1]
    assert_allclose(fd.jet(lambda x: backward(x, x**2), (X,), (SERIES,))[1], expected, rtol=1e-12)


def test_custom_rules_are_the_ones_used():
    @fd.custom_jvp
    def f(x):
        return x * 1.0

    f.defjvp(lambda primals, tangents: (f(*primals), 3.0 * tangents[0] * primals[0]))
    assert_array_equal(fd.jet(f, (2.0,), ((1.0, 0.0, 0.0),))[1], [6.0, 3.0, 0.0])


def test_a_custom_rule_that_closes_over_a_traced_value_raises():
    def f(x):
        @fd.custom_jvp
        def g(y):
            return x * y

        g.defjvp(lambda primals, tangents: (g(*primals), tangents[0]))
        return g(x * 2)

    for order in (1, 3):
        with pytest.raises(fd.errors.CustomRuleError, match="closes over"):
            fd.jet(f, (1.0,), ((1.0,) * order,))


def test_a_primitive_of_the_user():
    cube = fd.primitive(lambda x: x**3, name="cube_of_jet_test", partials=[lambda _out, x: 3 * x**2])
    assert_allclose(fd.jet(cube, (X,), (SERIES,))[1], fd.jet(lambda x: x**3, (X,), (SERIES,))[1], rtol=1e-13)


def test_zero_stays_zero():
    with np.errstate(divide="ignore"):
        _, series = fd.jet(
            lambda x: np.where(x > 0, np.log(x), 0.0), (np.array([0.0, 1.0]),), ((np.ones(2),) * 3,)
        )
    assert np.all(np.isfinite(series))
    _, series = fd.jet(lambda x, y: np.sqrt(x) * y, (0.0, 2.0), ((0.0, 0.0), (1.0, 1.0)))
    assert_array_equal(series, [0.0, 0.0])


def test_no_warnings_from_rules():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        fd.jet(lambda x: np.log(x), (0.0,), ((1.0, 1.0),))
    fd.jet(np.sqrt, (0.0,), ((1.0, 1.0),))


# --- structure, dtypes, errors -----------------------------------------------------------------------


def test_structures():
    def f(tree, y):
        return {"a": tree["x"] * y, "b": (np.sum(y),)}

    primals = ({"x": X}, X**2)
    series = (({"x": SERIES[0]}, {"x": SERIES[1]}), (SERIES[2], SERIES[3]))
    out, found = fd.jet(f, primals, series)
    assert_allclose(out["a"], X**3)
    assert_allclose(found["a"][0], SERIES[0] * X**2 + X * SERIES[2])
    assert_allclose(found["a"][1], SERIES[1] * X**2 + 2 * SERIES[0] * SERIES[2] + X * SERIES[3])
    assert_allclose(found["b"][0], [np.sum(SERIES[2]), np.sum(SERIES[3])])


def test_order_zero():
    out, series = fd.jet(np.sin, (X,), ((),))
    assert_array_equal(out, np.sin(X))
    assert series == []


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_keeps_the_dtype(dtype):
    x = X.astype(dtype)
    out, series = fd.jet(lambda x: np.tanh(x) / (1 + x**2) + 2 * x, (x,), ((x, x, x),))
    assert out.dtype == dtype
    assert [s.dtype for s in series] == [dtype] * 3
    assert type(fd.jet(np.sin, (x[0],), ((x[0],),))[1][0]) is dtype


def test_holomorphic():
    z = np.array([0.3 + 0.4j, -0.2 + 1.0j])
    _, series = fd.jet(lambda z: np.exp(z) / z, (z,), ((np.ones(2), np.zeros(2)),))
    first = np.exp(z) / z - np.exp(z) / z**2
    second = first - np.exp(z) / z**2 + 2 * np.exp(z) / z**3
    assert_allclose(series, [first, second], rtol=1e-12)


def test_empty_and_integer_coefficients():
    assert fd.jet(np.sin, (np.zeros(0),), ((np.zeros(0),) * 2,))[1][1].shape == (0,)
    assert_array_equal(fd.jet(np.square, (3.0,), ((1, 0),))[1], [6.0, 2.0])


def test_results_are_the_callers_own():
    c = np.ones(3)
    _, (first, second) = fd.jet(lambda x: x, (X,), ((c, c),))
    first[0] = second[1] = 9.0
    assert_array_equal(c, np.ones(3))
    assert second[0] == 1.0


def test_leaves_the_arguments_alone():
    x, c = X.copy(), SERIES[0].copy()

    def f(x):
        x *= 2
        x[0] = 1.0
        return x

    _, series = fd.jet(f, (x,), ((c, c),))
    assert_array_equal(x, X)
    assert_array_equal(c, SERIES[0])
    assert_array_equal(series, [np.array([0, 2, 2]) * c] * 2)


def test_errors():
    with pytest.raises(fd.errors.VectorError, match="one length"):
        fd.jet(np.add, (1.0, 2.0), ((1.0,), (1.0, 2.0)))
    with pytest.raises(fd.errors.VectorError, match="primals"):
        fd.jet(np.add, (1.0, 2.0), ((1.0,),))
    with pytest.raises(fd.errors.VectorError, match="shape"):
        fd.jet(np.sin, (X,), ((np.ones(2),),))
    with pytest.raises(fd.errors.VectorError, match="tuple"):
        fd.jet(np.sin, 1.0, ((1.0,),))
    with pytest.raises(fd.errors.DtypeError, match="int64"):
        fd.jet(np.sin, (np.arange(3),), ((np.ones(3),),))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_element_by_element_costs_linear_bytes(program):
    def route(x):
        fd.jet(program, (x,), ((x, x),))

    small, large = np.linspace(0.1, 0.9, 600), np.linspace(0.1, 0.9, 1200)
    route(small[:10].copy())
    assert allocated(route, large) < LINEAR * allocated(route, small) + 1000


def test_leaves_no_cycles():
    def f(x):
        return np.sum(np.abs(np.tanh(solved(x))) ** x)

    fd.jet(f, (X,), (SERIES,))
    gc.collect()
    gc.disable()
    try:
        fd.jet(f, (X,), (SERIES,))
        assert gc.collect() < 50
    finally:
        gc.enable()
