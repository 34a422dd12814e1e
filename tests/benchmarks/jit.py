"""Compiled functions against eager ones and `jax.jit`: small programs, a long chain, compile time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff as fd
from funcdiff import jit

from .timing import Effort, Table, interleave, ratio

try:
    import jax
except ImportError:
    jax = None  # type: ignore[assignment]
else:
    jax.config.update("jax_enable_x64", True)


def program(operations: int, np: Any) -> Callable[[Any], Any]:
    """A function of about as many operations, cheap and dear ones mixed."""

    def f(x: Any) -> Any:
        z = x
        for n in range(operations // 5):
            z = np.sin(z) * x + np.exp(-z * z) - 0.1 * n
        return np.sum(z)

    return f


def chain(np: Any) -> Callable[[Any], Any]:
    return lambda x: np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log1p(x**2))


def small(effort: Effort) -> Table:
    sizes = (1, 10) if effort.tiny else (1, 10, 100)
    lengths = (20,) if effort.tiny else (20, 80, 200)
    rows = []
    for length in lengths:
        for size in sizes:
            times = compare(lambda np, length=length: program(length, np), size, effort)
            rows.append((str(length), str(size), *columns(times)))
    header = ("operations", "size", "eager us", "jit us", "jax us", "eager/jit", "jax/jit")
    return Table("value and gradient, min/median", header, rows)


def chains(effort: Effort) -> Table:
    sizes = (10,) if effort.tiny else (1_000, 100_000, 1_000_000)
    rows = []
    for size in sizes:
        times = compare(chain, size, effort)
        rows.append((str(size), *columns(times)))
    header = ("size", "eager us", "jit us", "jax us", "eager/jit", "jax/jit")
    return Table("gradient of sum(tanh(x) exp(-x²) + log1p(x²)), min/median", header, rows)


def compare(make: Callable[[Any], Callable[[Any], Any]], size: int, effort: Effort) -> dict[str, Any]:
    x = np.linspace(0.2, 0.9, size)
    eager = fd.value_and_grad(make(np))
    compiled = jit(eager)
    calls = {"eager": lambda: eager(x), "jit": lambda: compiled(x)}
    if jax is not None:
        peer = jax.jit(jax.value_and_grad(make(jax.numpy)))
        calls["jax"] = lambda: [np.asarray(part) for part in peer(x)]
    return interleave(calls, effort)


def columns(times: dict[str, Any]) -> tuple[str, ...]:
    shown = [times[name].us() if name in times else "-" for name in ("eager", "jit", "jax")]
    return (*shown, ratio(times, "eager", "jit"), ratio(times, "jax", "jit"))


def compile_time(effort: Effort) -> Table:
    lengths = (20,) if effort.tiny else (200, 1000)
    x = np.linspace(0.2, 0.9, 10)
    rows = []
    for length in lengths:
        gradient = fd.value_and_grad(program(length, np))
        tape = fd.trace(gradient)(x)

        def both(gradient: Any = gradient) -> Any:
            return jit(gradient)(x)

        times = interleave({"all": both, "trace": lambda g=gradient: fd.trace(g)(x)}, effort)
        total, traced = times["all"].median, times["trace"].median
        per = 1e6 / len(tape)
        rows.append(
            (str(len(tape)), f"{1e3 * total:.1f}", f"{per * total:.1f}", f"{per * (total - traced):.1f}")
        )
    header = ("records", "ms", "us per record", "of them after recording")
    return Table("compile time of a value and gradient (budget: 100 us per record)", header, rows)


def compiled(effort: Effort) -> list[Table]:
    return [small(effort), chains(effort), compile_time(effort)]
