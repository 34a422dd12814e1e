"""Derive the polynomials of funcdiff's vector math: minimax fits by Remez' exchange in 60 digits.

``python -m tests.jit.vector_math_coefficients > funcdiff/jit/native/vector_math/coefficients.py`` writes them anew
(a minute); a test derives some again and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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


def exp_tail(degree: int = 10) -> list[float]:
    """(eʳ - 1 - r)/r² on |r| ≤ ln 2 / 2, relative to expm1."""
    half = mp.log(2) / 2 * mp.mpf("1.0001")
    return minimax(lambda r: (mp.expm1(r) - r) / r**2, -half, half, degree, lambda r: abs(r**2 / mp.expm1(r)))


def log_tail(degree: int = 6) -> list[float]:
    """(log((1+s)/(1-s)) - 2s)/s³ as a function of z = s², |s| ≤ 3 - √8."""
    largest = (3 - mp.sqrt(8)) ** 2 * mp.mpf("1.0001")
    return minimax(
        lambda z: (2 * mp.atanh(mp.sqrt(z)) - 2 * mp.sqrt(z)) / mp.sqrt(z) ** 3,
        mp.mpf(10) ** -9,
        largest,
        degree,
        lambda z: z / 2,
    )


def sin_tail(degree: int = 5) -> list[float]:
    """(sin x - x)/x³ as a function of x², |x| ≤ π/4."""
    largest = (mp.pi / 4) ** 2 * mp.mpf("1.0001")
    return minimax(odd_tail(mp.sin), mp.mpf(10) ** -9, largest, degree, odd_weight(mp.sin))


def cos_tail(degree: int = 5) -> list[float]:
    """(cos x - 1 + x²/2)/x⁴ as a function of x², |x| ≤ π/4."""
    return minimax(
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
        mp.mpf(10) ** -9,
        (mp.pi / 4) ** 2 * mp.mpf("1.0001"),
        degree,
        lambda z: z**2,
    )


def log_fifth_tail() -> list[float]:
    """(log((1+s)/(1-s)) - 2s - 2s³/3)/s⁵ as a function of z = s², |s| ≤ 3 - √8."""
    largest = (3 - mp.sqrt(8)) ** 2 * mp.mpf("1.0001")
    return minimax(
        lambda z: (2 * mp.atanh(mp.sqrt(z)) - 2 * mp.sqrt(z) - 2 * mp.sqrt(z) ** 3 / 3) / mp.sqrt(z) ** 5,
        mp.mpf(10) ** -6,
        largest,
        6,
        lambda z: z**2 / 2,
    )


def arctan_tail() -> list[float]:
    """(arctan x - x)/x³ as a function of x², |x| ≤ √2 - 1."""
    largest = (mp.sqrt(2) - 1) ** 2 * mp.mpf("1.0001")
    return minimax(odd_tail(mp.atan), mp.mpf(10) ** -9, largest, 10, odd_weight(mp.atan))


def arcsin_tail() -> list[float]:
    """(arcsin x - x)/x³ as a function of x², |x| ≤ 1/2."""
    return minimax(odd_tail(mp.asin), mp.mpf(10) ** -9, mp.mpf("0.2501"), 12, odd_weight(mp.asin))


def inverse_cube_root() -> list[float]:
    """m^(-1/3) on √½ ≤ m ≤ √2."""
    return minimax(lambda m: 1 / mp.cbrt(m), mp.sqrt(0.5), mp.sqrt(2), 5, mp.cbrt)


def erf_tail() -> list[float]:
    """erf(x)/x - 1 as a function of x², |x| ≤ 1/2."""
    return minimax(
        lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
        mp.mpf(10) ** -12,
        mp.mpf("0.2501"),
        8,
        lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)),
    )


def erfc_scaled() -> list[float]:
    """√π exp(x²) erfc(x) (x + 1/2) - 1 as a function of t = (x - 3)/(x + 3), x ≥ 1/2."""

    def f(t: mp.mpf) -> mp.mpf:
        x = 3 * (1 + t) / (1 - t)
        if x < 100:
            return mp.sqrt(mp.pi) * mp.exp(x * x) * mp.erfc(x) * (x + 0.5) - 1
        terms = [(-1) ** k * mp.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(12)]
        return mp.fsum(terms) * (x + 0.5) / x - 1

    return minimax(f, mp.mpf("-2.501") / mp.mpf("3.499"), 1 - mp.mpf(10) ** -20, 23, lambda t: 1 / (1 + f(t)))


def gammaln_near_two() -> list[float]:
    """(log Γ(2 + s) - (1 - γ)s)/s², |s| ≤ 1/2."""
    half = mp.mpf("0.5001")
    return minimax(
        lambda s: (mp.loggamma(2 + s) - (1 - mp.euler) * s) / s**2, -half, half, 17, lambda s: mp.mpf(1)
    )


def gammaln_far() -> list[float]:
    """Stirling's remainder (log Γ(x) - (x - 1/2) log x + x - log(2π)/2) x as a function of 1/x², x ≥ 5/2."""

    def f(z: mp.mpf) -> mp.mpf:
        x = 1 / mp.sqrt(z)
        return (mp.loggamma(x) - ((x - 0.5) * mp.log(x) - x + mp.log(2 * mp.pi) / 2)) * x

    def weight(z: mp.mpf) -> mp.mpf:
        return mp.sqrt(z) / mp.loggamma(1 / mp.sqrt(z))

    return minimax(f, mp.mpf(10) ** -8, mp.mpf("0.16001"), 12, weight)


