"""Chebyshev series: `numpy.polynomial.chebyshev`, differentiable."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.chebyshev as _numpy
from numpy.polynomial.chebyshev import chebdomain, chebone, chebx, chebzero

from funcdiff.numpy.polynomial._rebound import rebound

_ours = rebound(_numpy, "cheb")

chebline = _ours["chebline"]
chebadd = _ours["chebadd"]
chebsub = _ours["chebsub"]
chebmulx = _ours["chebmulx"]
chebmul = _ours["chebmul"]
chebdiv = _ours["chebdiv"]
chebpow = _ours["chebpow"]
chebval = _ours["chebval"]
chebder = _ours["chebder"]
chebint = _ours["chebint"]
cheb2poly = _ours["cheb2poly"]
poly2cheb = _ours["poly2cheb"]
chebfromroots = _ours["chebfromroots"]
chebvander = _ours["chebvander"]
chebfit = _ours["chebfit"]
chebtrim = _ours["chebtrim"]
chebroots = _ours["chebroots"]
chebpts1 = _ours["chebpts1"]
chebpts2 = _ours["chebpts2"]
chebval2d = _ours["chebval2d"]
chebval3d = _ours["chebval3d"]
chebgrid2d = _ours["chebgrid2d"]
chebgrid3d = _ours["chebgrid3d"]
chebvander2d = _ours["chebvander2d"]
chebvander3d = _ours["chebvander3d"]
chebcompanion = _ours["chebcompanion"]
chebgauss = _ours["chebgauss"]
chebweight = _ours["chebweight"]
chebinterpolate = _ours["chebinterpolate"]
Chebyshev: Any = _ours.globals["Chebyshev"]

__all__ = [
    "Chebyshev",
    "cheb2poly",
    "chebadd",
    "chebcompanion",
    "chebder",
    "chebdiv",
    "chebdomain",
    "chebfit",
    "chebfromroots",
    "chebgauss",
    "chebgrid2d",
    "chebgrid3d",
    "chebint",
    "chebinterpolate",
    "chebline",
    "chebmul",
    "chebmulx",
    "chebone",
    "chebpow",
    "chebpts1",
    "chebpts2",
    "chebroots",
    "chebsub",
    "chebtrim",
    "chebval",
    "chebval2d",
    "chebval3d",
    "chebvander",
    "chebvander2d",
    "chebvander3d",
    "chebweight",
    "chebx",
    "chebzero",
    "poly2cheb",
]
