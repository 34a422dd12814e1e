"""`custom_jvp`, `custom_vjp`: a function with derivative rules of its own, one or both.

A call is applied as a primitive of its own, whose rules are the user's.  With a JVP rule only, reverse
mode transposes it; with a VJP rule only, forward mode transposes the pullback (it is linear in the
cotangent).  With both, each mode uses its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.matching import convert
from funcdiff.core.primitive import General
from funcdiff.core.recording import apply, newest
from funcdiff.core.trees import LEAF, AnyTree, flatten
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.gradient import wrap
from funcdiff.transforms.reverse import push_by_transposing, record
from funcdiff.transforms.vmap import batch_flat

Flat = Callable[..., list[Any]]


class Call:
    """One call of a function with custom rules, on leaves; it is the `custom` of a primitive."""

    def __init__(self, name: str, f: Flat, jvp: Callable[..., Any] | None, fwd: Flat | None, bwd: Any) -> None:
        self.name = name
        self.f = f
        self.jvp = jvp  # (primals, tangents) -> (outs, tangents), all flat
        self.fwd = fwd  # primals -> (outs, residuals)
        self.bwd = bwd  # (residuals, cotangents) -> cotangents, flat, None for zero
        self.pull: Any = None
        self.push: Any = None

    def primitive(self) -> General:
        """Return the primitive that applies this call."""
        primitive = General(
            self.name,
            lambda *values, **_: tuple(self.f(*values)),
            multiple_outputs=True,
            custom=self,
            holomorphic=True,
        )
        primitive.function = lambda *values, **params: apply(primitive, values, params)
        primitive.function.__name__ = self.name
        return primitive

    def reverse(self, primitive: General, values: Sequence[Any], params: Any, places: Sequence[int]) -> Any:
        """Evaluate under reverse mode; return the primitive to record and the outputs."""
        if all(p < 0 for p in places):
            return None
        if self.fwd is None:
            if self.jvp is None:
                raise self._no_rule()
            out = primitive.function(*values)
            return self._ruled(self._pull_of_jvp, self._push_of_jvp), out
        outs, residuals = self.fwd(*values)
        self._check_level(outs, values)

        def pull(g: Any, needed: Sequence[int], _out: Any, args: Any, _params: Any) -> list[Any]:
            found = self._checked_cotangents(self.bwd(residuals, list(g)), args)
            return [found[n] for n in needed]

        def push(tangents: Sequence[Any], out: Any, args: Any, _params: Any) -> Any:
            if self.jvp is not None:
                return self._push_of_jvp(tangents, out, args, _params)
            return self._push_of_bwd(residuals, tangents, out, args)

        return self._ruled(pull, push), tuple(outs)

    def forward(self, primitive: General, values: Sequence[Any], tangents: Sequence[Any], params: Any) -> Any:
        """Evaluate under forward mode; return (outputs, tangents)."""
        if self.jvp is not None:
            full = self._full(tangents, values)
            outs, found = self.jvp(values, full)
            self._check_level([*outs, *found], [*values, *full])
            return tuple(outs), tuple(self._checked_tangents(found, outs))
        if self.fwd is None:
            raise self._no_rule()
        outs, residuals = self.fwd(*values)
        self._check_level(outs, values)
        return tuple(outs), self._push_of_bwd(residuals, tangents, tuple(outs), values)

    def batch(self, primitive: General, values: Sequence[Any], flags: Sequence[bool], size: int, params: Any) -> Any:
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
        return [self._fit(t, type_of(o), f"JVP rule of {self.name}", "tangent", n) for n, (t, o) in enumerate(zip(found, outs, strict=True))]

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
                errors.at_user_line(f"the {rule} returned a {what} of shape {shape} at place {n}; it must be {kind.shape}")
            )
        return convert(value, kind.dtype) if value.dtype != kind.dtype else value

    def _check_level(self, outs: Sequence[Any], inputs: Sequence[Any]) -> None:
        """Refuse outputs that depend on a traced value the function closes over."""
        allowed = newest(inputs)
        level = -1 if allowed is None else allowed.level
        found = newest(outs)
        if found is not None and found.level > level and not found.batch:
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


class CustomFunction:
    """A function with derivative rules of its own; `custom_jvp` and `custom_vjp` make it."""

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        self.f = f
        self.nondiff_argnums = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        self.jvp_rule: Callable[..., Any] | None = None
        self.vjp_rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        wrap(f, "custom")(self)
        self.__name__ = errors.function_name(f)
        self.__doc__ = f.__doc__
        self.__wrapped__ = f

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Attach a JVP rule.

        Parameters
        ----------
        rule : callable
            ``rule(*nondiff_args, primals, tangents) -> (output, output_tangent)``, with a tuple of
            primals and a tuple of tangents, zeros where an input is not differentiated; linear in the
            tangents and written with NumPy or funcdiff functions.

        Returns
        -------
        callable
            The rule, so that this may be used as a decorator.
        """
        self.jvp_rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Attach one JVP rule per argument, ``rule(tangent, output, *args)``; None for zero."""

        def rule(*args: Any) -> Any:
            nondiff, (primals, tangents) = args[:-2], args[-2:]
            out = self(*self._merge(nondiff, primals))
            terms = [r(t, out, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            total = sum(terms[1:], terms[0]) if terms else out * 0
            return out, total

        self.jvp_rule = rule

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Attach a VJP rule.

        Parameters
        ----------
        fwd : callable
            ``fwd(*args) -> (output, residuals)``.
        bwd : callable
            ``bwd(*nondiff_args, residuals, cotangent) -> cotangents``, a tuple with one per differentiable
            argument, None where it is zero.
        """
        self.vjp_rules = (fwd, bwd)

    def _merge(self, nondiff: Sequence[Any], diff: Sequence[Any]) -> list[Any]:
        static, rest = iter(nondiff), iter(diff)
        total = len(nondiff) + len(diff)
        return [next(static) if n in self.nondiff_argnums else next(rest) for n in range(total)]

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if not kwargs:
            return args
        try:
            bound = inspect.signature(self.f).bind(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise errors.StructureError(errors.at_user_line(f"{self.__name__}: {error}")) from error
        bound.apply_defaults()
        if bound.kwargs:
            raise errors.StructureError(
                errors.at_user_line(
                    f"{self.__name__} has custom derivative rules, so its arguments must be positional; "
                    f"{errors.enumerate_words(bound.kwargs)} cannot be"
                )
            )
        return bound.args

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self._positional(args, kwargs)
        nondiff = [a for n, a in enumerate(args) if n in self.nondiff_argnums]
        diff = tuple(a for n, a in enumerate(args) if n not in self.nondiff_argnums)
        leaves, tree = flatten(diff)
        leaves = [leaf_value(x) for x in leaves]
        out_tree: list[AnyTree] = [LEAF]

        def flat(*values: Any) -> list[Any]:
            outs, out_tree[0] = flatten(self.f(*self._merge(nondiff, tree.unflatten(values))))
            return [leaf_value(o) for o in outs]

        def flat_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
            result = self.jvp_rule(*nondiff, tree.unflatten(primals), tree.unflatten(tangents))  # type: ignore[misc]
            if not (isinstance(result, tuple) and len(result) == 2):
                raise errors.CustomRuleError(
                    errors.at_user_line(
                        f"the JVP rule of {self.__name__} must return a pair (output, output tangent), not "
                        f"{type(result).__name__}"
                    )
                )
            outs, out_tree[0] = flatten(result[0])
            found, found_tree = flatten(result[1])
            if not found_tree == out_tree[0]:
                raise errors.CustomRuleError(
                    errors.at_user_line(
                        f"the JVP rule of {self.__name__} returned a tangent of structure {found_tree!r} for an output "
                        f"of structure {out_tree[0]!r}"
                    )
                )
            return [leaf_value(o) for o in outs], found

        def flat_fwd(*values: Any) -> Any:
            result = self.vjp_rules[0](*self._merge(nondiff, tree.unflatten(values)))  # type: ignore[index]
            if not (isinstance(result, tuple) and len(result) == 2):
                raise errors.CustomRuleError(
                    errors.at_user_line(
                        f"the forward rule of {self.__name__} must return a pair (output, residuals), not "
                        f"{type(result).__name__}"
                    )
                )
            outs, out_tree[0] = flatten(result[0])
            return [leaf_value(o) for o in outs], result[1]

        def flat_bwd(residuals: Any, cotangents: list[Any]) -> list[Any]:
            found = self.vjp_rules[1](*nondiff, residuals, out_tree[0].unflatten(cotangents))  # type: ignore[index]
            if not isinstance(found, (tuple, list)) or len(found) != len(diff):
                count = len(found) if isinstance(found, (tuple, list)) else type(found).__name__
                raise errors.CustomRuleError(
                    errors.at_user_line(
                        f"the backward rule of {self.__name__} must return a tuple with one cotangent for each of its "
                        f"{len(diff)} differentiable arguments; it returned {count}"
                    )
                )
            return [g for part, d in zip(found, diff, strict=True) for g in _spread(part, d)]

        call = Call(
            self.__name__,
            flat,
            flat_jvp if self.jvp_rule is not None else None,
            flat_fwd if self.vjp_rules is not None else None,
            flat_bwd,
        )
        out = call.primitive().function(*leaves)
        return out_tree[0].unflatten(out)


def _spread(part: Any, argument: Any) -> list[Any]:
    """Spread one argument's cotangent over its leaves; None is zero for all of them."""
    if part is None:
        return [None] * len(flatten(argument)[0])
    return flatten(part)[0]


def custom_jvp(f: Callable[..., Any] | None = None, *, nondiff_argnums: Sequence[int] = ()) -> Any:
    """Give a function a derivative rule of its own, stated for forward mode.

    Reverse mode transposes the rule, unless a VJP rule is attached too (``f.defvjp``).

    Parameters
    ----------
    f : callable
        The function; attach the rule with ``f.defjvp`` (or ``f.defjvps``, one per argument).
    nondiff_argnums : sequence of int
        Positional arguments that are not arrays, such as functions; the rule gets them first.

    Returns
    -------
    CustomFunction
        Called as `f` is.

    Raises
    ------
    CustomRuleError
        When differentiated, if the rule returns something of the wrong structure or shape, or the
        function closes over a traced value.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> @fd.custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t / (1 + np.exp(-x))
    >>> fd.grad(log1pexp)(0.0)
    np.float64(0.5)
    """
    if f is None:
        return lambda g: CustomFunction(g, nondiff_argnums)
    check_callable("custom_jvp", f)
    return CustomFunction(f, nondiff_argnums)


def custom_vjp(f: Callable[..., Any] | None = None, *, nondiff_argnums: Sequence[int] = ()) -> Any:
    """Give a function a derivative rule of its own, stated for reverse mode.

    Forward mode transposes the rule, unless a JVP rule is attached too (``f.defjvp``).

    Parameters
    ----------
    f : callable
        The function; attach the rules with ``f.defvjp(fwd, bwd)``.
    nondiff_argnums : sequence of int
        Positional arguments that are not arrays, such as functions; ``bwd`` gets them first.

    Returns
    -------
    CustomFunction
        Called as `f` is.

    Raises
    ------
    CustomRuleError
        When differentiated, if a rule returns something of the wrong structure or shape, or the
        function closes over a traced value.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> @fd.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1, 1),))
    >>> fd.grad(lambda x: clip_gradient(x) * 10.0)(2.0)
    np.float64(1.0)
    """
    if f is None:
        return lambda g: CustomFunction(g, nondiff_argnums)
    check_callable("custom_vjp", f)
    return CustomFunction(f, nondiff_argnums)


__all__ = ["CustomFunction", "custom_jvp", "custom_vjp"]
