"""Cost per record of long tapes, and per element of arrays filled one element at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import funcdiff as fd

from .timing import Effort, Table, Time, interleave


def chain(records: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        z = x
        for _ in range(records // 4):
            z = np.sin(z) * x + x - 0.5
        return z.sum()

    return f


def long_tapes(effort: Effort) -> Table:
    lengths = (40, 80, 120) if effort.tiny else (1_000, 10_000, 100_000)
    x = np.linspace(0.5, 1.0, 10)

    def call(length: int) -> Callable[[], Any]:
        value_and_grad = fd.value_and_grad(chain(length))
        return lambda: value_and_grad(x)

    times = interleave({str(length): call(length) for length in lengths}, effort)
    return flat("value and gradient of long tapes: us per record", "records", times)


def fill(x: Any) -> Any:
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = np.sin(x[i])
    return y.sum()


def recurrence(x: Any) -> Any:
    y = x.copy()
    for i in range(1, len(y)):
        y[i] += 0.5 * y[i - 1]
    return y.sum()


def slices(x: Any) -> Any:
    y = x.copy()
    for i in range(0, len(y) - 2, 2):
        y[i + 1 : i + 3] *= y[i : i + 2]
    return y.sum()


def twice(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: fd.jvp(fd.grad(f), x, x)[1]


FILLS: dict[str, Callable[[Any], Any]] = {
    "y[i] = sin(x[i])": fd.value_and_grad(fill),
    "y[i] += y[i-1] / 2": fd.value_and_grad(recurrence),
    "y[i+1:i+3] *= y[i:i+2]": fd.value_and_grad(slices),
    "y[i] += y[i-1] / 2, hvp": twice(recurrence),
}


def fills(effort: Effort) -> list[Table]:
    sizes = (10, 20, 30) if effort.tiny else (1_000, 10_000, 100_000)
    tables = []
    for name, function in FILLS.items():
        chosen = sizes[:2] if name.endswith("hvp") else sizes
        calls = {str(n): partial(function, np.linspace(0.5, 0.9, n)) for n in chosen}
        times = interleave(calls, effort)
        tables.append(flat(f"filling element by element, {name}: us per element", "n", times))
    return tables


def flat(title: str, unit: str, times: dict[str, Time]) -> Table:
    """Cost per item at growing sizes; flat is the budget."""
    smallest = next(iter(times))
    rows = [
        (size, time.us(int(size)), f"{time / times[smallest] * int(smallest) / int(size):.2f}")
        for size, time in times.items()
    ]
    return Table(f"{title}, min/median (budget: flat)", (unit, "us", f"over {smallest}'s"), rows)
