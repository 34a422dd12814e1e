"""Views and writes: what in-place operations do to the graph.

A view shares memory and version counter with its root.  Writing through it gives the root a `CopySlices`
node; the view's own edge is then made anew from the root's at its next use.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch import _errors as text
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._graph import LEAF, Node, Output, new_node, node_class, rule_of, target
from funcdiff.compat.torch._promotion import _CATEGORY
from funcdiff.compat.torch._recorder import edge_of, lift, lower, primitive_node
from funcdiff.compat.torch._state import QUIETLY, STATE, silence, unsilence
from funcdiff.compat.torch._tensor import InferenceVersion, Tensor, _View, new_tensor, wrap
from funcdiff.core.mutation import link_view, through
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.recording import TracedArray
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.update import update_at
from funcdiff.primitives.update import view as view_primitive

WHOLE = (getitem, {"index": Ellipsis})
AS_STRIDED = node_class("AsStridedBackward0")


def view(cls: Any, lens: Any, params: dict[str, Any], x: Tensor, forbidden: str = "") -> Any:
    """Return what NumPy makes a view with, as a view for autograd too."""
    value = x.value
    if type(value) is not np.ndarray:
        traced = lift(x)
        found = lens(traced, **params)
        return lower(link_view(traced, found, (lens, params)) if type(found) is TracedArray else found)
    return view_onto(cls, lens, params, x, lens.primitive.impl(value, **params), forbidden)


def view_onto(cls: Any, lens: Any, params: dict[str, Any], x: Tensor, value: Any, forbidden: str = "") -> Any:
    """Return a view whose elements have been found, with a node of a class, or none yet."""
    out: Any = new_tensor(Tensor)
    out.value = value
    version = out.version = x.version
    base = out.base = _View()
    base.parent = x
    base.lens = lens
    base.params = params
    base.seen = version[0] if type(version) is list else 0
    recording = STATE.recording
    if x.base is None:
        edge = x.edge
        base.forbidden = forbidden if recording else forbidden or _unrecorded()
    else:
        edge = x.current()
        base.forbidden = x.base.forbidden or (forbidden if recording else forbidden or _unrecorded())
    if edge is None or not recording or cls is None:
        out.edge = None
    else:
        old = x.value
        record = (_rules.get(lens) or rule_of_lens(lens), 0, params, old.shape, old.dtype, value.shape, None)
        out.edge = new_node(cls, (x if edge is LEAF else edge,), record, None, None)
    return out


def view_through(x: Tensor, value: Any, lens: Any, params: dict[str, Any], edge: Any) -> Any:
    """Return a view that several nodes lead to, the last of which is given; None if nothing is recorded."""
    out = view_onto(None, lens, params, x, value)
    out.edge = edge
    return out


_rules: dict[Any, Any] = {}


def rule_of_lens(lens: Any) -> Any:
    """Return the rule of a lens, and remember it."""
    found = _rules[lens] = rule_of(lens.primitive)
    return found


def _unrecorded() -> str:
    return "inference_mode" if STATE.inference else "no_grad"


def regenerate(x: Tensor) -> Any:
    """Make the edge of a view anew, after its root has been written."""
    base = x.base
    edge = edge_of(base.root)
    if edge is None:
        x.edge = None
    else:
        params = {"path": base.path}
        x.edge = primitive_node(
            AS_STRIDED,
            view_primitive.primitive,  # type: ignore[attr-defined]
            (base.root.value,),
            (edge,),
            params,
            x.value,
        )
    base.seen = x.version[0]
    return x.edge


def _conjugate(g: Any) -> Any:
    return REGISTRY["conj"].function(g) if g.dtype.kind == "c" else g


class CopySlices(Node):
    """A write through a view: ``record = (path, node of what was written or None)``."""

    __slots__ = ()

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    def _pull(self, g: Any, recorded: bool) -> Sequence[Any]:
        path, inner = self.record
        cot: list[Any] = [None] * len(self.next)
        part: Any = 0.0
        g = _conjugate(g)  # PyTorch's gradients are the ones that a path may look at as pairs of numbers
        if inner is not None:
            seen = _conjugate(through(g, path))
            found = inner.pull_recorded(seen) if recorded else inner.pull(seen)
            if found[0] is not None:
                part = _conjugate(found[0])
            cot[1:] = found[1:]
        if self.next[0] is not None:
            cot[0] = _conjugate(update_at(g, part, path=(*path, WHOLE)))
        return cot

    def pull(self, g: Any) -> Sequence[Any]:
        return self._pull(g, False)

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        return self._pull(g, True)

    def free(self) -> None:
        inner = self.record[1]
        if inner is not None:
            inner.free()
            if inner.record is None:
                self.record = None


def wants_gradient(x: Any) -> bool:
    """Tell whether an operand requires a gradient."""
    if isinstance(x, (tuple, list)):
        return any(map(wants_gradient, x))
    return isinstance(x, Tensor) and x.requires_grad


def check_writable(x: Tensor) -> None:
    """Refuse in-place operations that autograd cannot follow."""
    base = x.base
    if base is None:
        if x.edge is LEAF:
            raise RuntimeError(text.LEAF_IN_PLACE)
        return
    edge = x.current()
    if base.forbidden:
        if base.forbidden in ("no_grad", "inference_mode"):
            raise RuntimeError(text.VIEW_WITHOUT_GRAD.format(mode=base.forbidden))
        node, number = target(edge) if edge is not None else (None, 0)
        name = _errors_name(node) if node is not None else base.forbidden
        raise RuntimeError(text.VIEW_OF_SEVERAL.format(number=number, name=name))
    if base.root.edge is LEAF:
        raise RuntimeError(text.VIEW_OF_LEAF)
    if any(lens.__name__ == "broadcast_to" for lens, _ in base.path):
        raise text.unsupported(
            "writing through an expanded tensor that requires a gradient", "Write to the tensor itself."
        )


def _is_hidden(x: Tensor) -> bool:
    """Tell whether a tensor is a view, made without recording, of one that requires a gradient."""
    base = x.base
    return base is not None and base.forbidden in ("no_grad", "inference_mode") and base.root.requires_grad


def _errors_name(node: Any) -> str:
    return text.operation_name(node)


def write(x: Tensor, op: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """Carry out ``x[...] = op(x, *args)`` in place, as the graph must see it."""
    value = x.value
    if type(value) is TracedArray:
        value[...] = lift(op(x, *args, **kwargs))  # type: ignore[index]
        return x
    if type(x.version) is InferenceVersion:
        if not STATE.inference:
            raise RuntimeError(text.INFERENCE_WRITTEN)
        np.copyto(value, _fitting(op(x, *args, **kwargs), x).value)
        return x
    if x.base is not None and _overlaps(value) and op.__name__ not in ("fill", "zero"):
        raise RuntimeError(text.OVERLAPPING)
    if not STATE.recording or not (x.requires_grad or _is_hidden(x) or wants_gradient(args)):
        result = op(x, *args, **kwargs)
        if type(result.value) is TracedArray:
            return _write_traced(x, result)
        np.copyto(value, _fitting(result, x).value)
        x.version[0] += 1
        return x
    check_writable(x)
    before: Any = new_tensor(Tensor)  # the tensor as it was
    before.value = value.copy()
    before.edge = x.edge
    before.version = [0]
    before.base = None
    args = tuple([_in_type_of(a, x) for a in args])
    result = _fitting(op(before, *args, **kwargs), x)
    np.copyto(value, result.value)
    record_write(x, result)
    return x


def _overlaps(value: Any) -> bool:
    """Tell whether elements of an array lie on the same memory along an axis."""
    return any(s == 0 and n > 1 for s, n in zip(value.strides, value.shape, strict=True))


def _in_type_of(a: Any, x: Tensor) -> Any:
    """Convert a real operand to the type it will be written in, so that one node makes the result."""
    if isinstance(a, Tensor) and a.value.dtype.kind in "fc" and a.value.dtype != x.value.dtype:
        return a.to(x.dtype) if a.value.dtype.kind == x.value.dtype.kind else a
    return a


def _write_traced(x: Tensor, result: Tensor) -> Tensor:
    raise RuntimeError(
        "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args "
        "that has more elements than `self`. This happened due to `other` being vmapped over but `self` not being "
        "vmapped over in a vmap. Please try to use out-of-place operators instead of inplace arithmetic. If said operator "
        "is being called inside the PyTorch framework, please file a bug report instead."
    )


def record_write(x: Tensor, result: Tensor) -> None:
    """Give a tensor that has been written its new place in the graph."""
    version = x.version
    version[0] += 1
    edge = result.edge
    node = None if edge is None or edge is LEAF else target(edge)[0]
    if node is not None and node.cells and node.cells[-1] is result.version:
        node.cells = (*node.cells[:-1], version)  # what is kept of the output is the tensor itself
        node.seen = (*node.seen[:-1], version[0])
    base = x.base
    if base is None:
        x.edge = edge
        version[1:] = [] if node is None else [weakref.ref(node)]
        return
    root = base.root
    first = edge_of(root)
    root.edge = new_node(
        CopySlices, (first, *(node.next[1:] if node is not None else ())), (base.path, node), None, None
    )
    version[1:] = [weakref.ref(root.edge)]


def _fitting(result: Tensor, x: Tensor) -> Tensor:
    """Return a result that can be written into a tensor, or refuse it."""
    made, value = result.value, x.value
    if made.dtype != value.dtype:
        if _CATEGORY[made.dtype.kind] > _CATEGORY[value.dtype.kind]:
            raise RuntimeError(
                f"result type {FROM_NUMPY[made.dtype].type_name} can't be cast to the desired output type "
                f"{FROM_NUMPY[value.dtype].type_name}"
            )
        result = result.to(x.dtype)
    if made.shape != value.shape:
        raise RuntimeError(
            f"output with shape {list(value.shape)} doesn't match the broadcast shape {list(made.shape)}"
        )
    return result


_REALS = frozenset({float, int})


def in_place(op: Any, name: str | None = None, ufunc: Any = None) -> Any:
    """Make the in-place variant of an operation, and attach it as a method.

    With the ufunc of an operation on two floating-point operands, what is not recorded needs no copy.
    """
    spelled = name or f"{op.__name__}_"

    def written(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if ufunc is not None and len(args) == 1 and not kwargs:
            x = input.value
            other = args[0]
            y = other.value if isinstance(other, Tensor) else other
            if (
                (
                    not STATE.recording
                    or not (input.requires_grad or wants_gradient(other) or _is_hidden(input))
                )
                and type(x) is np.ndarray
                and x.dtype.kind == "f"
                and type(input.version) is list
                and (input.base is None or not _overlaps(x))
                and (type(y) in _REALS or (type(y) is np.ndarray and y.dtype is x.dtype and y.ndim <= x.ndim))
            ):
                token = silence(QUIETLY)
                try:
                    ufunc(x, y, out=x)
                except ValueError:
                    return write(input, op, args, kwargs)  # which says what is wrong
                finally:
                    unsilence(token)
                input.version[0] += 1
                return input
        return write(input, op, args, kwargs)

    written.__name__ = written.__qualname__ = spelled
    written.__module__ = "torch"
    written.__doc__ = f"As `torch.{op.__name__}`, in place."
    setattr(Tensor, spelled, written)
    return written


__all__ = ["Output", "in_place", "view", "view_onto", "wrap", "write"]
