"""Products of arrays: dot, matmul, tensordot, einsum, kron, cross and their relatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdiff.core.mutation import link_view
from funcdiff.core.recording import TracedArray
from funcdiff.numpy._arguments import UNSET, as_array, axis_of, deliver, given, to_dtype, unsupported_keyword
from funcdiff.numpy._deprecated import warn_as_numpy
from funcdiff.numpy._protocol import UFUNCS, implements
from funcdiff.numpy.shapes import permuted
from funcdiff.numpy.subscripts import explicit_subscripts, split_operands
from funcdiff.primitives import product as p
from funcdiff.primitives.einsum import einsum as contract
from funcdiff.primitives.einsum import parts
from funcdiff.primitives.elementwise import multiply
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import reshape, stack, transpose

# --- stacked products, which NumPy has as generalised ufuncs ------------------------------------------


def _to_end(x: Any, axes: tuple[int, ...]) -> Any:
    rank = len(x.shape)
    last = tuple(axis_of(n, rank) for n in axes)
    return transpose(x, axes=(*(n for n in range(rank) if n not in last), *last))


def _from_end(x: Any, axes: tuple[int, ...]) -> Any:
    rank = len(x.shape)
    places = [axis_of(n, rank) for n in axes]
    rest = iter(range(rank - len(axes)))
    source = {place: rank - len(axes) + n for n, place in enumerate(places)}
    return transpose(x, axes=tuple(source[n] if n in source else next(rest) for n in range(rank)))


def _stacked(
    primitive: Any,
    x1: Any,
    x2: Any,
    out: Any,
    axes: Any,
    axis: Any,
    keepdims: bool,
    dtype: Any,
    rest: dict[str, Any],
) -> Any:
    """Apply a stacked product with the keywords of a generalised ufunc."""
    name = primitive.__name__
    if rest.get("signature") is not None:
        raise unsupported_keyword(f"np.{name}", "signature=", "Convert the operands with astype.")
    x1, x2 = to_dtype(as_array(x1), dtype), to_dtype(as_array(x2), dtype)
    if keepdims and name != "vecdot":
        raise TypeError(
            f"{name} does not support keepdims: its operands have different numbers of core dimensions"
        )
    if given(axis):
        if given(axes):
            raise TypeError("cannot specify both 'axis' and 'axes'")
        if name != "vecdot":
            raise TypeError(f"{name}: axis can only be used with a single shared core dimension")
        axes = [(axis,), (axis,)]
    back: tuple[int, ...] = ()
    if given(axes):
        first, second, *third = [n if isinstance(n, tuple) else (n,) for n in axes]
        x1, x2 = _to_end(x1, first), _to_end(x2, second)
        back = third[0] if third else first if keepdims else ()
    result = primitive(x1, x2)
    if keepdims:
        result = reshape(result, shape=(*result.shape, 1))
        back = back or (-1,)
    return deliver(_from_end(result, back) if back else result, out, name)


@implements(np.matmul)
def matmul(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    axes: Any = UNSET,
    axis: Any = UNSET,
    keepdims: bool = False,
    dtype: Any = None,
    **rest: Any,
) -> Any:
    """Matrix product of two arrays."""
    return _stacked(p.matmul, x1, x2, out, axes, axis, keepdims, dtype, rest)


@implements(np.vecdot)
def vecdot(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    axes: Any = UNSET,
    axis: Any = UNSET,
    keepdims: bool = False,
    dtype: Any = None,
    **rest: Any,
) -> Any:
    """Dot products of vectors, the first conjugated."""
    return _stacked(p.vecdot, x1, x2, out, axes, axis, keepdims, dtype, rest)


@implements(np.matvec)
def matvec(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    axes: Any = UNSET,
    axis: Any = UNSET,
    keepdims: bool = False,
    dtype: Any = None,
    **rest: Any,
) -> Any:
    """Products of matrices and vectors."""
    return _stacked(p.matvec, x1, x2, out, axes, axis, keepdims, dtype, rest)


@implements(np.vecmat)
def vecmat(
    x1: Any,
    x2: Any,
    /,
    out: Any = None,
    *,
    axes: Any = UNSET,
    axis: Any = UNSET,
    keepdims: bool = False,
    dtype: Any = None,
    **rest: Any,
) -> Any:
    """Products of conjugated vectors and matrices."""
    return _stacked(p.vecmat, x1, x2, out, axes, axis, keepdims, dtype, rest)


def _with_keywords(primitive: Any, stacked: Any) -> Any:
    def function(x1: Any, x2: Any, **keywords: Any) -> Any:
        return stacked(x1, x2, **keywords) if keywords else primitive(x1, x2)

    function.__name__ = primitive.__name__
    return function


UFUNCS[np.matmul] = _with_keywords(p.matmul, matmul)
UFUNCS[np.vecdot] = _with_keywords(p.vecdot, vecdot)
UFUNCS[np.matvec] = _with_keywords(p.matvec, matvec)
UFUNCS[np.vecmat] = _with_keywords(p.vecmat, vecmat)


# --- dot and its relatives ----------------------------------------------------------------------------


def _not_aligned(a: Any, b: Any, i: int, j: int) -> ValueError:
    return ValueError(
        f"shapes {a.shape} and {b.shape} not aligned: {a.shape[i]} (dim {i}) != {b.shape[j]} (dim {j})"
    )


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Dot product: a sum over the last axis of `a` and the second-to-last of `b`."""
    a, b = as_array(a), as_array(b)
    i, j = len(a.shape) - 1, max(len(b.shape) - 2, 0)
    if not a.shape or not b.shape:
        result = multiply(a, b)
    elif a.shape[i] != b.shape[j]:
        raise _not_aligned(a, b, i, j)
    elif i < 2 and len(b.shape) < 3:
        result = p.matmul(a, b)
    else:
        result = p.tensordot(a, b, axes=((i,), (j,)))
    return deliver(result, out, "dot")


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """Sum of products over the last axes."""
    a, b = as_array(a), as_array(b)
    if not a.shape or not b.shape:
        return multiply(a, b)
    i, j = len(a.shape) - 1, len(b.shape) - 1
    if a.shape[i] != b.shape[j]:
        raise _not_aligned(a, b, i, j)
    return p.matmul(a, b) if i == j == 0 else p.tensordot(a, b, axes=((i,), (j,)))


