"""`vmap`: a function over a batch axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import box, output
from funcdiff.core.surroundings import run_inside
from funcdiff.core.trees import LEAF, flatten, path_name
from funcdiff.primitives.shape import broadcast_to, concatenate, transpose
from funcdiff.transforms.arguments import check_callable, leaf_value, own_all
from funcdiff.transforms.basis import chunks, with_progress
from funcdiff.transforms.batch import BatchRecorder
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.jacobian import check_chunk_size


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    chunk_size: int | None = None,
    progress: bool = False,
) -> Callable[..., Any]:
    """Make the function that maps `f` over an axis of its arguments, as one batched program.

    Parameters
    ----------
    f : callable
        A function of arrays, or nested containers of them, written for one example.
    in_axes : int, None, or tuple or nested containers of them, default 0
        Which axis of each argument is mapped; None for an argument that every example shares.  An int
        holds for all arguments, a tuple has an entry per argument, and an entry may be a container
        with the structure of the argument (or of its upper levels).
    out_axes : int, None, or nested containers of them, default 0
        Where the mapped axis stands in each output; None for an output that is the same for all.
    chunk_size : int, optional
        How many examples are evaluated at a time; all at once by default.
    progress : bool, default False
        Show a progress bar over the chunks (needs the `progress` extra).

    Returns
    -------
    callable
        Takes what `f` takes, with the mapped axis in place; keyword arguments are mapped over axis 0.

    Raises
    ------
    BatchAxisError
        If an axis is out of range, mapped axes have different lengths, nothing is mapped, or the
        structures of `in_axes` or `out_axes` do not fit.
    MappedControlFlowError
        If Python control flow asks for the value of a mapped array.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.vmap(np.dot)(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    >>> fd.vmap(np.dot, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    check_callable("vmap", f)
    check_chunk_size("vmap", chunk_size)

    @wrap(f, "vmap")
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        values = [_array(f, x) for x in leaves]
        axes = _input_axes(f, in_axes, args, kwargs, values)
        length = _length(f, values, axes, tree.paths())
        fronted = [v if a is None else to_front(v, a) for v, a in zip(values, axes, strict=True)]

        def call(parts: Sequence[Any]) -> tuple[list[Any], Any]:
            new_args, new_kwargs = tree.unflatten(parts)
            return flatten(f(*new_args, **new_kwargs))

        structure: Any = LEAF
        flags = [a is not None for a in axes]
        pieces = []
        spans = list(chunks(length, chunk_size)) or [(0, 0)]
        for start, stop in with_progress(spans, progress, "vmap"):
            part = fronted
            if (start, stop) != (0, length):
                part = [v[start:stop] if m else v for v, m in zip(fronted, flags, strict=True)]
            outs, structure = run_batch(call, part, flags, stop - start)
            pieces.append((outs, stop - start))
        out_places = _output_axes(f, out_axes, structure)
        results = []
        for n, axis in enumerate(out_places):
            results.append(_assemble(f, [(outs[n], size) for outs, size in pieces], axis))
        return structure.unflatten(own_all(results, values))

    return mapped


def run_batch(
    call: Callable[[Sequence[Any]], tuple[list[Any], Any]],
    values: Sequence[Any],
    flags: Sequence[bool],
    length: int,
) -> tuple[list[tuple[Any, bool]], Any]:
    """Run a function on leaves, those flagged batched on axis 0; return (output, is batched) pairs."""
    recorder = BatchRecorder(length)
    with recorder:
        # unmapped arrays are wrapped too, so that mapped values may index them and be written into them
        boxes = [
            box(v, recorder, m) if hasattr(v, "dtype") else v for v, m in zip(values, flags, strict=True)
        ]
        leaves, structure = run_inside(recorder, call, boxes)
        outs = [output(leaf_value(leaf), recorder) for leaf in leaves]
    return outs, structure


def batch_flat(f: Callable[..., list[Any]], flags: Sequence[bool], length: int) -> Callable[..., list[Any]]:
    """Return a function on leaves, those flagged batched on axis 0, whose outputs are all batched."""

    def batched(*values: Any) -> list[Any]:
        outs, _ = run_batch(lambda boxes: (list(f(*boxes)), None), values, flags, length)
        return [x if m else broadcast_to(x, shape=(length, *type_of(x).shape)) for x, m in outs]

    return batched


def to_front(x: Any, axis: int) -> Any:
    """Move an axis to the front."""
    axis %= len(x.shape)
    if axis == 0:
        return x
    return transpose(x, axes=(axis, *(n for n in range(len(x.shape)) if n != axis)))


def from_front(x: Any, axis: int) -> Any:
    """Move the first axis to another place."""
    rank = len(x.shape)
    axis %= rank
    if axis == 0:
        return x
    order = list(range(1, rank))
    order.insert(axis, 0)
    return transpose(x, axes=tuple(order))


def _array(f: Any, x: Any) -> Any:
    value = leaf_value(x)
    if not hasattr(value, "shape") or value.dtype.kind == "O":
        return x
    return value


def _fail(f: Any, text: str) -> errors.BatchAxisError:
    return errors.BatchAxisError(errors.at_user_line(f"vmap of {errors.function_name(f)}: {text}"))


def _is_axis(x: Any) -> bool:
    return x is None or (isinstance(x, (int, np.integer)) and not isinstance(x, bool))


def _prefix(f: Any, what: str, axes: Any, tree: Any) -> list[int | None]:
    """Spread a tree of axes, or an upper part of one, over the leaves of a tree."""
    if _is_axis(axes):
        return [axes] * len(flatten(tree)[0])
    if isinstance(axes, (tuple, list)) and isinstance(tree, (tuple, list)) and len(axes) == len(tree):
        return [a for part, sub in zip(axes, tree, strict=True) for a in _prefix(f, what, part, sub)]
    if isinstance(axes, dict) and isinstance(tree, dict) and set(axes) == set(tree):
        found = {key: _prefix(f, what, axes[key], tree[key]) for key in tree}
        leaves, spec = flatten(tree)
        order, _ = flatten({key: _Leaves(found[key]) for key in tree})
        del leaves, spec
        return [a for group in order for a in group.items]
    raise _fail(f, f"{what}={axes!r} does not have the structure of what it is for: {flatten(tree)[1]!r}")


class _Leaves:
    def __init__(self, items: list[int | None]) -> None:
        self.items = items


def _input_axes(
    f: Any, in_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any], values: list[Any]
) -> list[Any]:
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not _is_axis(in_axes) and not isinstance(in_axes, tuple):
        raise _fail(
            f, f"in_axes must be an int, None or a tuple with one entry per argument, not {in_axes!r}"
        )
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise _fail(f, f"in_axes has {len(in_axes)} entries for {len(args)} positional arguments")
    axes = _prefix(f, "in_axes", in_axes, args)
    axes += [0] * len(flatten(kwargs)[0])
    del values
    return axes


def _length(f: Any, values: list[Any], axes: list[Any], paths: list[tuple[Any, ...]]) -> int:
    lengths: dict[str, int] = {}
    for v, a, path in zip(values, axes, paths, strict=True):
        if a is None:
            continue
        where = f"argument {path_name(path[1:])[1:-1] if len(path) == 2 else path_name(path[1:])}"
        shape = v.shape if hasattr(v, "shape") else ()
        if not -len(shape) <= a < len(shape):
            raise _fail(
                f,
                f"in_axes asks for axis {a} of {where}, which has shape {tuple(shape)}. Give it in_axes=None if every "
                "example shares it.",
            )
        lengths[where] = shape[a]
    if not lengths:
        raise _fail(f, "nothing is mapped: every entry of in_axes is None, or there are no arguments")
    if len(set(lengths.values())) > 1:
        shown = errors.enumerate_words(f"{where} has length {n}" for where, n in lengths.items())
        raise _fail(f, f"the mapped axes have different lengths: {shown}")
    return next(iter(lengths.values()))


def _output_axes(f: Any, out_axes: Any, structure: Any) -> list[int | None]:
    if structure is LEAF and isinstance(out_axes, (tuple, list)) and not _is_axis(out_axes):
        raise _fail(f, f"out_axes={out_axes!r} has a structure, and the function returns a bare array")
    dummy = structure.unflatten([0.0] * structure.num_leaves)
    return _prefix(f, "out_axes", out_axes, dummy)


def _assemble(f: Any, parts: list[tuple[tuple[Any, bool], int]], axis: int | None) -> Any:
    if axis is None:
        (value, mapped), _ = parts[0]
        if mapped:
            raise _fail(f, "out_axes is None for an output that differs from example to example")
        return value
    full = []
    for (value, mapped), size in parts:
        if not mapped:
            shape = value.shape if hasattr(value, "shape") else np.shape(value)
            value = broadcast_to(value, shape=(size, *shape))
        full.append(value)
    out = full[0] if len(full) == 1 else concatenate(*full, axis=0)
    rank = len(out.shape)
    if not -rank <= axis < rank:
        raise _fail(
            f, f"out_axes={axis} is out of range for an output with {rank} axes, the mapped one included"
        )
    return from_front(out, axis)
