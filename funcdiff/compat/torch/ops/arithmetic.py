"""Arithmetic and the operators of `Tensor`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import (
    NUMBERS,
    applied,
    call,
    cast,
    composed,
    composite,
    constant,
    deliver,
    method,
)
from funcdiff.compat.torch._elementwise import binary, unary, with_number
from funcdiff.compat.torch._graph import ZeroNode
from funcdiff.compat.torch._promotion import real_of, result_dtype
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.ops import rules
from funcdiff.core.primitive import REGISTRY
from funcdiff.numpy import where

_add = binary("add", REGISTRY["add"].function, "AddBackward0", methods=())
_sub = binary("sub", REGISTRY["subtract"].function, "SubBackward0", methods=())
_rsub = binary(
    "rsub", REGISTRY["subtract"].function, "SubBackward0", methods=(), reversed_node="RsubBackward1"
)
mul = multiply = binary("mul", REGISTRY["multiply"].function, "MulBackward0", methods=("mul", "multiply"))
_div = binary("div", REGISTRY["divide"].function, "DivBackward0", methods=(), real=True)
pow = binary(
    "pow",
    REGISTRY["power"].function,
    "PowBackward1",
    scalar_node="PowBackward0",
    reversed_node="PowBackward2",
    methods=(),
    impl=operator.pow,  # squares and roots are quicker, and as exact as PyTorch's, by the operator
)
maximum = binary("maximum", REGISTRY["maximum"].function, "MaximumBackward0")
minimum = binary("minimum", REGISTRY["minimum"].function, "MinimumBackward0")
fmax = binary("fmax", REGISTRY["fmax"].function, "FmaxBackward0")
fmin = binary("fmin", REGISTRY["fmin"].function, "FminBackward0")
remainder = binary(
    "remainder", REGISTRY["remainder"].function, "RemainderBackward1", scalar_node="RemainderBackward0"
)
fmod = binary("fmod", REGISTRY["fmod"].function, "FmodBackward1", scalar_node="FmodBackward0")
atan2 = arctan2 = binary(
    "atan2", REGISTRY["arctan2"].function, "Atan2Backward0", methods=("atan2", "arctan2"), real=True
)
hypot = binary("hypot", REGISTRY["hypot"].function, "HypotBackward0", real=True)
logaddexp = binary("logaddexp", REGISTRY["logaddexp"].function, "LogaddexpBackward0", real=True)
logaddexp2 = binary("logaddexp2", REGISTRY["logaddexp2"].function, "Logaddexp2Backward0", real=True)
copysign = binary("copysign", REGISTRY["copysign"].function, "CopysignBackward0", real=True)

_neg = unary("neg", REGISTRY["negative"].function, "NegBackward0", methods=())
_reciprocal = REGISTRY["reciprocal"].function
reciprocal = unary("reciprocal", _reciprocal, "ReciprocalBackward0")

_AddScaled = composed("AddBackward0")
_SubScaled = composed("SubBackward0")


def _scaled(cls: Any, sign: int, input: Any, other: Any, alpha: Any) -> Any:
    operands = [input, other]
    dtype = result_dtype(*(o.value if isinstance(o, Tensor) else o for o in operands))
    if isinstance(alpha, float) and dtype.kind in "biu":
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    alpha = dtype.type(sign * alpha)
    return composite(cls, lambda x, y: cast(x, dtype) + alpha * cast(y, dtype), operands)


@method
def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """As `torch.add`: ``input + alpha * other``."""
    if alpha == 1:
        return _add(input, other, out=out)
    return deliver(_scaled(_AddScaled, 1, input, other, alpha), out)


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """As `torch.sub`: ``input - alpha * other``."""
    _refuse_bool(input, other)
    if alpha == 1:
        return _sub(input, other, out=out)
    return deliver(_scaled(_SubScaled, -1, input, other, alpha), out)


subtract = method(sub, "sub", "subtract")


def _refuse_bool(*operands: Any) -> None:
    for x in operands:
        if isinstance(x, Tensor) and x.value.dtype.kind == "b":
            raise RuntimeError(
                "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use "
                "the `~` or `logical_not()` operator instead."
            )


_RsubTensors = composed("RsubBackward0")


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """As `torch.rsub`: ``other - alpha * input``."""
    if alpha == 1 and not isinstance(other, Tensor):
        return _rsub(other, input)
    return composite(_RsubTensors, lambda x, y: y - alpha * x, (input, other))


_Rounded = {"floor": REGISTRY["floor_divide"], "trunc": REGISTRY["trunc"]}


@method
def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """As `torch.div`."""
    if rounding_mode is None:
        return _div(input, other, out=out)
    if rounding_mode == "floor":
        return deliver(floor_divide(input, other, node="DivBackward2"), out)
    if rounding_mode == "trunc":
        dtype = result_dtype(*(o.value if isinstance(o, Tensor) else o for o in (input, other)))
        _refuse_zero(other, dtype)

        def truncated(x: Any, y: Any) -> Any:
            return cast(_Rounded["trunc"].function(cast(x, dtype) / cast(y, dtype)), dtype)

        return deliver(constant(truncated, (input, other), "DivBackward2"), out)
    raise RuntimeError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
    )


divide = true_divide = method(div, "div", "divide", "true_divide")


def _refuse_zero(other: Any, dtype: Any) -> None:
    if dtype.kind in "iu" and np.any(np.asarray(other.value if isinstance(other, Tensor) else other) == 0):
        raise RuntimeError("ZeroDivisionError")


class _FloorDivide(ZeroNode):
    """The node of `floor_divide`, of which PyTorch does not have the derivative."""

    __slots__ = ()

    def name(self) -> str:
        return "torch::autograd::NotImplemented"

    def pull(self, g: Any) -> Any:
        raise RuntimeError("derivative for aten::floor_divide is not implemented")

    pull_recorded = pull


@method
def floor_divide(input: Any, other: Any, *, node: str = "NotImplemented") -> Any:
    """As `torch.floor_divide`."""
    dtype = result_dtype(*(o.value if isinstance(o, Tensor) else o for o in (input, other)))
    _refuse_zero(other, dtype)

    def floored(x: Any, y: Any) -> Any:
        return _Rounded["floor"].function(cast(x, dtype), cast(y, dtype))

    result = constant(floored, (input, other), node)
    if result.edge is not None and node == "NotImplemented":
        result.edge.__class__ = _FloorDivide
    return result


true_positive = method(lambda input: input, "positive", "__pos__")


# --- operators ------------------------------------------------------------------------------------


def _operator(op: Callable[[Any, Any], Any], swapped: bool = False) -> Callable[[Any, Any], Any]:
    """Make an operator that leaves operands it does not know to the other side."""

    def operate(self: Any, other: Any) -> Any:
        if not isinstance(other, Tensor) and type(other) not in NUMBERS:
            other = _known(other)
            if other is NotImplemented:
                return NotImplemented
        return op(other, self) if swapped else op(self, other)

    return operate


def _known(other: Any) -> Any:
    if isinstance(other, (np.generic, bool, int, float, complex)):
        return other
    return wrap(other) if isinstance(other, np.ndarray) and not other.dtype.hasobject else NotImplemented


def _divided_by(self: Any, other: Any) -> Any:
    return mul(reciprocal(self), other)


def _minus(self: Any, other: Any) -> Any:
    _refuse_bool(self, other)
    return _sub(self, other)


def _from(self: Any, other: Any) -> Any:
    _refuse_bool(self, other)
    return _rsub(other, self)


def neg(input: Any, *, out: Any = None) -> Any:
    """As `torch.neg`."""
    if isinstance(input, Tensor) and input.value.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` "
            "or `logical_not()` operator instead."
        )
    if input.value.dtype.kind in "iu":
        return deliver(constant(REGISTRY["negative"].function, (input,)), out)
    return _neg(input, out=out)


negative = method(neg, "neg", "negative", "__neg__")

method(_operator(_add), "__add__", "__radd__")
method(_operator(_minus), "__sub__")
method(_operator(_from), "__rsub__")
method(_operator(mul), "__mul__", "__rmul__")
method(_operator(_div), "__truediv__", "__div__")
method(_operator(_divided_by), "__rtruediv__", "__rdiv__")
method(_operator(floor_divide), "__floordiv__")
method(_operator(floor_divide, True), "__rfloordiv__")
method(_operator(remainder), "__mod__")
method(_operator(remainder, True), "__rmod__")


method(_operator(pow), "__pow__")
method(_operator(pow, True), "__rpow__")
method(pow, "pow")

add_ = in_place(add, "add_", np.add)
sub_ = subtract_ = in_place(sub, "sub_", np.subtract)
mul_ = multiply_ = in_place(mul, "mul_", np.multiply)
div_ = divide_ = true_divide_ = in_place(div, "div_", np.divide)
pow_ = in_place(pow)
remainder_ = in_place(remainder, "remainder_")
fmod_ = in_place(fmod, "fmod_")
floor_divide_ = in_place(floor_divide, "floor_divide_")
neg_ = negative_ = in_place(neg)
reciprocal_ = in_place(reciprocal)
atan2_ = arctan2_ = in_place(atan2)
copysign_ = in_place(copysign)
hypot_ = in_place(hypot)
method(sub_, "subtract_")
method(mul_, "multiply_")
method(div_, "divide_", "true_divide_")
method(neg_, "negative_")
method(atan2_, "arctan2_")


def _assigned(op: Any, symbol: str) -> Callable[[Any, Any], Any]:
    def assign(self: Any, other: Any) -> Any:
        if not isinstance(other, Tensor) and type(other) not in NUMBERS:
            other = _known(other)
            if other is NotImplemented:
                return NotImplemented
        return op(self, other)

    assign.__name__ = f"__i{symbol}__"
    return assign


method(_assigned(add_, "add"), "__iadd__")
method(_assigned(sub_, "sub"), "__isub__")
method(_assigned(mul_, "mul"), "__imul__")
method(_assigned(div_, "truediv"), "__itruediv__")
method(_assigned(floor_divide_, "floordiv"), "__ifloordiv__")
method(_assigned(remainder_, "mod"), "__imod__")
method(_assigned(pow_, "pow"), "__ipow__")


# --- products and quotients with a sum ---------------------------------------------------------------

_addcmul = with_number("AddcmulBackward0", rules.addcmul)
_addcdiv = with_number("AddcdivBackward0", rules.addcdiv)
_lerp, _LerpByTensor = with_number("LerpBackward0", rules.lerp), applied("LerpBackward1")
_Xlogy = composed("XlogyBackward0")


@method
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """As `torch.addcmul`: ``input + value * tensor1 * tensor2``."""
    made = _addcmul(input, tensor1, tensor2, value)
    return made if out is None else deliver(made, out)


@method
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """As `torch.addcdiv`: ``input + value * tensor1 / tensor2``."""
    made = _addcdiv(input, tensor1, tensor2, value)
    return made if out is None else deliver(made, out)


@method
def lerp(input: Any, end: Any, weight: Any, *, out: Any = None) -> Any:
    """As `torch.lerp`: ``input + weight * (end - input)``."""
    if isinstance(weight, Tensor):
        made = call(_LerpByTensor, rules.lerp, (input, end, weight), {})
    else:
        made = _lerp(input, end, None, weight)
    return made if out is None else deliver(made, out)


@method
def xlogy(input: Any, other: Any, *, out: Any = None) -> Any:
    """As `torch.xlogy`: ``input * log(other)``, 0 where `input` is 0."""
    log = REGISTRY["log"].function

    def compute(x: Any, y: Any) -> Any:
        dtype = real_of(result_dtype(x, y))
        x, y = (cast(i, dtype) if hasattr(i, "dtype") else i for i in (x, y))
        return where(x == 0, where(y != y, y, 0.0), x * log(where(x == 0, 1.0, y)))

    return deliver(composite(_Xlogy, compute, (input, other)), out)


addcmul_ = in_place(addcmul)
addcdiv_ = in_place(addcdiv)
lerp_ = in_place(lerp)
xlogy_ = in_place(xlogy)
