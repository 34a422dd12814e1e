"""What NumPy's and SciPy's functions are in funcdiff, for code that is rebound."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.core.free import FREE, LASTING, buffer
from funcdiff.core.recording import TracedArray
from funcdiff.numpy._protocol import CREATION

_NONE: Any = object()


def lasting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function's new buffers lasting ones: what is computed from them can be written into too."""

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        return buffer(out.value, LASTING) if type(out) is TracedArray and out.recorder is FREE else out

    return make


@functools.cache
def counterparts() -> dict[Any, Any]:
    """Return funcdiff's version of each function of NumPy's that has one."""
    import funcdiff.numpy as ours
    import funcdiff.numpy.random as random

    found: dict[Any, Any] = {
        np.random.default_rng: random.default_rng,
        np.random.RandomState: random.RandomState,
    }
    for value, make in CREATION.items():
        found[value] = lasting(make)
    for name in (
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "linspace",
        "logspace",
        "geomspace",
        "arange",
    ):
        found[getattr(np, name)] = lasting(getattr(ours, name))
    pairs = [(np, ours), (np.linalg, ours.linalg), (np.fft, ours.fft), (np.emath, ours.emath)]
    pairs.append((np.lib.stride_tricks, ours.lib.stride_tricks))
    pairs += [
        (getattr(np.polynomial, name), getattr(ours.polynomial, name))
        for name in ("polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre")
    ]
    for theirs, mine in pairs:
        for name in mine.__all__:
            value = getattr(theirs, name, None)
            if callable(value) and not isinstance(value, type):
                found.setdefault(value, getattr(mine, name))
    for name in np.polynomial.__all__:
        if isinstance(getattr(np.polynomial, name), type):
            found[getattr(np.polynomial, name)] = getattr(ours.polynomial, name)
    return found


def counterpart(value: Any) -> Any:
    """Return funcdiff's version of a function of NumPy's or SciPy's, or the value itself."""
    try:
        found = counterparts().get(value, _NONE)
    except TypeError:  # unhashable
        return value
    if found is not _NONE:
        return found
    if getattr(value, "__self__", None) is np.random.mtrand._rand:
        return getattr(counterparts()[np.random.default_rng].__globals__["global_state"], value.__name__)
    parts = str(getattr(value, "__module__", "")).split(".")
    if parts[0] == "scipy" or (isinstance(value, np.ufunc) and "scipy" in sys.modules):
        return _scipys(value)
    return value


def _scipys(value: Any) -> Any:
    import funcdiff.scipy as ours

    name = getattr(value, "__name__", "")
    for module in ours.__all__:
        if getattr(sys.modules.get(f"scipy.{module}"), name, _NONE) is value:
            return getattr(importlib.import_module(f"funcdiff.scipy.{module}"), name, value)
    return value
