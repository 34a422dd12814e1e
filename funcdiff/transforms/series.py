"""Truncated Taylor series through every kind of primitive, from the rules of first order alone.

A traced array carries its value and the derivatives of orders 1, 2, … along a curve.  The one rule for
what is not linear is the chain rule itself: along the curve, ``out' = Σ partial_i(out, x…) x_i'``, where
the partials are series too, found by evaluating the declared rules on series.  In that evaluation
coefficients are computed when they are first asked for, because the partials may read `out`, of which
each coefficient needs only the partials' coefficients of lower order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from funcdiff.core.array_type import type_of
from funcdiff.core.matching import inverse, scale
from funcdiff.core.primitive import Elementwise, Function, Over
from funcdiff.core.recording import box, output
from funcdiff.transforms.record_rules import partial_of

Coefficient = Any
"""One derivative along the curve, an array of the value's shape and dtype, or None for zero."""


class Series(list[Any]):
    """Derivatives of orders 1, 2, …; those that are not in the list yet follow from a rule."""

    __slots__ = ("rule",)

    def __init__(self, known: Sequence[Coefficient] = (), rule: Callable[[int], Coefficient] | None = None):
        super().__init__(known)
        self.rule = rule

    def order(self, k: int) -> Coefficient:
        """Return the derivative of order k, 1 or more."""
        while len(self) < k:
            if self.rule is None:
                raise IndexError(f"a series of order {len(self)} was asked for order {k}")
            self.append(self.rule(len(self) + 1))
        return self[k - 1]


Terms = Callable[[int], Coefficient]
"""A coefficient by its order."""


# --- one rule per kind -------------------------------------------------------------------------------


def linear(function: Function, series: Sequence[Any], values: Sequence[Any], params: Any) -> Terms:
    """Apply a linear function to each coefficient."""
    kinds = [type_of(v) for v in values]

    def coefficient(k: int) -> Coefficient:
        parts = [None if s is None else s.order(k) for s in series]
        if all(p is None for p in parts):
            return None
        full = [
            np.zeros(kind.shape, kind.dtype) if p is None else p for p, kind in zip(parts, kinds, strict=True)
        ]
        return function(*full, **params)

    return coefficient


def multilinear(function: Function, series: Sequence[Any], values: Sequence[Any], params: Any) -> Terms:
    """Convolve the series of the arguments: Leibniz' rule."""
    active = [n for n, s in enumerate(series) if s is not None]

    def coefficient(k: int) -> Coefficient:
        total = None
        for args, weight in _products(list(values), series, active, k, 1):
            total = _plus(total, _times(weight, function(*args, **params)))
        return total

    return coefficient


def _products(
    args: list[Any], series: Sequence[Any], active: Sequence[int], k: int, weight: int
) -> Iterator[tuple[list[Any], int]]:
    """Yield the arguments of all products in which the orders of the active ones sum to k, weighted."""
    if not active:
        yield args, weight
        return
    n, rest = active[0], active[1:]
    value = args[n]
    for j in range(k + 1) if rest else (k,):
        part = value if j == 0 else series[n].order(j)
        if part is not None:
            args[n] = part
            yield from _products(args, series, rest, k - j, weight * math.comb(k, j))
    args[n] = value


def elementwise(
    recorder: Any,
    primitive: Elementwise,
    made: Series,
    out: Any,
    series: Sequence[Any],
    values: Sequence[Any],
) -> Terms:
    """Add, per argument, the products of its partial derivative with its own derivative."""
    terms = []
    for n, s in enumerate(series):
        if s is None:
            continue
        partial = partial_of(primitive, n)
        if isinstance(partial, Over):
            factor = _Factor(recorder, partial.denominator, made, out, series, values)
            terms.append(_quotient(factor, s, recorder.strong))
        elif callable(partial):
            terms.append(_product(_Factor(recorder, partial, made, out, series, values), s, recorder.strong))
        elif partial != 0:
            terms.append(_multiple(partial, s))

    def coefficient(k: int) -> Coefficient:
        total = None
        for term in terms:
            total = _plus(total, term(k))
        return total

    return coefficient


