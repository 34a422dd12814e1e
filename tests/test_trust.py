"""Where other libraries for Python give a wrong derivative, or a wrong value, without saying so: ours is right or raises.

The items are those found in a survey of five of them, in its order: wrong results, then values at kinks and
singular points.  Every item is checked in both modes, against central differences where the function is smooth.
"""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.4, 1.3, -0.7, 2.1])
M = np.array([[0.9, -0.3, 0.5], [0.2, 1.4, -0.6]])


def assert_right(f, x, tol=1e-6):
    """The Jacobian by both modes is that of central differences, and the value is that of the plain function."""
    forward, reverse = fd.jacfwd(f)(x), fd.jacrev(f)(x)
    assert_allclose(forward, reverse, rtol=1e-12, atol=1e-12)
    assert_allclose(fd.jvp(f, x, x)[0], f(x), rtol=1e-14)
    h = 1e-6
    columns = []
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        columns.append((f(x + step) - f(x - step)) / (2 * h))
    expected = np.moveaxis(
        np.array(columns).reshape(*x.shape, *np.shape(f(x))), range(x.ndim), range(-x.ndim, 0)
    )
    assert_allclose(forward, expected, rtol=tol, atol=tol)


def both_modes(f, x):
    reverse = fd.grad(f)(x)
    forward = fd.jacfwd(f)(x)
    assert_array_equal(forward, reverse)
    return reverse


# === wrong without a word ===================================================================================


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.full_like(x, x[0]) * x,
        lambda x: fd.numpy.full(3, x[0]) ** 2,
        lambda x: np.full(3, x[0]) ** 2,
        lambda x: np.full((2, 2), x[1], like=x),
    ],
)
def test_full_of_a_traced_value(f):
    assert_right(f, X)


@pytest.mark.parametrize("name", ["iv", "ive"])
def test_orders_of_bessel_functions_are_differentiated_or_refused(name):
    function = getattr(scipy.special, name)

    def f(v):
        return function(v, 1.7)

    try:
        slope = fd.grad(f)(1.3)
    except fd.errors.MissingRuleError:
        return  # a clear error, never zero
    h = 1e-5
    assert_allclose(slope, (f(1.3 + h) - f(1.3 - h)) / (2 * h), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_sorting_a_matrix_forward(axis):
    assert_right(lambda m: np.sort(m, axis=axis) ** 2, M)


def test_polyval_at_an_element_of_its_coefficients():
    assert_right(lambda x: np.polyval(x, x[0]), X)


def test_apply_along_axis():
    assert_right(lambda m: np.apply_along_axis(lambda v: v * v.sum(), 1, m), M)


def test_unique():
    assert_right(lambda x: np.unique(x) ** 2, np.array([0.4, 1.3, -0.7, 2.1]))
    repeated = np.array([2.0, 1.0, 2.0])
    assert_array_equal(fd.jacrev(np.unique)(repeated).sum(axis=1), [1.0, 1.0])


def tridiagonal(x):
    a = np.zeros((3, 3), like=x)
    a[[0, 1, 2], [0, 1, 2]] = x[:3]
    a[1, 0] = a[0, 1] = x[3]
    a[2, 1] = a[1, 2] = x[0] * x[3]
    return a


def test_eigenvalues_of_a_tridiagonal_matrix_forward():
    assert_right(lambda x: np.linalg.eigvalsh(tridiagonal(x)), X)
    assert_right(lambda x: np.linalg.eigh(tridiagonal(x))[1] ** 2, X)
    with pytest.raises((fd.errors.FuncdiffError, TypeError, ValueError)):  # SciPy's own takes plain arrays
        fd.jacfwd(lambda x: scipy.linalg.eigh_tridiagonal(x[:3], x[1:3])[0])(X)


def through_a_view(x):
    y = x * 1.0
    z = y[1:3]
    z *= x[0]
    z[0] += 1.0
    return y**2


def test_writing_through_a_view():
    y = X * 1.0
    z = y[1:3]
    z *= X[0]
    z[0] += 1.0
    assert_array_equal(fd.jvp(through_a_view, X, X)[0], y**2)
    assert_right(through_a_view, X)


def test_conversion_to_float():
    assert_right(lambda x: x.astype(float) * x.astype(np.float64), X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.polynomial.polynomial.polyval(0.3, x),
        lambda x: np.polynomial.polynomial.polyval(x, [1.0, 2.0, 3.0]),
        lambda x: np.polynomial.chebyshev.chebval(x, [1.0, 2.0, 3.0]),
        lambda x: np.polynomial.chebyshev.chebval(x[0], x),
        lambda x: np.polynomial.legendre.legval(x, x),
        lambda x: np.polynomial.hermite.hermval(0.3, x),
        lambda x: np.polynomial.hermite_e.hermeval(0.3, x),
        lambda x: np.polynomial.laguerre.lagval(0.3, x),
    ],
)
def test_polynomial_modules(f):
    assert_right(f, X)


@pytest.mark.parametrize("form", ["csr_matrix", "csr_array", "csc_array", "coo_array"])
def test_sparse_matrix_times_a_vector(form):
    a = getattr(scipy.sparse, form)(np.array([[1.0, 0, 2, 0], [0, 3, 0, 0]]))
    assert_right(lambda x: a @ x**2, X)
    if form != "coo_array":  # whose `dot` raises
        assert_right(lambda x: a.dot(x), X)


def test_cross_product_of_rows():
    a = np.array([[1.0, 2, 3], [0.5, -1, 2], [2, 0, 1]])
    assert_array_equal(fd.jvp(lambda x: np.cross(x, a), a.T.copy(), a)[0], np.cross(a.T, a))
    assert_right(lambda x: np.cross(x, x[::-1]), a.T.copy())