def _flat(x: Any) -> Any:
    return x if len(x.shape) == 1 else reshape(x, shape=(math.prod(x.shape),))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """Dot product of the flattened arrays, the first conjugated."""
    a, b = _flat(as_array(a)), _flat(as_array(b))
    if a.shape != b.shape:
        raise ValueError("cannot reshape array of size {} into shape {}".format(*a.shape, b.shape))
    return p.vecdot(a, b)


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Products of every element of `a` with every element of `b`, flattened."""
    a, b = _flat(as_array(a)), _flat(as_array(b))
    result = multiply(p.column(a), reshape(b, shape=(1, *b.shape)))
    return deliver(result, out, "outer")


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of products over the given axes."""
    a, b = as_array(a), as_array(b)
    try:
        axes_a, axes_b = axes
    except TypeError:
        axes_a, axes_b = range(-axes, 0), range(axes)
    axes_a, axes_b = (list(n) if hasattr(n, "__iter__") else [n] for n in (axes_a, axes_b))
    if len(set(axes_a)) != len(axes_a) or len(set(axes_b)) != len(axes_b):
        raise ValueError("duplicate axes are not allowed in tensordot")
    if len(axes_a) != len(axes_b) or any(
        a.shape[i] != b.shape[j] for i, j in zip(axes_a, axes_b, strict=True)
    ):
        raise ValueError("shape-mismatch for sum")
    front_a = tuple(axis_of(n, len(a.shape)) for n in axes_a)
    return p.tensordot(a, b, axes=(front_a, tuple(axis_of(n, len(b.shape)) for n in axes_b)))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Kronecker product."""
    a, b = as_array(a), as_array(b)
    if not a.shape or not b.shape:
        return multiply(a, b)
    rank = max(len(a.shape), len(b.shape))
    shape_a, shape_b = ((1,) * (rank - len(x.shape)) + x.shape for x in (a, b))
    apart = reshape(a, shape=tuple(n for length in shape_a for n in (length, 1)))
    between = reshape(b, shape=tuple(n for length in shape_b for n in (1, length)))
    return reshape(
        multiply(apart, between), shape=tuple(m * n for m, n in zip(shape_a, shape_b, strict=True))
    )


# --- cross --------------------------------------------------------------------------------------------


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Cross product of vectors of two or three components."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = as_array(a), as_array(b)
    if not a.shape or not b.shape:
        raise ValueError("At least one array has zero dimension")
    a, b = _to_end(a, (axisa,)), _to_end(b, (axisb,))
    lengths = a.shape[-1], b.shape[-1]
    if not {2, 3}.issuperset(lengths):
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    if lengths == (3, 3):
        return _from_end(p.cross(a, b), (axisc,))
    warn_as_numpy(np.cross, lengths[:1], lengths[1:])  # which refuses them from 2.5 on
    x, y = [a[..., n] for n in range(lengths[0])], [b[..., n] for n in range(lengths[1])]
    last = x[0] * y[1] - x[1] * y[0]
    if lengths == (2, 2):
        return last
    first, second = (x[1] * y[2], -(x[0] * y[2])) if lengths[0] == 2 else (-(x[2] * y[1]), x[2] * y[0])
    return _from_end(stack(first, second, last, axis=len(last.shape)), (axisc,))


# --- einsum -------------------------------------------------------------------------------------------


def _view(x: Any, term: str, output: str) -> Any:
    """Permute axes and take diagonals of one operand, as a view, which NumPy's is too."""
    letters = "".join(dict.fromkeys(term))
    if letters != term:
        lengths = dict(zip(term, x.shape, strict=True))
        if any(lengths[c] != n for c, n in zip(term, x.shape, strict=True)):
            raise ValueError(
                f"einsum: the axes of a repeated subscript in {term!r} have different lengths {x.shape}"
            )
        mesh = dict(zip(letters, np.ix_(*(np.arange(lengths[c]) for c in letters)), strict=True))
        step = (getitem, {"index": tuple(mesh[c] for c in term)})
        x = link_view(x, getitem(x, **step[1]), step)
    return permuted(x, tuple(letters.index(c) for c in output))


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Any:
    """Sum of products over indices, in Einstein's notation; `optimize` is handed on to NumPy."""
    dtype, casting = kwargs.pop("dtype", None), kwargs.pop("casting", "safe")
    kwargs.pop("order", None)  # a layout in memory, which traced arrays do not have
    if kwargs:
        raise TypeError(f"Did not understand the following kwargs: {list(kwargs)}")
    text, arrays = split_operands(operands)
    subscripts = explicit_subscripts(text, [len(x.shape) for x in arrays])
    if dtype is not None:
        for n, x in enumerate(arrays):
            if not np.can_cast(x.dtype, dtype, casting):
                raise TypeError(
                    f"einsum: operand {n} of dtype {x.dtype} cannot be cast to {np.dtype(dtype)} according to the rule "
                    f"{casting!r}"
                )
        arrays = [to_dtype(x, dtype) for x in arrays]
    terms, output = parts(subscripts)
    if len(arrays) == 1 and output and set(terms[0]) == set(output) and type(arrays[0]) is TracedArray:
        result = _view(arrays[0], terms[0], output)
    else:
        path = tuple(optimize) if isinstance(optimize, list) else optimize
        result = contract(*arrays, subscripts=subscripts, optimize=path)
    return deliver(result, out, "einsum")


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: bool = False) -> Any:
    """Search the order of contractions; only the operands' shapes matter."""
    text, arrays = split_operands(operands)
    shapes = [np.broadcast_to(0.0, x.shape) for x in arrays]
    return np.einsum_path(text, *shapes, optimize=optimize, einsum_call=einsum_call)  # type: ignore[arg-type]


__all__ = [
    "cross",
    "dot",
    "einsum",
    "einsum_path",
    "inner",
    "kron",
    "matmul",
    "matvec",
    "outer",
    "tensordot",
    "vdot",
    "vecdot",
    "vecmat",
]
