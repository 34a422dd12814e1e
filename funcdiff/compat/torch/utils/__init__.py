"""`torch.utils`."""

from __future__ import annotations

from funcdiff.compat.torch.utils import data

__all__ = ["data"]
