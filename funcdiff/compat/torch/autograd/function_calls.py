"""`torch.autograd.Function` inside `torch.func` transforms: one call as a primitive whose rules are the user's.

A call meets the transforms newest first, as every primitive does.  Each level computes the outputs on the
levels below, calls `setup_context` with what it sees itself, and later `backward` or `jvp`.  What a context
holds goes between the two as a list of arrays, so that vmap can map it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from funcdiff.compat.torch import _errors
from funcdiff.compat.torch._hooks import inward, outward
from funcdiff.compat.torch._recorder import lift, lower
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.recording import newest
from funcdiff.core.trees import flatten
from funcdiff.primitives.shape import broadcast_to
from funcdiff.transforms.custom_call import CallPrimitive
from funcdiff.transforms.vmap import batch_flat, run_batch, to_front

_SEE = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"


class VmapInfo(NamedTuple):
    """What the `vmap` of a function is told of the transform."""

    batch_size: int
    randomness: str


class Kept(NamedTuple):
    """What `setup_context` left: the arrays, and all that is not mapped.

    Attributes
    ----------
    arrays : list
        The values of the tensors that the context holds.
    rest : object
        How to make a context of them.
    """

    arrays: list[Any]
    rest: Any


class Call:
    """A call on the tensors' values; `structure` says how the outputs lie, once it has run.

    Attributes
    ----------
    function : class
        The user's `Function`.
    args : list
        The arguments, None in place of tensors.
    slots : list of int
        The places of the tensors.
    """

    def __init__(self, function: Any, args: Sequence[Any], slots: Sequence[int], kwargs: Any) -> None:
        self.function = function
        self.args = args
        self.slots = slots
        self.kwargs = kwargs
        self.structure: Any = None
        self.name = function.__name__

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """Return the arguments with tensors of these values."""
        args = list(self.args)
        for n, v in zip(self.slots, values, strict=True):
            args[n] = lower(v)
        return args

    def evaluate(self, *values: Any) -> list[Any]:
        """Compute the outputs, of plain values or without following them."""
        recording, STATE.recording = STATE.recording, False
        try:
            found = self.function.forward(*self.arguments(values), **self.kwargs)
        finally:
            STATE.recording = recording
        leaves, self.structure = flatten(found)
        self.others = [None if isinstance(x, Tensor) else x for x in leaves]
        self.tensors = [isinstance(x, Tensor) for x in leaves]
        return [x.value for x in leaves if isinstance(x, Tensor)]

    def outputs(self, values: Sequence[Any]) -> Any:
        """Return the outputs as the function has them, with tensors of these values."""
        given = iter(values)
        made = [lower(next(given)) if t else x for t, x in zip(self.tensors, self.others, strict=True)]
        return self.structure.unflatten(made)

    def setup(self, values: Sequence[Any], outs: Sequence[Any], needs: Sequence[bool]) -> Kept:
        """Call `setup_context`, and return what it kept."""
        from funcdiff.compat.torch.autograd.function import context_class

        context = context_class(self.function, "Generated")()
        flags = [False] * len(self.args)
        for n, need in zip(self.slots, needs, strict=True):
            flags[n] = need
        context.needs_input_grad = tuple(flags)
        output = self.outputs(outs)
        self.function.setup_context(context, tuple(self.arguments(values)), output)
        if context._dirty:
            raise _errors.unsupported(
                f"mark_dirty inside torch.func transforms, which {self.name} uses",
                "Return a new tensor from forward instead of writing into an input.",
            )
        made = [x for x in flatten(output)[0] if isinstance(x, Tensor)]
        constant = [any(x is c for c in context._constant) for x in made]
        notes = dict(context.__dict__)
        notes.pop("_constant", None)
        saved, tree = flatten(notes)
        is_tensor = [isinstance(x, Tensor) for x in saved]
        rest = [None if t else x for t, x in zip(is_tensor, saved, strict=True)]
        kinds = [type_of(o) for o in outs], [type_of(v) for v in values]
        arrays = [lift(x) for x in saved if isinstance(x, Tensor)]
        return Kept(arrays, (rest, is_tensor, tree, constant, kinds))

    def context(self, kept: Kept) -> Any:
        """Make the context again."""
        from funcdiff.compat.torch.autograd.function import context_class

        rest, is_tensor, tree, _, _ = kept.rest
        arrays = iter(kept.arrays)
        saved = [lower(next(arrays)) if t else x for t, x in zip(is_tensor, rest, strict=True)]
        context = context_class(self.function, "Generated")()
        context.__dict__.update(tree.unflatten(saved))
        return context

    def pull(self, kept: Kept, cotangents: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the tensors by `backward`; None for zero."""
        from funcdiff.compat.torch.autograd.function import spread_out

        context = self.context(kept)
        _, _, _, constant, (out_kinds, kinds) = kept.rest
        given = [None if c else g for g, c in zip(cotangents, constant, strict=True)]
        grads = spread_out(_filled(given, out_kinds, context._materialize), self.tensors)
        found = context.gradients(grads, len(self.args))
        return [
            context.checked(n, found[p], k) for n, (p, k) in enumerate(zip(self.slots, kinds, strict=True))
        ]

    def push(self, kept: Kept, tangents: Sequence[Any]) -> list[Any]:
        """Return the tangents of the outputs by `jvp`; None for zero."""
        context = self.context(kept)
        _, _, _, constant, (_out_kinds, kinds) = kept.rest
        full: list[Any] = [None] * len(self.args)
        for n, t in zip(self.slots, _filled(tangents, kinds, context._materialize), strict=True):
            full[n] = t
        found = self.function.jvp(context, *full)
        parts = list(found) if isinstance(found, (tuple, list)) else [found]
        parts = [p for p, t in zip(parts, self.tensors, strict=True) if t]
        return [None if p is None or c else inward(p) for p, c in zip(parts, constant, strict=True)]

    def batch(self, values: Sequence[Any], flags: Sequence[bool], size: int) -> tuple[Any, ...]:
        """Compute the outputs of a batch, by the user's `vmap` or by mapping all rules."""
        function = self.function
        own = overrides(function, "vmap")
        if own and function.generate_vmap_rule:
            raise RuntimeError(
                f"You tried to vmap over {self.name}, but it has both generate_vmap_rule=True and an overridden vmap staticmethod. "
                f"Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid ambiguity. {_SEE}"
            )
        if function.generate_vmap_rule:
            return tuple(apply(Mapped(self, flags, size), values))
        if not own:
            raise RuntimeError(
                f"You tried to vmap over {self.name}, but it does not have vmap support. Please override and implement the vmap "
                f"staticmethod or set generate_vmap_rule=True. {_SEE}"
            )
        dims: list[Any] = [None] * len(self.args)
        for n, mapped in zip(self.slots, flags, strict=True):
            dims[n] = 0 if mapped else None
        info = VmapInfo(size, STATE.maps[-1][2] if STATE.maps else "error")
        found = function.vmap(info, tuple(dims), *self.arguments(values), **self.kwargs)
        if not isinstance(found, tuple) or len(found) != 2:
            raise RuntimeError(
                "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible with "
                f"the output. Got a {type(found)} instead"
            )
        return tuple(self._fronted(*found, size))

    def _fronted(self, output: Any, out_dims: Any, size: int) -> list[Any]:
        """Return the outputs of the user's `vmap` with the mapped axis in front."""
        leaves, self.structure = flatten(output)
        self.others = [None if isinstance(x, Tensor) else x for x in leaves]
        self.tensors = [isinstance(x, Tensor) for x in leaves]
        dims = [out_dims] * len(leaves)
        if isinstance(out_dims, (tuple, list)):
            if not isinstance(output, (tuple, list)) or len(out_dims) != len(leaves):
                raise RuntimeError(
                    f"The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) tuple. Expected "
                    f"out_dims={out_dims} to be compatible with the structure of `output`. out_dims has structure "
                    f"{flatten(out_dims)[1]!r} but output has structure {self.structure!r}. {_SEE}"
                )
            dims = list(out_dims)
        outs = []
        for x, dim in zip(leaves, dims, strict=True):
            if isinstance(x, Tensor):
                value = lift(x)
                shape = type_of(value).shape
                outs.append(
                    broadcast_to(value, shape=(size, *shape)) if dim is None else to_front(value, dim)
                )
        return outs


