"""What the current thread has switched on: recording, inference mode, anomaly detection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy._core import umath

ANOMALY = 2
"""The state of recording that also keeps where each node was made; truthy, but not True."""


class State(threading.local):
    """The switches of one thread."""

    recording: int = True  # False, True or ANOMALY
    anomaly: bool = False
    inference: bool = False
    check_nan: bool = True
    transforms: int = 0  # how many torch.func transforms are running
    dual_level: Any = None
    maps: tuple[tuple[Any, int, str], ...] = ()  # the vmaps that are running: recorder, size, randomness
    default_device: Any = None


STATE = State()


class EVER:
    """What any thread has switched on so far; until then nobody need look, which a thread's own switch makes dear."""

    inference = False
    anomaly = False


def _quiet() -> tuple[Callable[[Any], Any], Callable[[Any], Any], Any]:
    """Return how to silence NumPy's floating-point warnings, which PyTorch does not give.

    `numpy.errstate` takes longer than a small operation; setting its context variable does not.
    """
    variable: Any = getattr(umath, "_extobj_contextvar", None)
    make: Any = getattr(umath, "_make_extobj", None)
    if variable is not None and make is not None:
        return variable.set, variable.reset, make(all="ignore")
    return (
        (lambda settings: np.seterr(**settings)),
        (lambda old: np.seterr(**old)),
        dict.fromkeys(np.geterr(), "ignore"),
    )  # pragma: no cover


silence, unsilence, QUIETLY = _quiet()
"""``token = silence(QUIETLY)``, and ``unsilence(token)`` in a ``finally``."""
