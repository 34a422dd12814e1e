"""Comparisons, logic and tests of numbers: what has no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import cast, constant, deliver, method
from funcdiff.compat.torch._elementwise import shape_mismatch
from funcdiff.compat.torch._errors import MAPPED_ALLCLOSE
from funcdiff.compat.torch._promotion import result_dtype
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import in_place
from funcdiff.core.primitive import REGISTRY

_REALS = frozenset({float, int})


def _comparison(name: str, primitive: str, *methods: str) -> Any:
    function = REGISTRY[primitive].function

    ufunc = REGISTRY[primitive].impl

    def compare(input: Any, other: Any, *, out: Any = None) -> Any:
        if out is None and isinstance(input, Tensor):
            x = input.value
            y = other.value if isinstance(other, Tensor) else other
            if type(x) is np.ndarray and (
                (type(y) is np.ndarray and x.dtype is y.dtype and x.shape == y.shape)
                or (type(y) in _REALS and x.dtype.kind == "f")
            ):
                return wrap(ufunc(x, y))
        if not isinstance(other, (Tensor, int, float, complex, np.generic)):
            if isinstance(other, np.ndarray):
                other = wrap(other)
            else:
                return NotImplemented
        dtype = result_dtype(*(o.value if isinstance(o, Tensor) else o for o in (input, other)))

        def compute(x: Any, y: Any) -> Any:
            x, y = (cast(i, dtype) if hasattr(i, "dtype") else i for i in (x, y))
            try:
                return function(x, y)
            except ValueError as error:
                raise shape_mismatch(x, y, error) from None

        return deliver(constant(compute, (input, other)), out)

    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"As `torch.{name}`."
    return method(compare, name, *methods)


eq = _comparison("eq", "equal", "__eq__")
ne = not_equal = _comparison("ne", "not_equal", "__ne__", "not_equal")
lt = less = _comparison("lt", "less", "__lt__", "less")
le = less_equal = _comparison("le", "less_equal", "__le__", "less_equal")
gt = greater = _comparison("gt", "greater", "__gt__", "greater")
ge = greater_equal = _comparison("ge", "greater_equal", "__ge__", "greater_equal")


def _logic(name: str, primitive: str, *operators: str, integers: bool = False) -> Any:
    function = REGISTRY[primitive].function

    def logic(input: Any, other: Any, *, out: Any = None) -> Any:
        if integers:
            dtype = result_dtype(*(o.value if isinstance(o, Tensor) else o for o in (input, other)))
            if dtype.kind not in "biu":
                raise RuntimeError(f"\"{name}_cpu\" not implemented for '{_type(input)}'")
            made = constant(lambda x, y: function(*(cast(i, dtype) for i in (x, y))), (input, other))
        else:
            made = constant(function, (input, other))
        return deliver(made, out)

    logic.__name__ = logic.__qualname__ = name
    logic.__doc__ = f"As `torch.{name}`."
    return method(logic, name, *operators)


def _type(x: Any) -> str:
    return x.dtype.type_name if isinstance(x, Tensor) else type(x).__name__


logical_and = _logic("logical_and", "logical_and")
logical_or = _logic("logical_or", "logical_or")
logical_xor = _logic("logical_xor", "logical_xor")
bitwise_and = _logic("bitwise_and", "bitwise_and", "__and__", "__rand__", integers=True)
bitwise_or = _logic("bitwise_or", "bitwise_or", "__or__", "__ror__", integers=True)
bitwise_xor = _logic("bitwise_xor", "bitwise_xor", "__xor__", "__rxor__", integers=True)
bitwise_left_shift = _logic("bitwise_left_shift", "left_shift", "__lshift__", integers=True)
bitwise_right_shift = _logic("bitwise_right_shift", "right_shift", "__rshift__", integers=True)


def _test(name: str, function: Any, *methods: str) -> Any:
    def test(input: Any, *, out: Any = None) -> Any:
        return deliver(constant(function, (input,)), out)

    test.__name__ = test.__qualname__ = name
    test.__doc__ = f"As `torch.{name}`."
    return method(test, name, *methods)


isnan = _test("isnan", REGISTRY["isnan"].function)
isinf = _test("isinf", REGISTRY["isinf"].function)
isfinite = _test("isfinite", REGISTRY["isfinite"].function)
isposinf = _test("isposinf", lambda x: x == np.inf)
isneginf = _test("isneginf", lambda x: x == -np.inf)
isreal = _test("isreal", lambda x: np.imag(x) == 0)
signbit = _test("signbit", REGISTRY["signbit"].function)
logical_not = _test("logical_not", REGISTRY["logical_not"].function)
bitwise_not = _test("bitwise_not", REGISTRY["invert"].function, "__invert__")

logical_and_ = in_place(logical_and)
logical_or_ = in_place(logical_or)
logical_not_ = in_place(logical_not)
bitwise_and_ = in_place(bitwise_and)
bitwise_or_ = in_place(bitwise_or)
method(bitwise_and_, "__iand__")
method(bitwise_or_, "__ior__")


@method
def isclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """As `torch.isclose`."""
    if input.value.dtype != other.value.dtype:
        raise RuntimeError(f"{input.dtype.type_name} did not match {other.dtype.type_name}")
    return constant(lambda x, y: np.isclose(x, y, rtol, atol, equal_nan), (input, other))


@method
def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """As `torch.allclose`."""
    return bool(plain(isclose(input, other, rtol, atol, equal_nan), MAPPED_ALLCLOSE).all())


@method
def equal(input: Any, other: Any) -> bool:
    """As `torch.equal`: same shape and same elements."""
    a, b = plain(input), plain(other)
    return a.shape == b.shape and bool(np.all(a == b))


def is_tensor(obj: Any) -> bool:
    """As `torch.is_tensor`."""
    return isinstance(obj, Tensor)


@method
def is_nonzero(input: Any) -> bool:
    """As `torch.is_nonzero`."""
    return bool(input)


@method
def is_same_size(input: Any, other: Any) -> bool:
    """As `torch.is_same_size`."""
    return bool(input.value.shape == other.value.shape)


def is_floating_point(input: Any) -> bool:
    """As `torch.is_floating_point`."""
    return bool(input.is_floating_point())


def is_complex(input: Any) -> bool:
    """As `torch.is_complex`."""
    return bool(input.is_complex())
