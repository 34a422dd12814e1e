"""`vjp`, `jvp`, `pullback`, `linearize`, `linear_transpose`: products with the Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import innermost
from funcdiff.core.rules import RULES
from funcdiff.core.trees import LEAF, AnyTree, Tree, flatten
from funcdiff.transforms.arguments import (
    Outputs,
    Selection,
    are_of_kinds,
    check_callable,
    own,
    own_all,
    vectors,
)
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.jacobian import at_inputs
from funcdiff.transforms.linearity import is_linear
from funcdiff.transforms.record_rules import pull_any, pull_part, pull_write
from funcdiff.transforms.reverse import record
from funcdiff.transforms.sweeps import Recording, zeros_like

MISSING: Any = type("_Missing", (), {"__repr__": lambda self: "<not given>"})()


def curry(transform: Callable[..., Any], f: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``transform(f)``, which waits for inputs and v."""

    @wrap(f, transform.__name__)
    def waiting(inputs: Any, v: Any = None) -> Any:
        return transform(f, inputs, v)

    return waiting


def input_tree(selection: Selection) -> AnyTree:
    """Return the structure of the inputs: bare, or a tuple."""
    if selection.bare:
        return selection.trees[0]
    _, tree = flatten(tuple(t.unflatten([0.0] * t.num_leaves) for t in selection.trees))
    return tree


def vector_like_inputs(name: str, f: Any, selection: Selection, v: Any) -> list[Any]:
    """Return the leaves of a v that must look like the inputs; it may be missing for one element."""
    kinds = [type_of(x) for x in selection.leaves]
    if not selection.nested:
        leaves = (v,) if selection.bare else v
        if type(leaves) is tuple and len(leaves) == len(kinds) and are_of_kinds(leaves, kinds):
            return list(leaves)
    if v is None:
        if len(kinds) == 1 and kinds[0].size == 1 and selection.trees[0] is LEAF and selection.bare:
            return [np.ones(kinds[0].shape, kinds[0].dtype)[()]]
        raise errors.VectorError(
            errors.at_user_line(
                f"{name} of {errors.function_name(f)} needs v: it may be left out only for a single input of one "
                f"element, and the inputs have shapes {[k.shape for k in kinds]}. Pass v of the inputs' shapes."
            )
        )
    return vectors(name, "v", f, v, input_tree(selection), kinds, ", that of the inputs")


