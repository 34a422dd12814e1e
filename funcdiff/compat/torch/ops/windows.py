"""Windows for signals: weights that fall off towards both ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import Default, as_numpy
from funcdiff.compat.torch._tensor import wrap


def _window(name: str, weights: tuple[float, ...]) -> Any:
    def op(window_length: int, periodic: bool = True, *, dtype: Any = None, **_: Any) -> Any:
        n = window_length if periodic else window_length - 1
        angle = 2 * np.pi * np.arange(window_length) / max(n, 1)
        x = sum((-1) ** k * w * np.cos(k * angle) for k, w in enumerate(weights))
        return wrap(np.asarray(x, Default.real if dtype is None else as_numpy(dtype)))

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"As `torch.{name}`."
    return op


hamming_window = _window("hamming_window", (0.54, 0.46))
blackman_window = _window("blackman_window", (0.42, 0.5, 0.08))


def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None) -> Any:
    """As `torch.bartlett_window`."""
    n = window_length if periodic else window_length - 1
    x = 1 - np.abs(2 * np.arange(window_length) / max(n, 1) - 1)
    return wrap(x.astype(Default.real if dtype is None else as_numpy(dtype)))


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None) -> Any:
    """As `torch.hann_window`."""
    n = window_length if periodic else window_length - 1
    x = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / n)
    return wrap(x.astype(Default.real if dtype is None else as_numpy(dtype)))
