"""`vmap`: a function over a batch axis, and what random numbers mean in it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import wrap
from funcdiff.compat.torch.func.structure import CONTAINERS, described, is_tensor, note_depth
from funcdiff.core.array_type import type_of
from funcdiff.core.trees import flatten
from funcdiff.primitives.shape import broadcast_to, concatenate
from funcdiff.transforms.basis import chunks
from funcdiff.transforms.vmap import from_front, run_batch, to_front


def check_randomness(randomness: str) -> None:
    """Refuse what is no way to draw random numbers."""
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )


@contextmanager
def running(boxes: Sequence[Any], size: int, randomness: str) -> Iterator[None]:
    """While a mapped function runs: remember how it draws random numbers."""
    recorder = note_depth(boxes)
    outer = STATE.maps
    STATE.maps = (*outer, (recorder, size, randomness))
    try:
        yield
    finally:
        STATE.maps = outer


class _Unlike(Exception):
    """Axes do not have the structure of what they are for."""


def _spread(dims: Any, x: Any) -> list[Any]:
    """Return one axis for each leaf of a container."""
    if not isinstance(dims, CONTAINERS):
        return [dims] * len(flatten(x)[0])
    if type(dims) is not type(x) or len(dims) != len(x):
        raise _Unlike
    if isinstance(dims, dict):
        if set(dims) != set(x):
            raise _Unlike
        return [a for k in sorted(x) for a in _spread(dims[k], x[k])]
    return [a for d, i in zip(dims, x, strict=True) for a in _spread(d, i)]


def _input_axes(name: str, in_dims: Any, args: tuple[Any, ...], leaves: Sequence[Any]) -> list[Any]:
    """Return the mapped axis of each leaf, None for what is shared."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{where}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a function "
            "with no inputs. The latter is unsupported."
        )
    try:
        axes = _spread(in_dims, args)
    except _Unlike:
        raise ValueError(
            f"{where}: in_dims is not compatible with the structure of `inputs`. in_dims has structure {described(in_dims)} but "
            f"inputs has structure {described(args)}."
        ) from None
    for n, (x, axis) in enumerate(zip(leaves, axes, strict=True)):
        if axis is None:
            continue
        if not isinstance(axis, int):
            raise ValueError(
                f"{where}: Got in_dim={axis} for an input but in_dim must be either an integer dimension or None."
            )
        if not is_tensor(x):
            raise ValueError(
                f"{where}: Got in_dim={axis} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor arguments, "
                "please use None as the respective in_dim"
            )
        rank = x.dim()
        if not -rank <= axis < rank:
            raise ValueError(
                f"{where}: Got in_dim={axis} for some input, but that input is a Tensor of dimensionality {rank} so expected in_dim to "
                f"satisfy -{rank} <= in_dim < {rank}."
            )
        axes[n] = axis % rank
    return axes


def _length(leaves: Sequence[Any], axes: Sequence[Any]) -> int:
    sizes = [x.shape[a] for x, a in zip(leaves, axes, strict=True) if a is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) != 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
            "dimension"
        )
    return int(sizes[0])


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """As `torch.func.vmap`: a function over a batch axis.

    Parameters
    ----------
    func : callable
        A function of tensors, and containers of them, that returns tensors.
    in_dims, out_dims : int, None or nested tuples of them, default 0
        Where the mapped axes of arguments and results stand; keyword arguments are shared.
    randomness : {"error", "different", "same"}
        Whether random numbers are refused, drawn for each example, or shared.
    chunk_size : int, optional
        How many examples are computed at a time.
    """
    check_randomness(randomness)
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten(args)
        axes = _input_axes(name, in_dims, args, leaves)
        length = _length(leaves, axes)
        values = [
            x if not is_tensor(x) else lift(x) if a is None else to_front(lift(x), a)
            for x, a in zip(leaves, axes, strict=True)
        ]
        flags = [a is not None for a in axes]
        result: Any = None

        def call(boxes: Sequence[Any], size: int) -> tuple[list[Any], Any]:
            nonlocal result
            given = [wrap(b) if is_tensor(x) else x for b, x in zip(boxes, leaves, strict=True)]
            STATE.transforms += 1
            try:
                with running(boxes, size, randomness):
                    result = func(*tree.unflatten(given), **kwargs)
            finally:
                STATE.transforms -= 1
            outs, structure = flatten(result)
            places = _output_axes(name, out_dims, result)
            for o, place in zip(outs, places, strict=True):
                if not is_tensor(o) and place is not None:
                    raise ValueError(
                        f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(o)}. Did you mean to set out_dims= to None "
                        "for output?"
                    )
            others = [None if is_tensor(o) else o for o in outs]
            return [lift(o) for o in outs if is_tensor(o)], (structure, places, others)

        pieces = []
        for start, stop in list(chunks(length, chunk_size)) or [(0, 0)]:
            part = values
            if (start, stop) != (0, length):
                part = [v[start:stop] if m else v for v, m in zip(values, flags, strict=True)]
            size = stop - start
            outs, (structure, places, others) = run_batch(
                functools.partial(call, size=size), part, flags, size
            )
            tensors = iter(outs)
            pieces.append(
                [
                    o if o is not None else _at_front(name, *next(tensors), place, size)
                    for o, place in zip(others, places, strict=True)
                ]
            )
        joined = pieces[0]
        if len(pieces) > 1:
            joined = [
                x if o is not None or place is None else concatenate(*[p[k] for p in pieces], axis=0)
                for k, (x, o, place) in enumerate(zip(joined, others, places, strict=True))
            ]
        return structure.unflatten(
            [
                x if o is not None else lower(x if place is None else _moved(x, place))
                for x, o, place in zip(joined, others, places, strict=True)
            ]
        )

    return mapped


def _at_front(name: str, x: Any, mapped: bool, place: Any, size: int) -> Any:
    """Return an output with the mapped axis in front, or without one if that is asked for."""
    if place is None:
        if mapped:
            raise ValueError(
                f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
            )
        return x
    return x if mapped else broadcast_to(x, shape=(size, *type_of(x).shape))


def _moved(x: Any, place: int) -> Any:
    rank = len(type_of(x).shape)
    if not -rank <= place < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {place})"
        )
    return from_front(x, place)


def _output_axes(name: str, out_dims: Any, result: Any) -> list[Any]:
    leaves, _ = flatten(out_dims)
    if not all(d is None or isinstance(d, int) for d in leaves):
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints representing "
            "where in the outputs the vmapped dimension should appear."
        )
    if isinstance(out_dims, tuple) and len(out_dims) == 1 and is_tensor(result):
        out_dims = out_dims[0]
    try:
        return _spread(out_dims, result)
    except _Unlike:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of `outputs`. out_dims "
            f"has structure {described(out_dims)} but outputs has structure {described(result)}."
        ) from None
