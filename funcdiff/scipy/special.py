"""`scipy.special`, differentiable: its ufuncs, and logsumexp, softmax and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as _sp

from funcdiff.numpy import reductions as _reductions
from funcdiff.numpy._arguments import as_array, axes_of, unsupported_keyword
from funcdiff.numpy._protocol import has_traced
from funcdiff.numpy.ufuncs import Ufunc
from funcdiff.primitives import bessel as _bessel
from funcdiff.primitives import elementwise as _elementwise
from funcdiff.primitives import special as _special
from funcdiff.primitives.comparison import isfinite as _isfinite
from funcdiff.primitives.selection import where as _where
from funcdiff.primitives.trigonometric import sinc as _sinc
from funcdiff.transforms.stop import stopped as _stopped

beta = Ufunc(_sp.beta, _special.beta)
betainc = Ufunc(_sp.betainc, _special.betainc)
betaincc = Ufunc(_sp.betaincc, _special.betaincc)
betainccinv = Ufunc(_sp.betainccinv, _special.betainccinv)
betaincinv = Ufunc(_sp.betaincinv, _special.betaincinv)
betaln = Ufunc(_sp.betaln, _special.betaln)
binom = Ufunc(_sp.binom, _special.binom)
boxcox = Ufunc(_sp.boxcox, _special.boxcox)
boxcox1p = Ufunc(_sp.boxcox1p, _special.boxcox1p)
cosdg = Ufunc(_sp.cosdg, _special.cosdg)
cosm1 = Ufunc(_sp.cosm1, _special.cosm1)
cotdg = Ufunc(_sp.cotdg, _special.cotdg)
dawsn = Ufunc(_sp.dawsn, _special.dawsn)
digamma = Ufunc(_sp.digamma, _special.digamma)
ellipe = Ufunc(_sp.ellipe, _special.ellipe)
ellipk = Ufunc(_sp.ellipk, _special.ellipk)
entr = Ufunc(_sp.entr, _special.entr)
erf = Ufunc(_sp.erf, _special.erf)
erfc = Ufunc(_sp.erfc, _special.erfc)
erfcinv = Ufunc(_sp.erfcinv, _special.erfcinv)
erfcx = Ufunc(_sp.erfcx, _special.erfcx)
erfi = Ufunc(_sp.erfi, _special.erfi)
erfinv = Ufunc(_sp.erfinv, _special.erfinv)
exp1 = Ufunc(_sp.exp1, _special.exp1)
exp10 = Ufunc(_sp.exp10, _special.exp10)
expi = Ufunc(_sp.expi, _special.expi)
expit = Ufunc(_sp.expit, _special.expit)
exprel = Ufunc(_sp.exprel, _special.exprel)
gamma = Ufunc(_sp.gamma, _special.gamma)
gammainc = Ufunc(_sp.gammainc, _special.gammainc)
gammaincc = Ufunc(_sp.gammaincc, _special.gammaincc)
gammainccinv = Ufunc(_sp.gammainccinv, _special.gammainccinv)
gammaincinv = Ufunc(_sp.gammaincinv, _special.gammaincinv)
gammaln = Ufunc(_sp.gammaln, _special.gammaln)
gammasgn = Ufunc(_sp.gammasgn, _special.gammasgn)
huber = Ufunc(_sp.huber, _special.huber)
hyp0f1 = Ufunc(_sp.hyp0f1, _special.hyp0f1)
hyp1f1 = Ufunc(_sp.hyp1f1, _special.hyp1f1)
hyp2f1 = Ufunc(_sp.hyp2f1, _special.hyp2f1)
i0 = Ufunc(_sp.i0, _bessel.i0)
i0e = Ufunc(_sp.i0e, _bessel.i0e)
i1 = Ufunc(_sp.i1, _bessel.i1)
i1e = Ufunc(_sp.i1e, _bessel.i1e)
inv_boxcox = Ufunc(_sp.inv_boxcox, _special.inv_boxcox)
inv_boxcox1p = Ufunc(_sp.inv_boxcox1p, _special.inv_boxcox1p)
iv = Ufunc(_sp.iv, _bessel.iv)
ive = Ufunc(_sp.ive, _bessel.ive)
j0 = Ufunc(_sp.j0, _bessel.j0)
j1 = Ufunc(_sp.j1, _bessel.j1)
jv = Ufunc(_sp.jv, _bessel.jv)
k0 = Ufunc(_sp.k0, _bessel.k0)
k0e = Ufunc(_sp.k0e, _bessel.k0e)
k1 = Ufunc(_sp.k1, _bessel.k1)
k1e = Ufunc(_sp.k1e, _bessel.k1e)
kl_div = Ufunc(_sp.kl_div, _special.kl_div)
kv = Ufunc(_sp.kv, _bessel.kv)
kve = Ufunc(_sp.kve, _bessel.kve)
log_expit = Ufunc(_sp.log_expit, _special.log_expit)
log_ndtr = Ufunc(_sp.log_ndtr, _special.log_ndtr)
loggamma = Ufunc(_sp.loggamma, _special.loggamma)
logit = Ufunc(_sp.logit, _special.logit)
ndtr = Ufunc(_sp.ndtr, _special.ndtr)
ndtri = Ufunc(_sp.ndtri, _special.ndtri)
ndtri_exp = Ufunc(_sp.ndtri_exp, _special.ndtri_exp)
poch = Ufunc(_sp.poch, _special.poch)
powm1 = Ufunc(_sp.powm1, _special.powm1)
pseudo_huber = Ufunc(_sp.pseudo_huber, _special.pseudo_huber)
rel_entr = Ufunc(_sp.rel_entr, _special.rel_entr)
rgamma = Ufunc(_sp.rgamma, _special.rgamma)
sindg = Ufunc(_sp.sindg, _special.sindg)
spence = Ufunc(_sp.spence, _special.spence)
tandg = Ufunc(_sp.tandg, _special.tandg)
wofz = Ufunc(_sp.wofz, _special.wofz)
xlog1py = Ufunc(_sp.xlog1py, _special.xlog1py)
xlogy = Ufunc(_sp.xlogy, _special.xlogy)
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
    return _special.polygamma(n, x) if has_traced(x) else _sp.polygamma(n, x)


def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """As `scipy.special.zeta`, differentiable in `q`."""
    if not (has_traced(x) or has_traced(q) or has_traced(out)):
        return _sp.zeta(x, q, out)
    return _zeta(x, 1.0 if q is None else q, out=out)


_zeta = Ufunc(_sp._ufuncs._zeta, _special.zeta)


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
