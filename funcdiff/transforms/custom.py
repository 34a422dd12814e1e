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
from funcdiff.core.recording import newest
from funcdiff.core.trees import LEAF, AnyTree, flatten
from funcdiff.transforms.arguments import check_callable, leaf_value
from funcdiff.transforms.custom_call import Call
from funcdiff.transforms.gradient import wrap

Flat = Callable[..., list[Any]]


def read_only(values: Sequence[Any]) -> list[Any]:
    """Return arguments that a function with rules of its own cannot write to: they belong to the caller."""
    views = [v.view() if type(v) is np.ndarray else v for v in values]
    for v in views:
        if type(v) is np.ndarray:
            v.flags.writeable = False
    return views


class CustomFunction:
    """A function with derivative rules of its own; `custom_jvp` and `custom_vjp` make it."""

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        self.f = f
        self.nondiff_argnums = (
            (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        )
        self.jvp_rule: Callable[..., Any] | None = None
        self.vjp_rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        wrap(f, "custom")(self)
        self.__name__ = str(getattr(f, "__name__", errors.function_name(f)))
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
        # the rules must not hold the arguments: traced arrays would make a cycle with their tape
        sizes = [len(flatten(d)[0]) for d in diff]
        if newest(leaves) is None:
            return self.f(*args)
        out_tree: list[AnyTree] = [LEAF]

        def flat(*values: Any) -> list[Any]:
            outs, out_tree[0] = flatten(self.f(*self._merge(nondiff, tree.unflatten(read_only(values)))))
            return [leaf_value(o) for o in outs]

        def flat_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
            result = self.jvp_rule(*nondiff, tree.unflatten(read_only(primals)), tree.unflatten(tangents))  # type: ignore[misc]
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
            result = self.vjp_rules[0](*self._merge(nondiff, tree.unflatten(read_only(values))))  # type: ignore[index]
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
            if not isinstance(found, (tuple, list)) or len(found) != len(sizes):
                count = len(found) if isinstance(found, (tuple, list)) else type(found).__name__
                raise errors.CustomRuleError(
                    errors.at_user_line(
                        f"the backward rule of {self.__name__} must return a tuple with one cotangent for each of its "
                        f"{len(sizes)} differentiable arguments; it returned {count}"
                    )
                )
            return [g for part, size in zip(found, sizes, strict=True) for g in _spread(part, size)]

        call = Call(
            self.__name__,
            flat,
            flat_jvp if self.jvp_rule is not None else None,
            flat_fwd if self.vjp_rules is not None else None,
            flat_bwd,
        )
        out = call.primitive().function(*leaves)
        return out_tree[0].unflatten(out)


def _spread(part: Any, size: int) -> list[Any]:
    """Spread one argument's cotangent over its leaves; None is zero for all of them."""
    return [None] * size if part is None else flatten(part)[0]


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
