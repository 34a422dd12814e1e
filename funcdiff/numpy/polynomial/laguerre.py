"""Laguerre series: `numpy.polynomial.laguerre`, differentiable."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.laguerre as _numpy
from numpy.polynomial.laguerre import lagdomain, lagone, lagx, lagzero

from funcdiff.numpy.polynomial._rebound import rebound

_ours = rebound(_numpy, "lag")

lagline = _ours["lagline"]
lagadd = _ours["lagadd"]
lagsub = _ours["lagsub"]
lagmulx = _ours["lagmulx"]
lagmul = _ours["lagmul"]
lagdiv = _ours["lagdiv"]
lagpow = _ours["lagpow"]
lagval = _ours["lagval"]
lagder = _ours["lagder"]
lagint = _ours["lagint"]
lag2poly = _ours["lag2poly"]
poly2lag = _ours["poly2lag"]
lagfromroots = _ours["lagfromroots"]
lagvander = _ours["lagvander"]
lagfit = _ours["lagfit"]
lagtrim = _ours["lagtrim"]
lagroots = _ours["lagroots"]
lagval2d = _ours["lagval2d"]
lagval3d = _ours["lagval3d"]
laggrid2d = _ours["laggrid2d"]
laggrid3d = _ours["laggrid3d"]
lagvander2d = _ours["lagvander2d"]
lagvander3d = _ours["lagvander3d"]
lagcompanion = _ours["lagcompanion"]
laggauss = _ours["laggauss"]
lagweight = _ours["lagweight"]
Laguerre: Any = _ours.globals["Laguerre"]

__all__ = [
    "Laguerre",
    "lag2poly",
    "lagadd",
    "lagcompanion",
    "lagder",
    "lagdiv",
    "lagdomain",
    "lagfit",
    "lagfromroots",
    "laggauss",
    "laggrid2d",
    "laggrid3d",
    "lagint",
    "lagline",
    "lagmul",
    "lagmulx",
    "lagone",
    "lagpow",
    "lagroots",
    "lagsub",
    "lagtrim",
    "lagval",
    "lagval2d",
    "lagval3d",
    "lagvander",
    "lagvander2d",
    "lagvander3d",
    "lagweight",
    "lagx",
    "lagzero",
    "poly2lag",
]
