"""Section by section, what the documentation promises about numbers, code and results."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd

X = np.array([0.3, -1.2, 2.5])
V = np.array([0.1, 1.0, -0.5])
REAL_DTYPES = [np.float16, np.float32, np.float64, np.longdouble]
COMPLEX_DTYPES = [np.complex64, np.complex128, np.clongdouble]


@pytest.fixture(autouse=True)
def _quiet():
    """Singular points are visited on purpose: NumPy's floating-point warnings say nothing here."""
    with np.errstate(all="ignore"):
        yield


def slope(f, x):
    """The derivative by reverse and forward mode, which must agree."""
    reverse = fd.grad(f)(x)
    forward = fd.jvp(f, x, np.ones_like(x) if np.ndim(x) else 1.0)[1] if np.ndim(x) == 0 else None
    if forward is not None:
        assert_array_equal(forward, reverse)
    else:
        assert_array_equal(fd.jacfwd(f)(x), reverse)
    return reverse


# === dtypes ================================================================================================

MIXED = {
    "arithmetic": lambda x: 2 * x + 1.5 - x / 3 + x**2,
    "ufuncs": lambda x: np.sin(x) * np.exp(-x) + np.sqrt(np.abs(x)) + np.tanh(x),
    "reductions": lambda x: np.sum(x) * np.mean(x) + np.max(x) + np.prod(x),
    "indexing": lambda x: x[::-1] * x[[0, 1, 1]] + x[0],
    "where": lambda x: np.where(x > 0, x, 0.1 * x) + np.clip(x, -1, 1) + np.maximum(x, 0.0),
    "joining": lambda x: np.concatenate([x, x]) * 2,
    "products": lambda x: np.outer(x, x) @ x + np.dot(x, x) + np.einsum("i,i->", x, x),
}


@pytest.mark.parametrize("dtype", REAL_DTYPES)
@pytest.mark.parametrize("name", MIXED)
def test_results_keep_a_real_dtype(name, dtype):
    f = MIXED[name]
    x = X.astype(dtype)
    expected = f(x).dtype
    assert expected == dtype
    assert fd.grad(lambda x: np.sum(f(x)))(x).dtype == dtype
    output, tangent = fd.jvp(f, x, x)
    assert (output.dtype, tangent.dtype) == (dtype, dtype)
    assert fd.jacfwd(f)(x).dtype == dtype
    assert fd.jacrev(f)(x).dtype == dtype
    assert fd.hessian(lambda x: np.sum(f(x)))(x).dtype == dtype
    assert fd.vmap(fd.grad(lambda x: np.sum(f(x))))(x[None]).dtype == dtype


@pytest.mark.parametrize("dtype", COMPLEX_DTYPES)
def test_results_keep_a_complex_dtype(dtype):
    z = (X + 0.5j * V).astype(dtype)
    assert fd.grad(lambda z: np.sum(np.exp(z) * z), holomorphic=True)(z).dtype == dtype
    assert fd.grad(lambda z: np.sum(np.abs(z) ** 2))(z).dtype == dtype
    assert fd.jvp(np.exp, z, z)[1].dtype == dtype


@pytest.mark.parametrize(
    ("complex_dtype", "real_dtype"), list(zip(COMPLEX_DTYPES, REAL_DTYPES[1:], strict=True))
)
def test_real_value_of_a_complex_input_has_the_matching_real_dtype(complex_dtype, real_dtype):
    z = (X + 0.5j * V).astype(complex_dtype)
    value, gradient = fd.value_and_grad(lambda z: np.sum(np.abs(z)))(z)
    assert value.dtype == real_dtype
    assert gradient.dtype == complex_dtype
    for f in (np.abs, np.real, np.imag, np.angle):
        output, tangent = fd.jvp(f, z, z)
        assert output.dtype == real_dtype
        assert tangent.dtype == real_dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_values_in_low_precision_are_those_of_numpy(dtype):
    x = X.astype(dtype)
    f = lambda x: np.sum(np.sin(x) * x)  # noqa: E731
    assert fd.value_and_grad(f)(x)[0] == f(x)


def test_longdouble_has_its_digits():
    x = np.array([1, 3], dtype=np.longdouble) / 7
    gradient = fd.grad(lambda x: np.sum(np.exp(x)))(x)
    assert_array_equal(gradient, np.exp(x))


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_python_scalars_are_weak(dtype):
    x = X.astype(dtype)
    assert fd.grad(lambda x: np.sum(2.0 * x + 3 - x / 7.0))(x).dtype == dtype
    assert fd.grad(lambda s, x: np.sum(s * x), argnums=1)(2.0, x).dtype == dtype
    assert fd.jvp(lambda x: np.where(x > 0, x, 0.0) * 2, x, x)[1].dtype == dtype


def test_numpy_scalars_promote_as_in_numpy():
    x = X.astype(np.float32)
    assert fd.value_and_grad(lambda x: np.sum(np.float64(2.0) * x))(x)[0].dtype == np.float64
    assert fd.grad(lambda x: np.sum(np.float64(2.0) * x))(x).dtype == np.float32


def test_mixed_dtypes_give_each_argument_its_own():
    x32, x64 = X.astype(np.float32), X.copy()
    by_32, by_64 = fd.grad(lambda a, b: np.sum(a * b), argnums=(0, 1))(x32, x64)
    assert by_32.dtype == np.float32
    assert by_64.dtype == np.float64
    by_real, by_complex = fd.grad(lambda a, z: np.sum(np.abs(a * z)), argnums=(0, 1))(X, X * 1j)
    assert by_real.dtype == np.float64
    assert by_complex.dtype == np.complex128


def test_astype_is_differentiable_between_floats():
    gradient = fd.grad(lambda x: np.sum(x.astype(np.float32) ** 2))(X)
    assert gradient.dtype == np.float64
    assert_allclose(gradient, 2 * X, rtol=1e-6)  # through single precision
    assert fd.jvp(lambda x: x.astype(np.float32), X, V)[1].dtype == np.float32


def test_integer_inputs_say_to_cast():
    with pytest.raises(fd.errors.DtypeError, match="float"):
        fd.grad(np.sum)(np.arange(3))


# === complex numbers =======================================================================================

Z = np.array([0.4 + 0.8j, -1.1 + 0.2j])


def test_gradient_is_df_dx_minus_i_df_dy():
    """JAX's convention, for a function without any symmetry that could hide a mistake."""

    def f(z):
        return np.sum(z.real**2 * z.imag + 3 * z.imag)

    expected = 2 * Z.real * Z.imag - 1j * (Z.real**2 + 3)
    assert_allclose(fd.grad(f)(Z), expected, rtol=1e-13)


def test_conjugate_of_the_gradient_descends():
    target = np.array([1.0 + 2.0j, -0.5j])
    z = Z.copy()
    loss = lambda z: np.sum(np.abs(z - target) ** 2)  # noqa: E731
    for _ in range(60):
        z = z - 0.25 * fd.grad(loss)(z).conj()
    assert_allclose(z, target, rtol=1e-12)


def test_holomorphic_derivative_satisfies_the_chain_rule():
    f = fd.grad(lambda z: np.exp(1j * z) * z**2, holomorphic=True)
    z = 0.4 + 0.8j
    assert_allclose(f(z), np.exp(1j * z) * (1j * z**2 + 2 * z), rtol=1e-13)
    second = fd.grad(f, holomorphic=True)(z)
    assert_allclose(second, np.exp(1j * z) * (-(z**2) + 4j * z + 2), rtol=1e-12)


def test_real_input_has_a_real_gradient():
    gradient = fd.grad(lambda x: np.real(np.sum(np.exp(1j * x) * (1 + 2j))))(X)
    assert gradient.dtype == np.float64
    assert_allclose(gradient, np.real(1j * np.exp(1j * X) * (1 + 2j)), rtol=1e-13)


