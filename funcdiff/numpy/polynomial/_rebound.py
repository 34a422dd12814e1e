# NumPy's polynomial modules, rebound: the helpers first, since the six modules call them as `pu`.

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.polynomial import _polybase, polyutils

from funcdiff.core.recording import TracedArray, concrete
from funcdiff.numpy._rebinding import Rebinding


def places(seq: Any) -> Any:
    """Return where coefficients are not zero: under `vmap` where they are not in any example."""
    flags: Any = np.not_equal(seq, 0)
    while type(flags) is TracedArray:
        if flags.recorder.batch:
            mapped = bool(flags.place)
            flags = flags.value
            if mapped:
                flags = np.any(flags, axis=0)
        else:
            flags = concrete(flags)
    return np.flatnonzero(flags)


def trimseq(seq: Any) -> Any:
    """Drop trailing zeros."""
    if len(seq) == 0:
        return seq
    found = places(seq)
    return seq[: int(found[-1]) + 1 if found.size else 1]


UTILITIES = Rebinding(polyutils, {"trimseq": trimseq})
PU = SimpleNamespace(**UTILITIES.globals)
BASE = Rebinding(_polybase, {"pu": PU})


def rebound(module: ModuleType) -> Rebinding:
    """Rebind one of the six modules."""
    return Rebinding(module, {"pu": PU, "ABCPolyBase": BASE.globals["ABCPolyBase"]})


__all__ = ["BASE", "UTILITIES", "places", "rebound", "trimseq"]
