"""`scipy.sparse` with traced elements: arrays of a fixed pattern, and linear algebra with them.

A plain sparse array needs none of this: ``A @ x`` works with a traced `x`.  What is not written out here is SciPy's
own, for plain arguments.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import scipy.sparse as _sp

from funcdiff import errors as _errors
from funcdiff.scipy.sparse.arrays import SparseArray
from funcdiff.scipy.sparse.construct import (
    block_diag,
    coo_array,
    coo_matrix,
    csc_array,
    csc_matrix,
    csr_array,
    csr_matrix,
    diags,
    diags_array,
    hstack,
    kron,
    vstack,
)
from funcdiff.scipy.sparse.construct import is_traced as _is_traced
from funcdiff.scipy.sparse.structure import triangle as _triangle

__all__ = [
    "SparseArray",
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
    "issparse",
    "kron",
    "linalg",
    "tril",
    "triu",
    "vstack",
]


def issparse(x: Any) -> bool:
    """Tell whether `x` is a sparse array, of SciPy's or with traced elements."""
    return isinstance(x, SparseArray) or _sp.issparse(x)


def tril(A: Any, k: int = 0, format: str | None = None) -> Any:
    """Return the lower triangle of a sparse array."""
    return _triangle(A, k, True, format) if isinstance(A, SparseArray) else _sp.tril(A, k, format)


def triu(A: Any, k: int = 0, format: str | None = None) -> Any:
    """Return the upper triangle of a sparse array."""
    return _triangle(A, k, False, format) if isinstance(A, SparseArray) else _sp.triu(A, k, format)


def __getattr__(name: str) -> Any:
    if name == "linalg":
        return importlib.import_module("funcdiff.scipy.sparse.linalg")
    found = getattr(_sp, name)
    return found if isinstance(found, type) or not callable(found) else _plain_only(name, found)


def _plain_only(name: str, original: Any) -> Any:
    """Return SciPy's function, which raises for traced arguments."""

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        if any(_is_traced(a) for a in (*args, *kwargs.values())):
            raise _errors.UnsupportedError(
                _errors.at_user_line(
                    f"scipy.sparse.{name} does not take traced elements. Build the array by csr_array, csc_array, "
                    "coo_array, diags_array, hstack, vstack, block_diag or kron of fd.scipy.sparse."
                )
            )
        return original(*args, **kwargs)

    return function


def __dir__() -> list[str]:
    return sorted({*__all__, *_sp.__all__})
