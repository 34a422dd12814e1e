"""The sections on `scipy.linalg`, `fft` and `sparse` of docs/coverage_scipy.md, from their modules."""

import importlib
import inspect

HEAD = """## scipy.linalg, scipy.fft, scipy.sparse

`fd.scipy` has SciPy's names and signatures. Plain arguments go to SciPy itself; traced ones get values by the same
routines and derivatives in forward and reverse mode, to any order, and under `vmap`.

```python
import numpy as np
import funcdiff as fd
from funcdiff.scipy import linalg, sparse
from funcdiff.scipy.sparse.linalg import spsolve
```

```python
>>> A = np.array([[4.0, 1.0], [1.0, 3.0]])
>>> fd.grad(lambda b: np.sum(linalg.cho_solve(linalg.cho_factor(A), b) ** 2))(np.array([1.0, 2.0]))
array([-0.0661157 ,  0.44628099])
```

Where a function reads only a part of a matrix, as `cholesky` reads a triangle and `solve(assume_a="sym")` one of the two, the
derivative lies on that part. Where only a space is determined, as by `null_space`, derivatives are right for what does not
depend on the choice of its basis. Stacks of matrices are taken where SciPy takes them. A function of which values decide the
result's shape, such as `orth`, or that has a branch, such as `funm`, asks under `vmap`.

SciPy's other modules are not covered yet. Their functions that are Python programs often work on traced arrays as they
are (`scipy.integrate.trapezoid`, `scipy.stats.gmean`, `scipy.optimize.newton`, `scipy.optimize.fixed_point`), and are differentiated
as such programs. What would give an array to compiled code raises an error that names the function, and so do the searches of
`scipy.optimize` (`minimize`, `brent`, `golden`, ...) where they would only compare traced values: nothing of these would be left
in the result. `tests/scipy/test_callbacks.py` calls every function of SciPy's that takes a callback.
"""
FFT = """Plain `scipy.fft.fft(x)` works too, by SciPy's protocol for other implementations. Real transforms of all types
and norms are their own transposes up to weights at the ends. `fht` and `ifht` are differentiable in the array only.
"""
SPARSE = """A plain sparse array `A` in `A @ x`, `x @ A`, `A * x`, `A + x` needs nothing of this. Elements may be traced:

```python
>>> def total(data):
...     A = sparse.csr_array((data, [0, 1, 1], [0, 2, 3]), shape=(2, 2))
...     return np.sum(spsolve(A, np.array([2.0, 3.0])))
>>> fd.grad(total)(np.array([2.0, 1.0, 4.0]))
array([-0.3125 , -0.375  , -0.09375])
```

The pattern stays fixed, and the derivative is that of the elements that are stored. Reverse mode solves the transposed
system, with the factors that the value was computed with, or by the same iteration; derivatives by iteration are those of the
exact solution to the tolerance that is asked for, and warn where they do not converge. Sparse arrays are multiplied with each
other, added, and indexed by rows and columns; parts with one axis (`A[0]`) and comparisons raise.
"""
SECTIONS = {
    "scipy.linalg": "",
    "scipy.fft": FFT,
    "scipy.sparse": SPARSE,
    "scipy.sparse.linalg": "",
}


def _rows(path: str) -> list[str]:
    module = importlib.import_module(f"funcdiff.{path}")
    rows = []
    for name in sorted(module.__all__):
        value = getattr(module, name)
        if inspect.ismodule(value) or (
            inspect.isclass(value) and not value.__module__.startswith("funcdiff")
        ):
            continue
        why = getattr(value, "without_rule", None)
        ours = str(getattr(value, "__module__", "")).startswith("funcdiff")
        first = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
        if why:
            rows.append(f"| `{name}` | plain arguments only | {why[0].upper()}{why[1:]} |")
        elif not ours:
            rows.append(f"| `{name}` | SciPy's own | |")
        else:
            rows.append(f"| `{name}` | yes | {first.replace('|', chr(92) + '|')} |")
    return rows


def section() -> str:
    """The text of the section."""
    out = [HEAD]
    for path, text in SECTIONS.items():
        out.append(f"### {path}\n")
        if text:
            out.append(text)
        out.append("| name | differentiable | |\n| --- | --- | --- |")
        out += [*_rows(path), ""]
    return "\n".join(out).rstrip() + "\n"
