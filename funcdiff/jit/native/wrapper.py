"""The builtin function around a compiled kernel: it checks, allocates, calls, and returns as NumPy would.

One function, compiled once per process, serves all kernels: what it is to check and to make stands in a table.
It has the signature of a METH_FASTCALL | METH_KEYWORDS function, and `wrapper_captures` says what its `self` holds.
Its code is written in parts: `wrapper_arguments`, `wrapper_captures`, `wrapper_results`, `wrapper_returns`. It is compiled in a
hurry at first, see `wrapper_counted`.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.jit.keeping import Kept
from funcdiff.jit.native import (
    layout,
    wrapper_arguments,
    wrapper_captures,
    wrapper_counted,
    wrapper_results,
    wrapper_returns,
)
from funcdiff.jit.native.engine import Library, engine
from funcdiff.jit.native.once import once
from funcdiff.jit.native.wrapper_arguments import HEAD, INPUT
from funcdiff.jit.native.wrapper_results import OUTPUT
from funcdiff.jit.native.wrapper_returns import LEAF, LIST, TUPLE
from funcdiff.jit.nesting import Nesting

RELEASE = 1 << 17  # operations from which other threads may run meanwhile
KEPT = 1 << 18  # bytes from which a result is kept, to be used again
SMALL = 1 << 12  # and up to which two are
_FLAGS = 0x80 | 0x02  # METH_FASTCALL | METH_KEYWORDS

# The table: the kernel's address, how many inputs and outputs, whether to release the interpreter's lock, how many
# steps of nesting there are, and where they begin; then the words of each input and output. Of an input these are
# its type, another one or the zero that it does without, its dtype, the number of its axes and where their lengths
# stand; of an output the dtype of what becomes a NumPy scalar or zero for an array, the number of axes, where
# their lengths stand, the dtype's number, how many results are kept, and the dtype.

_TEXT = """
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyArray_New(ptr, i32, ptr, i32, ptr, ptr, i32, i32, ptr)
declare ptr @PyArray_Scalar(ptr, ptr, ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyList_New(i64)
declare ptr @PyArray_DescrFromType(i32)
declare void @Py_DecRef(ptr)
declare void @Py_IncRef(ptr)
declare ptr @PyErr_NoMemory()
declare ptr @PyDict_GetItem(ptr, ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
@_Py_NoneStruct = external global i8
@PyArray_Type = external global i8
"""


@cache
def _text() -> str:
    parts = [
        _TEXT,
        wrapper_captures.TEXT,
        wrapper_results.TEXT,
        wrapper_arguments.BLOCKS,
        wrapper_results.BLOCKS,
    ]
    return "".join([*parts, wrapper_returns.RUN, wrapper_returns.NEST, wrapper_returns.LEAVE])


@once
def _quick_library() -> Library:
    symbols = {**layout.symbols(), wrapper_counted.IMPROVE: wrapper_counted.callback(_improve)}
    return engine().compile([(_text() + wrapper_counted.TEXT, 0)], symbols, [wrapper_counted.NAME])


@once
def _library() -> Library:
    return engine().compile([(_text(), 2)], layout.symbols(), ["call"])


def _improve() -> None:
    """Let the wrapper have better code from the next call on; the code that counts may still be running."""
    if not engine().lock.locked():  # which may be by this very call; another time, then
        _definition().function = _library().address("call")


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


@once
def _definition() -> _MethodDef:
    """Return what describes the wrapper to the interpreter; it outlives every builtin, as there is one for all."""
    entry = _quick_library().address(wrapper_counted.NAME)
    made = _MethodDef(b"compiled", entry, _FLAGS, b"A compiled program.")
    ctypes.pythonapi.Py_IncRef(
        ctypes.py_object(made)
    )  # builtins may be the last to go where the interpreter ends
    return made


def table(
    kernel: int,
    inputs: Sequence[ArrayType],
    outputs: Sequence[ArrayType],
    nesting: Nesting,
    work: int,
    floats: bool,
    arrays: Sequence[bool] = (),
) -> bytes:
    """Return what the wrapper is to do, for a kernel at some address.

    `work` is about how many operations the kernel takes; `floats` says that a Python float does as a float64;
    `arrays` tells which outputs are arrays though they have no axes.
    """
    steps = _steps(nesting)
    arrays = arrays or [False] * len(outputs)
    words = [kernel, len(inputs), len(outputs), int(work >= RELEASE), len(steps), 0]
    at = HEAD + INPUT * len(inputs) + OUTPUT * len(outputs)
    shapes: list[int] = []
    for shape, dtype in inputs:
        if shape:
            words += [id(np.ndarray), 0, id(dtype), len(shape), at + len(shapes)]
        else:
            other = id(float) if floats and dtype == np.float64 else id(dtype.type)
            words += [id(dtype.type), other, 0, 0, 0]
        shapes += shape
    for (shape, dtype), array in zip(outputs, arrays, strict=True):
        size = dtype.itemsize * math.prod(shape)
        keep = 1 if size >= KEPT else 2 if size <= SMALL else 0
        words += [
            0 if shape or array else id(dtype),
            len(shape),
            at + len(shapes),
            dtype.num,
            keep,
            id(np.dtype(dtype.str)),
        ]
        shapes += shape
    words[5] = at + len(shapes)
    return struct.pack(
        f"<{len(words) + len(shapes) + 2 * len(steps)}q", *words, *shapes, *(n for s in steps for n in s)
    )


def exchange(words: bytes, kernel: int) -> None:
    """Let all builtins that have a table call another kernel, from their next calls on."""
    ctypes.c_int64.from_address(id(words) + layout.BYTES).value = kernel  # nobody else has seen these bytes


def _steps(nesting: Nesting) -> list[tuple[int, int]]:
    """Return how to build nested containers with a stack: leaves are pushed, containers take their parts off it."""
    if isinstance(nesting, int):
        return [(LEAF, nesting)]
    kind, parts = nesting
    return [step for part in parts for step in _steps(part)] + [
        (TUPLE if kind == "tuple" else LIST, len(parts))
    ]


def builtin(
    library: Library, words: bytes, results: Kept, slow: Any, captured: Sequence[tuple[Any, ...]] = ()
) -> Any:
    """Return the builtin function; it keeps the machine code alive, and `results` to be used again."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    flat = [x for entry in captured for x in entry]
    return new(ctypes.addressof(_definition()), (slow, words, library, results, *flat), None)
