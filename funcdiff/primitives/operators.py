"""Python's operators and indexing on traced arrays, attached here so that core imports nothing upward."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.foreign import NUMBERS, as_numbers, defers_to
from funcdiff.core.matching import convert
from funcdiff.core.mutation import (
    assign,
    is_basic,
    is_written,
    link_view,
    own_buffer,
    rebind,
    root_and_path,
    root_of,
)
from funcdiff.core.objects import from_sequence, stack_objects
from funcdiff.core.random_calls import random_call
from funcdiff.core.recording import (
    SEARCHES,
    TracedArray,
    concrete,
    innermost,
    is_constant,
    is_constant_here,
    is_scalar_value,
    revive,
)
from funcdiff.primitives import comparison as c
from funcdiff.primitives import elementwise as e
from funcdiff.primitives import sparse
from funcdiff.primitives.indexing import getitem, is_loop_view, is_mapped, plain_index, read
from funcdiff.primitives.product import matmul
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import copy


def _operand(x: Any) -> bool:
    return type(x) is TracedArray or isinstance(x, NUMBERS)


def _taken(x: Any) -> Any:
    """Return a sequence or another object as NumPy takes it for an operand, None if it does not."""
    if type(x) is list or type(x) is tuple:
        return np.asarray(x)
    return None if defers_to(x) else as_numbers(x)


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[TracedArray, Any], Any]:
    def operate(self: TracedArray, other: Any) -> Any:
        if not _operand(other) and (other := _taken(other)) is None:
            return NotImplemented
        return function(self, other)

    return operate


def _comparison(function: Callable[[Any, Any], Any]) -> Callable[[TracedArray, Any], Any]:
    compare = _binary(function)

    def operate(self: TracedArray, other: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__") in SEARCHES:
            refuse_search(self, other)
        return compare(self, other)

    return operate


def refuse_search(*compared: Any) -> None:
    """Refuse to be compared where only the answers would reach the result, and no derivative with them."""
    if not all(is_constant(x) for x in compared):
        raise errors.ConversionError(
            errors.at_user_line("the result of a search depends on the values only by comparisons of them")
        )


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[TracedArray, Any], Any]:
    def operate(self: TracedArray, other: Any) -> Any:
        if not _operand(other) and (other := _taken(other)) is None:
            return NotImplemented
        return function(other, self)

    return operate


def _matmul(self: TracedArray, other: Any) -> Any:
    return sparse.product(self, other) if sparse.is_sparse(other) else _MATMUL(self, other)


def _rmatmul(self: TracedArray, other: Any) -> Any:
    return sparse.product(other, self) if sparse.is_sparse(other) else _RMATMUL(self, other)


def _rmul(self: TracedArray, other: Any) -> Any:
    """SciPy's matrices (not its arrays) take ``*`` for the matrix product."""
    if sparse.is_sparse(other) and sparse.is_matrix(other) and self.shape:
        return sparse.product(other, self)
    return e.multiply(other, self)


def _swapped(function: Callable[[Any, Any], Any]) -> Callable[[TracedArray, Any], Any]:
    def operate(self: TracedArray, other: Any) -> Any:
        return function(other, self)

    return operate


def _in_place(function: Callable[[Any, Any], Any], symbol: str) -> Callable[[TracedArray, Any], Any]:
    def operate(self: TracedArray, other: Any) -> Any:
        new = function(self, other)
        if is_scalar_value(self) or not _operand(new):
            return new  # NumPy scalars are immutable: the name is bound anew, as to what a class of the user's makes
        return store_in_place(self, new, symbol)

    return operate


def store_in_place(x: TracedArray, new: Any, symbol: str) -> TracedArray:
    """Let ``x`` hold ``new``, with NumPy's checks for in-place operators."""
    if new.shape != x.shape:
        raise ValueError(
            errors.at_user_line(
                f"non-broadcastable output operand with shape {x.shape} doesn't match the broadcast shape "
                f"{new.shape} of the in-place operation {symbol}"
            )
        )
    if new.dtype != x.dtype:
        if not np.can_cast(new.dtype, x.dtype, "same_kind"):
            raise errors.DtypeError(
                errors.at_user_line(
                    f"cannot store the result of {symbol}, of dtype {new.dtype}, in an array of dtype {x.dtype}"
                )
            )
        new = convert(new, x.dtype)
    if getattr(x, "base", None) is not None or type(new) is not TracedArray or not new.shape:
        assign(x, new, (getitem, {"index": Ellipsis}))
    else:
        rebind(x, new)
    return x


