"""Where CPython and NumPy keep what the generated wrapper reads, and a test that they do."""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import Any

import numpy as np

from funcdiff.jit.native.engine import Unavailable, runtime

# offsets in bytes, of CPython's objects
TYPE = 8  # of every object
CONTENT = 16  # of a float, of a NumPy scalar of up to 8 bytes, of a cell; the length of a tuple
ITEMS = 24  # of a tuple; of a list, where they are
BYTES = 32  # the content of a bytes object
# of an ndarray
DATA = 16
AXES = 24
SHAPE = 32
STRIDES = 40
DESCRIPTOR = 56
FLAGS = 64
WEAK = 72

CONTIGUOUS = 0x0001
ALIGNED = 0x0100
OWN = CONTIGUOUS | 0x0004 | ALIGNED | 0x0400  # of an array that has its own memory, and may be written to

_API = {"PyArray_Type": 2, "PyArray_DescrFromType": 45, "PyArray_Scalar": 60, "PyArray_New": 93}
_PYTHON = (
    "PyDict_GetItem",
    "PyErr_NoMemory",
    "PyEval_RestoreThread",
    "PyEval_SaveThread",
    "PyList_New",
    "PyObject_Vectorcall",
    "PyTuple_New",
    "Py_DecRef",
    "Py_IncRef",
    "_Py_NoneStruct",
)


@cache
def symbols() -> dict[str, int]:
    """Return the addresses of what the wrapper calls and compares with."""
    _check()
    found = {
        name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in _PYTHON
    }
    table = _api_table()
    found |= {name: int(table[number] or 0) for name, number in _API.items()}
    found |= {"memcmp": runtime("memcmp") or 0, "PyList_Type": id(list)}
    if not all(found.values()):
        raise Unavailable("this interpreter does not export what the compiled code calls")
    if found["PyArray_Type"] != id(np.ndarray):
        raise Unavailable("NumPy's interface is not the one that is known")
    return found


def _api_table() -> Any:
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = get(_multiarray_umath._ARRAY_API, None)
    return ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))


def _check() -> None:
    """Compare the fields of objects with what Python says of them."""

    def word(x: Any, offset: int, kind: Any = ctypes.c_uint64) -> Any:
        return kind.from_address(id(x) + offset).value

    cell = (lambda x: lambda: x)("content").__closure__[0]  # type: ignore[index]
    items, listed, text = ("a", "b"), ["c"], b"xyz"
    same = [
        (word(items, TYPE), id(tuple)),
        (word(items, CONTENT), 2),
        (word(items, ITEMS + 8), id(items[1])),
        (ctypes.c_uint64.from_address(word(listed, ITEMS)).value, id(listed[0])),
        (word(listed, CONTENT), 1),
        (ctypes.string_at(id(text) + BYTES, 3), text),
        (word(cell, CONTENT), id(cell.cell_contents)),
        (word(2.5, CONTENT, ctypes.c_double), 2.5),
        (word(np.float64(2.5), CONTENT, ctypes.c_double), 2.5),
        (word(np.float32(2.5), CONTENT, ctypes.c_float), 2.5),
        (word(np.int64(-5), CONTENT, ctypes.c_int64), -5),
        (word(np.bool_(True), CONTENT, ctypes.c_uint8), 1),
    ]
    for x in (np.zeros((3, 5)), np.zeros((2, 3, 4), np.float32)[::2], np.zeros(7, np.int64)[1:]):
        flags = word(x, FLAGS, ctypes.c_int)
        before, count = word(x, WEAK), word(x, 0, ctypes.c_uint32)
        references = [x] * 7
        reference = weakref.ref(x)
        same += [
            (before, 0),
            (word(x, WEAK), id(reference)),
            (word(x, 0, ctypes.c_uint32) - count, len(references)),
            (
                flags & OWN == OWN,
                x.flags.c_contiguous and x.flags.owndata and x.flags.writeable and x.flags.aligned,
            ),
            (word(x, TYPE), id(np.ndarray)),
            (word(x, DATA), x.__array_interface__["data"][0]),
            (word(x, AXES, ctypes.c_int), x.ndim),
            (word(x, DESCRIPTOR), id(x.dtype)),
            (bool(flags & CONTIGUOUS), x.flags.c_contiguous),
            (bool(flags & ALIGNED), x.flags.aligned),
        ]
        shape = (ctypes.c_int64 * x.ndim).from_address(word(x, SHAPE))
        strides = (ctypes.c_int64 * x.ndim).from_address(word(x, STRIDES))
        same += [(tuple(shape), x.shape), (tuple(strides), x.strides)]
    if any(a != b for a, b in same):
        raise Unavailable("objects of this interpreter, or of NumPy, are not laid out as is known")
