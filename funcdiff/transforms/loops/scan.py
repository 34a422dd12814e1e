"""`scan` and `fori_loop`: loops whose number of steps is known before."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.trees import LEAF, AnyTree, flatten, path_name
from funcdiff.primitives.shape import concatenate, reshape, stack
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.loops import rules as _rules  # noqa: F401  # the record's derivatives
from funcdiff.transforms.loops.body import Lifted, Unrollable, closed, example, record_body
from funcdiff.transforms.loops.carry import (
    Carry,
    cast,
    closes_over_traced,
    is_any_traced,
    own,
    result,
    separate,
    structure,
)
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.trace import is_writing


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    *,
    checkpoint: int | None = None,
) -> tuple[Any, Any]:
    """Carry a state through the elements of arrays, and collect a result per step.

    It means what this says, and what `jax.lax.scan` means::

        def scan(f, init, xs):
            carry, ys = init, []
            for x in xs:
                carry, y = f(carry, x)
                ys.append(y)
            return carry, np.stack(ys)

    Evaluated at once it is this loop.  In a program that is recorded, by `trace` or `jit`, it is one
    record, whatever the number of steps, and so are its derivatives.

    Parameters
    ----------
    f : callable
        ``f(carry, x) -> (carry, y)``, a pure function; the carry it returns has the structure, shapes and
        dtypes of the one it is given. Python numbers in `init` take the dtype of the first result.
    init : array or nested containers of arrays
        The first carry.
    xs : array or nested containers of arrays, optional
        What the steps read, one element along axis 0 each.
    length : int, optional
        The number of steps; needed if there are no `xs`.
    reverse : bool, default False
        Go from the last element to the first; the results stand where their elements do.
    unroll : int or bool, default 1
        Accepted for programs written for JAX; the result is the same.
    checkpoint : int, optional
        Keep the carry only every so many steps for the reverse sweep, which runs the steps between again.

    Returns
    -------
    carry : of the structure of `init`
        The last carry.
    ys : of the structure of ``y``
        The results of all steps, stacked along a new axis 0.

    Raises
    ------
    StructureError
        If the body returns no pair, or a carry of another structure, shape or dtype.
    ValueError
        If lengths differ, or neither `xs` nor `length` is given.

    Notes
    -----
    If the body asks for values that change from step to step (``if x > 0``), it cannot be one record, and a
    recorded program holds all its steps; `cond` inside the body keeps it one.  The body may write in place to
    the carry and to what it makes, not to what it closes over.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def step(total, x):
    ...     total = total + x**2
    ...     return total, total
    >>> fd.scan(step, 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(14.0), array([ 1.,  5., 14.]))
    >>> fd.grad(lambda xs: fd.scan(step, 0.0, xs)[0])(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """
    check_callable("scan", f, "f")
    name = f"scan of {errors.function_name(f)}"
    _check_unroll(unroll)
    leaves, tree = structure(xs)
    count = _length(name, leaves, tree, length)
    if checkpoint is not None and operator.index(checkpoint) < 1:
        raise ValueError(errors.at_user_line(f"{name} needs checkpoint of 1 or more, not {checkpoint!r}"))
    body = ScanBody(name, f, tree)
    if checkpoint is not None and count > checkpoint:
        return _in_sections(body, init, leaves, count, reverse, checkpoint)
    return run_scan(body, init, leaves, count, reverse)


class ScanBody:
    """The user's step on leaves."""

    start: int | None = None  # of a step's index, which it reads in the place of elements

    def __init__(self, name: str, f: Callable[..., Any], tree: AnyTree) -> None:
        self.name = name
        self.f = f
        self.tree = tree
        self.out_tree: AnyTree | None = None

    def __call__(self, carry: Any, xs: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return the next carry, and the leaves of what is collected."""
        out = self.f(carry, self.tree.unflatten(xs))
        del carry
        if not (isinstance(out, tuple) and len(out) == 2):
            raise errors.StructureError(
                errors.at_user_line(
                    f"{self.name}: the body must return a pair (carry, y); it returned {type(out).__name__}. "
                    "Return (carry, None) if nothing is collected."
                )
            )
        ys, tree = flatten(out[1])
        if self.out_tree is not None and not tree == self.out_tree:
            raise errors.StructureError(
                errors.at_user_line(
                    f"{self.name}: a step returned results of structure {tree!r}, one before of {self.out_tree!r}"
                )
            )
        self.out_tree = tree
        for n, y in enumerate(ys):
            value = leaf_value(y)
            if getattr(value, "dtype", np.dtype(object)).kind not in "fcbiu":
                where = path_name(tree.paths()[n])
                raise errors.StructureError(
                    errors.at_user_line(
                        f"{self.name}: the result y{where} is {type(y).__name__}, not an array of numbers"
                    )
                )
            ys[n] = value
        return out[0], ys

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """Return the user's functions."""
        return (self.f,)


def run_scan(body: Any, init: Any, leaves: list[Any], count: int, reverse: bool) -> tuple[Any, Any]:
    """Run steps, as one record where a program is being written."""
    carry = Carry(body.name, init)
    if is_writing():
        found = _as_record(body, carry, leaves, count, reverse)
        if found is not None:
            return found
        carry = Carry(body.name, init)
    return _as_python(body, carry, leaves, count, reverse)


def _as_python(body: Any, carry: Carry, leaves: list[Any], count: int, reverse: bool) -> tuple[Any, Any]:
    """Run the steps one by one."""
    traced = is_any_traced([*carry.values, *leaves]) or closes_over_traced(*body.functions())
    values = carry.given(lambda v: own(v, traced))
    collected: list[list[Any]] = []
    order = range(count - 1, -1, -1) if reverse else range(count)
    if count == 0:
        return _without_steps(body, carry, leaves)
    for n in order:
        xs = [_element(x, n) for x in leaves] if body.start is None else [body.start + n]
        state = carry.tree.unflatten(values)
        values.clear()
        new, ys = body(state, xs)
        del state
        values = separate(carry.check(new), traced)
        del new
        collected.append([_collected(y) for y in ys])
        del ys
    if reverse:
        collected.reverse()
    results = [_stacked(column) for column in zip(*collected, strict=True)]
    return carry.tree.unflatten([result(v) for v in values]), body.out_tree.unflatten(results)


def _element(x: Any, n: int) -> Any:
    found = x[n]
    return found.copy() if type(found) is np.ndarray else found


def _collected(y: Any) -> Any:
    return own(y, False)


def _stacked(parts: Sequence[Any]) -> Any:
    if is_any_traced(parts):
        return stack(*parts, axis=0)
    return np.stack(parts)


def _without_steps(body: Any, carry: Carry, leaves: list[Any]) -> tuple[Any, Any]:
    """Return the carry as it is, and results without elements, of the types that a step would give."""
    examples: list[Any] = [np.zeros(type_of(x).shape[1:], type_of(x).dtype)[()] for x in leaves]
    if body.start is not None:
        examples = [body.start]
    starts = carry.given(lambda v: own(example(v), True))
    with np.errstate(all="ignore"):
        new, ys = body(carry.tree.unflatten(starts), examples)
    carry.check(new)
    kinds = [type_of(y) for y in ys]
    results = [np.zeros((0, *k.shape), k.dtype) for k in kinds]
    values = [cast(v, k) for v, k in zip(carry.values, carry.kinds, strict=True)]
    return carry.tree.unflatten([result(own(v, False)) for v in values]), body.out_tree.unflatten(results)


def _as_record(
    body: Any, carry: Carry, leaves: list[Any], count: int, reverse: bool, recompute: bool = False
) -> tuple[Any, Any] | None:
    """Run the loop as one record; None if its body asks for values that change."""
    counter = [] if body.start is None else [np.int64(body.start)]  # the last carry
    for _ in range(4):  # until Python numbers have the types that the steps give them
        kinds = list(carry.kinds)
        lifted = Lifted()
        starts = [cast(example(v), k) for v, k in zip(carry.values, kinds, strict=True)]
        c, carries = len(starts), len(starts) + len(counter)
        examples = [*starts, *(counter or [_first(x, count) for x in leaves])]

        def flat(*inputs: Any, c: int = c, carries: int = carries) -> list[Any]:
            new, ys = body(carry.tree.unflatten(inputs[:c]), inputs[c:])
            return [*carry.check(new), *[n + 1 for n in inputs[c:carries]], *ys]

        weak = [*carry.weak, *[bool(counter)] * (len(examples) - c)]
        try:
            recorder, inputs, outputs = record_body(flat, examples, lifted, weak)
        except Unrollable as stop:
            if stop.recorder.lifted is not lifted:
                raise
            return None
        if carry.kinds == kinds:
            break
    if counter and sum(inputs[c] in r.inputs for r in recorder.records) == 1:  # where it goes on
        counter, carries = [], c
        del inputs[c:], outputs[c:], examples[c:]
    tape = closed(body.name, recorder, inputs[:carries], inputs[carries:], outputs, examples)
    spec = Loop(tape, None, carries, len(lifted.values), count, reverse, recompute)
    values = [cast(v, k) for v, k in zip(carry.values, carry.kinds, strict=True)]
    outs = spec(*values, *counter, *lifted.values, *leaves)
    return carry.tree.unflatten(outs[:c]), body.out_tree.unflatten(outs[carries:])


def _first(x: Any, count: int) -> Any:
    value = example(x)
    return value[0] if count else np.zeros(np.shape(value)[1:], value.dtype)[()]


def _in_sections(
    body: ScanBody, init: Any, leaves: list[Any], count: int, reverse: bool, every: int
) -> tuple[Any, Any]:
    """Run steps in sections that a reverse sweep runs again."""
    whole = count // every
    cut = count - whole * every if reverse else whole * every
    parts = (
        [(slice(cut, None), True), (slice(None, cut), False)]
        if reverse
        else [(slice(None, cut), True), (slice(cut, None), False)]
    )
    carry, found = init, {}
    for part, in_sections in parts:
        some = [x[part] for x in leaves]
        n = whole * every if in_sections else count - whole * every
        if n == 0:
            continue
        if in_sections:
            carry, ys = _sections(body, carry, some, whole, every, reverse)
        else:
            carry, ys = run_scan(body, carry, some, n, reverse)
        found[part.start or 0] = flatten(ys)[0]
    columns = zip(*[found[start] for start in sorted(found)], strict=True)
    results = [concatenate(*column, axis=0) for column in columns]
    assert body.out_tree is not None
    return carry, body.out_tree.unflatten(results)


def _sections(
    body: ScanBody, init: Any, leaves: list[Any], whole: int, every: int, reverse: bool
) -> tuple[Any, Any]:
    """Run a loop of loops."""
    rows = [reshape(x, shape=(whole, every, *type_of(x).shape[1:])) for x in leaves]

    class Section(ScanBody):
        def __call__(self, carry: Any, xs: Sequence[Any]) -> tuple[Any, list[Any]]:
            inner = _as_record(body, Carry(body.name, carry), list(xs), every, reverse)
            if inner is None:
                inner = _as_python(body, Carry(body.name, carry), list(xs), every, reverse)
            ys, self.out_tree = flatten(inner[1])
            return inner[0], ys

    section = Section(body.name, body.f, LEAF)
    carry = Carry(body.name, init)
    found = _as_record(section, carry, rows, whole, reverse, recompute=True)
    if found is None:
        raise errors.UnsupportedError(
            errors.at_user_line(
                f"{body.name} with checkpoint= has a body that asks for values, so its steps cannot be run again as "
                "they were. Select with np.where or fd.cond, or use fd.checkpoint_loop."
            )
        )
    ys, tree = flatten(found[1])
    flat = [reshape(y, shape=(whole * every, *type_of(y).shape[2:])) for y in ys]
    return found[0], tree.unflatten(flat)


def _check_unroll(unroll: Any) -> None:
    if not isinstance(unroll, (bool, int, np.integer)) or (not isinstance(unroll, bool) and unroll < 1):
        raise ValueError(
            errors.at_user_line(f"unroll of scan must be a positive integer or a bool, not {unroll!r}")
        )


def _length(name: str, leaves: list[Any], tree: AnyTree, length: Any) -> int:
    lengths = {}
    for x, path in zip(leaves, tree.paths(), strict=True):
        shape = type_of(x).shape if hasattr(x, "dtype") else ()
        if not shape:
            raise ValueError(
                errors.at_user_line(
                    f"{name}: xs{path_name(path)} has no axis to go along: it is a scalar. "
                    "What is the same in all steps goes into the carry, or the body closes over it."
                )
            )
        lengths[path_name(path)] = shape[0]
    if length is not None:
        try:
            length = operator.index(length)
        except TypeError:
            raise ValueError(
                errors.at_user_line(f"{name}: length must be an integer, not {type(length).__name__}")
            ) from None
        if length < 0:
            raise ValueError(errors.at_user_line(f"{name}: length must not be negative, it is {length}"))
        lengths["length"] = length
    if not lengths:
        raise ValueError(errors.at_user_line(f"{name} needs xs or a length"))
    if len(set(lengths.values())) > 1:
        shown = ", ".join(
            f"length={n}" if where == "length" else f"xs{where} has {n} elements"
            for where, n in lengths.items()
        )
        raise ValueError(errors.at_user_line(f"{name}: lengths differ: {shown}"))
    return next(iter(lengths.values()))


__all__ = ["scan"]
