"""Derivatives of determinants by the factors of a matrix that is far from singular; else NumPy source takes over."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.tape import Record
from funcdiff.jit.native import blas
from funcdiff.jit.native.arrays import Array
from funcdiff.jit.native.calls import Calls, sizes
from funcdiff.jit.native.handlers import NotNative, handler
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.operations import TYPES


@handler("packed_lu_det_derivative")
def _det_derivative(low: Lowering, record: Record) -> Array:
    """Write det(A) X, or along T det(A) (⟨X, T⟩ X - X Tᵀ X), where X is the transpose of the inverse."""
    a, packed, det, *directions = map(low.array, record.inputs)
    out = record.outputs[0].type
    if len(directions) > 1:
        raise NotNative(record)

    def step(name: str, of: tuple[int, ...], /, *given: Array, **params: Any) -> Array:
        return low.step(REGISTRY[name], ArrayType(of, out.dtype), given, params)

    def over_matrix(x: Array) -> Array:
        shape = (*x.type.shape, 1, 1)
        return step("reshape", shape, x, shape=shape)

    x = _regular_inverse(low, record, a, packed, det)
    if not directions:
        return step("multiply", out.shape, over_matrix(det), x)
    (t,) = directions
    lead = len(out.shape) - 2
    both = np.broadcast_shapes(x.type.shape, t.type.shape)
    inner = step("sum", both[:-2], step("multiply", both, x, t), axis=(lead, lead + 1), keepdims=False)
    n = len(t.type.shape)
    turned = step("transpose", t.type.shape, t, axes=(*range(n - 2), n - 1, n - 2))
    product = step("matmul", out.shape, step("matmul", both, x, turned), x)
    total = step("subtract", out.shape, step("multiply", both, over_matrix(inner), x), product)
    return step("multiply", out.shape, over_matrix(det), total)


def _regular_inverse(low: Lowering, record: Record, a: Array, packed: Array, det: Array) -> Array:
    """Return the transpose of the inverse; machine code is left for a matrix where `det_derivative` does not use it."""
    from funcdiff.primitives.linalg.determinant import largest_condition  # loads SciPy's linear algebra

    calls = Calls(low, record)
    calls.out = a.type
    matrix, factors, number = calls.square(a), calls.contiguous(packed), calls.operand(det, lambda _: True)
    n = a.type.shape[-1]
    scratch = calls.scratch(blas.scratch_size("packed_lu_regular_inverse", calls.kind, n))
    limit = np.floor(
        largest_condition(a.type.dtype, len(record.inputs) - 2)
    )  # which is a number of either type
    return calls.each(
        "packed_lu_regular_inverse",
        a.type.shape[:-2],
        [(matrix, 2), (factors, 2), (number, 0)],
        lambda to, at, by, of: [to, at, by, of, *sizes(n), f"{TYPES[calls.kind]} {limit:.1f}", (scratch, 0)],
        n**3,
        [scratch],
    )
