"""More of `torch.linalg`: triangular systems, solutions by a Cholesky factor, inverses of tensors, old names."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from funcdiff.compat.torch._apply import composed, composite, method
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops import linalg
from funcdiff.core.primitive import REGISTRY
from funcdiff.numpy import swapaxes


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """As `torch.linalg.solve_triangular`: the other triangle of `A` is not read."""
    n = A.shape[-1]
    keep = (
        np.triu(np.ones((n, n), bool), int(unitriangular))
        if upper
        else np.tril(np.ones((n, n), bool), -int(unitriangular))
    )
    ones = np.eye(n) if unitriangular else 0.0
    where = REGISTRY["where"].function

    def compute(a: Any, b: Any) -> Any:
        m = where(keep, a, np.asarray(ones, a.dtype))
        if left:
            return solve(m, b)
        return swapaxes(solve(swapaxes(m, -1, -2), swapaxes(b, -1, -2)), -1, -2) + 0

    from funcdiff.numpy.linalg import solve

    return composite(composed("LinalgSolveTriangularBackward0"), compute, (A, B))


@method
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Any:
    """As `torch.cholesky_solve`: of the matrix with this Cholesky factor."""
    if upper:
        return solve_triangular(L, solve_triangular(L.mH, input, upper=False), upper=True)
    return solve_triangular(L.mH, solve_triangular(L, input, upper=False), upper=True)


@method
def cholesky_inverse(L: Tensor, upper: bool = False) -> Any:
    """As `torch.cholesky_inverse`."""
    return cholesky_solve(wrap(np.eye(L.shape[-1], dtype=L.value.dtype)), L, upper)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Any:
    """As `torch.linalg.vecdot`."""
    return (x.conj() * y).sum(dim) if x.is_complex() else (x * y).sum(dim)


def tensorinv(A: Tensor, ind: int = 2) -> Any:
    """As `torch.linalg.tensorinv`."""
    before, after = A.shape[:ind], A.shape[ind:]
    n = math.prod(before)
    if n != math.prod(after):
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {math.prod(after)} != {n}"
        )
    return linalg.inv(A.reshape(n, n)).reshape(*after, *before)


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Any:
    """As `torch.linalg.tensorsolve`."""
    if dims is not None:
        A = A.movedim(list(dims), list(range(A.ndim - len(dims), A.ndim)))
    shape = A.shape[B.ndim :]
    n = math.prod(shape)
    return linalg.solve(A.reshape(B.numel(), n), B.reshape(-1)).reshape(*shape)


def vander(x: Tensor, N: int | None = None) -> Any:
    """As `torch.linalg.vander`: powers from the zeroth."""
    return x.unsqueeze(-1) ** wrap(np.arange(x.shape[-1] if N is None else N))


class old_svd(NamedTuple):
    """What `torch.svd` returns: V itself, not its transpose."""

    U: Any
    S: Any
    V: Any


@method
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """As `torch.svd`."""
    u, s, vh = linalg.svd(input, full_matrices=not some)
    return old_svd(u, s, vh.mH)


@method
def qr(input: Tensor, some: bool = True) -> Any:
    """As `torch.qr`."""
    return linalg.qr(input, "reduced" if some else "complete")


linalg.solve_triangular, linalg.vecdot, linalg.vander = solve_triangular, vecdot, vander
linalg.tensorinv, linalg.tensorsolve = tensorinv, tensorsolve
method(linalg.matrix_exp, "matrix_exp")
method(linalg.pinv, "pinverse")
