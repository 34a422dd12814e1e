"""What the families of special functions share: several outputs, traced orders, names of refused arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import Function, Samples
from funcdiff.primitives.arithmetic import scale
from funcdiff.primitives.shape import astype

SQRT_PI = math.sqrt(math.pi)
SQRT_2PI = math.sqrt(2 * math.pi)
PER_DEGREE = math.pi / 180

UFUNCS: dict[np.ufunc, Function] = {}
"""What a ufunc means for traced arrays, where it is not a primitive's implementation."""

INTEGER = "it is an integer parameter"
"""Why there is no derivative with respect to an order or a count that SciPy rounds or wants whole."""


def in_double_precision(ufunc: np.ufunc) -> Function:
    """Call a ufunc in double precision, and round: some of SciPy's fail in single precision."""

    def rounded(*args: Any) -> Any:
        values = ufunc(*(a if np.result_type(a).kind in "iu" else np.asarray(a, float) for a in args))
        if ufunc.nout == 1:
            return in_precision_of(values, *args)
        return tuple(in_precision_of(v, *args) for v in values)

    return rounded


def outputs(
    ufunc: np.ufunc,
    partials: Sequence[Sequence[Function | int] | None],
    *,
    samples: Samples,
    missing: dict[int, str] | None = None,
    holomorphic: bool = False,
    in_double: bool = False,
) -> Function:
    """Declare an elementwise ufunc of several outputs: per argument, one partial for each output.

    A partial receives the tuple of outputs and the arguments, ``partial(out, *args)``, or is 0.  With `in_double`
    it is called in double precision.
    """

    def jvp_of(column: Sequence[Function | int]) -> Function:
        def jvp(t: Any, out: Any, *args: Any) -> Any:
            return tuple(scale(t, p(out, *args)) if callable(p) else 0 * t for p in column)

        return jvp

    def vjp_of(column: Sequence[Function | int]) -> Function:
        def vjp(g: Any, out: Any, *args: Any) -> Any:
            terms = [scale(g_k, p(out, *args)) for g_k, p in zip(g, column, strict=True) if callable(p)]
            return sum(terms[1:], terms[0])

        return vjp

    function: Function = general(
        in_double_precision(ufunc) if in_double else ufunc,
        name=ufunc.__name__,
        jvps=[None if column is None else jvp_of(column) for column in partials],
        vjps=[None if column is None else vjp_of(column) for column in partials],
        batch=lambda values, flags, size: function(*align(values, flags)),
        multiple_outputs=True,
        samples=samples,
        missing=missing,
        holomorphic=holomorphic,
    )
    UFUNCS[ufunc] = function
    return function


def derivatives(
    impl: Function,
    *,
    name: str,
    active: Sequence[int],
    samples: Samples,
    doc: str,
    missing: dict[int, str] | None = None,
    rules: dict[int, Function] | None = None,
) -> Function:
    """Declare an elementwise function with all its derivatives: ``f(*args, orders=(1, 0))`` is one of them.

    ``impl(*args, orders=…)`` computes the derivative of these orders with respect to the arguments
    numbered in `active`; a derivative of it is the same function, of the next order.  `rules` state the
    partial derivative with respect to further arguments, ``rule(out, *args, orders=…)``.
    """
    function: Function

    def raised(k: int) -> Function:
        def partial(_out: Any, *args: Any, orders: tuple[int, ...]) -> Any:
            return function(*args, orders=(*orders[:k], orders[k] + 1, *orders[k + 1 :]))

        return partial

    partials = {n: raised(k) for k, n in enumerate(active)} | (rules or {})

    def rule_of(n: int) -> Function | None:
        partial = partials.get(n)
        if partial is None:
            return None

        def rule(t: Any, out: Any, *args: Any, orders: tuple[int, ...]) -> Any:
            return scale(t, partial(out, *args, orders=orders))

        return rule

    table = [rule_of(n) for n in range(max(partials) + 1)]
    function = general(
        impl,
        jvps=table,
        vjps=table,
        batch=lambda values, flags, size, *, orders: function(*align(values, flags), orders=orders),
        name=name,
        samples=samples,
        missing=missing,
        holomorphic=False,
        doc=doc,
    )
    return function


def of_orders(sampler: Samples, *orders: tuple[int, ...]) -> Samples:
    """Return a sampler that goes with `derivatives`: the arguments of another, and orders in turn."""

    def samples(rng: np.random.Generator) -> Any:
        return [(args, {"orders": orders[k % len(orders)]}) for k, (args, _params) in enumerate(sampler(rng))]

    return samples


def in_precision_of(value: Any, *args: Any) -> Any:
    """Convert a result computed in double precision to what SciPy would give for these arguments."""
    kinds = [a for a in args if getattr(a, "dtype", None) is not None]
    single = kinds and all(a.dtype in (np.float16, np.float32, np.complex64) for a in kinds)
    value = np.asarray(value)
    if single:
        value = value.astype(np.complex64 if value.dtype.kind == "c" else np.float32)
    return value[()]


def in_dtype_of(x: Any, out: Any) -> Any:
    """Convert a function of Python numbers and x to the dtype of x, where SciPy answers in double precision."""
    return out if out.dtype == x.dtype else astype(out, dtype=x.dtype)


def alike(*args: Any) -> tuple[Any, ...]:
    """Give Python numbers the precision of the arrays among the arguments; SciPy's ufuncs would choose double."""
    kinds = [a.dtype for a in args if getattr(a, "dtype", None) is not None and a.dtype.kind in "fc"]
    if not kinds or len(kinds) == len(args):
        return args
    kind = np.result_type(*kinds).type(0).real.dtype.type
    return tuple(kind(a) if type(a) in (bool, int, float) else a for a in args)


def weak(function: Function, *args: Any) -> Any:
    """Apply a function of several arguments; if all are Python numbers, so is the result."""
    if all(type(a) in (bool, int, float, complex) for a in args):
        return function(*args).item()
    return function(*args)


__all__ = [
    "INTEGER",
    "PER_DEGREE",
    "SQRT_2PI",
    "SQRT_PI",
    "UFUNCS",
    "alike",
    "derivatives",
    "in_double_precision",
    "in_dtype_of",
    "in_precision_of",
    "of_orders",
    "outputs",
    "weak",
]
