"""The functions of `scipy.special` that are not ufuncs."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import scipy.special as _sp

from funcdiff import errors
from funcdiff.core.primitive import Function
from funcdiff.numpy import reductions
from funcdiff.numpy._arguments import as_array, axes_of, unsupported_keyword
from funcdiff.primitives import elementwise
from funcdiff.primitives.comparison import isfinite
from funcdiff.primitives.exponential import logaddexp
from funcdiff.primitives.selection import where
from funcdiff.primitives.shape import stack
from funcdiff.primitives.special import bessel, gamma, orthogonal, spherical, spherical_harmonics
from funcdiff.primitives.special import exponential_integrals as integrals
from funcdiff.primitives.trigonometric import cos
from funcdiff.primitives.trigonometric import sinc as primitive_sinc
from funcdiff.scipy._protocol import follows
from funcdiff.transforms.stop import stopped


def _plain_integer(name: str, argument: str, n: Any) -> int:
    try:
        return operator.index(n)
    except TypeError:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"scipy.special.{name} of a traced array takes a Python integer for {argument}."
            )
        ) from None


# --- gamma functions --------------------------------------------------------------------------------------


@follows(_sp.polygamma)
def polygamma(n: Any, x: Any) -> Any:
    """As `scipy.special.polygamma`, differentiable in `x`."""
    return gamma.polygamma(n, as_array(x))


@follows(_sp.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """As `scipy.special.zeta`, differentiable in both arguments."""
    if out is not None:
        raise unsupported_keyword("scipy.special.zeta", "out=", "Assign the result.")
    return gamma.riemann_zeta(as_array(x)) if q is None else gamma.zeta(as_array(x), as_array(q))


@follows(_sp.multigammaln)
def multigammaln(a: Any, d: Any) -> Any:
    """As `scipy.special.multigammaln`, differentiable in `a`."""
    d = _plain_integer("multigammaln", "d", d)
    a = as_array(a)
    terms = [gamma.gammaln(a - j / 2) for j in range(d)]
    return sum(terms[1:], terms[0]) + d * (d - 1) / 4 * math.log(math.pi)


@follows(_sp.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """As `scipy.special.comb`, differentiable in real `N` and `k`; `exact` is of whole numbers."""
    _not_exact("comb", exact)
    N, k = as_array(N), as_array(k)
    if repetition:
        N = N + k - 1
    return where((k <= N) & (N >= 0) & (k >= 0), gamma.binom(N, k), 0.0)


@follows(_sp.perm)
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """As `scipy.special.perm`, differentiable in real `N` and `k`; `exact` is of whole numbers."""
    _not_exact("perm", exact)
    N, k = as_array(N), as_array(k)
    return where((k <= N) & (N >= 0) & (k >= 0), gamma.poch(N - k + 1, k), 0.0)


@follows(_sp.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """As `scipy.special.factorial`, differentiable in real `n`; `exact` is of whole numbers."""
    _not_exact("factorial", exact)
    n = as_array(n)
    if extend == "complex":
        return gamma.gamma(n + 1)
    inside = n >= 0
    return where(inside, gamma.gamma(where(inside, n, 0.0) + 1), 0.0)


def _not_exact(name: str, exact: bool) -> None:
    if exact:
        raise unsupported_keyword(
            f"scipy.special.{name}", "exact=True", "It is of whole numbers: leave it out."
        )


# --- elementary -----------------------------------------------------------------------------------------------


@follows(_sp.sinc)
def sinc(x: Any) -> Any:
    """As `numpy.sinc`, differentiable."""
    return primitive_sinc(as_array(x), order=0)


@follows(_sp.softplus)
def softplus(x: Any, **kwargs: Any) -> Any:
    """As `scipy.special.softplus`, differentiable."""
    for keyword in kwargs:
        raise unsupported_keyword("scipy.special.softplus", f"{keyword}=", "Leave it out.")
    return logaddexp(as_array(x), 0.0)


@follows(_sp.diric)
def diric(x: Any, n: Any) -> Any:
    """As `scipy.special.diric`, differentiable in `x`: the mean of n cosines, without a quotient of zeros."""
    n = _plain_integer("diric", "n", n)
    x = as_array(x)
    if n <= 0:
        return x * np.nan
    terms = [cos((n - 1 - 2 * k) / 2 * x) for k in range(n)]
    return sum(terms[1:], terms[0]) / n


@follows(_sp.lambertw)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """As `scipy.special.lambertw`, differentiable in `z`; complex, as there."""
    return integrals.lambertw(as_array(z), np.asarray(k, np.dtype("long")), tol=float(tol))


# --- Bessel functions -------------------------------------------------------------------------------------------


def _derivative(f: Function, v: Any, z: Any, n: Any, name: str, sign: int) -> Any:
    """Derivative of order n wrt z (DLMF 10.6.7, 10.29.5)."""
    n = _plain_integer(name, "n", n)
    if n < 0:
        raise ValueError("n must be a non-negative integer")
    v, z = as_array(v), as_array(z)
    terms = [sign**i * math.comb(n, i) * f(v - n + 2 * i, z) for i in range(n + 1)]
    return sum(terms[1:], terms[0]) / 2**n


@follows(_sp.jvp)
def jvp(v: Any, z: Any, n: int = 1) -> Any:
    """As `scipy.special.jvp`, differentiable."""
    return _derivative(bessel.jv, v, z, n, "jvp", -1)


@follows(_sp.yvp)
def yvp(v: Any, z: Any, n: int = 1) -> Any:
    """As `scipy.special.yvp`, differentiable."""
    return _derivative(bessel.yv, v, z, n, "yvp", -1)


@follows(_sp.ivp)
def ivp(v: Any, z: Any, n: int = 1) -> Any:
    """As `scipy.special.ivp`, differentiable."""
    return _derivative(bessel.iv, v, z, n, "ivp", 1)


@follows(_sp.kvp)
def kvp(v: Any, z: Any, n: int = 1) -> Any:
    """As `scipy.special.kvp`, differentiable."""
    return (-1) ** n * _derivative(bessel.kv, v, z, n, "kvp", 1)


@follows(_sp.h1vp)
def h1vp(v: Any, z: Any, n: int = 1) -> Any:
    """As `scipy.special.h1vp`, differentiable."""
    return _derivative(bessel.hankel1, v, z, n, "h1vp", -1)


@follows(_sp.h2vp)
def h2vp(v: Any, z: Any, n: int = 1) -> Any:
    """As `scipy.special.h2vp`, differentiable."""
    return _derivative(bessel.hankel2, v, z, n, "h2vp", -1)


def _spherical(value: Function, slope: Function, n: Any, z: Any, derivative: bool) -> Any:
    n = np.asarray(n, np.dtype("long"))[()]
    return (slope if derivative else value)(n, as_array(z))


@follows(_sp.spherical_jn)
def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Any:
    """As `scipy.special.spherical_jn`, differentiable in `z`."""
    return _spherical(spherical.jn, spherical.jn_slope, n, z, derivative)


@follows(_sp.spherical_yn)
def spherical_yn(n: Any, z: Any, derivative: bool = False) -> Any:
    """As `scipy.special.spherical_yn`, differentiable in `z`."""
    return _spherical(spherical.yn, spherical.yn_slope, n, z, derivative)


@follows(_sp.spherical_in)
def spherical_in(n: Any, z: Any, derivative: bool = False) -> Any:
    """As `scipy.special.spherical_in`, differentiable in `z`."""
    return _spherical(spherical.in_, spherical.in_slope, n, z, derivative)


@follows(_sp.spherical_kn)
def spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """As `scipy.special.spherical_kn`, differentiable in `z`."""
    return _spherical(spherical.kn, spherical.kn_slope, n, z, derivative)


# --- orthogonal functions ---------------------------------------------------------------------------------------------


@follows(_sp.assoc_laguerre)
def assoc_laguerre(x: Any, n: Any, k: Any = 0.0) -> Any:
    """As `scipy.special.assoc_laguerre`, differentiable in real arguments."""
    return orthogonal.eval_genlaguerre(n, k, as_array(x))


def _one_derivative(name: str, diff_n: int) -> None:
    if diff_n:
        raise unsupported_keyword(f"scipy.special.{name}", "diff_n=", "Differentiate the function instead.")


@follows(_sp.legendre_p)
def legendre_p(n: Any, z: Any, *, diff_n: int = 0) -> Any:
    """As `scipy.special.legendre_p`, differentiable in `z`; with the axis for `diff_n` in front."""
    _one_derivative("legendre_p", diff_n)
    return stack(orthogonal.eval_legendre(np.asarray(n)[()], as_array(z)), axis=0)


@follows(_sp.assoc_legendre_p)
def assoc_legendre_p(
    n: Any, m: Any, z: Any, *, branch_cut: int = 2, norm: bool = False, diff_n: int = 0
) -> Any:
    """As `scipy.special.assoc_legendre_p`, differentiable in real `z`; with the axis for `diff_n` in front."""
    _one_derivative("assoc_legendre_p", diff_n)
    z = as_array(z)
    if branch_cut != 2 or z.dtype.kind == "c":
        raise unsupported_keyword(
            "scipy.special.assoc_legendre_p", "branch_cut= or complex z", "Write it with hyp2f1 (DLMF 14.3)."
        )
    n, m = np.asarray(n)[()], np.asarray(m)[()]
    front = np.sqrt((2 * n + 1) / 2 * _sp.poch(n + m + 1.0, -2.0 * m)) if norm else 1.0
    return stack(front * orthogonal.lpmv(m, n, z), axis=0)


@follows(_sp.sph_legendre_p)
def sph_legendre_p(n: Any, m: Any, theta: Any, *, diff_n: int = 0) -> Any:
    """As `scipy.special.sph_legendre_p`, differentiable in `theta`; with the axis for `diff_n` in front."""
    _one_derivative("sph_legendre_p", diff_n)
    n, m = np.asarray(n)[()], np.asarray(m)[()]
    return stack(spherical_harmonics.sph_legendre_p(n, m, as_array(theta)), axis=0)


@follows(_sp.sph_harm_y)
def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """As `scipy.special.sph_harm_y`, differentiable in both angles."""
    _one_derivative("sph_harm_y", diff_n)
    n, m = np.asarray(n)[()], np.asarray(m)[()]
    polar = spherical_harmonics.sph_legendre_p(n, m, as_array(theta))
    return polar * elementwise.exp(1j * m * as_array(phi))


# --- sums of exponentials -----------------------------------------------------------------------------------------------


def _peak(x: Any, axis: Any) -> Any:
    """Return the maximum, to be subtracted: the result does not depend on it, so neither do derivatives."""
    return stopped(reductions.max(x, axis=axis, keepdims=True))


def _finite(x: Any) -> Any:
    return where(isfinite(x), x, 0)


@follows(_sp.logsumexp)
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """As `scipy.special.logsumexp`, differentiable in `a` and `b`; where all terms are 0, the derivative is 0."""
    a = as_array(a)
    if a.dtype.kind == "c":
        raise unsupported_keyword(
            "scipy.special.logsumexp", "complex numbers", "Write np.log(np.sum(np.exp(a)))."
        )
    if b is not None:
        b = as_array(b)
        a = where(b == 0, -np.inf, a)  # such terms count for nothing, whatever `a` is
    peak = _peak(a, axis)
    largest = a == peak
    peak = _finite(peak)
    terms = elementwise.exp(a - peak)
    if b is None:  # the largest terms apart: log1p keeps the digits of the small ones
        total = reductions.sum(where(largest, terms, 0), axis=axis, keepdims=True)
        rest = reductions.sum(where(largest, 0, terms), axis=axis, keepdims=True)
    else:
        total = reductions.sum(b * terms, axis=axis, keepdims=True)
        rest = None
    empty = total == 0
    out = elementwise.log((elementwise.absolute(total) if return_sign else total) + empty) + peak
    if rest is not None:
        out = out + elementwise.log1p(rest / (total + empty))
    out = where(empty, -np.inf, out)
    sign = elementwise.sign(total)
    if not keepdims:
        axes = axes_of(axis, len(a.shape))
        first = tuple(0 if k in axes else slice(None) for k in range(len(a.shape)))
        out, sign = out[first], sign[first]
    return (out, sign) if return_sign else out


@follows(_sp.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """As `scipy.special.softmax`, differentiable."""
    x = as_array(x)
    terms = elementwise.exp(x - _peak(x, axis))
    return terms / reductions.sum(terms, axis=axis, keepdims=True)


@follows(_sp.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """As `scipy.special.log_softmax`, differentiable."""
    x = as_array(x)
    shifted = x - _finite(_peak(x, axis))
    return shifted - elementwise.log(reductions.sum(elementwise.exp(shifted), axis=axis, keepdims=True))
