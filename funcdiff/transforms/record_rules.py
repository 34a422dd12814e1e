"""Rules of the records that any primitive can have: results in parts, writes, and all that is not elementwise.

The commonest primitives have rules of their own, see core/fastpath.py; these serve the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.matching import match, match_tangent, spread, written_out
from funcdiff.core.mutation import OWNED_IN_SWEEP, Cell, Path, update
from funcdiff.core.primitive import Elementwise, General, Linear, Multilinear, Primitive
from funcdiff.core.rules import RULES, Rules, product
from funcdiff.primitives.winners import read_written


def _pull_any(strong: bool) -> Callable[..., None]:
    def pull(
        cot: Any,
        g: Any,
        places: tuple[int, ...],
        primitive: Any,
        args: Any,
        params: Any,
        out: Any,
        kinds: Any,
    ) -> None:
        if type(g) is list:
            keep_none = getattr(primitive.custom, "takes_none", False)
            g = tuple(
                written_out(part, kind)
                if part is not None
                else None
                if keep_none
                else np.zeros(kind.shape, kind.dtype)
                for part, kind in zip(g, kinds[-1], strict=True)
            )
        else:
            g = written_out(g, kinds[-1])
        needed = [n for n, place in enumerate(places) if place >= 0]
        if (
            0 in needed
            and getattr(primitive, "accumulate", None) is not None
            and isinstance(primitive, General)
        ):
            needed.remove(0)
            c = cot[places[0]]
            cell = Cell(c if c is None else written_out(c, kinds[0]))
            del c
            cot[places[0]] = None
            primitive.accumulate(cell, g, *args, **params)  # type: ignore[misc]
            cot[places[0]] = cell.value
        for n, h in zip(needed, cotangents(primitive, g, needed, out, args, params, strong), strict=True):
            i = places[n]
            if h is None:
                continue
            h = match(h, kinds[n])
            c = cot[i]
            cot[i] = h if c is None else c + h

    return pull


def cotangents(
    primitive: Any, g: Any, needed: Sequence[int], out: Any, args: Any, params: Any, strong: bool
) -> list[Any]:
    """Return the cotangents of the needed arguments of any primitive."""
    match primitive:
        case Elementwise():
            return [product(partial_of(primitive, n), strong)(g, out, *args) for n in needed]
        case Linear(variadic=True):
            return [primitive.transposes[0](n, g, *args, **params) for n in needed]
        case Linear():
            return [primitive.transposes[n](g, *args, **params) for n in needed]
        case Multilinear(variadic=True):
            return [primitive.transposes[0](n, g, *args, **params) for n in needed]
        case Multilinear():
            return [primitive.transposes[n](g, *args, **params) for n in needed]
        case General():
            if primitive.custom is not None and primitive.custom.pull is not None:
                return list(primitive.custom.pull(g, needed, out, args, params))
            return [general_cotangent(primitive, n, g, out, args, params) for n in needed]
    raise errors.TapeError(f"a record of {primitive!r} has no reverse rule")


def partial_of(primitive: Elementwise, n: int) -> Any:
    """Return a partial derivative, or say that it is missing."""
    partial = primitive.partials[n] if n < len(primitive.partials) else None
    if partial is None:
        raise missing_rule(primitive, n)
    return partial


def missing_rule(primitive: Primitive, n: int) -> errors.MissingRuleError:
    """Say which primitive lacks a rule for which argument, and what to do."""
    reason = f": {primitive.missing[n]}" if n in primitive.missing else ""
    return errors.MissingRuleError(
        errors.at_user_line(
            f"{primitive.name} has no derivative rule for its argument {n}{reason}. Keep that argument constant "
            "(fd.stop_gradient), or give the whole computation a rule with fd.custom_jvp or fd.custom_vjp."
        )
    )


def general_cotangent(primitive: General, n: int, g: Any, out: Any, args: Any, params: Any) -> Any:
    """Return one cotangent of a General primitive: by its VJP, its transpose, or its JVP transposed."""
    if primitive.vjps[n] is not None:
        return primitive.vjps[n](g, out, *args, **params)  # type: ignore[misc]
    if primitive.transposes[n] is not None:
        return primitive.transposes[n](g, out, *args, **params)  # type: ignore[misc]
    jvp = primitive.jvps[n]
    if jvp is None:
        raise missing_rule(primitive, n)
    kind = type_of(args[n])
    return transpose_at(lambda t: jvp(t, out, *args, **params), kind, g)


def transpose_at(f: Callable[[Any], Any], kind: ArrayType, g: Any) -> Any:
    """Pull a cotangent back through a function that is linear, recorded at zero."""
    from funcdiff.transforms.reverse import record  # which needs the rules of this file

    recording = record(f, [np.zeros(kind.shape, kind.dtype)])
    seeds = list(g) if isinstance(g, tuple) else [g]
    return recording.pull(seeds)[0]


def _push_any(strong: bool) -> Callable[..., None]:
    def push(
        tan: Any,
        k: int,
        places: tuple[int, ...],
        primitive: Any,
        args: Any,
        params: Any,
        out: Any,
        kinds: Any,
    ) -> None:
        tangents = [None if p < 0 else tan[p] for p in places]
        if any(t is not None for t in tangents):
            t = out_tangent(primitive, tangents, out, args, kinds, params, strong)
            tan[k] = t if isinstance(t, tuple) else match_tangent(t, kinds[-1])

    return push


def out_tangent(
    primitive: Any, tangents: Sequence[Any], out: Any, args: Any, kinds: Any, params: Any, strong: bool
) -> Any:
    """Return the tangent of any primitive's output, not yet broadcast to it."""
    active = [n for n, t in enumerate(tangents) if t is not None]
    function = primitive.function
    match primitive:
        case Linear():
            full = [
                np.zeros(kind.shape, kind.dtype) if t is None else t
                for t, kind in zip(tangents, kinds, strict=False)
            ]
            return function(*full, **params)
        case Elementwise():
            terms = [product(partial_of(primitive, n), strong)(tangents[n], out, *args) for n in active]
        case Multilinear():
            terms = [function(*args[:n], tangents[n], *args[n + 1 :], **params) for n in active]
        case General():
            if primitive.custom is not None and primitive.custom.push is not None:
                return primitive.custom.push(tangents, out, args, params)
            if primitive.push is not None:
                return primitive.push(tangents, out, args, params)
            terms = [general_tangent(primitive, n, tangents[n], out, args, params) for n in active]
        case _:
            raise errors.TapeError(f"a record of {primitive!r} has no forward rule")
    total = terms[0]
    for term in terms[1:]:
        if isinstance(total, tuple):
            total = tuple(a + b for a, b in zip(total, term, strict=True))
        else:
            total = total + term
    return total