@pytest.mark.parametrize(
    ("f", "gradient"),
    [
        (lambda z: np.abs(z), lambda z: np.conj(z) / np.abs(z)),
        (lambda z: np.angle(z), lambda z: -1j * np.conj(z) / np.abs(z) ** 2),
        (lambda z: (z * z.conj()).real, lambda z: 2 * np.conj(z)),
        (lambda z: z.real, lambda z: 1.0 + 0j),
        (lambda z: z.imag, lambda z: -1j),
        (lambda z: np.log(np.abs(z)), lambda z: 1 / z),
    ],
)
def test_real_functions_of_a_complex_number(f, gradient):
    z = 0.4 + 0.8j
    assert_allclose(fd.grad(f)(z), gradient(z), rtol=1e-13)


def test_abs_of_complex_zero():
    assert_array_equal(fd.grad(lambda z: np.abs(z))(0j), 0)


# === kinks, ties and singular points =======================================================================


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.abs, 0.0, 0.0),
        (np.fabs, 0.0, 0.0),
        (np.sign, 0.0, 0.0),
        (np.sign, 2.0, 0.0),
        (np.floor, 1.5, 0.0),
        (np.rint, 1.5, 0.0),
        (np.heaviside, 0.5, 0.0),
        (np.sinc, 0.0, 0.0),
        (np.sqrt, 0.0, np.inf),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**0, 2.0, 0.0),
        (lambda x: x**0.0, 0.0, 0.0),
        (lambda x: np.power(x, 0), 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**2.0, -3.0, -6.0),
        (lambda x: 0.0**x, 0.0, -np.inf),
        (lambda x: 0.0**x, 2.0, 0.0),
        (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
        (lambda x: np.hypot(0.0, x), 0.0, 0.0),
        (lambda x: np.arctan2(x, 0.0), 0.0, 0.0),
        (lambda x: np.arctan2(0.0, x), 0.0, 0.0),
        (lambda x: np.logaddexp(x, -np.inf), -np.inf, 0.5),
        (lambda x: np.clip(x, -1.0, 1.0), 1.0, 1.0),
        (lambda x: np.clip(x, -1.0, 1.0), -1.0, 1.0),
        (lambda x: np.clip(x, -1.0, 1.0), 1.5, 0.0),
        (lambda x: np.maximum(x, 0.0), 0.0, 0.5),
        (lambda x: np.minimum(x, 0.0), 0.0, 0.5),
        (lambda x: np.fmax(x, 0.0), 0.0, 0.5),
        (lambda x: np.fmin(x, 0.0), 0.0, 0.5),
        (lambda x: np.maximum(x, x), 1.0, 1.0),
    ],
)
def test_scalar_conventions(f, x, expected):
    if f is np.heaviside:
        f = lambda x: np.heaviside(x, 0.5)  # noqa: E731
    if expected == -np.inf:  # 0**y: the slope at y = 0 is of either kind, but never NaN
        assert not np.isnan(fd.grad(f)(x))
        return
    assert_array_equal(fd.grad(f)(x), expected)
    assert_array_equal(fd.jvp(f, x)[1], expected)


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.arcsin, 1.0, np.inf),
        (np.arcsin, -1.0, np.inf),
        (np.arccos, 1.0, -np.inf),
        (np.arccos, -1.0, -np.inf),
        (np.arctanh, 1.0, np.inf),
        (np.arctanh, -1.0, np.inf),
        (np.arccosh, 1.0, np.inf),
        (np.cbrt, 0.0, np.inf),
        (np.log, 0.0, np.inf),
        (np.log1p, -1.0, np.inf),
        (np.reciprocal, 0.0, -np.inf),
        (lambda x: x**0.5, 0.0, np.inf),
    ],
)
def test_infinite_slopes_have_the_sign_of_the_slope_beside_them(f, x, expected):
    assert_array_equal(fd.grad(f)(x), expected)
    assert_array_equal(fd.jvp(f, x)[1], expected)
    assert_array_equal(fd.grad(f)(np.float32(x)), expected)


def test_logaddexp_of_two_infinities_is_finite():
    by_x, by_y = fd.grad(np.logaddexp, argnums=(0, 1))(-np.inf, -np.inf)
    assert np.isfinite(by_x)
    assert np.isfinite(by_y)


@pytest.mark.parametrize("f", [np.max, np.min, np.amax, np.nanmax, lambda x: x.max(), np.ptp])
def test_ties_share_equally_in_reductions(f):
    x = np.array([2.0, 1.0, 2.0, 1.0])
    gradient = fd.grad(f)(x)
    if f is np.ptp:
        assert_array_equal(gradient, [0.5, -0.5, 0.5, -0.5])
    elif f is np.min:
        assert_array_equal(gradient, [0.0, 0.5, 0.0, 0.5])
    else:
        assert_array_equal(gradient, [0.5, 0.0, 0.5, 0.0])
    assert_array_equal(fd.jacfwd(f)(x), gradient)


def test_ties_along_an_axis():
    x = np.array([[1.0, 1.0, 0.0], [3.0, 2.0, 3.0], [4.0, 4.0, 4.0]])
    gradient = fd.grad(lambda x: np.sum(np.max(x, axis=1)))(x)
    assert_allclose(gradient, [[0.5, 0.5, 0], [0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]])


def test_ties_in_maximum_and_minimum():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    by_a, by_b = fd.grad(lambda a, b: np.sum(np.maximum(a, b)), argnums=(0, 1))(a, b)
    assert_array_equal(by_a, [0.5, 0.0, 1.0])
    assert_array_equal(by_b, [0.5, 1.0, 0.0])
    by_a, by_b = fd.grad(lambda a, b: np.sum(np.minimum(a, b)), argnums=(0, 1))(a, b)
    assert_array_equal(by_a, [0.5, 1.0, 0.0])
    assert_array_equal(by_b, [0.5, 0.0, 1.0])


def test_ties_in_the_median():
    assert_allclose(fd.grad(np.median)(np.array([1.0, 2.0, 2.0])), [0.0, 0.5, 0.5])
    assert_allclose(fd.grad(np.median)(np.array([1.0, 3.0, 2.0, 9.0])), [0.0, 0.5, 0.5, 0.0])


def test_clip_with_traced_bounds():
    by_x, by_low, by_high = fd.grad(lambda x, a, b: np.sum(np.clip(x, a, b)), argnums=(0, 1, 2))(
        np.array([-2.0, 0.0, 2.0]), -1.0, 1.0
    )
    assert_array_equal(by_x, [0.0, 1.0, 0.0])
    assert (by_low, by_high) == (1.0, 1.0)


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.norm,
        lambda x: np.linalg.norm(x, 2),
        lambda x: np.linalg.norm(x.reshape(1, -1), "fro"),
        lambda x: x.norm(),
    ],
)
def test_norm_at_zero(f):
    assert_array_equal(fd.grad(f)(np.zeros(3)), np.zeros(3))
    assert_array_equal(fd.jacfwd(f)(np.zeros(3)), np.zeros(3))


def test_norm_along_an_axis_with_one_zero_row():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    gradient = fd.grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(x)
    assert_allclose(gradient, [[0.6, 0.8], [0.0, 0.0]])


def test_standard_deviation_of_a_constant():
    assert_array_equal(fd.grad(np.std)(np.ones(4)), np.zeros(4))
    assert_array_equal(fd.jacfwd(np.std)(np.ones(4)), np.zeros(4))
    x = np.array([[1.0, 1.0], [0.0, 2.0]])
    gradient = fd.grad(lambda x: np.sum(np.std(x, axis=1)))(x)
    assert_allclose(gradient, [[0.0, 0.0], [-0.5, 0.5]])


def test_hypot_and_arctan2_at_the_origin():
    for f in (np.hypot, np.arctan2):
        by_x, by_y = fd.grad(f, argnums=(0, 1))(0.0, 0.0)
        assert (by_x, by_y) == (0.0, 0.0)


