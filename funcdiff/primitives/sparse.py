"""Products with plain `scipy.sparse` matrices: linear in the dense factor."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.declare import linear
from funcdiff.core.primitive import REGISTRY, Function
from funcdiff.core.recording import SPARSE_OPERATIONS
from funcdiff.primitives.product import swap_last
from funcdiff.primitives.shape import reshape, transpose


def _product(x: Any, *, matrix: Any) -> Any:
    return matrix @ x


def _batch(values: Any, _flags: Any, size: int, *, matrix: Any) -> Any:
    """Put the batch into columns: one sparse product for all examples."""
    x = values[0]
    if len(x.shape) == 2:
        return transpose(sparse_product(transpose(x, axes=(1, 0)), matrix=matrix), axes=(1, 0))
    n, k = x.shape[1:]
    columns = reshape(transpose(x, axes=(1, 0, 2)), shape=(n, size * k))
    out = reshape(sparse_product(columns, matrix=matrix), shape=(matrix.shape[0], size, k))
    return transpose(out, axes=(1, 0, 2))


def _samples(rng: np.random.Generator) -> Any:
    import scipy.sparse

    matrix = scipy.sparse.csr_array(rng.standard_normal((4, 3)) * (rng.random((4, 3)) > 0.4))
    return [
        ((rng.standard_normal(3),), {"matrix": matrix}),
        ((rng.standard_normal((3, 2)),), {"matrix": matrix}),
    ]


sparse_product: Function = linear(
    _product,
    lambda g, _x, *, matrix: sparse_product(g, matrix=matrix.T),
    batch=_batch,
    name="sparse_product",
    samples=_samples,
    doc="``matrix @ x`` for a plain sparse matrix.",
)


def is_sparse(x: Any) -> bool:
    """Tell whether a value is a `scipy.sparse` matrix or array, without importing SciPy."""
    return type(x).__module__.startswith("scipy.sparse")


def is_matrix(x: Any) -> bool:
    """Tell whether ``*`` with a sparse value is the matrix product: with SciPy's matrices, not with its arrays."""
    return any(cls.__name__ == "spmatrix" for cls in type(x).__mro__)


def product(a: Any, b: Any) -> Any:
    """Return ``a @ b`` where one of them is sparse."""
    if is_sparse(a):
        return sparse_product(b, matrix=a)
    if len(a.shape) == 1:
        return sparse_product(a, matrix=b.T)
    return swap_last(sparse_product(swap_last(a), matrix=b.T))


# --- elementwise operations with a plain sparse matrix ----------------------------------------------------


def _multiplied(a: Any, b: Any) -> Any:
    """Return the sparse array of products: only where elements are stored can they be other than zero."""
    arrays = importlib.import_module("funcdiff.scipy.sparse.arrays")  # loads SciPy's module, too
    matrix, factor = (a, b) if is_sparse(a) else (b, a)
    if is_matrix(matrix) and factor.shape:
        raise _ambiguous("multiply")
    data, pattern = arrays.elements_of(matrix)
    return arrays.SparseArray(data, pattern).multiply(factor)


def _ambiguous(function: str) -> errors.UnsupportedError:
    return errors.UnsupportedError(
        errors.at_user_line(
            f"{function} of a scipy.sparse matrix (not array) and a traced array: SciPy gives a numpy.matrix, for which * "
            "is the matrix product. Make an array of it, scipy.sparse.csr_array(A), or write A.toarray()"
        )
    )


def _dense(function: str) -> Any:
    def operate(a: Any, b: Any) -> Any:
        if is_matrix(a) or is_matrix(b):
            raise _ambiguous(function)
        a, b = (x.toarray() if is_sparse(x) else x for x in (a, b))
        if not (a.shape and b.shape):
            raise errors.UnsupportedError(
                errors.at_user_line(
                    f"{function} of a sparse matrix and a traced number would fill the matrix: write A.toarray()"
                )
            )
        return REGISTRY[function].function(a, b)

    return operate


SPARSE_OPERATIONS.update({"multiply": _multiplied, "add": _dense("add"), "subtract": _dense("subtract")})
