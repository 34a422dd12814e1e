"""`scipy.special`, differentiable: its ufuncs, and logsumexp, softmax and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as _sp

from funcdiff.numpy import reductions as _reductions
from funcdiff.numpy._arguments import as_array, axes_of, unsupported_keyword
from funcdiff.numpy._protocol import has_traced
from funcdiff.numpy.ufuncs import Ufunc
from funcdiff.primitives import elementwise as _elementwise
from funcdiff.primitives.comparison import isfinite as _isfinite
from funcdiff.primitives.selection import where as _where
from funcdiff.primitives.special import bessel as _bessel
from funcdiff.primitives.special import elliptic as _elliptic
from funcdiff.primitives.special import error_functions as _error_functions
from funcdiff.primitives.special import exponential_integrals as _exponential_integrals
from funcdiff.primitives.special import gamma as _gamma
from funcdiff.primitives.special import hypergeometric as _hypergeometric
from funcdiff.primitives.special import incomplete as _incomplete
from funcdiff.primitives.special import information as _information
from funcdiff.primitives.trigonometric import sinc as _sinc
from funcdiff.transforms.stop import stopped as _stopped

beta = Ufunc(_sp.beta, _gamma.beta)
betainc = Ufunc(_sp.betainc, _incomplete.betainc)
betaincc = Ufunc(_sp.betaincc, _incomplete.betaincc)
betainccinv = Ufunc(_sp.betainccinv, _incomplete.betainccinv)
betaincinv = Ufunc(_sp.betaincinv, _incomplete.betaincinv)
betaln = Ufunc(_sp.betaln, _gamma.betaln)
binom = Ufunc(_sp.binom, _gamma.binom)
boxcox = Ufunc(_sp.boxcox, _information.boxcox)
boxcox1p = Ufunc(_sp.boxcox1p, _information.boxcox1p)
cosdg = Ufunc(_sp.cosdg, _information.cosdg)
cosm1 = Ufunc(_sp.cosm1, _information.cosm1)
cotdg = Ufunc(_sp.cotdg, _information.cotdg)
dawsn = Ufunc(_sp.dawsn, _error_functions.dawsn)
digamma = Ufunc(_sp.digamma, _gamma.digamma)
ellipe = Ufunc(_sp.ellipe, _elliptic.ellipe)
ellipk = Ufunc(_sp.ellipk, _elliptic.ellipk)
entr = Ufunc(_sp.entr, _information.entr)
erf = Ufunc(_sp.erf, _error_functions.erf)
erfc = Ufunc(_sp.erfc, _error_functions.erfc)
erfcinv = Ufunc(_sp.erfcinv, _error_functions.erfcinv)
erfcx = Ufunc(_sp.erfcx, _error_functions.erfcx)
erfi = Ufunc(_sp.erfi, _error_functions.erfi)
erfinv = Ufunc(_sp.erfinv, _error_functions.erfinv)
exp1 = Ufunc(_sp.exp1, _exponential_integrals.exp1)
exp10 = Ufunc(_sp.exp10, _information.exp10)
expi = Ufunc(_sp.expi, _exponential_integrals.expi)
expit = Ufunc(_sp.expit, _error_functions.expit)
exprel = Ufunc(_sp.exprel, _information.exprel)
gamma = Ufunc(_sp.gamma, _gamma.gamma)
gammainc = Ufunc(_sp.gammainc, _incomplete.gammainc)
gammaincc = Ufunc(_sp.gammaincc, _incomplete.gammaincc)
gammainccinv = Ufunc(_sp.gammainccinv, _incomplete.gammainccinv)
gammaincinv = Ufunc(_sp.gammaincinv, _incomplete.gammaincinv)
gammaln = Ufunc(_sp.gammaln, _gamma.gammaln)
gammasgn = Ufunc(_sp.gammasgn, _gamma.gammasgn)
huber = Ufunc(_sp.huber, _information.huber)
hyp0f1 = Ufunc(_sp.hyp0f1, _hypergeometric.hyp0f1)
hyp1f1 = Ufunc(_sp.hyp1f1, _hypergeometric.hyp1f1)
hyp2f1 = Ufunc(_sp.hyp2f1, _hypergeometric.hyp2f1)
i0 = Ufunc(_sp.i0, _bessel.i0)
i0e = Ufunc(_sp.i0e, _bessel.i0e)
i1 = Ufunc(_sp.i1, _bessel.i1)
i1e = Ufunc(_sp.i1e, _bessel.i1e)
inv_boxcox = Ufunc(_sp.inv_boxcox, _information.inv_boxcox)
inv_boxcox1p = Ufunc(_sp.inv_boxcox1p, _information.inv_boxcox1p)
iv = Ufunc(_sp.iv, _bessel.iv)
ive = Ufunc(_sp.ive, _bessel.ive)
j0 = Ufunc(_sp.j0, _bessel.j0)
j1 = Ufunc(_sp.j1, _bessel.j1)
jv = Ufunc(_sp.jv, _bessel.jv)
k0 = Ufunc(_sp.k0, _bessel.k0)
k0e = Ufunc(_sp.k0e, _bessel.k0e)
k1 = Ufunc(_sp.k1, _bessel.k1)
k1e = Ufunc(_sp.k1e, _bessel.k1e)
kl_div = Ufunc(_sp.kl_div, _information.kl_div)
kv = Ufunc(_sp.kv, _bessel.kv)
kve = Ufunc(_sp.kve, _bessel.kve)
log_expit = Ufunc(_sp.log_expit, _error_functions.log_expit)
log_ndtr = Ufunc(_sp.log_ndtr, _error_functions.log_ndtr)
loggamma = Ufunc(_sp.loggamma, _gamma.loggamma)
logit = Ufunc(_sp.logit, _error_functions.logit)
ndtr = Ufunc(_sp.ndtr, _error_functions.ndtr)
ndtri = Ufunc(_sp.ndtri, _error_functions.ndtri)
ndtri_exp = Ufunc(_sp.ndtri_exp, _error_functions.ndtri_exp)
poch = Ufunc(_sp.poch, _gamma.poch)
powm1 = Ufunc(_sp.powm1, _information.powm1)
pseudo_huber = Ufunc(_sp.pseudo_huber, _information.pseudo_huber)
rel_entr = Ufunc(_sp.rel_entr, _information.rel_entr)
rgamma = Ufunc(_sp.rgamma, _gamma.rgamma)
sindg = Ufunc(_sp.sindg, _information.sindg)
spence = Ufunc(_sp.spence, _exponential_integrals.spence)
tandg = Ufunc(_sp.tandg, _information.tandg)
wofz = Ufunc(_sp.wofz, _error_functions.wofz)
xlog1py = Ufunc(_sp.xlog1py, _information.xlog1py)
xlogy = Ufunc(_sp.xlogy, _information.xlogy)
y0 = Ufunc(_sp.y0, _bessel.y0)
y1 = Ufunc(_sp.y1, _bessel.y1)
yv = Ufunc(_sp.yv, _bessel.yv)
cbrt = Ufunc(_sp.cbrt, _elementwise.cbrt)
exp2 = Ufunc(_sp.exp2, _elementwise.exp2)
expm1 = Ufunc(_sp.expm1, _elementwise.expm1)
log1p = Ufunc(_sp.log1p, _elementwise.log1p)
psi = digamma
jn = jv


def polygamma(n: Any, x: Any) -> Any:
    """As `scipy.special.polygamma`, differentiable in `x`."""
    return _gamma.polygamma(n, x) if has_traced(x) else _sp.polygamma(n, x)


def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """As `scipy.special.zeta`, differentiable in `q`."""
    if not (has_traced(x) or has_traced(q) or has_traced(out)):
        return _sp.zeta(x, q, out)
    return _zeta(x, 1.0 if q is None else q, out=out)


_zeta = Ufunc(_sp._ufuncs._zeta, _gamma.zeta)


def sinc(x: Any) -> Any:
    """As `numpy.sinc`, differentiable."""
    return _sinc(as_array(x), order=0)


def _peak(x: Any, axis: Any) -> Any:
    """Return the maximum, to be subtracted: the result does not depend on it, so neither do derivatives."""
    return _stopped(_reductions.max(x, axis=axis, keepdims=True))


def _finite(x: Any) -> Any:
    return _where(_isfinite(x), x, 0)


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """As `scipy.special.logsumexp`, differentiable in `a` and `b`; where all terms are 0, the derivative is 0."""
    if not (has_traced(a) or has_traced(b)):
        return _sp.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)
    a = as_array(a)
    if a.dtype.kind == "c":
        raise unsupported_keyword(
            "scipy.special.logsumexp", "complex numbers", "Write np.log(np.sum(np.exp(a)))."
        )
    if b is not None:
        b = as_array(b)
        a = _where(b == 0, -np.inf, a)  # such terms count for nothing, whatever `a` is
    peak = _peak(a, axis)
    largest = a == peak
    peak = _finite(peak)
    terms = _elementwise.exp(a - peak)
    if b is None:  # the largest terms apart: log1p keeps the digits of the small ones
        total = _reductions.sum(_where(largest, terms, 0), axis=axis, keepdims=True)
        rest = _reductions.sum(_where(largest, 0, terms), axis=axis, keepdims=True)
    else:
        total = _reductions.sum(b * terms, axis=axis, keepdims=True)
        rest = None
    empty = total == 0
    out = _elementwise.log((_elementwise.absolute(total) if return_sign else total) + empty) + peak
    if rest is not None:
        out = out + _elementwise.log1p(rest / (total + empty))
    out = _where(empty, -np.inf, out)
    sign = _elementwise.sign(total)
    if not keepdims:
        axes = axes_of(axis, len(a.shape))
        first = tuple(0 if k in axes else slice(None) for k in range(len(a.shape)))
        out, sign = out[first], sign[first]
    return (out, sign) if return_sign else out


def softmax(x: Any, axis: Any = None) -> Any:
    """As `scipy.special.softmax`, differentiable."""
    if not has_traced(x):
        return _sp.softmax(x, axis=axis)
    x = as_array(x)
    terms = _elementwise.exp(x - _peak(x, axis))
    return terms / _reductions.sum(terms, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """As `scipy.special.log_softmax`, differentiable."""
    if not has_traced(x):
        return _sp.log_softmax(x, axis=axis)
    x = as_array(x)
    shifted = x - _finite(_peak(x, axis))
    return shifted - _elementwise.log(_reductions.sum(_elementwise.exp(shifted), axis=axis, keepdims=True))
