"""SciPy's names and signatures, differentiable.  Modules load, SciPy's with them, on first use."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["special"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"funcdiff.scipy.{name}")
    raise AttributeError(f"module 'funcdiff.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
