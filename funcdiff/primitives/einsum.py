"""`einsum`, the one variadic multilinear primitive: its subscripts are explicit, without an ellipsis.

Each operand's transpose is an einsum of the cotangent with the other operands.  Indices that an operand
sums away alone are broadcast, indices it repeats are put back on the diagonal, and an axis of length
one that was broadcast against a longer one is summed.
"""

from __future__ import annotations

import math
from string import ascii_letters
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.declare import multilinear
from funcdiff.primitives.shape import broadcast_to, reshape, sum_to, transpose

WORTH_PLANNING = 100_000
"""Multiplications from which a rule lets NumPy plan the contraction: its plain loop takes about a
nanosecond each, the search of a path some 50 µs."""


def _einsum(*operands: Any, subscripts: str, optimize: Any) -> Any:
    return np.einsum(subscripts, *operands, optimize=optimize)[()]


def parts(subscripts: str) -> tuple[list[str], str]:
    """Split explicit subscripts into those of the operands and those of the output."""
    inputs, output = subscripts.split("->")
    return inputs.split(","), output


def _contract(operands: list[Any], terms: list[str], output: str, optimize: Any) -> Any:
    """Contract with the caller's `optimize`; a path or False gives way to a search where that pays."""
    if len(operands) == 1 and sorted(terms[0]) == sorted(output):
        return transpose(operands[0], axes=tuple(terms[0].index(c) for c in output))
    if not isinstance(optimize, (bool, str)):
        optimize = True
    elif optimize is False:
        lengths = {
            c: n for x, term in zip(operands, terms, strict=True) for c, n in zip(term, x.shape, strict=True)
        }
        optimize = math.prod(lengths.values()) > WORTH_PLANNING
    return einsum(*operands, subscripts=f"{','.join(terms)}->{output}", optimize=optimize)


def _fit(x: Any, shape: tuple[int, ...]) -> Any:
    """Sum what was broadcast, and repeat what was summed away, axis by axis."""
    summed = tuple(1 if m == 1 else n for n, m in zip(x.shape, shape, strict=True))
    if summed != x.shape:
        x = sum_to(x, shape=summed)
    return x if summed == shape else broadcast_to(x, shape=shape)


def _einsum_transpose(n: int, g: Any, *operands: Any, subscripts: str, optimize: Any) -> Any:
    terms, output = parts(subscripts)
    term, shape = terms[n], operands[n].shape
    others = [x for m, x in enumerate(operands) if m != n]
    others_terms = [t for m, t in enumerate(terms) if m != n]
    letters = "".join(dict.fromkeys(term))
    reached = "".join(c for c in letters if c in output or any(c in t for t in others_terms))
    out = _contract([g, *others], [output, *others_terms], reached, optimize)
    if reached != letters:
        out = reshape(out, shape=tuple(out.shape[reached.index(c)] if c in reached else 1 for c in letters))
    lengths = dict(zip(term, shape, strict=True))
    out = _fit(out, tuple(lengths[c] for c in letters))
    if letters == term:
        return out
    unused = iter(c for c in ascii_letters if c not in term)
    result, eyes, eye_terms = "", [], []
    for c in term:
        if c in result:
            new = next(unused)
            eyes.append(np.eye(lengths[c], dtype=out.dtype))
            eye_terms.append(c + new)
            result += new
        else:
            result += c
    return einsum(out, *eyes, subscripts=f"{','.join([letters, *eye_terms])}->{result}", optimize=False)


def _batch_einsum(values: Any, flags: Any, _size: int, *, subscripts: str, optimize: Any) -> Any:
    terms, output = parts(subscripts)
    free = next((c for c in ascii_letters if c not in subscripts), None)
    if free is None:
        raise errors.UnsupportedError(
            errors.at_user_line(
                "einsum: all 52 letters are in use, so there is none left for the axis that vmap or a batched "
                "sweep adds. Contract in two steps."
            )
        )
    terms = [free * f + term for term, f in zip(terms, flags, strict=True)]
    return einsum(*values, subscripts=f"{','.join(terms)}->{free}{output}", optimize=optimize)


def _einsum_samples(rng: np.random.Generator) -> Any:
    def case(subscripts: str, *shapes: tuple[int, ...], optimize: Any = False) -> Any:
        return tuple(rng.standard_normal(s) for s in shapes), {"subscripts": subscripts, "optimize": optimize}

    z = rng.standard_normal((2, 2, 3)) + 1j * rng.standard_normal((2, 2, 3))
    return [
        case("ij,jk->ik", (2, 3), (3, 4)),
        case("ij->ji", (2, 3)),
        case("ij->j", (2, 3)),
        case("ij->", (2, 3)),
        case("ii->", (3, 3)),
        case("ii->i", (3, 3)),
        case("iij,jk->ik", (2, 2, 3), (3, 2)),
        case("iii->i", (2, 2, 2)),
        case("ij,kl->", (2, 3), (2, 2)),
        case(",i->i", (), (3,)),
        case("ij,ij->i", (1, 3), (2, 1)),
        case("ab,bc,cd->ad", (2, 3), (3, 4), (4, 2), optimize=True),
        case("ab,bc,cd->da", (2, 3), (3, 4), (4, 2), optimize=("einsum_path", (1, 2), (0, 1))),
        ((z[0], z[1]), {"subscripts": "ij,kj->ik", "optimize": False}),
    ]


einsum = multilinear(
    _einsum,
    _einsum_transpose,
    batch=_batch_einsum,
    name="einsum",
    variadic=True,
    samples=_einsum_samples,
    doc="Sum of products over indices, as `numpy.einsum`, with explicit subscripts.",
)
