"""Every function of SciPy's modules, called in plain spelling with traced arguments, is right or raises.

The functions are called with a vector, a matrix, two vectors, and a vector and a number, each argument traced in turn.
What SciPy takes plain and gives floats for is compared with central differences where these settle.
"""

import contextlib
import importlib
import io

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.recording import TracedArray

MODULES = {  # and how many calls come back with a derivative, at least
    "linalg": 20,
    "signal": 40,
    "stats": 80,
    "ndimage": 40,
    "integrate": 10,
    "interpolate": 0,
    "optimize": 3,
    "spatial.distance": 15,
    "cluster.vq": 0,
    "fft": 80,
}
LEFT_OUT = {  # SciPy's own crash, print, fetch, or take long with such arguments
    "distance_transform_bf", "distance_transform_cdt", "distance_transform_edt", "get_blas_funcs", "get_lapack_funcs",
    "set_backend", "set_global_backend", "register_backend", "skip_backend", "set_workers", "find_best_blas_type",
    "interpolative", "dunnett", "poisson_means_test", "bws_test", "qmc_quad", "test",
}  # fmt: skip
PATTERNS = {"v": ("v",), "m": ("m",), "v, u": ("v", "u"), "v, 2": ("v", 2), "m, 2": ("m", 2)}
_RNG = np.random.default_rng(3)
INPUTS = {
    "v": np.sort(_RNG.uniform(0.3, 2.0, 8)),
    "u": _RNG.uniform(0.3, 2.0, 8),
    "m": _RNG.uniform(0.2, 1.5, (4, 4)) + 3 * np.eye(4),
}
H = 1e-6


def floats(result):
    """The arrays of floats in a result; object arrays hold traced numbers."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in floats(part)]
    if type(result) is TracedArray:
        return [result]
    kind = np.asarray(result).dtype.kind if isinstance(result, (np.ndarray, np.generic, float)) else ""
    if kind == "O":
        return [fd.numpy.asarray(result)]
    return [np.asarray(result)] if kind in ("f", "c") else []


def calls(module):
    names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
    for name in sorted(set(names) - LEFT_OUT):
        function = getattr(module, name, None)
        if not callable(function) or isinstance(function, type):
            continue
        for pattern, arguments in PATTERNS.items():
            values = [INPUTS.get(a, a) for a in arguments]
            try:
                first, again = (floats(function(*values)) for _ in range(2))
            except Exception:  # noqa: BLE001  SciPy takes no such arguments
                continue
            alike = len(first) == len(again) and all(map(np.array_equal, first, again))
            if first and alike and all(np.isfinite(p).all() for p in first):
                for place, argument in enumerate(arguments):
                    if argument in INPUTS:
                        yield f"{name}({pattern})", function, values, place


def settled(f, x, t):
    """Central differences, NaN where those of two steps differ."""
    near, wide = (
        [(up - down) / (2 * h) for up, down in zip(floats(f(x + h * t)), floats(f(x - h * t)), strict=True)]
        for h in (H, 10 * H)
    )
    return [
        np.where(np.isclose(a, b, rtol=1e-2, atol=1e-3), a, np.nan) for a, b in zip(near, wide, strict=True)
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_right_or_raises(name):
    right, wrong = 0, []
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        for call, function, values, place in calls(importlib.import_module(f"scipy.{name}")):
            x = values[place]
            t = rng.uniform(-1, 1, x.shape)

            def f(z, function=function, values=values, place=place):
                return floats(function(*values[:place], z, *values[place + 1 :]))

            try:
                _, tangents = fd.jvp(f, x, t)
            except Exception:  # noqa: BLE001  it raises
                continue
            expected = settled(f, x, t)
            same = len(tangents) == len(expected) and all(
                np.shape(a) == np.shape(e)
                and np.all(np.isnan(e) | np.isclose(a, e, rtol=1e-2, atol=1e-3, equal_nan=True))
                for a, e in zip(tangents, expected, strict=True)
            )
            right += same
            if not same:
                wrong.append(call)
    assert wrong == []
    assert right >= MODULES[name]
