"""NumPy's ufuncs under their own names, with their keywords and methods, differentiable."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.primitive import REGISTRY, Function
from funcdiff.numpy._arguments import UNSET
from funcdiff.numpy._protocol import UFUNCS, has_traced
from funcdiff.numpy.ufunc_methods import call_ufunc
from funcdiff.primitives import comparison as c
from funcdiff.primitives import elementwise as e
from funcdiff.primitives.shape import conj as _conj

_APPLY = {primitive.function for primitive in REGISTRY.values()}
"""The functions that apply a primitive; others choose between several, or compose them."""


class Ufunc:
    """A ufunc of NumPy's or SciPy's that takes traced arrays without the detour over the protocol.

    Attributes such as `nin`, `nout` and `identity` are those of the original.
    """

    def __init__(self, ufunc: np.ufunc, function: Function) -> None:
        self.ufunc = ufunc
        self.function = function
        self.inputs = ufunc.nin
        self.composed = function not in _APPLY
        self.__doc__ = f"As `{ufunc.__name__}` of the original, differentiable.\n\n{ufunc.__doc__}"
        UFUNCS[ufunc] = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply to each element."""
        if not kwargs and len(args) == self.inputs:
            if self.composed and not has_traced(args):
                return self.ufunc(*args)
            return self.function(*args)
        if len(args) > self.inputs:
            kwargs["out"] = args[self.inputs :]
            args = args[: self.inputs]
        return self._answer("__call__", args, kwargs)

    def reduce(
        self,
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = UNSET,
        where: Any = True,
    ) -> Any:
        """Reduce along axes by applying the ufunc from element to element."""
        settings = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims, "where": where}
        if initial is not UNSET:
            settings["initial"] = initial
        return self._answer("reduce", (array,), settings)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Return all intermediate results of a reduction along an axis."""
        return self._answer("accumulate", (array,), {"axis": axis, "dtype": dtype, "out": out})

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Reduce slices of an axis."""
        return self._answer("reduceat", (array, indices), {"axis": axis, "dtype": dtype, "out": out})

    def outer(self, a: Any, b: Any, /, **kwargs: Any) -> Any:
        """Apply to all pairs of elements."""
        return self._answer("outer", (a, b), kwargs)

    def at(self, a: Any, indices: Any, *b: Any) -> None:
        """Apply in place at indices, repeated ones one after the other."""
        self._answer("at", (a, indices, *b), {})

    def _answer(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if any(has_traced(a) for a in args) or any(has_traced(a) for a in kwargs.values()):
            return call_ufunc(self.ufunc, method, args, kwargs)
        return getattr(self.ufunc, method)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ufunc, name)

    def __repr__(self) -> str:
        return f"<funcdiff ufunc {self.ufunc.__name__!r}>"


