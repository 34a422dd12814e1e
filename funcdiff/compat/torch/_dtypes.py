"""Data types, sizes and devices, under PyTorch's names and printed as PyTorch prints them."""

from __future__ import annotations

import math
from typing import Any, Self, SupportsIndex, overload

import numpy as np

from funcdiff import errors

FROM_NUMPY: dict[Any, dtype] = {}
"""The data type of each NumPy data type."""


class dtype:
    """A data type: `torch.float32` and its relatives."""

    __module__ = "torch"
    __slots__ = ("is_complex", "is_floating_point", "itemsize", "name", "numpy", "type_name")

    def __init__(self, name: str, numpy: Any, type_name: str) -> None:
        self.name = name
        self.numpy = np.dtype(numpy)
        self.type_name = type_name  # as in torch.FloatTensor
        self.is_floating_point = self.numpy.kind == "f"
        self.is_complex = self.numpy.kind == "c"
        self.itemsize = self.numpy.itemsize
        FROM_NUMPY[self.numpy] = self

    @property
    def is_signed(self) -> bool:
        """Tell whether the type has negative numbers."""
        return self.numpy.kind in "ifc"

    def to_real(self) -> dtype:
        """Return the type of the real part."""
        return FROM_NUMPY[np.empty(0, self.numpy).real.dtype] if self.is_complex else self

    def to_complex(self) -> dtype:
        """Return the complex type with this precision."""
        return self if self.is_complex else FROM_NUMPY[np.result_type(self.numpy, np.complex64)]

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.name,)


def _named(name: str) -> dtype:
    return next(d for d in FROM_NUMPY.values() if d.name == name)


float16 = half = dtype("float16", np.float16, "Half")
float32 = float_ = dtype("float32", np.float32, "Float")
float64 = double = dtype("float64", np.float64, "Double")
complex64 = cfloat = dtype("complex64", np.complex64, "ComplexFloat")
complex128 = cdouble = dtype("complex128", np.complex128, "ComplexDouble")
uint8 = dtype("uint8", np.uint8, "Byte")
uint16 = dtype("uint16", np.uint16, "UInt16")
uint32 = dtype("uint32", np.uint32, "UInt32")
uint64 = dtype("uint64", np.uint64, "UInt64")
int8 = dtype("int8", np.int8, "Char")
int16 = short = dtype("int16", np.int16, "Short")
int32 = int_ = dtype("int32", np.int32, "Int")
int64 = long = dtype("int64", np.int64, "Long")
bool_ = dtype("bool", np.bool_, "Bool")

FLOAT32 = float32.numpy
INT64 = int64.numpy
BOOL = bool_.numpy


class Default:
    """The data type of Python floats, as NumPy's dtypes."""

    real: np.dtype[Any] = FLOAT32
    complex: np.dtype[Any] = complex64.numpy


def set_default_dtype(d: dtype) -> None:
    """Set the data type that Python floats become."""
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    Default.real = d.numpy
    Default.complex = d.to_complex().numpy


def get_default_dtype() -> dtype:
    """Return the data type that Python floats become."""
    return FROM_NUMPY[Default.real]


def as_numpy(d: Any) -> Any:
    """Return the NumPy data type of `torch.float32`, `float`, `int`, `bool` or `complex`."""
    if isinstance(d, dtype):
        return d.numpy
    if d is float:
        return float64.numpy
    if d is int:
        return INT64
    if d is bool:
        return BOOL
    if d is complex:
        return complex128.numpy
    raise TypeError(f"dtype must be a torch.dtype, not {type(d).__name__}")


class finfo:
    """Limits of a floating-point type."""

    def __init__(self, type: dtype | None = None) -> None:
        self.dtype = (type or get_default_dtype()).to_real().name
        info = np.finfo(self.dtype)
        self.bits = info.bits
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = float(info.resolution)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.tiny:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer type."""

    def __init__(self, type: dtype) -> None:
        info = np.iinfo(type.numpy)
        self.dtype, self.bits, self.max, self.min = type.name, info.bits, int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


class Size(tuple[int, ...]):
    """The shape of a tensor."""

    __slots__ = ()
    __module__ = "torch"

    def __reduce__(self) -> Any:
        return _size, (tuple(self),)

    def numel(self) -> int:
        """Return the number of elements."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Size: ...
    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, other))


def _size(lengths: Any) -> Size:
    return Size(lengths)


class device:
    """Where a tensor lies: always the CPU."""

    __module__ = "torch"
    __slots__ = ("index", "type")

    def __reduce__(self) -> Any:
        return _device, (str(self),)

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        name, colon, number = str(type).partition(":")
        self.type: str = name
        self.index: int | None = int(number) if colon else index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> Self:
        check_device(self)
        return self

    def __exit__(self, *_: object) -> None: ...


def _device(name: str) -> device:
    return device(name)


CPU = device("cpu")


def check_device(where: Any) -> None:
    """Refuse every device but the CPU."""
    if where is not None and device(where).type != "cpu":
        raise errors.UnsupportedError(
            f"funcdiff.compat.torch computes on the CPU only, and device {str(device(where))!r} was asked for. Use "
            'device="cpu", or choose it by torch.cuda.is_available(), which is False here.'
        )


class layout:
    """How the elements of a tensor lie in memory."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


strided = layout("strided")


class memory_format:
    """The order of the axes in memory."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
