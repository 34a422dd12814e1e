"""Functions of tensors in containers, as functions of lists of values; what `torch.func` says of containers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff.compat.torch._printing import DEPTHS
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.core.array_type import type_of
from funcdiff.core.recording import TracedArray
from funcdiff.core.trees import flatten
from funcdiff.transforms.sweeps import Recording

CONTAINERS = (tuple, list, dict)


def is_tensor(x: Any) -> bool:
    """Tell whether a leaf is a tensor."""
    return isinstance(x, Tensor)


def described(x: Any, indent: int = 0) -> str:
    """Write the structure of containers as PyTorch does."""
    if not isinstance(x, CONTAINERS):
        return "*"
    parts = list(x.values()) if isinstance(x, dict) else list(x)
    keys = list(x) if isinstance(x, dict) else None
    inside = [described(p, indent + 2) for p in parts]
    return f"TreeSpec({type(x).__name__}, {keys}, [" + (",\n" + " " * (indent + 2)).join(inside) + "])"


def note_depth(boxes: Sequence[Any]) -> Any:
    """Remember how deep a transform is nested, for printing; return its recorder."""
    for b in boxes:
        if type(b) is TracedArray:
            DEPTHS[b.recorder] = STATE.transforms
            return b.recorder
    return None


class Flat:
    """A function of tensors in containers, as a function of a list of values.

    Attributes
    ----------
    caller : str
        The transform, for errors.
    pair : str
        What is wrong with a result that is no pair, if it must be one.
    """

    def __init__(
        self, f: Callable[..., Any], args: Any, kwargs: Any, argnums: Any, has_aux: bool, caller: str
    ) -> None:
        self.f = f
        self.has_aux = has_aux
        self.args = args
        self.kwargs = kwargs
        self.argnums = numbers(argnums, len(args))
        self.caller = caller
        leaves, self.tree = flatten(tuple(args[n] for n in self.argnums))
        for x in leaves:
            if not is_tensor(x):
                raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        self.tensors = leaves
        self.values = [lift(x) for x in leaves]
        self.result: Any = None
        self.out_tree: Any = None
        self.aux_tree: Any = None
        self.aux_leaves: list[Any] = []
        self.outputs = 0

    def __call__(self, *values: Any) -> list[Any]:  # noqa: D102  (the class says)
        given = self.tree.unflatten([wrap(v) for v in values])
        args = list(self.args)
        for n, x in zip(self.argnums, given, strict=True):
            args[n] = x
        recording, STATE.recording = STATE.recording, True if STATE.recording is False else STATE.recording
        STATE.transforms += 1
        note_depth(values)
        try:
            out = self.f(*args, **self.kwargs)
        finally:
            STATE.transforms -= 1
            STATE.recording = recording
        if self.has_aux:
            out = self._without_aux(out)
        leaves, self.out_tree = flatten(out)
        self.result = out
        for x in leaves:
            if not is_tensor(x):
                raise RuntimeError(self._refusal(x))
        self.outputs = len(leaves)
        return [lift(x) for x in (*leaves, *self.aux_leaves)]

    def _without_aux(self, out: Any) -> Any:
        if not isinstance(out, tuple) or len(out) != 2:
            raise RuntimeError(
                f"{self.caller}: output of function f should be a tuple: (output, aux) if has_aux is True"
            )
        out, aux = out
        self.aux_leaves, self.aux_tree = flatten(aux)
        for x in self.aux_leaves:
            if not is_tensor(x):
                raise RuntimeError(f"Expected tensors, got unsupported type {type(x)}")
        return out

    def _refusal(self, x: Any) -> str:
        if self.caller.startswith("grad"):
            return f"{self.caller}: Expected f(*args) to return a Tensor, got {type(self.result)}"
        call = "f(*primals)"
        return f"{self.caller}: expected {call} to return only tensors, got unsupported type {type(x)}"

    def check_real(self) -> None:
        """Refuse integers."""
        for x in self.tensors:
            if x.value.dtype.kind not in "fc":
                raise RuntimeError("only Tensors of floating point dtype can require gradients")

    def aux(self, values: Sequence[Any]) -> Any:
        """Return the auxiliary output, its tensors without the transform's own tracing."""
        return self.aux_tree.unflatten([lower(v) for v in values])

    def wrap_out(self, values: Sequence[Any]) -> Any:
        """Return outputs in the function's structure."""
        return self.out_tree.unflatten([lower(v) for v in values])


def numbers(argnums: Any, count: int) -> tuple[int, ...]:
    """Return which arguments are meant, checked against how many there are."""
    if not isinstance(argnums, (int, tuple)) or isinstance(argnums, bool):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    found = argnums if isinstance(argnums, tuple) else (argnums,)
    if not found:
        raise RuntimeError("argnums must be non-empty")
    places = []
    for n in found:
        if not isinstance(n, int):
            raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {argnums}")
        if not -count <= n < count:
            raise RuntimeError(f"Got argnum={n}, but only {count} positional inputs")
        places.append(n % count)
    if len(set(places)) != len(places):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(places)


def of_argnums(argnums: Any, found: Any) -> Any:
    """Return what belongs to each argument, bare for a single number."""
    return found[0] if isinstance(argnums, int) else found


def _conj(x: Any) -> Any:
    return np.conj(x) if type_of(x).dtype.kind == "c" else x


def pulled(recording: Recording, seeds: Sequence[Any]) -> list[Any]:
    """Pull PyTorch's cotangents, which are the conjugates of the functional layer's."""
    return [_conj(g) for g in recording.pull([None if s is None else _conj(s) for s in seeds])]


def zero(o: Any) -> Any:
    """Return the zero of a value's tangent space."""
    kind = type_of(o)
    return np.zeros(kind.shape, kind.dtype)