def vjp(f: Callable[..., Any], inputs: Any = MISSING, v: Any = None) -> Any:
    """Evaluate a function and its vector-Jacobian product, by reverse mode.

    ``vjp(f)(inputs, v)`` is ``vjp(f, inputs, v)``.

    Parameters
    ----------
    f : callable
        A pure function of arrays.
    inputs : array or tuple of arrays
        Where; a tuple holds the arguments of `f`.
    v : array or nested containers of arrays
        The cotangent, of the structure and shapes of the outputs; may be left out only for one scalar
        output.

    Returns
    -------
    tuple
        ``(outputs, vᵀJ)``, the product of the structure of `inputs`.

    Raises
    ------
    VectorError
        If `v` is missing or does not fit the outputs.
    DtypeError, OutputError
        If an input cannot be differentiated, or an output is not an array.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.vjp(lambda x: x**2, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    check_callable("vjp", f)
    if inputs is MISSING:
        return curry(vjp, f)
    args, argnums = at_inputs(inputs)
    selection = Selection("vjp", f, args, argnums, {})
    outputs = Outputs(selection, False)
    recording = record(outputs, selection.leaves)
    kinds = [type_of(o) for o in recording.outputs]
    if v is None:
        if len(kinds) != 1 or kinds[0].size != 1 or isinstance(outputs.tree, Tree):
            raise errors.VectorError(
                errors.at_user_line(
                    f"vjp of {errors.function_name(f)} needs v: it may be left out only for one scalar output, and "
                    f"the outputs have shapes {[k.shape for k in kinds]}. Pass v of the outputs' shapes."
                )
            )
        seeds = [np.ones(kinds[0].shape, kinds[0].dtype)[()]]
    else:
        seeds = vectors("vjp", "v", f, v, outputs.tree, kinds, ", that of the outputs")
    found = own_all(recording.pull(seeds), [*selection.leaves, *seeds])
    outs = own_all(recording.outputs, selection.leaves)
    return outputs.tree.unflatten(outs), selection.rebuild(found)


def jvp(f: Callable[..., Any], inputs: Any = MISSING, v: Any = None) -> Any:
    """Evaluate a function and its Jacobian-vector product, by forward mode.

    ``jvp(f)(inputs, v)`` is ``jvp(f, inputs, v)``.

    Parameters
    ----------
    f : callable
        A pure function of arrays.
    inputs : array or tuple of arrays
        Where; a tuple holds the arguments of `f`.
    v : array or tuple of arrays
        The tangent, of the structure and shapes of `inputs`; may be left out only for an input of one
        element.

    Returns
    -------
    tuple
        ``(outputs, J v)``, both of the structure of the outputs.

    Raises
    ------
    VectorError
        If `v` is missing or does not fit the inputs.
    DtypeError, OutputError
        If an input cannot be differentiated, or an output is not an array.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.jvp(lambda x: x**2, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    check_callable("jvp", f)
    if inputs is MISSING:
        return curry(jvp, f)
    args, argnums = at_inputs(inputs)
    selection = Selection("jvp", f, args, argnums, {})
    outputs = Outputs(selection, False)
    tangents = vector_like_inputs("jvp", f, selection, v)
    outs, found = push_forward(outputs, selection.leaves, tangents)
    products = [tangent_or_zeros(o, t) for o, t in zip(outs, found, strict=True)]
    products = own_all(products, [*selection.leaves, *tangents])
    return outputs.tree.unflatten(own_all(outs, selection.leaves)), outputs.tree.unflatten(products)


def tangent_or_zeros(out: Any, t: Any) -> Any:
    """Return a tangent, or zeros where it is None."""
    return zeros_like(out) if t is None else t


def _primals(name: str, f: Callable[..., Any], primals: tuple[Any, ...]) -> Selection:
    check_callable(name, f)
    if not primals:
        raise errors.ArgnumsError(
            errors.at_user_line(
                f"{name} of {errors.function_name(f)} needs at least one primal after the function"
            )
        )
    return Selection(name, f, primals, tuple(range(len(primals))), {})


def pullback(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function and return its pullback, which may be called many times.

    Parameters
    ----------
    f : callable
        A pure function of arrays.
    *primals : array or nested containers of arrays
        The arguments of `f`.
    has_aux : bool, default False
        Whether `f` returns a pair ``(output, aux)``.

    Returns
    -------
    outputs
        What `f` returns.
    pull : callable
        ``pull(cotangent)``, with a cotangent of the structure of the outputs, returns a tuple with one
        cotangent per primal.
    aux
        Only with `has_aux`.

    Raises
    ------
    VectorError
        By ``pull``, if the cotangent does not fit the outputs.
    DtypeError, OutputError, ArgnumsError
        If a primal cannot be differentiated, an output is not an array, or there is no primal.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> y, pull = fd.pullback(np.multiply, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pull(np.array([1.0, 1.0]))
    (array([3., 4.]), array([1., 2.]))
    """
    selection = _primals("pullback", f, primals)
    outputs = Outputs(selection, has_aux)
    recording = record(outputs, selection.leaves, lasting=True)
    count = outputs.count
    kinds = [type_of(o) for o in recording.outputs[:count]]
    rest = [None] * (len(recording.outputs) - count)

    def pull(cotangent: Any) -> tuple[Any, ...]:
        seeds = vectors("pullback", "cotangent", f, cotangent, outputs.tree, kinds, ", that of the outputs")
        found = own_all(recording.pull([*seeds, *rest]), [*selection.leaves, *seeds])
        rebuilt: tuple[Any, ...] = selection.rebuild(found)
        return rebuilt

    outs = outputs.tree.unflatten(own_all(recording.outputs[:count], recording.outputs))
    if has_aux:
        return outs, pull, outputs.aux_tree.unflatten(own_all(recording.outputs[count:], recording.outputs))
    return outs, pull


def linearize(f: Callable[..., Any], *primals: Any) -> Any:
    """Evaluate a function and return its pushforward, which re-uses the recorded tape.

    Parameters
    ----------
    f : callable
        A pure function of arrays.
    *primals : array or nested containers of arrays
        The arguments of `f`.

    Returns
    -------
    outputs
        What `f` returns.
    push : callable
        ``push(*tangents)``, one per primal, returns the tangent of the outputs; `f` is not run again.

    Raises
    ------
    VectorError
        By ``push``, if the tangents do not fit the primals.
    DtypeError, OutputError, ArgnumsError
        If a primal cannot be differentiated, an output is not an array, or there is no primal.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> y, push = fd.linearize(np.sin, 0.0)
    >>> float(push(2.0))
    2.0
    """
    selection = _primals("linearize", f, primals)
    outputs = Outputs(selection, False)
    recording = record(outputs, selection.leaves, lasting=True)
    kinds = [type_of(x) for x in selection.leaves]

    def push(*tangents: Any) -> Any:
        leaves = vectors(
            "linearize", "tangents", f, tangents, input_tree(selection), kinds, ", that of the primals"
        )
        found = recording.push(leaves)
        out = [tangent_or_zeros(o, t) for o, t in zip(recording.outputs, found, strict=True)]
        return outputs.tree.unflatten(own_all(out, leaves))

    return outputs.tree.unflatten(own_all(recording.outputs, recording.outputs)), push


def linear_transpose(f: Callable[..., Any], *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return the transpose of a linear function.

    Parameters
    ----------
    f : callable
        A function that is linear in all its arguments jointly.
    *primals : array or nested containers of arrays
        Arguments that give shapes and dtypes; their values do not matter.

    Returns
    -------
    callable
        ``transposed(cotangent)``, with a cotangent of the structure of the outputs, returns a tuple
        with one array or container per primal.

    Raises
    ------
    OutputError
        If `f` is not linear: it applies something nonlinear to its arguments, or is not zero at zero.
    VectorError
        By the transposed function, if the cotangent does not fit the outputs.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.linear_transpose(np.cumsum, np.zeros(3))(np.array([1.0, 0.0, 0.0]))
    (array([1., 0., 0.]),)
    """
    selection = _primals("linear_transpose", f, primals)
    selection.leaves = [zeros_like(x) for x in selection.leaves]
    outputs = Outputs(selection, False)
    recording = record(outputs, selection.leaves)
    _check_linear(f, recording)
    kinds = [type_of(o) for o in recording.outputs]

    def transposed(cotangent: Any) -> tuple[Any, ...]:
        seeds = vectors(
            "linear_transpose", "cotangent", f, cotangent, outputs.tree, kinds, ", that of the outputs"
        )
        rebuilt: tuple[Any, ...] = selection.rebuild(own_all(recording.pull(seeds), seeds))
        return rebuilt

    return transposed


def _check_linear(f: Any, recording: Recording) -> None:
    """Refuse a tape that is not linear in its inputs."""
    it = iter(recording.records)
    for rule, _n, i, j, _x, y, _v, _t in zip(it, it, it, it, it, it, it, it):  # noqa: B905
        if rule in (pull_part, pull_write):
            continue
        if rule is pull_any:
            primitive, active, params = j, [n for n, p in enumerate(i) if p >= 0], y
        else:
            primitive, params = RULES[rule].primitive, {}
            active = [n for n, p in enumerate((i, j)) if isinstance(p, int) and p >= 0]
        if not is_linear(primitive, active, params):
            raise errors.OutputError(
                errors.at_user_line(
                    f"linear_transpose of {errors.function_name(f)}: the function is not linear, it applies "
                    f"{primitive.name} to its arguments. Use fd.pullback for the transpose of its derivative."
                )
            )
    if recording.decided:
        raise errors.OutputError(
            errors.at_user_line(
                f"linear_transpose of {errors.function_name(f)}: the function is not linear, it decides on values "
                "(if, comparison, sign, rounding, stop_gradient). Use fd.pullback."
            )
        )
    for o in recording.outputs:
        value = innermost(o)
        if np.any(np.asarray(value) != 0):
            raise errors.OutputError(
                errors.at_user_line(
                    f"linear_transpose of {errors.function_name(f)}: the function is not linear, it is not zero at "
                    "zero. Leave the constant out, or use fd.pullback."
                )
            )


__all__ = ["MISSING", "curry", "jvp", "linear_transpose", "linearize", "own", "pullback", "vjp"]
