"""Elementwise primitives where calculus needs a convention: kinks, singular points, ties, complex numbers."""

import numpy as np
import pytest

import funcdiff as fd


def slope(f, *args):
    """Derivatives of an elementwise f, one per argument."""
    argnums = tuple(range(len(args)))
    return fd.grad(lambda *x: np.sum(f(*x)), argnums)(*(np.asarray(a, float) for a in args))


# --- kinks and singular points -------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.abs, np.fabs, abs, np.sign])
def test_absolute_value_has_slope_zero_at_zero(f):
    (g,) = slope(f, [0.0, -0.0])
    np.testing.assert_array_equal(g, [0.0, 0.0])


def test_square_root_has_infinite_slope_at_zero():
    assert slope(np.sqrt, [0.0])[0] == np.inf


@pytest.mark.parametrize("f", [np.hypot, np.arctan2])
def test_hypot_and_arctan2_are_flat_at_the_origin(f):
    for g in slope(f, [0.0], [0.0]):
        np.testing.assert_array_equal(np.abs(g), [0.0])
    assert np.all(np.isfinite(fd.hessian(lambda z: f(z[0], z[1]))(np.zeros(2))))


def test_hypot_and_arctan2_do_not_overflow_or_underflow():
    for size in (1e-200, 1e200):
        gx, gy = slope(np.hypot, [3 * size], [4 * size])
        np.testing.assert_allclose([gx[0], gy[0]], [0.6, 0.8])
        gy, gx = slope(np.arctan2, [3 * size], [4 * size])
        np.testing.assert_allclose([gy[0] * size, gx[0] * size], [0.16, -0.12])