def test_sinc():
    x = np.array([0.0, 0.25, 1.0])
    expected = (np.cos(np.pi * x) - np.sinc(x))[1:] / x[1:]
    gradient = fd.elementwise_grad(np.sinc)(x)
    assert gradient[0] == 0.0
    assert_allclose(gradient[1:], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
        ([0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
        ([2.0, 5.0, 3.0], [15.0, 6.0, 10.0]),
    ],
)
def test_product_with_zeros(x, expected):
    x = np.array(x)
    assert_allclose(fd.grad(np.prod)(x), expected)
    assert_allclose(fd.jacfwd(np.prod)(x), expected)


def test_product_with_zeros_at_second_order():
    hessian = fd.hessian(np.prod)(np.array([0.0, 0.0, 3.0]))
    assert_allclose(hessian, [[0, 3, 0], [3, 0, 0], [0, 0, 0]])


def test_product_with_zeros_along_an_axis():
    x = np.array([[2.0, 0.0], [0.0, 0.0]])
    assert_allclose(fd.grad(lambda x: np.sum(np.prod(x, axis=1)))(x), [[0.0, 2.0], [0.0, 0.0]])


def test_cumulative_product_with_zeros():
    x = np.array([2.0, 0.0, 3.0, 0.0])
    expected = [[1, 0, 0, 0], [0, 2, 0, 0], [0, 6, 0, 0], [0, 0, 0, 0]]
    assert_allclose(fd.jacrev(np.cumprod)(x), expected)
    assert_allclose(fd.jacfwd(np.cumprod)(x), expected)


def test_power_at_zero_base():
    by_x, by_y = fd.grad(lambda x, y: x**y, argnums=(0, 1))(0.0, 2.0)
    assert (by_x, by_y) == (0.0, 0.0)
    by_x, by_y = fd.grad(lambda x, y: x**y, argnums=(0, 1))(0.0, 1.0)
    assert (by_x, by_y) == (1.0, 0.0)
    assert fd.grad(lambda x, y: x**y)(0.0, 0.0) == 0.0


def test_power_with_a_negative_base():
    assert fd.grad(lambda x: x**3)(-2.0) == 12.0
    assert_allclose(fd.grad(lambda x: np.power(x, 3.0))(-2.0), 12.0)


def test_second_derivatives_at_zero():
    assert_array_equal(fd.grad(fd.grad(lambda x: x**2))(0.0), 2.0)
    assert_array_equal(fd.grad(fd.grad(lambda x: x**1))(0.0), 0.0)
    assert_array_equal(fd.grad(fd.grad(lambda x: x**0))(0.0), 0.0)
    assert_allclose(fd.grad(fd.grad(np.sinc))(0.0), -(np.pi**2) / 3, rtol=1e-8)


def test_xlogy_and_entropy_at_zero():
    assert fd.grad(lambda y: scipy.special.xlogy(0.0, y))(2.0) == 0.0
    assert_allclose(fd.grad(lambda x: scipy.special.xlogy(x, 2.0))(0.0), np.log(2.0))


# === a zero cotangent stays zero ===========================================================================

GUARDED = {
    "log": (lambda x: np.where(x > 0, np.log(x), 0.0), lambda x: 1 / x),
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), lambda x: 0.5 / np.sqrt(x)),
    "x log x": (lambda x: np.where(x > 0, x * np.log(x), 0.0), lambda x: np.log(x) + 1),
    "reciprocal": (lambda x: np.where(x > 0, 1 / x, 0.0), lambda x: -1 / x**2),
    "power": (lambda x: np.where(x > 0, x**-1.5, 0.0), lambda x: -1.5 * x**-2.5),
    "arcsin": (
        lambda x: np.where((x > 0) & (x < 1), np.arcsin(x), 0.0),
        lambda x: np.where(x < 1, 1 / np.sqrt(1 - x**2), 0.0),
    ),
    "gammaln": (
        lambda x: np.where(x > 0, scipy.special.gammaln(x), 0.0),
        scipy.special.digamma,
    ),
}
POINTS = np.array([-2.0, -0.5, 0.0, 0.5, 1.5])


@pytest.mark.parametrize("name", GUARDED)
def test_no_double_where_is_needed(name):
    f, derivative = GUARDED[name]
    expected = np.where(POINTS > 0, derivative(POINTS), 0.0)
    expected = np.where(np.isfinite(expected), expected, 0.0)
    assert_allclose(fd.grad(lambda x: np.sum(f(x)))(POINTS), expected, rtol=1e-13)
    assert_allclose(fd.jvp(f, POINTS, np.ones(5))[1], expected, rtol=1e-13)
    assert_allclose(fd.jacrev(f)(POINTS), np.diag(expected), rtol=1e-13)
    assert_allclose(fd.jacfwd(f)(POINTS), np.diag(expected), rtol=1e-13)
    assert_allclose(fd.vmap(fd.grad(f))(POINTS), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["log", "sqrt", "x log x", "reciprocal"])
@pytest.mark.parametrize(
    "mode",
    ["forward-over-reverse", "reverse-over-forward", "reverse-over-reverse", "forward-over-forward"],
)
def test_no_double_where_is_needed_at_second_order(name, mode):
    f, _ = GUARDED[name]
    second = {
        "log": lambda x: -1 / x**2,
        "sqrt": lambda x: -0.25 * x**-1.5,
        "x log x": lambda x: 1 / x,
        "reciprocal": lambda x: 2 / x**3,
    }[name]
    expected = np.diag([0.0, 0.0, 0.0, second(0.5), second(1.5)])
    result = fd.hessian(lambda x: np.sum(f(x)), mode=mode)(POINTS)
    assert_allclose(result, expected, rtol=1e-12)


def test_missing_data_are_masked():
    data = np.array([1.0, np.nan, 3.0])
    gradient = fd.grad(lambda m: np.sum(np.where(np.isnan(data), 0.0, (m - data) ** 2)))(0.5)
    assert_allclose(gradient, 2 * (0.5 - 1.0) + 2 * (0.5 - 3.0))


def test_sin_x_over_x():
    x = np.array([0.0, 1.0])
    gradient = fd.grad(lambda x: np.sum(np.where(x != 0, np.sin(x) / x, 1.0)))(x)
    assert_allclose(gradient, [0.0, np.cos(1.0) - np.sin(1.0)], rtol=1e-13)


def test_unused_singular_element():
    x = np.array([0.0, 4.0])
    assert_array_equal(fd.grad(lambda x: np.sqrt(x)[1])(x), [0.0, 0.25])
    assert_array_equal(fd.grad(lambda x: np.sum(np.sqrt(x) * np.array([0.0, 1.0])))(x), [0.0, 0.25])


def test_genuine_nan_is_not_hidden():
    assert np.isnan(fd.grad(lambda x: x * np.nan)(1.0))
    assert np.isnan(fd.grad(lambda x: np.log(x) * np.sqrt(-1.0 * x))(1.0))


def test_genuine_infinity_is_not_hidden():
    assert_array_equal(fd.grad(np.log)(0.0), np.inf)
    assert_array_equal(fd.grad(lambda x: np.sum(np.sqrt(x)))(np.zeros(2)), [np.inf, np.inf])


# === linear algebra ========================================================================================


def test_cholesky_derivative_lies_on_the_triangle_it_reads():
    a = np.array([[4.0, 99.0], [1.0, 3.0]])  # the upper entry is never read
    gradient = fd.grad(lambda a: np.sum(np.linalg.cholesky(a)))(a)
    assert gradient[0, 1] == 0.0
    l00, l10 = 2.0, 0.5
    l11 = np.sqrt(3.0 - 0.25)
    # l00 = √a00, l10 = a10/l00, l11 = √(a11 - l10²)
    by_a10 = 1 / l00 - l10 / (l00 * l11)
    by_a00 = 0.5 / l00 - 0.5 * l10 / l00**2 + 0.5 * l10**2 / (l00**2 * l11)
    assert_allclose(gradient, [[by_a00, 0.0], [by_a10, 0.5 / l11]], rtol=1e-12)
    assert_allclose(fd.jacfwd(lambda a: np.sum(np.linalg.cholesky(a)))(a), gradient, rtol=1e-12)


