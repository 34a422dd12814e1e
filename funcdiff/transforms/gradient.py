"""`grad`, `value_and_grad`, `elementwise_grad`: one reverse sweep."""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import type_of
from funcdiff.transforms.arguments import (
    Argnums,
    Outputs,
    Selection,
    check_argnums,
    check_callable,
    check_holomorphic_inputs,
    own,
    own_all,
    scalar_output,
)
from funcdiff.transforms.reverse import record
from funcdiff.transforms.sweeps import Recording


class Transformed(functools.partial[Any]):
    """What a transform returns: a function that is pickled as the transform of its function.

    It is a `functools.partial` of nothing, which costs a call the least.
    """

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<function {self.__name__}>"  # type: ignore[attr-defined]

    def __reduce__(self) -> Any:
        """Name the transform and its settings, which are what the inner function closes over."""
        name = self.__name__.partition("(")[0]  # type: ignore[attr-defined]
        parameters = inspect.signature(getattr(importlib.import_module("funcdiff"), name)).parameters
        known = _closed_over(self.func)
        return transform_again, (name, {p: known[p] for p in parameters if p in known})


def transform_again(name: str, settings: dict[str, Any]) -> Any:
    """Apply a public transform, when a function that it made is read from a pickle."""
    return getattr(importlib.import_module("funcdiff"), name)(**settings)


def _closed_over(function: Any) -> dict[str, Any]:
    """Return what a function closes over, and the local functions that it calls."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        value = cell.cell_contents
        if isinstance(value, types.FunctionType) and "<locals>" in value.__qualname__ and name != "f":
            found = _closed_over(value) | found
        found[name] = value
    return found


def wrap(f: Callable[..., Any], name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a transformed function the name of the original, and say in its docstring what it is."""

    def decorate(inner: Callable[..., Any]) -> Callable[..., Any]:
        transformed: Any = Transformed(inner) if isinstance(inner, types.FunctionType) else inner
        functools.update_wrapper(transformed, f, assigned=("__module__", "__qualname__"), updated=())
        called = errors.function_name(f)
        transformed.__name__ = f"{name}({called})"
        transformed.__qualname__ = transformed.__name__
        transformed.__doc__ = f"{name} of {called}, by funcdiff."
        return transformed  # type: ignore[no-any-return]

    return decorate


def value_and_gradient(
    name: str,
    f: Callable[..., Any],
    args: Any,
    kwargs: Any,
    argnums: Argnums,
    has_aux: bool,
    holomorphic: bool,
) -> tuple[Any, Any, Any]:
    """Return (value, aux, gradient) of a scalar function."""
    selection = Selection(name, f, args, argnums, kwargs)
    outputs = Outputs(selection, has_aux)
    if holomorphic:
        check_holomorphic_inputs(name, f, selection.leaves)
    recording = record(outputs, selection.leaves)
    value = recording.outputs[0] if outputs.count else None
    scalar_output(name, f, value, outputs.tree, holomorphic)
    gradient = pull_scalar(recording)
    aux = outputs.aux_tree.unflatten(own_all(recording.outputs[1:], selection.leaves)) if has_aux else None
    return own(value, selection.leaves), aux, selection.rebuild(own_all(gradient, selection.leaves))


def pull_scalar(recording: Recording) -> list[Any]:
    """Sweep back from the first output, a scalar."""
    value = recording.outputs[0]
    shape, dtype = value.shape, value.dtype
    seed = np.ones(shape, dtype) if shape else dtype.type(1)
    return recording.pull([seed, *[None] * (len(recording.outputs) - 1)])


def grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Make the function that evaluates the gradient of a scalar-valued function.

    Parameters
    ----------
    f : callable
        A pure function of arrays, or nested containers of them, that returns one real number (an array
        of one element will do).
    argnums : int or tuple of int, default 0
        The positional argument or arguments to differentiate with respect to; they must have
        floating-point or complex dtype.
    has_aux : bool, default False
        Whether `f` returns a pair ``(output, aux)``; aux is returned untraced beside the gradient.
    holomorphic : bool, default False
        Take the complex derivative of a holomorphic function of complex arguments.

    Returns
    -------
    callable
        Takes what `f` takes; returns the gradient, of the same structure, shapes and dtypes as the
        argument (a tuple of them if `argnums` is a tuple), or ``(gradient, aux)``.

    Raises
    ------
    OutputError
        When called, if `f` does not return one number.
    DtypeError
        When called, if an argument is not of floating-point or complex dtype, or the output is complex
        and `holomorphic` is false.
    ArgnumsError
        If `argnums` does not name positional arguments.

    Notes
    -----
    For a real function of complex arguments the gradient is JAX's: ``x - lr * grad.conj()`` descends.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    check_callable("grad", f)
    check_argnums("grad", argnums)

    @wrap(f, "grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        _, aux, found = value_and_gradient("grad", f, args, kwargs, argnums, has_aux, holomorphic)
        return (found, aux) if has_aux else found

    return gradient


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Make the function that evaluates a scalar-valued function and its gradient together.

    Parameters
    ----------
    f, argnums, has_aux, holomorphic
        As for `grad`.

    Returns
    -------
    callable
        Takes what `f` takes; returns ``(value, gradient)``, or with `has_aux`
        ``((value, aux), gradient)``.

    Raises
    ------
    OutputError, DtypeError, ArgnumsError
        As `grad` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> value, gradient = fd.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    check_callable("value_and_grad", f)
    check_argnums("value_and_grad", argnums)

    @wrap(f, "value_and_grad")
    def both(*args: Any, **kwargs: Any) -> Any:
        value, aux, found = value_and_gradient(
            "value_and_grad", f, args, kwargs, argnums, has_aux, holomorphic
        )
        return ((value, aux), found) if has_aux else (value, found)

    return both


def elementwise_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that evaluates the derivative of an elementwise function at each element.

    Nest it for derivatives of higher order.

    Parameters
    ----------
    f : callable
        A function whose output element depends on the input element in the same place only.
    argnums : int or tuple of int, default 0
        The argument or arguments to differentiate with respect to.

    Returns
    -------
    callable
        Takes what `f` takes; returns the derivative, of the argument's shape and dtype.

    Raises
    ------
    OutputError
        When called, if the output is not one array with as many elements as broadcasting gives.
    DtypeError, ArgnumsError
        As `grad` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.elementwise_grad(fd.elementwise_grad(np.sin))(np.array([0.0, np.pi / 2]))
    array([-0., -1.])
    """
    check_callable("elementwise_grad", f)
    check_argnums("elementwise_grad", argnums)

    @wrap(f, "elementwise_grad")
    def derivative(*args: Any, **kwargs: Any) -> Any:
        selection = Selection("elementwise_grad", f, args, argnums, kwargs)
        outputs = Outputs(selection, False)
        recording = record(outputs, selection.leaves)
        if outputs.count != 1:
            raise errors.OutputError(
                errors.at_user_line(
                    f"elementwise_grad of {errors.function_name(f)} needs one output array; it returned "
                    f"{outputs.count}. Use fd.jacobian."
                )
            )
        kind = type_of(recording.outputs[0])
        shape = np.broadcast_shapes(*(leaf.shape for leaf in selection.leaves))
        if kind.shape != shape and kind.size != int(np.prod(shape)):
            raise errors.OutputError(
                errors.at_user_line(
                    f"elementwise_grad of {errors.function_name(f)}: the output has shape {kind.shape} for inputs "
                    f"that broadcast to {shape}, so the function is not elementwise. Use fd.jacobian."
                )
            )
        found = recording.pull([np.ones(kind.shape, kind.dtype) if kind.shape else kind.dtype.type(1)])
        return selection.rebuild(own_all(found, selection.leaves))

    return derivative
