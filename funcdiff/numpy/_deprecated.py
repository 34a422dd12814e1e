# NumPy deprecates calls, and refuses them some versions later.  Only the installed NumPy knows which: it is
# asked with arrays of zeros, and what it says is said of traced arrays too.

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np


@functools.cache
def _said(function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]) -> list[Warning | str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        function(*(np.zeros(shape) for shape in shapes))
    return [warning.message for warning in said]


def warn_as_numpy(function: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    """Warn at the user's line, or raise, if NumPy's function does so for arrays of these shapes."""
    for message in _said(function, shapes):
        warnings.warn(str(message), type(message), stacklevel=4)  # type: ignore[arg-type]
