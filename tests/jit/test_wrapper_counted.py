"""The wrapper is compiled in a hurry, and once more with care when it has been called often."""

import os
import subprocess
import sys

import pytest

from funcdiff.jit.native.engine import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

CALLS = """
import numpy as np, funcdiff as fd
from funcdiff.jit.native import engine, wrapper
from funcdiff.jit.native.wrapper_counted import OFTEN

levels = []
compile = engine.Engine.compile
def counting(self, texts, symbols, exports, keep=None):
    levels.extend(level for _, level in texts if exports[0].startswith("call"))
    return compile(self, texts, symbols, exports, keep)
engine.Engine.compile = counting

f, g = fd.jit(lambda x: x + x), fd.jit(lambda x, y: (x * y, x - y))
x = np.arange(3.0)
def right():
    a, b = g(x, 2 * x)
    return (f(x) == 2 * x).all() and (a == 2 * x * x).all() and (b == -x).all()

assert right() and levels == [0]
first = wrapper._definition().function
for _ in range({before}):
    f(x)
with engine.engine().lock:  # as if a compiled function were called back while another one is compiled
    for _ in range({locked}):
        f(x)
assert levels == [0] and wrapper._definition().function == first
for _ in range(OFTEN):
    f(x)
assert levels == [0, 2] and wrapper._definition().function != first
for _ in range(3):
    assert right()
for _ in range(2 * OFTEN):
    f(x)
assert levels == [0, 2]
"""


@pytest.mark.parametrize(("before", "locked"), [(1000, 0), (1000, 1 << 16)])
def test_better_code_after_many_calls(before, locked):
    code = CALLS.format(before=before, locked=locked)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


AT_THE_END = """
import builtins

import numpy as np, funcdiff as fd
f = fd.jit(lambda x: x + x)
f(np.ones(3))
builtins.kept = f  # of all modules this one is cleared last
del f
"""


def test_builtins_that_go_when_the_interpreter_ends():
    environment = os.environ | {"PYTHONMALLOC": "debug"}  # what is freed is written over
    ran = subprocess.run(
        [sys.executable, "-c", AT_THE_END], env=environment, timeout=120, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr
