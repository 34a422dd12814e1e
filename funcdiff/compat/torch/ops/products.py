"""Products of tensors."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import applied, bilinear, call, composed, composite, deliver, method
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch._views import in_place, view
from funcdiff.compat.torch.ops.arithmetic import mul
from funcdiff.compat.torch.ops.shapes import as_column, reshape, unsqueeze
from funcdiff.core.primitive import REGISTRY
from funcdiff.numpy.subscripts import explicit_subscripts
from funcdiff.primitives.shape import reshape as p_reshape

_matmul = REGISTRY["matmul"].function
_Mm, _Mv, _Dot, _Bmm = (applied(n) for n in ("MmBackward0", "MvBackward0", "DotBackward0", "BmmBackward0"))


_dot = np.ndarray.dot
"""The product of vectors and matrices, at half the time `matmul` takes to begin."""


def _same_type(*tensors: Any) -> None:
    first = tensors[0].value.dtype
    for x in tensors[1:]:
        if x.value.dtype != first:
            a, b = (_spoken(t) for t in (tensors[0], x))
            raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {a} != {b}")


def _spoken(x: Any) -> str:
    return str(
        {"Long": "long long", "Byte": "unsigned char"}.get(x.dtype.type_name, x.dtype.type_name.lower())
    )


def _mm(a: Any, b: Any) -> Any:
    m, n = a.value.shape, b.value.shape
    if m[1] != n[0]:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({m[0]}x{m[1]} and {n[0]}x{n[1]})")
    _same_type(a, b)
    return bilinear(_Mm, _matmul, a, b, _dot)


def mm(input: Tensor, mat2: Tensor, *, out: Any = None) -> Any:
    """As `torch.mm`."""
    if input.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    return deliver(_mm(input, mat2), out)


method(mm)


@method
def mv(input: Tensor, vec: Tensor) -> Any:
    """As `torch.mv`."""
    m, n = input.value.shape, vec.value.shape
    if len(m) != 2 or len(n) != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {1}, {len(m)}, {len(n)}")
    if m[1] != n[0]:
        raise RuntimeError(f"size mismatch, got input ({m[0]}), mat ({m[0]}x{m[1]}), vec ({n[0]})")
    _same_type(input, vec)
    return bilinear(_Mv, _matmul, input, vec, _dot)


@method
def dot(input: Tensor, tensor: Tensor) -> Any:
    """As `torch.dot`."""
    m, n = input.value.shape, tensor.value.shape
    if len(m) != 1 or len(n) != 1:
        raise RuntimeError(f"1D tensors expected, but got {len(m)}D and {len(n)}D tensors")
    if m != n:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{m[0]}] and src [{n[0]}] to have the same number of elements, but got "
            f"{m[0]} and {n[0]} elements respectively"
        )
    if input.value.dtype != tensor.value.dtype:
        a, b = (x.dtype.type_name for x in (input, tensor))
        raise RuntimeError(f"dot : expected both vectors to have same dtype, but found {a} and {b}")
    return bilinear(_Dot, _matmul, input, tensor, _dot)


inner_vectors = dot


@method
def vdot(input: Tensor, other: Tensor) -> Any:
    """As `torch.vdot`."""
    return dot(input.conj(), other)


@method
def bmm(input: Tensor, mat2: Tensor) -> Any:
    """As `torch.bmm`."""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor" if input.ndim != 3 else "batch2 must be a 3D tensor")
    m, n = input.value.shape, mat2.value.shape
    if m[0] != n[0] or m[2] != n[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{m[0]}, {m[2]}] but got: [{n[0]}, {n[1]}]."
        )
    return bilinear(_Bmm, _matmul, input, mat2)


_Matmul = applied("UnsafeViewBackward0")
_PRODUCTS = {(2, 2): _Mm, (2, 1): _Mv, (1, 1): _Dot}


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """As `torch.matmul`."""
    if not isinstance(other, Tensor) or not isinstance(input, Tensor):
        return NotImplemented
    x, y = input.value, other.value
    m, n = len(x.shape), len(y.shape)
    cls = _PRODUCTS.get((m, n))
    if cls is not None and x.dtype is y.dtype and x.shape[-1] == y.shape[0]:
        product = bilinear(cls, _matmul, input, other, _dot)
        return product if out is None else deliver(product, out)
    if m == 0 or n == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D")
    if m == 2 and n == 2:
        return deliver(_mm(input, other), out)
    if m == 1 and n == 1:
        return deliver(dot(input, other), out)
    if m == 2 and n == 1:
        return deliver(mv(input, other), out)
    a, b = input.value.shape, other.value.shape
    if a[-1] != b[-2 if n > 1 else 0]:
        if m == 1:
            rows = (1, a[0])
        else:
            rows = (math.prod(a[:-1]), a[-1])
        columns = (b[-2], b[-1]) if n > 1 else (b[0], 1)
        if m > 2 and n > 2:
            lead = math.prod(np.broadcast_shapes(a[:-2], b[:-2]))
            raise RuntimeError(
                f"Expected size for first two dimensions of batch2 tensor to be: [{lead}, {a[-1]}] but got: [{lead}, {b[-2]}]."
            )
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows[0]}x{rows[1]} and {columns[0]}x{columns[1]})"
        )
    _same_type(input, other)
    if m == 1 and n == 2:
        return deliver(squeeze_row(_mm(unsqueeze(input, 0), other)), out)
    return deliver(bilinear(_Bmm if n > 2 and m > 2 else _Matmul, _matmul, input, other), out)


def squeeze_row(x: Any) -> Any:
    """Drop the first axis of a product with one row."""
    return view(_SqueezeRow, p_reshape, {"shape": x.value.shape[1:]}, x)


_SqueezeRow = node_class("SqueezeBackward4")

method(matmul, "matmul", "__matmul__")
method(lambda self, other: matmul(other, self), "__rmatmul__")


def _affine(node: str, left: int) -> Any:
    cls = composed(node)

    def affine(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
        m, n = mat1.value.shape, mat2.value.shape
        if len(m) == 2 and len(n) == 2 and m[1] != n[0]:
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({m[0]}x{m[1]} and {n[0]}x{n[1]})")

        def compute(x: Any, a: Any, b: Any) -> Any:
            product = a @ b
            product = product if alpha == 1 else alpha * product
            return product + (x if beta == 1 else beta * x)

        return deliver(composite(cls, compute, (input, mat1, mat2)), out)

    return affine


addmm = _affine("AddmmBackward0", 2)
addmv = _affine("AddmvBackward0", 1)
baddbmm = _affine("BaddbmmBackward0", 3)
method(addmm, "addmm")
method(addmv, "addmv")
method(baddbmm, "baddbmm")
addmm_ = in_place(addmm, "addmm_")
addmv_ = in_place(addmv, "addmv_")


@method
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """As `torch.addr`."""
    return beta * input + alpha * outer(vec1, vec2)


@method
def outer(input: Tensor, vec2: Tensor) -> Any:
    """As `torch.outer`."""
    x, y = input.value, vec2.value
    if x.ndim != 1 or y.ndim != 1:
        raise RuntimeError(
            f"outer: Expected 1-D argument {'self' if x.ndim != 1 else 'vec2'}, but got {y.ndim if x.ndim == 1 else x.ndim}-D"
        )
    if type(x) is not np.ndarray:
        return reshape(input, -1, 1) * vec2
    return mul(as_column(input), vec2)


ger = method(outer, "outer", "ger")


@method
def inner(input: Tensor, other: Tensor) -> Any:
    """As `torch.inner`."""
    if not input.ndim or not other.ndim:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


def einsum(equation: str, *operands: Any) -> Any:
    """As `torch.einsum`."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    ins, arrow, out_letters = equation.replace(" ", "").partition("->")
    for letter in out_letters if arrow else "":
        if letter not in ins and letter != ".":
            raise RuntimeError(
                f"einsum(): output subscript {letter} does not appear in the equation for any input operand"
            )
    subscripts = _explicit(equation, tuple([len(x.value.shape) for x in operands]))
    out = call(_Einsum, _einsum, operands, {"subscripts": subscripts, "optimize": False})
    if len(operands) == 1 and type(out.value) is np.ndarray and out.value.base is not None:
        out.value = out.value.copy()  # NumPy makes a view of a permutation or a diagonal
    return out


