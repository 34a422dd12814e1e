"""Numbers of elements as positions along axes, and back."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from funcdiff.core.recording import innermost
from funcdiff.numpy._arguments import as_array, shape_of
from funcdiff.numpy._protocol import implements


def _strides(dims: tuple[int, ...], order: str) -> list[int]:
    """Return by how many elements a step along each axis moves on."""
    return [prod(dims[n + 1 :] if order == "C" else dims[:n]) for n in range(len(dims))]


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: Any = "C") -> tuple[Any, ...]:
    """Return the positions of elements that are counted through an array, as one array of integers per axis."""
    dims, numbers = shape_of(shape), as_array(indices)
    np.unravel_index(innermost(numbers), dims, order)  # which raises what is to be raised
    return tuple(numbers // step % n for n, step in zip(dims, _strides(dims, order), strict=True))


_INTO_BOUNDS = {
    "raise": lambda i, n: i,
    "wrap": lambda i, n: i % n,
    "clip": lambda i, n: np.clip(i, 0, n - 1),
}


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C") -> Any:
    """Return which elements those at some positions are, counted through an array."""
    places, lengths = tuple(map(as_array, multi_index)), shape_of(dims)
    modes: Any = (mode,) * len(lengths) if isinstance(mode, str) else tuple(mode)
    np.ravel_multi_index((0,) * len(places), lengths, modes, order)  # which raises what is to be raised
    for place, n, m in zip(places, lengths, modes, strict=True):
        _check(innermost(place), n, m)
    steps = _strides(lengths, order)
    return sum(
        _INTO_BOUNDS[m](i, n) * step for i, n, m, step in zip(places, lengths, modes, steps, strict=True)
    )


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """Return arrays of indices, each along an axis of its own, so that together they read a rectangle."""
    places = []
    for n, part in enumerate(map(as_array, args)):
        if len(part.shape) != 1:
            raise ValueError("Cross index must be 1 dimensional")
        numbers = np.nonzero(part)[0] if part.dtype == bool else part
        numbers = numbers.astype(np.intp) if numbers.size == 0 else numbers
        places.append(numbers.reshape((1,) * n + (-1,) + (1,) * (len(args) - n - 1)))
    return tuple(places)


def _check(place: Any, n: int, mode: str) -> None:
    if place.dtype.kind not in "biu":
        raise TypeError(f"only int indices permitted, not {place.dtype}")
    if mode == "raise" and np.any((place < 0) | (place >= n)):
        raise ValueError("invalid entry in coordinates array")
