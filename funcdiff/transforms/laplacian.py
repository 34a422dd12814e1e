"""`laplacian`: the trace of the Hessian, in one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.matching import match_tangent
from funcdiff.core.recording import TracedArray, box
from funcdiff.primitives.reduction import sum_
from funcdiff.transforms.arguments import Outputs, Selection, check_callable, is_argnums, own_all
from funcdiff.transforms.basis import basis, chunks
from funcdiff.transforms.batch import BatchRecorder
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.jacobian import at_inputs, check_chunk_size
from funcdiff.transforms.jet import push_series
from funcdiff.transforms.products import tangent_or_zeros


def laplacian(f: Callable[..., Any], argnums: Any = 0, *, chunk_size: int | None = None) -> Any:
    """Laplacian, the trace of the Hessian: evaluated at given inputs, or as a function.

    Second-order Taylor series along all coordinate directions go through the function together, in
    forward mode.  Of the second coefficients only the mean is carried on, since all later operations
    are linear in them; so the cost is that of the first derivatives, and nothing is kept.
    ``laplacian(f, inputs)`` evaluates at once; ``laplacian(f, argnums)`` makes a function of `f`'s
    arguments.

    Parameters
    ----------
    f : callable
        A pure function of real arrays.  It need not be scalar: each element of the output has a
        Laplacian of its own.
    argnums : int or tuple of int, or array or tuple of arrays
        As for `jacobian`; several arguments are the coordinates of one space.
    chunk_size : int, optional
        How many directions are pushed at a time; all at once by default.

    Returns
    -------
    array, or nested containers of arrays, or callable
        The sum over all elements x of the arguments of the second derivative by x; of the structure
        and shapes of the output.

    Raises
    ------
    DtypeError
        If an argument is not of real floating-point dtype.
    OutputError, ArgnumsError
        As `jacobian` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> float(fd.laplacian(lambda x: np.sum(x**3), np.array([1.0, 2.0])))
    18.0
    >>> harmonic = fd.laplacian(lambda x, y: np.exp(x) * np.sin(y), (0, 1))
    >>> float(harmonic(0.3, 0.5))
    0.0
    """
    check_callable("laplacian", f)
    check_chunk_size("laplacian", chunk_size)

    def evaluate(args: Any, kwargs: Any, numbers: Any) -> Any:
        selection = Selection("laplacian", f, args, numbers, kwargs)
        outputs = Outputs(selection, False)
        kinds = [type_of(x) for x in selection.leaves]
        for kind in kinds:
            if kind.dtype.kind == "c":
                raise errors.DtypeError(
                    errors.at_user_line(
                        f"laplacian of {errors.function_name(f)} needs real arguments; one has dtype {kind.dtype}. "
                        "Split it into real and imaginary parts."
                    )
                )
        totals: list[Any] = []
        for start, stop in list(chunks(sum(k.size for k in kinds), chunk_size)) or [(0, 0)]:
            means = _means(outputs, selection.leaves, basis(kinds, start, stop), stop - start)
            found = [m * (stop - start) for m in means]
            totals = [a + b for a, b in zip(totals, found, strict=True)] if totals else found
        return outputs.tree.unflatten(own_all(totals, selection.leaves))

    if not is_argnums(argnums):
        args, numbers = at_inputs(argnums)
        return evaluate(args, {}, numbers)

    @wrap(f, "laplacian")
    def evaluated(*args: Any, **kwargs: Any) -> Any:
        return evaluate(args, kwargs, argnums)

    return evaluated


def _means(f: Callable[..., Any], leaves: list[Any], rows: list[Any], size: int) -> list[Any]:
    """Return the second derivatives of the outputs, averaged over a batch of directions."""
    with BatchRecorder(size) as batch:

        def mean(x: Any) -> Any:
            if type(x) is TracedArray and x.recorder is batch:
                x = sum_(x.value, axis=(0,), keepdims=False) / max(size, 1) if x.place else x.value
            return x

        series = [[None if r is None else box(r, batch, True), None] for r in rows]
        outs, found = push_series(f, leaves, series, 2, mean)
        means = [tangent_or_zeros(o, None if s is None else s[1]) for o, s in zip(outs, found, strict=True)]
        return [match_tangent(m, type_of(o)) for o, m in zip(outs, means, strict=True)]


__all__ = ["laplacian"]
