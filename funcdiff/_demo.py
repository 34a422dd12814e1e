"""What ``python -m funcdiff demo`` shows."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from scipy.differentiate import hessian as scipy_hessian

import funcdiff as fd

Vector = NDArray[np.float64]

WIDTH = 100
MOST_SHOWN = 6  # rows and columns of a matrix
MOST_LINES = 30  # of the tape
LARGEST_N = 30  # SciPy's Hessian evaluates the function some n² times 100
LARGEST_EXPONENT = 300.0  # exp(x)² must stay finite
# What finite differences of second order reach: relative to the largest entry, and to the function's value,
# whose rounding error they divide by the square of their step.
TOLERANCE = 1e-5
NOISE = 1e-8


class InputError(ValueError):
    """The inputs asked for on the command line cannot be used."""


def exp_adder(x: Any, y: Any) -> Any:
    return 2 * np.exp(x) + 3 * y


def energy(x: Any, y: Any) -> Any:
    return np.sqrt(1 + np.sum(exp_adder(x, y) ** 2, axis=0))


def make_inputs(
    x: Sequence[float] | None, y: Sequence[float] | None, *, n: int | None, seed: int
) -> tuple[Vector, Vector]:
    given = next((len(vector) for vector in (x, y) if vector is not None), None)
    if x is not None and y is not None and len(x) != len(y):
        raise InputError(f"--x has {len(x)} numbers and --y has {len(y)}; give as many of each")
    if n is not None and given is not None and n != given:
        raise InputError(f"--n {n} does not fit the {given} numbers given; leave --n out")
    size = given if given is not None else 3 if n is None else n
    if not 1 <= size <= LARGEST_N:
        raise InputError(
            f"the demo takes 1 to {LARGEST_N} numbers, not {size}: SciPy's finite differences, "
            "which it compares with, take too long on more"
        )
    if seed < 0:
        raise InputError(f"--seed must not be negative, but is {seed}")
    random = np.random.default_rng(seed)
    inputs = []
    for name, vector in (("x", x), ("y", y)):
        drawn = random.random(size)
        values = drawn if vector is None else np.array(vector, dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"--{name} must be finite numbers")
        if np.abs(values).max() > LARGEST_EXPONENT:
            raise InputError(
                f"the numbers of --{name} must lie between -{LARGEST_EXPONENT:g} and {LARGEST_EXPONENT:g}"
            )
        inputs.append(values)
    return inputs[0], inputs[1]


def median_seconds(function: Callable[[], object], *, budget: float = 0.1) -> float:
    """Time a call: the median of as many repeats as fit the budget, at least three, at most a thousand."""
    times: list[float] = []
    spent = 0.0
    while len(times) < 3 or (spent < budget and len(times) < 1000):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
        spent += times[-1]
    return statistics.median(times)


def duration(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


class Page:
    """Writes to a stream: colours on a terminal only, box drawing only where it can be encoded."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.colours = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        encoding = getattr(stream, "encoding", None) or "ascii"
        self.plain = not _can_encode("┌│└─×∂µ²✓✗…·ᵀΣ", encoding)

    def style(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def bold(self, text: str) -> str:
        return self.style(text, "1")

    def dim(self, text: str) -> str:
        return self.style(text, "2")

    def line(self, text: str = "") -> None:
        self.stream.write((text.translate(_ASCII) if self.plain else text).rstrip() + "\n")

    def heading(self, number: int, title: str, note: str = "") -> None:
        start, end = f"── {number}  {title} ", f" {note}" if note else ""
        rule = "─" * max(WIDTH - len(start) - len(end), 2)
        self.line()
        self.line(self.style(start, "1;36") + self.dim(rule + end))
        self.line()

    def verdict(self, passed: bool, text: str) -> None:
        mark = self.style("✓", "1;32") if passed else self.style("✗", "1;31")
        self.line(f"   {mark} {text}")


_ASCII = str.maketrans(
    {"┌": "+", "┐": "+", "└": "+", "┘": "+", "│": "|", "─": "-", "×": "x", "∂": "d", "µ": "u"}
    | {"²": "^2", "✓": "ok", "✗": "FAILED", "…": "...", "·": "-", "ᵀ": "^T", "Σ": "sum"}
)


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def vector_text(vector: Vector) -> str:
    shown = [f"{value:.6g}" for value in vector[:MOST_SHOWN]]
    return f"[{', '.join(shown)}{', …' if len(vector) > MOST_SHOWN else ''}]"


def matrix_lines(matrix: Vector, title: str, *, most: int = MOST_SHOWN) -> list[str]:
    """Draw a matrix with its title above, every line as wide as the widest."""
    rows, columns = matrix.shape
    # + 0.0 turns -0 into 0.
    cells = [[f"{value + 0.0:.5g}" for value in row[:most]] for row in matrix[:most]]
    if columns > most:
        cells = [[*row, "…"] for row in cells]
    if rows > most:
        cells.append(["…"] * len(cells[0]))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    body = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    inner = len(body[0]) + 2
    lines = [f"{title}", "┌" + " " * inner + "┐", *(f"│ {row} │" for row in body), "└" + " " * inner + "┘"]
    return [line.ljust(max(map(len, lines))) for line in lines]


def beside(left: list[str], right: list[str]) -> list[str]:
    """Set two drawings side by side, or one below the other where the page is too narrow."""
    if len(left[0]) + len(right[0]) + 7 > WIDTH:
        return [*left, "", *right]
    return [f"{a}    {b}" for a, b in zip(left, right, strict=True)]


def blocks_to_matrix(blocks: Any) -> Vector:
    """Join the nested blocks of a Hessian into one square matrix."""
    return np.block([[np.asarray(block) for block in row] for row in blocks])


def largest_difference(a: Vector, b: Vector) -> float:
    return float(np.abs(a - b).max()) if a.shape == b.shape else math.inf


def run(x: Vector, y: Vector, *, stream: TextIO) -> bool:
    """Show everything on the stream and say whether every check passed."""
    page = Page(stream)
    page.line(
        page.bold(f"funcdiff {fd.__version__}")
        + " · exact derivatives of ordinary NumPy functions, in any order, by one recorded tape"
    )
    page.heading(1, "A function of two arrays")
    page.line("   def exp_adder(x, y):")
    page.line("       return 2 * np.exp(x) + 3 * y")
    page.line()
    page.line(f"   x = {vector_text(x)}")
    page.line(f"   y = {vector_text(y)}")
    results = [show_jacobian(page, x, y), show_tape(page, x, y), show_hessian(page, x, y)]
    page.line()
    if all(results):
        page.verdict(True, "every check holds")
    else:
        page.verdict(False, "a check failed: see the marks above")
    return all(results)


def show_jacobian(page: Page, x: Vector, y: Vector) -> bool:
    page.heading(2, "Its Jacobian", "fd.jacobian(exp_adder, (x, y))")
    by_x, by_y = fd.jacobian(exp_adder, (x, y))
    seconds = median_seconds(lambda: fd.jacobian(exp_adder, (x, y)))
    size = len(x)
    drawings = (
        matrix_lines(by_x, f"∂/∂x  {size} × {size}"),
        matrix_lines(by_y, f"∂/∂y  {size} × {size}"),
    )
    for line in beside(*drawings):
        page.line(f"   {line}")
    page.line()
    expected = np.diag(2 * np.exp(x)), 3.0 * np.eye(size)
    error = max(largest_difference(by_x, expected[0]), largest_difference(by_y, expected[1]))
    passed = error <= 1e-14 * float(np.abs(expected[0]).max() + 3)
    page.verdict(passed, f"differs from the formula (diag 2 exp(x), 3 I) by {error:.2g} at most")
    page.line(page.dim(f"     {duration(seconds)} (median)"))
    return passed


def show_tape(page: Page, x: Vector, y: Vector) -> bool:
    page.heading(3, "Its tape", "print(fd.trace(exp_adder)(x, y))")
    tape = fd.trace(exp_adder)(x, y)
    listing = str(tape).splitlines()
    for line in listing[:MOST_LINES]:
        page.line(f"   {line}" if len(line) <= WIDTH - 3 else f"   {line[: WIDTH - 4]}…")
    if len(listing) > MOST_LINES:
        page.line(page.dim(f"   … {len(listing) - MOST_LINES} more lines"))
    page.line()
    error = largest_difference(np.asarray(tape.run(x, y)), exp_adder(x, y))
    page.verdict(error == 0, f"replayed, it gives the function's value (difference {error:.2g})")
    seconds = median_seconds(lambda: fd.trace(exp_adder)(x, y)), median_seconds(lambda: tape.run(x, y))
    page.line(page.dim(f"     {duration(seconds[0])} to record, {duration(seconds[1])} to replay (medians)"))
    return error == 0


def show_hessian(page: Page, x: Vector, y: Vector) -> bool:
    page.heading(4, "A Hessian, by nesting", "second derivatives of a scalar function")
    page.line("   def energy(x, y):")
    page.line("       return np.sqrt(1 + np.sum(exp_adder(x, y) ** 2, axis=0))")
    page.line()
    both = (0, 1)
    routes: list[tuple[str, Callable[[], Any]]] = [
        ("fd.hessian(energy, (x, y))", lambda: fd.hessian(energy, (x, y))),
        (
            "fd.jacobian(fd.grad(energy, (0, 1)), (0, 1))(x, y)",
            lambda: fd.jacobian(fd.grad(energy, both), both)(x, y),
        ),
        (
            "fd.jacrev(fd.jacfwd(energy, (0, 1)), (0, 1))(x, y)",
            lambda: fd.jacrev(fd.jacfwd(energy, both), both)(x, y),
        ),
    ]
    size = len(x)
    point = np.concatenate([x, y])

    def by_differences() -> Any:
        with np.errstate(all="ignore"):  # its first steps are long
            return scipy_hessian(lambda z: energy(z[:size], z[size:]), point)

    reference = by_differences().ddf
    matrices = [blocks_to_matrix(route()) for _, route in routes]
    for line in matrix_lines(matrices[0], f"∂²energy / ∂(x, y)²  {2 * size} × {2 * size}"):
        page.line(f"   {line}")
    page.line()
    allowed = TOLERANCE * float(np.abs(reference).max()) + NOISE * float(energy(x, y))
    widest = max(len(name) for name, _ in routes)
    page.line(page.dim(f"     {'route':{widest}}   {'time':>9}   largest difference from SciPy"))
    passed = True
    for (name, route), matrix in zip(routes, matrices, strict=True):
        error = largest_difference(matrix, reference)
        holds = error <= allowed  # False for NaN
        passed = passed and holds
        page.verdict(holds, f"{name:{widest}}   {duration(median_seconds(route)):>9}   {error:.1e}")
    seconds = median_seconds(by_differences)
    page.line(page.dim(f"     {'scipy.differentiate.hessian':{widest}}   {duration(seconds):>9}"))
    return passed
