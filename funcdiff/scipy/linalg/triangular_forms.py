"""Schur and LDL forms of `scipy.linalg`, and queries."""

from __future__ import annotations

import scipy.linalg as sl

from funcdiff.scipy._protocol import asks, without_rule

schur = without_rule(sl.schur, "take eigvals or eig.")
rsf2csf = without_rule(sl.rsf2csf, "take eigvals or eig.")
ldl = without_rule(sl.ldl, "take cholesky or lu; solve(assume_a='sym') and det have derivatives.")

bandwidth = asks(sl.bandwidth)
ishermitian = asks(sl.ishermitian)
issymmetric = asks(sl.issymmetric)

__all__ = ["bandwidth", "ishermitian", "issymmetric", "ldl", "rsf2csf", "schur"]
