"""The chain's value and gradient in C with vector math, as a yardstick; None where there is no gcc."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = """
#include <math.h>
double chain(const double *restrict x, double *restrict g, long n) {
    double total = 0.0;
    for (long i = 0; i < n; i++) {
        double t = tanh(x[i]), s = x[i] * x[i], e = exp(-s);
        total += t * e + log1p(s);
        g[i] = (1.0 - t * t) * e - 2.0 * x[i] * t * e + 2.0 * x[i] / (1.0 + s);
    }
    return total;
}
"""
FLAGS = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fPIC"]


def chain() -> Callable[[Any], tuple[float, Any]] | None:
    """The compiled function, which allocates its gradient as NumPy does."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, compiled, library = (Path(folder) / f"chain.{end}" for end in ("c", "o", "so"))
        source.write_text(SOURCE)
        # linked without -ffast-math, which would make the whole process flush subnormal numbers to zero
        for command in (
            [compiler, *FLAGS, "-c", str(source), "-o", str(compiled)],
            [compiler, "-shared", str(compiled), "-o", str(library), "-lm"],
        ):
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return None
        function = ctypes.CDLL(str(library)).chain
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]

    def call(x: Any) -> tuple[float, Any]:
        g = np.empty_like(x)
        return function(x.ctypes.data, g.ctypes.data, x.size), g

    return call
