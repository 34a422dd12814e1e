"""Shape, dtype and joining primitives: linear maps that move values about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.declare import linear
from funcdiff.core.primitive import Function


def _rng_samples(*shapes: tuple[int, ...], **params: Any) -> Any:
    return lambda rng: [(tuple(rng.standard_normal(s) for s in shapes), params)]


# --- reshape, transpose, broadcast ---------------------------------------------------------------


def _reshape(x: Any, *, shape: tuple[int, ...]) -> Any:
    return x.reshape(shape) if isinstance(x, np.ndarray) else np.reshape(x, shape)


reshape: Function = linear(
    _reshape,
    lambda g, x, *, shape: reshape(g, shape=x.shape),
    name="reshape",
    batch_params=lambda params, shape, size: {"shape": (size, *params["shape"])},
    samples=_rng_samples((2, 3), shape=(3, 2)),
    doc="Give an array another shape with as many elements, in C order.",
)


def _transpose(x: Any, *, axes: tuple[int, ...]) -> Any:
    return np.asarray(x).transpose(axes)


transpose: Function = linear(
    _transpose,
    lambda g, x, *, axes: transpose(g, axes=tuple(int(a) for a in np.argsort(axes))),
    name="transpose",
    batch_params=lambda params, shape, size: {"axes": (0, *(a + 1 for a in params["axes"]))},
    samples=_rng_samples((2, 3, 4), axes=(2, 0, 1)),
    doc="Permute the axes of an array.",
)


def _broadcast_to(x: Any, *, shape: tuple[int, ...]) -> Any:
    if getattr(x, "shape", None) == ():  # 0.6 us; np.broadcast_to takes 2.4 us, a tenth of a small gradient
        spread = np.ndarray(shape, x.dtype, np.array(x), 0, (0,) * len(shape))
        spread.flags.writeable = False
        return spread
    return np.broadcast_to(x, shape)


def _batch_broadcast_to(values: Any, _flags: Any, size: int, *, shape: tuple[int, ...]) -> Any:
    x = values[0]
    rank = len(x.shape) - 1
    x = reshape(x, shape=(size, *(1,) * (len(shape) - rank), *x.shape[1:]))
    return broadcast_to(x, shape=(size, *shape))


broadcast_to: Function = linear(
    _broadcast_to,
    lambda g, x, *, shape: sum_to(g, shape=x.shape),
    batch=_batch_broadcast_to,
    name="broadcast_to",
    samples=_rng_samples((3, 1), shape=(2, 3, 4)),
    doc="Repeat an array along new axes and axes of length one.",
)


def _sum_to(g: Any, *, shape: tuple[int, ...]) -> Any:
    g = np.asarray(g)
    lead = g.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1))
    if axes:
        g = np.add.reduce(g, axis=axes, keepdims=True)
        g = g.reshape(g.shape[lead:])
    return g if shape else g[()]


def _batch_sum_to(values: Any, _flags: Any, size: int, *, shape: tuple[int, ...]) -> Any:
    g = values[0]
    lead = len(g.shape) - 1 - len(shape)
    if not lead:
        return sum_to(g, shape=(size, *shape))
    g = transpose(g, axes=(*range(1, lead + 1), 0, *range(lead + 1, len(g.shape))))
    return sum_to(g, shape=(size, *shape))


sum_to: Function = linear(
    _sum_to,
    lambda g, x, *, shape: broadcast_to(g, shape=x.shape),
    batch=_batch_sum_to,
    name="sum_to",
    samples=_rng_samples((2, 3, 4), shape=(3, 1)),
    doc="Sum over the axes along which an array of `shape` would be repeated: broadcasting, transposed.",
)


# --- dtype, copies, complex parts ----------------------------------------------------------------


def _batch_same(function_name: str) -> Any:
    from funcdiff.core.primitive import REGISTRY

    def batch(values: Any, _flags: Any, _size: int, **params: Any) -> Any:
        return REGISTRY[function_name].function(*values, **params)

    return batch


def _astype(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype)


astype = linear(
    _astype,
    lambda g, x, *, dtype: g,  # `match` converts back
    batch=_batch_same("astype"),
    name="astype",
    samples=_rng_samples((2, 3), dtype=np.dtype(np.complex128)),
    doc="Convert to another floating-point or complex dtype.",
)


def _copy(x: Any, *, order: str = "K", lead: int = 0) -> Any:
    """Copy into the layout that `order` asks for, the first `lead` axes (of vmap) outermost in any case."""
    x = np.asarray(x)
    if order == "C" or (lead == 0 and 0 not in x.strides):
        return np.array(x, order=order)  # type: ignore[call-overload]
    axes = range(lead, x.ndim)
    if order == "A":
        order = "F" if 0 not in x.shape and x[(0,) * lead].flags.fnc else "C"
    if order == "K":  # a repeated axis of a broadcast array goes outside, not innermost as NumPy has it
        axes = sorted(axes, key=lambda n: (x.strides[n] != 0, -abs(x.strides[n])))  # type: ignore[assignment]
    elif order == "F":
        axes = axes[::-1]
    outside_in = (*range(lead), *axes)
    out = np.empty([x.shape[n] for n in outside_in], x.dtype).transpose(np.argsort(outside_in))
    out[...] = x
    return out


def _batch_copy(values: Any, _flags: Any, _size: int, *, order: str = "K", lead: int = 0) -> Any:
    return copy(values[0], order=order, lead=lead + 1)


copy: Function = linear(
    _copy,
    lambda g, x, **_layout: g,
    batch=_batch_copy,
    name="copy",
    samples=_rng_samples((2, 3)),
    doc="Copy an array.",
)


def _complex_samples(rng: Any) -> Any:
    return [((rng.standard_normal(3) + 1j * rng.standard_normal(3),), {})]


def _real(x: Any) -> Any:
    return np.array(np.real(x))[()] if np.ndim(x) == 0 else np.real(x).copy()


real = linear(
    _real,
    lambda g, x: g,
    batch=_batch_same("real"),
    name="real",
    samples=_complex_samples,
    doc="Real part; linear over the reals.",
)


def _imag(x: Any) -> Any:
    return np.array(np.imag(x))[()] if np.ndim(x) == 0 else np.imag(x).copy()


imag = linear(
    _imag,
    lambda g, x: g * -1j if x.dtype.kind == "c" else g * 0,
    batch=_batch_same("imag"),
    name="imag",
    samples=_complex_samples,
    doc="Imaginary part; linear over the reals: Im(t) = Re(-i t).",
)

conj: Function = linear(
    np.conj,
    lambda g, x: conj(g),
    batch=_batch_same("conj"),
    name="conj",
    samples=_complex_samples,
    doc="Complex conjugate; linear over the reals.",
)


# --- joining --------------------------------------------------------------------------------------


def _concatenate(*arrays: Any, axis: int) -> Any:
    return np.concatenate(arrays, axis=axis)


def _concatenate_transpose(n: int, g: Any, *kinds: ArrayType, axis: int) -> Any:
    from funcdiff.primitives.indexing import getitem

    start = sum(k.shape[axis] for k in kinds[:n])
    index = (slice(None),) * axis + (slice(start, start + kinds[n].shape[axis]),)
    return getitem(g, index=index)


def all_mapped(values: Sequence[Any], flags: Sequence[bool], size: int) -> list[Any]:
    """Give every operand the batch axis, by broadcasting those without."""
    return [
        v if f else broadcast_to(v, shape=(size, *(v.shape if hasattr(v, "shape") else np.shape(v))))
        for v, f in zip(values, flags, strict=True)
    ]


def _batch_concatenate(values: Any, flags: Any, size: int, *, axis: int) -> Any:
    return concatenate(*all_mapped(values, flags, size), axis=axis + 1)


concatenate = linear(
    _concatenate,
    _concatenate_transpose,
    batch=_batch_concatenate,
    name="concatenate",
    variadic=True,
    samples=_rng_samples((2, 3), (2, 1), (2, 4), axis=1),
    doc="Join arrays along an existing axis (counted from the front).",
)


def _stack(*arrays: Any, axis: int) -> Any:
    return np.stack(arrays, axis=axis)


def _stack_transpose(n: int, g: Any, *_kinds: ArrayType, axis: int) -> Any:
    from funcdiff.primitives.indexing import getitem

    return getitem(g, index=(slice(None),) * axis + (n,))


def _batch_stack(values: Any, flags: Any, size: int, *, axis: int) -> Any:
    return stack(*all_mapped(values, flags, size), axis=axis + 1)


stack = linear(
    _stack,
    _stack_transpose,
    batch=_batch_stack,
    name="stack",
    variadic=True,
    samples=_rng_samples((2, 3), (2, 3), axis=1),
    doc="Join arrays along a new axis (counted from the front).",
)
