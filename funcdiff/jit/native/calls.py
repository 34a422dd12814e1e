"""Records that BLAS and LAPACK compute: larger products, factorizations, systems; a call for each matrix of a stack.

Their operands lie in memory, as rows or as the rows of the transpose, so that a transposed factor is not copied.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import ArrayType
from funcdiff.core.tape import Record
from funcdiff.jit.native import arrays, blas, blas_factors  # noqa: F401  the latter enters operations
from funcdiff.jit.native.arrays import Array, contiguous_strides
from funcdiff.jit.native.handlers import NotNative, handler, kind_of
from funcdiff.jit.native.lower import Lowering
from funcdiff.jit.native.nodes import BYTES, Base, Call, Memory

MATRICES = 64  # of a stack, each with a call of its own


class Calls:
    """Gathers the operands of calls, then enters a call for each matrix of a stack."""

    def __init__(self, low: Lowering, record: Record) -> None:
        self.low, self.record = low, record
        self.out = record.outputs[0].type
        self.kind = kind_of(self.out)
        self.item = BYTES[self.kind]
        self.stage = 0
        if self.kind not in ("f64", "f32") or 0 in self.out.shape:
            raise NotNative(record)

    def operand(self, x: Array, fits: Callable[[Memory], bool]) -> Memory:
        """The memory of an operand, copied if its strides do not fit."""
        if kind_of(x.type) != self.kind or 0 in x.type.shape:
            raise NotNative(self.record)
        memory = self.low.memory(x)
        ready = x.ready
        if not fits(memory):
            copied = self.new(x.type)
            ready = self.low.write(arrays.in_memory(x.type, memory, ready), copied)
            memory = copied
        self.stage = max(self.stage, ready)
        return memory

    def matrix(self, x: Array) -> Memory:
        """A stack of matrices whose rows, or whose columns, have no gaps."""
        return self.operand(x, lambda m: rows(m, self.item) is not None)

    def square(self, x: Array) -> Memory:
        """A stack of matrices in C order."""
        return self.operand(x, lambda m: rows(m, self.item) == (m.shape[-1], False))

    def vector(self, x: Array) -> Memory:
        """A stack of vectors with positive steps."""
        return self.operand(x, lambda m: step(m, self.item) is not None)

    def contiguous(self, x: Array) -> Memory:
        """An array without gaps."""
        return self.operand(x, arrays.is_contiguous)

    def new(self, type_: ArrayType) -> Memory:
        """Memory for an array."""
        return self.low.new(type_)

    def scratch(self, size: int) -> Base:
        """So many bytes."""
        return self.new(ArrayType((-(-size // 8),), np.dtype(float))).base

    def each(
        self,
        operation: str,
        batch: Sequence[int],
        operands: Sequence[tuple[Memory, int]],
        arguments: Callable[..., Sequence[Any]],
        work: int,
        others: Sequence[Base] = (),
    ) -> Array:
        """Enter a call per matrix.

        `operands` are memories with the number of axes that belong to one matrix; `arguments` takes a pointer to the
        part of the result and one to that of each operand.
        """
        count = math.prod(batch)
        if count > MATRICES:
            raise NotNative(self.record)
        group = self.low.group(((), False), self.stage)
        memory = self.new(self.out)
        rank = len(self.out.shape) - len(batch)
        for base in (memory.base, *(m.base for m, _ in operands), *others):
            base.used(group)
        for place in itertools.product(*map(range, batch)):
            pointers = [pointer(m, r, place) for m, r in ((memory, rank), *operands)]
            group.calls.append(Call(operation, self.kind, list(arguments(*pointers)), work))
        return arrays.in_memory(self.out, memory, group.stage + 1)


def pointer(memory: Memory, rank: int, place: Sequence[int]) -> tuple[Base, int]:
    """Where the matrix at a place of the stack begins; stacks are broadcast."""
    lead = len(memory.shape) - rank
    at = memory.offset
    for n, stride, i in zip(memory.shape[:lead], memory.strides, place[len(place) - lead :], strict=False):
        at += stride * i if n != 1 else 0
    return memory.base, at


def rows(memory: Memory, item: int) -> tuple[int, bool] | None:
    """How many elements rows are apart, or, and True, the rows of the transpose; None if there are gaps within."""
    (m, n), (down, along) = memory.shape[-2:], memory.strides[-2:]
    if (n == 1 or along == item) and (m == 1 or (down % item == 0 and down >= n * item)):
        return (down // item if m > 1 else n), False
    if (m == 1 or down == item) and (n == 1 or (along % item == 0 and along >= m * item)):
        return (along // item if n > 1 else m), True
    return None


def step(memory: Memory, item: int) -> int | None:
    """How many elements those of a vector are apart."""
    stride = memory.strides[-1]
    if memory.shape[-1] == 1:
        return 1
    return stride // item if stride > 0 and stride % item == 0 else None


def flag(x: bool) -> str:
    """A truth value as an argument."""
    return f"i1 {'true' if x else 'false'}"


def sizes(*numbers: int) -> list[str]:
    """Numbers as arguments."""
    return [f"i64 {n}" for n in numbers]


# --- products --------------------------------------------------------------------------------------


def product(low: Lowering, record: Record, a: Array, b: Array, ranks: Sequence[int]) -> Array:
    """Lower a product whose operands have so many axes that are not those of a stack."""
    calls = Calls(low, record)
    core = (ranks[0] == 2) + (ranks[1] == 2)
    batch = calls.out.shape[: len(calls.out.shape) - core]
    inner = a.type.shape[-1]
    if ranks[0] == 2 and math.prod(b.type.shape[: len(b.type.shape) - ranks[1]]) == 1:
        stacked = low.memory(a)  # the rows of a stack are those of one matrix
        if a.type.shape[:-2] == batch and arrays.is_contiguous(stacked) and math.prod(batch) > 1:
            return _matrix_by(calls, (), (math.prod(a.type.shape[:-1]), inner), a, b, ranks[1])
    if ranks == [2, 2] or ranks == [2, 1]:
        return _matrix_by(calls, batch, a.type.shape[-2:], a, b, ranks[1])
    if ranks == [1, 2]:
        return _matrix_vector(calls, batch, calls.matrix(b), calls.vector(a), True)
    x, y = calls.vector(a), calls.vector(b)
    x_step, y_step = step(x, calls.item), step(y, calls.item)
    return calls.each(
        "dot",
        batch,
        [(x, 1), (y, 1)],
        lambda to, at, bt: [to, *sizes(inner), at, *sizes(x_step or 1), bt, *sizes(y_step or 1)],
        inner,
    )


def _matrix_by(
    calls: Calls, batch: Sequence[int], shape: tuple[int, ...], a: Array, b: Array, rank: int
) -> Array:
    left = calls.matrix(a)
    if shape != left.shape[-2:]:
        left = Memory(left.base, left.kind, shape, contiguous_strides(shape, calls.item), left.offset)
    if rank == 1:
        return _matrix_vector(calls, batch, left, calls.vector(b), False)
    right = calls.matrix(b)
    (m, k), n = shape, b.type.shape[-1]
    a_row, a_turned = rows(left, calls.item) or (0, False)
    b_row, b_turned = rows(right, calls.item) or (0, False)

    def arguments(to: Any, at: Any, bt: Any) -> list[Any]:
        first, second = [at, *sizes(a_row), flag(a_turned)], [bt, *sizes(b_row), flag(b_turned)]
        return [to, *sizes(n), *first, *second, *sizes(m, n, k), flag(False)]

    return calls.each("matmul", batch, [(left, 2), (right, 2)], arguments, m * n * k)


def _matrix_vector(calls: Calls, batch: Sequence[int], a: Memory, x: Memory, transposed: bool) -> Array:
    m, k = a.shape[-2:][:: -1 if transposed else 1]
    row, turned = rows(a, calls.item) or (0, False)
    x_step = step(x, calls.item) or 1

    def arguments(to: Any, at: Any, xt: Any) -> list[Any]:
        matrix = [at, *sizes(row), flag(turned != transposed)]
        return [to, *sizes(1), *matrix, xt, *sizes(x_step), *sizes(m, k), flag(False)]

    return calls.each("matvec", batch, [(a, 2), (x, 1)], arguments, m * k)


# --- factorizations and systems --------------------------------------------------------------------


@handler("cholesky")
def _cholesky(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    a = calls.square(low.array(record.inputs[0]))
    n, upper = a.shape[-1], flag(record.params["upper"])
    return calls.each("cholesky", a.shape[:-2], [(a, 2)], lambda to, at: [to, at, *sizes(n), upper], n**3)


@handler("inv", "inv_or_nan")
def _inv(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    a = calls.square(low.array(record.inputs[0]))
    n = a.shape[-1]
    scratch = calls.scratch(blas.scratch_size("inv", calls.kind, n))
    return calls.each(
        "inv", a.shape[:-2], [(a, 2)], lambda to, at: [to, at, *sizes(n), (scratch, 0)], n**3, [scratch]
    )


def _sides(calls: Calls, b: Array) -> tuple[Memory, int, tuple[int, ...], int]:
    """The right-hand sides in memory, how many axes of them belong to a matrix, the stack and the columns."""
    rank = min(len(b.type.shape), 2)
    batch = calls.out.shape[: len(calls.out.shape) - rank]
    return calls.contiguous(b), rank, batch, b.type.shape[-1] if rank == 2 else 1


@handler("solve")
def _solve(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    a = calls.square(low.array(record.inputs[0]))
    b, rank, batch, columns = _sides(calls, low.array(record.inputs[1]))
    n = a.shape[-1]
    scratch = calls.scratch(blas.scratch_size("solve", calls.kind, n, columns))
    return calls.each(
        "solve",
        batch,
        [(a, 2), (b, rank)],
        lambda to, at, bt: [to, at, bt, *sizes(n, columns), (scratch, 0)],
        n**3 + n * n * columns,
        [scratch],
    )


@handler("solve_triangular")
def _solve_triangular(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    a = calls.operand(
        low.array(record.inputs[0]), lambda m: (rows(m, calls.item) or (0, False))[0] == m.shape[-1]
    )
    b, rank, batch, columns = _sides(calls, low.array(record.inputs[1]))
    n = a.shape[-1]
    _, is_view = rows(a, calls.item) or (0, False)  # the transpose has the other triangle
    flags = [
        flag(record.params["lower"] != is_view),
        flag(record.params["transposed"] != is_view),
        flag(record.params["unit_diagonal"]),
    ]
    return calls.each(
        "solve_triangular",
        batch,
        [(a, 2), (b, rank)],
        lambda to, at, bt: [to, at, bt, *sizes(n, columns), *flags],
        n * n * columns,
    )


# --- the same by LU factors ------------------------------------------------------------------------


@handler("packed_lu")
def _packed_lu(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    a = calls.square(low.array(record.inputs[0]))
    n = a.shape[-1]
    return calls.each("packed_lu", a.shape[:-2], [(a, 2)], lambda to, at: [to, at, *sizes(n)], n**3)


@handler("packed_lu_solve")
def _packed_lu_solve(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    packed = calls.contiguous(low.array(record.inputs[0]))
    b, rank, batch, columns = _sides(calls, low.array(record.inputs[1]))
    n, turned = packed.shape[-1], flag(record.params["transposed"])
    scratch = calls.scratch(blas.scratch_size("packed_lu_solve", calls.kind, n, columns))
    return calls.each(
        "packed_lu_solve",
        batch,
        [(packed, 2), (b, rank)],
        lambda to, at, bt: [to, at, bt, *sizes(n, columns), turned, (scratch, 0)],
        n * n * columns,
        [scratch],
    )


@handler("packed_lu_inverse")
def _packed_lu_inverse(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    packed = calls.contiguous(low.array(record.inputs[0]))
    n = packed.shape[-1]
    scratch = calls.scratch(blas.scratch_size("packed_lu_inverse", calls.kind, n))
    found = calls.each(
        "packed_lu_inverse",
        packed.shape[:-2],
        [(packed, 2)],
        lambda to, at: [to, at, *sizes(n), (scratch, 0)],
        n**3,
        [scratch],
    )
    assert found.memory is not None
    return arrays.in_memory(found.type, arrays.view(found.memory, lambda a: a.swapaxes(-1, -2)), found.ready)


@handler("packed_lu_sign")
def _packed_lu_sign(low: Lowering, record: Record) -> Array:
    calls = Calls(low, record)
    packed = calls.contiguous(low.array(record.inputs[0]))
    n = packed.shape[-1]
    return calls.each("packed_lu_sign", calls.out.shape, [(packed, 2)], lambda to, at: [to, at, *sizes(n)], n)
