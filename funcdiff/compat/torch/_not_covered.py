"""Names that PyTorch has and the shim has not: using one says so."""

from __future__ import annotations

from typing import Any

from funcdiff import errors


class NotCoveredError(errors.UnsupportedError, AttributeError):
    """A name of PyTorch's that the shim does not cover; to `hasattr` it is not there."""


def refuse(module: str, name: str) -> Any:
    """Raise the error for a name that a module of the shim does not have."""
    spoken = f"torch.{module}" if module else "torch"
    if name.startswith("_") or name not in names(module):
        if module == "Tensor":
            raise AttributeError(f"'Tensor' object has no attribute '{name}'")
        raise AttributeError(f"module '{spoken}' has no attribute '{name}'")
    raise NotCoveredError(
        errors.at_user_line(
            f"{spoken}.{name} is PyTorch's, and funcdiff.compat.torch does not cover it. Write it with functions that are covered "
            "(docs/torch.md), or run that part with PyTorch itself."
        )
    )


def names(module: str) -> frozenset[str]:
    """Return the names that a module of PyTorch has and the shim has not."""
    from funcdiff.compat.torch._pytorch_names import NAMES

    return frozenset(NAMES.get(module, "").split())
