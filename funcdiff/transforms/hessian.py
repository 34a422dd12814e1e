"""`hessian`, `hvp`, `vhp`: one mode over another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from funcdiff.core.matching import convert
from funcdiff.primitives.shape import reshape
from funcdiff.transforms.arguments import (
    Outputs,
    Selection,
    check_callable,
    check_holomorphic_inputs,
    is_argnums,
    own,
    own_all,
    scalar_output,
)
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.gradient import pull_scalar, wrap
from funcdiff.transforms.jacobian import at_inputs, check_chunk_size, check_mode, flat_jacobian
from funcdiff.transforms.products import MISSING, curry, vector_like_inputs
from funcdiff.transforms.reverse import record
from funcdiff.transforms.sweeps import zeros_like

MODES = ("forward-over-reverse", "reverse-over-forward", "reverse-over-reverse", "forward-over-forward")


class Gradient:
    """The gradient of a scalar function as a function of leaves; value and aux come behind it."""

    def __init__(self, name: str, outputs: Outputs, holomorphic: bool, forward: bool) -> None:
        self.name = name
        self.outputs = outputs
        self.holomorphic = holomorphic
        self.forward = forward
        self.count = 0

    def __call__(self, *leaves: Any) -> list[Any]:
        self.count = len(leaves)
        if not self.forward:
            recording = record(self.outputs, leaves)
            self._check(recording.outputs)
            return [*pull_scalar(recording), *recording.outputs]
        kept, blocks = flat_jacobian(
            self.outputs, leaves, "forward", None, lambda: self.outputs.count, self.holomorphic, self.name
        )
        self._check(kept)
        rows = [reshape(b, shape=x.shape) for b, x in zip(blocks[0], leaves, strict=True)]
        return [
            convert(r, x.dtype) if r.dtype != x.dtype else r for r, x in zip(rows, leaves, strict=True)
        ] + kept

    def _check(self, outs: Sequence[Any]) -> None:
        value = outs[0] if self.outputs.count else None
        scalar_output(self.name, self.outputs.selection.f, value, self.outputs.tree, self.holomorphic)


def hessian(
    f: Callable[..., Any],
    argnums: Any = 0,
    *,
    mode: str = "forward-over-reverse",
    chunk_size: int | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    progress: bool = False,
) -> Any:
    """Second derivatives of a scalar-valued function: evaluated at given inputs, or as a function.

    ``hessian(f, inputs)`` evaluates at once; ``hessian(f, argnums)`` makes a function of `f`'s
    arguments.

    Parameters
    ----------
    f : callable
        A pure function that returns one real number.
    argnums : int or tuple of int, or array or tuple of arrays
        As for `jacobian`.
    mode : str
        Which mode differentiates the gradient, over which mode made it: "forward-over-reverse",
        "reverse-over-forward", "reverse-over-reverse" or "forward-over-forward".
    chunk_size, has_aux, holomorphic, progress
        As for `jacobian`.

    Returns
    -------
    array, or nested containers of arrays, or callable
        ``H[i][j]`` of shape ``input_i.shape + input_j.shape``; a bare array for a bare input, a tuple
        of tuples for a tuple.

    Raises
    ------
    OutputError
        If `f` does not return one number.
    DtypeError, ArgnumsError
        As `jacobian` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.hessian(lambda x: x[0] ** 2 * x[1], np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    check_callable("hessian", f)
    check_mode("hessian", mode, MODES)
    check_chunk_size("hessian", chunk_size)

    def evaluate(args: Any, kwargs: Any, numbers: Any) -> Any:
        selection = Selection("hessian", f, args, numbers, kwargs)
        outputs = Outputs(selection, has_aux)
        if holomorphic:
            check_holomorphic_inputs("hessian", f, selection.leaves)
        over, under = mode.split("-over-")
        gradient = Gradient("hessian", outputs, holomorphic, under == "forward")
        kept, blocks = flat_jacobian(
            gradient,
            selection.leaves,
            over,
            chunk_size,
            lambda: gradient.count,
            holomorphic,
            "hessian",
            progress,
        )
        width = len(selection.leaves)
        flat = own_all([b for row in blocks for b in row])
        rows = [selection.rebuild(flat[n * width : (n + 1) * width]) for n in range(width)]
        result = selection.rebuild(rows)
        if has_aux:
            return result, outputs.aux_tree.unflatten(own_all(kept[width + 1 :], selection.leaves))
        return result

    if not is_argnums(argnums):
        args, numbers = at_inputs(argnums)
        return evaluate(args, {}, numbers)

    @wrap(f, "hessian")
    def evaluated(*args: Any, **kwargs: Any) -> Any:
        return evaluate(args, kwargs, argnums)

    return evaluated


def _product(name: str, f: Callable[..., Any], inputs: Any, v: Any, forward: bool) -> tuple[Any, Any]:
    args, argnums = at_inputs(inputs)
    selection = Selection(name, f, args, argnums, {})
    outputs = Outputs(selection, False)
    gradient = Gradient(name, outputs, False, False)
    tangents = vector_like_inputs(name, f, selection, v)
    if forward:
        outs, found = push_forward(gradient, selection.leaves, tangents)
    else:
        recording = record(gradient, selection.leaves)
        outs = recording.outputs
        found = recording.pull([*tangents, None])
    width = len(selection.leaves)
    products = [
        t if t is not None else zeros_like(x) for t, x in zip(found[:width], selection.leaves, strict=True)
    ]
    return own(outs[width], selection.leaves), selection.rebuild(
        own_all(products, [*selection.leaves, *tangents])
    )


def hvp(f: Callable[..., Any], inputs: Any = MISSING, v: Any = None) -> Any:
    """Hessian-vector product of a scalar-valued function, by forward over reverse mode.

    ``hvp(f)(inputs, v)`` is ``hvp(f, inputs, v)``.

    Parameters
    ----------
    f : callable
        A pure function that returns one real number.
    inputs : array or tuple of arrays
        Where; a tuple holds the arguments of `f`.
    v : array or tuple of arrays
        The vector, of the structure, shapes and real or complex kind of `inputs`; may be left out only
        for an input of one element.

    Returns
    -------
    tuple
        ``(f(*inputs), H v)``, the product of the structure of `inputs`.

    Raises
    ------
    OutputError
        If `f` does not return one number.
    VectorError
        If `v` is missing or does not fit the inputs.
    DtypeError
        If an input cannot be differentiated.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 0.5]))
    (np.float64(9.0), array([6., 6.]))
    """
    check_callable("hvp", f)
    if inputs is MISSING:
        return curry(hvp, f)
    return _product("hvp", f, inputs, v, forward=True)


def vhp(f: Callable[..., Any], inputs: Any = MISSING, v: Any = None) -> Any:
    """Vector-Hessian product of a scalar-valued function, by reverse over reverse mode.

    ``vhp(f)(inputs, v)`` is ``vhp(f, inputs, v)``.

    Parameters
    ----------
    f, inputs, v
        As for `hvp`.

    Returns
    -------
    tuple
        ``(f(*inputs), vᵀH)``, the product of the structure of `inputs`.

    Raises
    ------
    OutputError, VectorError, DtypeError
        As `hvp` does.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> fd.vhp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 0.5]))
    (np.float64(9.0), array([6., 6.]))
    """
    check_callable("vhp", f)
    if inputs is MISSING:
        return curry(vhp, f)
    return _product("vhp", f, inputs, v, forward=False)
