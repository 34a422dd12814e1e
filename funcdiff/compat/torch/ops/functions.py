"""Elementwise functions of one tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    applied,
    call,
    cast,
    composed,
    composite,
    constant,
    deliver,
    method,
    of_general,
    real_input,
)
from funcdiff.compat.torch._elementwise import unary
from funcdiff.compat.torch._errors import not_a_tensor
from funcdiff.compat.torch._graph import LEAF, ZeroNode, new_node, node_class
from funcdiff.compat.torch._promotion import result_dtype
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.ops import rules
from funcdiff.core.array_type import type_of
from funcdiff.core.primitive import REGISTRY
from funcdiff.numpy import where

_ndarray = np.ndarray


def _of(name: str) -> Any:
    return REGISTRY[name].function


sin = unary("sin", _of("sin"), "SinBackward0")
cos = unary("cos", _of("cos"), "CosBackward0")
tan = unary("tan", _of("tan"), "TanBackward0")
asin = arcsin = unary("asin", _of("arcsin"), "AsinBackward0", ("asin", "arcsin"))
acos = arccos = unary("acos", _of("arccos"), "AcosBackward0", ("acos", "arccos"))
atan = arctan = unary("atan", _of("arctan"), "AtanBackward0", ("atan", "arctan"))
sinh = unary("sinh", _of("sinh"), "SinhBackward0")
cosh = unary("cosh", _of("cosh"), "CoshBackward0")
tanh = unary("tanh", _of("tanh"), "TanhBackward0")
asinh = arcsinh = unary("asinh", _of("arcsinh"), "AsinhBackward0", ("asinh", "arcsinh"))
acosh = arccosh = unary("acosh", _of("arccosh"), "AcoshBackward0", ("acosh", "arccosh"))
atanh = arctanh = unary("atanh", _of("arctanh"), "AtanhBackward0", ("atanh", "arctanh"))
exp = unary("exp", _of("exp"), "ExpBackward0")
exp2 = unary("exp2", _of("exp2"), "Exp2Backward0")
expm1 = unary("expm1", _of("expm1"), "Expm1Backward0")
log = unary("log", _of("log"), "LogBackward0")
log2 = unary("log2", _of("log2"), "Log2Backward0")
log10 = unary("log10", _of("log10"), "Log10Backward0")
log1p = unary("log1p", _of("log1p"), "Log1PBackward0")
sqrt = unary("sqrt", _of("sqrt"), "SqrtBackward0")
rsqrt = unary("rsqrt", rules.rsqrt, "RsqrtBackward0")
_Sinc = composed("SincBackward0")


@method
def sinc(input: Any, *, out: Any = None) -> Any:
    """As `torch.sinc`."""
    return deliver(composite(_Sinc, fnp.sinc, (real_input(input),)), out)


deg2rad = unary("deg2rad", _of("deg2rad"), "Deg2RadBackward0")
rad2deg = unary("rad2deg", _of("rad2deg"), "Rad2DegBackward0")
sigmoid = unary("sigmoid", rules.sigmoid, "SigmoidBackward0")
relu = unary("relu", rules.relu, "ReluBackward0", integers=lambda x: np.maximum(x, 0))
square = unary("square", _of("square"), "PowBackward0", integers=lambda x: x * x)
_real_abs = unary("abs", _of("absolute"), "AbsBackward0", (), integers=_of("absolute"))
erf = unary("erf", rules.erf, "ErfBackward0")
erfc = unary("erfc", rules.erfc, "ErfcBackward0")
erfinv = unary("erfinv", rules.erfinv, "ErfinvBackward0")
lgamma = unary("lgamma", rules.gammaln, "LgammaBackward0")
digamma = unary("digamma", rules.digamma, "DigammaBackward0")
i0 = unary("i0", rules.i0, "I0Backward0")
logit_ = unary("logit", rules.logit, "LogitBackward0", ())


_Abs, _Sgn = applied("AbsBackward0"), applied("SgnBackward0")


def abs(input: Any, *, out: Any = None) -> Any:
    """As `torch.abs`."""
    if isinstance(input, Tensor) and input.value.dtype.kind == "c":
        return deliver(call(_Abs, _of("modulus"), (input,), {}), out)
    return _real_abs(input, out=out)


absolute = method(abs, "abs", "absolute", "__abs__")


@method
def logit(input: Any, eps: float | None = None, *, out: Any = None) -> Any:
    """As `torch.logit`."""
    if eps is not None:
        input = clamp(input, eps, 1 - eps)
    return logit_(input, out=out)


# --- locally constant, and what is made with it ------------------------------------------------------


def _step(name: str, function: Any, node: str) -> Any:
    cls = node_class(node, ZeroNode)
    ufunc = getattr(np, name, None)

    def step(input: Any, *, out: Any = None) -> Any:
        if not isinstance(input, Tensor):
            raise not_a_tensor(name, "input", 1, input)
        value = input.value
        kind = value.dtype.kind
        if kind == "f" and type(value) is _ndarray and ufunc is not None and out is None:
            result = wrap(ufunc(value))
            edge = input.edge if input.base is None else input.current()
            if edge is not None and STATE.recording:
                next_ = (input if edge is LEAF else edge,)
                result.edge = new_node(cls, next_, (type_of(value),), None, None)
            return result
        if kind in "iu" and name not in ("sign", "sgn"):
            return deliver(input.clone(), out)
        return deliver(constant(function, (input,), node), out)

    step.__name__ = step.__qualname__ = name
    step.__doc__ = f"As `torch.{name}`."
    return method(step)


def _sign(x: Any) -> Any:
    return x.astype(bool) if x.dtype.kind == "b" else _of("sign")(x)


sign = _step("sign", _sign, "SignBackward0")
_real_sgn = _step("sgn", _sign, "SgnBackward0")


@method
def sgn(input: Any, *, out: Any = None) -> Any:
    """As `torch.sgn`: the sign, or a complex number divided by its size."""
    if input.value.dtype.kind == "c":
        return deliver(call(_Sgn, _of("unit"), (input,), {}), out)
    return _real_sgn(input, out=out)


floor = _step("floor", _of("floor"), "FloorBackward0")
ceil = _step("ceil", _of("ceil"), "CeilBackward0")
trunc = fix = _step("trunc", _of("trunc"), "TruncBackward0")
method(trunc, "fix")


@method
def round(input: Any, *, decimals: int = 0, out: Any = None) -> Any:
    """As `torch.round`."""
    if input.value.dtype.kind in "iu":
        return deliver(input.clone(), out)
    node = "RoundBackward1" if decimals else "RoundBackward0"
    return deliver(constant(lambda x: np.round(x, decimals), (input,), node), out)


_Frac = composed("FracBackward0")


@method
def frac(input: Any, *, out: Any = None) -> Any:
    """As `torch.frac`: the part after the point."""
    trunc_ = _of("trunc")
    return deliver(composite(_Frac, lambda x: x - trunc_(x), (input,)), out)


# --- limits ---------------------------------------------------------------------------------------

_ClampByTensors = composed("ClampBackward0")
_clamp_both, _clamp_min, _clamp_max = (
    of_general(f"Clamp{name}", rules.clamp) for name in ("Backward1", "MinBackward0", "MaxBackward0")
)
_REALS = frozenset({int, float, type(None)})


def _clamp(operation: Any, input: Any, low: Any, high: Any, out: Any) -> Any:
    if input.value.dtype.kind == "f" and type(low) in _REALS and type(high) in _REALS:
        made = operation(input, {"low": low, "high": high})
        return made if out is None else deliver(made, out)
    dtype = result_dtype(input.value, *(b for b in (low, high) if b is not None))
    input = input if input.value.dtype == dtype else input.to(_torch_dtype(dtype))
    lowest, highest = (-math.inf, math.inf) if dtype.kind == "f" else _limits(dtype)
    bounds = dtype.type(lowest if low is None else low), dtype.type(highest if high is None else high)
    return deliver(operation(input, {"low": bounds[0], "high": bounds[1]}), out)


def _limits(dtype: Any) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return info.min, info.max


def _torch_dtype(dtype: Any) -> Any:
    from funcdiff.compat.torch._dtypes import FROM_NUMPY

    return FROM_NUMPY[dtype]


def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """As `torch.clamp`."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        return _clamp(_clamp_both, input, min, max, out)

    def limit(x: Any, low: Any, high: Any) -> Any:
        if low is not None:
            x = where(x < low, low, x)
        return x if high is None else where(x > high, high, x)

    return deliver(composite(_ClampByTensors, limit, (input, min, max)), out)