def _getitem(self: TracedArray, index: Any) -> Any:
    if self.recorder.level < 0:
        revive(self)
    index = plain_index(index)
    out = read(self, index)
    if type(out) is TracedArray and type(out.value) is not np.float64 and is_basic(index):
        if is_written(root_of(self)):
            own_buffer(out)
        if out.shape or index is Ellipsis or (type(index) is tuple and Ellipsis in index):
            link_view(self, out, (getitem, {"index": index}))  # a full index without Ellipsis gives a scalar
    elif type(out) is TracedArray and out.shape and is_loop_view(index):
        link_view(self, out, (read, {"index": index}))
    return out


def _setitem(self: TracedArray, index: Any, value: Any) -> None:
    target, lenses = root_and_path(self)  # a stale view need not be read to be written through
    if target.recorder.level < 0:
        revive(target)
    if not lenses and is_scalar_value(target):
        raise TypeError(errors.at_user_line(f"{self.dtype.name} scalars do not support item assignment"))
    if type(value) is not TracedArray:
        if isinstance(value, (list, tuple)):
            value = from_sequence(value)
        value = stack_objects(value)
    if is_mapped(index) and index.dtype == bool and index.shape == self.shape and np.ndim(value) == 0:
        index, value = Ellipsis, where(index, value, self)  # one value where a mask of each example holds
    index = plain_index(index)
    if type(value) is TracedArray:
        if value.recorder.level < 0:
            revive(value)
        if not np.can_cast(value.dtype, target.dtype, "same_kind"):
            raise errors.DtypeError(
                errors.at_user_line(
                    f"writing a traced value of dtype {value.dtype} into an array of dtype {target.dtype} would drop "
                    f"its derivative. Make the array with dtype={value.dtype}, or write fd.stop_gradient(value)."
                )
            )
        if value is self or getattr(value, "base", None) is not None:
            value = copy(value)  # the value must not change while it is written
    assign(self, value, (getitem, {"index": index}))


def _bool(self: TracedArray) -> bool:
    return bool(concrete(self))


def _index(self: TracedArray) -> int:
    if self.dtype.kind not in "iu":
        raise errors.ConversionError(
            errors.at_user_line(
                f"a traced array of dtype {self.dtype} cannot be interpreted as an integer index"
            )
        )
    return int(concrete(self))


def _to_int(self: TracedArray) -> int:
    return int(_number(self, "int"))


def _to_float(self: TracedArray) -> float:
    return float(_number(self, "float"))


def _to_complex(self: TracedArray) -> complex:
    return complex(_number(self, "complex"))


def _number(x: TracedArray, kind: str) -> Any:
    """Return the plain value, with guards, unless a derivative would be lost."""
    if x.dtype.kind in "biu" or x.recorder.free or _has_no_derivative(x):
        return concrete(x)
    raise _conversion(kind, x)


def _has_no_derivative(x: Any) -> bool:
    """Tell whether a traced array is a constant, or made of integers and roundings alone, on every level."""
    while type(x) is TracedArray:
        if x.recorder.level < 0:
            revive(x)
        is_flat = getattr(x.recorder, "is_flat", None)  # programs know
        if not is_constant_here(x) and (is_flat is None or not is_flat(x.place)):
            return False
        x = x.value
    return True


# Bytecode that assigns to an element, an attribute such as `flat` or, from Python 3.12 on, a slice.
_WRITES = tuple(
    dis.opmap[name] for name in ("STORE_SUBSCR", "STORE_ATTR", "STORE_SLICE") if name in dis.opmap
)


def conversion_error(message: str) -> errors.FuncdiffError:
    """Return what to raise where a traced array would become plain numbers; NumPy asks for them in a write, too."""
    frame = errors.user_frame()
    if frame is not None and frame.f_code.co_code[frame.f_lasti] in _WRITES:
        return errors.plain_write("a traced value cannot be written")
    return errors.ConversionError(errors.at_user_line(message + random_call()))


