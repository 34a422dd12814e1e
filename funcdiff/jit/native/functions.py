"""The mathematical functions that kernels call: each compiled once per process, or the C library's own."""

from __future__ import annotations

import threading
from functools import cache

from funcdiff.jit.native.engine import Library, engine, runtime

LIBM = {
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "cbrt": "cbrt",
    "cos": "cos",
    "cosh": "cosh",
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "fmod": "fmod",
    "hypot": "hypot",
    "log": "log",
    "log10": "log10",
    "log1p": "log1p",
    "log2": "log2",
    "nextafter": "nextafter",
    "power": "pow",
    "sin": "sin",
    "sinh": "sinh",
    "tan": "tan",
    "tanh": "tanh",
}

_compiled: dict[tuple[str, str, int], tuple[Library, int]] = {}
_lock = threading.Lock()


@cache
def is_vectorised(name: str, kind: str) -> bool:
    """Tell whether our own vector math has a function."""
    from funcdiff.jit.native import vector_math

    return kind in ("f64", "f32") and vector_math.available(name, kind)


def in_library(name: str, kind: str) -> str:
    """Return the name of a function in the C library."""
    return LIBM[name] + ("f" if kind == "f32" else "")


def is_callable(name: str, kind: str) -> bool:
    """Tell whether a function can be called from machine code."""
    if is_vectorised(name, kind):
        return True
    return name in LIBM and kind in ("f64", "f32") and runtime(in_library(name, kind)) is not None


def symbol(name: str, kind: str, lanes: int) -> str:
    """Return the symbol of a function of our own."""
    return f"fd.{name}.{kind}.v{lanes}"


def address(name: str, kind: str, lanes: int) -> int:
    """Return where a function of our own starts, compiling it at its first use."""
    key = (name, kind, lanes)
    with _lock:
        found = _compiled.get(key)
        if found is None:
            from funcdiff.jit.native import vector_math

            here = symbol(*key)
            lines = vector_math.definitions([key]).split("\n")
            for n, line in enumerate(lines):  # the one that is called from outside
                if line.startswith("define internal") and f"@{here}(" in line:
                    lines[n] = line.replace("define internal", "define", 1)
            library = engine().compile([("\n".join(lines), 2)], _symbols(lines), [here])
            found = _compiled[key] = (library, library.address(here))
    return found[1]


def _symbols(lines: list[str]) -> dict[str, int]:
    """Return the addresses of the C library's functions that a definition declares."""
    found = {}
    for line in lines:
        if line.startswith("declare") and "@llvm." not in line:
            name = line.partition("@")[2].partition("(")[0]
            found[name] = runtime(name) or 0
    return {name: at for name, at in found.items() if at}
