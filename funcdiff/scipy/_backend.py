"""Plain ``scipy.fft`` calls with traced arguments, by the protocol with which SciPy lets others compute."""

from __future__ import annotations

import importlib
from typing import Any

from funcdiff.numpy._protocol import has_traced


class FourierBackend:
    """Answers for traced arrays, and leaves all others to SciPy."""

    __ua_domain__ = "numpy.scipy.fft"

    @staticmethod
    def __ua_function__(method: Any, args: Any, kwargs: Any) -> Any:
        if not (has_traced(args) or has_traced(kwargs)):
            return NotImplemented
        ours = importlib.import_module("funcdiff.scipy.fft")
        return getattr(ours, method.__name__)(*args, **kwargs)


def register() -> None:
    """Register the backend without importing `scipy.fft`; without SciPy's module, plain calls raise as others do."""
    try:
        from scipy._lib.uarray import register_backend
    except ImportError:  # pragma: no cover - a SciPy that has moved it
        return
    register_backend(FourierBackend)
