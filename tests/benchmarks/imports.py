"""Import time of funcdiff beyond NumPy's, each in a fresh interpreter."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from .timing import Effort, Table, at_most

CACHE = tempfile.TemporaryDirectory()
PROGRAM = """
import sys, time
import numpy
start = time.process_time()
import funcdiff
print(time.process_time() - start)
print(*sorted(m for m in ("scipy.special", "scipy.linalg", "scipy.sparse", "scipy.optimize",
    "scipy.integrate", "llvmlite", "matplotlib", "sympy", "dask", "torch") if m in sys.modules))
"""


def import_time(effort: Effort) -> Table:
    fresh_import()  # writes the bytecode
    runs = [fresh_import() for _ in range(1 if effort.tiny else 9)]
    taken = [seconds for seconds, _ in runs]
    median = 1e3 * statistics.median(taken)
    return Table(
        "import funcdiff beyond import numpy: ms of CPU time",
        ("min", "median", "budget", "extras loaded (budget: none)"),
        [(f"{1e3 * min(taken):.0f}", f"{median:.0f}", at_most(median, 100, " ms"), runs[0][1])],
    )


def fresh_import() -> tuple[float, str]:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": CACHE.name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: the bytecode is there
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment
    ).stdout
    seconds, _, extras = output.partition("\n")
    return float(seconds), extras.strip() or "none"
