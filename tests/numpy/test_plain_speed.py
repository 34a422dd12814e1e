"""Functions of fd.numpy go to NumPy at once where nothing is traced: counted in calls of funcdiff's own functions.

Every program of the coverage tables runs on plain arrays, with the functions of fd.numpy.  What may be entered is the
function that looks at the types of the arguments; what makes arrays that traced values can be written into is left out.
"""

import sys

import pytest

import funcdiff as fd
from tests.numpy.coverage.programs import INPUTS
from tests.numpy.test_coverage import FAMILIES

MAKERS = (
    "array", "asarray", "asanyarray", "asarray_chkfinite", "zeros", "ones", "empty", "full", "eye", "arange", "linspace",
    "logspace", "geomspace", "zeros_like", "ones_like", "empty_like", "full_like",
)  # fmt: skip
LOOKS_AT_TYPES = {"public", "call", "__call__", "has_traced", "<genexpr>", "function"}
A_STEP_MORE = 2
"""Of our functions per call of NumPy's: a ufunc's method, or a keyword that NumPy has not."""


def programs():
    for table in FAMILIES.values():
        for entry in table.values():
            for line in [entry] if isinstance(entry, str) else entry:
                makes = any(f"np.{name}(" in line for name in MAKERS)
                if "np." in line and "\n" not in line and "lambda" not in line and not makes:
                    yield line


def entered(line):
    code = compile(line.replace("np.", "xp."), "<program>", "exec")
    scope = {"xp": fd.numpy, **INPUTS}
    exec(code, dict(scope))
    names = []

    def watch(frame, event, _arg):
        if event == "call" and "funcdiff" in frame.f_globals.get("__name__", ""):
            names.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        exec(code, scope)
    finally:
        sys.setprofile(None)
    return names


@pytest.mark.filterwarnings("ignore")
def test_plain_arrays_go_to_numpy_at_once():
    counted = 0
    for line in dict.fromkeys(programs()):
        names = entered(line)
        assert "box" not in names, line  # nothing is traced
        more = [name for name in names if name not in LOOKS_AT_TYPES]
        calls = line.count("np.") - line.count("np.polynomial.")
        assert len(more) <= A_STEP_MORE * max(calls, 1), (line, more)
        counted += 1
    assert counted > 550
