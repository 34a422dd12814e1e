"""Hermite series: `numpy.polynomial.hermite`, differentiable."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.hermite as _numpy
from numpy.polynomial.hermite import hermdomain, hermone, hermx, hermzero

from funcdiff.numpy.polynomial._rebound import rebound

_ours = rebound(_numpy, "herm")

hermline = _ours["hermline"]
hermadd = _ours["hermadd"]
hermsub = _ours["hermsub"]
hermmulx = _ours["hermmulx"]
hermmul = _ours["hermmul"]
hermdiv = _ours["hermdiv"]
hermpow = _ours["hermpow"]
hermval = _ours["hermval"]
hermder = _ours["hermder"]
hermint = _ours["hermint"]
herm2poly = _ours["herm2poly"]
poly2herm = _ours["poly2herm"]
hermfromroots = _ours["hermfromroots"]
hermvander = _ours["hermvander"]
hermfit = _ours["hermfit"]
hermtrim = _ours["hermtrim"]
hermroots = _ours["hermroots"]
hermval2d = _ours["hermval2d"]
hermval3d = _ours["hermval3d"]
hermgrid2d = _ours["hermgrid2d"]
hermgrid3d = _ours["hermgrid3d"]
hermvander2d = _ours["hermvander2d"]
hermvander3d = _ours["hermvander3d"]
hermcompanion = _ours["hermcompanion"]
hermgauss = _ours["hermgauss"]
hermweight = _ours["hermweight"]
Hermite: Any = _ours.globals["Hermite"]

__all__ = [
    "Hermite",
    "herm2poly",
    "hermadd",
    "hermcompanion",
    "hermder",
    "hermdiv",
    "hermdomain",
    "hermfit",
    "hermfromroots",
    "hermgauss",
    "hermgrid2d",
    "hermgrid3d",
    "hermint",
    "hermline",
    "hermmul",
    "hermmulx",
    "hermone",
    "hermpow",
    "hermroots",
    "hermsub",
    "hermtrim",
    "hermval",
    "hermval2d",
    "hermval3d",
    "hermvander",
    "hermvander2d",
    "hermvander3d",
    "hermweight",
    "hermx",
    "hermzero",
    "poly2herm",
]
