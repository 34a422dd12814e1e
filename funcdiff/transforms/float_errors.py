"""Floating-point warnings in forward mode: the user's own are kept, those of derivative rules are not.

Reverse sweeps run after the function and simply ignore them.  In forward mode rules run beside the
user's operations, so NumPy is asked to call back, and where it was tells whose operation it is.
"""

from __future__ import annotations

import os
import sys
import warnings
from types import FrameType
from typing import Any

import numpy as np

from funcdiff.core.fast_operators import FILE, RULE_LINES

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_RULES = (os.path.join(_PACKAGE, "core", "rules.py"), os.path.join(_PACKAGE, "primitives") + os.sep)
_INSIDE = tuple(os.path.join(_PACKAGE, folder) + os.sep for folder in ("core", "primitives", "transforms"))
_KEYS = {"divide by zero": "divide", "overflow": "over", "underflow": "under", "invalid value": "invalid"}


def _in_rule(frame: FrameType | None) -> bool:
    """Tell whether a rule asked for the operation that a frame carries out, maybe for an older level."""
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        name = frame.f_code.co_filename
        if name.startswith(_RULES) or (name == FILE and frame.f_lineno in RULE_LINES):
            return True
        frame = frame.f_back
    return False


def without_rules() -> Any:
    """Return a context in which NumPy's settings hold for everything but derivative rules."""
    settings: dict[str, Any] = dict(np.geterr())
    previous = np.geterrcall()

    def called(kind: str, flag: int) -> None:
        if _in_rule(sys._getframe(1)):
            return
        match settings[_KEYS[kind]]:
            case "warn":
                warnings.warn(f"{kind} encountered", RuntimeWarning, stacklevel=3)
            case "raise":
                raise FloatingPointError(f"{kind} encountered")
            case "print":
                sys.stderr.write(f"Warning: {kind} encountered\n")
            case "call" if callable(previous):
                previous(kind, flag)
            case "log" if previous is not None:
                previous.write(f"Warning: {kind} encountered\n")  # type: ignore[union-attr]

    wanted: dict[str, Any] = {key: "ignore" if mode == "ignore" else "call" for key, mode in settings.items()}
    return np.errstate(call=called, **wanted)