@pytest.mark.parametrize("triangle", ["L", "U"])
def test_eigvalsh_derivative_lies_on_the_triangle_it_reads(triangle):
    a = np.array([[4.0, 1.0], [1.0, 3.0]])

    def largest(a):
        return np.linalg.eigvalsh(a, UPLO=triangle)[1]

    gradient = fd.grad(largest)(a)
    unread = (0, 1) if triangle == "L" else (1, 0)
    assert gradient[unread] == 0.0
    h = 1e-6
    for index in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[index] = h
        difference = (largest(a + step) - largest(a - step)) / (2 * h)
        assert_allclose(gradient[index], difference, rtol=1e-7, atol=1e-9)  # central, h = 1e-6


def symmetric_part(a):
    return (a + a.T) / 2


def central_gradient(f, a, h=1e-5):
    gradient = np.empty_like(a)
    for index in np.ndindex(a.shape):
        step = np.zeros_like(a)
        step[index] = h
        gradient[index] = (f(a + step) - f(a - step)) / (2 * h)
    return gradient


WEIGHTS = np.arange(9.0).reshape(3, 3)
REPEATED_EIGENVALUES = {
    "sum of squares": lambda w, v: np.sum(w**2),
    "log of the product": lambda w, v: np.sum(np.log(w)),
    "projector on the repeated pair": lambda w, v: np.sum((v[:, :2] @ v[:, :2].T) * WEIGHTS),
    "projector on the single one": lambda w, v: np.sum(np.outer(v[:, 2], v[:, 2]) * WEIGHTS) * w[2],
}


@pytest.mark.parametrize("name", REPEATED_EIGENVALUES)
def test_repeated_eigenvalues_in_a_gauge_invariant_loss(name):
    a = np.diag([2.0, 2.0, 5.0])

    def loss(a):
        return REPEATED_EIGENVALUES[name](*np.linalg.eigh(symmetric_part(a)))

    expected = central_gradient(loss, a)  # of step 1e-5: good to 1e-9
    assert_allclose(fd.grad(loss)(a), expected, rtol=1e-7, atol=1e-8)
    assert_allclose(fd.jacfwd(loss)(a), expected, rtol=1e-7, atol=1e-8)


def test_identity_has_all_eigenvalues_equal():
    gradient = fd.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(np.eye(4))
    assert_allclose(gradient, np.eye(4), atol=1e-14)


REPEATED_SINGULAR_VALUES = {
    "sum of squares": lambda u, s, vt: np.sum(s**2),
    "polar factor": lambda u, s, vt: np.sum((u @ vt) * WEIGHTS),
    "projector on the repeated pair": lambda u, s, vt: np.sum((u[:, :2] @ u[:, :2].T) * WEIGHTS),
    "dyad of the single one": lambda u, s, vt: np.sum(np.outer(u[:, 2], vt[2]) * WEIGHTS),
}


@pytest.mark.parametrize("name", REPEATED_SINGULAR_VALUES)
def test_repeated_singular_values_in_a_gauge_invariant_loss(name):
    a = np.diag([2.0, 2.0, 1.0])

    def loss(a):
        return REPEATED_SINGULAR_VALUES[name](*np.linalg.svd(a))

    expected = central_gradient(loss, a)  # of step 1e-5: good to 1e-9
    assert_allclose(fd.grad(loss)(a), expected, rtol=1e-7, atol=1e-8)
    assert_allclose(fd.jacfwd(loss)(a), expected, rtol=1e-7, atol=1e-8)


FUNCTIONS_OF_A_MATRIX = {
    "inv": np.linalg.inv,
    "pinv": np.linalg.pinv,
    "matrix_power": lambda a: np.linalg.matrix_power(a, 3),
    "sqrtm": fd.scipy.linalg.sqrtm,
    "expm": fd.scipy.linalg.expm,
    "logm": fd.scipy.linalg.logm,
}


@pytest.mark.parametrize("name", FUNCTIONS_OF_A_MATRIX)
def test_functions_of_a_matrix_with_repeated_eigenvalues(name):
    a = np.diag([2.0, 2.0, 1.0])

    def loss(a):
        return np.sum(np.real(FUNCTIONS_OF_A_MATRIX[name](a)) * WEIGHTS)

    expected = central_gradient(loss, a)
    assert_allclose(fd.grad(loss)(a), expected, rtol=1e-7, atol=1e-7)
    assert_allclose(fd.jacfwd(loss)(a), expected, rtol=1e-7, atol=1e-7)


# === writes ================================================================================================


def test_last_of_repeated_indices_wins():
    def f(x):
        y = np.zeros(3, like=x)
        y[[0, 0, 1]] = x
        return np.sum(y * np.array([10.0, 100.0, 1000.0]))

    assert_array_equal(fd.grad(f)(X), [0.0, 10.0, 100.0])
    assert_allclose(fd.jvp(f, X, V)[1], 10 * V[1] + 100 * V[2])


def test_overwritten_value_has_no_derivative():
    def f(x):
        y = x * 2
        y[0] = 7.0
        y[1] = x[2]
        return np.sum(y)

    value, gradient = fd.value_and_grad(f)(X)
    assert_allclose(value, 7.0 + X[2] + 2 * X[2])
    assert_array_equal(gradient, [0.0, 0.0, 3.0])


def test_add_at_accumulates():
    def f(x):
        y = np.zeros(2, like=x)
        np.add.at(y, [0, 0, 1], x**2)
        return y

    assert_allclose(fd.jacobian(f, X), [[2 * X[0], 2 * X[1], 0], [0, 0, 2 * X[2]]])
    assert_allclose(fd.jvp(f, X, V)[0], [X[0] ** 2 + X[1] ** 2, X[2] ** 2])


def augmented_assignment_with_repeats(x):
    y = np.ones(2, like=x)
    y[[0, 0, 1]] += x
    return y


def test_augmented_assignment_with_repeats_follows_numpy():
    assert_allclose(
        fd.vjp(augmented_assignment_with_repeats, X, np.ones(2))[0],
        augmented_assignment_with_repeats(X),
    )
    assert_array_equal(fd.jacobian(augmented_assignment_with_repeats, X), [[0, 1, 0], [0, 0, 1]])


# === in-place code and views (what a function may contain) =================================================


