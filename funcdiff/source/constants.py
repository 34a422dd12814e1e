"""Constants as source: exact to the last bit, and as short as a person would write them."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.source.expression import SIGN, Expression, call

WRITTEN_OUT = 1000  # elements up to which an array is written as numbers
_PLAIN_DTYPES = {np.dtype(t) for t in (bool, np.int64, np.float64, np.complex128)}
UNPACK = '''\
def unpacked(text, dtype, shape):
    """The array whose bytes were compressed into text."""
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), dtype).reshape(shape)
'''


def number(value: Any) -> Expression:
    """Write a number, in the dtype that it has."""
    if type(value) in (bool, int):
        return Expression(repr(value), SIGN if value < 0 else 9)
    if type(value) is float:
        return _real(value)
    if type(value) is complex:
        return _complex(value)
    return call(dtype_name(value.dtype), _element(value))


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Write a dtype."""
    return "bool" if dtype.kind == "b" else f"np.{dtype.type.__name__}"


def _real(value: float) -> Expression:
    if np.isfinite(value):
        return Expression(repr(value), SIGN if np.signbit(value) else 9)
    if np.isnan(value):
        return Expression("np.nan")
    return Expression("np.inf") if value > 0 else Expression("-np.inf", SIGN)


def _complex(value: complex) -> Expression:
    if np.isfinite(value) and not np.signbit(value.real) and not np.signbit(value.imag):
        return Expression(repr(value))
    return call("complex", _real(value.real), _real(value.imag))


def _element(value: Any) -> Expression:
    """Write an element of an array, so that it comes back when it is converted to the array's dtype."""
    if value.dtype.kind in "bi":
        return number(value.item())
    if value.dtype.kind == "u":
        return Expression(repr(int(value)))
    if value.dtype in (np.longdouble, np.clongdouble):
        return Expression(repr(str(value)))  # read as text, since a float would be rounded
    if value.dtype.kind == "c":
        return _complex(complex(_shortest(value.real), _shortest(value.imag)))
    return _real(_shortest(value))


def _shortest(value: Any) -> float:
    """Return the number whose digits are the fewest that give this value in its own precision."""
    return float(str(value)) if np.isfinite(value) else float(value)


def array(value: np.ndarray[Any, Any]) -> str:
    """Write an array."""
    if value.dtype.hasobject or value.dtype.names:
        raise errors.UnsupportedError(f"a constant of dtype {value.dtype} has no source")
    shape, dtype = value.shape, value.dtype
    size = str(shape[0]) if len(shape) == 1 else repr(shape)
    kind = "" if dtype == np.float64 else f", dtype={dtype_name(dtype)}"
    if value.size and dtype.kind in "biuf":
        if not value.any() and not _has_minus(value):
            return f"np.zeros({size}{kind})"
        if (value == 1).all():
            return f"np.ones({size}{kind})"
        if shape and value.size > 3 and (value == value.flat[0]).all() and value.flat[0] != 0:
            return f"np.full({size}, {_element(value.flat[0]).text}{kind})"
        square = len(shape) == 2 and shape[0] == shape[1]
        if square and np.array_equal(value, np.eye(shape[0])) and not _has_minus(value):
            return f"np.eye({shape[0]}{kind})"
        if dtype == np.int64 and len(shape) == 1 and np.array_equal(value, np.arange(value.size)):
            return f"np.arange({value.size})"
    if value.size == 0:
        return f"np.zeros({size}{kind})"
    if value.size > WRITTEN_OUT:
        text = base64.b85encode(zlib.compress(np.ascontiguousarray(value).tobytes())).decode()
        return f"unpacked({text!r}, {dtype.str!r}, {shape!r})"
    kind = "" if dtype in _PLAIN_DTYPES else f", dtype={dtype_name(dtype)}"
    return f"np.array({_nested(value)}{kind})"


def _has_minus(value: Any) -> bool:
    return value.dtype.kind == "f" and bool(np.signbit(value).any())


def _nested(value: Any) -> str:
    if value.ndim == 0:
        return _element(value[()]).text
    return f"[{', '.join(map(_nested, value))}]"


def setting(value: Any) -> str:
    """Write a static setting of a primitive."""
    if value is None or value is Ellipsis or isinstance(value, (bool, str)):
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, (int, float, complex)) and not isinstance(value, np.generic):
        return number(value).text
    if isinstance(value, (np.dtype, type)):
        return dtype_name(np.dtype(value))
    if isinstance(value, np.generic):
        return number(value).text
    if isinstance(value, np.ndarray):
        return array(value)
    if isinstance(value, slice):
        parts = [None if p is None else setting(p) for p in (value.start, value.stop, value.step)]
        return f"slice({', '.join(p or 'None' for p in parts)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(setting, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(setting, value))}]"
    if type(value).__module__.startswith("scipy.sparse") and hasattr(value, "tocsr"):
        return sparse(value)
    raise errors.UnsupportedError(
        f"to_source: a step is set up with a {type(value).__name__}, which has no source. Leave it out of the traced function."
    )


def sparse(matrix: Any) -> str:
    """Write a sparse matrix by its rows."""
    rows = matrix.tocsr()
    parts = ", ".join(map(array, (rows.data, rows.indices, rows.indptr)))
    return f"scipy.sparse.csr_array(({parts}), shape={rows.shape})"


def index(value: Any) -> str:
    """Write what stands between the brackets of an index."""
    if isinstance(value, tuple):
        if not value:
            return "()"
        return ", ".join(map(_part, value)) + ("," if len(value) == 1 else "")
    return _part(value)


def _part(value: Any) -> str:
    if isinstance(value, slice):
        start, stop = ("" if p is None else setting(p) for p in (value.start, value.stop))
        return f"{start}:{stop}" + ("" if value.step is None else f":{setting(value.step)}")
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.int64 and 0 < value.size <= 12:
        return setting(value.tolist())
    if isinstance(value, np.integer):
        return repr(int(value))
    return setting(value)
