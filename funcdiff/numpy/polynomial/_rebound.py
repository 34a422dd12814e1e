# NumPy's polynomial modules, rebound: the helpers first, since the six modules call them as `pu`.

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.polynomial import _polybase, polyutils

from funcdiff.numpy._rebinding import Rebinding, either, of_all_examples


def places(seq: Any) -> Any:
    """Return where coefficients are not zero: under `vmap` where they are not in any example."""
    return np.flatnonzero(of_all_examples(np.not_equal(seq, 0), np.any))


def trimseq(seq: Any) -> Any:
    """Drop trailing zeros."""
    if len(seq) == 0:
        return seq
    found = places(seq)
    return seq[: int(found[-1]) + 1 if found.size else 1]


UTILITIES = Rebinding(polyutils, {"trimseq": either(polyutils.trimseq, trimseq)}, both=True)
PU = SimpleNamespace(**UTILITIES.globals)
BASE = Rebinding(_polybase, {"pu": PU})


def rebound(module: ModuleType, prefix: str) -> Rebinding:
    """Rebind one of the six modules; what decides on a coefficient is written anew, so that `vmap` can."""
    ours = Rebinding(module, {"pu": PU, "ABCPolyBase": BASE.globals["ABCPolyBase"]}, both=True)
    times_x, times = ours.globals[f"{prefix}mulx"], ours.globals[f"{prefix}mul"]

    def mulx(c: Any) -> Any:
        [c] = PU.as_series([c])
        if len(c) > 1 or not places(c).size:
            return times_x(c)
        return c[0] * times_x(np.ones(1, c.dtype))  # NumPy asks whether a single coefficient is zero

    def div(c1: Any, c2: Any) -> Any:
        return _divide(times, c1, c2)

    for name, function in ((f"{prefix}mulx", mulx), (f"{prefix}div", div)):
        ours.globals[name] = either(getattr(module, name), function)
    cls = next(c for c in ours.globals.values() if isinstance(c, type) and c.__module__ == module.__name__)
    cls._div = staticmethod(ours.globals[f"{prefix}div"])  # type: ignore[attr-defined]
    return ours


def _divide(times: Any, c1: Any, c2: Any) -> Any:
    """Divide by subtracting multiples of the divisor, as `polyutils._div`."""
    c1, c2 = PU.as_series([c1, c2])
    if places(c2[-1:]).size == 0:
        raise ZeroDivisionError
    if len(c1) < len(c2):
        return c1[:1] * 0, c1
    if len(c2) == 1:
        return c1 / c2[-1], c1[:1] * 0
    quotient: list[Any] = []
    for power in range(len(c1) - len(c2), -1, -1):
        part = times([0] * power + [1], c2)
        factor = c1[-1] / part[-1]
        c1 = c1[:-1] - factor * part[:-1]
        quotient.insert(0, factor)
    return np.stack(quotient), trimseq(c1)


__all__ = ["BASE", "UTILITIES", "places", "rebound", "trimseq"]
