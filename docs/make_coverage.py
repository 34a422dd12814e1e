"""Write docs/coverage.md from the tables of tests/numpy/coverage: ``python docs/make_coverage.py``."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """# What of NumPy is covered

Each line below is a program in plain NumPy that the tests run on traced arrays: its value is NumPy's, its gradient
agrees with central differences, forward mode with reverse mode, and so in second order. Under `vmap` all agree with a
loop, except where a line says *asks*: there a shape or a branch depends on values, which differ from example to
example, so `vmap` raises an error that says so. Under `jit` value and gradient are recorded once and replayed, *per path*
where a shape or a branch depends on values: other values are recorded anew when they are first met. This page is
written by `docs/make_coverage.py` from the tables of `tests/numpy/coverage`, and tests compare them.

{plain} of the {all} programs, for {names} names, run in plain spelling; the {refused} others are marked *fd.numpy* and run
there, or as they are in a function given to `fd.numpy.rebind`. Names that have no plain line: {none}. What the protocols cannot reach at all is a buffer that
a function makes fresh, `y = np.zeros(n); y[0] = x[0]`: it raises and names the remedies, `like=x` and `fd.numpy.rebind`.

`x`, `y` are vectors, `z` is a complex one, `s` a number, `A` a square matrix, `M` a matrix, `T` has three axes.
"""
POLYNOMIALS = """NumPy's polynomial modules turn a traced array into an array of its elements, so the functions of
`fd.numpy.polynomial` are faster; they are NumPy's own, run on whole arrays. In plain spelling a fit runs if the data or the
weights are traced, as NumPy then asks `lstsq` of them. It cannot run for traced points with plain data, nor for a
list of degrees, nor can roots: LAPACK would be given an array of objects, and no function of a protocol is called on the way.
These raise an error with the remedies. All lines work under `vmap` in `fd.numpy.polynomial`; in plain spelling NumPy asks
whether coefficients, or columns of the system, are zero.
"""

ARRAY_API = """## The Array API

`fd.numpy` is a namespace of the Array API standard, 2024.12, with both extensions: `x.__array_namespace__()` of a traced array gives
it, and generic code runs on traced arrays. The tests walk over the standard's names and keywords, at 0-d and empty shapes
too, with NaN, infinities and signed zeros. Where the standard asks more than NumPy has, `fd.numpy` has it: `descending=` of `sort` and
`argsort`, `clip(x, low)`, `finfo` and `iinfo` of arrays, limits that are Python floats, `dtype=` of `fftfreq`, `repeat` by
unsigned counts. Two things stay NumPy's: `argsort` without `stable=True` may exchange equal elements, and `floor_divide` of an infinity
is NaN, as Python's.
"""


def page() -> str:
    """The text of the page."""
    sys.path.insert(0, str(ROOT))
    from tests.numpy.coverage import exceptions, methods, polynomials
    from tests.numpy.test_coverage import FAMILIES

    lines = [
        line
        for table in FAMILIES.values()
        for entry in table.values()
        for line in ([entry] if isinstance(entry, str) else entry)
    ]
    refused = sum(line in exceptions.REFUSED for line in lines)
    counts = {"plain": len(lines) - refused, "all": len(lines), "refused": refused}
    none = [
        f"`{name}`"
        for table in FAMILIES.values()
        for name, entry in table.items()
        if {*([entry] if isinstance(entry, str) else entry)} <= {*exceptions.REFUSED}
    ]
    out = [HEAD.format(**counts, none=", ".join(none), names=sum(map(len, FAMILIES.values())))]
    for family, table in FAMILIES.items():
        if family == "polynomial.polynomial":
            out.append(f"## Polynomials\n\n{POLYNOMIALS}")
        out.append(f"{'###' if family in polynomials.FAMILIES else '##'} {family}\n")
        out.append("| name | program | `vmap` | `jit` | |\n| --- | --- | --- | --- | --- |")
        for name, entry in table.items():
            for line in [entry] if isinstance(entry, str) else entry:
                asks = line in exceptions.WHOLE_VALUES or exceptions.trims(line)
                refused = line in exceptions.REFUSED
                vmap = "*asks*" if asks and not refused else "yes"
                jit = "*per path*" if asks and not refused else "yes"
                note = "*fd.numpy*" if refused else ""
                shown = line.replace("\n", "; ").replace("    ", "").replace("|", "\\|")
                out.append(f"| `{name}` | `{shown}` | {vmap} | {jit} | {note} |")
        out.append("")
    out.append(ARRAY_API)
    out.append("## Without derivative\n\nThese take traced arrays and give plain results.\n")
    out.append("| name | program |\n| --- | --- |")
    for name, line in (methods.WITHOUT_DERIVATIVE | methods.NOT_NUMBERS).items():
        out.append(f"| `{name}` | `{line}` |")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "coverage.md").write_text(page(), encoding="utf-8")
