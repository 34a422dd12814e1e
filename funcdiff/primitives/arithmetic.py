"""Arithmetic, powers, remainders, absolute values, extrema and parts of numbers, elementwise.

Partial derivatives receive the output first.  A partial must not raise the precision: constants are
Python numbers, and a function of a Python number is a Python number again (`weakly`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import elementwise, general, locally_constant, multilinear
from funcdiff.core.objects import stack_objects
from funcdiff.core.primitive import Function, Over, first, second
from funcdiff.core.recording import TracedArray
from funcdiff.core.rules import PLAIN_SCALARS
from funcdiff.primitives import comparison
from funcdiff.primitives.comparison import equal, floor_divide, rint, trunc
from funcdiff.primitives.domains import POSITIVE, REALS, complex_plane, on
from funcdiff.primitives.exponential import log
from funcdiff.primitives.shape import conj, real

_PYTHON_NUMBERS = frozenset({bool, int, float, complex})


def weakly(function: Callable[[Any], Any], x: Any) -> Any:
    """Apply a function; a Python number gives a Python number, which promotes no dtype."""
    out = function(x)
    return out.item() if type(x) in _PYTHON_NUMBERS else out


# --- products that keep a zero zero ---------------------------------------------------------------


def _scale(g: Any, p: Any) -> Any:
    shape = np.broadcast_shapes(np.shape(g), np.shape(p))
    out = np.zeros(shape, np.result_type(g, p))
    np.multiply(g, p, out=out, where=np.asarray(g) != 0)
    return out if shape else out[()]


scale: Function = multilinear(
    _scale,
    [lambda ct, _g, p: scale(ct, p), lambda ct, g, _p: scale(g, ct)],
    name="scale",
    batch=lambda values, flags, size: scale(*align(values, flags)),
    samples=on(REALS, REALS),
    doc="``g * p``, except that a zero g stays zero whatever p is; the strong rules multiply with it.",
)


def _ratio(x: Any, y: Any) -> Any:
    nonzero = np.not_equal(y, 0)
    if nonzero.all():
        return np.divide(x, y)
    out = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x, y))
    np.divide(x, y, out=out, where=nonzero)
    return out[()]


ratio: Function = elementwise(
    _ratio,
    [lambda _out, _x, y: weakly(lambda d: ratio(1.0, d), y), lambda out, _x, y: -ratio(out, y)],
    name="ratio",
    samples=on(REALS, POSITIVE),
    holomorphic=True,
    doc="``x / y``, and 0 with all its derivatives where y is 0.",
)

# --- arithmetic -----------------------------------------------------------------------------------

add = elementwise(np.add, [1, 1], operator=operator.add, samples=on(REALS, REALS), holomorphic=True)
subtract = elementwise(
    np.subtract, [1, -1], operator=operator.sub, samples=on(REALS, REALS), holomorphic=True
)
multiply = elementwise(
    np.multiply,
    [second, first],
    operator=operator.mul,
    samples=on(REALS, REALS),
    holomorphic=True,
)
divide = elementwise(
    np.divide,
    [Over(lambda _out, _x, y: y), lambda out, _x, y: -out / y],
    operator=operator.truediv,
    samples=on(REALS, POSITIVE),
    holomorphic=True,
)
negative = elementwise(np.negative, [-1], samples=on(REALS), holomorphic=True)
positive = elementwise(np.positive, [1], samples=on(REALS), holomorphic=True)
reciprocal = elementwise(np.reciprocal, [lambda out, _x: -out * out], samples=on(POSITIVE), holomorphic=True)

# --- powers and roots -----------------------------------------------------------------------------

square = elementwise(np.square, [lambda _out, x: 2 * x], samples=on(REALS), holomorphic=True)
sqrt = elementwise(np.sqrt, [Over(lambda out, _x: 2 * out)], samples=on(POSITIVE), holomorphic=True)
cbrt = elementwise(np.cbrt, [Over(lambda out, _x: 3 * out * out)], samples=on((-3.0, -0.3)))


def _power_base(_out: Any, x: Any, y: Any) -> Any:
    """y x**(y - 1), and 0 where y is 0, whatever x is."""
    kind = type(y)
    if kind in PLAIN_SCALARS:
        if y == 2:
            return 2 * x
        if y == 1 or y == 0:
            return float(y)
        return y * x ** (y - 1)
    if kind is np.ndarray and y.all():
        return y * power(x, y - 1)
    return scale(y, power(x, y - 1))


def _power_exponent(out: Any, x: Any, _y: Any) -> Any:
    """x**y log(x), and 0 where x is 0: 0**y is 0 for y > 0, and has no derivative elsewhere."""
    kind = type(x)
    if kind in _PYTHON_NUMBERS:
        return out * weakly(log, x) if x else 0.0
    if kind is np.ndarray and x.all():
        return out * log(x)
    return scale(log(x + equal(x, 0)), out)


power: Function = elementwise(
    np.power,
    [_power_base, _power_exponent],
    operator=operator.pow,
    samples=on(POSITIVE, REALS),
    holomorphic=True,
)

# --- remainders -----------------------------------------------------------------------------------

remainder = elementwise(
    np.remainder,
    [1, lambda _out, x, y: -floor_divide(x, y)],
    operator=operator.mod,
    samples=on((2.3, 2.9), (0.95, 1.05)),
)
fmod = elementwise(
    np.fmod,
    [1, lambda out, x, y: -rint((x - out) / y)],
    samples=on((-2.9, -2.3), (0.95, 1.05)),
)


def divmod_(x: Any, y: Any) -> tuple[Any, Any]:
    """Quotient and remainder, as `numpy.divmod`."""
    return floor_divide(x, y), remainder(x, y)


# --- absolute values and signs --------------------------------------------------------------------

_absolute = elementwise(
    np.absolute, [lambda _out, x: comparison.sign(x)], name="absolute", samples=on((-2.0, -0.3))
)
_modulus: Function = general(
    np.absolute,
    jvps=[lambda t, out, z: real(ratio(conj(z), out) * t)],
    vjps=[lambda g, out, z: g * ratio(conj(z), out)],
    batch=lambda values, flags, size: _modulus(values[0]),
    name="modulus",
    samples=complex_plane,
    holomorphic=False,
    doc="Absolute value of complex numbers: Re(conj(z) t) / |z| is its tangent, 0 at 0.",
)


def _unit_jvp(t: Any, out: Any, z: Any) -> Any:
    return (t - out * real(conj(out) * t)) * ratio(1.0, _modulus(z))


unit: Function = general(
    np.sign,
    jvps=[_unit_jvp],
    batch=lambda values, flags, size: unit(values[0]),
    name="unit",
    samples=complex_plane,
    holomorphic=False,
    doc="``z / |z|``, NumPy's sign of complex numbers; the tangent's radial part vanishes.",
)


def _stacked(x: Any) -> Any:
    """Stack sequences and object arrays, whose dtype does not tell whether they are complex."""
    if type(x) is TracedArray or (type(x) is np.ndarray and not x.dtype.hasobject):
        return x
    return stack_objects(np.asarray(x) if isinstance(x, (list, tuple)) else x)


def _is_complex(x: Any) -> bool:
    if type(x) is TracedArray:
        return bool(x.value.dtype.kind == "c")
    return np.iscomplexobj(x)


def absolute(x: Any) -> Any:
    """Absolute value of real or complex numbers."""
    if type(x) is not TracedArray:
        x = _stacked(x)
    return _modulus(x) if _is_complex(x) else _absolute(x)


def sign(x: Any) -> Any:
    """Sign of real numbers, ``z / |z|`` of complex ones."""
    if type(x) is not TracedArray:
        x = _stacked(x)
    return unit(x) if _is_complex(x) else comparison.sign(x)


fabs = elementwise(np.fabs, [lambda _out, x: comparison.sign(x)], samples=on((-2.0, -0.3)))


def _copysign_partial(_out: Any, x: Any, y: Any) -> Any:
    s = comparison.sign(x)
    return s * copysign(s, y)


copysign: Function = elementwise(np.copysign, [_copysign_partial, 0], samples=on((-2.0, -0.3), POSITIVE))
heaviside = elementwise(
    np.heaviside,
    [0, lambda _out, x, _y: equal(x, 0)],
    samples=lambda rng: [
        ((rng.uniform(0.3, 1.0, 3), rng.uniform(0.0, 1.0, 3)), {}),
        ((rng.uniform(-1.0, -0.3), rng.uniform(0.0, 1.0)), {}),
    ],
)

# --- extrema --------------------------------------------------------------------------------------


def _tie_share(out: Any, x: Any, y: Any) -> Any:
    mine, other = np.equal(out, x), np.equal(out, y)
    holders = np.add(mine, other, dtype=out.dtype)
    if not holders.all():  # where the result is NaN, the NaNs hold it
        missing = np.not_equal(out, out)
        mine = mine | (missing & np.not_equal(x, x))
        other = other | (missing & np.not_equal(y, y))
        holders = np.add(mine, other, dtype=out.dtype)
    return np.divide(mine, holders, dtype=out.dtype)


tie_share = locally_constant(
    _tie_share,
    name="tie_share",
    doc="How much of the derivative of an extremum `out` of x and y goes to x: ties and two NaNs share it.",
)

_EXTREMUM = [
    lambda out, x, y: tie_share(out, x, y),
    lambda out, x, y: tie_share(out, y, x),
]
maximum = elementwise(np.maximum, _EXTREMUM, samples=on(REALS, REALS), holomorphic=True)
minimum = elementwise(np.minimum, _EXTREMUM, samples=on(REALS, REALS), holomorphic=True)
fmax = elementwise(np.fmax, _EXTREMUM, samples=on(REALS, REALS), holomorphic=True)
fmin = elementwise(np.fmin, _EXTREMUM, samples=on(REALS, REALS), holomorphic=True)

# --- parts of numbers -----------------------------------------------------------------------------

nextafter = elementwise(np.nextafter, [1, 0], samples=on(REALS, REALS))


def _fraction(x: Any) -> Any:
    return np.modf(x)[0]


fraction = elementwise(
    _fraction, [1], name="fraction", samples=on((1.2, 1.8)), doc="The first part of `numpy.modf`."
)


def modf(x: Any) -> tuple[Any, Any]:
    """Fractional and integral parts, as `numpy.modf`."""
    return fraction(x), trunc(x)


def _power_of_two(x: Any, n: Any) -> Any:
    return np.ldexp(np.ones_like(x), n)


power_of_two = locally_constant(
    _power_of_two,
    name="power_of_two",
    samples=lambda rng: [((rng.standard_normal(3), np.array([-1, 0, 4])), {})],
    doc="``2**n`` in the dtype of x.",
)


def _mantissa(x: Any) -> Any:
    return np.frexp(x)[0]


def _exponent(x: Any) -> Any:
    return np.frexp(x)[1]


exponent = locally_constant(
    _exponent, name="exponent", samples=on((1.2, 1.8)), doc="The second part of `numpy.frexp`."
)
mantissa = elementwise(
    _mantissa,
    [lambda _out, x: power_of_two(x, -exponent(x))],
    name="mantissa",
    samples=on((1.2, 1.8)),
    doc="The first part of `numpy.frexp`.",
)


def frexp(x: Any) -> tuple[Any, Any]:
    """Mantissa and exponent, as `numpy.frexp`."""
    return mantissa(x), exponent(x)


ldexp = elementwise(
    np.ldexp,
    [lambda _out, x, n: power_of_two(x, n), 0],
    samples=lambda rng: [
        ((rng.standard_normal(3), np.array([-1, 0, 4])), {}),
        ((rng.standard_normal(3), np.array([[2], [1]])), {}),
        ((rng.standard_normal(), 3), {}),
    ],
)


def float_power(x: Any, y: Any) -> Any:
    """Power in double precision at least, as `numpy.float_power`."""
    from funcdiff.primitives.shape import astype

    x, y = _stacked(x), _stacked(y)

    def widen(a: Any) -> Any:
        if type(a) in _PYTHON_NUMBERS:
            return complex(a) if type(a) is complex else float(a)
        dtype = np.result_type(a.dtype, np.float64)
        return a if a.dtype == dtype else astype(a, dtype=dtype)

    return power(widen(x), widen(y))