def general_tangent(primitive: General, n: int, t: Any, out: Any, args: Any, params: Any) -> Any:
    """Return one term of the tangent of a General primitive."""
    jvp = primitive.jvps[n]
    if jvp is not None:
        return jvp(t, out, *args, **params)
    if primitive.transposes[n] is not None:  # linear in this argument
        return primitive.function(*args[:n], t, *args[n + 1 :], **params)
    vjp = primitive.vjps[n]
    if vjp is None:
        raise missing_rule(primitive, n)
    return push_by_transposing(lambda g: vjp(g, out, *args, **params), out, t)


def push_by_transposing(pull: Callable[[Any], Any], out: Any, t: Any) -> Any:
    """Push a tangent through a function of which only the pullback is known: transpose the pullback."""
    from funcdiff.transforms.reverse import record

    outs = out if isinstance(out, tuple) else (out,)
    zeros = [np.zeros(k.shape, k.dtype) for k in map(type_of, outs)]
    recording = record(lambda *g: pull(g if isinstance(out, tuple) else g[0]), zeros)
    pushed = recording.pull([t])
    return tuple(pushed) if isinstance(out, tuple) else pushed[0]


def pull_part(cot: Any, g: Any, i: int, n: int, _x: Any, total: int, _v: Any, _t: Any) -> None:
    """Hand the cotangent of one of several outputs to the record that made them."""
    parts = cot[i]
    if parts is None:
        parts = cot[i] = [None] * total
    parts[n] = g


def push_part(tan: Any, k: int, i: int, n: int, _x: Any, _total: int, _v: Any, _t: Any) -> None:
    """Take the tangent of one of several outputs."""
    if tan[i] is not None:
        tan[k] = tan[i][n]


def pull_write(cot: Any, g: Any, i: int, j: int, path: Path, shape: Any, _v: Any, kinds: Any) -> None:
    """Pull back ``new = old with [path] replaced``: the written part is the value's, the rest the old's."""
    if g.shape != shape:
        g = spread(g, shape)
    if j >= 0:
        h = match(read_written(g, path), kinds[0])
        c = cot[j]
        cot[j] = h if c is None else c + h
    if i >= 0:
        cell = Cell(g)
        del g
        update(cell, 0.0, path, OWNED_IN_SWEEP)
        c = cot[i]
        cot[i] = cell.value if c is None else c + cell.value


def push_write(
    tan: Any, k: int, i: int, j: int, path: Path, shape: Any, _v: Any, kinds: Any, last: bool = False
) -> None:
    """Push tangents through a write; in place where nobody reads the old tangent after it."""
    old = tan[i] if i >= 0 else None
    new = tan[j] if j >= 0 else None
    if old is not None or new is not None:
        cell = Cell(np.zeros(shape, kinds[1]) if old is None else old)
        if last:
            tan[i] = None
        del old
        update(cell, 0.0 if new is None else new, path)
        tan[k] = cell.value


pull_any = _pull_any(False)
_ANY = Primitive("any", lambda: None)
RULES[pull_any] = Rules(_ANY, pull_any, _pull_any(True), _push_any(False), _push_any(True))
RULES[pull_part] = Rules(_ANY, pull_part, pull_part, push_part, push_part)
RULES[pull_write] = Rules(_ANY, pull_write, pull_write, push_write, push_write)
