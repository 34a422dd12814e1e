"""Random programs as lines of Python source.

A program is source text, so that plain NumPy and funcdiff run literally the same code.  One that
fails is made shorter by dropping lines, and printed as something to paste and run.  A `Builder` keeps the program alive on
plain NumPy at several nearby points while it grows: a candidate line stays only if it runs, stays
bounded, and takes the same branches at all the points, which keeps finite differences honest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import scipy.special

BOUND = 20.0  # values stay below this, so derivatives stay in the range of finite differences


def weigh(array: Any, salt: float = 0.0) -> Any:
    """A scalar in which every element of `array` counts differently."""
    weights = np.cos(0.7 * np.arange(array.size) + salt).reshape(array.shape)
    return (weights * array).sum()


def differences(g: Callable[[Any], Any], x: np.ndarray, v: np.ndarray) -> Any:
    """The derivative of `g` along `v`, or None where no step length gives it well enough."""
    estimates = [_difference(g, x, v, h) for h in (1e-3, 3e-4, 1e-4, 3e-5)]
    for rough, fine in itertools.pairwise(estimates):
        if np.abs(fine - rough).max() < 2e-7 * (1.0 + np.abs(fine).max()):
            return fine
    return None


def _difference(g: Callable[[Any], Any], x: np.ndarray, v: np.ndarray, h: float) -> Any:
    """Central differences of fourth order."""
    near, far = g(x + h * v) - g(x - h * v), g(x + 2 * h * v) - g(x - 2 * h * v)
    return (8 * near - far) / (12 * h)


NAMESPACE = {"np": np, "special": scipy.special, "weigh": weigh}


def literal(values: Any) -> str:
    """An array constant written as source, with few digits."""
    return f"np.array({np.asarray(values).tolist()!r})"


class Program:
    """`program(x)` runs the lines and returns every array they bound; `print(program)` shows it."""

    def __init__(self, lines: Sequence[str], x: np.ndarray, namespace: dict[str, Any]) -> None:
        self.lines = list(lines)
        self.x = x
        self.namespace = namespace
        self.source = "def program(x):\n" + "".join(
            f"    {line}\n" for line in [*lines, f"return {self.returned()}"]
        )
        scope = {**NAMESPACE, **namespace}
        exec(compile(self.source, "<random program>", "exec"), scope)
        self.function: Callable[[Any], Any] = scope["program"]

    def returned(self) -> str:
        names = dict.fromkeys(
            ["x", *re.findall(r"^(r\d+)(?:, r\d+)? = ", "\n".join(self.lines), re.MULTILINE)]
        )
        return f"[{', '.join(names)}]"

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def __repr__(self) -> str:
        return f"x = {self.x!r}\n{self.source}"

    def within(self, **namespace: Any) -> Program:
        """The same lines with other functions behind some names."""
        return Program(self.lines, self.x, namespace)

    def without(self, place: int) -> Program:
        return Program(self.lines[:place] + self.lines[place + 1 :], self.x, self.namespace)


def check_and_shrink(check: Callable[[Program], None], program: Program) -> None:
    """Run `check`; where it fails, drop lines as long as it fails alike, and show what is left."""
    error = failure(check, program)
    if error is None:
        return
    place = len(program.lines) - 1
    while place >= 0:
        smaller = program.without(place)
        found = failure(check, smaller)
        if type(found) is type(error):
            program, error = smaller, found
        place = min(place, len(program.lines)) - 1
    raise AssertionError(f"{type(error).__name__} in\n\n{program!r}\n{error}") from error


def failure(check: Callable[[Program], None], program: Program) -> Exception | None:
    try:
        with np.errstate(all="ignore"):
            program(program.x.copy())
    except Exception:  # noqa: BLE001  # any error means that lines were dropped which others need
        return None
    try:
        check(program)
    except Exception as error:  # noqa: BLE001  # whatever it is, the program fails
        return error
    return None


class Builder:
    """Grows a program line by line on plain NumPy."""

    def __init__(
        self, rnd: Random, points: Sequence[np.ndarray], namespace: dict[str, Any] | None = None
    ) -> None:
        self.rnd = rnd
        self.points = points
        self.namespace = namespace or {}
        self.lines: list[str] = []
        self.names = ["x"]
        self.fresh = itertools.count()
        self.rerun()

    def rerun(self) -> None:
        self.scopes = [{**NAMESPACE, **self.namespace, "x": point.copy()} for point in self.points]
        for line in self.lines:
            self.execute(line)

    def execute(self, line: str) -> None:
        code = compile(line, "<random line>", "exec")
        for scope in self.scopes:
            exec(code, scope)

    def value(self, name: str) -> Any:
        return self.scopes[0][name]

    def shape(self, name: str) -> tuple[int, ...]:
        return np.shape(self.value(name))

    def arrays(self, condition: Callable[[Any], bool] = lambda value: True) -> list[str]:
        """Names bound to values that satisfy the condition, arrays and scalars alike."""
        return [name for name in self.names if condition(self.value(name))]

    def pick(self, condition: Callable[[Any], bool] = lambda value: True) -> str | None:
        names = self.arrays(condition)
        return self.rnd.choice(names) if names else None

    def name(self) -> str:
        return f"r{next(self.fresh)}"

    def add(self, line: str, new: str | None = None, same: str | None = None) -> bool:
        """Keep `line`, which binds `new`, if it is harmless; `same` must agree at all points."""
        try:
            with np.errstate(all="raise", under="ignore"):
                self.execute(line)
                harmless = self.harmless(new, same)
        except (ValueError, TypeError, IndexError, FloatingPointError, np.linalg.LinAlgError):
            harmless = False
        if harmless:
            self.lines.append(line)
            if new is not None and new not in self.names:
                self.names.append(new)
        else:
            self.rerun()
        return harmless

    def harmless(self, new: str | None, same: str | None) -> bool:
        names = self.names if new is None else [*self.names, new]
        for scope in self.scopes:
            for name in names:
                value = np.asarray(scope[name])
                if value.size == 0 or value.size > 60 or not np.all(np.abs(value) < BOUND):
                    return False
        if same is not None:
            first, *others = (eval(same, scope) for scope in self.scopes)
            return all(np.array_equal(first, other) for other in others)
        return True

    def finish(self) -> Program:
        return Program(self.lines, self.points[0], self.namespace)


def nearby(rnd: Random, x: np.ndarray, radius: float, number: int) -> list[np.ndarray]:
    """`x` itself and `number` points around it, two of them opposite corners of the box."""
    others = [
        x + radius * np.array([rnd.choice((-1, 1)) for _ in range(x.size)]).reshape(x.shape)
        for _ in range(number)
    ]
    return [x, *others]


def scalar(rnd: Random) -> float:
    """A constant of a program."""
    return round(rnd.uniform(-1.5, 1.5), 2)


def coordinate(rnd: Random) -> float:
    """A coordinate of a point, never equal to a constant: comparisons are not ties."""
    return round(rnd.uniform(-1.5, 1.5), 2) + 0.0037


def random_slice(rnd: Random, length: int) -> str:
    """A basic index along one axis that keeps it, as source; never empty."""
    start = rnd.randrange(length)
    stop = rnd.randrange(start, length) + 1
    step = rnd.choice((1, 1, 1, 2))
    if rnd.random() < 0.3:  # the same range backwards
        low = start - 1
        return f"{stop - 1}:{low if low >= 0 else ''}:{-step}"
    if rnd.random() < 0.25:
        return rnd.choice((":", "::-1"))
    return f"{start}:{stop}" if step == 1 else f"{start}:{stop}:{step}"


def random_key(rnd: Random, shape: tuple[int, ...], integers: float = 0.35) -> str:
    """A basic index into an array of this shape, as source."""
    if not shape:
        return "..."
    parts = []
    for length in shape[: rnd.randint(1, len(shape))]:
        if rnd.random() < integers:
            parts.append(str(rnd.randrange(-length, length)))
        else:
            parts.append(random_slice(rnd, length))
    if rnd.random() < 0.15:
        parts.append("...")
    if rnd.random() < 0.1:
        parts.insert(rnd.randrange(len(parts) + 1), "None")
    return ", ".join(parts)
