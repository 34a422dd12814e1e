"""``x.flat``."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from funcdiff.numpy._arguments import as_array
from funcdiff.numpy.rearranging import resize
from funcdiff.numpy.shapes import ravel
from funcdiff.primitives.shape import copy


class Flat:
    """``x.flat``: the elements in C order, read and written by their number."""

    def __init__(self, base: Any) -> None:
        self.base = base

    def __len__(self) -> int:
        return prod(self.base.shape)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.copy())

    def __getitem__(self, index: Any) -> Any:
        out = self.copy()[index]
        return out if not out.shape else copy(out)

    def __setitem__(self, index: Any, value: Any) -> None:
        places = np.arange(len(self))[index]
        value = as_array(value)
        if value.shape:
            value = resize(value, np.shape(places))
        self.base[np.unravel_index(places, self.base.shape)] = value

    def copy(self) -> Any:
        """Return the flattened copy."""
        return copy(ravel(self.base))
