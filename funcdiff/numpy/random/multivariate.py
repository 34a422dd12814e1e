"""How draws from a normal distribution move with its mean and covariance."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.transforms.custom import custom_jvp


@custom_jvp
def keeping_the_noise(x: Any, mean: Any, cov: Any) -> Any:
    """Return draws as functions of mean and covariance: to first order, x + dmean + ½ dΣ Σ⁻¹ (x - mean).

    A linear map A of standard normal noise with A Aᵀ = Σ stays one if dA Aᵀ + A dAᵀ = dΣ, for which dA = ½ dΣ A⁻ᵀ is
    a solution (Figurnov, Mohamed and Mnih 2018 have the same freedom in their section 2).
    """
    del mean, cov
    return x


def _pushed(primals: Any, tangents: Any) -> Any:
    x, mean, cov = primals
    _, dmean, dcov = tangents
    out = keeping_the_noise(x, mean, cov)
    flat = np.reshape(out - mean, (-1, mean.shape[0]))
    symmetric = (dcov + dcov.T) / 4
    moved = np.linalg.solve(cov, flat.T).T @ symmetric
    return out, dmean + np.reshape(moved, out.shape)


keeping_the_noise.defjvp(_pushed)
