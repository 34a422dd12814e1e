"""What elementwise primitives are in nodes: one function per name, with NumPy's results, NaN and infinities too."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from funcdiff.core.tape import Atom, Literal, Record
from funcdiff.jit.native.build import FLOATS, Build
from funcdiff.jit.native.functions import LIBM, is_callable, is_vectorised
from funcdiff.jit.native.nodes import KINDS, Group, Node, constant
from funcdiff.jit.passes.rewriting import is_weak, kind

Rule = Callable[..., Node]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function ``f(build, *operands)`` for primitives; operands have the dtypes of the ufunc's loop."""

    def enter(f: Rule) -> Rule:
        for name in names:
            RULES[name] = f
        return f

    return enter


for _name, _op in {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div"}.items():
    RULES[_name] = lambda b, x, y, op=_op: b.op(op, x, y)
for _name, _op in {
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
}.items():
    RULES[_name] = lambda b, x, y, op=_op: b.compare(op, x, y)
for _name, _op in {"logical_and": "and", "logical_or": "or", "logical_xor": "xor"}.items():
    RULES[_name] = lambda b, x, y, op=_op: b.op(op, b.truth(x), b.truth(y))
for _name, _op in {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor"}.items():
    RULES[_name] = lambda b, x, y, op=_op: b.op(op, x, y)
for _name in ("sqrt", "floor", "ceil", "trunc", "rint"):
    RULES[_name] = lambda b, x, op=_name: b.op(op, x) if x.kind in FLOATS else x

RULES["multiply"] = lambda b, x, y: b.multiply(x, y)
RULES["negative"] = lambda b, x: b.op("neg", x)
RULES["positive"] = lambda b, x: x
RULES["copy"] = RULES["stop_gradient"] = RULES["positive"]
RULES["absolute"] = RULES["fabs"] = lambda b, x: b.op("abs", x) if x.kind != "i1" else x
RULES["square"] = lambda b, x: b.op("mul", x, x)
RULES["reciprocal"] = lambda b, x: b.op("div", b.number(1, x), x)
RULES["copysign"] = lambda b, x, y: b.op("copysign", x, y)
RULES["logical_not"] = lambda b, x: b.invert(b.truth(x))
RULES["invert"] = lambda b, x: b.invert(x) if x.kind == "i1" else b.op("xor", x, constant(-1, "i64"))
RULES["isnan"] = lambda b, x: b.is_nan(x)
RULES["degrees"] = RULES["rad2deg"] = lambda b, x: b.op("mul", x, b.number(180 / math.pi, x))
RULES["radians"] = RULES["deg2rad"] = lambda b, x: b.op("mul", x, b.number(math.pi / 180, x))


@rule("isinf")
def _isinf(b: Build, x: Node) -> Node:
    if x.kind not in FLOATS:
        return constant(False, "i1")
    return b.compare("eq", b.op("abs", x), b.number(math.inf, x))


@rule("isfinite")
def _isfinite(b: Build, x: Node) -> Node:
    if x.kind not in FLOATS:
        return constant(True, "i1")
    return b.compare("lt", b.op("abs", x), b.number(math.inf, x))


@rule("maximum")
def _maximum(b: Build, x: Node, y: Node) -> Node:
    return b.select(b.op("or", b.compare("ge", x, y), b.is_nan(x)), x, y)


@rule("minimum")
def _minimum(b: Build, x: Node, y: Node) -> Node:
    return b.select(b.op("or", b.compare("le", x, y), b.is_nan(x)), x, y)


@rule("fmax")
def _fmax(b: Build, x: Node, y: Node) -> Node:
    return b.select(b.op("or", b.compare("ge", x, y), b.is_nan(y)), x, y)


@rule("fmin")
def _fmin(b: Build, x: Node, y: Node) -> Node:
    return b.select(b.op("or", b.compare("le", x, y), b.is_nan(y)), x, y)


@rule("sign", "unit")
def _sign(b: Build, x: Node) -> Node:
    zero = constant(0, x.kind)
    other = b.select(b.compare("lt", x, zero), constant(-1, x.kind), x if x.kind in FLOATS else zero)
    found = b.select(b.compare("gt", x, zero), constant(1, x.kind), other)
    return b.select(b.compare("eq", x, zero), zero, found)


@rule("heaviside")
def _heaviside(b: Build, x: Node, middle: Node) -> Node:
    zero = constant(0, x.kind)
    step = b.select(b.compare("gt", x, zero), constant(1, x.kind), zero)
    step = b.select(b.compare("eq", x, zero), middle, step)
    return b.select(b.is_nan(x), x, step)


@rule("scale")
def _scale(b: Build, g: Node, p: Node) -> Node:
    """A product in which a zero of the first factor stays zero, whatever the second is."""
    if p.op == "constant" and p.detail and math.isfinite(p.detail) and g.op != "constant":
        # zero times a number is zero, but for its sign, which a zero that is added takes away and keeps elsewhere
        zero = constant(0, g.kind)
        return b.op("add", g, zero) if p.detail == 1 else b.op("fma", g, p, zero)
    return b.zeroed(g, lambda: b.multiply(g, p))


@rule("ratio")
def _ratio(b: Build, x: Node, y: Node) -> Node:
    return b.zeroed(y, lambda: b.op("div", x, y))


@rule("difference")
def _difference(b: Build, x: Node, y: Node) -> Node:
    return b.select(b.compare("ne", x, y), b.op("sub", x, y), constant(0, x.kind))


@rule("where")
def _where(b: Build, condition: Node, x: Node, y: Node) -> Node:
    return b.select(b.truth(condition), x, y)


@rule("tie_share")
def _tie_share(b: Build, out: Node, x: Node, y: Node) -> Node:
    """The share of `x` in a maximum that it holds alone, or together with `y`."""
    missing = b.is_nan(out)
    mine = b.op("or", b.compare("eq", out, x), b.op("and", missing, b.is_nan(x)))
    other = b.op("or", b.compare("eq", out, y), b.op("and", missing, b.is_nan(y)))
    one, half = b.number(1, out), b.number(0.5, out)
    return b.select(
        mine, b.select(other, half, one), b.select(other, constant(0, out.kind), b.number(math.nan, out))
    )


@rule("reciprocal_or_zero")
def _reciprocal_or_zero(b: Build, x: Node, cutoff: Node) -> Node:
    small = b.compare("le", b.op("abs", x), cutoff)
    return b.select(small, constant(0, x.kind), b.op("div", b.number(1, x), x))


@rule("power")
def _power(b: Build, x: Node, y: Node) -> Node:
    if y.op == "constant":
        match y.detail:
            case 0.5:
                if x.kind in FLOATS:  # NumPy's pow has no negative zero here, and a root of -inf
                    root = b.op("sqrt", b.op("add", x, b.number(0.0, x)))
                    return b.select(b.compare("eq", x, b.number(-math.inf, x)), b.number(math.inf, x), root)
            case 0:
                return b.number(1, x)
            case 1:
                return x
            case 2:
                return b.op("mul", x, x)
            case 3:
                return b.op("mul", b.op("mul", x, x), x)
            case 4:
                square = b.op("mul", x, x)
                return b.op("mul", square, square)
            case -1:
                return b.op("div", b.number(1, x), x)
            case -2:
                return b.op("div", b.number(1, x), b.op("mul", x, x))
    return b.call("power", x, y)


@rule("logaddexp")
def _logaddexp(b: Build, x: Node, y: Node) -> Node:
    """log(eˣ + eʸ) = max + log1p(exp(-|x - y|)), where equal numbers may be infinite."""
    distance = b.op("sub", x, y)
    small = b.op("neg", b.op("abs", distance))
    larger = b.select(b.compare("gt", distance, constant(0, x.kind)), x, y)
    found = b.op("add", larger, b.call("log1p", b.call("exp", small)))
    found = b.select(b.is_nan(distance), distance, found)
    return b.select(b.compare("eq", x, y), b.op("add", x, b.number(math.log(2), x)), found)


# --- functions that are called ----------------------------------------------------------------------

for _name in LIBM:
    if _name not in RULES:
        RULES[_name] = lambda b, *args, name=_name: b.call(name, *args)

_OURS = frozenset(  # only where our own vector math has them
    [
        *(
            "erf",
            "erfc",
            "erfcx",
            "ndtr",
            "log_ndtr",
            "gamma",
            "gammaln",
            "loggamma",
            "digamma",
            "psi",
            "zeta",
        ),
        *("expit", "logit", "log_expit", "entr", "rel_entr", "kl_div", "xlogy", "xlog1py"),
        *("remainder", "floor_divide", "logaddexp2", "float_power"),
    ]
)
for _name in _OURS:
    RULES[_name] = lambda b, *args, name=_name: b.call(name, *args)


_CALLED = {"zeta": "trigamma"}  # where the names differ


@rule("zeta")
def _zeta(b: Build, s: Node, x: Node) -> Node:
    """Hurwitz' function at 2, the derivative of digamma."""
    if s.op != "constant" or s.detail != 2:
        raise KeyError("zeta")
    return b.call("trigamma", x)


@rule("clip")
def _clip(b: Build, x: Node, low: Node, high: Node) -> Node:
    return _minimum(b, _maximum(b, x, low), high)


_NOT_UFUNCS = frozenset(
    [
        "scale",
        "ratio",
        "difference",
        "where",
        "tie_share",
        "reciprocal_or_zero",
        "copy",
        "stop_gradient",
        "clip",
    ]
)
_INTEGERS = frozenset(  # rules that hold for integers
    [
        *(
            "add",
            "subtract",
            "multiply",
            "negative",
            "positive",
            "absolute",
            "square",
            "copy",
            "stop_gradient",
        ),
        *(
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "equal",
            "not_equal",
            "where",
            "maximum",
            "minimum",
        ),
        *(
            "logical_and",
            "logical_or",
            "logical_xor",
            "logical_not",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
        ),
        *("invert", "isnan", "isinf", "isfinite", "sign", "fmax", "fmin", "floor", "ceil", "trunc", "rint"),
    ]
)
_TRUTHS = frozenset(
    [
        *("equal", "not_equal", "where", "logical_and", "logical_or", "logical_xor", "logical_not", "copy"),
        *(
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
            "invert",
            "isnan",
            "isinf",
            "isfinite",
            "stop_gradient",
        ),
        "absolute",
    ]
)


def loop_kinds(record: Record) -> tuple[str, ...] | None:
    """Return the kinds that the operands are converted to before a record's rule; None if it has none."""
    primitive = record.primitive
    name = primitive.name
    if name not in RULES or len(record.outputs) != 1 or primitive.user_made or primitive.custom is not None:
        return None
    if record.params and name != "copy":
        return None
    out = KINDS.get(record.outputs[0].type.dtype)
    if out is None:
        return None
    if name in _NOT_UFUNCS:
        found: tuple[str, ...] | None = _chosen_kinds(name, record, out)
    else:
        found = _ufunc_kinds(primitive.impl, tuple(map(_of_atom, record.inputs)))
    if found is None or not all(found):
        return None
    for of in found:
        if (of == "i64" and name not in _INTEGERS) or (of == "i1" and name not in _TRUTHS):
            return None
        if (name in _OURS and not is_vectorised(_CALLED.get(name, name), of)) or (
            name in LIBM and not is_callable(name, of)
        ):
            return None
    return found


def _of_atom(atom: Atom) -> Any:
    return type(atom.value) if isinstance(atom, Literal) and is_weak(atom) else kind(atom).dtype


@cache
def _ufunc_kinds(ufunc: Any, given: tuple[Any, ...]) -> tuple[str, ...] | None:
    if not isinstance(ufunc, np.ufunc) or ufunc.nout != 1 or ufunc.signature is not None:
        return None
    try:
        asked = ufunc.resolve_dtypes((*given, None))
    except (TypeError, ValueError):
        return None
    return tuple(KINDS.get(d, "") for d in asked[:-1])


def _chosen_kinds(name: str, record: Record, out: str) -> tuple[str, ...] | None:
    given = [KINDS.get(kind(a).dtype, "") for a in record.inputs]
    match name:
        case "where":
            return (given[0], out, out) if given[0] else None
        case "copy" | "stop_gradient":
            return (out,) if given[0] == out else None
    if not all(given) or out not in FLOATS:
        return None
    return (out,) * len(given)


def apply(record: Record, kinds: Sequence[str], group: Group, operands: Sequence[Node]) -> Node:
    """Return the node of a record, from those of its operands."""
    build = Build(group)
    given = [build.convert(x, k) for x, k in zip(operands, kinds, strict=True)]
    out = KINDS[record.outputs[0].type.dtype]
    if given and all(x.op == "constant" for x in given):
        folded = _fold(record, given, out)
        if folded is not None:
            return folded
    found = RULES[record.primitive.name](build, *given)
    return build.convert(found, out)


def _fold(record: Record, given: Sequence[Node], out: str) -> Node | None:
    types = {"f64": np.float64, "f32": np.float32, "i64": np.int64, "i1": np.bool_}
    with np.errstate(all="ignore"):
        try:
            value: Any = record.primitive.impl(*(types[x.kind](x.detail) for x in given))
        except (ArithmeticError, TypeError, ValueError):
            return None
    value = np.asarray(value)
    return constant(value.item(), out) if value.ndim == 0 else None
