"""Gradients of functions of a million elements, beside NumPy's own forward run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff as fd

from .peers import autograd, autograd_numpy, torch
from .timing import Effort, Table, at_most, interleave, ratio

SIZE = 1_000_000


def arithmetic(xp: Any) -> Callable[..., Any]:
    """Eight operations, each bound by memory."""

    def program(x: Any, y: Any) -> Any:
        return ((x * y + x) * y - 0.5 * x * x + y).sum()

    return program


def rosenbrock(xp: Any) -> Callable[..., Any]:
    def program(x: Any, y: Any) -> Any:
        return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum() + y.sum()

    return program


def transcendental(xp: Any) -> Callable[..., Any]:
    def program(x: Any, y: Any) -> Any:
        return (xp.exp(-x) * xp.sin(y) + xp.tanh(x * y)).sum()

    return program


CASES = {"arithmetic": arithmetic, "rosenbrock": rosenbrock, "exp, sin, tanh": transcendental}


def gradients(effort: Effort) -> Table:
    size = 100 if effort.tiny else SIZE
    rows = []
    for name, case in CASES.items():
        times = interleave(contestants(case, size), effort)
        rows.append(
            (
                name,
                times["numpy"].ms(),
                times["v+g"].ms(),
                ratio(times, "v+g", "numpy"),
                at_most(times["v+g"] / times["numpy"], 3.5) if name == "arithmetic" else "",
                ratio(times, "torch", "numpy"),
                ratio(times, "autograd", "numpy"),
            )
        )
    return Table(
        f"value and gradient at size {size}: ms, min/median, and ratios to NumPy's forward run",
        ("function", "NumPy", "v+g", "v+g/NumPy", "budget", "torch/NumPy", "autograd/NumPy"),
        rows,
    )


def contestants(case: Callable[[Any], Any], size: int) -> dict[str, Callable[[], Any]]:
    random = np.random.default_rng(0)
    x, y = random.uniform(0.5, 1.0, size), random.uniform(0.5, 1.0, size)
    f = case(np)
    value_and_grad = fd.value_and_grad(f, argnums=(0, 1))
    calls: dict[str, Callable[[], Any]] = {
        "numpy": lambda: f(x, y),
        "v+g": lambda: value_and_grad(x, y),
    }
    if torch is not None:
        g = case(torch)
        tx, ty = (torch.tensor(array, requires_grad=True) for array in (x, y))
        calls["torch"] = lambda: torch.autograd.grad(g(tx, ty), (tx, ty))
    if autograd is not None:
        theirs = autograd.value_and_grad(case(autograd_numpy), argnum=(0, 1))
        calls["autograd"] = lambda: theirs(x, y)
    return calls
