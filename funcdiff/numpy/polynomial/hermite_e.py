"""Hermite series of the probabilists' kind: `numpy.polynomial.hermite_e`, differentiable."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.hermite_e as _numpy
from numpy.polynomial.hermite_e import hermedomain, hermeone, hermex, hermezero

from funcdiff.numpy.polynomial._rebound import rebound

_ours = rebound(_numpy, "herme")

hermeline = _ours["hermeline"]
hermeadd = _ours["hermeadd"]
hermesub = _ours["hermesub"]
hermemulx = _ours["hermemulx"]
hermemul = _ours["hermemul"]
hermediv = _ours["hermediv"]
hermepow = _ours["hermepow"]
hermeval = _ours["hermeval"]
hermeder = _ours["hermeder"]
hermeint = _ours["hermeint"]
herme2poly = _ours["herme2poly"]
poly2herme = _ours["poly2herme"]
hermefromroots = _ours["hermefromroots"]
hermevander = _ours["hermevander"]
hermefit = _ours["hermefit"]
hermetrim = _ours["hermetrim"]
hermeroots = _ours["hermeroots"]
hermeval2d = _ours["hermeval2d"]
hermeval3d = _ours["hermeval3d"]
hermegrid2d = _ours["hermegrid2d"]
hermegrid3d = _ours["hermegrid3d"]
hermevander2d = _ours["hermevander2d"]
hermevander3d = _ours["hermevander3d"]
hermecompanion = _ours["hermecompanion"]
hermegauss = _ours["hermegauss"]
hermeweight = _ours["hermeweight"]
HermiteE: Any = _ours.globals["HermiteE"]

__all__ = [
    "HermiteE",
    "herme2poly",
    "hermeadd",
    "hermecompanion",
    "hermeder",
    "hermediv",
    "hermedomain",
    "hermefit",
    "hermefromroots",
    "hermegauss",
    "hermegrid2d",
    "hermegrid3d",
    "hermeint",
    "hermeline",
    "hermemul",
    "hermemulx",
    "hermeone",
    "hermepow",
    "hermeroots",
    "hermesub",
    "hermetrim",
    "hermeval",
    "hermeval2d",
    "hermeval3d",
    "hermevander",
    "hermevander2d",
    "hermevander3d",
    "hermeweight",
    "hermex",
    "hermezero",
    "poly2herme",
]
