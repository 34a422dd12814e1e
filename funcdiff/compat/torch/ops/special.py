"""`torch.special`: special functions, by those of `funcdiff.scipy.special`."""

# ruff: noqa: F401  (a namespace)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
import funcdiff.scipy.special as sp
from funcdiff.compat.torch._apply import composed, composite, method, real_input
from funcdiff.compat.torch._elementwise import shape_mismatch
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._promotion import real_of, result_dtype
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops.arithmetic import xlogy
from funcdiff.compat.torch.ops.exponentials import log_softmax, logsumexp, softmax
from funcdiff.compat.torch.ops.functions import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    lgamma,
    log1p,
    logit,
    round,
    sigmoid,
    sinc,
)


def _one(name: str, node: str, f: Callable[[Any], Any]) -> Any:
    """Make a function of one tensor."""

    def op(input: Tensor, *, out: Any = None) -> Any:
        from funcdiff.compat.torch._apply import deliver

        x = real_input(input)
        dtype = x.value.dtype
        return deliver(composite(composed(node), lambda v: _as(f(v), dtype), (x,)), out)

    op.__name__ = op.__qualname__ = name
    op.__module__ = "torch.special"
    op.__doc__ = f"As `torch.special.{name}`."
    return op


def _as(x: Any, dtype: Any) -> Any:
    """Give a result the type that PyTorch gives it."""
    return x if x.dtype == dtype else fnp.astype(x, dtype)


def _tensor(x: Any, dtype: Any) -> Any:
    if isinstance(x, Tensor):
        from funcdiff.compat.torch._dtypes import FROM_NUMPY

        return x if x.value.dtype == dtype else x.to(FROM_NUMPY[dtype])
    return wrap(np.asarray(x, dtype))


def _two(name: str, node: str, f: Callable[[Any, Any], Any]) -> Any:
    """Make a function of two tensors, or of a tensor and a number."""

    def op(input: Any, other: Any, *, out: Any = None) -> Any:
        from funcdiff.compat.torch._apply import deliver

        values = [x.value if isinstance(x, Tensor) else x for x in (input, other)]
        dtype = real_of(result_dtype(*values))
        x, y = _tensor(input, dtype), _tensor(other, dtype)

        def compute(a: Any, b: Any) -> Any:
            try:
                return _as(f(a, b), dtype)
            except ValueError as error:
                raise shape_mismatch(np.zeros(a.shape), np.zeros(b.shape), error) from None

        return deliver(composite(composed(node), compute, (x, y)), out)

    op.__name__ = op.__qualname__ = name
    op.__module__ = "torch.special"
    op.__doc__ = f"As `torch.special.{name}`."
    return op


i0e = _one("i0e", "SpecialI0EBackward0", sp.i0e)
i1 = _one("i1", "SpecialI1Backward0", sp.i1)
i1e = _one("i1e", "SpecialI1EBackward0", sp.i1e)
ndtr = _one("ndtr", "MulBackward0", sp.ndtr)
log_ndtr = _one("log_ndtr", "SpecialLogNdtrBackward0", sp.log_ndtr)
ndtri = _one("ndtri", "SpecialNdtriBackward0", sp.ndtri)
entr = _one("entr", "SpecialEntrBackward0", sp.entr)
erfcx = _one("erfcx", "SpecialErfcxBackward0", sp.erfcx)
bessel_j0 = _one("bessel_j0", "SpecialBesselJ0Backward0", sp.j0)
bessel_j1 = _one("bessel_j1", "SpecialBesselJ1Backward0", sp.j1)
bessel_y0 = _one("bessel_y0", "SpecialBesselY0Backward0", sp.y0)
bessel_y1 = _one("bessel_y1", "SpecialBesselY1Backward0", sp.y1)
modified_bessel_k0 = _one("modified_bessel_k0", "SpecialModifiedBesselK0Backward0", sp.k0)
modified_bessel_k1 = _one("modified_bessel_k1", "SpecialModifiedBesselK1Backward0", sp.k1)
gammainc = _two("gammainc", "IgammaBackward0", sp.gammainc)
gammaincc = _two("gammaincc", "IgammacBackward0", sp.gammaincc)
xlog1py = _two("xlog1py", "SpecialXlog1PyBackward0", sp.xlog1py)
zeta = _two("zeta", "SpecialZetaBackward0", sp.zeta)
expit, gammaln, psi = sigmoid, lgamma, digamma
modified_bessel_i0, modified_bessel_i1 = i0, i1
igamma, igammac = method(gammainc, "igamma"), method(gammaincc, "igammac")


def polygamma(n: int, input: Tensor) -> Any:
    """As `torch.polygamma`: the n-th derivative of the digamma function."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    if n == 0:
        return digamma(input)
    x = real_input(input)
    dtype = x.value.dtype
    return composite(composed("PolygammaBackward0"), lambda v: _as(sp.polygamma(n, v), dtype), (x,))


method(lambda self, n: polygamma(n, self), "polygamma")


def multigammaln(input: Tensor, p: int) -> Any:
    """As `torch.special.multigammaln`: the logarithm of the multivariate gamma function."""
    steps = wrap(np.arange(p, dtype=input.value.dtype) * 0.5)
    constant = p * (p - 1) / 4 * float(np.log(np.pi))
    return lgamma(input.unsqueeze(-1) - steps).sum(-1) + constant


mvlgamma = method(multigammaln, "mvlgamma")


def __getattr__(name: str) -> Any:
    return refuse("special", name)