class _Factor:
    """A partial derivative (or its denominator) on series, evaluated when it is first needed."""

    def __init__(
        self, recorder: Any, rule: Function, made: Series, out: Any, series: Any, values: Any
    ) -> None:
        self.arguments = recorder, rule, made, out, series, values
        self.found: tuple[Any, Any] | None = None

    def order(self, k: int) -> Coefficient:
        """Return the derivative of order k of the factor, the factor itself for 0."""
        if self.found is None:
            recorder, rule, made, out, series, values = self.arguments
            with recorder.inner() as inner:
                self.found = output(rule(box(out, inner, made), *_boxes(inner, values, series)), inner)
        value, place = self.found
        if k == 0:
            return value
        return None if place is None else place.order(k)


def _product(factor: _Factor, s: Series, strong: bool) -> Terms:
    def coefficient(k: int) -> Coefficient:
        total = None
        for j in range(k):
            part = s.order(k - j)
            if part is not None and (p := factor.order(j)) is not None:
                term = scale(part, p) if strong else part * p
                total = _plus(total, _times(math.comb(k - 1, j), term))
        return total

    return coefficient


def _quotient(factor: _Factor, s: Series, strong: bool) -> Terms:
    found: list[Coefficient] = []  # derivatives of s' / denominator, of orders 0, 1, …

    def coefficient(k: int) -> Coefficient:
        total = s.order(k)
        for j in range(1, k):
            part = found[k - 1 - j]
            if part is not None and (d := factor.order(j)) is not None:
                term = scale(part, d) if strong else part * d
                total = _plus(total, _times(-math.comb(k - 1, j), term))
        if total is not None:
            d = factor.order(0)
            total = scale(total, inverse(d)) if strong else total / d
        found.append(total)
        return total

    return coefficient


def _multiple(partial: Any, s: Series) -> Terms:
    def coefficient(k: int) -> Coefficient:
        part = s.order(k)
        return None if part is None else _times(partial, part)

    return coefficient


def general(
    recorder: Any,
    tangents: Callable[[Any, Sequence[Any], Any, Sequence[Any]], Any],
    out: Any,
    series: Sequence[Any],
    values: Sequence[Any],
) -> Any:
    """Evaluate a rule for the tangent on series: its coefficient of order k - 1 is the output's of order k."""
    several = isinstance(out, tuple)
    outs = out if several else (out,)
    made = [Series() for _ in outs]
    found: list[tuple[Any, Any]] = []

    def evaluate() -> None:
        with recorder.inner() as inner:
            own = tuple(
                box(o, inner, s) if type_of(o).dtype.kind in "fc" else o
                for o, s in zip(outs, made, strict=True)
            )
            given = [
                None if s is None else box(_first(s, v), inner, _shifted(s))
                for s, v in zip(series, values, strict=True)
            ]
            result = tangents(inner, given, own if several else own[0], _boxes(inner, values, series))
            found.extend(output(r, inner) for r in (result if several else (result,)))

    def rule(n: int) -> Terms:
        def coefficient(k: int) -> Coefficient:
            if not found:
                evaluate()
            value, place = found[n]
            if k == 1:
                return value
            return None if place is None else place.order(k - 1)

        return coefficient

    for n, s in enumerate(made):
        s.rule = rule(n)
    return tuple(made) if several else made[0]


def one_by_one(tangent: Callable[..., Any]) -> Callable[..., Any]:
    """Return the sum of the tangents that come from each argument."""

    def tangents(inner: Any, given: Sequence[Any], out: Any, args: Sequence[Any]) -> Any:
        total: Any = None
        for n, t in enumerate(given):
            if t is not None:
                term = tangent(inner, n, t, out, args)
                if isinstance(term, tuple):
                    total = term if total is None else tuple(a + b for a, b in zip(total, term, strict=True))
                else:
                    total = _plus(total, term)
        return total

    return tangents


def _first(s: Series, value: Any) -> Any:
    """Return the first derivative as an array."""
    first = s.order(1)
    if first is None:
        kind = type_of(value)
        return np.zeros(kind.shape, kind.dtype)
    return first


def _shifted(s: Series) -> Series:
    """Return the series of the first derivative."""
    return Series((), lambda k: s.order(k + 1))


def _boxes(inner: Any, values: Sequence[Any], series: Sequence[Any]) -> list[Any]:
    return [v if s is None else box(v, inner, s) for v, s in zip(values, series, strict=True)]


def _plus(total: Any, term: Any) -> Any:
    if total is None or term is None:
        return term if total is None else total
    return total + term


def _times(weight: int, x: Any) -> Any:
    if weight == 1:
        return x
    return -x if weight == -1 else weight * x