def test_copysign_and_heaviside():
    g = slope(np.copysign, [-2.0, 2.0, 0.0, -1.0], [1.0, -1.0, 1.0, -1.0])
    np.testing.assert_array_equal(g[0], [-1.0, -1.0, 0.0, 1.0])
    np.testing.assert_array_equal(g[1], 0.0)
    g = slope(np.heaviside, [-1.0, 0.0, 1.0], [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(g[0], 0.0)
    np.testing.assert_array_equal(g[1], [0.0, 1.0, 0.0])


def test_logaddexp_at_equal_infinities_is_finite():
    for f in (np.logaddexp, np.logaddexp2):
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            _, pull = fd.pullback(
                f, np.array([-np.inf, np.inf, -np.inf, 800.0]), np.array([-np.inf, np.inf, 0.0, -800.0])
            )
            gx, gy = pull(np.ones(4))
        np.testing.assert_array_equal(gx, [0.5, 0.5, 0.0, 1.0])
        np.testing.assert_array_equal(gy, [0.5, 0.5, 1.0, 0.0])


def test_logaddexp_keeps_the_digits_of_small_shares():
    _, gy = slope(np.logaddexp, [0.0], [-60.0])
    np.testing.assert_allclose(gy, np.exp(-60.0), rtol=1e-13)


@pytest.mark.parametrize(
    ("f", "derivative"),
    [(np.expm1, np.exp), (np.log1p, lambda x: 1 / (1 + x)), (np.arcsinh, lambda x: 1 / np.sqrt(1 + x * x))],
)
def test_functions_that_keep_digits_have_derivatives_that_do(f, derivative):
    x = np.array([1e-12, -1e-9, 0.3])
    np.testing.assert_allclose(slope(f, x)[0], derivative(x), rtol=1e-15)
    np.testing.assert_allclose(slope(np.expm1, [-50.0])[0], np.exp(-50.0), rtol=1e-14)


# --- ties ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_share_equally(f):
    for g in slope(f, [1.0, -np.inf], [1.0, -np.inf]):
        np.testing.assert_array_equal(g, 0.5)


def test_nan_takes_part_in_maximum_and_not_in_fmax():
    x, y = [np.nan, 1.0, np.nan], [1.0, np.nan, np.nan]
    for f in (np.maximum, np.minimum):
        gx, gy = slope(f, x, y)
        np.testing.assert_array_equal(gx, [1.0, 0.0, 0.5])
        np.testing.assert_array_equal(gy, [0.0, 1.0, 0.5])
    for f in (np.fmax, np.fmin):
        gx, gy = slope(f, x, y)
        np.testing.assert_array_equal(gx, [0.0, 1.0, 0.5])
        np.testing.assert_array_equal(gy, [1.0, 0.0, 0.5])


def test_maximum_with_a_python_number_keeps_float32():
    g = fd.grad(lambda x: np.sum(np.maximum(x, 0.1)))(np.array([0.0, 0.1, 1.0], np.float32))
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g, [0.0, 0.5, 1.0])


# --- powers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 0.0, np.float64(0), np.int64(0), np.zeros(3), np.zeros(3, int)])
def test_power_zero_is_flat_everywhere(exponent):
    (g,) = slope(lambda x: x**exponent, [0.0, -2.0, 3.0])
    np.testing.assert_array_equal(g, 0.0)


@pytest.mark.parametrize(
    "make", [int, float, np.float64, np.int64, lambda n: np.full(4, n), lambda n: np.full(4, n, float)]
)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_integer_powers_of_any_base(n, make):
    x = np.array([0.0, -2.0, 3.0, -0.5])
    (g,) = slope(lambda x: x ** make(n), x)
    np.testing.assert_array_equal(g, n * x ** (n - 1))


def test_square_is_exact():
    x = np.random.default_rng(0).standard_normal(100)
    np.testing.assert_array_equal(slope(lambda x: x**2, x)[0], 2 * x)


def test_negative_and_fractional_powers_at_zero():
    assert slope(lambda x: x**0.5, [0.0])[0] == np.inf
    with np.errstate(divide="ignore"):
        assert slope(lambda x: x**-1, [0.0])[0] == -np.inf


def test_power_of_zero_in_both_arguments():
    x = [0.0, 0.0, 0.0, 2.0]
    y = [2.0, 1.0, 0.0, 0.0]
    gx, gy = slope(np.power, x, y)
    np.testing.assert_array_equal(gx, [0.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(gy, [0.0, 0.0, 0.0, np.log(2.0)])
    np.testing.assert_array_equal(slope(lambda y: 0.0**y, [2.0, 0.0])[0], [0.0, 0.0])


def test_exponent_of_a_negative_base_has_no_real_derivative():
    with np.errstate(invalid="ignore"):
        _, gy = slope(np.power, [-2.0], [3.0])
    assert np.isnan(gy[0])


def test_mixed_second_derivative_at_exponent_zero():
    h = fd.hessian(lambda z: z[0] ** z[1])(np.array([2.0, 0.0]))
    np.testing.assert_allclose(h, [[0.0, 0.5], [0.5, np.log(2.0) ** 2]])


def test_python_base_keeps_float32():
    g = fd.grad(lambda y: np.sum(2.0**y))(np.ones(3, np.float32))
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, 2 * np.log(2.0), rtol=1e-6)


# --- remainders and parts ----------------------------------------------------------------------------------


def test_remainders():
    x, y = np.array([5.3, -5.3, 5.3, -5.3]), np.array([2.0, 2.0, -2.0, -2.0])
    for f, quotient in (
        (np.remainder, np.floor),
        (np.fmod, np.trunc),
        (lambda a, b: np.divmod(a, b)[1], np.floor),
    ):
        gx, gy = slope(f, x, y)
        np.testing.assert_array_equal(gx, 1.0)
        np.testing.assert_array_equal(gy, -quotient(x / y))


def test_parts_of_numbers():
    x = np.array([0.0, -2.6, 12.5])
    np.testing.assert_array_equal(slope(lambda x: np.modf(x)[0], x)[0], 1.0)
    np.testing.assert_array_equal(slope(lambda x: np.modf(x)[1] * x, x)[0], np.trunc(x))
    np.testing.assert_array_equal(slope(lambda x: np.frexp(x)[0], x)[0], [1.0, 0.25, 1 / 16])
    np.testing.assert_array_equal(slope(lambda x: np.ldexp(x, np.array([1, 2, -1])), x)[0], [2.0, 4.0, 0.5])
    np.testing.assert_array_equal(slope(np.nextafter, x, x + 1)[0], 1.0)
    np.testing.assert_array_equal(slope(np.nextafter, x, x + 1)[1], 0.0)


# --- zero derivatives ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.floor, np.ceil, np.trunc, np.rint, np.sign, np.spacing, lambda x: x // 0.7])
def test_steps_are_flat_and_their_results_can_be_written_into(f):
    def program(x):
        y = f(x)
        y[0] = x[0] ** 2
        return np.sum(y)

    g = fd.grad(program)(np.array([3.5, 1.2]))
    np.testing.assert_array_equal(g, [7.0, 0.0])


# --- complex ---------------------------------------------------------------------------------------------------

Z = np.array([3 + 4j, -1 + 2j, 0.5 - 0.25j])


@pytest.mark.parametrize("f", [np.abs, np.absolute, abs])
def test_modulus(f):
    g = fd.grad(lambda z: np.sum(f(z)))(Z)
    np.testing.assert_allclose(g, Z.conj() / abs(Z))
    _, t = fd.jvp(f, Z, np.ones(3) * (1 + 2j))
    np.testing.assert_allclose(t, (Z.conj() * (1 + 2j)).real / abs(Z))
    assert t.dtype == float
    assert fd.grad(lambda z: f(z))(0j) == 0


def test_squared_modulus_descends():
    g = fd.grad(lambda z: np.sum(np.abs(z) ** 2))(Z)
    np.testing.assert_allclose(Z - 0.5 * g.conj(), 0, atol=1e-15)


def test_sign_of_complex_numbers():
    _, t = fd.jvp(np.sign, Z, Z)  # along the radius it does not change
    np.testing.assert_allclose(t, 0, atol=1e-15)
    _, t = fd.jvp(np.sign, Z, 1j * Z)  # a rotation turns it
    np.testing.assert_allclose(t, 1j * Z / abs(Z))


@pytest.mark.parametrize(
    "f",
    [
        np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sqrt, np.square, np.reciprocal,
        np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan,
        np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh,
    ],
)  # fmt: skip
@pytest.mark.parametrize("z", [0.3 + 0.4j, -0.6 + 0.2j, 1.7 - 0.6j, -2.5 - 0.1j])
def test_holomorphic_functions(f, z):
    h = 1e-5
    expected = (f(z + h) - f(z - h)) / (2 * h)
    np.testing.assert_allclose(fd.grad(f, holomorphic=True)(z), expected, rtol=1e-8)


@pytest.mark.parametrize("f", [np.arcsin, np.arccos, np.arctanh, np.arccosh])
@pytest.mark.parametrize("z", [2 + 0j, complex(2, -0.0), -2 + 0j, complex(-2, -0.0)])
def test_on_a_branch_cut_the_derivative_is_of_the_side_of_the_value(f, z):
    side = 1e-7j if np.copysign(1, z.imag) > 0 else -1e-7j
    np.testing.assert_allclose(f(z), f(z + side), rtol=1e-5)
    expected = fd.grad(f, holomorphic=True)(z + side)
    np.testing.assert_allclose(fd.grad(f, holomorphic=True)(z), expected, rtol=1e-5)


def test_functions_without_complex_values_say_what_numpy_says():
    with pytest.raises(TypeError):
        fd.grad(lambda z: np.real(np.cbrt(z)))(1j)


# --- sinc ------------------------------------------------------------------------------------------------------


def test_sinc_at_zero_and_far_out():
    from funcdiff.primitives.elementwise import sinc

    def f(x):
        return sinc(x, order=0)

    assert fd.grad(f)(0.0) == 0.0
    np.testing.assert_allclose(fd.grad(fd.grad(f))(0.0), -(np.pi**2) / 3, rtol=1e-14)
    for x in (1e-8, 0.3, 1.0, 2.0, 17.3):
        u = np.pi * x
        if x > 0.1:
            np.testing.assert_allclose(fd.grad(f)(x), np.pi * (np.cos(u) / u - np.sin(u) / u**2), rtol=1e-12)
        else:
            np.testing.assert_allclose(fd.grad(f)(x), -np.pi * u / 3, rtol=1e-12)


# --- zero stays zero --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f", [np.log, np.sqrt, np.reciprocal, lambda x: x**-1.5, lambda x: np.arctan2(x, x) / x]
)
def test_what_is_not_selected_has_no_derivative(f):
    x = np.array([0.0, 1.0])
    with np.errstate(all="ignore"):
        g = fd.grad(lambda x: np.sum(np.where(x > 0, f(x), 0.0)))(x)
        h = fd.hessian(lambda x: np.sum(np.where(x > 0, f(x), 0.0)))(x)
    assert g[0] == 0
    assert np.all(np.isfinite(h))


BROADCAST = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: b**a,
    "maximum": np.maximum,
    "arctan2": np.arctan2,
    "logaddexp": np.logaddexp,
    "hypot": np.hypot,
    "where": lambda a, b: np.where(np.array([True, False, True]), a, b),
    "clip": lambda a, b: np.clip(a, 0 * b, b),
}


@pytest.mark.parametrize("name", BROADCAST)
def test_sums_of_broadcast_operands(name):
    """A sum's cotangent is one number for all places, of which a smaller operand has as many as it was repeated."""
    f = BROADCAST[name]
    row = np.array([[1.5, 2.0, 3.0]])
    for a, b in [(1.1, row[0]), (row[0], 1.1), (np.array([[1.1], [0.7]]), row), (np.ones((2, 3)), row)]:
        for total in (np.sum, np.mean):
            found = fd.grad(lambda a, b, total=total: total(f(a, b)), argnums=(0, 1))(a, b)
            expected = (
                fd.jacfwd(lambda a, b=b, total=total: total(f(a, b)))(a),
                fd.jacfwd(lambda b, a=a, total=total: total(f(a, b)))(b),
            )
            for x, y in zip(found, expected, strict=True):
                assert np.shape(x) == np.shape(y)
                np.testing.assert_allclose(x, y, rtol=1e-13)
