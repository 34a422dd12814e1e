"""Determinants.  The derivatives of `det` are right to every order at singular matrices too."""

from __future__ import annotations

from functools import cache
from itertools import permutations
from string import ascii_letters
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.alignment import align
from funcdiff.core.declare import general
from funcdiff.core.primitive import Function
from funcdiff.primitives.elementwise import scale
from funcdiff.primitives.linalg.common import imaginary_part, over_matrix, real_part, stacked, sum_matrix
from funcdiff.primitives.linalg.solve import inv_or_nan, well_conditioned
from funcdiff.primitives.product import swap_last

# --- det --------------------------------------------------------------------------------------------

MOST_DIRECTIONS = 6


def _cycles(permutation: tuple[int, ...]) -> list[list[int]]:
    """Split a permutation into cycles; the one that holds the last element starts with it and comes last."""
    left, cycles = set(range(len(permutation))), []
    for start in (len(permutation) - 1, *range(len(permutation) - 1)):
        cycle, n = [], start
        while n in left:
            left.remove(n)
            cycle.append(n)
            n = permutation[n]
        if cycle:
            cycles.append(cycle)
    return cycles[::-1]


@cache
def _signed_permutations(order: int) -> list[tuple[int, tuple[int, ...], list[list[int]]]]:
    """List all permutations with their signs and cycles."""
    found = [(p, _cycles(p)) for p in permutations(range(order))]
    return [((-1) ** (order - len(cycles)), p, cycles) for p, cycles in found]


def _by_inverse(a: Any, directions: list[Any]) -> Any:
    """Sum over permutations of sign × traces of ``A⁻¹T`` over their cycles; the last direction is left open."""
    inverse = np.linalg.inv(a)
    steps = [inverse @ t for t in directions]
    total: Any = 0
    for sign, _, cycles in _signed_permutations(len(directions) + 1):
        *closed, (_, *chain) = cycles
        factor: Any = sign
        for cycle in closed:
            term = steps[cycle[0]]
            for n in cycle[1:]:
                term = term @ steps[n]
            factor = factor * np.trace(term, axis1=-2, axis2=-1)
        matrix = inverse
        for n in reversed(chain):
            matrix = steps[n] @ matrix
        total = total + np.asarray(factor)[..., None, None] * matrix
    return np.linalg.det(a)[..., None, None] * np.swapaxes(total, -1, -2)


def _by_singular_values(a: Any, directions: list[Any]) -> Any:
    """The same for one matrix, without division: in the frame of its singular vectors it is diagonal.

    ``det(diag(s) + X)`` is the sum over sets of indices of the minor of X on the set times the other s.
    """
    u, s, vh = np.linalg.svd(a)
    n, order = len(s), len(directions) + 1
    steps = [u.conj().T @ t @ vh.conj().T for t in directions]
    places = np.indices((n,) * order)
    taken = (places[..., None] == np.arange(n)).any(axis=0)
    others = np.where(taken, 1, s).prod(axis=-1) * (taken.sum(axis=-1) == order)
    letters = ascii_letters[:order]
    total = np.zeros((n, n), u.dtype)
    for sign, permutation, _ in _signed_permutations(order):
        terms = [letters[i] + letters[j] for i, j in enumerate(permutation[:-1])]
        output = letters[-1] + letters[permutation[-1]]
        fixed = output[0] == output[1]
        subscripts = f"{','.join([letters, *terms])}->{output[0] if fixed else output}"
        term = np.einsum(subscripts, others, *steps)
        total += sign * (np.diag(term) if fixed else term)
    return np.linalg.det(u) * np.linalg.det(vh) * (u.conj() @ total @ vh.conj())


def largest_condition(dtype: Any, order: int) -> float:
    """Return the condition number up to which an inverse that enters `order` times leaves two thirds of the digits."""
    return float(np.finfo(dtype).eps ** (-1 / (3 * order)))