def test_fill_diagonal():
    def f(x):
        a = np.ones((2, 2), like=x) * x[3]
        np.fill_diagonal(a, x[:2])
        return a

    assert_array_equal(f(X), [[0.4, 2.1], [2.1, 1.3]])
    assert_right(f, X)


def test_float_of_a_traced_number_raises():
    with pytest.raises(fd.errors.ConversionError):
        fd.grad(lambda x: float(np.sum(x)) * x[0])(X)
    with pytest.raises(fd.errors.ConversionError):
        fd.jvp(lambda x: float(x), 1.0, 1.0)


@pytest.mark.parametrize("make", [lambda x: np.full((3,), x), lambda x: fd.numpy.full_like(np.zeros(3), x)])
def test_full_of_a_scalar_forward(make):
    value, tangent = fd.jvp(lambda x: make(x) * 1.0, 2.0, 1.0)
    assert_array_equal(value, [2.0, 2.0, 2.0])
    assert_array_equal(tangent, [1.0, 1.0, 1.0])
    with pytest.raises(fd.errors.PlainWriteError):
        fd.jvp(lambda x: np.full_like(np.zeros(3), x), 2.0, 1.0)


def test_mapped_jacobians():
    def f(x):
        return np.stack([x[0] * x[1], np.sin(x[2]), x[3] ** 3])

    xs = np.stack([X, X + 1, X * 2])
    expected = [fd.jacobian(f)(x) for x in xs]
    for jacobian in (fd.jacobian(f), fd.jacfwd(f), fd.jacrev(f), lambda x: fd.jacobian(f, x)):
        assert_allclose(fd.vmap(jacobian)(xs), expected)


# === kinks and singular points =================================================================================


@pytest.fixture
def quiet():
    with np.errstate(all="ignore"):
        yield


SINGULAR = {
    "abs at 0": (lambda x: np.abs(x), 0.0, 0.0),
    "norm of zeros": (lambda x: np.linalg.norm(x), np.zeros(3), np.zeros(3)),
    "std of a constant": (lambda x: np.std(x), np.full(4, 2.5), np.zeros(4)),
    "sqrt at 0": (lambda x: np.sqrt(x), 0.0, np.inf),
    "x**0.5 at 0": (lambda x: x**0.5, 0.0, np.inf),
    "max with a tie": (lambda x: np.max(x), np.array([1.0, 3.0, 3.0]), [0.0, 0.5, 0.5]),
    "amax with a tie": (lambda x: np.amax(x), np.array([1.0, 3.0, 3.0]), [0.0, 0.5, 0.5]),
    "maximum at its bound": (lambda x: np.maximum(x, 2.0), 2.0, 0.5),
    "clip at its bound": (lambda x: np.clip(x, 0.0, 1.0), 1.0, 1.0),
    "prod with one zero": (lambda x: np.prod(x), np.array([2.0, 0.0, 5.0]), [0.0, 10.0, 0.0]),
    "sinc at 0": (lambda x: np.sinc(x), 0.0, 0.0),
    "arctan2 at the origin": (lambda x: np.arctan2(x[0], x[1]), np.zeros(2), np.zeros(2)),
    "hypot at the origin": (lambda x: np.hypot(x[0], x[1]), np.zeros(2), np.zeros(2)),
    "median of an even count": (lambda x: np.median(x), np.array([3.0, 1.0, 2.0, 9.0]), [0.5, 0.0, 0.5, 0.0]),
    "where beside sqrt at 0": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0, 0.0),
    "logaddexp of infinities": (lambda x: np.logaddexp(x, -np.inf), -np.inf, 1.0),
}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("case", SINGULAR)
def test_kinks_and_singular_points(case):
    f, x, expected = SINGULAR[case]
    if case == "logaddexp of infinities":
        slopes = fd.grad(lambda a, b: np.logaddexp(a, b), argnums=(0, 1))(-np.inf, -np.inf)
        assert np.all(np.isfinite(slopes))
        assert sum(slopes) == expected
        return
    assert_array_equal(both_modes(f, x), expected)
    if np.ndim(x) == 0:
        assert_array_equal(fd.vmap(fd.grad(f))(np.full(2, x)), np.full(2, expected))


@pytest.mark.parametrize(
    "invariant",
    [
        lambda a: np.sum(np.linalg.eigh(a)[0] ** 3),
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 2),
        lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 4),
        lambda a: np.sum((lambda v: v @ v.T)(np.linalg.eigh(a)[1][:, :2])[0]),
    ],
)
def test_repeated_eigenvalues_and_singular_values(invariant):
    a = np.diag([1.0, 1.0, 2.5])

    def symmetric(a):
        return invariant((a + a.T) / 2)

    h = 1e-4
    slope = fd.grad(symmetric)(a)
    assert np.all(np.isfinite(slope))
    assert_array_equal(fd.jacfwd(symmetric)(a), slope)
    direction = np.array([[0.3, -0.2, 0.5], [-0.2, 0.1, 0.4], [0.5, 0.4, -0.3]])
    expected = (symmetric(a + h * direction) - symmetric(a - h * direction)) / (2 * h)
    assert_allclose(np.sum(slope * direction), expected, rtol=1e-6, atol=1e-6)


def test_gradient_of_the_squared_modulus():
    z = 1 + 2j
    slope = fd.grad(lambda z: np.abs(z) ** 2)(z)
    assert_allclose(slope, 2 - 4j)  # JAX's convention, stated in the documentation with PyTorch's
    assert abs(z - 0.1 * np.conj(slope)) < abs(z)
