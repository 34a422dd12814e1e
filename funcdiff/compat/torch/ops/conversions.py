"""Copies, conversions of the data type, parts of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    astype,
    cast,
    composed,
    composite,
    constant,
    linear,
    method,
)
from funcdiff.compat.torch._dtypes import (
    FROM_NUMPY,
    as_numpy,
    bool_,
    check_device,
    complex64,
    complex128,
    device,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch._views import write
from funcdiff.compat.torch.ops.expansion import type_name
from funcdiff.compat.torch.ops.shapes import _ToCopy, clone, select


def _converted(input: Tensor, d: dtype) -> Any:
    if d.numpy.kind in "fc":
        return linear(_ToCopy, astype, input, {"dtype": d.numpy})
    return _to_integer(input, d)


def _to_integer(input: Tensor, d: dtype) -> Any:
    with np.errstate(invalid="ignore"):
        return constant(lambda x: cast(x, d.numpy), (input,))


@method
def to(input: Tensor, *args: Any, **kwargs: Any) -> Any:
    """As `Tensor.to`: another dtype; the device is always the CPU."""
    wanted = kwargs.get("dtype")
    check_device(kwargs.get("device"))
    copy = kwargs.get("copy", False)
    for a in args:
        if isinstance(a, dtype) or a in (float, int, bool, complex):
            wanted = a
        elif isinstance(a, Tensor):
            wanted = a.dtype
        elif isinstance(a, (device, str)):
            check_device(a)
    if wanted is None or as_numpy(wanted) == input.value.dtype:
        return clone(input) if copy else input
    return _converted(input, FROM_NUMPY[as_numpy(wanted)])


def _type(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """As `Tensor.type`: the name of the type, or a conversion."""
    if dtype is None:
        return type_name(input)
    if isinstance(dtype, str):
        dtype = next(d for d in FROM_NUMPY.values() if dtype == f"torch.{d.type_name}Tensor")
    return to(input, getattr(dtype, "dtype", dtype))


method(_type, "type")


@method
def type_as(input: Tensor, other: Tensor) -> Any:
    """As `Tensor.type_as`."""
    return to(input, other.dtype)


def _conversion(d: dtype, *names: str) -> None:
    method(lambda self, memory_format=None: to(self, d), *names)


_conversion(float32, "float")
_conversion(float64, "double")
_conversion(float16, "half")
_conversion(int64, "long")
_conversion(int32, "int")
_conversion(int16, "short")
_conversion(int8, "char")
_conversion(uint8, "byte")
_conversion(bool_, "bool")
_conversion(complex64, "cfloat")
_conversion(complex128, "cdouble")
method(lambda self, memory_format=None: self, "cpu")
method(lambda self, *a, **k: to(self, "cuda"), "cuda")


@method
def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Any:
    """As `Tensor.copy_`: take over the elements of another tensor."""
    src = src if isinstance(src, Tensor) else wrap(np.asarray(src, input.value.dtype))
    shape = input.value.shape

    def taken(old: Any, new: Any) -> Any:
        try:
            return fnp.broadcast_to(cast(new, old.dtype), shape) + 0
        except ValueError as error:
            from funcdiff.compat.torch._elementwise import shape_mismatch

            raise shape_mismatch(np.zeros(shape), np.zeros(new.shape), error) from None

    if not STATE.recording and builtin_is_plain(input, src):
        np.copyto(input.value, taken(input.value, src.value))
        input.version[0] += 1
        return input
    return write(input, lambda x, y: composite(_Copy, taken, (x, y)), (src,), {})


def builtin_is_plain(*tensors: Tensor) -> bool:
    """Tell whether no transform follows the tensors, and none was made in inference mode."""
    return all(isinstance(x.value, np.ndarray) and x.version.__class__ is list for x in tensors)


_Copy = composed("CopyBackwards")


def _property(name: str, part: str) -> Any:
    number = 0 if part == "real" else 1

    def read(input: Tensor) -> Any:
        if input.value.dtype.kind != "c":
            if part == "real":
                return input
            raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
        from funcdiff.compat.torch.ops.strided import view_as_real

        return select(view_as_real(input), -1, number)

    return property(read)


def real(input: Tensor) -> Any:
    """As `torch.real`."""
    return input.real


def imag(input: Tensor) -> Any:
    """As `torch.imag`."""
    return input.imag


Tensor.real = _property("real", "real")  # type: ignore[attr-defined]
Tensor.imag = _property("imag", "imag")  # type: ignore[attr-defined]