def write_elements(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * x[i - 1]
    return y


def write_slices(x):
    y = np.empty_like(x)
    y[:2] = x[1:]
    y[2:] = x[0] ** 2
    return y


def write_mask(x):
    y = x.copy()
    y[y > 0] = 0.5 * x[x > 0] ** 2
    return y


def write_fancy(x):
    y = x.copy()
    y[[2, 0]] = x[[0, 1]] * 2
    return y


def augmented(x):
    y = x.copy()
    y += 1
    y *= x
    y -= x[::-1]
    y /= 2 + x**2
    y **= 2
    return y


def through_views(x):
    y = np.zeros((3, 3), like=x)
    diagonal_block = y[:2, 1:]
    diagonal_block[...] = np.outer(x[:2], x[1:])
    row = diagonal_block[1]
    row += x[:2]
    column = y.T[0]
    column[:] = x
    flat = y.reshape(9)
    flat[4] *= 3
    return y.sum(0)


def views_see_writes(x):
    y = x * 1.0
    view = y[1:]
    before = view * 1.0
    y[1] = x[0] ** 2
    return np.concatenate([view, before, y])


def swap(x):
    y = x.copy()
    y[0], y[2] = y[2], y[0]
    return y * np.arange(3.0)


def buffer_of_the_mirror(x):
    y = fd.numpy.zeros(3)
    y[0] = x[0]
    y[1:] = x[1:] ** 2
    return y


def out_argument(x):
    y = np.zeros_like(x)
    np.multiply(x, x, out=y)
    np.add(y, 1.0, out=y, where=[True, False, True])
    return y


def sort_and_fill(x):
    y = x * 1.0
    y.sort()
    y[0:1] = 2 * x[0:1]
    return y


def nested_containers(x):
    rows = [np.zeros_like(x) for _ in range(2)]
    rows[0][1] = x[0] ** 2
    rows[1][:] = rows[0] + x
    rows[0][1] = 0.0
    return np.stack(rows)


IN_PLACE = {
    f.__name__: f
    for f in [
        write_elements,
        write_slices,
        write_mask,
        write_fancy,
        augmented,
        through_views,
        views_see_writes,
        swap,
        buffer_of_the_mirror,
        out_argument,
        sort_and_fill,
        nested_containers,
    ]
}


def central_jacobian(f, x, h=1e-6):
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=-1)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_code_has_the_derivatives_of_the_same_program(name):
    f = IN_PLACE[name]
    x = X.copy()
    outputs, _ = fd.pullback(f, x)
    assert_allclose(outputs, f(X), rtol=1e-13)
    expected = central_jacobian(f, X)
    # central differences of step 1e-6: good to about 1e-9
    assert_allclose(fd.jacrev(f)(x), expected, rtol=1e-7, atol=1e-8)
    assert_allclose(fd.jacfwd(f)(x), expected, rtol=1e-7, atol=1e-8)
    assert_array_equal(x, X)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_code_at_second_order_and_on_replay(name):
    f = IN_PLACE[name]
    total = lambda x: np.sum(f(x) ** 2)  # noqa: E731
    expected = central_jacobian(fd.grad(total), X)
    for mode in ("forward-over-reverse", "reverse-over-forward", "reverse-over-reverse"):
        assert_allclose(fd.hessian(total, mode=mode)(X), expected, rtol=1e-6, atol=1e-7)
    assert_allclose(fd.trace(f)(X).run(X * 1.01), f(X * 1.01), rtol=1e-13)


def test_scalars_are_immutable_as_in_numpy():
    def f(x):
        s = x[0]
        t = s
        s += x[1]
        return t * 10 + s

    assert_allclose(fd.grad(f)(X), [11.0, 1.0, 0.0])


def test_augmented_assignment_rebinds_the_object_and_its_aliases():
    def f(x):
        y = x * 1.0
        alias = y
        y += 5.0 * x
        return np.sum(alias)

    assert_array_equal(fd.grad(f)(X), np.full(3, 6.0))


def test_copy_is_no_view():
    def f(x):
        y = x * 1.0
        z = y.copy()
        z[0] = 100.0
        return np.sum(y)

    assert_array_equal(fd.grad(f)(X), np.ones(3))


def test_callers_arrays_and_constants_never_change():
    constant = np.arange(3.0)

    def f(x, c):
        y = x + c
        y[0] = 0.0
        w = x * 1.0
        w[:] = c
        w += 1
        return np.sum(y) + np.sum(w)

    x = X.copy()
    fd.grad(f)(x, constant)
    fd.jvp(lambda x: f(x, constant), x, V)
    fd.vmap(f, in_axes=(0, None))(x[None], constant)
    assert_array_equal(x, X)
    assert_array_equal(constant, np.arange(3.0))


def test_a_write_past_the_traced_array_is_refused():
    """`np.asarray(y)` is an object array, which is not `y`: a write to it would be lost in silence."""

    def f(x):
        y = x * 1.0
        z = np.asarray(y)
        z[1] = 5.0
        return np.sum(y)

    with pytest.raises(fd.errors.PlainWriteError, match=r"np\.asarray\(x\) of a traced x"):
        fd.grad(f)(X)
    assert_array_equal(fd.grad(lambda x: np.sum(np.array(x) * 2))(X), np.full(3, 2.0))


def test_user_code_sees_the_type_of_the_value():
    def f(x):
        assert isinstance(x, np.ndarray)
        assert isinstance(x[0], float)
        return np.sum(x**2) if isinstance(x, np.ndarray) else 0.0

    assert_array_equal(fd.grad(f)(X), 2 * X)


def test_means_of_lists_of_losses():
    assert_allclose(fd.grad(lambda x: np.mean([np.sum(x**2), np.sum(x)]))(X), X + 0.5)
    a = np.array([2.0, 0.5])
    assert_allclose(fd.grad(lambda x: np.var(np.array([x[0] ** 2, x[1]])))(a), [3.5 * 2, -3.5 / 2])


def test_integers_of_what_has_no_derivative():
    assert_array_equal(fd.grad(lambda x: x[int(np.floor(x[0]))] ** 2)(np.array([1.7, 2.2])), [0.0, 4.4])


def test_complex_numbers_times_real_scalars():
    def f(t):
        return np.abs(np.exp(1j * t) + 1) ** 2  # 2 + 2 cos t

    assert_allclose(fd.grad(f)(2.0), -2 * np.sin(2.0))
    assert_allclose(fd.jvp(f, 2.0, 1.0)[1], -2 * np.sin(2.0))
    assert_allclose(fd.vmap(fd.grad(f))(np.array([2.0])), [-2 * np.sin(2.0)])


def test_zero_dimensional_views_are_written_through():
    def f(x):
        y = x.copy()
        a = y[0:1].reshape(())
        a -= 1.0
        return np.sum(y**2)

    expected = 2 * (X - np.array([1.0, 0.0, 0.0]))
    assert_allclose(fd.grad(f)(X), expected)
    assert_allclose(fd.vmap(fd.grad(f))(X[None]), expected[None])


def test_a_broadcast_view_sees_later_writes():
    def f(x):
        y = x.copy()
        b = np.broadcast_to(y[:1], (4,))
        y[0] = x[1] ** 2
        return np.sum(b) * x[0]

    expected = [4 * X[1] ** 2, 8 * X[1] * X[0], 0.0]
    for transform in (fd.grad(f), fd.jacfwd(f), fd.jacrev(f), lambda x: fd.vmap(fd.grad(f))(x[None])[0]):
        assert_allclose(transform(X), expected)


MIRROR_BUFFERS = {
    "zeros": lambda: fd.numpy.zeros(3),
    "ones": lambda: fd.numpy.ones(3),
    "empty": lambda: fd.numpy.empty(3),
    "full": lambda: fd.numpy.full(3, 2.0),
    "zeros_like": lambda: fd.numpy.zeros_like(X),
    "eye": lambda: fd.numpy.eye(3)[0],
    "identity": lambda: fd.numpy.identity(3)[0],
    "array": lambda: fd.numpy.array([1.0, 2.0, 3.0]),
    "arange": lambda: fd.numpy.arange(3.0),
    "linspace": lambda: fd.numpy.linspace(0.0, 1.0, 3),
}


@pytest.mark.parametrize("name", MIRROR_BUFFERS)
def test_arrays_made_by_the_mirror_are_buffers(name):
    def f(x):
        y = MIRROR_BUFFERS[name]()
        y[0] = x[0] ** 2
        y[1:] = x[1:]
        y *= 3
        return y

    assert_allclose(f(X), [3 * X[0] ** 2, 3 * X[1], 3 * X[2]])
    assert_allclose(fd.jacobian(f, X), np.diag([6 * X[0], 3.0, 3.0]))
    assert_allclose(fd.jacfwd(f)(X), np.diag([6 * X[0], 3.0, 3.0]))


def test_rotation_matrix_written_into_an_identity():
    def rotated(angle):
        matrix = fd.numpy.eye(3)
        matrix[0, 0] = matrix[1, 1] = np.cos(angle)
        matrix[1, 0] = np.sin(angle)
        matrix[0, 1] = -matrix[1, 0]
        return matrix @ X

    c, s = np.cos(0.4), np.sin(0.4)
    expected = np.array([[-s, -c, 0], [c, -s, 0], [0, 0, 0]]) @ X
    assert_allclose(fd.jvp(rotated, 0.4)[1], expected, rtol=1e-13)
    assert_allclose(fd.jacrev(rotated)(0.4), expected, rtol=1e-13)


