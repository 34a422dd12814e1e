"""Compiled functions against eager ones, `jax.jit`, PyTorch and C: small programs, chains, batches, compile time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcdiff as fd
from funcdiff import jit
from funcdiff.jit.native.engine import why_not
from tests.forward_algorithm import forward_algorithm

from . import c_yardstick
from .peers import torch
from .timing import WALL, Effort, Table, interleave, ratio

try:
    import jax
except ImportError:
    jax = None  # type: ignore[assignment]
else:
    jax.config.update("jax_enable_x64", True)

CONTESTANTS = ("eager", "numpy", "native", "jax", "torch", "C")
RATIOS = (("jax", "native"), ("torch", "native"), ("native", "C"), ("numpy", "jax"))


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


def logsumexp(np: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        m = np.max(x)
        return m + np.log(np.sum(np.exp(x - m)))

    return f


def trivial(effort: Effort) -> Table:
    x = np.arange(10.0)
    calls: dict[str, Callable[[], Any]] = {"eager": lambda: x + x}
    for name in backends():
        compiled = jit(lambda x: x + x, backend=name)
        calls[name] = lambda compiled=compiled: compiled(x)
    if jax is not None:
        peer, on_device = jax.jit(lambda x: x + x), jax.numpy.asarray(x)
        calls["jax"] = lambda: peer(on_device)
    return table("call of a compiled x + x, 10 elements", [("10", interleave(calls, effort))], "size")


def small(effort: Effort) -> Table:
    sizes = (1, 10) if effort.tiny else (1, 10, 100)
    lengths = (20,) if effort.tiny else (20, 80, 200)
    rows = []
    for length in lengths:
        for size in sizes:
            times = compare(lambda np, length=length: program(length, np), size, effort)
            rows.append((f"{length} x {size}", times))
    return table("value and gradient, operations x size", rows, "program")


def chains(effort: Effort) -> Table:
    sizes = (10,) if effort.tiny else (1_000, 100_000, 1_000_000, 10_000_000)
    found = [(str(size), compare(chain, size, effort, c_yardstick.chain())) for size in sizes]
    return table("value and gradient of sum(tanh(x) exp(-x²) + log1p(x²))", found, "size")


def sums(effort: Effort) -> Table:
    sizes = (10,) if effort.tiny else (1_000, 10_000, 100_000, 1_000_000)
    return table(
        "value and gradient of logsumexp", [(str(n), compare(logsumexp, n, effort)) for n in sizes], "size"
    )


def backends() -> tuple[str, ...]:
    return ("numpy",) if why_not() else ("numpy", "native")


def compare(
    make: Callable[[Any], Callable[[Any], Any]],
    size: int,
    effort: Effort,
    in_c: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    x = np.linspace(0.2, 0.9, size)
    eager = fd.value_and_grad(make(np))
    calls: dict[str, Callable[[], Any]] = {"eager": lambda: eager(x)}
    for name in backends():
        compiled = jit(eager, backend=name)
        calls[name] = lambda compiled=compiled: compiled(x)
    if jax is not None:
        peer = jax.jit(jax.value_and_grad(make(jax.numpy)))
        calls["jax"] = lambda: [np.asarray(part) for part in peer(x)]
    if torch is not None:
        calls["torch"] = torch_gradient(make(torch), x)
    if in_c is not None:
        calls["C"] = lambda: in_c(x)
    return interleave(calls, effort)


def torch_gradient(f: Callable[[Any], Any], x: Any) -> Callable[[], Any]:
    leaf = torch.from_numpy(x.copy()).requires_grad_()  # type: ignore[union-attr]

    def call() -> Any:
        value = f(leaf)
        return value, torch.autograd.grad(value, leaf)  # type: ignore[union-attr]

    return call


def batches(effort: Effort) -> Table:
    """Block Jacobians of a small residual over many observations."""

    def residual(np: Any) -> Callable[[Any, Any], Any]:
        return lambda p, u: np.stack([np.sin(p[0]) * u[0] - p[1], p[0] * p[1] * np.exp(u[1]) - u[0]])

    count = 100 if effort.tiny else 200_000
    p, u = np.random.default_rng(0).random((2, count, 2))
    calls: dict[str, Callable[[], Any]] = {}
    for name in backends():
        compiled = jit(fd.vmap(fd.jacobian(residual(np))), backend=name)
        calls[name] = lambda compiled=compiled: compiled(p, u)
    if jax is not None:
        peer = jax.jit(jax.vmap(jax.jacobian(residual(jax.numpy))))
        calls["jax"] = lambda: np.asarray(peer(p, u))
    return table(
        "vmap(jacobian(residual)), 2 by 2", [(str(count), interleave(calls, effort))], "observations"
    )


def matrices(effort: Effort) -> Table:
    """Programs whose time goes into matrix products and factorizations."""
    rng = np.random.default_rng(0)
    batch, width = (8, 4) if effort.tiny else (256, 256)
    weights = [rng.standard_normal((width, width)) / np.sqrt(width) for _ in range(3)]
    x, y = rng.standard_normal((2, batch, width))
    n = 10 if effort.tiny else 500
    points, targets = np.sort(rng.random(n)), rng.standard_normal(n)

    def perceptron(np: Any) -> Callable[..., Any]:
        def loss(w: Any, x: Any, y: Any) -> Any:
            h = np.tanh(np.tanh(x @ w[0]) @ w[1]) @ w[2]
            return np.mean((h - y) ** 2)

        return loss

    def likelihood(np: Any) -> Callable[..., Any]:
        def f(theta: Any, x: Any, y: Any) -> Any:
            k = theta[0] * np.exp(-((x[:, None] - x[None, :]) ** 2) / theta[1]) + theta[2] * np.eye(len(x))
            return y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1]

        return f

    programs: list[tuple[str, Any, tuple[Any, ...]]] = [
        (f"perceptron {batch} x {width}", perceptron, (weights, x, y)),
        (f"Gaussian process {n}", likelihood, (np.array([1.0, 0.1, 0.1]), points, targets)),
    ]
    return table(
        "value and gradient, mostly linear algebra",
        [(name, compare_at(make, args, effort)) for name, make, args in programs],
        "program",
    )


def compare_at(
    make: Callable[[Any], Callable[..., Any]], args: tuple[Any, ...], effort: Effort
) -> dict[str, Any]:
    eager = fd.value_and_grad(make(np))
    calls: dict[str, Callable[[], Any]] = {"eager": lambda: eager(*args)}
    for name in backends():
        compiled = jit(eager, backend=name)
        calls[name] = lambda compiled=compiled: compiled(*args)
    if jax is not None:
        peer = jax.jit(jax.value_and_grad(make(jax.numpy)))
        calls["jax"] = lambda: [np.asarray(part) for part in jax.tree_util.tree_leaves(peer(*args))]
    return interleave(calls, effort)


def table(title: str, found: list[tuple[str, dict[str, Any]]], what: str) -> Table:
    shown = [name for name in CONTESTANTS if any(name in times for _, times in found)]
    ratios = [(a, b) for a, b in RATIOS if a in shown and b in shown]
    rows = [
        (
            label,
            *(times[name].us() if name in times else "-" for name in shown),
            *(ratio(times, a, b) for a, b in ratios),
        )
        for label, times in found
    ]
    header = (what, *(f"{name} us" for name in shown), *(f"{a}/{b}" for a, b in ratios))
    return Table(f"{title}, min/median of CPU time", header, rows)


def compile_time(effort: Effort) -> Table:
    lengths = (20,) if effort.tiny else (200, 1000)
    x = np.linspace(0.2, 0.9, 10)
    programs = [(f"gradient, {n} operations", fd.value_and_grad(program(n, np)), x) for n in lengths]
    for steps, irregular in ((3, True),) if effort.tiny else ((40, False), (20, True), (40, True)):
        kind = "with silent transitions" if irregular else "alike"
        name = f"Hessian of the forward algorithm, {steps} steps {kind}"
        programs.append((name, fd.hessian(forward_algorithm(steps, irregular)), np.linspace(-0.5, 0.5, 9)))
    rows = []
    for label, derivative, given in programs:
        tape = fd.trace(derivative)(given)
        calls: dict[str, Callable[[], Any]] = {"trace": lambda g=derivative, x=given: fd.trace(g)(x)}
        for name in backends():
            calls[name] = lambda name=name, g=derivative, x=given: jit(g, backend=name)(x)
        times = interleave(calls, effort)
        for name in backends():
            total, traced = times[name].median, times["trace"].median
            per = 1e6 / len(tape)
            rows.append(
                (
                    label,
                    name,
                    str(len(tape)),
                    f"{1e3 * total:.1f}",
                    f"{per * total:.1f}",
                    f"{per * (total - traced):.1f}",
                )
            )
    header = ("program", "backend", "records", "ms", "us per record", "of them after recording")
    return Table("compile time (budget: 100 us per record)", header, rows)


def threads(effort: Effort) -> Table:
    """Large loops on one thread and on two: time by the wall, at its least, as the second core is not always free."""

    def residual(p: Any, u: Any) -> Any:
        return np.stack([np.sin(p[0]) * u[0] - p[1], p[0] * p[1] * np.exp(u[1]) - u[0]])

    def rosenbrock(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    large, count = (10, 10) if effort.tiny else (1_000_000, 200_000)
    p, u = np.random.default_rng(0).random((2, count, 2))
    programs: list[tuple[str, Any, tuple[Any, ...]]] = [
        (f"chain {n}", fd.value_and_grad(chain(np)), (np.linspace(0.2, 0.9, n),))
        for n in (large // 10, large, 10 * large)
    ]
    programs += [
        (f"logsumexp {large}", fd.value_and_grad(logsumexp(np)), (np.linspace(0.2, 0.9, large),)),
        (f"Rosenbrock {large}", fd.value_and_grad(rosenbrock), (np.linspace(0.2, 0.9, large),)),
        (f"vmap(jacobian) {count}", fd.vmap(fd.jacobian(residual)), (p, u)),
    ]
    rows = []
    for name, f, args in programs:
        step = jit(f)

        def on(threads: int, step: Any = step, args: Any = args) -> Callable[[], Any]:
            def call() -> Any:
                if fd.get_num_threads() != threads:
                    fd.set_num_threads(threads)
                return step(*args)

            return call

        times = interleave({"one": on(1), "two": on(2)}, effort, WALL)
        gain = times["one"].minimum / times["two"].minimum
        rows.append((name, times["one"].us(), times["two"].us(), f"{gain:.2f}"))
    fd.set_num_threads(1)
    header = ("program", "1 thread us", "2 threads us", "gain of the minima")
    return Table("threads over large loops, min/median of time by the wall (target: 1.4)", header, rows)


def compiled(effort: Effort) -> list[Table]:
    return [
        trivial(effort),
        small(effort),
        chains(effort),
        sums(effort),
        batches(effort),
        matrices(effort),
        threads(effort),
        compile_time(effort),
    ]
