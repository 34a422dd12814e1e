"""A tape as NumPy source that a person would write: what `Tape.to_source` calls."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from funcdiff import errors, primitives
from funcdiff.core.primitive import REGISTRY, Primitive


def find_primitive(name: str) -> Primitive | None:
    """Return a primitive by its name, also one that is loaded with the part of SciPy it belongs to."""
    if name not in REGISTRY and not _LOADED:
        for module in pkgutil.walk_packages(primitives.__path__, f"{primitives.__name__}."):
            importlib.import_module(module.name)
        _LOADED.append(True)
    return REGISTRY.get(name)


_LOADED: list[bool] = []


def implementation(name: str) -> Any:
    """Return what computes a primitive; generated source asks for those few that NumPy cannot spell."""
    primitive = find_primitive(name)
    if primitive is None:
        raise errors.UnsupportedError(f"there is no primitive {name!r} in this version of funcdiff")
    return primitive.impl