def digamma_near_zero() -> list[float]:
    """ψ(3/2 + s)/(3/2 + s - x₀) - 1 for ψ's zero x₀, |s| ≤ 1/2."""
    zero, half = mp.findroot(mp.digamma, 1.46), mp.mpf("0.5001")
    return minimax(
        lambda s: mp.digamma(1.5 + s) / (1.5 + s - zero) - 1,
        -half,
        half,
        21,
        lambda s: (1.5 + s - zero) / mp.digamma(1.5 + s),
    )


def digamma_far() -> list[float]:
    """(log x - 1/(2x) - ψ(x)) x² as a function of 1/x², x ≥ 2."""

    def f(z: mp.mpf) -> mp.mpf:
        x = 1 / mp.sqrt(z)
        return (mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x**2

    return minimax(f, mp.mpf(10) ** -8, mp.mpf("0.2501"), 15, lambda z: z / mp.digamma(1 / mp.sqrt(z)))


def trigamma_near() -> list[float]:
    """ψ'(3/2 + s) - 1 for |s| ≤ 1/2."""
    half = mp.mpf("0.5001")
    return minimax(lambda s: mp.psi(1, 1.5 + s) - 1, -half, half, 22, lambda s: 1 / mp.psi(1, 1.5 + s))


def trigamma_far() -> list[float]:
    """(ψ'(x) - 1/x - 1/(2x²)) x³ as a function of 1/x², x ≥ 2."""

    def f(z: mp.mpf) -> mp.mpf:
        x = 1 / mp.sqrt(z)
        return (mp.psi(1, x) - 1 / x - 1 / (2 * x * x)) * x**3

    return minimax(
        f, mp.mpf(10) ** -6, mp.mpf("0.2501"), 15, lambda z: mp.sqrt(z) ** 3 / mp.psi(1, 1 / mp.sqrt(z))
    )


def digamma_zero() -> list[float]:
    """The positive zero of ψ as a sum of two parts."""
    return split(mp.findroot(mp.digamma, 1.46), 2)


def pi_half() -> list[float]:
    """π/2 as a sum of three parts."""
    return split(mp.pi / 2, 3)


def split(x: mp.mpf, parts: int) -> list[float]:
    """A number as an unevaluated sum of doubles, largest first."""
    result = []
    for _ in range(parts):
        result.append(float(x))
        x -= mp.mpf(result[-1])
    return result


def two_over_pi() -> list[int]:
    """The binary digits of 2/π after 64 zeros, 64 to a word."""
    with mp.workprec(1400):
        digits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** 1280))
    return [0] + [digits >> (1280 - 64 * k) & (2**64 - 1) for k in range(1, 21)]


TABLES: dict[str, Callable[[], list]] = {
    "EXP_TAIL": exp_tail,
    "LOG_TAIL": log_tail,
    "SIN_TAIL": sin_tail,
    "COS_TAIL": cos_tail,
    "EXP_TAIL_SINGLE": partial(exp_tail, 5),
    "LOG_TAIL_SINGLE": partial(log_tail, 2),
    "SIN_TAIL_SINGLE": partial(sin_tail, 3),
    "COS_TAIL_SINGLE": partial(cos_tail, 3),
    "LOG_FIFTH_TAIL": log_fifth_tail,
    "ARCTAN_TAIL": arctan_tail,
    "ARCSIN_TAIL": arcsin_tail,
    "INVERSE_CUBE_ROOT": inverse_cube_root,
    "ERF_TAIL": erf_tail,
    "ERFC_SCALED": erfc_scaled,
    "GAMMALN_NEAR_TWO": gammaln_near_two,
    "GAMMALN_FAR": gammaln_far,
    "DIGAMMA_NEAR_ZERO": digamma_near_zero,
    "DIGAMMA_FAR": digamma_far,
    "DIGAMMA_ZERO": digamma_zero,
    "TRIGAMMA_NEAR": trigamma_near,
    "TRIGAMMA_FAR": trigamma_far,
    "PI_HALF": pi_half,
    "TWO_OVER_PI": two_over_pi,
}


def main() -> None:
    """Print the module of coefficients."""
    print(
        '"""Polynomials of the vector math, constant term first; derived by tests/jit/vector_math_coefficients.py."""'
    )
    for name, derive in TABLES.items():
        meaning = derive.func.__doc__ + " For float32." if isinstance(derive, partial) else derive.__doc__
        print(f"\n# {meaning}")
        print(f"{name} = [")
        for c in derive():
            print(f"    {c!r},")
        print("]")


if __name__ == "__main__":
    main()
