"""SciPy's special functions.  Importing this package imports `scipy.special`.

Formulas are those of the Digital Library of Mathematical Functions (DLMF, https://dlmf.nist.gov), cited
by equation.  Where the textbook form cancels or overflows, one that does not is used instead.
"""

from __future__ import annotations

import scipy.special as sp

from funcdiff.primitives.arithmetic import cbrt
from funcdiff.primitives.exponential import exp2, expm1, log1p
from funcdiff.primitives.special import (
    airy,
    bessel,
    bessel_integrals,
    counting,
    distributions,
    elliptic,
    empirical,
    error_functions,
    exponential_integrals,
    gamma,
    hypergeometric,
    incomplete,
    information,
    kelvin,
    mathieu,
    noncentral,
    orthogonal,
    parabolic,
    spherical,
    spherical_harmonics,
    spheroidal,
    struve,
    wright,
)
from funcdiff.primitives.special.shared import UFUNCS

UFUNCS |= {sp.cbrt: cbrt, sp.exp2: exp2, sp.expm1: expm1, sp.log1p: log1p}  # of functions that NumPy has too

__all__ = [
    "UFUNCS",
    "airy",
    "bessel",
    "bessel_integrals",
    "counting",
    "distributions",
    "elliptic",
    "empirical",
    "error_functions",
    "exponential_integrals",
    "gamma",
    "hypergeometric",
    "incomplete",
    "information",
    "kelvin",
    "mathieu",
    "noncentral",
    "orthogonal",
    "parabolic",
    "spherical",
    "spherical_harmonics",
    "spheroidal",
    "struve",
    "wright",
]
