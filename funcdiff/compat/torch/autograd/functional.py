"""`torch.autograd.functional`: Jacobians, Hessians and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import Size
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.autograd.grad_mode import enable_grad

_OUTPUT = "outputs of the user-provided function"


def _tuple(x: Any, given: str, function: str) -> tuple[bool, tuple[Any, ...]]:
    """Return whether an argument is a tuple, and it as a tuple; refuse what is neither."""
    inside = isinstance(x, tuple)
    items = x if inside else (x,)
    for n, item in enumerate(items):
        if not isinstance(item, Tensor):
            what = f"value at index {n}" if inside else f"given {given}"
            raise TypeError(
                f"The {given} given to {function} must be either a Tensor or a tuple of Tensors but the {what} has type {type(item)}."
            )
    return inside, items


def _prepared(inputs: Sequence[Any], create_graph: bool, needed: bool = True) -> tuple[Any, ...]:
    """Return inputs of the function's own, so that what it captures is constant."""
    found = []
    for x in inputs:
        if create_graph and x.requires_grad:
            found.append(x.view_as(x))
        else:
            found.append(x.detach().requires_grad_(needed))
    return tuple(found)


def _finished(x: Any, create_graph: bool) -> Any:
    if isinstance(x, (tuple, list)):
        return tuple(_finished(i, create_graph) for i in x)
    return x if create_graph or x is None else x.detach()


def _bare(x: tuple[Any, ...], inside: bool) -> Any:
    return x if inside else x[0]


def _check_vector(v: Any, inputs: Sequence[Any], inside: bool) -> None:
    if len(v) != len(inputs):
        if inside:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(inputs)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for n, (a, b) in enumerate(zip(v, inputs, strict=True)):
        if a.value.shape != b.value.shape:
            entry = f"Entry {n} in " if inside else ""
            raise RuntimeError(
                f"{entry}v has invalid size: should be {Size(b.value.shape)} but got {Size(a.value.shape)}."
            )


def _vector(v: Any, function: str, like: Sequence[Any], inside: bool, missing: str) -> Any:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(missing)
        return None
    _, vs = _tuple(v, "v", function)
    vs = _prepared(vs, False, needed=False)
    _check_vector(vs, like, inside)
    return vs


def _one_element(outs: Sequence[Any], inside: bool, function: str) -> None:
    if inside or not isinstance(outs[0], Tensor):
        raise RuntimeError(f"The function given to {function} should return a single Tensor")
    if outs[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {function} should contain a single element"
        )


_NOT_TWICE = (
    "This is not allowed in strict mode. You should ensure that your function is {times} differentiable and that the "
    "{what} depends on the inputs (this would be violated by a {kind} function for example)."
)


def _require(outs: Sequence[Any], inputs: Sequence[Any], what: str) -> None:
    """Refuse, in strict mode, what is constant in the inputs."""
    for n, o in enumerate(outs):
        if not o.requires_grad:
            if what == "outputs":
                raise RuntimeError(
                    f"Output {n} of the user-provided function does not require gradients. The outputs must be computed in a "
                    "differentiable manner from the input when running in strict mode."
                )
            if what == "outputs_jacobian":
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {n}. This is not allowed in strict mode when "
                    "create_graph=True."
                )
            if what == "jacobian":
                raise RuntimeError(
                    f"While computing the hessian, found that the jacobian of the user-provided function with respect to input {n} is "
                    "independent of the input. "
                    + _NOT_TWICE.format(times="twice", what="jacobian", kind="linear")
                )
            if what == "grad_input":
                raise RuntimeError(
                    f"The gradient with respect to input {n} is independent of the inputs of the user-provided function. This is not "
                    "allowed in strict mode."
                )
            raise RuntimeError(
                f"The hessian of the user-provided function is independent of input {n}. This is not allowed in strict mode when "
                "create_graph=True."
            )


