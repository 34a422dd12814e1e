"""Sparse arrays whose elements are traced: a pattern, which is plain, and a vector of elements."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import scipy.sparse as sp

from funcdiff import errors
from funcdiff.core.recording import TracedArray, concrete
from funcdiff.core.trees import register_pytree_node
from funcdiff.numpy._arguments import as_array, axis_of
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives.indexing import getitem, index_add
from funcdiff.primitives.product import column, conjugate, swap_last
from funcdiff.primitives.shape import concatenate, reshape
from funcdiff.primitives.sparse_patterns import Pattern, pattern_of, pattern_product

DENSE = "Turn it into a dense array by .toarray(), or work on its elements, .data."


class SparseArray:
    """A sparse array with traced elements; made by `csr_array`, `csc_array`, `coo_array` and their kin.

    It multiplies sparse and dense arrays and vectors from both sides, and numbers; it is added, transposed, scaled,
    summed, indexed by rows and columns, and solved with by the functions of `fd.scipy.sparse.linalg`.  Derivatives are with respect to the stored
    elements.  Functions may take and return it: its elements are its only leaf.
    """

    __array_ufunc__ = None  # so that an ndarray on the left leaves the operation to this class
    __array_priority__ = 1001.0
    ndim = 2

    def __init__(self, data: Any, pattern: Pattern, format: str = "coo") -> None:
        self.data = data
        self.pattern = pattern
        self.format = format

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the array."""
        return self.pattern.shape

    @property
    def dtype(self) -> Any:
        """Data type of the elements."""
        return self.data.dtype

    @property
    def nnz(self) -> int:
        """Number of stored elements."""
        return self.pattern.size

    @property
    def size(self) -> int:
        """Number of stored elements, as SciPy has it."""
        return self.pattern.size

    @property
    def coords(self) -> tuple[Any, Any]:
        """Rows and columns of the elements, in the order of `data`."""
        return self.pattern.rows, self.pattern.columns

    def __repr__(self) -> str:
        return f"<traced sparse array of dtype {self.dtype}, {self.nnz} stored elements, shape {self.shape}>"

    def _with(self, data: Any) -> SparseArray:
        return SparseArray(data, self.pattern, self.format)

    # --- products ---------------------------------------------------------------------------------------

    def _times(self, x: Any) -> Any:
        x = as_array(x)
        if len(x.shape) not in (1, 2) or x.shape[0] != self.shape[1]:
            raise ValueError(f"matmul: dimension mismatch of shapes {self.shape} and {x.shape}")
        if len(x.shape) == 1:
            out = pattern_product(self.data, column(x), pattern=self.pattern)
            return reshape(out, shape=out.shape[:-1])
        return pattern_product(self.data, x, pattern=self.pattern)

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, SparseArray) or sp.issparse(other):
            return _structure().product(self, other)
        return self._times(other)

    def __rmatmul__(self, other: Any) -> Any:
        if sp.issparse(other):
            return _structure().product(other, self)
        x = as_array(other)
        return self.T._times(x) if len(x.shape) == 1 else swap_last(self.T._times(swap_last(x)))

    def dot(self, other: Any) -> Any:
        """Product with a sparse or dense array or vector, or a number."""
        sparse = isinstance(other, SparseArray) or sp.issparse(other)
        return self @ other if sparse or np.shape(_value(other)) else self * other

    # --- elementwise --------------------------------------------------------------------------------------

    def __mul__(self, other: Any) -> Any:
        return self.multiply(other)

    def __rmul__(self, other: Any) -> Any:
        return _structure().product(other, self) if isinstance(other, sp.spmatrix) else self.multiply(other)

    def multiply(self, other: Any) -> SparseArray:
        """Product of the elements with those of a sparse array, or a dense one that broadcasts, or with a number."""
        if isinstance(other, SparseArray) or sp.issparse(other):
            return _structure().elementwise(self, other)  # type: ignore[no-any-return]
        other = as_array(other)
        if other.shape:
            if len(other.shape) > 2 or np.broadcast_shapes(self.shape, other.shape) != self.shape:
                raise ValueError(f"inconsistent shapes {self.shape} and {other.shape}")
            rank = len(other.shape)
            index = tuple(
                places if n > 1 else np.zeros_like(places)
                for places, n in zip(self.coords[2 - rank :], other.shape, strict=True)
            )
            other = getitem(other, index=index)
        return self._with(self.data * other)

    def __truediv__(self, other: Any) -> SparseArray:
        return self.multiply(1 / as_array(other))

    def __neg__(self) -> SparseArray:
        return self._with(-self.data)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, SparseArray) or sp.issparse(other):
            return _added(self, other)
        if not np.shape(_value(other)) and not np.any(_value(other)) and not has_traced(other):
            return self
        if not np.shape(_value(other)):
            raise _unsupported("the sum of a sparse array and a number", DENSE)
        return self.toarray() + other

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def power(self, n: Any) -> SparseArray:
        """Power of each stored element."""
        return self._with(self.data**n)

    __pow__ = power

    def _compared(self, other: Any) -> Any:
        raise _unsupported("the comparison of sparse arrays", "Compare the dense arrays, .toarray().")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compared
    __hash__ = object.__hash__

    # --- forms ----------------------------------------------------------------------------------------------

    @property
    def T(self) -> SparseArray:
        """The transposed array."""
        turned = {"csr": "csc", "csc": "csr"}.get(self.format, self.format)
        return SparseArray(self.data, self.pattern.T, turned)

    def transpose(self, axes: Any = None, copy: bool = False) -> SparseArray:
        """Return the transposed array."""
        del copy
        return self if axes is not None and tuple(axes) == (0, 1) else self.T

    def conj(self) -> SparseArray:
        """Return the array with conjugated elements."""
        return self._with(conjugate(self.data))

    conjugate = conj

    @property
    def real(self) -> SparseArray:
        """The real part."""
        return self._with(np.real(self.data))

    @property
    def imag(self) -> SparseArray:
        """The imaginary part."""
        return self._with(np.imag(self.data))

    def astype(self, dtype: Any) -> SparseArray:
        """Convert the elements."""
        return self._with(self.data.astype(dtype))

    def copy(self) -> SparseArray:
        """Return an array of its own elements."""
        return self._with(self.data.copy())

    def toarray(self) -> Any:
        """Return the dense array."""
        flat = self.pattern.rows * self.shape[1] + self.pattern.columns
        size = self.shape[0] * self.shape[1]
        return reshape(index_add(self.data, shape=(size,), index=(flat,)), shape=self.shape)

    todense = toarray

    def _ordered(self, order: Any, format: str) -> SparseArray:
        pattern = Pattern(self.pattern.rows[order], self.pattern.columns[order], self.shape)
        return SparseArray(getitem(self.data, index=(order,)), pattern, format)

    def tocsr(self) -> SparseArray:
        """Return the array with its elements row by row."""
        return self if self.format == "csr" else self._ordered(np.lexsort(self.coords[::-1]), "csr")

    def tocsc(self) -> SparseArray:
        """Return the array with its elements column by column."""
        return self if self.format == "csc" else self._ordered(np.lexsort(self.coords), "csc")

    def tocoo(self) -> SparseArray:
        """Return the array as one of coordinates."""
        return SparseArray(self.data, self.pattern, "coo")

    def asformat(self, format: str | None) -> SparseArray:
        """Return the array in one of the formats 'csr', 'csc' and 'coo'."""
        if format is None:
            return self
        if format not in ("csr", "csc", "coo"):
            raise _unsupported(f"the format {format!r}", "Formats are 'csr', 'csc' and 'coo'.")
        return {"csr": self.tocsr, "csc": self.tocsc, "coo": self.tocoo}[format]()

    # --- reductions -----------------------------------------------------------------------------------------

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Sum of the elements, or sums along an axis as a vector."""
        if dtype is not None or out is not None:
            raise _unsupported("dtype= and out= of a sum", "Leave them out.")
        if axis is None:
            return np.sum(self.data)
        places, n = (self.pattern.columns, self.shape[1]), (self.pattern.rows, self.shape[0])
        where, length = places if axis_of(axis, 2) == 0 else n
        return index_add(self.data, shape=(length,), index=(where,))

    def mean(self, axis: Any = None) -> Any:
        """Mean of all elements, zeros included."""
        count = self.shape[0] * self.shape[1] if axis is None else self.shape[axis_of(axis, 2)]
        return self.sum(axis) / count

    def diagonal(self, k: int = 0) -> Any:
        """Elements of a diagonal."""
        length = max(0, min(self.shape[0] + min(k, 0), self.shape[1] - max(k, 0)))
        chosen = np.flatnonzero(self.pattern.columns - self.pattern.rows == k)
        where = self.pattern.rows[chosen] + min(k, 0)
        return index_add(getitem(self.data, index=(chosen,)), shape=(length,), index=(where,))

    def trace(self, offset: int = 0) -> Any:
        """Sum of a diagonal."""
        return np.sum(self.diagonal(offset))

    def __getitem__(self, index: Any) -> Any:
        return _structure().part(self, index)

    def __setitem__(self, index: Any, value: Any) -> Any:
        raise _unsupported("writing into a sparse array", "Make the array of its elements anew.")

    def __len__(self) -> int:
        raise TypeError("sparse array length is ambiguous; use shape[0]")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").startswith("scipy.sparse"):
            whole = np.empty((), object)  # which it cannot read, so that it leaves ``A @ B`` to this class
            whole[()] = self
            return whole
        raise _unsupported("the conversion of a sparse array", DENSE)


def _structure() -> Any:
    """Return the module of products and parts, which builds on this one."""
    from funcdiff.scipy.sparse import structure

    return structure


def _unsupported(what: str, remedy: str) -> errors.UnsupportedError:
    return errors.UnsupportedError(
        errors.at_user_line(f"{what} is not supported for traced elements. {remedy}")
    )


def _value(x: Any) -> Any:
    return concrete(x) if type(x) is TracedArray else x


def elements_of(matrix: Any) -> tuple[Any, Pattern]:
    """Return the elements and the pattern of a sparse array, traced or SciPy's."""
    if isinstance(matrix, SparseArray):
        return matrix.data, matrix.pattern
    pattern, data = pattern_of(matrix)
    return data if data.dtype.kind in "fc" else data.astype(np.float64), pattern


def joined(parts: Any, shape: tuple[int, int], format: str) -> SparseArray:
    """Return the sum of arrays given as elements, rows and columns."""
    data = [part[0] for part in parts]
    dtype = np.result_type(*(x.dtype for x in data))
    values = concatenate(*[x if x.dtype == dtype else x.astype(dtype) for x in data], axis=0)
    rows, columns = (np.concatenate([part[n] for part in parts]) for n in (1, 2))
    out = SparseArray(values, Pattern(rows, columns, shape), "coo")
    return out.asformat(format)


def _added(a: Any, b: Any) -> SparseArray:
    if a.shape != b.shape:
        raise ValueError(f"inconsistent shapes {a.shape} and {b.shape}")
    parts = [(data, pattern.rows, pattern.columns) for data, pattern in (elements_of(a), elements_of(b))]
    return joined(parts, a.shape, "csr")


register_pytree_node(
    SparseArray,
    lambda a: ((a.data,), (a.pattern, a.format)),
    lambda aux, children: SparseArray(next(iter(children)), *aux),
)
