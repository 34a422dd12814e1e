"""Calling a function without floating-point events, as ``with np.errstate(all="ignore")`` does, at less cost.

That statement makes an object of settings each time; here there is one, which a context variable is set to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _by_statement(function: Callable[[Any], Any], argument: Any) -> Any:
    with np.errstate(all="ignore"):
        return function(argument)


def _maker() -> Callable[[Callable[[Any], Any], Any], Any]:
    try:
        from numpy._core.umath import _extobj_contextvar as state

        before = state.get(None)
        with np.errstate(all="ignore"):
            settings = state.get()
        if before is settings:
            return _by_statement
    except (ImportError, LookupError, AttributeError):  # NumPy keeps its settings elsewhere
        return _by_statement
    switch, back = state.set, state.reset

    def quiet(function: Callable[[Any], Any], argument: Any) -> Any:
        token = switch(settings)
        try:
            return function(argument)
        finally:
            back(token)

    return quiet


quietly = _maker()
"""Call a function of one argument without warnings or errors of NumPy's floating-point operations."""
