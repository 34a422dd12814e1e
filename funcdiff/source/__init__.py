"""A tape as NumPy source that a person would write: what `Tape.to_source` calls."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from funcdiff import primitives
from funcdiff.core.primitive import REGISTRY


def implementation(name: str) -> Any:
    """Return what computes a primitive; generated source asks for those few that NumPy cannot spell."""
    if name not in REGISTRY:  # some are loaded with the part of SciPy they belong to
        for module in pkgutil.walk_packages(primitives.__path__, f"{primitives.__name__}."):
            importlib.import_module(module.name)
    return REGISTRY[name].impl
