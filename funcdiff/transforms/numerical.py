"""`numerical`: finite differences for a function that cannot be traced, asked for explicitly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.matching import convert
from funcdiff.core.primitive import General
from funcdiff.core.recording import TracedArray, innermost
from funcdiff.core.trees import LEAF, AnyTree, flatten
from funcdiff.primitives.shape import reshape, stack
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.custom_call import Call, Flat
from funcdiff.transforms.gradient import wrap

# f'(x) ≈ Σ weight (f(x + offset h) - f(x - offset h)) / h, with an error of order h⁴
WEIGHTS = ((1, 8 / 12), (2, -1 / 12))


def numerical(f: Callable[..., Any], *, step: float | None = None) -> Callable[..., Any]:
    """Make an opaque function differentiable by central differences of order four.

    For functions that leave Python or NumPy (a simulation, a compiled library), which funcdiff never
    replaces by differences on its own.  Forward mode costs four evaluations, reverse mode four for each
    element of the arguments.

    Parameters
    ----------
    f : callable
        A pure, smooth function of plain arrays, or nested containers of them; it is never called with
        traced ones.  Arguments given by keyword are not differentiated.
    step : float, optional
        The step, relative to ``max(1, abs(x))``; by default the fifth root of the rounding error of the
        arguments' dtype, 7e-4 in double precision.  The derivative then has about 12 digits if `f` is
        exact to rounding.  Take a larger step if `f` is noisy.

    Returns
    -------
    callable
        Takes what `f` takes, traced arrays too; to be nested and mapped like any other function.  Under
        `vmap` the examples are evaluated one by one, and derivatives of second order are differences of
        differences, with about 8 digits.

    Raises
    ------
    CustomRuleError
        When called, if `f` closes over a traced value.
    OutputError
        When called, if `f` returns something else than arrays.

    Examples
    --------
    >>> import math
    >>> import numpy as np, funcdiff as fd
    >>> opaque = fd.numerical(lambda x: math.sin(float(x)))
    >>> round(float(fd.grad(opaque)(0.5)) - math.cos(0.5), 10)
    0.0
    """
    check_callable("numerical", f)
    name = errors.function_name(f)

    @wrap(f, "numerical")
    def differenced(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten(args)
        values = [leaf_value(x) for x in leaves]
        places = [n for n, v in enumerate(values) if getattr(v, "dtype", _OBJECT).kind in "fcbiu"]
        out_tree: list[AnyTree] = [LEAF]

        fixed = [None if n in places else x for n, x in enumerate(leaves)]  # no cycles with the tape

        def flat(*operands: Any) -> list[Any]:
            given = list(fixed)
            for n, v in zip(places, operands, strict=True):
                given[n] = v.copy() if isinstance(v, np.ndarray) else v
            outs, out_tree[0] = flatten(f(*tree.unflatten(given), **kwargs))
            return [_output(name, o) for o in outs]

        call = NumericalCall(name, flat, step)
        outs = call.primitive().function(*[values[n] for n in places])
        return out_tree[0].unflatten(outs)

    return differenced


_OBJECT = np.dtype(object)


class NumericalCall(Call):
    """One call of an opaque function on leaves, with rules by central differences."""

    def __init__(self, name: str, f: Flat, step: float | None) -> None:
        super().__init__(name, f, self._jvp, self._fwd, self._bwd)
        self.step = step

    def batch(
        self, primitive: General, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any
    ) -> Any:
        rows = [
            self._values([v[n] if m else v for v, m in zip(values, flags, strict=True)]) for n in range(size)
        ]
        return tuple(stack(*column, axis=0) for column in zip(*rows, strict=True))

    def _values(self, values: Sequence[Any]) -> Any:
        """Evaluate, on whatever level the values are."""
        return self.primitive().function(*values)

    def _jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        outs = self._values(primals)
        active = [n for n, p in enumerate(primals) if type_of(p).dtype.kind in "fc"]
        ratio = max((_largest(innermost(tangents[n]) / _scale(primals[n])) for n in active), default=0.0)
        h = self._relative([primals[n] for n in active]) / ratio if ratio > 0 else 1.0

        def moved(k: float) -> list[Any]:
            return [
                p + convert(t * (k * h), type_of(p).dtype) if n in active else p
                for n, (p, t) in enumerate(zip(primals, tangents, strict=True))
            ]

        return list(outs), self._differences(outs, moved, h)

    def _fwd(self, *values: Any) -> Any:
        return list(self._values(values)), values

    def _bwd(self, values: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        outs = self._values(values)
        found: list[Any] = []
        for n, x in enumerate(values):
            kind = type_of(x)
            if kind.dtype.kind not in "fc":
                found.append(None)
                continue
            slopes = [
                self._slope(values, n, place, 1.0, outs, cotangents) for place in np.ndindex(kind.shape)
            ]
            if kind.dtype.kind == "c":
                turned = [
                    self._slope(values, n, place, 1j, outs, cotangents) for place in np.ndindex(kind.shape)
                ]
                slopes = [a - 1j * b for a, b in zip(slopes, turned, strict=True)]
            rows = stack(*slopes, axis=0) if slopes else np.zeros(0, kind.dtype)
            found.append(reshape(rows, shape=kind.shape))
        return found

    def _slope(self, values: Any, n: int, place: Any, unit: Any, outs: Any, cotangents: Any) -> Any:
        """Return the derivative of the cotangents' pairing with the outputs by one element."""
        kind = type_of(values[n])
        h = self._relative([values[n]]) * float(_scale(values[n])[place])

        def moved(k: float) -> list[Any]:
            shift = np.zeros(kind.shape, kind.dtype)
            shift[place] = k * h * unit
            return [v + shift[()] if m == n else v for m, v in enumerate(values)]

        total: Any = np.float64(0.0)
        for slope, g in zip(self._differences(outs, moved, h), cotangents, strict=True):
            if type_of(slope).dtype.kind in "fc":
                total = total + np.real(np.sum(slope * g))
        return total

    def _differences(self, outs: Any, moved: Callable[[float], list[Any]], h: float) -> list[Any]:
        """Return the derivatives of the outputs along a line; zero for those that are not inexact."""
        totals: list[Any] = [np.zeros(type_of(o).shape, type_of(o).dtype)[()] for o in outs]
        for offset, weight in WEIGHTS:
            up, down = self._values(moved(offset)), self._values(moved(-offset))
            for n, (a, b) in enumerate(zip(up, down, strict=True)):
                if type_of(outs[n]).dtype.kind in "fc":
                    totals[n] = totals[n] + (a - b) * (weight / h)
        return totals

    def _relative(self, values: Sequence[Any]) -> float:
        if self.step is not None:
            return self.step
        rounding = max((float(np.finfo(type_of(v).dtype).eps) for v in values), default=1e-16)
        return float(rounding**0.2)


def _scale(x: Any) -> Any:
    """Return max(1, |x|) of the plain values, the largest over mapped axes."""
    sizes = np.maximum(1.0, np.abs(innermost(x)))
    return np.max(sizes, axis=tuple(range(sizes.ndim - len(type_of(x).shape))), initial=1.0)


def _largest(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _output(name: str, o: Any) -> Any:
    value = leaf_value(o)
    if type(value) is TracedArray:
        raise errors.CustomRuleError(
            errors.at_user_line(
                f"numerical of {name}: the function closes over a traced value, whose derivative would be lost. "
                "Pass the value as an argument."
            )
        )
    if getattr(value, "dtype", _OBJECT).kind not in "fcbiu":
        raise errors.OutputError(
            errors.at_user_line(
                f"numerical of {name}: the function returned {type(o).__name__}, which is not a number or an array "
                "of numbers"
            )
        )
    return value


__all__ = ["numerical"]
