"""`while_loop` and `fori_loop`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import TracedArray
from funcdiff.core.trees import flatten
from funcdiff.primitives.indexing import is_mapped
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.loops.body import Lifted, Unrollable, closed, example, record_body
from funcdiff.transforms.loops.carry import (
    Carry,
    cast,
    closes_over_traced,
    is_any_traced,
    own,
    result,
    separate,
)
from funcdiff.transforms.loops.loop import Loop
from funcdiff.transforms.loops.scan import run_scan
from funcdiff.transforms.trace import is_writing


def while_loop(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any) -> Any:
    """Carry a state from step to step while a condition on it holds.

    It means ``while cond_fun(val): val = body_fun(val)``, as `jax.lax.while_loop` does, and has derivatives in
    every mode, reverse mode included.  Evaluated at once it is that loop.  In a program that is recorded, by
    `trace` or `jit`, it is one record that holds for any number of steps; under `vmap` every example stops by
    its own condition.

    Parameters
    ----------
    cond_fun : callable
        Takes the state and returns a boolean scalar.
    body_fun : callable
        Takes the state and returns the next one, of the same structure, shapes and dtypes.
    init_val : array or nested containers of arrays
        The first state.

    Returns
    -------
    of the structure of `init_val`
        The first state for which the condition does not hold.

    Raises
    ------
    StructureError
        If a step returns a state of another structure, shape or dtype, or the condition no boolean scalar.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def root(x):
    ...     return fd.while_loop(lambda y: abs(y * y - x) > 1e-12, lambda y: (y + x / y) / 2, x)
    >>> round(float(root(2.0)), 6), round(float(fd.grad(root)(2.0)), 6)
    (1.414214, 0.353553)
    >>> fd.vmap(root)(np.array([1.0, 4.0, 100.0]))
    array([ 1.,  2., 10.])
    """
    check_callable("while_loop", cond_fun, "cond_fun")
    check_callable("while_loop", body_fun, "body_fun")
    name = f"while_loop of {errors.function_name(body_fun)}"
    carry = Carry(name, init_val)
    if is_writing():
        found = _as_record(name, cond_fun, body_fun, carry)
        if found is not None:
            return found[0]
        carry = Carry(name, init_val)
    traced = is_any_traced(carry.values) or closes_over_traced(cond_fun, body_fun)
    values = carry.given(lambda v: own(v, traced))
    while True:
        going = _condition(name, cond_fun(carry.tree.unflatten(values)))
        if is_mapped(going):
            now = Carry(name, carry.tree.unflatten(values))
            now.weak = list(carry.weak)
            found = _as_record(name, cond_fun, body_fun, now)
            if found is not None:
                return found[0]
        if not going:  # asks for the value, with the transforms' errors and guards
            break
        state = carry.tree.unflatten(values)
        values.clear()
        new = body_fun(state)
        del state
        values = separate(carry.check(new), traced)
        del new
    values = [leaf_value(v) for v in values]
    return carry.tree.unflatten([result(v) for v in values])


def _condition(name: str, going: Any) -> Any:
    """Return what a condition answered, a boolean scalar."""
    value = leaf_value(going)
    kind = type_of(value) if hasattr(value, "dtype") else None
    if kind is None or kind.shape or kind.dtype != bool:
        shown = type(going).__name__ if kind is None else str(kind)
        raise errors.StructureError(
            errors.at_user_line(
                f"{name}: the condition must be a boolean scalar; it is {shown}. Compare with something, and "
                "make one of many by np.any or np.all."
            )
        )
    return value


def _as_record(
    name: str, cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], carry: Carry
) -> tuple[Any] | None:
    """Run the loop as one record; None if its functions ask for values that change."""
    for _ in range(4):  # until Python numbers have the types that the steps give them
        kinds = list(carry.kinds)
        lifted = Lifted()
        starts = [cast(example(v), k) for v, k in zip(carry.values, kinds, strict=True)]

        def going(*inputs: Any) -> list[Any]:
            return [_condition(name, cond_fun(carry.tree.unflatten(inputs)))]

        def step(*inputs: Any) -> list[Any]:
            return carry.check(body_fun(carry.tree.unflatten(inputs)))

        weak = list(carry.weak)
        try:
            of_cond = record_body(going, starts, lifted, weak)
            of_body = record_body(step, starts, lifted, weak)
        except Unrollable as stop:
            if stop.recorder.lifted is not lifted:
                raise
            return None
        if carry.kinds == kinds:
            break
    body, going_on = (
        closed(name, r, inputs, (), outputs, starts) for r, inputs, outputs in (of_body, of_cond)
    )
    spec = Loop(body, going_on, len(starts), len(lifted.values), None)
    values = [cast(v, k) for v, k in zip(carry.values, carry.kinds, strict=True)]
    return (carry.tree.unflatten(spec(*values, *lifted.values)[: len(values)]),)


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: int | bool | None = None,
) -> Any:
    """Carry a state through the integers of a range.

    It means ``for i in range(lower, upper): val = body_fun(i, val)``, as `jax.lax.fori_loop` does, and has
    derivatives in every mode.  Evaluated at once it is that loop.  In a program that is recorded, by `trace` or
    `jit`, it is one record; traced arrays and buffers of `funcdiff.numpy` may be read and written at ``i``.

    Parameters
    ----------
    lower, upper : int
        The range; traced integers may differ from call to call, and under `vmap` from example to example.
    body_fun : callable
        Takes the index and the state, and returns the next state, of the same structure, shapes and dtypes.
    init_val : array or nested containers of arrays
        The first state.
    unroll : int or bool, optional
        Accepted for programs written for JAX; the result is the same.

    Returns
    -------
    of the structure of `init_val`
        The last state.

    Raises
    ------
    StructureError
        If a step returns a state of another structure, shape or dtype.
    TypeError
        If a bound is no integer.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> def powers(x):
    ...     def step(i, y):
    ...         y[i] = x * y[i - 1]
    ...         return y
    ...     return fd.fori_loop(1, 4, step, fd.numpy.ones(4))
    >>> powers(2.0)
    array([1., 2., 4., 8.])
    >>> fd.jacobian(powers, np.float64(2.0))
    array([ 0.,  1.,  4., 12.])
    """
    check_callable("fori_loop", body_fun, "body_fun")
    del unroll
    name = f"fori_loop of {errors.function_name(body_fun)}"
    bounds = [_bound(name, b) for b in (lower, upper)]
    if any(type(b) is TracedArray for b in bounds):
        start = bounds[0] if type(bounds[0]) is TracedArray else np.int64(bounds[0])
        _, last = while_loop(
            lambda state: state[0] < bounds[1],
            lambda state: (state[0] + 1, body_fun(state[0], state[1])),
            (start, init_val),
        )
        return last
    body = _ForiBody(name, body_fun, bounds[0])
    return run_scan(body, init_val, [], max(0, bounds[1] - bounds[0]), False)[0]


def _bound(name: str, x: Any) -> Any:
    if type(x) is TracedArray and x.dtype.kind in "iu" and not x.shape:
        return x
    try:
        return operator.index(x)
    except TypeError:
        shown = str(type_of(x)) if hasattr(x, "dtype") else repr(x)
        raise TypeError(
            errors.at_user_line(f"{name}: the bounds must be integers, not {shown}. Use int(…) or //.")
        ) from None


class _ForiBody:
    """The user's step of a `fori_loop`; its index is a Python integer, and gives way to the dtypes it meets."""

    def __init__(self, name: str, f: Callable[..., Any], lower: int) -> None:
        self.name = name
        self.f = f
        self.start = lower
        self.out_tree = flatten(())[1]

    def __call__(self, carry: Any, xs: Sequence[Any]) -> tuple[Any, list[Any]]:
        return self.f(xs[0], carry), []

    def functions(self) -> tuple[Callable[..., Any], ...]:
        """Return the user's functions."""
        return (self.f,)


__all__ = ["fori_loop", "while_loop"]
