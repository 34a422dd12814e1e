"""Ufuncs with keywords, and their methods: reduce, accumulate, reduceat, outer, at."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.numpy import _protocol


def call_ufunc(ufunc: np.ufunc, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer any call of a ufunc with a traced argument."""
    raise _protocol.unsupported(ufunc)
