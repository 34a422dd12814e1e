"""Power series: `numpy.polynomial.polynomial`, differentiable."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.polynomial as _numpy
from numpy.polynomial.polynomial import polydomain, polyone, polyx, polyzero

from funcdiff.numpy.polynomial._rebound import rebound

_ours = rebound(_numpy, "poly")

polyline = _ours["polyline"]
polyadd = _ours["polyadd"]
polysub = _ours["polysub"]
polymulx = _ours["polymulx"]
polymul = _ours["polymul"]
polydiv = _ours["polydiv"]
polypow = _ours["polypow"]
polyval = _ours["polyval"]
polyvalfromroots = _ours["polyvalfromroots"]
polyder = _ours["polyder"]
polyint = _ours["polyint"]
polyfromroots = _ours["polyfromroots"]
polyvander = _ours["polyvander"]
polyfit = _ours["polyfit"]
polytrim = _ours["polytrim"]
polyroots = _ours["polyroots"]
polyval2d = _ours["polyval2d"]
polyval3d = _ours["polyval3d"]
polygrid2d = _ours["polygrid2d"]
polygrid3d = _ours["polygrid3d"]
polyvander2d = _ours["polyvander2d"]
polyvander3d = _ours["polyvander3d"]
polycompanion = _ours["polycompanion"]
Polynomial: Any = _ours.globals["Polynomial"]

__all__ = [
    "Polynomial",
    "polyadd",
    "polycompanion",
    "polyder",
    "polydiv",
    "polydomain",
    "polyfit",
    "polyfromroots",
    "polygrid2d",
    "polygrid3d",
    "polyint",
    "polyline",
    "polymul",
    "polymulx",
    "polyone",
    "polypow",
    "polyroots",
    "polysub",
    "polytrim",
    "polyval",
    "polyval2d",
    "polyval3d",
    "polyvalfromroots",
    "polyvander",
    "polyvander2d",
    "polyvander3d",
    "polyx",
    "polyzero",
]