clip = method(clamp, "clamp", "clip")


@method
def clamp_min(input: Any, min: Any, *, out: Any = None) -> Any:
    """As `torch.clamp_min`."""
    return clamp(input, min) if isinstance(min, Tensor) else _clamp(_clamp_min, input, min, None, out)


@method
def clamp_max(input: Any, max: Any, *, out: Any = None) -> Any:
    """As `torch.clamp_max`."""
    if isinstance(max, Tensor):
        return clamp(input, None, max)
    return _clamp(_clamp_max, input, None, max, out)


_NanToNum = composed("NanToNumBackward0")


@method
def nan_to_num(
    input: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None, *, out: Any = None
) -> Any:
    """As `torch.nan_to_num`."""

    def replaced(x: Any) -> Any:
        return fnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    return deliver(composite(_NanToNum, replaced, (input,)), out)


# --- complex ---------------------------------------------------------------------------------------

_Angle, _Conj = composed("AngleBackward0"), applied("ConjBackward0")
_Complex, _Polar = composed("ComplexBackward0"), composed("PolarBackward0")


def conj(input: Any) -> Any:
    """As `torch.conj`."""
    return call(_Conj, _of("conj"), (input,), {}) if input.value.dtype.kind == "c" else input


conj_physical = resolve_conj = method(conj, "conj", "conj_physical", "resolve_conj")