def _conversion(kind: str, x: TracedArray) -> errors.FuncdiffError:
    return conversion_error(
        f"{kind}() of a traced array (dtype {x.dtype}, shape {x.shape}) would drop its derivative. Use NumPy's "
        "functions instead of math's (np.exp for math.exp), build arrays with fd.numpy.array, write into arrays "
        "made with np.zeros(n, like=x), or take the plain value with x.item() or fd.stop_gradient(x)."
    )


def _len(self: TracedArray) -> int:
    shape = self.shape
    if not shape:
        raise TypeError("len() of unsized object")
    return shape[0]


def _iter(self: TracedArray) -> Iterator[Any]:
    if not self.shape:
        raise TypeError("iteration over a 0-d array")
    return (_getitem(self, n) for n in range(self.shape[0]))


def _contains(self: TracedArray, item: Any) -> bool:
    return bool(concrete(np.any(self == item)))


def _repr(self: TracedArray) -> str:
    if self.recorder.level == -1:
        return "TracedArray(of a transform that has returned)"
    return f"TracedArray({self.dtype.name}[{','.join(map(str, self.shape))}], {self.value!r})"


def _format(self: TracedArray, spec: str) -> str:
    """Format the value for reading; a text carries no derivative anyway."""
    return format(innermost(self), spec) if spec and not self.shape and not is_mapped(self) else repr(self)


def _round(self: TracedArray, digits: int | None = None) -> Any:
    """Round as NumPy does; without digits the answer is an int, from the value."""
    x: Any = self
    return int(concrete(np.rint(x))) if digits is None else np.round(x, digits)


def _invert(self: TracedArray) -> Any:
    return c.invert(self)


_MATMUL, _RMATMUL = _binary(matmul), _reflected(matmul)


def attach() -> None:
    """Attach operators to the traced array."""
    table: dict[str, Any] = {}
    for name, function, symbol in (
        ("add", e.add, "+="),
        ("sub", e.subtract, "-="),
        ("mul", e.multiply, "*="),
        ("truediv", e.divide, "/="),
        ("pow", e.power, "**="),
        ("floordiv", e.floor_divide, "//="),
        ("mod", e.remainder, "%="),
        ("matmul", matmul, "@="),
        ("and", c.bitwise_and, "&="),
        ("or", c.bitwise_or, "|="),
        ("xor", c.bitwise_xor, "^="),
        ("lshift", c.left_shift, "<<="),
        ("rshift", c.right_shift, ">>="),
    ):
        fast = name in {"add", "sub", "mul", "truediv"}
        table[f"__{name}__"] = function if fast else _binary(function)
        table[f"__r{name}__"] = _swapped(function) if fast else _reflected(function)
        table[f"__i{name}__"] = _in_place(function, symbol)
    for name, function in (
        ("lt", c.less),
        ("le", c.less_equal),
        ("gt", c.greater),
        ("ge", c.greater_equal),
        ("eq", c.equal),
        ("ne", c.not_equal),
    ):
        table[f"__{name}__"] = _comparison(function)
    table["__divmod__"] = _binary(lambda a, b: (e.floor_divide(a, b), e.remainder(a, b)))
    table["__rdivmod__"] = _reflected(lambda a, b: (e.floor_divide(a, b), e.remainder(a, b)))
    table |= {
        "__matmul__": _matmul,
        "__rmatmul__": _rmatmul,
        "__rmul__": _rmul,
        "__neg__": e.negative,
        "__pos__": e.positive,
        "__abs__": e.absolute,
        "__invert__": _invert,
        "__getitem__": _getitem,
        "__setitem__": _setitem,
        "__bool__": _bool,
        "__index__": _index,
        "__int__": _to_int,
        "__float__": _to_float,
        "__complex__": _to_complex,
        "__len__": _len,
        "__iter__": _iter,
        "__contains__": _contains,
        "__repr__": _repr,
        "__round__": _round,
        "__format__": _format,
    }
    for name, method in table.items():
        setattr(TracedArray, name, method)


attach()
