"""Functions of matrices in `scipy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from funcdiff import errors
from funcdiff.core.recording import concrete
from funcdiff.numpy._arguments import UNSET, given, unsupported_keyword
from funcdiff.numpy.matrix_products import matrix_power
from funcdiff.primitives.linalg import eigen
from funcdiff.primitives.linalg import matrix_functions as functions
from funcdiff.primitives.linalg.common import imaginary_part, real_part
from funcdiff.primitives.linalg.solve import inv, solve
from funcdiff.primitives.product import matmul, row
from funcdiff.scipy._protocol import as_installed, double, follows, over_stacks, plain, square


def _refuse_disp(name: str, disp: Any) -> None:
    if given(disp) and not disp:
        raise unsupported_keyword(f"scipy.linalg.{name}", "disp=False", "Leave it out.")


@follows(sl.expm)
def expm(A: Any) -> Any:
    """Exponential of a matrix."""
    return functions.expm(square(A))


@follows(sl.expm_frechet)
def expm_frechet(
    A: Any, E: Any, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """Fréchet derivative of the exponential at `A` in the direction `E`, after the exponential if asked."""
    A, E = square(A, check_finite), square(E, check_finite)
    if A.shape[-1] != E.shape[-1]:
        raise ValueError("expected A and E to be the same shape")
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"Unknown implementation {method}")
    A, E = double(A), double(E)
    derivative = functions.expm_derivative(A, E)
    return (functions.expm(A), derivative) if compute_expm else derivative


@follows(sl.expm_cond)
@over_stacks(2)
def expm_cond(A: Any, check_finite: bool = True) -> Any:
    """Relative condition number of the exponential."""
    A = square(A, check_finite)
    n = A.shape[-1]
    units = np.eye(n * n, dtype=A.dtype).reshape(n * n, n, n)
    slopes = functions.expm_derivative(A, units).reshape(n * n, n * n)
    return np.linalg.norm(slopes, 2) * np.linalg.norm(A) / np.linalg.norm(functions.expm(A))


@follows(sl.logm)
@as_installed(sl.logm)
def logm(A: Any, disp: Any = UNSET) -> Any:
    """Principal logarithm of a matrix."""
    _refuse_disp("logm", disp)
    return functions.logm(square(A))


@follows(sl.sqrtm)
@as_installed(sl.sqrtm)
def sqrtm(A: Any, disp: Any = UNSET, blocksize: Any = UNSET) -> Any:
    """Principal square root of a matrix."""
    _refuse_disp("sqrtm", disp)
    return functions.sqrtm(square(A))


@follows(sl.signm)
@as_installed(sl.signm)
def signm(A: Any, disp: Any = UNSET) -> Any:
    """Sign of a matrix."""
    _refuse_disp("signm", disp)
    return functions.signm(square(A))


@follows(sl.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """Principal power of a matrix, differentiable in the exponent too."""
    A = square(A)
    if not plain(t):
        return functions.expm(np.multiply(t, functions.logm(A)))
    power = float(t)
    if power.is_integer():
        return matrix_power(A, int(power))
    return functions.fractional_matrix_power(A, power=power)


# --- of the exponential ---------------------------------------------------------------------------------------


def _as_real(out: Any, A: Any) -> Any:
    """Return a real matrix for a real one."""
    return out if A.dtype.kind == "c" else real_part(out)


def _turn(A: Any) -> Any:
    """Return ``exp(iA)``."""
    return functions.expm(A * 1j)


@follows(sl.cosm)
def cosm(A: Any) -> Any:
    """Cosine of a matrix."""
    A = square(A)
    if A.dtype.kind == "c":
        return (functions.expm(A * 1j) + functions.expm(A * -1j)) * 0.5
    return real_part(_turn(A))


@follows(sl.sinm)
def sinm(A: Any) -> Any:
    """Sine of a matrix."""
    A = square(A)
    if A.dtype.kind == "c":
        return (functions.expm(A * 1j) - functions.expm(A * -1j)) * -0.5j
    return imaginary_part(_turn(A))


@follows(sl.tanm)
def tanm(A: Any) -> Any:
    """Tangent of a matrix."""
    return _as_real(solve(cosm(A), sinm(A)), square(A))


@follows(sl.coshm)
def coshm(A: Any) -> Any:
    """Hyperbolic cosine of a matrix."""
    A = square(A)
    return (functions.expm(A) + functions.expm(-A)) * 0.5


@follows(sl.sinhm)
def sinhm(A: Any) -> Any:
    """Hyperbolic sine of a matrix."""
    A = square(A)
    return (functions.expm(A) - functions.expm(-A)) * 0.5


@follows(sl.tanhm)
def tanhm(A: Any) -> Any:
    """Hyperbolic tangent of a matrix."""
    return solve(coshm(A), sinhm(A))


# --- of any scalar function ------------------------------------------------------------------------------------


@follows(sl.funm)
@over_stacks(2)
def funm(A: Any, func: Any, disp: bool = True) -> Any:
    """Function of a matrix with distinct eigenvalues, ``v @ diag(func(w)) @ inv(v)``.

    At a repeated eigenvalue the derivative needs that of `func`, so it raises there.
    """
    if not disp:
        raise unsupported_keyword("scipy.linalg.funm", "disp=False", "Leave it out.")
    A = square(A)
    w, v = eigen.eig(A)
    values = np.asarray(concrete(w))
    gaps = np.abs(values[:, None] - values) + np.diag(np.full(len(values), np.inf))
    size = np.abs(values).max(initial=0)
    if np.any(gaps <= size * np.finfo(values.dtype).eps ** 0.5):
        raise errors.UnsupportedError(
            errors.at_user_line(
                "scipy.linalg.funm of a traced matrix with (nearly) repeated eigenvalues has no derivative here. Use "
                "the function's own name if there is one (expm, logm, sqrtm, cosm, ...), or a power series."
            )
        )
    out = matmul(v * row(func(w)), inv(v))
    if A.dtype.kind != "c" and out.dtype.kind == "c":
        found = np.asarray(concrete(out))
        tol = 1e3 * np.finfo(found.real.dtype).eps
        if np.allclose(found.imag, 0.0, atol=tol * (1 + np.abs(found).max(initial=0))):
            return real_part(out)
    return out


@follows(sl.khatri_rao)
@over_stacks(2, 2)
def khatri_rao(a: Any, b: Any) -> Any:
    """Kronecker products of the columns of two matrices."""
    if a.shape[1] != b.shape[1]:
        raise ValueError("The number of columns for both arrays should be equal.")
    return (a[:, None, :] * b[None, :, :]).reshape(-1, a.shape[1])


__all__ = [
    "coshm",
    "cosm",
    "expm",
    "expm_cond",
    "expm_frechet",
    "fractional_matrix_power",
    "funm",
    "khatri_rao",
    "logm",
    "signm",
    "sinhm",
    "sinm",
    "sqrtm",
    "tanhm",
    "tanm",
]
