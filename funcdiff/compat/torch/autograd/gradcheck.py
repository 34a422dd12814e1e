"""`gradcheck` and `gradgradcheck`: derivatives against central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap


class GradcheckError(RuntimeError):
    """The derivatives do not agree."""


def _tensors(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _differentiable(outs: Sequence[Any]) -> list[Any]:
    return [o for o in outs if isinstance(o, Tensor) and o.requires_grad]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_ad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: Any = None,
) -> bool:
    """Check the derivatives of a function against central differences.

    Parameters
    ----------
    func : callable
        A function of tensors that gives a tensor or a tuple of them.
    inputs : Tensor or tuple
        Its arguments; those that require gradients, in double precision, are checked.
    eps, atol, rtol : float
        The step of the differences, and the tolerances.
    raise_exception : bool
        Whether a failure raises a `GradcheckError`, or returns False.
    check_forward_ad, check_backward_ad : bool
        Which modes are checked.

    Returns
    -------
    bool
        Whether the derivatives agree.
    """
    args = _tensors(inputs)
    try:
        _check(
            func, args, eps, atol, rtol, check_backward_ad, check_forward_ad, check_batched_grad, nondet_tol
        )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _active(args: Sequence[Any]) -> list[int]:
    found = [n for n, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for n in found:
        if args[n].value.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{n} requires gradient and is not a double precision floating point or complex. This check will likely fail if "
                "all the inputs are not of double precision floating point or complex. ",
                UserWarning,
                stacklevel=4,
            )
    return found


def _check(
    func: Any,
    args: Sequence[Any],
    eps: float,
    atol: float,
    rtol: float,
    reverse: bool,
    forward: bool,
    batched: bool,
    nondet_tol: float,
) -> None:
    active = _active(args)
    outs = _tensors(func(*args))
    if not _differentiable(outs) and reverse:
        if any(isinstance(o, Tensor) for o in outs):
            return
        raise ValueError("No Tensors returned by the function")
    numerical = _numerical(func, args, active, len(outs), eps)
    if reverse:
        analytical = _by_reverse(func, args, active)
        again = _by_reverse(func, args, active)
        for one, two in zip(analytical, again, strict=True):
            for a, b in zip(one, two, strict=True):
                if np.abs(a - b).max(initial=0.0) > nondet_tol:
                    raise GradcheckError(
                        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different "
                        "values, although analytical gradient matches numerical gradient."
                    )
        _compare(numerical, analytical, atol, rtol, "")
    if forward:
        _compare(numerical, _by_forward(func, args, active, len(outs)), atol, rtol, " in forward mode")
    if batched:
        _compare_batched(func, args, active)


def _compare(numerical: Any, analytical: Any, atol: float, rtol: float, where: str) -> None:
    for i, row in enumerate(numerical):
        for j, n in enumerate(row):
            a = analytical[i][j]
            if not np.allclose(a, n, rtol, atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian{where} mismatch for output {i} with respect to input {j},\nnumerical:{wrap(n)}\nanalytical:{wrap(a)}\n"
                )


def _flat(x: Any) -> Any:
    """Return the elements as real numbers, each complex one as two."""
    v = np.ascontiguousarray(x.detach().resolve_conj().value).reshape(-1)
    return v.view(np.empty(0, v.dtype).real.dtype) if v.dtype.kind == "c" else v


def _numerical(func: Any, args: Sequence[Any], active: Sequence[int], outs: int, eps: float) -> Any:
    """Return, for each output and input, the matrix of shape (inputs, outputs), by central differences."""
    blocks: list[list[Any]] = [[] for _ in range(outs)]
    recording, STATE.recording = STATE.recording, False
    try:
        for n in active:
            x = _flat_view(args[n])
            rows: list[list[Any]] = [[] for _ in range(outs)]
            for k in range(x.size):
                kept = x[k]
                x[k] = kept + eps
                above = [_flat(o).astype(np.float64) for o in _tensors(func(*args))]
                x[k] = kept - eps
                below = [_flat(o).astype(np.float64) for o in _tensors(func(*args))]
                x[k] = kept
                for o in range(outs):
                    rows[o].append((above[o] - below[o]) / (2 * eps))
            for o in range(outs):
                blocks[o].append(np.array(rows[o]).reshape(x.size, -1))
    finally:
        STATE.recording = recording
    return blocks


def _flat_view(x: Any) -> Any:
    v = x.value
    if not v.flags.c_contiguous:
        raise ValueError("gradcheck: inputs that are not contiguous are not supported; pass x.contiguous()")
    v = v.reshape(-1)
    return v.view(np.empty(0, v.dtype).real.dtype) if v.dtype.kind == "c" else v


def _by_reverse(func: Any, args: Sequence[Any], active: Sequence[int]) -> Any:
    from funcdiff.compat.torch.autograd import grad

    outs = _tensors(func(*args))
    wanted = [args[n] for n in active]
    blocks = []
    for o in outs:
        columns: list[list[Any]] = [[] for _ in active]
        seed = np.zeros(o.value.shape, o.value.dtype)
        parts = seed.reshape(-1)
        parts = parts.view(np.empty(0, parts.dtype).real.dtype) if parts.dtype.kind == "c" else parts
        for k in range(parts.size):
            parts[k] = 1
            grads: Any = [None] * len(wanted)
            if o.requires_grad:
                grads = grad(o, wanted, wrap(seed.copy()), retain_graph=True, allow_unused=True)
            for n, (g, x) in enumerate(zip(grads, wanted, strict=True)):
                columns[n].append(_flat(wrap(np.zeros(x.value.shape, x.value.dtype)) if g is None else g))
            parts[k] = 0
        blocks.append(
            [np.array(c).T.reshape(_flat(x).size, -1) for c, x in zip(columns, wanted, strict=True)]
        )
    return blocks


def _by_forward(func: Any, args: Sequence[Any], active: Sequence[int], outs: int) -> Any:
    from funcdiff.compat.torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

    blocks: list[list[Any]] = [[] for _ in range(outs)]
    for n in active:
        rows: list[list[Any]] = [[] for _ in range(outs)]
        tangent = np.zeros(args[n].value.shape, args[n].value.dtype)
        parts = tangent.reshape(-1)
        parts = parts.view(np.empty(0, parts.dtype).real.dtype) if parts.dtype.kind == "c" else parts
        for k in range(parts.size):
            parts[k] = 1
            with dual_level():
                duals = [a.detach() if isinstance(a, Tensor) else a for a in args]
                duals[n] = make_dual(duals[n], wrap(tangent.copy()))
                for o, out in enumerate(_tensors(func(*duals))):
                    primal, t = unpack_dual(out)
                    rows[o].append(
                        _flat(wrap(np.zeros(primal.value.shape, primal.value.dtype)) if t is None else t)
                    )
            parts[k] = 0
        for o in range(outs):
            blocks[o].append(np.array(rows[o]).reshape(parts.size, -1))
    return blocks


def _compare_batched(func: Any, args: Sequence[Any], active: Sequence[int]) -> None:
    from funcdiff.compat.torch.autograd import grad

    wanted = [args[n] for n in active]
    for o in _differentiable(_tensors(func(*args))):
        rng = np.random.default_rng(0)
        seeds = wrap(rng.standard_normal((2, *o.value.shape)).astype(o.value.dtype))
        together = grad(o, wanted, seeds, retain_graph=True, allow_unused=True, is_grads_batched=True)
        for k in range(2):
            alone = grad(o, wanted, seeds[k], retain_graph=True, allow_unused=True)
            for a, b in zip(together, alone, strict=True):
                if a is not None and b is not None and not np.allclose(a.value[k], b.value):
                    raise GradcheckError(
                        "gradcheck or gradgradcheck failed while testing batched gradient computation."
                    )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check the second derivatives of a function: `gradcheck` of its gradient."""
    from funcdiff.compat.torch.autograd import grad
    from funcdiff.compat.torch.ops.random import randn

    args = _tensors(inputs)
    if grad_outputs is None:
        outs = _differentiable(_tensors(func(*args)))
        grad_outputs = tuple(randn(*o.shape, dtype=o.dtype).requires_grad_() for o in outs)
    seeds = _tensors(grad_outputs)

    def gradient(*everything: Any) -> Any:
        given, cots = everything[: len(args)], everything[len(args) :]
        given = tuple(
            a.requires_grad_() if isinstance(a, Tensor) and a.is_leaf and _real(a) else a for a in given
        )
        outs = _differentiable(_tensors(func(*given)))
        wanted = [a for a in given if isinstance(a, Tensor) and a.requires_grad]
        return grad(outs, wanted, cots, create_graph=True, allow_unused=True, materialize_grads=True)

    return gradcheck(
        gradient_with(gradient),
        (*args, *seeds),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_backward_ad=check_rev_over_rev,
        check_batched_grad=check_batched_grad,
    )


def _real(a: Any) -> bool:
    return a.value.dtype.kind in "fc"


def gradient_with(f: Any) -> Any:
    """Return a function that records even where nothing else is recorded."""

    def recorded(*args: Any) -> Any:
        from funcdiff.compat.torch.autograd.grad_mode import enable_grad

        with enable_grad():
            return f(*args)

    return recorded
