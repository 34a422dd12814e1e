"""`jacobian`, `jacfwd`, `jacrev`: a basis pushed through the tape in batched, chunked sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.recording import TracedArray, box
from funcdiff.primitives.shape import broadcast_to, concatenate, reshape, transpose
from funcdiff.transforms.arguments import (
    Argnums,
    Outputs,
    Selection,
    check_argnums,
    check_callable,
    check_holomorphic_inputs,
    is_argnums,
    own_all,
)
from funcdiff.transforms.batch import BatchRecorder
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.reverse import Recording, record

Flat = Callable[..., list[Any]]
"""A function from leaves to a list of leaves."""

MODES = ("auto", "forward", "reverse")


# --- the basis ------------------------------------------------------------------------------------


def chunks(total: int, size: int | None) -> Iterator[tuple[int, int]]:
    """Split a number of basis vectors into sweeps of at most `size`."""
    step = max(total, 1) if size is None else size
    for start in range(0, total, step):
        yield start, min(start + step, total)


def basis(kinds: Sequence[ArrayType], start: int, stop: int) -> list[Any]:
    """Return rows start to stop of the standard basis of all leaves together; None where zero."""
    rows: list[Any] = []
    offset = 0
    for shape, dtype in kinds:
        size = int(np.prod(shape))
        low, high = max(start, offset), min(stop, offset + size)
        if low < high:
            block = np.zeros((stop - start, size), dtype)
            block[np.arange(low - start, high - start), np.arange(low - offset, high - offset)] = 1
            rows.append(block.reshape(stop - start, *shape))
        else:
            rows.append(None)
        offset += size
    return rows


def batched(sweep: Callable[[list[Any]], list[Any]], rows: list[Any], length: int) -> list[Any]:
    """Run a sweep on a batch of basis vectors; results have the batch on axis 0, or are None."""
    recorder = BatchRecorder(length)
    try:
        found = sweep([None if r is None else box(r, recorder, True) for r in rows])
        out: list[Any] = []
        for x in found:
            if type(x) is TracedArray and x.recorder is recorder:
                out.append(x.value if x.place else broadcast_to(x.value, shape=(length, *x.value.shape)))
            else:
                out.append(None if x is None else broadcast_to(x, shape=(length, *np.shape(x))))
    finally:
        recorder.close()
    return out


def _join(parts: list[Any], kind: ArrayType, lengths: list[int]) -> Any:
    """Join the chunks of one block; None stands for zeros."""
    if all(p is None for p in parts):
        return np.zeros((sum(lengths), *kind.shape), kind.dtype)
    full = [
        np.zeros((n, *kind.shape), kind.dtype) if p is None else p for p, n in zip(parts, lengths, strict=True)
    ]
    return full[0] if len(full) == 1 else concatenate(*full, axis=0)


def _split(rows: Any, kinds: Sequence[ArrayType]) -> list[Any]:
    """Cut stacked rows into the parts that belong to each leaf."""
    if len(kinds) == 1:
        return [rows]
    ends = np.cumsum([int(np.prod(k.shape)) for k in kinds])
    return [rows[int(end) - int(np.prod(k.shape)) : int(end)] for end, k in zip(ends, kinds, strict=True)]


def forward_blocks(
    push: Callable[[list[Any]], list[Any]],
    inputs: Sequence[ArrayType],
    outputs: Callable[[], Sequence[ArrayType]],
    chunk_size: int | None,
    progress: bool = False,
) -> list[list[Any]]:
    """Return blocks[output][input] of shape output.shape + input.shape, column by column."""
    total = sum(int(np.prod(k.shape)) for k in inputs)
    spans = list(chunks(total, chunk_size)) or [(0, 0)]
    columns = [
        batched(push, basis(inputs, a, b), b - a) for a, b in _progress(spans, progress)
    ]
    lengths = [b - a for a, b in spans]
    blocks = []
    for n, out in enumerate(outputs()):
        rows = _join([c[n] for c in columns], out, lengths)
        rank = len(out.shape)
        row = []
        for part, kind in zip(_split(rows, inputs), inputs, strict=True):
            moved = transpose(part, axes=(*range(1, rank + 1), 0)) if rank else part
            row.append(reshape(moved, shape=(*out.shape, *kind.shape)))
        blocks.append(row)
    return blocks


def reverse_blocks(
    pull: Callable[[list[Any]], list[Any]],
    inputs: Sequence[ArrayType],
    outputs: Sequence[ArrayType],
    chunk_size: int | None,
    progress: bool = False,
) -> list[list[Any]]:
    """Return blocks[output][input] of shape output.shape + input.shape, row by row."""
    total = sum(int(np.prod(k.shape)) for k in outputs)
    spans = list(chunks(total, chunk_size)) or [(0, 0)]
    found = [batched(pull, basis(outputs, a, b), b - a) for a, b in _progress(spans, progress)]
    lengths = [b - a for a, b in spans]
    columns = [_join([rows[n] for rows in found], kind, lengths) for n, kind in enumerate(inputs)]
    split = [_split(c, outputs) for c in columns]
    return [
        [reshape(split[i][o], shape=(*out.shape, *kind.shape)) for i, kind in enumerate(inputs)]
        for o, out in enumerate(outputs)
    ]


def _progress(spans: list[tuple[int, int]], show: bool) -> Any:
    if not show:
        return spans
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise errors.MissingExtraError(
            "progress=True needs tqdm, which is not installed: pip install 'funcdiff[progress]'"
        ) from error
    return tqdm(spans, desc="jacobian")


# --- flat Jacobians, on leaves ----------------------------------------------------------------------


def pull_all(recording: Recording, count: int) -> Callable[[list[Any]], list[Any]]:
    """Return the pullback for the first `count` outputs; the rest is aux."""
    rest = [None] * (len(recording.outputs) - count)
    return lambda seeds: recording.pull([*seeds, *rest])


def flat_jacobian(
    f: Flat,
    leaves: Sequence[Any],
    mode: str,
    chunk_size: int | None = None,
    count: Callable[[], int] | None = None,
    holomorphic: bool = False,
    name: str = "jacobian",
    progress: bool = False,
) -> tuple[list[Any], list[list[Any]]]:
    """Return (all outputs, blocks[output][input]) of a function on leaves.

    `count`, asked after the function has run, tells how many of its outputs are not aux.
    """
    inputs = [type_of(x) for x in leaves]
    kept: list[Any] = []
    number = count or (lambda: len(kept))

    if mode == "forward":
        _refuse_complex(name, inputs, "inputs", "forward", holomorphic)

        def push(tangents: list[Any]) -> list[Any]:
            outs, found = push_forward(f, leaves, tangents)
            kept[:] = outs
            return found[: number()]

        blocks = forward_blocks(push, inputs, lambda: [type_of(o) for o in kept[: number()]], chunk_size, progress)
        return kept, blocks

    recording = record(f, leaves)
    kept = recording.outputs
    outputs = [type_of(o) for o in kept[: number()]]
    if mode == "auto":
        mode = cheaper_mode(inputs, outputs, holomorphic)
    if mode == "forward":
        _refuse_complex(name, inputs, "inputs", "forward", holomorphic)
        return kept, forward_blocks(
            lambda t: recording.push(t)[: len(outputs)], inputs, lambda: outputs, chunk_size, progress
        )
    _refuse_complex(name, outputs, "outputs", "reverse", holomorphic)
    return kept, reverse_blocks(pull_all(recording, len(outputs)), inputs, outputs, chunk_size, progress)


def cheaper_mode(inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], holomorphic: bool) -> str:
    """Choose by the number of sweeps: as many as inputs forward, as outputs in reverse."""
    if not holomorphic:
        if any(k.dtype.kind == "c" for k in inputs):
            return "reverse"
        if any(k.dtype.kind == "c" for k in outputs):
            return "forward"
    columns = sum(int(np.prod(k.shape)) for k in inputs)
    rows = sum(int(np.prod(k.shape)) for k in outputs)
    return "forward" if columns <= rows else "reverse"


def _refuse_complex(
    name: str, kinds: Sequence[ArrayType], which: str, mode: str, holomorphic: bool
) -> None:
    if not holomorphic and any(k.dtype.kind == "c" for k in kinds):
        raise errors.DtypeError(
            errors.at_user_line(
                f"{name} in {mode} mode needs real {which} unless holomorphic=True: a function that is not "
                f"holomorphic has no single complex Jacobian. Split complex {which} into real and imaginary "
                "parts, or pass holomorphic=True."
            )
        )


# --- the public transforms --------------------------------------------------------------------------


def evaluate(
    name: str,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: Argnums,
    mode: str,
    chunk_size: int | None,
    has_aux: bool,
    holomorphic: bool,
    progress: bool,
) -> Any:
    """Return the Jacobian, nested as the outputs and then the arguments are."""
    selection = Selection(name, f, args, argnums, kwargs)
    outputs = Outputs(selection, has_aux)
    if holomorphic:
        check_holomorphic_inputs(name, f, selection.leaves)
    kept, blocks = flat_jacobian(
        outputs, selection.leaves, mode, chunk_size, lambda: outputs.count, holomorphic, name, progress
    )
    flat = own_all([b for row in blocks for b in row])
    width = len(selection.leaves)
    rows = [selection.rebuild(flat[n * width : (n + 1) * width]) for n in range(outputs.count)]
    result = outputs.tree.unflatten(rows)
    if has_aux:
        return result, outputs.aux_tree.unflatten(kept[outputs.count :])
    return result


def check_mode(name: str, mode: str, modes: Sequence[str]) -> None:
    """Refuse an unknown mode."""
    if mode not in modes:
        raise errors.ArgnumsError(
            errors.at_user_line(f"mode of {name} must be one of {', '.join(map(repr, modes))}, not {mode!r}")
        )


def check_chunk_size(name: str, chunk_size: Any) -> None:
    """Refuse a chunk size that is not a positive int."""
    if chunk_size is not None and (not isinstance(chunk_size, (int, np.integer)) or chunk_size < 1):
        raise errors.ArgnumsError(
            errors.at_user_line(f"chunk_size of {name} must be a positive int or None, not {chunk_size!r}")
        )


def at_inputs(inputs: Any) -> tuple[tuple[Any, ...], Argnums]:
    """Return the arguments and argnums that the form ``transform(f, inputs)`` stands for."""
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return inputs, tuple(range(len(inputs)))
    return (inputs,), 0


def jacobian(
    f: Callable[..., Any],
    argnums: Any = 0,
    *,
    mode: str = "auto",
    chunk_size: int | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    progress: bool = False,
) -> Any:
    """Jacobian of a function: evaluated at given inputs, or as a function.

    ``jacobian(f, inputs)`` evaluates at once, `inputs` being an array or a tuple of arrays.
    ``jacobian(f, argnums)``, with an int or a tuple of ints, makes a function of `f`'s arguments.

    Parameters
    ----------
    f : callable
        A pure function of arrays, or nested containers of them, that returns the same.
    argnums : int or tuple of int, or array or tuple of arrays
        An int or a tuple of ints names the arguments to differentiate with respect to; anything else
        is `inputs`.
    mode : {"auto", "forward", "reverse"}
        Forward mode takes a sweep per input element, reverse mode one per output element, all in one
        batch; "auto" records once and takes the fewer.
    chunk_size : int, optional
        Basis vectors per batched sweep; smaller takes less memory.  All at once by default.
    has_aux : bool, default False
        Whether `f` returns a pair ``(output, aux)``.
    holomorphic : bool, default False
        Take the complex derivative of a holomorphic function.
    progress : bool, default False
        Show a progress bar over the chunks (needs the `progress` extra).

    Returns
    -------
    array, or nested containers of arrays, or callable
        Blocks of shape ``output.shape + input.shape``, nested as the outputs and then the inputs are:
        a tuple for a tuple of inputs, a tuple of tuples where the outputs are a tuple too.

    Raises
    ------
    DtypeError
        If an input is not of floating-point or complex dtype, or complex without `holomorphic` where
        that has no meaning.
    OutputError
        If `f` returns something else than arrays.
    ArgnumsError
        If argnums, mode or chunk_size are not what is said above.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def exp_adder(x, y):
    ...     return 2 * np.exp(x) + 3 * y
    >>> jx, jy = fd.jacobian(exp_adder, (np.zeros(2), np.ones(2)))
    >>> jx
    array([[2., 0.],
           [0., 2.]])
    >>> fd.jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    check_callable("jacobian", f)
    check_mode("jacobian", mode, MODES)
    check_chunk_size("jacobian", chunk_size)
    if not is_argnums(argnums):
        args, numbers = at_inputs(argnums)
        return evaluate(
            "jacobian", f, args, {}, numbers, mode, chunk_size, has_aux, holomorphic, progress
        )
    return _maker("jacobian", f, argnums, mode, chunk_size, has_aux, holomorphic, progress)


