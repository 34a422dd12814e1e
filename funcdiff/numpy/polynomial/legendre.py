"""Legendre series: `numpy.polynomial.legendre`, differentiable."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.legendre as _numpy
from numpy.polynomial.legendre import legdomain, legone, legx, legzero

from funcdiff.numpy.polynomial._rebound import rebound

_ours = rebound(_numpy, "leg")

legline = _ours["legline"]
legadd = _ours["legadd"]
legsub = _ours["legsub"]
legmulx = _ours["legmulx"]
legmul = _ours["legmul"]
legdiv = _ours["legdiv"]
legpow = _ours["legpow"]
legval = _ours["legval"]
legder = _ours["legder"]
legint = _ours["legint"]
leg2poly = _ours["leg2poly"]
poly2leg = _ours["poly2leg"]
legfromroots = _ours["legfromroots"]
legvander = _ours["legvander"]
legfit = _ours["legfit"]
legtrim = _ours["legtrim"]
legroots = _ours["legroots"]
legval2d = _ours["legval2d"]
legval3d = _ours["legval3d"]
leggrid2d = _ours["leggrid2d"]
leggrid3d = _ours["leggrid3d"]
legvander2d = _ours["legvander2d"]
legvander3d = _ours["legvander3d"]
legcompanion = _ours["legcompanion"]
leggauss = _ours["leggauss"]
legweight = _ours["legweight"]
Legendre: Any = _ours.globals["Legendre"]

__all__ = [
    "Legendre",
    "leg2poly",
    "legadd",
    "legcompanion",
    "legder",
    "legdiv",
    "legdomain",
    "legfit",
    "legfromroots",
    "leggauss",
    "leggrid2d",
    "leggrid3d",
    "legint",
    "legline",
    "legmul",
    "legmulx",
    "legone",
    "legpow",
    "legroots",
    "legsub",
    "legtrim",
    "legval",
    "legval2d",
    "legval3d",
    "legvander",
    "legvander2d",
    "legvander3d",
    "legweight",
    "legx",
    "legzero",
    "poly2leg",
]