_Einsum, _einsum = applied("ViewBackward0"), REGISTRY["einsum"].function


@lru_cache(maxsize=4096)
def _explicit(equation: str, ranks: tuple[int, ...]) -> str:
    return explicit_subscripts(equation.replace(" ", ""), list(ranks))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Any:
    """As `torch.tensordot`."""
    return composite(composed("ViewBackward0"), lambda x, y: fnp.tensordot(x, y, dims), (a, b))


@method
def kron(input: Tensor, other: Tensor) -> Any:
    """As `torch.kron`."""
    return composite(composed("UnsafeViewBackward0"), fnp.kron, (input, other))


@method
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Any:
    """As `torch.cross`."""
    axis = -1 if dim is None else dim
    return composite(
        composed("LinalgCrossBackward0"), lambda x, y: fnp.cross(x, y, axis=axis), (input, other)
    )


@method
def trace(input: Tensor) -> Any:
    """As `torch.trace`."""
    if input.ndim != 2:
        raise RuntimeError("trace: expected a matrix")
    return composite(composed("TraceBackward0"), lambda x: fnp.trace(x), (input,))


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0) -> Any:
    """As `torch.cdist`."""

    def compute(x: Any, y: Any) -> Any:
        gap = fnp.expand_dims(x, -2) - fnp.expand_dims(y, -3)
        return fnp.linalg.vector_norm(gap, axis=-1, ord=p)

    return composite(composed("CdistBackward0"), compute, (x1, x2))


def chain_matmul(*matrices: Any) -> Any:
    """As `torch.chain_matmul`."""
    return multi_dot(matrices)


def multi_dot(tensors: Any) -> Any:
    """As `torch.linalg.multi_dot`."""
    return composite(composed("MmBackward0"), lambda *m: fnp.linalg.multi_dot(list(m)), tuple(tensors))
