"""The Jacobian of a 30x30 function of 60 operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff as fd

from .peers import torch
from .timing import Effort, Table, at_least, at_most, interleave, ratio

SIZE = 30


def function(xp: Any, matrix: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        z = matrix @ x
        for _ in range(10):
            z = xp.sin(z) * x + 0.5 * z - z * z * 0.1
        return z

    return f


def jacobian(effort: Effort) -> Table:
    random = np.random.default_rng(0)
    matrix, x = random.normal(size=(SIZE, SIZE)) / SIZE, random.uniform(0.5, 1.0, SIZE)
    f = function(np, matrix)
    gradient = fd.grad(lambda x: f(x).sum())
    automatic, reverse, forward = fd.jacobian(f), fd.jacrev(f), fd.jacfwd(f)
    calls: dict[str, Callable[[], Any]] = {
        "numpy": lambda: f(x),
        "gradient": lambda: gradient(x),
        "fd.jacobian": lambda: automatic(x),
        "fd.jacrev": lambda: reverse(x),
        "fd.jacfwd": lambda: forward(x),
    }
    if torch is not None:
        theirs = torch.func.jacrev(function(torch, torch.tensor(matrix)))
        point = torch.tensor(x)
        calls["torch.func.jacrev"] = lambda: theirs(point)
    times = interleave(calls, effort)
    rows = []
    for name in calls:
        ours = name.startswith("fd.")
        in_gradients = times[name] / times["gradient"]
        faster = "torch.func.jacrev" in times and ours
        rows.append(
            (
                name,
                times[name].us(),
                f"{in_gradients:.2f}",
                at_most(in_gradients, 2.0) if ours else "",
                ratio(times, "torch.func.jacrev", name) if ours else "",
                at_least(times["torch.func.jacrev"] / times[name], 1.0) if faster else "",
            )
        )
    return Table(
        f"Jacobian, {SIZE}x{SIZE}, 61 operations: us, min/median",
        ("what", "us", "gradients", "budget", "torch/ours", "budget"),
        rows,
    )
