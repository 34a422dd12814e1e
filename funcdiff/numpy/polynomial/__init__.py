"""`numpy.polynomial`, differentiable in coefficients, points and data.

The functions are NumPy's own, run on traced arrays whole; NumPy's run on them element by element, and
cannot fit or find roots of them.
"""

from funcdiff.numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre, polynomial
from funcdiff.numpy.polynomial.chebyshev import Chebyshev
from funcdiff.numpy.polynomial.hermite import Hermite
from funcdiff.numpy.polynomial.hermite_e import HermiteE
from funcdiff.numpy.polynomial.laguerre import Laguerre
from funcdiff.numpy.polynomial.legendre import Legendre
from funcdiff.numpy.polynomial.polynomial import Polynomial

__all__ = [
    "Chebyshev",
    "Hermite",
    "HermiteE",
    "Laguerre",
    "Legendre",
    "Polynomial",
    "chebyshev",
    "hermite",
    "hermite_e",
    "laguerre",
    "legendre",
    "polynomial",
]
