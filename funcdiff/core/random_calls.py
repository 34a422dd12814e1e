"""What to say where a traced array is handed to a distribution of `numpy.random`, which is compiled code."""

from __future__ import annotations

import ast
import linecache

from funcdiff import errors

CONTINUOUS = frozenset(
    {
        "beta", "chisquare", "dirichlet", "exponential", "f", "gamma", "gumbel", "laplace", "logistic", "lognormal",
        "multivariate_normal", "noncentral_chisquare", "noncentral_f", "normal", "pareto", "power", "rayleigh",
        "standard_gamma", "standard_t", "triangular", "uniform", "vonmises", "wald", "weibull",
    }
)  # fmt: skip
DISCRETE = frozenset(
    {
        "binomial", "choice", "geometric", "hypergeometric", "integers", "logseries", "multinomial",
        "multivariate_hypergeometric", "negative_binomial", "poisson", "randint", "zipf",
    }
)  # fmt: skip


def random_call() -> str:
    """Return what to write instead, if the user's line is in a call of a method by such a name; else nothing."""
    name = _called_method()
    if name in CONTINUOUS:
        return (
            f" If this {name} is numpy.random's: draw with fd.numpy.random, whose draws carry the derivative with respect "
            f"to their parameters, as in fd.numpy.random.default_rng(rng).{name}(...)."
        )
    if name in DISCRETE:
        return (
            f" If this {name} is numpy.random's: its values do not move with its parameters, so there is no pathwise "
            "derivative; fd.numpy.random says how to write the score-function estimator."
        )
    return ""


def _called_method() -> str:
    """Return the name of the method that the user's frame is calling."""
    frame = errors.user_frame()
    if frame is None:
        return ""
    line, last, start, end = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    if line is None or last is None or start is None or end is None:
        return ""
    # columns count bytes
    lines = [linecache.getline(frame.f_code.co_filename, n).encode() for n in range(line, last + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        call = ast.parse(b"".join(lines).decode(), mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return ""
    return call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
