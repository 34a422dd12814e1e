"""Histograms: linear in their weights, and differentiable in edges where `density` divides by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy import reductions
from funcdiff.numpy._arguments import as_array
from funcdiff.numpy._protocol import has_traced, implements
from funcdiff.primitives.indexing import index_add


def _values(x: Any) -> Any:
    """Return plain values: which bin they fall into is locally constant."""
    return np.asarray(concrete(as_array(x)))


def _edges(a: Any, bins: Any, range: Any, weights: Any) -> Any:
    weights = weights if isinstance(bins, str) else None
    return np.histogram_bin_edges(_values(a), _plain_bins(bins), _plain_range(range), weights)


def _plain_bins(bins: Any) -> Any:
    return bins if isinstance(bins, (str, int, np.integer)) else _values(bins)


def _plain_range(range: Any) -> Any:
    """Return the plain bounds of a range."""
    return None if range is None else tuple(float(_values(r)) for r in range)


def _sequence(bins: Any) -> bool:
    return not isinstance(bins, (str, int, np.integer)) and np.ndim(bins) == 1


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """Edges of the bins; without bounds of your own they move with the smallest and the largest value."""
    if _sequence(bins):
        return as_array(bins)
    if isinstance(bins, str) or range is not None or not np.size(a):
        edges = _edges(a, bins, range, weights)
        if range is None or not has_traced(range):
            if isinstance(bins, str) and type(a) is TracedArray and range is None and edges.size:
                return np.linspace(reductions.min(a), reductions.max(a), edges.size)
            return edges
        return np.linspace(range[0], range[1], edges.size)
    low, high = reductions.min(a), reductions.max(a)
    if not np.any(_values(high) != _values(low)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, int(bins) + 1)


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Histogram: sums of weights, or counts."""
    edges = histogram_bin_edges(a, bins, range, weights)
    plain = _edges(a, bins, range, weights)
    counts = _sums([_values(a).ravel()], [plain], weights, np.shape(a))
    if density:
        counts = counts / np.diff(edges) / np.sum(counts)
    elif weights is None:
        counts = counts.astype(np.intp)
    return counts, edges


def _sums(sample: list[Any], edges: list[Any], weights: Any, shape: Any) -> Any:
    """Add up weights by bin, in any number of dimensions; the last bin holds its right edge."""
    sizes = [e.size - 1 for e in edges]
    place: Any = 0
    inside = True
    for x, e, size in zip(sample, edges, sizes, strict=True):
        n = np.searchsorted(e, x, side="right") - 1
        n = np.where(x == e[-1], size - 1, n)
        inside = inside & (n >= 0) & (n < size)
        place = place * size + n
    total = int(np.prod(sizes))
    if weights is None:
        return np.bincount(place[inside], minlength=total).reshape(sizes).astype(float)
    weights = as_array(weights)
    if weights.shape != shape:
        raise ValueError("weights should have the same shape as a.")
    flat = weights.reshape(-1)[np.flatnonzero(inside)]
    return index_add(flat * 1.0, shape=(total,), index=(place[inside],)).reshape(sizes)


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """Histogram in several dimensions."""
    if isinstance(sample, (list, tuple)):
        columns = [as_array(column) for column in sample]
    else:
        sample = as_array(sample)
        table = sample[:, None] if len(sample.shape) == 1 else sample
        columns = [table[:, d] for d in np.arange(table.shape[1])]
    dimensions = len(columns)
    if isinstance(bins, (int, np.integer)):
        bins = [bins] * dimensions
    if len(bins) != dimensions:
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    ranges = [None] * dimensions if range is None else range
    edges = [histogram_bin_edges(c, b, r) for c, b, r in zip(columns, bins, ranges, strict=True)]
    plain = [_edges(c, b, r, None) for c, b, r in zip(columns, bins, ranges, strict=True)]
    counts = _sums([_values(c) for c in columns], plain, weights, columns[0].shape)
    if density:
        for d, e in enumerate(edges):
            counts = counts / np.diff(e).reshape(-1, *(1,) * (dimensions - d - 1))
        counts = counts / _sums([_values(c) for c in columns], plain, weights, columns[0].shape).sum()
    return counts, edges


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """Histogram in two dimensions."""
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    if not isinstance(bins, (int, np.integer)) and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


__all__ = ["histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]
