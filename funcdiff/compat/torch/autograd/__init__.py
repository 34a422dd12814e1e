"""`torch.autograd`: gradients of a graph."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import Size
from funcdiff.compat.torch._engine import sweep
from funcdiff.compat.torch._hooks import inward, outward
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._recorder import edge_of
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from funcdiff.compat.torch.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)


def _sequence(x: Any) -> tuple[Any, ...]:
    if x is None:
        return ()
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _seeds(tensors: Sequence[Any], grads: Sequence[Any], batched: bool = False) -> list[Any]:
    """Return the cotangents to start with, checked against the tensors they belong to."""
    seeds = []
    for n, (x, g) in enumerate(zip(tensors, grads, strict=True)):
        if g is None:
            if x.requires_grad:
                if x.numel() != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                if x.value.dtype.kind != "f":
                    raise RuntimeError(
                        f"grad can be implicitly created only for real scalar outputs but got {x.dtype}"
                    )
            seeds.append(np.ones(x.value.shape, x.value.dtype))
        else:
            if not isinstance(g, Tensor):
                raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
            if not batched and g.value.shape != x.value.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{n}] has a shape of {Size(g.value.shape)} and output[{n}] has a shape of "
                    f"{Size(x.value.shape)}."
                )
            seed = inward(g)
            seeds.append(seed if seed.dtype == x.value.dtype else inward(g.to(x.dtype)))
    return seeds


def _roots(tensors: Sequence[Any], seeds: Sequence[Any]) -> list[tuple[Any, Any]]:
    roots = []
    for n, (x, seed) in enumerate(zip(tensors, seeds, strict=True)):
        edge = edge_of(x)
        if edge is None:
            raise RuntimeError(f"element {n} of tensors does not require grad and does not have a grad_fn")
        roots.append((edge, seed))
    return roots


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """As `torch.autograd.backward`: add the gradients of tensors to the leaves they were made from.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        What to differentiate.
    grad_tensors : Tensor or sequence of Tensor, optional
        The cotangents; 1 for a scalar.
    retain_graph : bool, optional
        Whether the graph can be swept again; as `create_graph` by default.
    create_graph : bool, default False
        Whether the gradients can be differentiated.
    inputs : Tensor or sequence of Tensor, optional
        The leaves to add gradients to; all by default.
    """
    if grad_variables is not None:
        warnings.warn(
            "`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2
        )
        grad_tensors = grad_variables
    if inputs is not None and isinstance(inputs, (tuple, list)) and not inputs:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    outs = _sequence(tensors)
    grads = _sequence(grad_tensors) or (None,) * len(outs)
    seeds = _seeds(outs, grads)
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        sweep(_roots(outs, seeds), keep, create_graph)
        return
    wanted = _sequence(inputs)
    found = sweep(_roots(outs, seeds), keep, create_graph, [_edge(x) for x in wanted], accumulate=True)
    for x, g in zip(wanted, found, strict=True):
        if not x.is_leaf and g is not None:
            made = outward(g)
            x.grad = made.clone() if x._grad is None else x._grad + made


def _edge(x: Any) -> Any:
    edge = edge_of(x)
    if edge is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edge


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """As `torch.autograd.grad`: the gradients of outputs with respect to inputs.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        What to differentiate, and with respect to what.
    grad_outputs : Tensor or sequence of Tensor, optional
        The cotangents; 1 for a scalar.
    retain_graph, create_graph : bool
        As for `backward`.
    allow_unused : bool, optional
        Whether an input may have no gradient, which is None then.
    is_grads_batched : bool, default False
        Whether the cotangents have a leading axis, over which the sweep is mapped.
    materialize_grads : bool, default False
        Whether a gradient that is None becomes zeros.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    outs, wanted = _sequence(outputs), _sequence(inputs)
    grads = _sequence(grad_outputs) or (None,) * len(outs)
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        from funcdiff.compat.torch.func.jacobians import batched_sweep

        found = batched_sweep(outs, wanted, grads, keep, create_graph)
    else:
        seeds = _seeds(outs, grads)
        edges = [_edge(x) for x in wanted]
        cotangents = sweep(_roots(outs, seeds), keep, create_graph, edges, accumulate=False)
        found = [None if g is None else _owned(outward(g), seeds) for g in cotangents]
    for n, (x, g) in enumerate(zip(wanted, found, strict=True)):
        if g is None:
            if not allow_unused:
                raise RuntimeError(
                    f"The differentiated Tensor at index {n} appears to not have been used in the graph. Set allow_unused=True if this "
                    "is the desired behavior."
                )
            if materialize_grads:
                found[n] = wrap(np.zeros(x.value.shape, x.value.dtype))
    return tuple(found)


def _owned(g: Any, seeds: Sequence[Any]) -> Any:
    """Give the caller an array nobody else holds."""
    x = g.value
    if type(x) is np.ndarray and (x.base is not None or not x.flags.writeable or any(x is s for s in seeds)):
        if g.requires_grad:
            return g
        g.value = x.copy()
    return g


# these modules use the functions above
from funcdiff.compat.torch.autograd import forward_ad, functional, graph, profiler  # noqa: E402
from funcdiff.compat.torch.autograd.function import Function  # noqa: E402
from funcdiff.compat.torch.autograd.gradcheck import gradcheck, gradgradcheck  # noqa: E402

Variable = Tensor


def __getattr__(name: str) -> Any:
    return refuse("autograd", name)


__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]
