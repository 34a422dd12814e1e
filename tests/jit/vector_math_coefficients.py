"""Derive the polynomials of funcdiff's vector math: minimax fits by Remez' exchange in 60 digits.

``python -m tests.jit.vector_math_coefficients > funcdiff/jit/native/vector_math/coefficients.py`` writes them anew
(a minute); a test derives some again and compares.
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import mp

mp.dps = 60
Function = Callable[[mp.mpf], mp.mpf]


def minimax(f: Function, low: float, high: float, degree: int, weight: Function) -> list[float]:
    """The polynomial of a degree whose weighted error ``weight * (f - p)`` has the least maximum on [low, high]."""
    low, high = mp.mpf(low), mp.mpf(high)
    middle, radius, count = (high + low) / 2, (high - low) / 2, degree + 2
    grid = [middle - radius * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / (24 * count)) for k in range(24 * count)]
    values = [(x, f(x), weight(x)) for x in grid]
    reference = [values[int((k + 0.5) * 24)] for k in range(count)]
    for _ in range(12):
        rows = [[x**k for k in range(degree + 1)] + [(-1) ** i / w] for i, (x, _, w) in enumerate(reference)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([y for _, y, _ in reference]))
        coefficients = list(solution)[:-1]
        errors = [w * (y - mp.polyval(coefficients[::-1], x)) for x, y, w in values]
        reference = _alternating_extrema(values, errors, count)
        if max(abs(e) for e in errors) < abs(solution[-1]) * mp.mpf("1.001"):
            break
    return [float(c) for c in coefficients]


def _alternating_extrema(values: list, errors: list, count: int) -> list:
    """The largest error of each run of one sign; of more than ``count`` runs the ends with less are dropped."""
    runs: list[tuple] = []
    for value, error in zip(values, errors, strict=True):
        if runs and (runs[-1][1] > 0) == (error > 0):
            runs[-1] = max(runs[-1], (value, error), key=lambda run: abs(run[1]))
        else:
            runs.append((value, error))
    while len(runs) > count:
        runs.pop(0 if abs(runs[0][1]) < abs(runs[-1][1]) else -1)
    assert len(runs) == count, "the error does not alternate often enough"
    return [value for value, _ in runs]


def odd_tail(f: Function) -> Function:
    """``(f(x) - x) / x³`` as a function of ``z = x²``."""
    return lambda z: (f(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3


def odd_weight(f: Function) -> Function:
    """The weight that makes the error of such a tail relative to ``f``."""
    return lambda z: mp.sqrt(z) ** 3 / f(mp.sqrt(z))


def exp_tail() -> list[float]:
    """(eʳ - 1 - r)/r² on |r| ≤ ln 2 / 2, relative to expm1."""
    half = mp.log(2) / 2 * mp.mpf("1.0001")
    return minimax(lambda r: (mp.expm1(r) - r) / r**2, -half, half, 10, lambda r: abs(r**2 / mp.expm1(r)))


def log_tail() -> list[float]:
    """(log((1+s)/(1-s)) - 2s)/s³ as a function of z = s², |s| ≤ 3 - √8."""
    largest = (3 - mp.sqrt(8)) ** 2 * mp.mpf("1.0001")
    return minimax(
        lambda z: (2 * mp.atanh(mp.sqrt(z)) - 2 * mp.sqrt(z)) / mp.sqrt(z) ** 3,
        mp.mpf(10) ** -9,
        largest,
        6,
        lambda z: z / 2,
    )


def sin_tail() -> list[float]:
    """(sin x - x)/x³ as a function of x², |x| ≤ π/4."""
    return minimax(
        odd_tail(mp.sin), mp.mpf(10) ** -9, (mp.pi / 4) ** 2 * mp.mpf("1.0001"), 5, odd_weight(mp.sin)
    )


def cos_tail() -> list[float]:
    """(cos x - 1 + x²/2)/x⁴ as a function of x², |x| ≤ π/4."""
    return minimax(
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
        mp.mpf(10) ** -9,
        (mp.pi / 4) ** 2 * mp.mpf("1.0001"),
        5,
        lambda z: z**2,
    )


TABLES: dict[str, Callable[[], list[float]]] = {
    "EXP_TAIL": exp_tail,
    "LOG_TAIL": log_tail,
    "SIN_TAIL": sin_tail,
    "COS_TAIL": cos_tail,
}


def split(x: mp.mpf, parts: int) -> list[float]:
    """A number as an unevaluated sum of doubles."""
    result = []
    for _ in range(parts):
        result.append(float(x))
        x -= mp.mpf(result[-1])
    return result


def main() -> None:
    """Print the module of coefficients."""
    print(
        '"""Polynomials of the vector math, constant term first; derived by tests/jit/vector_math_coefficients.py."""'
    )
    for name, derive in TABLES.items():
        print(f"\n# {derive.__doc__}")
        print(f"{name} = [")
        for c in derive():
            print(f"    {c!r},")
        print("]")


if __name__ == "__main__":
    main()
