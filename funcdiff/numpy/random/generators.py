"""`Generator` and `RandomState` with derivatives: NumPy's own, but for the methods in which a parameter may be traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import Recorder
from funcdiff.core.surroundings import SURROUNDINGS
from funcdiff.numpy._arguments import as_array, axis_of, shape_of
from funcdiff.numpy._protocol import has_traced, settled
from funcdiff.numpy.random.distributions import Distributions, unsupported_keywords
from funcdiff.numpy.random.draws import Place, no_path


class Draws(Distributions):
    """What both kinds of generator have: draws without parameters, discrete ones, and shuffling."""

    def _constant(self, name: str, size: Any, keywords: dict[str, Any], *parameters: Any) -> Any:
        """Draw independent numbers that do not move with any parameter."""
        parameters = settled(parameters)
        if has_traced(parameters):
            raise no_path(name)
        method = getattr(self._source, name)
        if not self._place.entered():
            return method(*parameters, size=size, **keywords)
        if keywords.get("out") is not None:
            raise unsupported_keywords(name, keywords)
        given = [np.asarray(p) for p in parameters]
        shape = np.broadcast_shapes(*[p.shape for p in given]) if size is None else shape_of(size)
        return self._place.noise(
            name, lambda size: method(*parameters, size=size, **keywords), _unchecked, (), shape
        )

    def standard_normal(self, size: Any = None, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's."""
        return self._constant("standard_normal", size, _named(("dtype", "out"), args, keywords))

    def standard_exponential(self, size: Any = None, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's."""
        return self._constant(
            "standard_exponential", size, _named(("dtype", "method", "out"), args, keywords)
        )

    def standard_cauchy(self, size: Any = None) -> Any:
        """As numpy.random's; scale and shift it by traced values."""
        return self._constant("standard_cauchy", size, {})

    def random(self, size: Any = None, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's."""
        return self._constant("random", size, _named(("dtype", "out"), args, keywords))

    def binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("binomial", size, {}, n, p)

    def geometric(self, p: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("geometric", size, {}, p)

    def hypergeometric(self, ngood: Any, nbad: Any, nsample: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("hypergeometric", size, {}, ngood, nbad, nsample)

    def logseries(self, p: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("logseries", size, {}, p)

    def negative_binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("negative_binomial", size, {}, n, p)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("poisson", size, {}, lam)

    def zipf(self, a: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("zipf", size, {}, a)

    def _together(self, name: str, *args: Any, **keywords: Any) -> Any:
        """Draw what belongs together, of plain parameters."""
        args, keywords = settled(args), settled(keywords)
        if has_traced((args, keywords)):
            raise no_path(name)
        method = getattr(self._source, name)
        if not self._place.entered():
            return method(*args, **keywords)
        return self._place.whole(name, lambda: method(*args, **keywords))

    def multinomial(self, n: Any, pvals: Any, size: Any = None) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._together("multinomial", n, pvals, size)

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, *args: Any, **keywords: Any
    ) -> Any:
        """As numpy.random's; the derivative goes to the elements that are chosen."""
        if has_traced(settled(p)):
            raise no_path("choice")
        if not has_traced(a):
            return self._together("choice", a, size, replace, p, *args, **keywords)
        axis = keywords.pop("axis", args[0] if args else 0)
        a = as_array(a)
        number = a.shape[axis_of(axis, len(a.shape))]
        index = self._together(
            "choice", number, size, replace, p, *((axis, *args[1:]) if args else ()), **keywords
        )
        return np.take(a, index, axis=axis)

    def permutation(self, x: Any, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's, differentiable."""
        if not has_traced(x):
            return self._together("permutation", x, *args, **keywords)
        x = as_array(x)
        axis = axis_of(keywords.get("axis", args[0] if args else 0), len(x.shape))
        return np.take(x, self._order(x.shape[axis]), axis=axis)

    def shuffle(self, x: Any, *args: Any, **keywords: Any) -> None:
        """As numpy.random's, in place, on traced arrays too."""
        if has_traced(x) and not isinstance(x, (list, tuple)):
            x[...] = self.permutation(x, *args, **keywords)
        elif self._place.entered():
            raise errors.UnsupportedError(
                errors.at_user_line(
                    "shuffle of a plain array inside a function that vmap, jit or trace is applied to would shuffle it once "
                    "for all examples or runs. Shuffle it outside, or use permutation."
                )
            )
        else:
            self._source.shuffle(x, *args, **keywords)

    def _order(self, number: int) -> Any:
        def sample() -> Any:
            order = np.arange(number)
            self._source.shuffle(order)
            return order

        return self._place.whole("permutation", sample)


class Generator(Draws, np.random.Generator):  # type: ignore[misc]  # NumPy's signatures are overloads
    """`numpy.random.Generator`, differentiable with respect to the parameters of its distributions.

    Parameters
    ----------
    bit_generator : BitGenerator
        The source of randomness, as for NumPy's.

    Examples
    --------
    >>> import funcdiff as fd
    >>> def mean(theta):
    ...     rng = fd.numpy.random.default_rng(0)
    ...     return rng.normal(theta, 0.1, size=100).mean()
    >>> round(float(fd.grad(mean)(2.0)), 6)
    1.0
    """

    def __init__(self, bit_generator: Any) -> None:
        super().__init__(bit_generator)
        self._source = np.random.Generator(bit_generator)
        self._place = Place(())

    def __reduce__(self) -> Any:
        return Generator, (self.bit_generator,)

    def integers(self, low: Any, high: Any = None, size: Any = None, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("integers", size, _named(("dtype", "endpoint"), args, keywords), low, high)

    def multivariate_hypergeometric(self, *args: Any, **keywords: Any) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._together("multivariate_hypergeometric", *args, **keywords)

    def permuted(self, x: Any, *, axis: Any = None, out: Any = None) -> Any:
        """As numpy.random's, differentiable."""
        if not has_traced(x):
            return self._together("permuted", x, axis=axis, **({} if out is None else {"out": out}))
        if out is not None:
            raise unsupported_keywords("permuted", {"out": out})
        x = as_array(x)
        if axis is None:
            order = self._together("permuted", np.arange(x.size))
            return np.reshape(np.take(np.ravel(x), order), x.shape)
        places = np.arange(x.shape[axis]).reshape(
            [-1 if n == axis_of(axis, x.ndim) else 1 for n in range(x.ndim)]
        )
        order = self._together("permuted", np.broadcast_to(places, x.shape).copy(), axis=axis)
        return np.take_along_axis(x, order, axis=axis)

    def bytes(self, length: int) -> Any:
        """As numpy.random's."""
        return _bytes(self, length)


class RandomState(Draws):
    """`numpy.random.RandomState`, differentiable with respect to the parameters of its distributions.

    Parameters
    ----------
    seed : int, sequence of int, BitGenerator or numpy.random.RandomState, optional
        As for NumPy's; a RandomState of NumPy's is used as it is, so that both draw from the same stream.
    """

    def __init__(self, seed: Any = None) -> None:
        made = isinstance(seed, np.random.RandomState)
        self._source = seed if made else np.random.RandomState(seed)
        self._place = Place(_made_in(seed))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_source":
            raise AttributeError(name)
        return getattr(self._source, name)

    def rand(self, *shape: int) -> Any:
        """As numpy.random's."""
        return self.random(shape or None)

    def randn(self, *shape: int) -> Any:
        """As numpy.random's."""
        return self.standard_normal(shape or None)

    def random_sample(self, size: Any = None) -> Any:
        """As numpy.random's."""
        return self.random(size)

    def randint(self, low: Any, high: Any = None, size: Any = None, dtype: Any = int) -> Any:
        """As numpy.random's, of plain parameters."""
        return self._constant("randint", size, {"dtype": dtype}, low, high)

    def bytes(self, length: int) -> Any:
        """As numpy.random's."""
        return _bytes(self, length)


def _bytes(generator: Draws, length: int) -> Any:
    if generator._place.entered():
        raise errors.UnsupportedError(
            errors.at_user_line(
                "bytes cannot be drawn inside a function that vmap, jit or trace is applied to"
            )
        )
    return generator._source.bytes(length)


def _named(names: tuple[str, ...], args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args, strict=False)), **keywords}


def _unchecked(size: Any) -> None:
    del size


def _made_in(seed: Any) -> tuple[Recorder, ...]:
    """Return the surroundings in which a generator of this seed is always the same one."""
    if seed is None or isinstance(seed, (np.random.BitGenerator, np.random.Generator, np.random.RandomState)):
        return ()
    return SURROUNDINGS.get()


def default_rng(seed: Any = None) -> Any:
    """Return a generator as `numpy.random.default_rng` does, whose draws carry derivatives.

    Parameters
    ----------
    seed : int, sequence of int, SeedSequence, BitGenerator, Generator or RandomState, optional
        As for NumPy's.  A generator of NumPy's is shared: both draw from the same stream.

    Returns
    -------
    Generator or RandomState
        A `RandomState` if one is given.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.grad(lambda s: fd.numpy.random.default_rng(1).normal(0.0, s))(2.0) == np.random.default_rng(1).normal()
    np.True_
    """
    if isinstance(seed, (Generator, RandomState)):
        return seed
    if isinstance(seed, np.random.RandomState):
        return RandomState(seed)
    made = Generator(np.random.default_rng(seed).bit_generator)
    made._place = Place(_made_in(seed))
    return made


global_state = RandomState(np.random.mtrand._rand)
