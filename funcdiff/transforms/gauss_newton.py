"""`ggnvp`: products with the generalised Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcdiff.transforms.arguments import Outputs, Selection, check_callable, own_all
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.hessian import Gradient
from funcdiff.transforms.jacobian import at_inputs
from funcdiff.transforms.products import MISSING, tangent_or_zeros, vector_like_inputs
from funcdiff.transforms.reverse import record


def ggnvp(f: Callable[..., Any], loss: Callable[[Any], Any], inputs: Any = MISSING, v: Any = None) -> Any:
    """Gauss-Newton vector product ``Jᵀ H J v``, with J of a function and H the Hessian of a loss of it.

    For a loss that is convex in its argument the matrix is positive semidefinite, which the Hessian of
    ``loss(f(x))`` need not be.  `f` is run once: v is pushed forward over its tape, multiplied by the
    Hessian of `loss`, and pulled back.  ``ggnvp(f, loss)(inputs, v)`` is ``ggnvp(f, loss, inputs, v)``.

    Parameters
    ----------
    f : callable
        A pure function of arrays, such as a model of its parameters.
    loss : callable
        A pure function of what `f` returns (one argument, nested as `f` nests it) that returns one
        real number.
    inputs : array or tuple of arrays
        Where; a tuple holds the arguments of `f`.
    v : array or tuple of arrays
        The vector, of the structure and shapes of `inputs`; may be left out only for an input of one
        element.

    Returns
    -------
    array or tuple of arrays
        The product, of the structure of `inputs`.

    Raises
    ------
    OutputError
        If `loss` does not return one number, or `f` something else than arrays.
    VectorError
        If `v` is missing or does not fit the inputs.
    DtypeError
        If an input, or an output of `f`, cannot be differentiated.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> fd.ggnvp(lambda x: A @ x, lambda y: np.sum(y**2), np.zeros(2), np.array([1.0, 0.0]))
    array([20., 28.])
    >>> 2 * A.T @ A[:, 0]
    array([20., 28.])
    """
    check_callable("ggnvp", f)
    check_callable("ggnvp", loss)
    if inputs is MISSING:

        @wrap(f, "ggnvp")
        def waiting(inputs: Any, v: Any = None) -> Any:
            return ggnvp(f, loss, inputs, v)

        return waiting
    args, argnums = at_inputs(inputs)
    selection = Selection("ggnvp", f, args, argnums, {})
    outputs = Outputs(selection, False)
    tangents = vector_like_inputs("ggnvp", f, selection, v)
    recording = record(outputs, selection.leaves)
    y = Selection("ggnvp", loss, (outputs.tree.unflatten(recording.outputs),), 0, {})
    gradient = Gradient("ggnvp", Outputs(y, False), False, False)
    pushed = [tangent_or_zeros(o, t) for o, t in zip(y.leaves, recording.push(tangents), strict=True)]
    _, curved = push_forward(gradient, y.leaves, pushed)
    width = len(y.leaves)
    seeds = [tangent_or_zeros(o, t) for o, t in zip(y.leaves, curved[:width], strict=True)]
    found = recording.pull(seeds)
    return selection.rebuild(own_all(found, [*selection.leaves, *tangents]))