@method
def angle(input: Any, *, out: Any = None) -> Any:
    """As `torch.angle`."""
    arctan2, real, imag = _of("arctan2"), _of("real"), _of("imag")

    def compute(x: Any) -> Any:
        if x.dtype.kind == "c":
            return arctan2(imag(x), real(x))
        return where(x < 0, math.pi, x * 0.0)

    return deliver(composite(_Angle, compute, (real_input(input),)), out)


def complex(real: Any, imag: Any, *, out: Any = None) -> Any:
    """As `torch.complex`."""
    if real.value.dtype != imag.value.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {real.dtype.type_name} but got scalar type {imag.dtype.type_name} for second "
            "argument"
        )
    dtype = real.dtype.to_complex().numpy
    return deliver(
        composite(_Complex, lambda x, y: cast(x, dtype) + dtype.type(1j) * cast(y, dtype), (real, imag)), out
    )


def polar(abs: Any, angle: Any, *, out: Any = None) -> Any:
    """As `torch.polar`."""
    dtype = abs.dtype.to_complex().numpy
    cosine, sine = _of("cos"), _of("sin")

    def compute(r: Any, t: Any) -> Any:
        return cast(r * cosine(t), dtype) + dtype.type(1j) * cast(r * sine(t), dtype)

    return deliver(composite(_Polar, compute, (abs, angle)), out)


# --- in place --------------------------------------------------------------------------------------

sin_, cos_, tan_ = in_place(sin), in_place(cos), in_place(tan)
asin_, acos_, atan_ = in_place(asin), in_place(acos), in_place(atan)
sinh_, cosh_, tanh_ = in_place(sinh), in_place(cosh), in_place(tanh)
exp_, exp2_, expm1_ = in_place(exp), in_place(exp2), in_place(expm1)
log_, log2_, log10_, log1p_ = in_place(log), in_place(log2), in_place(log10), in_place(log1p)
sqrt_, rsqrt_, square_ = in_place(sqrt), in_place(rsqrt), in_place(square)
sigmoid_, relu_, abs_ = in_place(sigmoid), in_place(relu), in_place(abs)
erf_, erfc_, lgamma_, digamma_ = in_place(erf), in_place(erfc), in_place(lgamma), in_place(digamma)
sign_, floor_, ceil_, trunc_ = in_place(sign), in_place(floor), in_place(ceil), in_place(trunc)
round_, frac_ = in_place(round), in_place(frac)
clamp_, clamp_min_, clamp_max_ = in_place(clamp), in_place(clamp_min), in_place(clamp_max)
clip_ = in_place(clamp, "clip_")
nan_to_num_ = in_place(nan_to_num)
