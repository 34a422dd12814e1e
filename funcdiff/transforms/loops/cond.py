"""`cond`: one of two functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import TracedArray, is_constant
from funcdiff.core.trees import AnyTree, flatten, path_name
from funcdiff.primitives.indexing import is_mapped
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.loops.body import Lifted, Unrollable, closed, example, record_body, types_of
from funcdiff.transforms.loops.branch import Branch
from funcdiff.transforms.loops.carry import own
from funcdiff.transforms.trace import is_writing

_MISSING: Any = object()


def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    operand: Any = _MISSING,
) -> Any:
    """Apply one of two functions, chosen by a boolean.

    It means ``true_fun(*operands) if pred else false_fun(*operands)``, as `jax.lax.cond` does.  Evaluated at
    once it is this expression.  In a program that is recorded, by `trace` or `jit`, it is one record that
    holds both; under `vmap`, where the predicate differs from example to example, both are evaluated and
    what each example chose is selected, with the derivatives of that alone.

    Parameters
    ----------
    pred : bool
        A boolean scalar, or a number that is true if it is not zero.
    true_fun, false_fun : callable
        Take the operands and return results of the same structure, shapes and dtypes as each other.
    *operands : array or nested containers of arrays
        What the functions are applied to. They may close over traced values too, but what they compute of those
        alone is then computed in any case.
    operand : array or nested containers of arrays, optional
        The only operand, by name.

    Returns
    -------
    What the function returns.

    Raises
    ------
    StructureError
        If the predicate is no scalar, or, where both functions are looked at, their results differ in
        structure, shape or dtype.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def f(x):
    ...     return fd.cond(x > 0, lambda x: np.sqrt(x), lambda x: 0 * x, x)
    >>> fd.vmap(f)(np.array([4.0, 0.0, 9.0]))
    array([2., 0., 3.])
    >>> fd.vmap(fd.grad(f))(np.array([4.0, 0.0, 9.0]))
    array([0.25      , 0.        , 0.16666667])
    """
    check_callable("cond", true_fun, "true_fun")
    check_callable("cond", false_fun, "false_fun")
    if operand is not _MISSING:
        operands = (*operands, operand)
    name = f"cond of {errors.function_name(true_fun)} and {errors.function_name(false_fun)}"
    chosen = _predicate(name, pred)
    if type(chosen) is TracedArray and (is_mapped(chosen) or (is_writing() and not is_constant(chosen))):
        found = _as_record(name, chosen, true_fun, false_fun, operands)
        if found is not None:
            return found[0]
    return true_fun(*operands) if chosen else false_fun(*operands)


def _predicate(name: str, pred: Any) -> Any:
    value = leaf_value(pred)
    kind = type_of(value) if hasattr(value, "dtype") else None
    if kind is None or kind.shape or kind.dtype.kind not in "biufc":
        shown = type(pred).__name__ if kind is None else str(kind)
        raise errors.StructureError(
            errors.at_user_line(
                f"{name}: the predicate must be a boolean scalar; it is {shown}. np.any and np.all make one of many; "
                "np.where chooses element by element."
            )
        )
    return value if kind.dtype == bool else value != 0


def _as_record(name: str, pred: Any, then: Any, other: Any, operands: tuple[Any, ...]) -> tuple[Any] | None:
    """Make a record of both sides; None if one asks for values."""
    leaves, tree = flatten(operands)
    values = [leaf_value(x) for x in leaves]
    places = [
        n
        for n, x in enumerate(values)
        if isinstance(x, (TracedArray, np.ndarray, np.generic)) and x.dtype.kind in "fcbiu"
    ]
    weak = [type(leaves[n]) in (bool, int, float, complex) for n in places]
    lifted, trees = Lifted(), []

    def flat(f: Any) -> Any:
        def side(*inputs: Any) -> list[Any]:
            full = list(leaves)
            for n, x in zip(places, inputs, strict=True):
                full[n] = x
            outs, out_tree = flatten(f(*tree.unflatten(full)))
            trees.append(out_tree)
            return [_output(name, o) for o in outs]

        return side

    examples = [example(own(values[n], False)) for n in places]
    try:
        sides = [record_body(flat(f), examples, lifted, weak) for f in (then, other)]
    except Unrollable as stop:
        if stop.recorder.lifted is not lifted:
            raise
        return None
    bodies = [closed(name, r, inputs, (), outputs, examples) for r, inputs, outputs in sides]
    _check(name, trees, [types_of(outputs) for _, _, outputs in sides])
    out = Branch(*bodies)(pred, *[values[n] for n in places], *lifted.values)
    return (trees[0].unflatten(out),)


def _output(name: str, o: Any) -> Any:
    value = leaf_value(o)
    if getattr(value, "dtype", np.dtype(object)).kind not in "fcbiu":
        raise errors.StructureError(
            errors.at_user_line(f"{name}: it returned {type(o).__name__}, not an array of numbers")
        )
    return value


def _check(name: str, trees: list[AnyTree], kinds: list[Any]) -> None:
    """Refuse sides whose results differ."""
    if not trees[0] == trees[1]:
        raise errors.StructureError(
            errors.at_user_line(
                f"{name}: the results have structures {trees[0]!r} and {trees[1]!r}; they must be the same"
            )
        )
    for path, a, b in zip(trees[0].paths(), *kinds, strict=True):
        if a != b:
            raise errors.StructureError(
                errors.at_user_line(
                    f"{name}: the results{path_name(path)} are {a} and {b}; they must have one shape and dtype. "
                    "Broadcast or cast one of them."
                )
            )


__all__ = ["cond"]