absolute = Ufunc(np.absolute, e.absolute)
add = Ufunc(np.add, e.add)
arccos = Ufunc(np.arccos, e.arccos)
arccosh = Ufunc(np.arccosh, e.arccosh)
arcsin = Ufunc(np.arcsin, e.arcsin)
arcsinh = Ufunc(np.arcsinh, e.arcsinh)
arctan = Ufunc(np.arctan, e.arctan)
arctan2 = Ufunc(np.arctan2, e.arctan2)
arctanh = Ufunc(np.arctanh, e.arctanh)
bitwise_and = Ufunc(np.bitwise_and, c.bitwise_and)
bitwise_count = Ufunc(np.bitwise_count, c.bitwise_count)
bitwise_or = Ufunc(np.bitwise_or, c.bitwise_or)
bitwise_xor = Ufunc(np.bitwise_xor, c.bitwise_xor)
cbrt = Ufunc(np.cbrt, e.cbrt)
ceil = Ufunc(np.ceil, c.ceil)
conjugate = Ufunc(np.conjugate, _conj)
copysign = Ufunc(np.copysign, e.copysign)
cos = Ufunc(np.cos, e.cos)
cosh = Ufunc(np.cosh, e.cosh)
deg2rad = Ufunc(np.deg2rad, e.deg2rad)
degrees = Ufunc(np.degrees, e.degrees)
divide = Ufunc(np.divide, e.divide)
divmod = Ufunc(np.divmod, e.divmod_)
equal = Ufunc(np.equal, c.equal)
exp = Ufunc(np.exp, e.exp)
exp2 = Ufunc(np.exp2, e.exp2)
expm1 = Ufunc(np.expm1, e.expm1)
fabs = Ufunc(np.fabs, e.fabs)
float_power = Ufunc(np.float_power, e.float_power)
floor = Ufunc(np.floor, c.floor)
floor_divide = Ufunc(np.floor_divide, c.floor_divide)
fmax = Ufunc(np.fmax, e.fmax)
fmin = Ufunc(np.fmin, e.fmin)
fmod = Ufunc(np.fmod, e.fmod)
frexp = Ufunc(np.frexp, e.frexp)
gcd = Ufunc(np.gcd, c.gcd)
greater = Ufunc(np.greater, c.greater)
greater_equal = Ufunc(np.greater_equal, c.greater_equal)
heaviside = Ufunc(np.heaviside, e.heaviside)
hypot = Ufunc(np.hypot, e.hypot)
invert = Ufunc(np.invert, c.invert)
isfinite = Ufunc(np.isfinite, c.isfinite)
isinf = Ufunc(np.isinf, c.isinf)
isnan = Ufunc(np.isnan, c.isnan)
lcm = Ufunc(np.lcm, c.lcm)
ldexp = Ufunc(np.ldexp, e.ldexp)
left_shift = Ufunc(np.left_shift, c.left_shift)
less = Ufunc(np.less, c.less)
less_equal = Ufunc(np.less_equal, c.less_equal)
log = Ufunc(np.log, e.log)
log10 = Ufunc(np.log10, e.log10)
log1p = Ufunc(np.log1p, e.log1p)
log2 = Ufunc(np.log2, e.log2)
logaddexp = Ufunc(np.logaddexp, e.logaddexp)
logaddexp2 = Ufunc(np.logaddexp2, e.logaddexp2)
logical_and = Ufunc(np.logical_and, c.logical_and)
logical_not = Ufunc(np.logical_not, c.logical_not)
logical_or = Ufunc(np.logical_or, c.logical_or)
logical_xor = Ufunc(np.logical_xor, c.logical_xor)
maximum = Ufunc(np.maximum, e.maximum)
minimum = Ufunc(np.minimum, e.minimum)
modf = Ufunc(np.modf, e.modf)
multiply = Ufunc(np.multiply, e.multiply)
negative = Ufunc(np.negative, e.negative)
nextafter = Ufunc(np.nextafter, e.nextafter)
not_equal = Ufunc(np.not_equal, c.not_equal)
positive = Ufunc(np.positive, e.positive)
power = Ufunc(np.power, e.power)
rad2deg = Ufunc(np.rad2deg, e.rad2deg)
radians = Ufunc(np.radians, e.radians)
reciprocal = Ufunc(np.reciprocal, e.reciprocal)
remainder = Ufunc(np.remainder, e.remainder)
right_shift = Ufunc(np.right_shift, c.right_shift)
rint = Ufunc(np.rint, c.rint)
sign = Ufunc(np.sign, e.sign)
signbit = Ufunc(np.signbit, c.signbit)
sin = Ufunc(np.sin, e.sin)
sinh = Ufunc(np.sinh, e.sinh)
spacing = Ufunc(np.spacing, c.spacing)
sqrt = Ufunc(np.sqrt, e.sqrt)
square = Ufunc(np.square, e.square)
subtract = Ufunc(np.subtract, e.subtract)
tan = Ufunc(np.tan, e.tan)
tanh = Ufunc(np.tanh, e.tanh)
trunc = Ufunc(np.trunc, c.trunc)

abs = absolute
acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atan2 = arctan2
atanh = arctanh
bitwise_invert = invert
bitwise_left_shift = left_shift
bitwise_not = invert
bitwise_right_shift = right_shift
conj = conjugate
mod = remainder
pow = power
true_divide = divide
