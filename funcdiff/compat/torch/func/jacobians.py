"""`jacrev`, `jacfwd`, `hessian`, and the batched sweeps of `torch.autograd`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._recorder import lower
from funcdiff.compat.torch.func.mapping import check_randomness, running
from funcdiff.compat.torch.func.structure import Flat, of_argnums, pulled, zero
from funcdiff.core.array_type import type_of
from funcdiff.primitives.shape import broadcast_to, concatenate
from funcdiff.transforms.basis import chunks
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import record
from funcdiff.transforms.vmap import from_front, run_batch


def _mapped(
    f: Callable[..., list[Any]], basis: list[Any], chunk_size: int | None, randomness: str = "error"
) -> list[Any]:
    """Map a function of lists of values over the first axis; its outputs are all batched."""
    n = type_of(basis[0]).shape[0]
    pieces = []
    for start, stop in list(chunks(n, chunk_size)) or [(0, 0)]:
        part = basis if (start, stop) == (0, n) else [b[start:stop] for b in basis]
        size = stop - start

        def call(boxes: Sequence[Any], size: int = size) -> tuple[list[Any], None]:
            with running(boxes, size, randomness):
                return list(f(*boxes)), None

        outs, _ = run_batch(call, part, [True] * len(part), size)
        pieces.append([x if m else broadcast_to(x, shape=(size, *type_of(x).shape)) for x, m in outs])
    if len(pieces) == 1:
        return pieces[0]
    return [concatenate(*[p[k] for p in pieces], axis=0) for k in range(len(pieces[0]))]


def _basis(values: Sequence[Any]) -> list[Any]:
    """Return, for each value, the unit vectors of all values together."""
    kinds = [type_of(v) for v in values]
    total = sum(k.size for k in kinds)
    found, at = [], 0
    for k in kinds:
        block = np.zeros((total, k.size), k.dtype)
        block[at : at + k.size] = np.eye(k.size, dtype=k.dtype)
        found.append(block.reshape(total, *k.shape))
        at += k.size
    return found


def _split(x: Any, kinds: Sequence[Any]) -> list[Any]:
    found, at = [], 0
    for k in kinds:
        found.append(x[at : at + k.size])
        at += k.size
    return found


def jacrev(
    func: Callable[..., Any],
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """As `torch.func.jacrev`: the Jacobian, row by row."""
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        flat = Flat(func, args, kwargs, argnums, has_aux, "vjp(f, *primals)")
        flat.check_real()
        recording = record(flat, flat.values)
        outs = recording.outputs[: flat.outputs]
        rest: list[Any] = [None] * (len(recording.outputs) - flat.outputs)
        kinds = [type_of(o) for o in outs]
        rows = _mapped(lambda *g: pulled(recording, [*g, *rest]), _basis(outs), chunk_size)
        blocks = [_split(r, kinds) for r in rows]  # by input, then by output
        result = []
        for o, kind in enumerate(kinds):
            parts = [
                lower(b[o].reshape((*kind.shape, *type_of(v).shape)))
                for b, v in zip(blocks, flat.values, strict=True)
            ]
            result.append(of_argnums(argnums, flat.tree.unflatten(parts)))
        found = flat.out_tree.unflatten(result)
        return (found, flat.aux(recording.outputs[flat.outputs :])) if has_aux else found

    return jacobian


def jacfwd(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """As `torch.func.jacfwd`: the Jacobian, column by column."""
    check_randomness(randomness)

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        flat = Flat(func, args, kwargs, argnums, has_aux, "jvp(f, primals, tangents)")
        flat.check_real()
        blocks = _columns(flat, randomness)
        result = [of_argnums(argnums, flat.tree.unflatten([lower(b) for b in row])) for row in blocks]
        found = flat.out_tree.unflatten(result)
        if has_aux:
            return found, flat.aux(record(flat, flat.values).outputs[flat.outputs :])
        return found

    return jacobian


def _columns(flat: Flat, randomness: str = "error") -> list[list[Any]]:
    """Return the blocks of the Jacobian, by output, then by input."""
    kinds: list[Any] = []

    def push(*tangents: Any) -> list[Any]:
        outs, found = push_forward(flat, flat.values, tangents)
        kinds[:] = [type_of(o) for o in outs[: flat.outputs]]
        return [zero(o) if t is None else t for o, t in zip(outs, found, strict=True)][: flat.outputs]

    columns = _mapped(push, _basis(flat.values), None, randomness)
    in_kinds = [type_of(v) for v in flat.values]
    blocks = []
    for column, kind in zip(columns, kinds, strict=True):
        row = []
        rank = len(kind.shape)
        for part, in_kind in zip(_split(column, in_kinds), in_kinds, strict=True):
            moved = from_front(part, rank) if rank else part
            row.append(moved.reshape((*kind.shape, *in_kind.shape)))
        blocks.append(row)
    return blocks


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """As `torch.func.hessian`: the Jacobian of the gradient, forward over reverse."""
    return jacfwd(jacrev(func, argnums), argnums)


# --- for torch.autograd ---------------------------------------------------------------------------------


def columns(func: Callable[..., Any], inputs: Sequence[Any]) -> tuple[bool, Any]:
    """Return whether a function gives a tuple, and its Jacobian by forward mode as nested lists."""
    inside = False

    def listed(*xs: Any) -> Any:
        nonlocal inside
        from funcdiff.compat.torch.autograd.functional import _OUTPUT, _tuple

        inside, outs = _tuple(func(*xs), _OUTPUT, "jacobian")
        return list(outs)

    args = tuple(x.detach() for x in inputs)
    flat = Flat(listed, args, {}, tuple(range(len(inputs))), False, "jacobian")
    blocks = [[lower(b) for b in row] for row in _columns(flat)]
    return inside, blocks


def batched_sweep(
    outs: Sequence[Any], wanted: Sequence[Any], grads: Sequence[Any], keep: bool, create_graph: bool
) -> list[Any]:
    """Return the gradients for a batch of cotangents, by one sweep."""
    from funcdiff.compat.torch._engine import sweep
    from funcdiff.compat.torch._hooks import inward, outward
    from funcdiff.compat.torch.autograd import _edge, _roots

    seeds = [inward(g) for g in grads]
    edges = [_edge(x) for x in wanted]
    missing: list[bool] = []

    def call(boxes: Sequence[Any]) -> tuple[list[Any], Any]:
        found = sweep(_roots(outs, list(boxes)), keep, create_graph, edges, accumulate=False)
        missing[:] = [g is None for g in found]
        return [g for g in found if g is not None], None

    length = type_of(seeds[0]).shape[0]
    results, _ = run_batch(call, seeds, [True] * len(seeds), length)
    full = iter([x if m else broadcast_to(x, shape=(length, *type_of(x).shape)) for x, m in results])
    return [None if gone else outward(next(full)) for gone in missing]
