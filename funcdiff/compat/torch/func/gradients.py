"""`grad`, `grad_and_value`, `vjp`, `jvp`, `linearize`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import Size
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch.func.structure import (
    Flat,
    described,
    is_tensor,
    of_argnums,
    pulled,
    zero,
)
from funcdiff.core.array_type import type_of
from funcdiff.core.trees import LEAF, flatten
from funcdiff.transforms.forward import push_forward
from funcdiff.transforms.reverse import record


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `torch.func.grad_and_value`: gradient and value of a scalar function."""

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        flat = Flat(func, args, kwargs, argnums, has_aux, "grad_and_value(f)(*args)")
        flat.check_real()
        recording = record(flat, flat.values)
        if flat.out_tree is not LEAF:
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(flat.result)}"
            )
        value = recording.outputs[0]
        kind = type_of(value)
        if kind.shape:
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with {len(kind.shape)} dims. Maybe "
                "you wanted to use the vjp or jacrev APIs instead?"
            )
        if kind.dtype.kind == "c":
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {lower(value).dtype}"
            )
        seeds = [np.ones((), kind.dtype), *[None] * (len(recording.outputs) - 1)]
        grads = flat.tree.unflatten([lower(g) for g in pulled(recording, seeds)])
        result = lower(value)
        found = of_argnums(argnums, grads)
        return (found, (result, flat.aux(recording.outputs[1:]))) if has_aux else (found, result)

    return both


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `torch.func.grad`: the gradient of a scalar function."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """As `torch.func.vjp`: the outputs, and the function that pulls cotangents back."""
    flat = Flat(func, primals, {}, tuple(range(len(primals))), has_aux, "vjp(f, *primals)")
    recording = record(flat, flat.values, lasting=True)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: Any = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        leaves, structure = flatten(given)
        if structure != flat.out_tree:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {described(given)}, primal output: {flat.out_tree!r}"
            )
        seeds = [lift(x) for x in leaves]
        for n, (x, out) in enumerate(zip(seeds, recording.outputs, strict=False)):
            if type_of(x).shape != type_of(out).shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{n}] has a shape of {Size(type_of(x).shape)} and output[{n}] has a shape of "
                    f"{Size(type_of(out).shape)}."
                )
        seeds += [None] * (len(recording.outputs) - flat.outputs)
        return flat.tree.unflatten([lower(g) for g in pulled(recording, seeds)])

    out = flat.wrap_out(recording.outputs[: flat.outputs])
    return (out, pull, flat.aux(recording.outputs[flat.outputs :])) if has_aux else (out, pull)


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """As `torch.func.jvp`: the outputs, and the Jacobian times the tangents."""
    where = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{where}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    leaves, structure = flatten(tangents)
    if structure != flatten(primals)[1]:
        raise RuntimeError(
            f"{where}: Expected primals and tangents to have the same python structure. For example, if primals is a "
            "tuple of 3 tensors, tangents also must be. Got primals with structure "
            f"{described(primals)} and tangents with structure {described(tangents)}"
        )
    if not leaves:
        raise RuntimeError(f"{where}: Expected primals to contain at least one Tensor.")
    flat = Flat(func, primals, {}, tuple(range(len(primals))), has_aux, where)
    for x, t in zip(flat.tensors, leaves, strict=True):
        if not is_tensor(t):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(t)}")
        if x.value.shape != t.value.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
                f"Tensor is of size {list(x.shape)} while the given forward gradient is of size {list(t.shape)}."
            )
    outs, found = push_forward(flat, flat.values, [lift(t) for t in leaves])
    outs, found, rest = outs[: flat.outputs], found[: flat.outputs], outs[flat.outputs :]
    if strict and any(t is None for t in found):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed with "
            "strict=True."
        )
    moved = [zero(o) if t is None else t for o, t in zip(outs, found, strict=True)]
    both = flat.wrap_out(outs), flat.wrap_out(moved)
    return (*both, flat.aux(rest)) if has_aux else both


def linearize(func: Callable[..., Any], *primals: Any) -> Any:
    """As `torch.func.linearize`: the outputs, and the function that pushes tangents forward."""
    flat = Flat(func, primals, {}, tuple(range(len(primals))), False, "jvp(f, primals, tangents)")
    recording = record(flat, flat.values, lasting=True)

    def push(*tangents: Any) -> Any:
        leaves, structure = flatten(tangents)
        if structure != flat.tree:
            raise RuntimeError(
                f"Expected the tangents {described(tangents)} to have the same argspec as the primals {described(primals)}"
            )
        for n, (x, t) in enumerate(zip(flat.tensors, leaves, strict=True)):
            if x.value.shape != t.value.shape:
                raise RuntimeError(
                    f"tangent:{n} with shape {t.shape} in flattened pytree doesn't match the shape {x.shape} of the corresponding primal."
                )
        found = recording.push([lift(t) for t in leaves])
        return flat.wrap_out(
            [zero(o) if t is None else t for o, t in zip(recording.outputs, found, strict=True)]
        )

    return flat.wrap_out(recording.outputs), push