def _maker(
    name: str,
    f: Callable[..., Any],
    argnums: Argnums,
    mode: str,
    chunk_size: int | None,
    has_aux: bool,
    holomorphic: bool,
    progress: bool,
) -> Callable[..., Any]:
    @wrap(f, name)
    def evaluated(*args: Any, **kwargs: Any) -> Any:
        return evaluate(name, f, args, kwargs, argnums, mode, chunk_size, has_aux, holomorphic, progress)

    return evaluated


def jacfwd(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    chunk_size: int | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    progress: bool = False,
) -> Callable[..., Any]:
    """Make the function that evaluates the Jacobian by forward mode, column by column.

    Memory does not grow with the length of the program.

    Parameters
    ----------
    f, argnums, chunk_size, has_aux, holomorphic, progress
        As for `jacobian`.

    Returns
    -------
    callable
        Takes what `f` takes; returns the Jacobian nested as `jacobian` nests it.

    Raises
    ------
    DtypeError, OutputError, ArgnumsError
        As `jacobian` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.jacfwd(lambda x: x**2)(np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    check_callable("jacfwd", f)
    check_argnums("jacfwd", argnums)
    check_chunk_size("jacfwd", chunk_size)
    return _maker("jacfwd", f, argnums, "forward", chunk_size, has_aux, holomorphic, progress)


def jacrev(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    chunk_size: int | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    progress: bool = False,
) -> Callable[..., Any]:
    """Make the function that evaluates the Jacobian by reverse mode, row by row.

    Parameters
    ----------
    f, argnums, chunk_size, has_aux, holomorphic, progress
        As for `jacobian`.

    Returns
    -------
    callable
        Takes what `f` takes; returns the Jacobian nested as `jacobian` nests it.

    Raises
    ------
    DtypeError, OutputError, ArgnumsError
        As `jacobian` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.jacrev(lambda x: np.sum(x**2, keepdims=True))(np.array([1.0, 3.0]))
    array([[2., 6.]])
    """
    check_callable("jacrev", f)
    check_argnums("jacrev", argnums)
    check_chunk_size("jacrev", chunk_size)
    return _maker("jacrev", f, argnums, "reverse", chunk_size, has_aux, holomorphic, progress)




__all__ = ["at_inputs", "flat_jacobian", "jacfwd", "jacobian", "jacrev"]
