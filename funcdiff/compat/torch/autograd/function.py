"""`torch.autograd.Function`: operations with derivatives of the user's own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch import _errors
from funcdiff.compat.torch._graph import FREED, LEAF, Node, Output, next_sequence, target
from funcdiff.compat.torch._hooks import inward, outward
from funcdiff.compat.torch._recorder import edge_of
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.autograd.forward_ad import dual_parts, make_dual_at
from funcdiff.compat.torch.autograd.function_calls import apply_followed, check_followed
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import newest

_NO_BACKWARD = (
    "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward "
    "mode AD."
)
_NO_JVP = "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."


class _Context(Node):
    """What `forward` and `backward` of one call share, and the call's node in the graph."""

    takes_none = True
    _function: Any = None
    _saved: tuple[Any, ...] | None = ()
    _materialize = True
    _dirty: tuple[Any, ...] = ()
    _constant: tuple[Any, ...] = ()
    _for_forward: tuple[Any, ...] = ()
    needs_input_grad: tuple[bool, ...] = ()
    types: Any  # of the outputs
    kinds: Any  # of the tensors among the arguments
    arguments: int
    shown: tuple[bool, ...]  # which outputs are tensors

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `backward`."""
        for n, x in enumerate(tensors):
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {n} is of type {type(x).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `jvp`."""
        if not all(isinstance(x, Tensor) or x is None for x in tensors):
            raise AssertionError(
                "save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes on ctx."
            )
        self._for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs `forward` has written."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether missing gradients reach `backward` as zeros (the default) or as None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors kept by `save_for_backward`."""
        if self._saved is None:
            raise RuntimeError(FREED)
        if "_to_save" in self.__dict__:
            return tuple(self._to_save)
        return tuple(None if s is None else s(self) for s in self._saved)

    @property
    def saved_for_forward(self) -> tuple[Any, ...]:
        """The tensors kept by `save_for_forward`."""
        return self._for_forward

    def name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {hex(id(self))}>"

    def free(self) -> None:
        if self._saved:
            self._saved = None

    def pull(self, g: Any) -> Sequence[Any]:
        parts = list(g) if self.several else [g]
        if self._materialize:
            parts = [
                np.zeros(k.shape, k.dtype) if p is None else p for p, k in zip(parts, self.types, strict=True)
            ]
        grads = spread_out([None if p is None else outward(p) for p in parts], self.shown)
        found = self.gradients(grads, self.arguments)
        return [
            self.checked(n, found[place], kind) if edge is not None else None
            for n, (place, kind, edge) in enumerate(zip(self.record, self.kinds, self.next, strict=True))
        ]

    pull_recorded = pull

    def gradients(self, grads: Sequence[Any], expected: int) -> Sequence[Any]:
        """Return what the user's `backward` gives, one for each argument."""
        found = self._function._backward(self, *grads)
        found = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        if len(found) > expected and all(f is None for f in found[expected:]):
            found = found[:expected]
        if len(found) != expected:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {expected}, got {len(found)})"
            )
        return found

    def checked(self, n: int, grad: Any, kind: Any) -> Any:
        """Return the cotangent that a gradient means, fitted to its input."""
        if grad is None:
            return None
        if not isinstance(grad, Tensor):
            raise TypeError(f"expected Variable or None (got {type(grad).__name__})")
        if grad.value.shape != kind.shape:
            try:
                fits = np.broadcast_shapes(grad.value.shape, kind.shape) == grad.value.shape
            except ValueError:
                fits = False
            if not fits:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {n} - got {list(grad.shape)} but expected shape "
                    f"compatible with {list(kind.shape)}"
                )
            from funcdiff.core.matching import match

            return match(inward(grad), kind)
        return inward(grad if grad.value.dtype == kind.dtype else _retyped(grad, kind))


def spread_out(grads: Sequence[Any], shown: Sequence[bool]) -> list[Any]:
    """Return a gradient for every output, None for those that are no tensors."""
    given = iter(grads)
    return [next(given) if s else None for s in shown]


