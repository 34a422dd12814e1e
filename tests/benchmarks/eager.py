"""Programs of 100 operations on arrays of size 10: the cost of one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff as fd

from .peers import autograd, autograd_numpy, torch
from .timing import Effort, Table, Time, at_least, at_most, interleave, ratio

OPERATIONS = 100
SIZE = 10
Program = Callable[..., Any]


def operators(xp: Any) -> Program:
    def program(x: Any, y: Any) -> Any:
        z = x
        for _ in range(OPERATIONS // 4):
            z = z * y + x - y * x
        return z.sum()

    return program


def unary_chain(xp: Any) -> Program:
    def program(x: Any, y: Any) -> Any:
        z = x
        for _ in range(OPERATIONS // 3):
            z = xp.exp(xp.sin(xp.tanh(z)))
        return (z + y).sum()

    return program


def mixed(xp: Any) -> Program:
    """Three functions in ten operations."""

    def program(x: Any, y: Any) -> Any:
        z = x
        for _ in range(OPERATIONS // 10):
            a = xp.tanh(z)
            b = xp.sin(a * y + x)
            c = xp.exp(b * a - y)
            z = (c * 0.3 + b) * y
        return z.sum()

    return program


# name -> program, budgets: us forward, us reverse, times torch, times autograd
CASES: dict[str, tuple[Callable[[Any], Program], tuple[float, float, float, float]]] = {
    "operators z*y+x-y*x": (operators, (1.0, 1.0, 3.0, 6.0)),
    "chain exp sin tanh": (unary_chain, (1.0, 1.0, 2.3, 3.0)),
    "mixed, 3 ufuncs in 10": (mixed, (1.0, 1.0, 3.0, 6.0)),
}


def points() -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(0)
    return tuple(random.uniform(0.5, 1.0, SIZE) for _ in range(4))


def torch_points() -> list[Any]:
    return [torch.tensor(array, requires_grad=i < 2) for i, array in enumerate(points())]


def contestants(case: Callable[[Any], Program]) -> dict[str, Callable[[], Any]]:
    x, y, *_ = points()
    f = case(np)
    _, pull = fd.pullback(f, x, y)
    value_and_grad = fd.value_and_grad(f, argnums=(0, 1))
    calls: dict[str, Callable[[], Any]] = {
        "numpy": lambda: f(x, y),
        "forward": lambda: fd.pullback(f, x, y),
        "reverse": lambda: pull(1.0),
        "v+g": lambda: value_and_grad(x, y),
        "jvp": lambda: fd.jvp(f, (x, y), (x, y)),
    }
    if torch is not None:
        g = case(torch)
        tx, ty, *_ = torch_points()
        calls["torch v+g"] = lambda: torch.autograd.grad(g(tx, ty), (tx, ty))
    if autograd is not None:
        theirs = autograd.value_and_grad(case(autograd_numpy), argnum=(0, 1))
        calls["autograd v+g"] = lambda: theirs(x, y)
    return calls


def first_order(effort: Effort) -> Table:
    rows = []
    for name, (case, budgets) in CASES.items():
        times = interleave(contestants(case), effort)
        rows.append((name, *costs(times), *comparisons(times, budgets)))
    return Table(
        f"eager, size {SIZE}, programs of {OPERATIONS} operations: us per operation, min/median",
        (
            "program",
            "NumPy",
            "forward",
            "reverse",
            "v+g",
            "jvp",
            "fwd budget",
            "rev budget",
            "torch/ours",
            "budget",
            "autograd/ours",
            "budget",
        ),
        rows,
    )


def costs(times: dict[str, Time]) -> list[str]:
    return [times[k].us(OPERATIONS) for k in ("numpy", "forward", "reverse", "v+g", "jvp")]


def comparisons(times: dict[str, Time], budgets: tuple[float, ...]) -> list[str]:
    forward, reverse, versus_torch, versus_autograd = budgets
    cells = [
        at_most(1e6 * times["forward"].minimum / OPERATIONS, forward),
        at_most(1e6 * times["reverse"].minimum / OPERATIONS, reverse),
    ]
    for peer, budget in (("torch v+g", versus_torch), ("autograd v+g", versus_autograd)):
        met = at_least(times[peer] / times["v+g"], budget) if peer in times else f">= {budget:g}"
        cells += [ratio(times, peer, "v+g"), met]
    return cells


def second_order(effort: Effort) -> Table:
    """Hessian-vector products, ours in both orders of nesting."""
    rows = []
    for name, (case, _) in CASES.items():
        times = interleave(product_contestants(case), effort)
        cells = [times[k].us(OPERATIONS) for k in ("hvp", "rev over rev", "fwd over rev")]
        met = at_least(times["torch"] / times["hvp"], 2.5) if "torch" in times else ">= 2.5"
        budget = at_most(1e6 * times["hvp"].minimum / OPERATIONS, 5.5)
        rows.append((name, *cells, budget, ratio(times, "torch", "hvp"), met))
    return Table(
        "Hessian-vector product: us per operation, min/median",
        ("program", "fd.hvp", "rev over rev", "fwd over rev", "budget", "torch/ours", "budget"),
        rows,
    )


def product_contestants(case: Callable[[Any], Program]) -> dict[str, Callable[[], Any]]:
    x, y, vx, vy = points()
    f = case(np)
    gradient = fd.grad(f, argnums=(0, 1))

    def along(x: Any, y: Any) -> Any:
        gx, gy = gradient(x, y)
        return (gx * vx).sum() + (gy * vy).sum()

    twice = fd.grad(along, argnums=(0, 1))
    calls: dict[str, Callable[[], Any]] = {
        "hvp": lambda: fd.hvp(f, (x, y), (vx, vy)),
        "rev over rev": lambda: twice(x, y),
        "fwd over rev": lambda: fd.jvp(gradient, (x, y), (vx, vy)),
    }
    if torch is not None:
        g = case(torch)
        tx, ty, tvx, tvy = torch_points()

        def theirs() -> Any:
            gx, gy = torch.autograd.grad(g(tx, ty), (tx, ty), create_graph=True)
            along = (gx * tvx).sum() + (gy * tvy).sum()
            return torch.autograd.grad(along, (tx, ty), allow_unused=True)

        calls["torch"] = theirs
    return calls
