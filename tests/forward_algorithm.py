"""The forward algorithm of a hidden Markov model: a recursion whose derivatives are long programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def forward_algorithm(steps: int, irregular: bool) -> Callable[[Any], Any]:
    """The likelihood of a hidden Markov model of three states; what is seen is captured. Irregular steps are not rolled up."""
    rng = np.random.default_rng(0)
    seen, silent = rng.integers(0, 4, steps), rng.integers(0, 3, steps) * irregular
    emission = rng.dirichlet(np.ones(4), 3)

    def likelihood(theta: Any) -> Any:
        a = np.exp(theta.reshape(3, 3))
        a = a / np.sum(a, axis=1, keepdims=True)
        alpha, found = emission[:, seen[0]] / 3, 0.0
        for t in range(1, steps):
            total = np.sum(alpha)
            found = found + np.log(total)
            alpha = (alpha / total) @ a * emission[:, seen[t]]
            for _ in range(silent[t]):
                alpha = np.tanh(alpha) @ a if seen[t] % 2 else np.sqrt(alpha) @ a
        return found + np.log(np.sum(alpha))

    return likelihood
