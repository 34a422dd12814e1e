"""Products of tensors and `torch.linalg`."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import applied, bilinear, call, composed, composite, deliver, method
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch._views import in_place, view
from funcdiff.compat.torch.ops import reductions
from funcdiff.compat.torch.ops.arithmetic import mul
from funcdiff.compat.torch.ops.shapes import as_column, reshape, unsqueeze
from funcdiff.core.primitive import REGISTRY
from funcdiff.numpy.subscripts import explicit_subscripts
from funcdiff.primitives.shape import reshape as p_reshape

_matmul = REGISTRY["matmul"].function
_Mm, _Mv, _Dot, _Bmm = (applied(n) for n in ("MmBackward0", "MvBackward0", "DotBackward0", "BmmBackward0"))


_dot = np.ndarray.dot
"""The product of vectors and matrices, at half the time `matmul` takes to begin."""


class _LinAlgError(RuntimeError):
    """A factorization or a solution does not exist."""


LinAlgError = _LinAlgError


def _batch(a: Any, fails: Any) -> tuple[str, Any]:
    """Return which matrix of a stack is the first that fails, as words, and the matrix."""
    x = a.value
    if x.ndim == 2:
        return "", x
    for n, m in enumerate(x.reshape(-1, *x.shape[-2:])):
        if fails(m):
            return f"(Batch element {n}): ", m
    return "", x.reshape(-1, *x.shape[-2:])[0]


def _zero_pivot(m: Any) -> int:
    """Return the number, from 1, of the first zero on the diagonal of the upper factor."""
    from scipy.linalg import lu_factor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pivots = np.diagonal(lu_factor(m)[0])
    return int(np.argmax(pivots == 0)) + 1


def _bad_minor(m: Any) -> int:
    """Return the order of the first leading minor that is not positive."""
    for k in range(1, len(m) + 1):
        try:
            np.linalg.cholesky(m[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


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


# --- torch.linalg --------------------------------------------------------------------------------------------


def _square(name: str, A: Any) -> None:
    shape = A.value.shape
    if len(shape) < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions.")
    if shape[-1] != shape[-2]:
        raise RuntimeError(
            f"linalg.{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )


def inv(A: Tensor, *, out: Any = None) -> Any:
    """As `torch.linalg.inv`."""
    _square("inv", A)
    try:
        return deliver(composite(composed("LinalgInvExBackward0"), fnp.linalg.inv, (A,)), out)
    except np.linalg.LinAlgError:
        where, m = _batch(A, lambda m: np.linalg.det(m) == 0)
        raise LinAlgError(
            f"linalg.inv: {where}The diagonal element {_zero_pivot(m)} is zero, the inversion could not be completed because the "
            "input matrix is singular."
        ) from None


inverse = method(inv, "inverse")


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Any:
    """As `torch.linalg.solve`."""
    _square("solve", A)
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.value.shape == A.value.shape[:-1])

    def compute(a: Any, b: Any) -> Any:
        if not left:
            return (
                fnp.swapaxes(fnp.linalg.solve(fnp.swapaxes(a, -1, -2), fnp.swapaxes(b, -1, -2)), -1, -2) + 0
            )
        if vector:
            return fnp.linalg.solve(a, b[..., None])[..., 0] + 0
        return fnp.linalg.solve(a, b)

    try:
        return composite(composed("LinalgSolveExBackward0"), compute, (A, B))
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "torch.linalg.solve: The solver failed because the input matrix is singular."
        ) from None


def det(A: Tensor) -> Any:
    """As `torch.linalg.det`."""
    _square("det", A)
    return composite(composed("LinalgDetBackward0"), fnp.linalg.det, (A,))


method(det)


class slogdet_result(NamedTuple):
    """Sign and logarithm of the size of a determinant."""

    sign: Any
    logabsdet: Any


def slogdet(A: Tensor) -> Any:
    """As `torch.linalg.slogdet`."""
    _square("slogdet", A)
    return slogdet_result(
        *composite(composed("LinalgSlogdetBackward0"), lambda a: tuple(fnp.linalg.slogdet(a)), (A,))
    )


method(slogdet)


@method
def logdet(input: Tensor) -> Any:
    """As `torch.logdet`."""

    def compute(a: Any) -> Any:
        sign, size = fnp.linalg.slogdet(a)
        return fnp.where(sign < 0, math.nan, size)

    return composite(composed("WhereBackward0"), compute, (input,))


@method
def cholesky(A: Tensor, upper: bool = False) -> Any:
    """As `torch.linalg.cholesky`."""
    _square("cholesky", A)
    try:
        return composite(
            composed("LinalgCholeskyExBackward0"), lambda a: fnp.linalg.cholesky(a, upper=upper) + 0, (A,)
        )
    except np.linalg.LinAlgError:
        where, m = _batch(A, _bad_minor)
        raise LinAlgError(
            f"linalg.cholesky: {where}The factorization could not be completed because the input is not positive-definite (the "
            f"leading minor of order {_bad_minor(m)} is not positive-definite)."
        ) from None


class eigh_result(NamedTuple):
    """Eigenvalues and eigenvectors."""

    eigenvalues: Any
    eigenvectors: Any


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """As `torch.linalg.eigh`."""
    _square("eigh", A)
    return eigh_result(
        *composite(composed("LinalgEighBackward0"), lambda a: tuple(fnp.linalg.eigh(a, UPLO)), (A,))
    )


def eigvalsh(A: Tensor, UPLO: str = "L") -> Any:
    """As `torch.linalg.eigvalsh`."""
    _square("eigvalsh", A)
    return composite(composed("LinalgEighBackward0"), lambda a: fnp.linalg.eigvalsh(a, UPLO), (A,))


def eig(A: Tensor) -> Any:
    """As `torch.linalg.eig`."""
    _square("eig", A)
    made = np.result_type(A.value.dtype, np.complex64)
    return eigh_result(
        *composite(
            composed("LinalgEigBackward0"),
            lambda a: tuple(fnp.linalg.eig(REGISTRY["astype"].function(a, dtype=made))),
            (A,),
        )
    )


def eigvals(A: Tensor) -> Any:
    """As `torch.linalg.eigvals`."""
    return eig(A)[0]


class svd_result(NamedTuple):
    """A singular value decomposition."""

    U: Any
    S: Any
    Vh: Any


def svd(A: Tensor, full_matrices: bool = True) -> Any:
    """As `torch.linalg.svd`."""
    return svd_result(
        *composite(composed("LinalgSvdBackward0"), lambda a: tuple(fnp.linalg.svd(a, full_matrices)), (A,))
    )


def svdvals(A: Tensor) -> Any:
    """As `torch.linalg.svdvals`."""
    return composite(composed("LinalgSvdBackward0"), fnp.linalg.svdvals, (A,))


class qr_result(NamedTuple):
    """A QR decomposition."""

    Q: Any
    R: Any


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """As `torch.linalg.qr`."""
    return qr_result(*composite(composed("LinalgQrBackward0"), lambda a: tuple(fnp.linalg.qr(a, mode)), (A,)))


def pinv(A: Tensor, *, rtol: Any = None, hermitian: bool = False) -> Any:
    """As `torch.linalg.pinv`."""
    return composite(
        composed("LinalgPinvBackward0"), lambda a: fnp.linalg.pinv(a, rtol, hermitian=hermitian), (A,)
    )


pinverse = pinv


class lstsq_result(NamedTuple):
    """A least-squares solution."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def lstsq(A: Tensor, B: Tensor, rcond: Any = None) -> Any:
    """As `torch.linalg.lstsq`, for one system; the solution is differentiable."""

    def compute(a: Any, b: Any) -> Any:
        return fnp.linalg.lstsq(a, b, rcond)[0]

    from funcdiff.compat.torch._tensor import plain, wrap

    rank = np.linalg.matrix_rank(plain(A))
    empty = wrap(np.zeros(0, A.value.dtype))
    return lstsq_result(
        composite(composed("LinalgLstsqBackward0"), compute, (A, B)), empty, wrap(np.asarray(rank)), empty
    )


