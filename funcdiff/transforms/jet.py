"""`jet`: Taylor mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import box, output
from funcdiff.transforms.arguments import Outputs, Selection, check_callable, own_all, vectors
from funcdiff.transforms.products import tangent_or_zeros
from funcdiff.transforms.reverse import rolled_first
from funcdiff.transforms.series import Coefficient, Series
from funcdiff.transforms.series_recorder import JetRecorder
from funcdiff.transforms.sweeps import has_nan, writes_program


def jet(f: Callable[..., Any], primals: Sequence[Any], series: Sequence[Sequence[Any]]) -> tuple[Any, Any]:
    """Push truncated Taylor series through a function: Taylor mode, all orders in one evaluation.

    If the arguments move along curves ``x(t)`` with ``x(0)`` the primals and derivatives at 0 the
    series, the result holds the derivatives of ``f(x(t))`` at 0.  Coefficients are derivatives, not
    divided by factorials, as `jax.experimental.jet` counts them.

    Parameters
    ----------
    f : callable
        A pure function of arrays.
    primals : sequence of arrays or nested containers of arrays
        The arguments of `f`.
    series : sequence of sequences
        For each primal the derivatives of orders 1, 2, …, each of the primal's structure and shapes; all
        of the same length.

    Returns
    -------
    outputs
        What `f` returns.
    series
        Of the structure of the outputs, in place of each array the list of its derivatives.

    Raises
    ------
    VectorError
        If the series do not fit the primals, or differ in length.
    DtypeError, OutputError
        If a primal cannot be differentiated, or an output is not an array.

    Notes
    -----
    The cost of n orders is that of about n²/2 evaluations for elementwise functions and products; n
    nested `jvp` cost 2ⁿ.  Everything follows from the rules of first order, see
    `funcdiff.transforms.series`.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> y, (y1, y2, y3) = fd.jet(np.exp, (0.0,), ((1.0, 0.0, 0.0),))
    >>> float(y), float(y1), float(y2), float(y3)
    (1.0, 1.0, 1.0, 1.0)
    >>> y, (y1, y2) = fd.jet(lambda x: x**3, (2.0,), ((1.0, 0.0),))
    >>> float(y), float(y1), float(y2)
    (8.0, 12.0, 12.0)
    """
    check_callable("jet", f)
    if not isinstance(primals, (tuple, list)) or not isinstance(series, (tuple, list)):
        raise errors.VectorError(
            errors.at_user_line(
                f"jet of {errors.function_name(f)} takes a tuple of primals, one per argument, and a tuple of "
                f"series; they are {type(primals).__name__} and {type(series).__name__}"
            )
        )
    selection = Selection("jet", f, tuple(primals), tuple(range(len(primals))), {})
    outputs = Outputs(selection, False)
    order, coefficients = _coefficients(f, selection, series)
    outs, found = push_series(outputs, selection.leaves, coefficients, order)
    shared = [*selection.leaves, *[c for terms in coefficients for c in terms]]
    flat = [tangent_or_zeros(o, c) for o, s in zip(outs, found, strict=True) for c in s or [None] * order]
    flat = own_all(flat, [*shared, *outs])
    rows = [flat[n * order : (n + 1) * order] for n in range(len(outs))]
    return outputs.tree.unflatten(own_all(outs, selection.leaves)), outputs.tree.unflatten(rows)


def _coefficients(f: Any, selection: Selection, series: Sequence[Any]) -> tuple[int, list[list[Any]]]:
    """Return the order and, per leaf of the primals, its coefficients, checked."""
    lengths = {len(s) if isinstance(s, (tuple, list)) else -1 for s in series}
    if len(series) != len(selection.trees) or len(lengths) > 1 or -1 in lengths:
        shown = ", ".join(str(len(s)) if isinstance(s, (tuple, list)) else type(s).__name__ for s in series)
        raise errors.VectorError(
            errors.at_user_line(
                f"jet of {errors.function_name(f)} needs for each of its {len(selection.trees)} primals a tuple of "
                f"derivatives, all of one length; it was given {len(series)}, of lengths {shown}. Pad with zeros."
            )
        )
    order = lengths.pop() if lengths else 0
    coefficients: list[list[Any]] = []
    start = 0
    for tree, terms in zip(selection.trees, series, strict=True):
        kinds = [type_of(x) for x in selection.leaves[start : start + tree.num_leaves]]
        rows = [vectors("jet", "series", f, term, tree, kinds, ", that of its primal") for term in terms]
        coefficients.extend([row[n] for row in rows] for n in range(len(kinds)))
        start += tree.num_leaves
    return order, coefficients


def push_series(
    f: Callable[..., Any],
    values: Sequence[Any],
    series: Sequence[Sequence[Coefficient]],
    order: int,
    collapse: Callable[[Any], Any] | None = None,
) -> tuple[list[Any], list[Series | None]]:
    """Run ``f`` on values with series of one order; return the outputs and their series (None for zero).

    As in forward mode, a zero coefficient stays zero: if one of the result is a NaN, the function is run
    again with strong rules.
    """
    program = writes_program(values) or any(writes_program(s) for s in series)
    f = rolled_first(f, values)
    outs, found = _run(f, values, series, order, collapse, program)
    if not program and (writes_program(outs) or any(has_nan(s) for s in found if s is not None)):
        outs, found = _run(f, values, series, order, collapse, True)
    return outs, found


def _run(
    f: Callable[..., Any],
    values: Sequence[Any],
    series: Sequence[Sequence[Coefficient]],
    order: int,
    collapse: Callable[[Any], Any] | None,
    strong: bool,
) -> tuple[list[Any], list[Series | None]]:
    recorder = JetRecorder(order, strong, collapse)
    with recorder:
        boxes = [box(v, recorder, Series(s) if order else None) for v, s in zip(values, series, strict=True)]
        out = f(*boxes)
        outs = [output(o, recorder) for o in (out if isinstance(out, (list, tuple)) else (out,))]
    return [o for o, _ in outs], [s for _, s in outs]


__all__ = ["jet", "push_series"]
