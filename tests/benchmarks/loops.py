"""Loops compiled: an ODE, an LSTM, a tridiagonal system, the heat equation, beside `jax.jit` and the same values in C."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import funcdiff as fd

from . import c_yardstick
from .jit import backends, jax
from .timing import Effort, Table, Time, at_least, at_most, interleave, ratio

HEADER = (
    "program",
    "native value",
    "gradient",
    "compile",
    "jax gradient",
    "C value",
    "C gradient",
    "jax/native",
    "native/C value",
    "native/C gradient",
)


class Program(NamedTuple):
    """A function to be differentiated with regard to all arguments, the same for JAX, its values and gradient in C."""

    name: str
    f: Callable[..., Any]
    peer: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    in_c: Callable[[], Any] | None
    faster: float | None = None  # than jax.jit, at least
    of_c: float | None = None  # times the values in C, at most
    gradient_in_c: Callable[[], Any] | None = None
    of_gradient: float | None = None  # times the gradient in C, at most


def loops(effort: Effort) -> list[Table]:
    tiny = effort.tiny
    found = [p._replace(peer=None) if tiny else p for p in programs(tiny)]  # JAX takes seconds to compile
    rows = [measured(p, effort) for p in found if "native" in backends()]
    return [
        Table(
            "value and gradient of loops; CPU time, min in µs, compile in ms",
            HEADER,
            rows or [("-",) * len(HEADER)],
        )
    ]


def measured(program: Program, effort: Effort) -> tuple[str, ...]:
    places = tuple(range(len(program.arguments)))
    value, gradient = fd.jit(program.f), fd.jit(fd.grad(program.f, argnums=places))
    start = time.process_time()
    gradient(*program.arguments)
    compiled = time.process_time() - start
    calls: dict[str, Callable[[], Any]] = {
        "value": lambda: value(*program.arguments),
        "gradient": lambda: gradient(*program.arguments),
    }
    if jax is not None and program.peer is not None:
        there = [jax.numpy.asarray(a) for a in program.arguments]
        peer = jax.jit(jax.grad(program.peer, argnums=places))
        calls["jax"] = lambda: [np.asarray(g) for g in peer(*there)]
    if program.in_c is not None:
        calls["C"] = program.in_c
    if program.gradient_in_c is not None:
        calls["C gradient"] = program.gradient_in_c
    times = interleave(calls, effort)
    above, below = ratio(times, "jax", "gradient"), ratio(times, "gradient", "C")
    beside = ratio(times, "gradient", "C gradient")
    if program.faster is not None and "jax" in times:
        above += f" ({at_least(times['jax'] / times['gradient'], program.faster)})"
    if program.of_c is not None and "C" in times:
        below += f" ({at_most(times['gradient'] / times['C'], program.of_c)})"
    if program.of_gradient is not None and "C gradient" in times:
        beside += f" ({at_most(times['gradient'] / times['C gradient'], program.of_gradient)})"
    shown = [microseconds(times.get(name)) for name in ("value", "gradient", "jax", "C", "C gradient")]
    return (program.name, *shown[:2], f"{1e3 * compiled:.0f}", *shown[2:], above, below, beside)


def microseconds(found: Time | None) -> str:
    return "-" if found is None else f"{1e6 * found.minimum:.1f}"


def programs(tiny: bool) -> list[Program]:
    steps = 5 if tiny else 200
    return [
        Program(
            f"ODE by RK4, {steps} steps, as scan",
            lambda k: reactions(k, steps, np, fd.scan),
            None if jax is None else lambda k: reactions(k, steps, jax.numpy, jax.lax.scan),
            (RATES,),
            None if tiny else called(c_yardstick.reactions(), RATES),
            50,
            4,
        ),
        Program(
            f"ODE by RK4, {steps} steps, as Python loop",
            lambda k: reactions(k, steps, np, python_loop),
            None if jax is None else lambda k: reactions(k, steps, jax.numpy, jax.lax.scan),
            (RATES,),
            None if tiny else called(c_yardstick.reactions(), RATES),
            50,
            4,
        ),
        lstm(5 if tiny else 1024),
        tridiagonal(8 if tiny else 1000),
        heat(8 if tiny else 256, 3 if tiny else 200),
    ]


def called(function: Callable[[Any], Any] | None, x: Any) -> Callable[[], Any] | None:
    return None if function is None else lambda: function(x)


# --- four species that react ----------------------------------------------------------------------------

RATES = np.array([0.3, 0.1, 0.2, 0.5, 0.05, 0.7, 0.02, 0.4, 0.15, 0.25])
START = (1.0, 0.5, 0.2, 0.1)


def reactions(k: Any, steps: int, np: Any, scan: Any) -> Any:
    k, h = [k[n] for n in range(10)], 0.01

    def rate(y: Any) -> Any:
        a, b, c, d = y[0], y[1], y[2], y[3]
        return np.stack(
            [
                -k[0] * a + k[1] * b * c - k[8] * a * d,
                k[0] * a - k[1] * b * c - k[2] * b * b + k[3] * d,
                k[2] * b * b - k[4] * c + k[5] * d * a,
                k[4] * c - k[3] * d - k[5] * d * a + k[6] * a - k[7] * d + k[9] * b,
            ]
        )

    def step(y: Any, _: Any) -> tuple[Any, None]:
        k1 = rate(y)
        k2 = rate(y + h / 2 * k1)
        k3 = rate(y + h / 2 * k2)
        k4 = rate(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    y, _ = scan(step, np.array(START), None, length=steps)
    return np.sum(y**2)


def python_loop(step: Any, y: Any, _xs: None, length: int) -> tuple[Any, None]:
    for _ in range(length):
        y, _ = step(y, None)
    return y, None


# --- an LSTM of two layers ---------------------------------------------------------------------------


def lstm(length: int) -> Program:
    rng, b = np.random.default_rng(0), 14
    main, extra = 0.3 * rng.standard_normal((4, 4, b)), 0.3 * rng.standard_normal((3, b))
    state, sequence = 0.3 * rng.standard_normal((4, b)), 0.3 * rng.standard_normal((length, b))

    def loss(main: Any, extra: Any, np: Any, scan: Any) -> Any:
        def sigmoid(z: Any) -> Any:
            return 1 / (1 + np.exp(-z))

        def step(carry: Any, inputs: Any) -> Any:
            now, following = inputs
            x, new = now * extra[0], []
            for n in range(2):
                weight, bias, (h, c) = main[2 * n], main[2 * n + 1], carry[n]
                forget, out = sigmoid(x * weight[0] + bias[0]), sigmoid(x * weight[2] + bias[2])
                into, change = sigmoid(h * weight[1] + bias[1]), np.tanh(h * weight[3] + bias[3])
                c = c * forget + into * change
                x = out * np.tanh(c)
                new.append((x, c))
            y = x * extra[1] + extra[2]
            y = y - np.log(2 + np.sum(np.exp(y)))
            return tuple(new), np.sum(following * y)

        start = ((state[0], state[1]), (state[2], state[3]))
        return -np.sum(scan(step, start, (sequence[:-1], sequence[1:]))[1]) / (b * (length - 1))

    return Program(
        f"LSTM, 2 layers of 14, {length} steps",
        lambda main, extra: loss(main, extra, np, fd.scan),
        None if jax is None else lambda main, extra: loss(main, extra, jax.numpy, jax.lax.scan),
        (main, extra),
        None,
        15,
    )


# --- a tridiagonal system, its solution written element by element ----------------------------------------


def tridiagonal(n: int) -> Program:
    rng = np.random.default_rng(1)
    operands = rng.uniform(0, 1, n), rng.uniform(3, 4, n), rng.uniform(0, 1, n), rng.standard_normal(n)

    def solved(a: Any, b: Any, c: Any, d: Any) -> Any:
        def down(i: Any, s: Any) -> Any:
            ratios, y = s
            m = b[i] - a[i] * ratios[i - 1]
            ratios[i] = c[i] / m
            y[i] = (d[i] - a[i] * y[i - 1]) / m
            return ratios, y

        def up(k: Any, x: Any) -> Any:
            i = n - 2 - k
            x[i] = y[i] - ratios[i] * x[i + 1]
            return x

        ratios, y, x = fd.numpy.zeros(n), fd.numpy.zeros(n), fd.numpy.zeros(n)
        ratios[0], y[0] = c[0] / b[0], d[0] / b[0]
        ratios, y = fd.fori_loop(1, n, down, (ratios, y))
        x[n - 1] = y[n - 1]
        return np.sum(fd.fori_loop(0, n - 1, up, x) ** 2)

    def of_jax(a: Any, b: Any, c: Any, d: Any) -> Any:
        def down(i: Any, s: Any) -> Any:
            ratios, y = s
            m = b[i] - a[i] * ratios[i - 1]
            return ratios.at[i].set(c[i] / m), y.at[i].set((d[i] - a[i] * y[i - 1]) / m)

        def up(k: Any, x: Any) -> Any:
            i = n - 2 - k
            return x.at[i].set(y[i] - ratios[i] * x[i + 1])

        zeros = jax.numpy.zeros(n)
        ratios, y = zeros.at[0].set(c[0] / b[0]), zeros.at[0].set(d[0] / b[0])
        ratios, y = jax.lax.fori_loop(1, n, down, (ratios, y))
        return jax.numpy.sum(jax.lax.fori_loop(0, n - 1, up, zeros.at[n - 1].set(y[n - 1])) ** 2)

    in_c = called(c_yardstick.tridiagonal(), np.stack(operands, 1))
    return Program(f"tridiagonal system of {n}", solved, None if jax is None else of_jax, operands, in_c)


# --- the heat equation --------------------------------------------------------------------------------


def heat(n: int, steps: int) -> Program:
    u = np.random.default_rng(2).standard_normal((n, n))

    def around(u: Any) -> Any:
        return u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]

    def ours(u: Any, k: Any) -> Any:
        def step(u: Any, _: Any) -> tuple[Any, None]:
            v = u.copy()
            v[1:-1, 1:-1] = u[1:-1, 1:-1] + k * around(u)
            return v, None

        return np.sum(fd.scan(step, u, None, length=steps)[0] ** 2)

    def of_jax(u: Any, k: Any) -> Any:
        def step(u: Any, _: Any) -> tuple[Any, None]:
            return u.at[1:-1, 1:-1].add(k * around(u)), None

        return jax.numpy.sum(jax.lax.scan(step, u, None, length=steps)[0] ** 2)

    return Program(
        f"heat equation, {n} x {n}, {steps} steps",
        ours,
        None if jax is None else of_jax,
        (u, 0.1),
        called(c_yardstick.heat_equation(), u) if steps == 200 else None,
        2.5,
        gradient_in_c=called(c_yardstick.heat_equation_gradient(), np.append(u, 0.1))
        if steps == 200
        else None,
        of_gradient=1.15,
    )