class Mapped:
    """A call whose every part is mapped over the first axis of the flagged values."""

    def __init__(self, inner: Any, flags: Sequence[bool], size: int) -> None:
        self.inner = inner
        self.flags = list(flags)
        self.size = size
        self.name = f"Vmapped{inner.name}"

    def evaluate(self, *values: Any) -> list[Any]:
        """Compute the outputs of the batch."""
        return batch_flat(self.inner.evaluate, self.flags, self.size)(*values)

    def _run(self, f: Callable[..., tuple[list[Any], Any]], values: Sequence[Any], flags: Any) -> Any:
        return run_batch(f, values, flags, self.size)

    def setup(self, values: Sequence[Any], outs: Sequence[Any], needs: Sequence[bool]) -> Kept:
        """Call `setup_context` of the mapped call."""
        n = len(values)

        def call(boxes: Sequence[Any]) -> tuple[list[Any], Any]:
            kept = self.inner.setup(boxes[:n], boxes[n:], needs)
            return list(kept.arrays), kept.rest

        pairs, rest = self._run(call, [*values, *outs], [*self.flags, *[True] * len(outs)])
        return Kept([x for x, _ in pairs], (rest, [m for _, m in pairs]))

    def _rule(
        self, rule: Callable[..., list[Any]], kept: Kept, given: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        """Map a rule over what was kept and the cotangents or tangents that are not zero."""
        rest, flags = kept.rest
        count = len(kept.arrays)
        present = [n for n, g in enumerate(given) if g is not None]

        def call(boxes: Sequence[Any]) -> tuple[list[Any], Any]:
            full: list[Any] = [None] * len(given)
            for n, b in zip(present, boxes[count:], strict=True):
                full[n] = b
            found = rule(Kept(list(boxes[:count]), rest), full)
            return [f for f in found if f is not None], [f is None for f in found]

        values = [*kept.arrays, *[given[n] for n in present]]
        pairs, missing = self._run(call, values, [*flags, *self._mapped(rule, present)])
        return [x if m else broadcast_to(x, shape=(self.size, *type_of(x).shape)) for x, m in pairs], missing

    def _mapped(self, rule: Any, present: Sequence[int]) -> list[bool]:
        """Tell which cotangents (all) or tangents (those of mapped values) are mapped."""
        return [self.flags[n] if rule == self.inner.push else True for n in present]

    def pull(self, kept: Kept, cotangents: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the values, summed where the batch shares one."""
        found, missing = self._rule(self.inner.pull, kept, cotangents)
        full = iter(found)
        return [
            None if gone else next(full) if mapped else np.sum(next(full), axis=0)
            for gone, mapped in zip(missing, self.flags, strict=True)
        ]

    def push(self, kept: Kept, tangents: Sequence[Any]) -> list[Any]:
        """Return the tangents of the outputs."""
        found, missing = self._rule(self.inner.push, kept, tangents)
        full = iter(found)
        return [None if gone else next(full) for gone in missing]

    def batch(self, values: Sequence[Any], flags: Sequence[bool], size: int) -> tuple[Any, ...]:
        """Map the mapped call again."""
        return tuple(apply(Mapped(self, flags, size), values))


class Rules:
    """What a primitive of one call has as its `custom`: the rules of `Call` or `Mapped`, in every mode."""

    takes_none = True

    def __init__(self, call: Any) -> None:
        self.call = call
        self.pull: Any = None
        self.push: Any = None
        self.node_name = f"{call.name}Backward"

    def reverse(self, level: int, primitive: Any, values: Sequence[Any], places: Sequence[int]) -> Any:
        """Compute the outputs, and what the sweeps will need."""
        if all(p < 0 for p in places):
            return None
        call = self.call
        outs = primitive.function(*values)
        needs = [p >= 0 for p in places]
        kept = call.setup(values, outs, needs)
        below = newest([*values, *outs])

        def again(out: Any, args: Any) -> Any:
            """What was kept, as it is recorded by a sweep that is itself differentiated."""
            if newest([*args, *out]) is below or any(type(a) is ArrayType for a in args):
                return kept
            return call.setup(args, out, needs)

        def pull(g: Any, needed: Sequence[int], out: Any, args: Any, _params: Any) -> list[Any]:
            found = call.pull(again(out, args), g)
            return [found[n] for n in needed]

        def push(tangents: Sequence[Any], out: Any, args: Any, _params: Any) -> Any:
            found = call.push(again(out, args), tangents)
            return tuple(_zero(o) if t is None else t for t, o in zip(found, out, strict=True))

        rules = Rules(call)
        rules.pull, rules.push = pull, push
        return _primitive(rules), outs

    def forward(self, level: int, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Compute the outputs and their tangents."""
        call = self.call
        outs = _primitive(self).function(*values)
        kept = call.setup(values, outs, [t is not None for t in tangents])
        return outs, tuple(call.push(kept, tangents))

    def batch(
        self, primitive: Any, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any
    ) -> Any:
        """Apply the call to a batch."""
        return self.call.batch(values, flags, size)


def _primitive(rules: Rules) -> Any:
    def impl(*values: Any, **_: Any) -> tuple[Any, ...]:
        return tuple(rules.call.evaluate(*values))

    return CallPrimitive(rules.call.name, impl, multiple_outputs=True, custom=rules, holomorphic=True)


def apply(call: Any, values: Sequence[Any]) -> tuple[Any, ...]:
    """Compute the outputs of a call on the newest level among its values."""
    out: tuple[Any, ...] = _primitive(Rules(call)).function(*values)
    return out


def apply_followed(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Apply a `Function` to arguments that a transform follows."""
    slots = [n for n, a in enumerate(args) if isinstance(a, Tensor)]
    call = Call(function, [None if isinstance(a, Tensor) else a for a in args], slots, kwargs)
    return call.outputs(apply(call, [lift(args[n]) for n in slots]))


def overrides(function: Any, name: str) -> bool:
    """Tell whether a user's `Function` has a static method of its own."""
    from funcdiff.compat.torch.autograd.function import Function

    return getattr(function, name) is not getattr(Function, name)


def check_followed(function: Any) -> None:
    """Refuse a `Function` without `setup_context`."""
    if not overrides(function, "setup_context"):
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
            f"setup_context staticmethod. {_SEE}"
        )


def _filled(parts: Sequence[Any], kinds: Sequence[ArrayType], materialize: bool) -> list[Any]:
    """Return gradient tensors, zeros for those that are missing if they are wanted."""
    return [
        outward(np.zeros(k.shape, k.dtype) if p is None else p) if materialize or p is not None else None
        for p, k in zip(parts, kinds, strict=True)
    ]


def _zero(o: Any) -> Any:
    kind = type_of(o)
    return np.zeros(kind.shape, kind.dtype if kind.dtype.kind in "fc" else float)