# --- plain arrays that change after they were read ---------------------------------------------------


def refilled_buffer(x):
    """A scratch array of plain numbers, refilled in each step: every step's own numbers count."""
    weights = np.zeros(3)
    total = 0.0
    for k in range(4):
        weights[:] = k + np.arange(3.0)
        total = total + np.sum(weights * x**2)
    return total


def refilled_matrix(x):
    matrix = np.eye(3)
    y = matrix @ x
    matrix[:] = 0.0
    return np.sum(y * y)


def refilled_mask_and_index(x):
    mask, index = np.array([True, False, True]), np.array([0, 1])
    total = np.sum(np.where(mask, x, 0.0)) + np.sum(x[mask] ** 2) + np.sum(x[index] ** 3)
    mask[:] = False
    index[:] = 2
    return total


def refilled_operand_of_a_division(x):
    denominator = np.full(3, 2.0)
    y = x / denominator
    denominator *= 100.0
    return np.sum(y * y)


REFILLED = {
    f.__name__: f
    for f in [
        refilled_buffer,
        refilled_matrix,
        refilled_mask_and_index,
        refilled_operand_of_a_division,
    ]
}


@pytest.mark.parametrize("name", REFILLED)
def test_plain_arrays_refilled_after_they_were_read(name):
    f = REFILLED[name]
    expected = central_gradient(f, X)  # of step 1e-5: good to 1e-9
    assert_allclose(fd.jvp(f, X, V)[1], expected @ V, rtol=1e-8)
    assert_allclose(fd.grad(f)(X), expected, rtol=1e-8, atol=1e-9)
    assert_allclose(fd.grad(fd.trace(f)(X).run)(X), expected, rtol=1e-8, atol=1e-9)


def test_pull_and_push_after_the_caller_changed_the_input():
    x = X.copy()
    _, pull = fd.pullback(lambda x: x**2, x)
    _, push = fd.linearize(lambda x: x**2, x)
    x[:] = 0.0
    assert_allclose(pull(np.ones(3))[0], 2 * X)
    assert_allclose(push(np.ones(3)), 2 * X)


def test_pull_and_push_after_the_caller_changed_the_output():
    """The output of `exp` is its own residual, and the output is the caller's own."""
    outputs, pull = fd.pullback(np.exp, X)
    outputs[:] = 0.0
    assert_allclose(pull(np.ones(3))[0], np.exp(X))
    outputs, push = fd.linearize(np.exp, X)
    outputs[:] = 0.0
    assert_allclose(push(np.ones(3)), np.exp(X))


def test_tape_after_a_captured_array_changed():
    captured = np.ones(3)
    tape = fd.trace(lambda x: x * captured)(X)
    captured[:] = 5.0
    assert_allclose(tape.run(X), X)


# === methods ===============================================================================================

