"""Programs of slices, compiled: Rosenbrock's function and steps of the heat equation, beside `jax.jit` and strict C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff as fd
from funcdiff import jit

from . import c_yardstick
from .jit import backends, compare, jax, table
from .timing import Effort, Table, interleave


def rosenbrock(np: Any) -> Callable[[Any], Any]:
    return lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def heat(u: Any) -> Any:
    v = u.copy()
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
    v[1:-1, 1:-1] = u[1:-1, 1:-1] + 0.1 * (around - 4 * u[1:-1, 1:-1])
    return v


def heat_of_jax(u: Any) -> Any:
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
    return u.at[1:-1, 1:-1].add(0.1 * (around - 4 * u[1:-1, 1:-1]))


def heat_of_line(u: Any) -> Any:
    v = u.copy()
    v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return v


def heat_of_line_of_jax(u: Any) -> Any:
    return u.at[1:-1].add(0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]))


def stencils(effort: Effort) -> list[Table]:
    sizes = (40,) if effort.tiny else (1_000, 100_000, 1_000_000)
    found = [(str(n), compare(rosenbrock, n, effort, c_yardstick.rosenbrock())) for n in sizes]
    title = (
        "value and gradient of Rosenbrock's function (budgets at 1e6: jax/native >= 2.5, native/C <= 1.15)"
    )
    return [table(title, found, "size"), steps(effort)]


def steps(effort: Effort) -> Table:
    n = 20 if effort.tiny else 256
    line = 40 if effort.tiny else 100_000
    rng = np.random.default_rng(0)
    square, flat = rng.random((2, n, n)), rng.random((2, line))
    rows = [
        (f"{n} x {n}, forward", heat, heat_of_jax, square[:1], c_yardstick.heat()),
        (
            f"{n} x {n}, reverse",
            pulled(heat),
            pulled_by_jax(heat_of_jax),
            square,
            c_yardstick.heat_transposed(),
        ),
        (f"{line}, forward", heat_of_line, heat_of_line_of_jax, flat[:1], None),
        (f"{line}, reverse", pulled(heat_of_line), pulled_by_jax(heat_of_line_of_jax), flat, None),
    ]
    found = []
    for name, f, peer, args, in_c in rows:
        calls: dict[str, Callable[[], Any]] = {"eager": lambda f=f, args=args: f(*args)}
        for backend in backends():
            compiled = jit(f, backend=backend)
            calls[backend] = lambda compiled=compiled, args=args: compiled(*args)
        if jax is not None:
            there = [jax.numpy.asarray(a) for a in args]
            of_jax = jax.jit(peer)
            calls["jax"] = lambda of_jax=of_jax, there=there: np.asarray(of_jax(*there))
        if in_c is not None:
            calls["C"] = lambda in_c=in_c, args=args: in_c(args[-1])
        found.append((name, interleave(calls, effort)))
    return table("one step of the heat equation, and its transpose", found, "grid")


def pulled(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda u, g: fd.vjp(f, u, g)[1]


def pulled_by_jax(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda u, g: jax.vjp(f, u)[1](g)[0]
