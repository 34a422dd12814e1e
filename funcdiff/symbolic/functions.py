"""What primitives are called in SymPy: elementwise ones by a function of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def elementwise(sympy: Any) -> dict[str, Callable[..., Any]]:
    """Return, by the primitive's name, the function of SymPy expressions that each element is given to."""
    s = sympy
    one, two = s.Integer(1), s.Integer(2)

    def truth(x: Any) -> Any:
        return s.Ne(x, 0) if isinstance(x, s.Expr) else x

    return {
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "scale": lambda x, y: x * y,
        "divide": lambda x, y: x / y,
        "ratio": lambda x, y: s.Piecewise((0, s.Eq(y, 0)), (x / y, True)),
        "power": lambda x, y: x**y,
        "negative": lambda x: -x,
        "positive": lambda x: x,
        "reciprocal": lambda x: 1 / x,
        "square": lambda x: x**2,
        "sqrt": s.sqrt,
        "cbrt": lambda x: s.real_root(x, 3),
        "exp": s.exp,
        "exp2": lambda x: two**x,
        "expm1": lambda x: s.exp(x) - 1,
        "log": s.log,
        "log2": lambda x: s.log(x) / s.log(2),
        "log10": lambda x: s.log(x) / s.log(10),
        "log1p": lambda x: s.log(one + x),
        "logaddexp": lambda x, y: s.log(s.exp(x) + s.exp(y)),
        "logaddexp2": lambda x, y: s.log(two**x + two**y) / s.log(2),
        "sin": s.sin,
        "cos": s.cos,
        "tan": s.tan,
        "arcsin": s.asin,
        "arccos": s.acos,
        "arctan": s.atan,
        "sinh": s.sinh,
        "cosh": s.cosh,
        "tanh": s.tanh,
        "arcsinh": s.asinh,
        "arccosh": s.acosh,
        "arctanh": s.atanh,
        "arctan2": s.atan2,
        "hypot": lambda x, y: s.sqrt(x**2 + y**2),
        "degrees": lambda x: x * 180 / s.pi,
        "rad2deg": lambda x: x * 180 / s.pi,
        "radians": lambda x: x * s.pi / 180,
        "deg2rad": lambda x: x * s.pi / 180,
        "absolute": s.Abs,
        "modulus": s.Abs,
        "fabs": s.Abs,
        "sign": s.sign,
        "floor": s.floor,
        "ceil": s.ceiling,
        "maximum": s.Max,
        "minimum": s.Min,
        "fmax": s.Max,
        "fmin": s.Min,
        "clip": lambda x, low, high: s.Min(s.Max(x, low), high),
        "remainder": s.Mod,
        "floor_divide": lambda x, y: s.floor(x / y),
        "heaviside": lambda x, y: s.Heaviside(x, y),
        "less": s.Lt,
        "less_equal": s.Le,
        "greater": s.Gt,
        "greater_equal": s.Ge,
        "equal": s.Eq,
        "not_equal": s.Ne,
        "logical_and": lambda x, y: s.And(truth(x), truth(y)),
        "logical_or": lambda x, y: s.Or(truth(x), truth(y)),
        "logical_not": lambda x: s.Not(truth(x)),
        "bitwise_and": s.And,
        "bitwise_or": s.Or,
        "invert": s.Not,
        "where": lambda c, x, y: s.Piecewise((x, c), (y, True)),
        "real": s.re,
        "imag": s.im,
        "conj": s.conjugate,
        "astype": lambda x: x,
        "stop_gradient": lambda x: x,
        "erf": s.erf,
        "erfc": s.erfc,
        "gamma": s.gamma,
        "gammaln": s.loggamma,
        "digamma": s.digamma,
        "expit": lambda x: 1 / (1 + s.exp(-x)),
        "log_expit": lambda x: -s.log(1 + s.exp(-x)),
        "beta": s.beta,
        "xlogy": lambda x, y: x * s.log(y),
    }


# Primitives whose implementation only moves, adds or multiplies, so that it does so with expressions too
BY_IMPLEMENTATION = frozenset(
    (
        *(
            "reshape",
            "transpose",
            "broadcast_to",
            "sum_to",
            "copy",
            "concatenate",
            "stack",
            "getitem",
            "view",
        ),
        *(
            "index_add",
            "update_at",
            "sum",
            "prod",
            "cumsum",
            "cumprod",
            "matmul",
            "vecdot",
            "matvec",
            "vecmat",
        ),
        *("tensordot", "einsum", "convolve", "cross"),
    )
)
