"""`hutchinson`: trace or diagonal of a matrix that is known by its products only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.recording import innermost
from funcdiff.core.trees import flatten, path_name
from funcdiff.transforms.arguments import check_callable, leaf_value, vectors


def hutchinson(
    matvec: Callable[[Any], Any],
    like: Any,
    *,
    samples: int = 100,
    rng: np.random.Generator | int | None = None,
    diagonal: bool = False,
) -> tuple[Any, Any]:
    """Estimate the trace or the diagonal of a matrix from products with random vectors.

    The mean of ``vᵀ A v`` (or of ``v * A v``) over vectors of random signs is unbiased; for a diagonal
    matrix a single sample is exact.

    Parameters
    ----------
    matvec : callable
        ``matvec(v) -> A v``, both of the structure and shapes of `like`; for example
        ``lambda v: fd.hvp(f, x, v)[1]``.
    like : array or nested containers of arrays
        What v looks like; its values do not matter.
    samples : int, default 100
        Number of products, at least 2.
    rng : numpy.random.Generator or int, optional
        Where the signs come from, or a seed.
    diagonal : bool, default False
        Estimate the diagonal instead of the trace.

    Returns
    -------
    estimate : scalar, or array or nested containers of arrays
        The trace; or the diagonal, of the structure of `like`.
    error : scalar, or array or nested containers of arrays
        The standard error of the estimate, a plain value of the same structure.

    Raises
    ------
    VectorError
        If `matvec` returns something that does not look like `like`.
    DtypeError
        If `like` is not of floating-point or complex dtype.
    ValueError
        If `samples` is less than 2.

    Notes
    -----
    M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian
    smoothing splines", 1990; for the diagonal C. Bekas, E. Kokiopoulou and Y. Saad, 2007.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> hvp = lambda v: fd.hvp(lambda x: np.sum(x**3), x, v)[1]
    >>> trace, error = fd.hutchinson(hvp, x, samples=5, rng=0)
    >>> float(trace), float(error)
    (36.0, 0.0)
    >>> fd.hutchinson(hvp, x, samples=5, rng=0, diagonal=True)[0]
    array([ 6., 12., 18.])
    """
    check_callable("hutchinson", matvec)
    if samples < 2:
        raise ValueError(f"hutchinson needs samples to be 2 or more, not {samples!r}")
    leaves, tree = flatten(like)
    kinds = []
    for leaf, path in zip(leaves, tree.paths(), strict=True):
        kind = type_of(leaf_value(leaf))
        if kind.dtype.kind not in "fc":
            raise errors.DtypeError(
                errors.at_user_line(
                    f"hutchinson needs arrays of floating-point or complex dtype in like; like{path_name(path)} has "
                    f"dtype {kind.dtype}"
                )
            )
        kinds.append(kind)
    generator = np.random.default_rng(rng)
    means: list[Any] = []
    spreads: list[Any] = []  # sums of squared distances from the mean, by Welford's recurrence
    for n in range(1, int(samples) + 1):
        signs = [_signs(generator, kind) for kind in kinds]
        product = matvec(tree.unflatten(signs))
        found = vectors("hutchinson", "result of matvec", matvec, product, tree, kinds, ", that of like")
        terms = [s * p for s, p in zip(signs, found, strict=True)]
        if not diagonal:
            terms = [sum((np.sum(t) for t in terms[1:]), np.sum(terms[0]))] if terms else [np.float64(0.0)]
        if not means:
            means, spreads = terms, [np.zeros(np.shape(t), np.abs(innermost(t)).dtype)[()] for t in terms]
            continue
        for k, term in enumerate(terms):
            before = innermost(term - means[k])
            means[k] = means[k] + (term - means[k]) / n
            after = innermost(term - means[k])
            spreads[k] = spreads[k] + np.real(np.conj(before) * after)
    deviations = [np.sqrt(s / ((samples - 1) * samples)) for s in spreads]
    if diagonal:
        return tree.unflatten(means), tree.unflatten(deviations)
    return means[0], deviations[0]


def _signs(rng: np.random.Generator, kind: ArrayType) -> Any:
    """Return an array of random signs."""
    return np.asarray(2 * rng.integers(0, 2, kind.shape) - 1).astype(kind.dtype)[()]


__all__ = ["hutchinson"]
