"""Linear operators that are applied to traced arrays, or compute with traced values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as ssl

from funcdiff import errors
from funcdiff.numpy._arguments import as_array
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives.product import conjugate, swap_last
from funcdiff.scipy.sparse.arrays import SparseArray

Map = Callable[[Any], Any]


class LinearOperator(ssl.LinearOperator):  # type: ignore[misc]
    """As `scipy.sparse.linalg.LinearOperator`; its functions may take traced vectors and hold traced values."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an operator of this class, whatever SciPy would choose."""
        del args, kwargs
        return object.__new__(cls)

    def __init__(
        self,
        shape: tuple[int, int],
        matvec: Map,
        rmatvec: Map | None = None,
        matmat: Map | None = None,
        dtype: Any = None,
        rmatmat: Map | None = None,
    ) -> None:
        if dtype is None:
            dtype = as_array(matvec(np.zeros(shape[1]))).dtype
        super().__init__(np.dtype(dtype), tuple(shape))
        self.args = ()
        self._maps = {"matvec": matvec, "rmatvec": rmatvec, "matmat": matmat, "rmatmat": rmatmat}

    def _call(self, name: str, x: Any) -> Any:
        function = self._maps[name]
        if function is None:
            raise NotImplementedError(f"{name} is not defined")
        return function(x)

    def _columns(self, name: str, x: Any) -> Any:
        """Apply to each column."""
        return np.stack([as_array(self._call(name, x[:, n])) for n in range(x.shape[1])], axis=1)

    def matvec(self, x: Any) -> Any:
        """Product with a vector."""
        return self._vector("matvec", x, self.shape)

    def rmatvec(self, x: Any) -> Any:
        """Product of the adjoint with a vector."""
        return self._vector("rmatvec", x, self.shape[::-1])

    def _vector(self, name: str, x: Any, shape: tuple[int, int]) -> Any:
        x = as_array(x)
        if x.shape not in ((shape[1],), (shape[1], 1)):
            raise ValueError("dimension mismatch")
        out = as_array(self._call(name, x))
        return out.reshape(shape[0]) if len(x.shape) == 1 else out.reshape(shape[0], 1)

    def matmat(self, X: Any) -> Any:
        """Product with a matrix."""
        X = as_array(X)
        return self._call("matmat", X) if self._maps["matmat"] else self._columns("matvec", X)

    def rmatmat(self, X: Any) -> Any:
        """Product of the adjoint with a matrix."""
        X = as_array(X)
        return self._call("rmatmat", X) if self._maps["rmatmat"] else self._columns("rmatvec", X)

    _matvec, _rmatvec, _matmat, _rmatmat = matvec, rmatvec, matmat, rmatmat

    def dot(self, x: Any) -> Any:
        """Product with a vector or a matrix; of a number or an operator, as SciPy's."""
        if isinstance(x, ssl.LinearOperator) or not hasattr(x, "shape") or not x.shape:
            if has_traced(x):
                raise _no_scaling()
            return super().dot(x)
        return self.matvec(x) if len(x.shape) == 1 or x.shape[1] == 1 else self.matmat(x)

    def __matmul__(self, other: Any) -> Any:
        return self.dot(other)

    def __mul__(self, x: Any) -> Any:
        return self.dot(x)

    __call__ = __mul__

    def _adjoint(self) -> LinearOperator:
        maps = self._maps
        return LinearOperator(
            self.shape[::-1],
            self.rmatvec,
            self.matvec,
            maps["rmatmat"],
            self.dtype,
            maps["matmat"],
        )

    def _transpose(self) -> LinearOperator:
        return LinearOperator(
            self.shape[::-1],
            lambda x: conjugate(as_array(self.rmatvec(conjugate(as_array(x))))),
            lambda x: conjugate(as_array(self.matvec(conjugate(as_array(x))))),
            dtype=self.dtype,
        )

    H = property(_adjoint)
    T = property(_transpose)

    def adjoint(self) -> LinearOperator:
        """Return the adjoint operator."""
        return self._adjoint()

    def transpose(self) -> LinearOperator:
        """Return the transposed operator."""
        return self._transpose()


def _no_scaling() -> errors.UnsupportedError:
    return errors.UnsupportedError(
        errors.at_user_line(
            "a LinearOperator cannot be multiplied by a traced number: multiply what it is applied to, or its result"
        )
    )


def aslinearoperator(A: Any) -> Any:
    """As `scipy.sparse.linalg.aslinearoperator`; `A` may be traced, and the operator takes traced vectors."""
    if isinstance(A, LinearOperator):
        return A
    if isinstance(A, ssl.LinearOperator):
        return LinearOperator(A.shape, _of_plain(A.matvec), _of_plain(A.rmatvec), dtype=A.dtype)
    if not (isinstance(A, SparseArray) or sp.issparse(A)):
        A = np.atleast_2d(as_array(A))
        adjoint = conjugate(swap_last(A))
    else:
        adjoint = A.T.conj()
    return LinearOperator(
        A.shape, lambda x: A @ x, lambda x: adjoint @ x, lambda x: A @ x, A.dtype, lambda x: adjoint @ x
    )


def _of_plain(function: Map) -> Map:
    """Return a map of SciPy's operator, which takes plain vectors only."""

    def apply(x: Any) -> Any:
        if has_traced(x):
            raise errors.UnsupportedError(
                errors.at_user_line(
                    "an operator of SciPy's takes plain vectors only. Make it by LinearOperator or aslinearoperator of "
                    "fd.scipy.sparse.linalg."
                )
            )
        return function(x)

    return apply
