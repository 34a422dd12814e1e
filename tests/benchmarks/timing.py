"""Interleaved timing on CPU time, and tables of ratios."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns, process_time_ns
from typing import Any

Clock = Callable[[], int]  # nanoseconds
WALL: Clock = perf_counter_ns


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds of all contestants, and seconds per contestant and round."""

    rounds: int = 15
    seconds: float = 0.02
    tiny: bool = False  # the smallest sizes, to see that a benchmark runs at all


TINY = Effort(rounds=1, seconds=0.0, tiny=True)


@dataclass(frozen=True)
class Time:
    """Seconds for one call, of CPU time if nothing else is said, round by round."""

    rounds: tuple[float, ...]

    @property
    def minimum(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def us(self, per: float = 1.0) -> str:
        return f"{1e6 * self.minimum / per:.2f}/{1e6 * self.median / per:.2f}"

    def ms(self) -> str:
        return f"{1e3 * self.minimum:.2f}/{1e3 * self.median:.2f}"

    def __truediv__(self, other: Time) -> float:
        """Median over the rounds of the ratio within a round, where both met the same machine."""
        return statistics.median(a / b for a, b in zip(self.rounds, other.rounds, strict=True))


def interleave(
    contestants: Mapping[str, Callable[[], Any]], effort: Effort, clock: Clock = process_time_ns
) -> dict[str, Time]:
    """Each contestant in turn, round after round, so that drifting clocks don't favour any."""
    number = {name: repetitions(call, effort.seconds, clock) for name, call in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(effort.rounds):
        for name, call in contestants.items():
            times[name].append(seconds(call, number[name], clock))
    return {name: Time(tuple(taken)) for name, taken in times.items()}


def repetitions(call: Callable[[], Any], target: float, clock: Clock = process_time_ns) -> int:
    """How many calls take about `target` seconds; the first call is a warm-up."""
    call()
    once = seconds(call, 1, clock)
    return max(1, int(target / max(once, 1e-7)))


def seconds(call: Callable[[], Any], number: int, clock: Clock = process_time_ns) -> float:
    calls = range(number)
    start = clock()
    for _ in calls:
        call()
    return (clock() - start) * 1e-9 / number


@dataclass
class Table:
    """Rows of text in columns as wide as they need to be."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def __str__(self) -> str:
        cells = [self.header, *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.header))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
        rule = "  ".join("-" * width for width in widths)
        return "\n".join((self.title, "", lines[0], rule, *lines[1:]))


def at_most(value: float, budget: float, unit: str = "") -> str:
    return verdict(value <= budget, f"<= {budget:g}{unit}")


def at_least(value: float, budget: float) -> str:
    return verdict(value >= budget, f">= {budget:g}")


def verdict(met: bool, budget: str) -> str:
    return f"{budget} {'met' if met else 'NOT MET'}"


def ratio(times: Mapping[str, Time], above: str, below: str) -> str:
    """`above / below`, or a dash where a peer is not installed."""
    if above not in times or below not in times:
        return "-"
    return f"{times[above] / times[below]:.2f}"
