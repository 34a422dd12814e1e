"""Making sparse arrays: SciPy's own of plain elements, `SparseArray` of traced ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from funcdiff import errors
from funcdiff.numpy._arguments import as_array
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives.shape import reshape
from funcdiff.primitives.sparse_patterns import Pattern
from funcdiff.scipy.sparse.arrays import SparseArray, elements_of, joined


def is_traced(x: Any) -> bool:
    """Tell whether an argument is, or holds, something traced or a sparse array of traced elements."""
    if isinstance(x, (list, tuple)):
        return any(is_traced(item) for item in x)
    return isinstance(x, SparseArray) or has_traced(x)


def _refuse(name: str, what: str, remedy: str) -> errors.UnsupportedError:
    return errors.UnsupportedError(errors.at_user_line(f"scipy.sparse.{name} does not take {what}. {remedy}"))


def _of_kind(name: str, original: Any) -> Callable[..., Any]:
    """Return the constructor of a format."""
    format = name[:3]

    def construct(
        arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False, *, maxprint: Any = None
    ) -> Any:
        if not is_traced(arg1):
            return original(arg1, shape=shape, dtype=dtype, copy=copy)
        if isinstance(arg1, SparseArray):
            found = arg1.asformat(format)
        elif not (isinstance(arg1, tuple) and len(arg1) in (2, 3)):
            raise _refuse(
                name, "a traced dense array", "Give its elements and their places, (data, (row, column))."
            )
        else:
            found = _from_parts(name, format, arg1, shape)
        return found if dtype is None else found.astype(dtype)

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = (
        f"As `scipy.sparse.{name}`; the elements may be traced, in the forms (data, (row, column)) or "
        + ("(data, indices, indptr)." if format != "coo" else "an array of `fd.scipy.sparse`.")
    )
    return construct


def _from_parts(name: str, format: str, parts: Any, shape: Any) -> SparseArray:
    if len(parts) == 2:
        data, (rows, columns) = parts
        rows, columns = np.asarray(rows), np.asarray(columns)
    else:
        if format == "coo":
            raise _refuse(name, "(data, indices, indptr)", "Give (data, (row, column)).")
        data, indices, starts = parts
        major = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        minor = np.asarray(indices)
        rows, columns = (major, minor) if format == "csr" else (minor, major)
        if shape is None:
            across = int(minor.max(initial=-1)) + 1
            shape = (len(starts) - 1, across) if format == "csr" else (across, len(starts) - 1)
    data = as_array(data)
    if len(data.shape) != 1 or not data.shape[0] == len(rows) == len(columns):
        raise ValueError("row, column, and data arrays must have the same length")
    if shape is None:
        shape = (int(rows.max(initial=-1)) + 1, int(columns.max(initial=-1)) + 1)
    if len(rows) and (
        rows.max() >= shape[0] or columns.max() >= shape[1] or min(rows.min(), columns.min()) < 0
    ):
        raise ValueError(f"a place lies outside of shape {tuple(shape)}")
    pattern = Pattern(rows, columns, shape)
    if len(parts) == 3:
        return SparseArray(data, pattern, format)
    return SparseArray(data, pattern, "coo").asformat(format)


csr_array = _of_kind("csr_array", sp.csr_array)
csc_array = _of_kind("csc_array", sp.csc_array)
coo_array = _of_kind("coo_array", sp.coo_array)
csr_matrix = _of_kind("csr_matrix", sp.csr_matrix)
csc_matrix = _of_kind("csc_matrix", sp.csc_matrix)
coo_matrix = _of_kind("coo_matrix", sp.coo_matrix)


def diags_array(
    diagonals: Any, /, *, offsets: Any = 0, shape: Any = None, format: str | None = None, dtype: Any = None
) -> Any:
    """As `scipy.sparse.diags_array`; the diagonals may be traced."""
    if not is_traced(diagonals):
        return sp.diags_array(diagonals, offsets=offsets, shape=shape, format=format, dtype=dtype)
    if np.ndim(offsets) == 0:
        if not (isinstance(diagonals, (list, tuple)) and np.shape(diagonals[0])):
            diagonals = [diagonals]
        offsets = [offsets]
    diagonals = [as_array(d) for d in diagonals]
    diagonals = [d if d.shape else reshape(d, shape=(1,)) for d in diagonals]
    offsets = [int(k) for k in offsets]
    if len(diagonals) != len(offsets):
        raise ValueError("Different number of diagonals and offsets.")
    if shape is None:
        shape = (diagonals[0].shape[0] + abs(offsets[0]),) * 2
    parts = []
    for d, k in zip(diagonals, offsets, strict=True):
        length = min(shape[0] + min(k, 0), shape[1] - max(k, 0))
        if length < 0:
            raise ValueError(f"Offset {k} (index out of bounds)")
        if d.shape[0] not in (1, length):
            raise ValueError(f"Diagonal length {d.shape[0]} at offset {k} does not agree with shape {shape}.")
        place = np.arange(length)
        parts.append(
            (
                d if d.shape[0] == length else d * np.ones(length, d.dtype),
                place - min(k, 0),
                place + max(k, 0),
            )
        )
    out = joined(parts, tuple(shape), format if format in ("csr", "csc") else "coo")
    return out if dtype is None else out.astype(dtype)


def diags(
    diagonals: Any, offsets: Any = 0, shape: Any = None, format: str | None = None, dtype: Any = None
) -> Any:
    """As `scipy.sparse.diags`; the diagonals may be traced."""
    if not is_traced(diagonals):
        return sp.diags(diagonals, offsets, shape, format, dtype)
    return diags_array(diagonals, offsets=offsets, shape=shape, format=format, dtype=dtype)


def _moved(block: Any, down: int, right: int) -> tuple[Any, Any, Any]:
    data, pattern = elements_of(block)
    return data, pattern.rows + down, pattern.columns + right


def _format(format: str | None) -> str:
    return format if format in ("csr", "csc") else "coo"


def _stacked(original: Any, name: str, across: int) -> Callable[..., Any]:
    def stack(blocks: Any, format: str | None = None, dtype: Any = None) -> Any:
        if not is_traced(blocks):
            return original(blocks, format=format, dtype=dtype)
        if len({b.shape[1 - across] for b in blocks}) > 1:
            raise ValueError(f"{name}: blocks have incompatible shapes {[b.shape for b in blocks]}")
        starts = np.cumsum([0, *(b.shape[across] for b in blocks)])
        parts = [
            _moved(b, *((n, 0) if across == 0 else (0, n))) for b, n in zip(blocks, starts[:-1], strict=True)
        ]
        other = blocks[0].shape[1 - across]
        shape = (int(starts[-1]), other) if across == 0 else (other, int(starts[-1]))
        out = joined(parts, shape, _format(format))
        return out if dtype is None else out.astype(dtype)

    stack.__name__ = stack.__qualname__ = name
    stack.__doc__ = f"As `scipy.sparse.{name}`; blocks may have traced elements."
    return stack


vstack = _stacked(sp.vstack, "vstack", 0)
hstack = _stacked(sp.hstack, "hstack", 1)


def block_diag(mats: Any, format: str | None = None, dtype: Any = None) -> Any:
    """As `scipy.sparse.block_diag`; blocks are sparse, and may have traced elements."""
    if not is_traced(mats):
        return sp.block_diag(mats, format=format, dtype=dtype)
    parts, down, right = [], 0, 0
    for block in mats:
        if has_traced(block):
            raise _refuse("block_diag", "traced dense blocks", "Use fd.scipy.linalg.block_diag.")
        block = block if isinstance(block, SparseArray) else sp.coo_array(np.atleast_2d(block))
        parts.append(_moved(block, down, right))
        down, right = down + block.shape[0], right + block.shape[1]
    out = joined(parts, (down, right), _format(format))
    return out if dtype is None else out.astype(dtype)


def kron(A: Any, B: Any, format: str | None = None) -> Any:
    """As `scipy.sparse.kron`; either factor may have traced elements."""
    if not (is_traced(A) or is_traced(B)):
        return sp.kron(A, B, format=format)
    (a, pa), (b, pb) = (elements_of(x if isinstance(x, SparseArray) else sp.coo_array(x)) for x in (A, B))
    m, n = B.shape
    data = reshape(a[:, None] * b[None, :], shape=(pa.size * pb.size,))
    rows = (pa.rows[:, None] * m + pb.rows).ravel()
    columns = (pa.columns[:, None] * n + pb.columns).ravel()
    shape = (pa.shape[0] * m, pa.shape[1] * n)
    return SparseArray(data, Pattern(rows, columns, shape), "coo").asformat(_format(format))


__all__ = [
    "block_diag",
    "coo_array",
    "coo_matrix",
    "csc_array",
    "csc_matrix",
    "csr_array",
    "csr_matrix",
    "diags",
    "diags_array",
    "hstack",
    "kron",
    "vstack",
]