METHODS = {
    "exp": (lambda x: x.exp(), np.exp),
    "log": (lambda x: x.abs().log(), lambda x: np.log(np.abs(x))),
    "sqrt": (lambda x: x.abs().sqrt(), lambda x: np.sqrt(np.abs(x))),
    "sin": (lambda x: x.sin(), np.sin),
    "cos": (lambda x: x.cos(), np.cos),
    "tanh": (lambda x: x.tanh(), np.tanh),
    "pow": (lambda x: x.pow(2), lambda x: x**2),
    "square": (lambda x: x.square(), np.square),
    "abs": (lambda x: x.abs(), np.abs),
    "norm": (lambda x: x.norm(), np.linalg.norm),
    "sum": (lambda x: x.sum(), np.sum),
    "sum of an axis": (lambda x: x.sum(0), lambda x: np.sum(x, 0)),
    "mean": (lambda x: x.mean(), np.mean),
    "prod": (lambda x: x.prod(), np.prod),
    "std": (lambda x: x.std(), np.std),
    "var": (lambda x: x.var(ddof=1), lambda x: np.var(x, ddof=1)),
    "max": (lambda x: x.max(), np.max),
    "min": (lambda x: x.min(axis=0), lambda x: np.min(x, axis=0)),
    "dot": (lambda x: x.dot(x), lambda x: np.dot(x, x)),
    "cumsum": (lambda x: x.cumsum(), np.cumsum),
    "cumprod": (lambda x: x.cumprod(0), lambda x: np.cumprod(x, 0)),
    "reshape": (lambda x: x.reshape(3, 1) * x, lambda x: x.reshape(3, 1) * x),
    "reshape tuple": (lambda x: x.reshape((1, 3)), lambda x: x.reshape((1, 3))),
    "ravel": (lambda x: x.reshape(3, 1).ravel(), lambda x: x),
    "flatten": (lambda x: x.reshape(3, 1).flatten(), lambda x: x),
    "T": (lambda x: x.reshape(3, 1).T * 2, lambda x: x[None] * 2),
    "transpose": (lambda x: x.reshape(3, 1).transpose(1, 0), lambda x: x[None]),
    "squeeze": (lambda x: x[:, None].squeeze(), lambda x: x),
    "swapaxes": (lambda x: x[:, None].swapaxes(0, 1), lambda x: x[None]),
    "take": (lambda x: x.take([2, 0]), lambda x: x[[2, 0]]),
    "clip": (lambda x: x.clip(-1, 1), lambda x: np.clip(x, -1, 1)),
    "repeat": (lambda x: x.repeat(2), lambda x: np.repeat(x, 2)),
    "diagonal": (lambda x: np.outer(x, x).diagonal(), lambda x: x * x),
    "trace": (lambda x: np.outer(x, x).trace(), lambda x: np.dot(x, x)),
    "astype": (lambda x: x.astype(np.float64) * 2, lambda x: 2 * x),
    "copy": (lambda x: x.copy() * 2, lambda x: 2 * x),
    "real": (lambda x: x.real * 2, lambda x: 2 * x),
    "conj": (lambda x: x.conj() * 2, lambda x: 2 * x),
    "round": (lambda x: (x + 0.1).round() + x, lambda x: np.round(x + 0.1) + x),
    "neg and abs": (lambda x: abs(-x), np.abs),
    "matmul": (lambda x: x @ np.outer(x, x), lambda x: x @ np.outer(x, x)),
    "rmatmul": (lambda x: np.eye(3) @ x, lambda x: np.eye(3) @ x),
    "divmod": (lambda x: divmod(x, 0.7)[1], lambda x: np.mod(x, 0.7)),
    "floordiv": (lambda x: x // 0.7 + x, lambda x: x // 0.7 + x),
    "mod": (lambda x: x % 0.7, lambda x: x % 0.7),
    "rpow": (lambda x: 2.0**x, lambda x: 2.0**x),
    "rsub": (lambda x: 1 - x, lambda x: 1 - x),
    "rdiv": (lambda x: 1 / x, lambda x: 1 / x),
    "iteration": (lambda x: sum(t * t for t in x), lambda x: np.sum(x * x)),
    "unpacking": (lambda x: (lambda a, b, c: a * b + c)(*x), lambda x: x[0] * x[1] + x[2]),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_operators(name):
    method, plain = METHODS[name]
    output, tangent = fd.jvp(method, X, V)
    assert_allclose(output, plain(X), rtol=1e-14)
    expected = (plain(X + 1e-6 * V) - plain(X - 1e-6 * V)) / 2e-6
    assert_allclose(tangent, expected, rtol=1e-7, atol=1e-8)  # central difference of step 1e-6
    assert_allclose(fd.jacrev(method)(X) @ V, tangent, rtol=1e-12, atol=1e-14)


def test_attributes():
    seen = {}

    def f(x):
        seen.update(shape=x.shape, ndim=x.ndim, size=x.size, dtype=x.dtype, length=len(x[0]))
        return np.sum(x)

    fd.grad(f)(np.zeros((4, 2), dtype=np.float32))
    assert seen == {"shape": (4, 2), "ndim": 2, "size": 8, "dtype": np.float32, "length": 2}


def test_array_protocol_namespace():
    def f(x):
        xp = x.__array_namespace__()
        return xp.sum(xp.exp(x))

    assert_allclose(fd.grad(f)(X), np.exp(X), rtol=1e-14)


def test_comparisons_are_not_differentiated():
    def f(x):
        assert (x > 0).dtype == bool
        return np.sum((x > 0) * x) + np.count_nonzero(x > 0)

    assert_array_equal(fd.grad(f)(X), (X > 0).astype(float))


def test_integers_read_from_values_index_and_count():
    def f(x):
        best = np.argmax(x)
        order = np.argsort(x)
        total = 0.0
        for i in range(np.argmax(x)):
            total = total + x[i]
        return total + x[best] * 2 + x[order][0] * [1, 2, 3][best]

    assert_array_equal(fd.grad(f)(X), [1.0, 1.0 + 3.0, 2.0])


def test_repr_shows_the_value():
    seen = []
    fd.grad(lambda x: seen.append(repr(x)) or np.sum(x))(X)
    assert "2.5" in seen[0]


def test_format_shows_the_value():
    seen = []
    fd.grad(lambda x: seen.append(f"{x[2]:.3f} {np.sum(x):8.1e} {np.argmax(x):d} {x}") or np.sum(x))(X)
    assert seen[0].startswith("2.500  1.6e+00 2 ")


def test_python_control_flow_of_every_kind():
    def collatz(x, n):
        return x if n == 1 else collatz(x * 1.5 if n % 2 else x / 2, 3 * n + 1 if n % 2 else n // 2)

    def generator(x):
        while np.abs(x) < 10:
            x = x * 2
            yield x

    def f(x):
        try:
            if x > 1:
                raise ValueError
            y = x
        except ValueError:
            y = x * 3
        return collatz(y, 6) + sum(t for t in generator(x)) + (x if 1 < x < 3 else 0.0)

    for x in (0.7, 1.4, -2.0):
        assert_allclose(fd.grad(f)(x), f(x) / x, rtol=1e-12)  # homogeneous of degree one


# === object arrays =========================================================================================

OBJECT_ARRAYS = {
    "asarray": lambda x: np.asarray(x) * 2,
    "array": lambda x: np.array([x[0] ** 2, x[1], 3.0]),
    "array of arrays": lambda x: np.array([x, 2 * x]).sum(0) * x,
    "array of lists": lambda x: np.array([[x[0], 1.0], [x[1] * x[2], x[2]]]) @ np.ones(2),
    "full": lambda x: np.full(3, x[0]) * x,
    "vectorize": lambda x: np.vectorize(lambda t: t * t if t > 0 else -t)(x),
    "object function": lambda x: np.exp(np.array([x[0], x[1]])),
    "object sum": lambda x: np.sum(np.array([x[0] * x[1], x[2]])),
    "object mixed with traced": lambda x: np.array([x[2], x[1], x[0]]) * x + x,
    "object index": lambda x: np.array([x[0], x[1] ** 2])[::-1],
    "object matmul": lambda x: np.eye(3) @ np.array([x[0], x[1] ** 2, 1.0]),
    "fd.numpy.array": lambda x: fd.numpy.array([x[0] ** 2, x[1], 3.0]),
    "fd.numpy.stack": lambda x: fd.numpy.stack([x[0], x[1] * x[2]]),
}


@pytest.mark.parametrize("name", OBJECT_ARRAYS)
def test_object_arrays_are_stacked_back(name):
    f = OBJECT_ARRAYS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reverse = fd.jacrev(f)(X)
        forward = fd.jacfwd(f)(X)
    expected = central_jacobian(lambda x: np.asarray(f(x), dtype=float), X)
    assert reverse.dtype == np.float64
    assert_allclose(reverse, expected, rtol=1e-7, atol=1e-8)
    assert_allclose(forward, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", [n for n in OBJECT_ARRAYS if n != "vectorize"])
def test_object_arrays_under_vmap(name):
    f = OBJECT_ARRAYS[name]
    xs = np.stack([X, V])
    assert_allclose(fd.vmap(f)(xs), [np.asarray(f(x), dtype=float) for x in xs], rtol=1e-13)


def test_object_arrays_of_nested_transforms():
    def f(x):
        return np.sum(np.array([x[0] ** 3, x[1] * x[2]]))

    assert_allclose(fd.hessian(f)(X), [[6 * X[0], 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-14)


def test_large_object_array_warns_with_the_line_and_the_remedy():
    x = np.linspace(0.0, 1.0, 1001)

    def f(x):
        return np.sum(np.array([t * t for t in x]) * x)

    with pytest.warns(fd.errors.PerformanceWarning, match=r"like=x|fd\.numpy") as caught:
        gradient = fd.grad(f)(x)
    assert_allclose(gradient, 3 * x**2, rtol=1e-12)
    assert "test_conventions.py" in str(caught[0].message) + caught[0].filename


def test_object_array_of_a_thousand_does_not_warn():
    x = np.linspace(0.0, 1.0, 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fd.grad(lambda x: np.sum(np.array([t * t for t in x]) * x))(x)


def test_sparse_matrix_on_the_left():
    matrix = scipy.sparse.csr_array(np.array([[1.0, 0, 2], [0, 3, 0]]))
    dense = matrix.toarray()
    assert_allclose(fd.jacobian(lambda x: matrix @ x, X), dense)
    assert_allclose(fd.jacobian(lambda x: matrix.dot(x), X), dense)
    assert_allclose(fd.jacfwd(lambda x: matrix @ np.sin(x))(X), dense * np.cos(X))


# === results are the caller's own ==========================================================================


def leaves(result):
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in leaves(part)]
    return [result]


MATRIX = np.arange(6.0).reshape(2, 3)
OWNERSHIP = {
    "grad of sum": lambda x: fd.grad(np.sum)(x),
    "grad of two": lambda x: fd.grad(lambda a, b: np.sum(a + b), argnums=(0, 1))(x, x),
    "grad of reshape": lambda x: fd.grad(lambda a: np.sum(a.reshape(3, 1)))(x),
    "grad of transpose": lambda x: fd.grad(lambda a: np.sum(a.T * MATRIX.T))(MATRIX),
    "grad of dict": lambda x: fd.grad(lambda p: np.sum(p["a"] + p["b"]))({"a": x, "b": x}),
    "grad of a constant": lambda x: fd.grad(lambda a: np.sum(a * x))(x),
    "grad of a broadcast": lambda x: fd.grad(lambda a: np.sum(np.broadcast_to(a, (2, 3))))(x),
    "aux": lambda x: fd.grad(lambda a: (np.sum(a), a), has_aux=True)(x),
    "vjp of identity": lambda x: fd.vjp(lambda a: a, x, x),
    "vjp of sum of two": lambda x: fd.vjp(lambda a, b: a + b, (x, x), x),
    "jvp of identity": lambda x: fd.jvp(lambda a: a, x, x),
    "jvp of a pair": lambda x: fd.jvp(lambda a: (a, a), x, x),
    "jvp of a view": lambda x: fd.jvp(lambda a: (a[1:], a.reshape(3, 1)), x, x),
    "jvp of a constant": lambda x: fd.jvp(lambda a: x, x, x),
    "jvp of a broadcast": lambda x: fd.jvp(lambda a: np.broadcast_to(a, (2, 3)), x, x),
    "vmap of identity": lambda x: fd.vmap(lambda a: a)(x),
    "vmap of a pair": lambda x: fd.vmap(lambda a: (a, a))(x),
    "vmap of a constant": lambda x: fd.vmap(lambda a: x)(x),
    "jacobian of identity": lambda x: fd.jacobian(lambda a: (a, a), x),
    "jacfwd of identity": lambda x: fd.jacfwd(lambda a: a)(x),
    "jacrev of a transpose": lambda x: fd.jacrev(lambda a: a.T)(MATRIX),
    "hessian": lambda x: fd.hessian(lambda a: np.sum(a * a), x),
    "hvp": lambda x: fd.hvp(lambda a: 0.5 * np.sum(a * a), x, x),
    "pullback": lambda x: (lambda out, pull: (out, pull(x), pull(x)))(*fd.pullback(lambda a: a, x)),
    "linearize": lambda x: (lambda out, push: (out, push(x), push(x)))(*fd.linearize(lambda a: a, x)),
    "transpose": lambda x: fd.linear_transpose(lambda a: a, x)(x),
    "replay": lambda x: fd.trace(lambda a: (a, a, a[1:], x))(x).run(x),
    "elementwise_grad": lambda x: fd.elementwise_grad(lambda a: a)(x),
}


@pytest.mark.parametrize("name", OWNERSHIP)
def test_results_are_writeable_and_share_memory_with_nothing(name):
    x = X.copy()
    arrays = [leaf for leaf in leaves(OWNERSHIP[name](x)) if isinstance(leaf, np.ndarray)]
    assert arrays
    for i, array in enumerate(arrays):
        assert type(array) is np.ndarray
        if array.ndim:
            assert array.flags.writeable
            assert not np.shares_memory(array, x)
            assert not np.shares_memory(array, MATRIX)
        for other in arrays[:i]:
            assert not np.shares_memory(array, other)
    for array in arrays:
        array[...] = -1.0
    assert_array_equal(x, X)
    assert_array_equal(MATRIX, np.arange(6.0).reshape(2, 3))


def test_later_calls_do_not_overwrite_earlier_results():
    slope_of = fd.value_and_grad(lambda x: np.sum(x**2))
    value, gradient = slope_of(X)
    kept = gradient.copy()
    slope_of(V)
    slope_of(X)[1][:] = 0.0
    assert_array_equal(gradient, kept)
    assert_array_equal(slope_of(X)[1], kept)


def test_results_are_plain_numpy():
    value, gradient = fd.value_and_grad(lambda x: np.sum(x**2))(X)
    assert isinstance(value, np.floating | np.ndarray)
    assert type(gradient) is np.ndarray
    assert isinstance(fd.grad(np.sin)(0.3), float | np.floating | np.ndarray)


def test_buffers_of_the_mirror_come_back_as_plain_numpy():
    value, gradient = fd.value_and_grad(lambda x: fd.numpy.zeros(()))(X)
    assert isinstance(value, np.floating | np.ndarray)
    assert_array_equal(gradient, np.zeros(3))
    _, aux = fd.grad(lambda x: (np.sum(x), fd.numpy.zeros(3)), has_aux=True)(X)
    assert type(aux) is np.ndarray
    for output in (
        fd.jvp(lambda x: fd.numpy.zeros(3), X, V)[0],
        fd.vjp(lambda x: fd.numpy.zeros(3), X, V)[0],
        fd.vmap(lambda x: fd.numpy.zeros(3))(X),
        fd.pullback(lambda x: fd.numpy.zeros(3), X)[0],
        fd.linearize(lambda x: fd.numpy.zeros(3), X)[0],
        fd.trace(lambda x: fd.numpy.zeros(3))(X).run(X),
    ):
        assert type(output) is np.ndarray


def test_masked_array_is_honoured_or_refused():
    """Its mask is part of its value: it must not be dropped silently."""
    masked = np.ma.array(X, mask=[True, False, False])
    try:
        value, gradient = fd.value_and_grad(np.sum)(masked)
    except fd.errors.FuncdiffError:
        return
    assert value == masked.sum()
    assert_array_equal(gradient, [0.0, 1.0, 1.0])


# === layouts ===============================================================================================

BASE = np.arange(1.0, 13.0).reshape(3, 4) / 7


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "C": BASE,
    "Fortran": np.asfortranarray(BASE),
    "transposed": np.ascontiguousarray(BASE.T).T,
    "strided": np.repeat(np.repeat(BASE, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": np.ascontiguousarray(BASE[::-1, ::-1])[::-1, ::-1],
    "read-only": read_only(BASE),
    "broadcast": np.broadcast_to(BASE[:1], (3, 4)),
    "unaligned": np.frombuffer(b"\0" + BASE.tobytes(), dtype=float, offset=1).reshape(3, 4),
    "big-endian": BASE.astype(">f8"),
    "list of rows": BASE[[0, 1, 2]],
}


def layout_program(a):
    y = np.zeros_like(a)
    y[1:] = a[:-1] * a[1:]
    y += np.sin(a.T).T
    flat = y.reshape(-1)
    flat[2] *= 2
    return np.sum(y @ y.T) + np.sum(np.cumsum(a, axis=1) * y)


@pytest.mark.parametrize("name", LAYOUTS)
def test_memory_layout_follows_numpy(name):
    """In Fortran order ``y.reshape(-1)`` is a copy and its write is lost: here as in NumPy."""
    a = LAYOUTS[name]
    before = np.array(a)
    value, gradient = fd.value_and_grad(layout_program)(a)
    assert_allclose(value, layout_program(a), rtol=1e-13)
    expected = np.empty(a.shape)
    for index in np.ndindex(a.shape):
        step = np.zeros_like(a, subok=False)  # keeps the order
        step[index] = 1e-6
        expected[index] = (layout_program(a + step) - layout_program(a - step)) / 2e-6
    # central differences of step 1e-6 of values near 100
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)
    assert_allclose(fd.jacfwd(layout_program)(a), gradient, rtol=1e-12)
    v = np.array(a, dtype=float)
    slope_along_v = fd.jvp(fd.grad(layout_program), a, v)[1]
    assert_allclose(fd.hvp(layout_program, a, v)[1], slope_along_v, rtol=1e-12)
    assert_array_equal(a, before)


def test_empty_arrays():
    empty = np.zeros((0, 3))
    gradient = fd.grad(lambda x: np.sum(np.exp(x)))(empty)
    assert gradient.shape == (0, 3)
    assert fd.jacobian(np.exp, empty).shape == (0, 3, 0, 3)
    assert fd.hessian(lambda x: np.sum(x**2), empty).shape == (0, 3, 0, 3)
    assert fd.jvp(np.exp, empty, empty)[1].shape == (0, 3)
    assert fd.grad(lambda x: np.sum(np.concatenate([x, np.ones((2, 3))])))(empty).shape == (0, 3)


def test_zero_dimensional_arrays():
    x = np.array(0.7)
    assert fd.grad(lambda x: np.sin(x) * x)(x).shape == ()
    assert fd.jacobian(lambda x: np.stack([x, x**2]), x).shape == (2,)
    assert_allclose(fd.hessian(lambda x: x**3, x), 4.2)

    def written(x):
        y = np.zeros((), like=x)
        y[...] = x**2
        y += x
        return y

    assert_allclose(fd.grad(written)(x), 2 * 0.7 + 1)
    assert_allclose(fd.grad(lambda x: x[()] * x[None][0])(x), 1.4)


def test_matrices_of_one_and_high_ranks():
    x = np.full((1, 1, 1, 1, 1, 1), 0.5)
    assert_allclose(fd.grad(lambda x: np.exp(x))(x), np.exp(x))


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((), (2, 3)), ((1, 3), (2, 1, 3))]
)
def test_broadcasting_is_undone(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape) for shape in shapes)
    by_a, by_b = fd.grad(lambda a, b: np.sum(np.sin(a * b)), argnums=(0, 1))(a, b)
    slope_ = np.cos(a * b)

    def unbroadcast(g, shape):
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
        return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)

    assert_allclose(by_a, unbroadcast(slope_ * b, a.shape), rtol=1e-12, atol=1e-14)
    assert_allclose(by_b, unbroadcast(slope_ * a, b.shape), rtol=1e-12, atol=1e-14)


def test_lists_of_numbers_are_containers():
    by_x, by_list = fd.grad(lambda p: np.sum(p[0] * p[1]))([X, [1.0, 2.0, 3.0]])
    assert_allclose(by_x, [1.0, 2.0, 3.0])
    assert type(by_list) is list
    assert_allclose(by_list, X)
