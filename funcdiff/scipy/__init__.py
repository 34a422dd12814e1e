"""SciPy's names and signatures, differentiable.  Modules load, SciPy's with them, on first use."""

from __future__ import annotations

import importlib
from typing import Any

from funcdiff.core.recording import AT_FIRST_RECORDING, SEARCHES
from funcdiff.errors import EXPLANATIONS
from funcdiff.scipy import _backend, _errors

__all__ = ["fft", "linalg", "sparse", "special"]

NOT_COVERED_YET = (
    "cluster",
    "differentiate",
    "integrate",
    "interpolate",
    "ndimage",
    "odr",
    "optimize",
    "signal",
    "spatial",
    "stats",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"funcdiff.scipy.{name}")
    if name in NOT_COVERED_YET:
        raise AttributeError(
            f"funcdiff.scipy.{name} is not covered yet. Its functions that are pure Python work on traced arrays in "
            f"scipy.{name} itself; others need a rule of their own: fd.custom_jvp, fd.custom_vjp or fd.primitive, or "
            "fd.numerical for one by finite differences."
        )
    raise AttributeError(f"module 'funcdiff.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


AT_FIRST_RECORDING.append(_backend.register)
EXPLANATIONS.append(_errors.explain)
SEARCHES.update(f"scipy.optimize.{name}" for name in _errors.SEARCHES)
