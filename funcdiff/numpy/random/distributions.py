"""The distributions of `numpy.random`: NumPy's draws, and how they depend on the parameters.

Families of location and scale are the draw of the standard member, scaled and shifted, which is NumPy's own
arithmetic.  Other continuous ones are paths (see primitives/sample_paths.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import innermost
from funcdiff.numpy._arguments import as_array, shape_of
from funcdiff.numpy._protocol import has_traced
from funcdiff.numpy.random.draws import Place
from funcdiff.numpy.random.multivariate import keeping_the_noise
from funcdiff.primitives import sample_paths as paths
from funcdiff.transforms.stop import stopped


class Distributions:
    """The continuous distributions of a generator; `_source` is NumPy's, `_place` where it was made."""

    _source: Any
    _place: Place

    def _plain(self, *parameters: Any) -> bool:
        """Tell whether NumPy can simply be asked."""
        return not self._place.entered() and not any(has_traced(p) for p in parameters)

    def _located(
        self, name: str, loc: Any, scale: Any, size: Any, parameters: Sequence[Any], standard: Any = None
    ) -> Any:
        """Return loc + scale z, with z from the standard member of a family."""
        method = getattr(self._source, name)
        given = (0.0, 1.0)[-len(parameters) :]  # the standard member's parameters
        sample = standard or (lambda size: method(*given, size=size))
        z = self._place.noise(name, sample, method, [as_array(p) for p in parameters], size)
        return scale * z if loc is None else loc + scale * z

    def _along(self, path: Any, name: str, parameters: Sequence[Any], size: Any) -> Any:
        """Return a draw as a function of its parameters."""
        method = getattr(self._source, name)
        if self._plain(*parameters):
            return method(*parameters, size=size)
        now = [as_array(p) for p in parameters]
        x = self._place.values(name, lambda *values, size: method(*values, size=size), now, size)
        return path(x, *[stopped(p) for p in now], *now)

    # --- location and scale ----------------------------------------------------------------------------------

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable: loc + scale z."""
        if self._plain(loc, scale):
            return self._source.normal(loc, scale, size)
        loc, scale = as_array(loc), as_array(scale)
        return self._located("normal", loc, scale, size, (loc, scale), self._source.standard_normal)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable: low + (high - low) u."""
        if self._plain(low, high):
            return self._source.uniform(low, high, size)
        low, high = as_array(low), as_array(high)
        return self._located("uniform", low, high - low, size, (low, high), self._source.random)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        if self._plain(loc, scale):
            return self._source.laplace(loc, scale, size)
        loc, scale = as_array(loc), as_array(scale)
        return self._located("laplace", loc, scale, size, (loc, scale))

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        if self._plain(loc, scale):
            return self._source.logistic(loc, scale, size)
        loc, scale = as_array(loc), as_array(scale)
        return self._located("logistic", loc, scale, size, (loc, scale))

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        if self._plain(loc, scale):
            return self._source.gumbel(loc, scale, size)
        loc, scale = as_array(loc), as_array(scale)
        return self._located("gumbel", loc, scale, size, (loc, scale))

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        if self._plain(scale):
            return self._source.exponential(scale, size)
        scale = as_array(scale)
        return self._located("exponential", None, scale, size, (scale,))

    def rayleigh(self, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        if self._plain(scale):
            return self._source.rayleigh(scale, size)
        scale = as_array(scale)
        return self._located("rayleigh", None, scale, size, (scale,))

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable: the quantile function of a uniform draw."""
        if self._plain(left, mode, right):
            return self._source.triangular(left, mode, right, size)
        left, mode, right = as_array(left), as_array(mode), as_array(right)
        u = self._place.noise(
            "triangular", self._source.random, self._source.triangular, (left, mode, right), size
        )
        base, below, above = right - left, mode - left, right - mode
        rising = left + np.sqrt(u * (below * base))
        return np.where(u <= below / base, rising, right - np.sqrt((1.0 - u) * (above * base)))

    # --- parameters of shape -----------------------------------------------------------------------------------

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        return self._along(paths.lognormal, "lognormal", (mean, sigma), size)

    def weibull(self, a: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        return self._along(paths.weibull, "weibull", (a,), size)

    def pareto(self, a: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        return self._along(paths.pareto, "pareto", (a,), size)

    def power(self, a: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        return self._along(paths.power, "power", (a,), size)

    def standard_gamma(self, shape: Any, size: Any = None, **keywords: Any) -> Any:
        """As numpy.random's, differentiable by implicit reparametrisation."""
        if keywords and self._plain(shape):
            return self._source.standard_gamma(shape, size, **keywords)
        if keywords:
            raise unsupported_keywords("standard_gamma", keywords)
        return self._along(paths.standard_gamma, "standard_gamma", (shape,), size)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, differentiable by implicit reparametrisation."""
        if self._plain(shape, scale):
            return self._source.gamma(shape, scale, size)
        shape, scale = as_array(shape), as_array(scale)
        size = np.broadcast_shapes(shape.shape, scale.shape) if size is None else size
        self._place.noise("gamma", lambda size: np.zeros(size), self._source.gamma, (shape, scale), size)
        return scale * self.standard_gamma(shape, size)

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable by implicit reparametrisation."""
        return self._along(paths.beta, "beta", (a, b), size)

    def chisquare(self, df: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable: twice a gamma draw of shape df/2."""
        if self._plain(df):
            return self._source.chisquare(df, size)
        return 2.0 * self.standard_gamma(as_array(df) / 2, size)

    def f(self, dfnum: Any, dfden: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable: a ratio of chi-square draws."""
        if self._plain(dfnum, dfden):
            return self._source.f(dfnum, dfden, size)
        dfnum, dfden = np.broadcast_arrays(as_array(dfnum), as_array(dfden))
        shape = dfnum.shape if size is None else shape_of(size)
        halves = np.stack([dfnum / 2, dfden / 2], axis=-1)
        x = 2.0 * self.standard_gamma(halves, (*shape, 2))  # in NumPy's order, one after the other
        return x[..., 0] * dfden / (x[..., 1] * dfnum)

    def standard_t(self, df: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable by implicit reparametrisation."""
        return self._along(paths.standard_t, "standard_t", (df,), size)

    def wald(self, mean: Any, scale: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable by implicit reparametrisation."""
        return self._along(paths.wald, "wald", (mean, scale), size)

    def vonmises(self, mu: Any, kappa: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable by implicit reparametrisation."""
        return self._along(paths.vonmises, "vonmises", (mu, kappa), size)

    def noncentral_chisquare(self, df: Any, nonc: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable with respect to the noncentrality."""
        if self._plain(df, nonc):
            return self._source.noncentral_chisquare(df, nonc, size)
        if has_traced(df):
            raise no_rule("noncentral_chisquare", "df", "Pass df as a plain number")
        df, nonc = as_array(df), as_array(nonc)
        method = self._source.noncentral_chisquare
        x = self._place.values(
            "noncentral_chisquare", lambda *values, size: method(*values, size=size), (df, nonc), size
        )
        return paths.noncentral_chisquare(x, df, stopped(nonc), nonc)

    def noncentral_f(self, dfnum: Any, dfden: Any, nonc: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        if not self._plain(dfnum, dfden, nonc):
            ratio = "(noncentral_chisquare(dfnum, nonc) / dfnum) / (chisquare(dfden) / dfden)"
            raise no_rule("noncentral_f", "its parameters", f"Write it as {ratio}")
        return self._source.noncentral_f(dfnum, dfden, nonc, size)

    # --- several components ----------------------------------------------------------------------------------------

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        """As numpy.random's, differentiable: gamma draws over their sum, or broken sticks, as NumPy makes it."""
        if self._plain(alpha):
            return self._source.dirichlet(alpha, size)
        alpha = as_array(alpha)
        if len(alpha.shape) != 1:
            raise ValueError(f"alpha must be a vector, not of shape {alpha.shape}")
        shape = () if size is None else shape_of(size)
        largest = np.max(innermost(alpha), axis=-1)
        small = isinstance(self._source, np.random.Generator) & (largest < 0.1)
        if np.all(small):
            return self._broken_sticks(alpha, shape)
        if np.any(small):
            raise errors.UnsupportedError(
                errors.at_user_line(
                    "dirichlet under vmap: NumPy draws in another way where all of alpha is below 0.1, which is so for "
                    "some examples only. Loop over the examples."
                )
            )
        x = self.standard_gamma(alpha, (*shape, *alpha.shape))
        return x * (1.0 / np.cumsum(x, axis=-1)[..., -1:])  # a running sum, as NumPy's

    def _broken_sticks(self, alpha: Any, shape: tuple[int, ...]) -> Any:
        rest = np.flip(np.cumsum(np.flip(alpha)))
        v = self.beta(alpha[:-1], rest[1:], (*shape, alpha.shape[0] - 1))
        left = np.cumprod(1.0 - v, axis=-1)
        one = np.ones((*shape, 1))
        return np.concatenate([one, left], axis=-1) * np.concatenate([v, one], axis=-1)

    def multivariate_normal(self, mean: Any, cov: Any, size: Any = None, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's, differentiable.

        With ``method="cholesky"`` the derivative is that of mean + L z.  The factors of the other methods are no smooth
        functions of the covariance, so there it is that of the path along which the covariance's symmetric
        perturbation is carried to the draws, dx = ½ dΣ Σ⁻¹ (x - mean), which has the right distribution as well.
        """
        if self._plain(mean, cov):
            return self._source.multivariate_normal(mean, cov, size, *args, **keywords)
        mean, cov = as_array(mean), as_array(cov)
        if keywords.get("method") == "cholesky":
            shape = (*(() if size is None else shape_of(size)), mean.shape[0])
            z = self._place.noise("multivariate_normal", self._source.standard_normal, _unchecked, (), shape)
            flat = np.reshape(z, (-1, mean.shape[0])) @ np.linalg.cholesky(cov).T
            return np.reshape(mean + flat, shape)
        method = self._source.multivariate_normal
        x = self._place.whole(
            "multivariate_normal", lambda m, c: method(m, c, size, *args, **keywords), (mean, cov)
        )
        return keeping_the_noise(x, mean, cov)


def _unchecked(size: Any) -> None:
    del size


def unsupported_keywords(name: str, keywords: dict[str, Any]) -> errors.UnsupportedError:
    """Refuse keywords, naming the function and them."""
    return errors.UnsupportedError(
        errors.at_user_line(
            f"{name} of a traced parameter, or under vmap, does not take {errors.enumerate_words(keywords)}. Leave it "
            "out; convert the draws with astype, or write them into an array."
        )
    )


def no_rule(name: str, parameter: str, remedy: str) -> errors.UnsupportedError:
    """Say that a derivative is not known, and what to do."""
    return errors.UnsupportedError(
        errors.at_user_line(f"{name} has no derivative with respect to {parameter} here. {remedy}.")
    )
