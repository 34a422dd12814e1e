"""One call of a function with custom rules, as a primitive: its rules in every mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.matching import convert
from funcdiff.core.primitive import General
from funcdiff.core.recording import apply, newest
from funcdiff.core.trees import flatten
from funcdiff.transforms.arguments import leaf_value
from funcdiff.transforms.record_rules import push_by_transposing
from funcdiff.transforms.reverse import record
from funcdiff.transforms.vmap import batch_flat

Flat = Callable[..., list[Any]]


class CallPrimitive(General):
    """The primitive of one call; its function refers to it, but not it to its function.

    In a cycle, the residuals of every call would be kept until the garbage collector runs.
    """

    @property
    def function(self) -> Any:  # type: ignore[override]
        """What applies the call."""

        def function(*values: Any, **params: Any) -> Any:
            return apply(self, values, params)

        function.__name__ = self.name
        return function


class Call:
    """One call of a function with custom rules, on leaves; it is the `custom` of a primitive."""

    def __init__(
        self, name: str, f: Flat, jvp: Callable[..., Any] | None, fwd: Flat | None, bwd: Any
    ) -> None:
        self.name = name
        self.f = f
        self.jvp = jvp  # (primals, tangents) -> (outs, tangents), all flat
        self.fwd = fwd  # primals -> (outs, residuals)
        self.bwd = bwd  # (residuals, cotangents) -> cotangents, flat, None for zero
        self.pull: Any = None
        self.push: Any = None

    def primitive(self) -> General:
        """Return the primitive that applies this call."""
        return CallPrimitive(
            self.name,
            lambda *values, **_: tuple(self.f(*values)),
            multiple_outputs=True,
            custom=self,
            holomorphic=True,
        )

    def reverse(self, level: int, primitive: General, values: Sequence[Any], places: Sequence[int]) -> Any:
        """Evaluate under reverse mode; return the primitive to record and the outputs."""
        if all(p < 0 for p in places):
            return None
        if self.fwd is None:
            if self.jvp is None:
                raise self._no_rule()
            out = primitive.function(*values)
            self._check_level(level, out)
            return self._ruled(self._pull_of_jvp, self._push_of_jvp), out
        outs, residuals = self.fwd(*values)
        self._check_level(level, outs)

        def pull(g: Any, needed: Sequence[int], _out: Any, args: Any, _params: Any) -> list[Any]:
            found = self._checked_cotangents(self.bwd(residuals, list(g)), args)
            return [found[n] for n in needed]

        def push(tangents: Sequence[Any], out: Any, args: Any, _params: Any) -> Any:
            if self.jvp is not None:
                return self._push_of_jvp(tangents, out, args, _params)
            return self._push_of_bwd(residuals, tangents, out, args)

        return self._ruled(pull, push), tuple(outs)

    def forward(self, level: int, values: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Evaluate under forward mode; return (outputs, tangents)."""
        if self.jvp is not None:
            full = self._full(tangents, values)
            outs, found = self.jvp(values, full)
            self._check_level(level, [*outs, *found])
            return tuple(outs), tuple(self._checked_tangents(found, outs))
        if self.fwd is None:
            raise self._no_rule()
        outs, residuals = self.fwd(*values)
        self._check_level(level, outs)
        return tuple(outs), self._push_of_bwd(residuals, tangents, tuple(outs), values)

    def batch(
        self, primitive: General, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any
    ) -> Any:
        """Apply the call to a batch: its function and rules, each under vmap."""
        f, fwd, bwd, jvp = self.f, self.fwd, self.bwd, self.jvp
        count = len(values)

        def batched_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
            def both(*leaves: Any) -> list[Any]:
                outs, found = jvp(leaves[:count], leaves[count:])  # type: ignore[misc]
                return [*outs, *found]

            # tangents arrive batched: zeros of unmapped arguments have been broadcast with them
            full = [_batch_tangent(t, v, f_, size) for t, v, f_ in zip(tangents, primals, flags, strict=True)]
            outs = batch_flat(both, [*flags, *[True] * count], size)(*primals, *full)
            half = len(outs) // 2
            found = outs[half:]
            return outs[:half], found

        def batched_fwd(*leaves: Any) -> Any:
            trees: list[Any] = []

            def flat(*boxes: Any) -> list[Any]:
                outs, residuals = fwd(*boxes)  # type: ignore[misc]
                kept, tree = flatten(residuals)
                arrays = [leaf_value(k) for k in kept]
                trees[:] = [tree, len(outs)]
                return [*outs, *arrays]

            out = batch_flat(flat, flags, size)(*leaves)
            tree, n = trees
            return out[:n], (out[n:], tree)

        def batched_bwd(residuals: Any, cotangents: Any) -> list[Any]:
            arrays, tree = residuals

            def flat(*boxes: Any) -> list[Any]:
                found = bwd(tree.unflatten(boxes[: len(arrays)]), list(boxes[len(arrays) :]))
                return [np.zeros(()) if g is None else g for g in found]

            n = len(arrays) + len(cotangents)
            found = batch_flat(flat, [True] * n, size)(*arrays, *cotangents)
            return [g if mapped else np.sum(g, axis=0) for g, mapped in zip(found, flags, strict=True)]

        call = Call(
            self.name,
            batch_flat(f, flags, size),
            batched_jvp if jvp is not None else None,
            batched_fwd if fwd is not None else None,
            batched_bwd,
        )
        return call.primitive().function(*values)

    def _ruled(self, pull: Any, push: Any) -> General:
        """Return a primitive whose record pulls and pushes by these functions."""
        call = Call(self.name, self.f, self.jvp, self.fwd, self.bwd)
        call.pull, call.push = pull, push
        return call.primitive()

    def _pull_of_jvp(self, g: Any, needed: Sequence[int], _out: Any, args: Any, _params: Any) -> list[Any]:
        kinds = [type_of(args[n]) for n in needed]

        def tangent(*ts: Any) -> list[Any]:
            given = dict(zip(needed, ts, strict=True))
            full = self._full([given.get(n) for n in range(len(args))], args)
            outs, found = self.jvp(args, full)  # type: ignore[misc]
            return self._checked_tangents(found, outs)

        return record(tangent, [np.zeros(k.shape, k.dtype) for k in kinds]).pull(list(g))

    def _push_of_jvp(self, tangents: Sequence[Any], _out: Any, args: Any, _params: Any) -> Any:
        outs, found = self.jvp(args, self._full(tangents, args))  # type: ignore[misc]
        return tuple(self._checked_tangents(found, outs))

    def _push_of_bwd(self, residuals: Any, tangents: Sequence[Any], out: Any, args: Any) -> Any:
        active = [n for n, t in enumerate(tangents) if t is not None]
        total: Any = None
        for n in active:

            def pull(g: Any, n: int = n) -> Any:
                found = self._checked_cotangents(self.bwd(residuals, list(g)), args)[n]
                return np.zeros(args[n].shape) if found is None else found

            pushed = push_by_transposing(pull, out, tangents[n])
            total = pushed if total is None else tuple(a + b for a, b in zip(total, pushed, strict=True))
        return total

    def _full(self, tangents: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        full = []
        for t, v in zip(tangents, values, strict=True):
            kind = type_of(v)
            dtype = kind.dtype if kind.dtype.kind in "fc" else np.dtype(float)
            full.append(np.zeros(kind.shape, dtype)[()] if t is None else t)
        return full

    def _checked_tangents(self, found: Sequence[Any], outs: Sequence[Any]) -> list[Any]:
        if len(found) != len(outs):
            raise errors.CustomRuleError(
                errors.at_user_line(
                    f"the JVP rule of {self.name} returned {len(found)} tangents for {len(outs)} outputs"
                )
            )
        return [
            self._fit(t, type_of(o), f"JVP rule of {self.name}", "tangent", n)
            for n, (t, o) in enumerate(zip(found, outs, strict=True))
        ]

    def _checked_cotangents(self, found: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        if len(found) != len(args):
            raise errors.CustomRuleError(
                errors.at_user_line(
                    f"the backward rule of {self.name} returned {len(found)} cotangents for {len(args)} differentiable "
                    "inputs; it must return one per input, None where it is zero"
                )
            )
        return [
            None if g is None else self._fit(g, type_of(a), f"backward rule of {self.name}", "cotangent", n)
            for n, (g, a) in enumerate(zip(found, args, strict=True))
        ]

    def _fit(self, x: Any, kind: ArrayType, rule: str, what: str, n: int) -> Any:
        value = leaf_value(x)
        if kind.dtype.kind not in "fc":
            return None if what == "cotangent" else np.zeros(kind.shape)
        shape = tuple(getattr(value, "shape", ("?",)))
        if shape != kind.shape:
            raise errors.CustomRuleError(
                errors.at_user_line(
                    f"the {rule} returned a {what} of shape {shape} at place {n}; it must be {kind.shape}"
                )
            )
        return convert(value, kind.dtype) if value.dtype != kind.dtype else value

    def _check_level(self, level: int, outs: Sequence[Any]) -> None:
        """Refuse outputs that depend on a traced value the function closes over, on this level or above."""
        found = newest(outs)
        if found is not None and found.level >= level:
            raise errors.CustomRuleError(
                errors.at_user_line(
                    f"{self.name} has a custom derivative rule and closes over a traced value that is being "
                    "differentiated, so that derivative would be lost. Pass the value as an argument."
                )
            )

    def _no_rule(self) -> errors.MissingRuleError:
        return errors.MissingRuleError(
            errors.at_user_line(
                f"{self.name} is declared with custom_jvp or custom_vjp and has no rule yet. Attach one: "
                f"{self.name}.defjvp(rule) or {self.name}.defvjp(fwd, bwd)."
            )
        )


def _batch_tangent(t: Any, v: Any, mapped: bool, size: int) -> Any:
    """Give a tangent the batch axis that its primal lacks."""
    if mapped:
        return t
    shape = t.shape
    return np.broadcast_to(t, (size, *shape))