def matrix_power(A: Tensor, n: int) -> Any:
    """As `torch.linalg.matrix_power`."""
    return composite(composed("MmBackward0"), lambda a: fnp.linalg.matrix_power(a, n), (A,))


method(matrix_power)


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False) -> Any:
    """As `torch.linalg.matrix_rank`."""
    from funcdiff.compat.torch._apply import constant

    return constant(lambda a: np.linalg.matrix_rank(a, tol, hermitian), (A,))


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """As `torch.linalg.norm`."""
    if ord is None:
        return reductions.vector_norm(A, 2, dim, keepdim, dtype=dtype)
    dims = 1 if isinstance(dim, int) else A.ndim if dim is None else len(dim)
    if dims == 1:
        return reductions.vector_norm(A, ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim)


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    """As `torch.linalg.matrix_norm`."""
    if ord == "fro":
        return reductions.vector_norm(A, 2, dim, keepdim)
    return composite(
        composed("LinalgMatrixNormBackward0"),
        lambda a: fnp.linalg.norm(a, ord, axis=tuple(dim), keepdims=keepdim),
        (A,),
    )


vector_norm = reductions.vector_norm


def cond(A: Tensor, p: Any = None) -> Any:
    """As `torch.linalg.cond`."""
    return composite(composed("LinalgCondBackward0"), lambda a: fnp.linalg.cond(a, p), (A,))


def matrix_exp(A: Tensor) -> Any:
    """As `torch.matrix_exp`, where `funcdiff.scipy.linalg` has it."""
    from funcdiff.compat.torch._errors import unsupported

    try:
        from funcdiff.scipy import linalg as scipy_linalg  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        raise unsupported("matrix_exp", "Write it with eigh where the matrix is symmetric.") from None
    return composite(composed("LinalgMatrixExpBackward0"), scipy_linalg.expm, (A,))


def __getattr__(name: str) -> Any:
    return refuse("linalg", name)