def _det_derivative(a: Any, *directions: Any) -> Any:
    if len(directions) > MOST_DIRECTIONS:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"det: derivatives of order {len(directions) + 2} and above are not supported"
            )
        )
    n = a.shape[-1]
    shape = np.broadcast_shapes(a.shape, *(t.shape for t in directions))
    out = np.zeros(shape, np.result_type(a, *directions))
    if n <= len(directions) or not out.size:
        return out  # a polynomial of lower degree
    a, *rest = (np.broadcast_to(x, shape).reshape(-1, n, n) for x in (a, *directions))
    flat = out.reshape(-1, n, n)
    with np.errstate(all="ignore"):
        det = np.linalg.det(a)
        finite = np.isfinite(a).all(axis=(-2, -1))
        regular = finite & np.isfinite(det) & (det != 0)  # LU met no zero pivot, so `inv` does not raise
        norm = np.abs(a).sum(axis=-1).max(axis=-1)
        inverse = np.zeros_like(a)
        inverse[regular] = np.linalg.inv(a[regular])
        condition = norm * np.abs(inverse).sum(axis=-1).max(axis=-1)
        regular &= condition < largest_condition(a.dtype, len(directions) + 1)
        flat[regular] = _by_inverse(a[regular], [t[regular] for t in rest])
        for i in np.flatnonzero(~regular):
            flat[i] = _by_singular_values(a[i], [t[i] for t in rest]) if finite[i] else np.nan
    return out


def _replaced(i: int) -> Any:
    def transpose(g: Any, _out: Any, a: Any, *directions: Any) -> Any:
        return det_derivative(a, *directions[:i], g, *directions[i + 1 :])

    return transpose


def _det_derivative_samples(rng: np.random.Generator) -> Any:
    normal = rng.standard_normal
    singular = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
    return [
        ((well_conditioned(rng, 3, 3),), {}),
        ((well_conditioned(rng, 3, 3), normal((3, 3))), {}),
        ((well_conditioned(rng, 2, 2, 2), normal((2, 2))), {}),
        ((singular,), {}),
        ((singular, normal((3, 3))), {}),
        ((np.zeros((3, 3)), normal((3, 3)), normal((3, 3))), {}),
        ((well_conditioned(rng, 3, 3, kind="c"), normal((3, 3)) + 1j * normal((3, 3))), {}),
    ]


det_derivative: Function = general(
    _det_derivative,
    jvps=[lambda t, _out, a, *directions: det_derivative(a, *directions, t)],
    transposes=[None, *(_replaced(i) for i in range(MOST_DIRECTIONS))],
    vjps=[lambda g, _out, a, *directions: det_derivative(a, *directions, g)],
    batch=lambda values, flags, size: det_derivative(*align(values, flags)),
    name="det_derivative",
    samples=_det_derivative_samples,
    doc="""Derivative of ``det(a)`` in the given directions and, the result's entries, in one more.

    Without directions it is the matrix of cofactors.  It is symmetric in all directions, so it is its own
    derivative, with one more, and its own transpose.""",
)


def _det_samples(rng: np.random.Generator) -> Any:
    return [
        ((well_conditioned(rng, 3, 3),), {}),
        ((np.stack([well_conditioned(rng, 2, 2), np.ones((2, 2))]),), {}),
        ((np.diag([1.0, 2.0, 0.0]),), {}),
        ((np.zeros((2, 2)),), {}),
        ((well_conditioned(rng, 2, 2, kind="c"),), {}),
        ((np.ones((0, 0)),), {}),
    ]


det = general(
    np.linalg.det,
    jvps=[lambda t, _out, a: sum_matrix(det_derivative(a) * t)],
    vjps=[lambda g, _out, a: over_matrix(g) * det_derivative(a)],
    batch=stacked("det"),
    name="det",
    samples=_det_samples,
    doc="Determinant of each matrix of a stack; its derivative is the matrix of cofactors (Giles 2.2.4).",
)


# --- slogdet: d log det A = tr(A⁻¹ dA) ----------------------------------------------------------------


def _slogdet_jvp(t: Any, out: Any, a: Any) -> Any:
    change = sum_matrix(swap_last(inv_or_nan(a)) * t)
    if change.dtype.kind != "c":
        return None, change
    return out[0] * imaginary_part(change) * 1j, real_part(change)


def _slogdet_vjp(g: Any, out: Any, a: Any) -> Any:
    g_sign, change = g
    if a.dtype.kind == "c":
        change = change + imaginary_part(g_sign * out[0]) * 1j
    return scale(over_matrix(change), swap_last(inv_or_nan(a)))


slogdet = general(
    np.linalg.slogdet,
    jvps=[_slogdet_jvp],
    vjps=[_slogdet_vjp],
    batch=stacked("slogdet"),
    name="slogdet",
    multiple_outputs=True,
    samples=lambda rng: [
        ((well_conditioned(rng, 3, 3),), {}),
        ((well_conditioned(rng, 2, 2, 2),), {}),
        ((well_conditioned(rng, 2, 2, kind="c"),), {}),
        ((np.ones((0, 0)),), {}),
    ],
    doc="Sign and logarithm of the absolute value of the determinant.",
)
