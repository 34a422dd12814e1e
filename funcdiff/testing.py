"""Checking derivatives: `check_grads` compares them with central differences, to any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import innermost
from funcdiff.transforms.arguments import Outputs, Selection, check_callable
from funcdiff.transforms.basis import with_progress
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import record

Flat = Callable[..., list[Any]]

MODES = ("fwd", "rev")


def check_grads(
    f: Callable[..., Any],
    args: Any,
    order: int = 2,
    modes: Sequence[str] = MODES,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
    progress: bool = False,
) -> None:
    """Check the derivatives of a function against central differences along a random direction.

    Forward mode is compared with the difference quotient, reverse mode with forward pairing
    ``Re(cotangent · J tangent)``; each derivative of an order below the last is then checked in the
    same way, so that every nesting of the modes is met.

    Parameters
    ----------
    f : callable
        A function of arrays, or nested containers of them, that returns the same.
    args : array or tuple of arrays
        Where; a tuple holds the arguments of `f`.  The neighbourhood must be in its domain.
    order : int, default 2
        Up to which order derivatives are checked.
    modes : sequence of {"fwd", "rev"}
        The modes to check.
    rtol, atol : float, optional
        Tolerances, relative to the largest element; by default what central differences can reach in
        the dtype.
    eps : float, optional
        Step of the central difference; the cube root of the dtype's precision by default.
    seed : int, default 0
        Seed of the random directions.
    progress : bool, default False
        Show a progress bar over the functions that are checked (needs the `progress` extra).

    Raises
    ------
    AssertionError
        If a derivative is wrong; the message says which, such as ``"JVP of VJP"``.
    DtypeError
        If an argument cannot be differentiated.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.testing.check_grads(lambda x: np.sin(x) * x, np.array([0.3, 1.2]), order=3)
    """
    check_callable("check_grads", f)
    unknown = [m for m in modes if m not in MODES]
    if unknown or order < 1:
        raise errors.ArgnumsError(
            f"check_grads takes modes from {MODES} and order >= 1, not {modes!r} and {order!r}"
        )
    values = args if isinstance(args, tuple) else (args,)
    selection = Selection("check_grads", f, values, tuple(range(len(values))), {})
    outputs = Outputs(selection, False)
    rng = np.random.default_rng(seed)

    def flat(*leaves: Any) -> list[Any]:
        return outputs(*leaves)

    single = any(innermost(x).dtype.itemsize // (1 + (x.dtype.kind == "c")) <= 4 for x in selection.leaves)
    options = {
        "rtol": rtol if rtol is not None else (2e-2 if single else 2e-5),
        "atol": atol if atol is not None else (2e-2 if single else 2e-6),
        "eps": eps if eps is not None else (1e-2 if single else 6e-6),
    }
    # a derivative of each mode is checked for every function of the order below
    checks = range(sum(len(set(modes)) ** n for n in range(order)))
    bar = iter(with_progress(checks, progress, "check_grads"))
    _check(flat, selection.leaves, order, tuple(modes), "", rng, options, bar)
    next(bar, None)  # and it closes


def _check(
    f: Flat,
    leaves: Sequence[Any],
    order: int,
    modes: tuple[str, ...],
    trail: str,
    rng: Any,
    options: dict[str, float],
    bar: Iterator[int],
) -> None:
    next(bar)
    tangents = [_direction(rng, x) for x in leaves]
    numeric = _difference(f, leaves, tangents, options["eps"])
    outs = f(*leaves)
    floating = [n for n, o in enumerate(outs) if type_of(o).dtype.kind in "fc"]
    if "fwd" in modes:
        _, found = push_forward(f, leaves, tangents)
        for n in floating:
            t = np.zeros(type_of(outs[n]).shape) if found[n] is None else found[n]
            _compare(f"JVP{trail}", n, t, numeric[n], options)
    if "rev" in modes:
        recording = record(f, leaves)
        cotangents: list[Any] = [_direction(rng, o) if n in floating else None for n, o in enumerate(outs)]
        pulled = recording.pull(cotangents)
        left = sum(_pair(g, t) for g, t in zip(pulled, tangents, strict=True))
        right = sum(_pair(cotangents[n], numeric[n]) for n in floating)
        scale = sum(_pair(np.abs(cotangents[n]), np.abs(numeric[n])) for n in floating)
        if not abs(left - right) <= options["rtol"] * max(scale, 1.0) + options["atol"]:
            raise AssertionError(
                f"VJP{trail} is wrong: cotangent · J · tangent is {left!r} by reverse mode and {right!r} by central "
                "differences"
            )
    if order > 1:
        if "fwd" in modes:

            def forward(*xs: Any) -> list[Any]:
                _, found = push_forward(f, xs, tangents)
                return [np.zeros(type_of(outs[n]).shape) if found[n] is None else found[n] for n in floating]

            _check(forward, leaves, order - 1, modes, f" of JVP{trail}", rng, options, bar)
        if "rev" in modes:

            def reverse(*xs: Any) -> list[Any]:
                return record(f, xs).pull(cotangents)

            _check(reverse, leaves, order - 1, modes, f" of VJP{trail}", rng, options, bar)


def _pair(g: Any, t: Any) -> float:
    """Return Re(g · t)."""
    return float(np.real(np.sum(g * t)))


def _direction(rng: Any, x: Any) -> Any:
    kind = type_of(x)
    t = rng.standard_normal(kind.shape)
    if kind.dtype.kind == "c":
        t = t + 1j * rng.standard_normal(kind.shape)
    return np.asarray(t).astype(kind.dtype)[()]


def _difference(f: Flat, leaves: Sequence[Any], tangents: Sequence[Any], eps: float) -> list[Any]:
    """Differentiate along a direction by a central difference of fourth order."""

    def at(step: float) -> list[Any]:
        moved = [(x + step * t).astype(x.dtype) for x, t in zip(leaves, tangents, strict=True)]
        return [np.asarray(o) for o in f(*moved)]

    h = eps * 20
    parts = zip(at(-2 * h), at(-h), at(h), at(2 * h), strict=True)
    return [(a - 8 * b + 8 * c - d) / (12 * h) if a.dtype.kind in "fc" else a * 0 for a, b, c, d in parts]


def _compare(what: str, n: int, found: Any, numeric: Any, options: dict[str, float]) -> None:
    found = np.asarray(found)
    scale = float(np.max(np.abs(numeric), initial=0.0))
    worst = float(np.max(np.abs(found - numeric), initial=0.0))
    if not worst <= options["rtol"] * scale + options["atol"]:
        raise AssertionError(
            f"{what} is wrong: output {n} is {found!r}, by central differences {numeric!r} (largest difference {worst:.3g})"
        )


__all__ = ["check_grads"]
