"""`jacobian`, `jacfwd`, `jacrev`: a basis pushed through the tape in batched, chunked sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.recording import innermost
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
from funcdiff.transforms.basis import forward_blocks, reverse_blocks
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.reverse import record
from funcdiff.transforms.sweeps import Recording

Flat = Callable[..., list[Any]]
"""A function from leaves to a list of leaves."""

MODES = ("auto", "forward", "reverse")


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
            if kept and not all(map(_same, outs, kept)):
                raise errors.OutputError(
                    errors.at_user_line(
                        f"{name}: with chunk_size, forward mode runs the function once for each chunk, and it returned other "
                        "values when it was run again. It must not draw random numbers, nor read what changes in "
                        'between: pass them as arguments, or use mode="reverse".'
                    )
                )
            kept[:] = outs
            return found[: number()]

        blocks = forward_blocks(
            push, inputs, lambda: [type_of(o) for o in kept[: number()]], chunk_size, progress
        )
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


def _same(a: Any, b: Any) -> bool:
    x, y = innermost(a), innermost(b)
    return np.shape(x) != np.shape(y) or bool(np.allclose(x, y, rtol=1e-3, atol=1e-300, equal_nan=True))


def cheaper_mode(inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], holomorphic: bool) -> str:
    """Choose by the number of sweeps: as many as inputs forward, as outputs in reverse."""
    if not holomorphic:
        if any(k.dtype.kind == "c" for k in inputs):
            return "reverse"
        if any(k.dtype.kind == "c" for k in outputs):
            return "forward"
    columns = sum(k.size for k in inputs)
    rows = sum(k.size for k in outputs)
    return "forward" if columns < rows else "reverse"  # as many of both: a pull is the cheaper by a tenth


def _refuse_complex(name: str, kinds: Sequence[ArrayType], which: str, mode: str, holomorphic: bool) -> None:
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
        return result, outputs.aux_tree.unflatten(own_all(kept[outputs.count :], selection.leaves))
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
        return evaluate("jacobian", f, args, {}, numbers, mode, chunk_size, has_aux, holomorphic, progress)
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