def _gradients(
    outs: Sequence[Any], inputs: Sequence[Any], seeds: Any, create_graph: bool, retain: Any = None
) -> Any:
    """Return the gradients of what depends on the inputs, None for those nothing depends on."""
    from funcdiff.compat.torch.autograd import grad

    seeds = (None,) * len(outs) if seeds is None else seeds
    pairs = [(o, s) for o, s in zip(outs, seeds, strict=True) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    return grad(
        [o for o, _ in pairs],
        inputs,
        [s for _, s in pairs],
        retain_graph=retain,
        create_graph=create_graph,
        allow_unused=True,
    )


def _filled(found: Sequence[Any], like: Sequence[Any], strict: bool, create_graph: bool, message: Any) -> Any:
    """Put zeros where there is no gradient; in strict mode that is an error."""
    out = []
    for n, (g, x) in enumerate(zip(found, like, strict=True)):
        if g is None:
            if strict:
                raise RuntimeError(message(n))
            g = wrap(np.zeros(x.value.shape, x.value.dtype))
        elif strict and create_graph and not g.requires_grad:
            raise RuntimeError(
                f"The jacobian of the user-provided function is independent of input {n}. This is not allowed in strict mode when "
                "create_graph=True."
                if "jacobian" not in message(n)
                else f"The hessian of the user-provided function is independent of input {n}. This is not allowed in strict mode when "
                "create_graph=True."
            )
        out.append(g)
    return tuple(out)


def _independent(n: int) -> str:
    return f"The output of the user-provided function is independent of input {n}. This is not allowed in strict mode."


def _linear(n: int) -> str:
    return (
        f"The hessian of the user-provided function with respect to input {n} is independent of the input (the jacobian is constant). "
        "This is not allowed in strict mode."
    )


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """As `torch.autograd.functional.vjp`: the outputs, and the vector times the Jacobian."""
    with enable_grad():
        inside, xs = _tuple(inputs, "inputs", "vjp")
        xs = _prepared(xs, create_graph)
        out_inside, outs = _tuple(func(*xs), _OUTPUT, "vjp")
        if strict:
            _require(outs, xs, "outputs")
        vs = _vector(
            v,
            "vjp",
            outs,
            out_inside,
            "The vector v can only be None if the user-provided function returns a single Tensor with a single element.",
        )
    with _recording(create_graph):
        found = _gradients(outs, xs, vs, create_graph)
        product = _filled(found, xs, strict, create_graph, _independent)
    return _bare(_finished(outs, create_graph), out_inside), _bare(_finished(product, create_graph), inside)


class _recording:
    """Record if asked to, or as it is outside."""

    def __init__(self, wanted: bool) -> None:
        self.manager: Any = enable_grad() if wanted else None

    def __enter__(self) -> None:
        if self.manager is not None:
            self.manager.__enter__()

    def __exit__(self, *_: object) -> None:
        if self.manager is not None:
            self.manager.__exit__(None, None, None)


_NEEDS_V = "The vector v can only be None if the input to the user-provided function is a single Tensor with a single element."


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """As `torch.autograd.functional.jvp`: the outputs, and the Jacobian times the vector.

    The product is the derivative of the transposed product with respect to its vector.
    """
    with enable_grad():
        inside, xs = _tuple(inputs, "inputs", "jvp")
        xs = _prepared(xs, create_graph)
        vs = _vector(v, "jvp", xs, inside, _NEEDS_V)
        out_inside, outs = _tuple(func(*xs), _OUTPUT, "jvp")
        if strict:
            _require(outs, xs, "outputs")
        seeds = tuple(wrap(np.zeros(o.value.shape, o.value.dtype)).requires_grad_() for o in outs)
        grads = _gradients(outs, xs, seeds, create_graph=True)
        if strict:
            for n, g in enumerate(grads):
                if g is None:
                    raise RuntimeError(_independent(n))
    vs = (None,) * len(xs) if vs is None else vs
    with _recording(create_graph):
        if create_graph:
            found = _gradients(grads, seeds, _ones(vs, grads), create_graph)
        else:
            found = _gradients(grads, seeds, _ones(vs, grads), False)
        product = _filled(found, outs, strict, create_graph, _independent)
    return _bare(_finished(outs, create_graph), out_inside), _bare(
        _finished(product, create_graph), out_inside
    )


def _ones(vs: Sequence[Any], grads: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        wrap(np.ones(g.value.shape, g.value.dtype)) if v is None and g is not None else v
        for v, g in zip(vs, grads, strict=True)
    )


# --- Jacobians ----------------------------------------------------------------------------------------------


def _strategy(strategy: str, hint: bool) -> None:
    text = 'Expected strategy to be either "forward-mode" or "reverse-mode".'
    if hint:
        text += (
            ' Hint: If your function has more outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer '
            'to use "reverse-mode".'
        )
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(text)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """As `torch.autograd.functional.jacobian`.

    Parameters
    ----------
    func : callable
        Takes tensors, gives a tensor or a tuple of tensors.
    inputs : Tensor or tuple of Tensor
        Where to differentiate.
    create_graph : bool, default False
        Whether the result can be differentiated.
    strict : bool, default False
        Whether an output that does not depend on an input is an error, instead of zeros.
    vectorize : bool, default False
        Whether all rows are computed in one batched sweep.
    strategy : {"reverse-mode", "forward-mode"}
        The mode; forward mode needs ``vectorize=True``.

    Returns
    -------
    Tensor or tuple of Tensor or tuple of tuple of Tensor
        Indexed by outputs, then by inputs; blocks of shape ``output.shape + input.shape``.
    """
    _strategy(strategy, True)
    if strategy == "forward-mode":
        return _forward_jacobian(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        inside, xs = _tuple(inputs, "inputs", "jacobian")
        xs = _prepared(xs, create_graph)
        out_inside, outs = _tuple(func(*xs), _OUTPUT, "jacobian")
        if strict:
            _require(outs, xs, "outputs")
        if vectorize:
            if strict:
                raise RuntimeError(
                    "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
                    "`strict=False` or `vectorize=False`."
                )
            rows = tuple(_rows_together(o, xs, create_graph) for o in outs)
        else:
            rows = tuple(_rows(i, o, xs, create_graph, strict) for i, o in enumerate(outs))
    rows = _finished(rows, create_graph)
    shaped = tuple(_bare(r, inside) for r in rows)
    return _bare(shaped, out_inside)


def _rows(i: int, out: Any, xs: Sequence[Any], create_graph: bool, strict: bool) -> tuple[Any, ...]:
    """Return the Jacobian of one output, one sweep for each element."""
    from funcdiff.compat.torch.ops.joining import stack

    found: list[list[Any]] = [[] for _ in xs]
    for element in out.reshape(-1).unbind():
        grads = _gradients((element,), xs, None, create_graph, retain=True)
        for j, (g, x) in enumerate(zip(grads, xs, strict=True)):
            if g is None:
                if strict:
                    raise RuntimeError(
                        f"Output {i} of the user-provided function is independent of input {j}. This is not allowed in strict mode."
                    )
                g = wrap(np.zeros(x.value.shape, x.value.dtype))
            elif strict and create_graph and not g.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                    "create_graph=True."
                )
            found[j].append(g)
    return tuple(
        (stack(g) if g else wrap(np.zeros((0,), x.value.dtype))).reshape((*out.shape, *x.shape))
        for g, x in zip(found, xs, strict=True)
    )


def _rows_together(out: Any, xs: Sequence[Any], create_graph: bool) -> tuple[Any, ...]:
    """Return the Jacobian of one output by one sweep over a batch of seeds."""
    from funcdiff.compat.torch.autograd import grad

    n = out.numel()
    zeros = tuple(wrap(np.zeros((*out.shape, *x.shape), x.value.dtype)) for x in xs)
    if not out.requires_grad:
        return zeros
    seeds = wrap(np.eye(n, dtype=out.value.dtype).reshape(n, *out.shape))
    grads = grad(
        out, xs, seeds, retain_graph=True, create_graph=create_graph, allow_unused=True, is_grads_batched=True
    )
    return tuple(
        z if g is None else g.reshape((*out.shape, *x.shape))
        for g, x, z in zip(grads, xs, zeros, strict=True)
    )


def _forward_jacobian(func: Any, inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together (yet). Please '
            'either set `strict=False` or `strategy="reverse-mode"`.'
        )
    inside, xs = _tuple(inputs, "inputs", "jacobian")
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`."
        )
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). '
            'Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    from funcdiff.compat.torch.func.jacobians import columns

    out_inside, blocks = columns(func, xs)
    if not out_inside:
        return blocks[0] if inside else blocks[0][0]
    return blocks if inside else [row[0] for row in blocks]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """As `torch.autograd.functional.hessian`: the Jacobian of the gradient."""
    inside, xs = _tuple(inputs, "inputs", "hessian")
    _strategy(outer_jacobian_strategy, False)

    def scalar(*args: Any) -> Any:
        out = func(*args)
        out_inside, outs = _tuple(out, _OUTPUT, "hessian")
        _one_element(outs, out_inside, "hessian")
        return outs[0].reshape(())

    def gradient(*args: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            args = (
                tuple(a if a.requires_grad else a.requires_grad_() for a in args)
                if not _traced(args)
                else args
            )
        found = jacobian(scalar, args, create_graph=True)
        if strict:
            _require(found, args, "jacobian")
        return found

    if outer_jacobian_strategy == "forward-mode":
        from funcdiff.compat.torch.func import grad as func_grad

        if strict or not vectorize or create_graph:
            _forward_jacobian(gradient, xs, create_graph, strict, vectorize)
        found = _forward_jacobian(
            func_grad(scalar, tuple(range(len(xs)))), xs, create_graph, strict, vectorize
        )
        return tuple(map(tuple, found)) if inside else found[0][0]
    found = jacobian(gradient, xs, create_graph=create_graph, strict=strict, vectorize=vectorize)
    return found if inside else found[0][0]


def _traced(args: Sequence[Any]) -> bool:
    return any(type(a.value) is not np.ndarray for a in args)


# --- products with Hessians -------------------------------------------------------------------------------------


def _gradient_of(func: Any, inputs: Any, v: Any, create_graph: bool, strict: bool, name: str) -> Any:
    """Return the inputs, the vector, the output and its recorded gradient."""
    inside, xs = _tuple(inputs, "inputs", name)
    xs = _prepared(xs, create_graph)
    vs = _vector(v, name, xs, inside, _NEEDS_V)
    out_inside, outs = _tuple(func(*xs), _OUTPUT, name)
    _one_element(outs, out_inside, name)
    if strict:
        _require(outs, xs, "outputs")
    gradient = _gradients(outs, xs, None, create_graph=True)
    if strict:
        for n, g in enumerate(gradient):
            if g is None:
                raise RuntimeError(_independent(n))
        _require(gradient, xs, "jacobian")
    return inside, xs, vs, outs, gradient


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """As `torch.autograd.functional.vhp`: the output, and the vector times the Hessian."""
    with enable_grad():
        inside, xs, vs, outs, gradient = _gradient_of(func, inputs, v, create_graph, strict, "vhp")
    with _recording(create_graph):
        found = _gradients(gradient, xs, vs, create_graph)
        product = _filled(found, xs, strict, create_graph, _linear)
    return _finished(outs, create_graph)[0], _bare(_finished(product, create_graph), inside)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """As `torch.autograd.functional.hvp`: the output, and the Hessian times the vector."""
    with enable_grad():
        inside, xs, vs, outs, gradient = _gradient_of(func, inputs, v, create_graph, strict, "hvp")
        seeds = tuple(wrap(np.zeros(x.value.shape, x.value.dtype)).requires_grad_() for x in xs)
        transposed = _gradients(gradient, xs, seeds, create_graph=True)
        if strict:
            _require([t for t in transposed if t is not None], xs, "jacobian")
    vs = (None,) * len(xs) if vs is None else vs
    with _recording(create_graph):
        found = _gradients(transposed, seeds, _ones(vs, transposed), create_graph)
        product = _filled(found, xs, strict, create_graph, _linear)
    return _finished(outs, create_graph)[0], _bare(_finished(product, create_graph), inside)


def __getattr__(name: str) -> Any:
    return refuse("autograd.functional", name)