def _retyped(grad: Any, kind: Any) -> Any:
    from funcdiff.compat.torch._dtypes import FROM_NUMPY

    return grad.to(FROM_NUMPY[kind.dtype])


def _keep(x: Any, node: _Context, outputs: Sequence[Any], inputs: Sequence[Any]) -> Callable[[_Context], Any]:
    """Return what gives a saved tensor back; an output is kept without the tensor, which would be a cycle."""
    version, seen = x.version, x.version[0]
    number = next((n for n, o in enumerate(outputs) if o is x), None)
    if number is not None:
        value = x.value

        def output(context: _Context) -> Any:
            _check(value, version, seen, context, number)
            out = wrap(value)
            out.edge = Output(context, number) if context.several else context
            out.version = version
            return out

        return output

    def restore(context: _Context) -> Any:
        edge = x.edge
        node, number = (None, 0) if edge is None or edge is LEAF else target(edge)
        _check(x.value, version, seen, node, number)
        return x

    return restore


def _check(value: Any, version: Any, seen: int, node: Any, number: int) -> None:
    if version[0] != seen:
        raise _errors.modified(value, node, number, version[0], seen)


class Function:
    """An operation with derivatives of the user's own: static methods `forward` and `backward`, or `jvp`.

    Examples
    --------
    >>> import funcdiff.compat.torch as torch
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return 2 * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return 2 * g
    >>> x = torch.ones(2, requires_grad=True)
    >>> Double.apply(x)
    tensor([2., 2.], grad_fn=<DoubleBackward>)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should invoke them on "
            "the class itself. Instantiating an autograd function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; takes the context first unless `setup_context` is given."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keep what `backward` needs."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return one gradient for each input of `forward`."""
        raise NotImplementedError(_NO_BACKWARD)

    vjp = backward
    generate_vmap_rule = False

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return one tangent for each output of `forward`."""
        raise NotImplementedError(_NO_JVP)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """Compute the outputs of a batch; return them and where their batch axes stand."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set generate_vmap_rule=True."
        )

    @classmethod
    def _backward(cls, ctx: Any, *grads: Any) -> Any:
        own = cls.backward if cls.backward is not Function.backward else cls.vjp
        return own(ctx, *grads)

    @classmethod
    def _forward(cls, ctx: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        recording, STATE.recording = STATE.recording, False
        try:
            if cls.setup_context is Function.setup_context:
                return cls.forward(ctx, *args, **kwargs)
            out = cls.forward(*args, **kwargs)
            cls.setup_context(ctx, tuple(args), out)
            return out
        finally:
            STATE.recording = recording

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs and enter the operation in the graph."""
        tensors = [a for a in args if isinstance(a, Tensor)]
        level = _newest_level(tensors)
        if level is not None and level is STATE.dual_level:
            return cls._apply_dual(level, args, kwargs)
        if level is not None or STATE.transforms:
            check_followed(cls)
        if level is not None:
            return apply_followed(cls, args, kwargs)
        ctx = context_class(cls)()  # type: ignore[arg-type]
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        found = cls._forward(ctx, args, kwargs)
        single = not isinstance(found, (tuple, list))
        outs = [found] if single else list(found)
        made = [o for o in outs if isinstance(o, Tensor)]
        if not STATE.recording or not any(ctx.needs_input_grad):
            return found
        ctx.next = tuple(edge_of(t) for t in tensors)
        ctx.record = tuple(n for n, a in enumerate(args) if isinstance(a, Tensor))
        ctx.kinds = tuple(type_of(t.value) for t in tensors)
        ctx.arguments = len(args)
        ctx.cells = ctx.seen = None
        ctx.sequence = next_sequence()
        if STATE.anomaly:
            from funcdiff.compat.torch._recorder import trace

            trace(ctx)
        results = [_result(o, tensors, ctx) if isinstance(o, Tensor) else o for o in outs]
        connected = [r for r in results if isinstance(r, Tensor)]
        ctx.shown = tuple(isinstance(o, Tensor) for o in outs)
        ctx.outputs, ctx.several = len(made), len(made) > 1
        ctx.types = tuple(type_of(r.value) for r in connected)
        for n, (old, r) in enumerate(zip(made, connected, strict=True)):
            if not any(old is c for c in ctx._constant) and r.value.dtype.kind in "fc":
                r.edge = Output(ctx, n) if len(made) > 1 else ctx
        kept = ctx.__dict__.pop("_to_save", ())
        ctx._saved = tuple(
            None if k is None else _keep(_replaced(k, made, connected), ctx, connected, tensors) for k in kept
        )
        ctx._dirty = ctx._constant = ()
        return results[0] if single else type(found)(results)

    @classmethod
    def _apply_dual(cls, level: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Apply in forward mode: the outputs by `forward` on the primals, the tangents by `jvp`."""
        parts = [dual_parts(a, level) if isinstance(a, Tensor) else (a, None) for a in args]
        primals = [p for p, _ in parts]
        ctx = context_class(cls)()  # type: ignore[arg-type]
        ctx.needs_input_grad = tuple(t is not None for _, t in parts)
        found = cls._forward(ctx, primals, kwargs)
        missing = [t is None and ctx._materialize and isinstance(a, Tensor) for a, t in parts]
        tangents = cls.jvp(
            ctx, *(_zeros_like(a) if gone else t for (a, t), gone in zip(parts, missing, strict=True))
        )
        outs = found if isinstance(found, (tuple, list)) else (found,)
        pushed = tangents if isinstance(tangents, (tuple, list)) else (tangents,)
        results = [
            make_dual_at(level, o, t) if t is not None else o for o, t in zip(outs, pushed, strict=True)
        ]
        return tuple(results) if isinstance(found, (tuple, list)) else results[0]


def _replaced(x: Any, old: Sequence[Any], new: Sequence[Any]) -> Any:
    for o, n in zip(old, new, strict=True):
        if x is o:
            return n
    return x


def _result(o: Any, inputs: Sequence[Any], ctx: _Context) -> Any:
    """Return an output as a tensor of its own; a dirty input is itself."""
    if any(o is d for d in ctx._dirty):
        if o.edge is LEAF:
            raise RuntimeError(_errors.LEAF_IN_PLACE)
        o.version[0] += 1
        return o
    if any(o is x for x in inputs):
        alias = wrap(o.value)
        alias.version = o.version
        return alias
    if o.edge is not None:
        return o.detach()
    return o


def _zeros_like(x: Any) -> Any:
    kind = type_of(x.value)
    return wrap(np.zeros(kind.shape, kind.dtype))


def _newest_level(tensors: Sequence[Any]) -> Any:
    return newest([t.value for t in tensors])


@functools.lru_cache(maxsize=1024)
def context_class(function: Any, kind: str = "") -> Any:
    """Return the class of the contexts of a function; `kind` is part of its name."""
    return type(
        f"{function.__name__}{kind}Backward",
        (_Context,),
        {"_function": function, "__module__": "torch.autograd.function"},
    )


FunctionCtx = _Context


def once_differentiable(function: Any) -> Any:
    """Declare that a `backward` is not itself differentiable."""

    @functools.wraps(function)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        recording, STATE.recording = STATE.recording, False
        try:
            found = function(ctx, *grads)
        finally:
            STATE.recording = recording
        if not recording or not any(isinstance(g, Tensor) and g.requires_grad for g in grads):
            return found
        outs = found if isinstance(found, tuple) else (found,)
        refused = tuple(_Refusal.apply(o, *grads) if isinstance(o, Tensor) else o for o in outs)
        return refused if isinstance(found, tuple) else refused[0]

    return wrapper


class _Refusal(Function):
    @staticmethod
    def forward(ctx: Any, x: Any, *_grads: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *_grads: Any) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )
