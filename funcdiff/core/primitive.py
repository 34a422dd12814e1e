"""The five kinds of primitive, as data.

A primitive declares the least that mathematics needs, once; every transform derives the rest from its
kind.  Arrays are positional, static facts are keyword-only.  Each rule is written with funcdiff's own
primitives and operators, so that derivatives of derivatives come by themselves.

A rule receives the output first (where its kind has one to give) and then every array argument.  An
argument whose name starts with an underscore is not read: it may be None or an `ArrayType`, so
nothing is kept alive for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Function = Callable[..., Any]
Samples = Callable[[Any], Sequence[tuple[tuple[Any, ...], dict[str, Any]]]]
"""Given a `numpy.random.Generator`, argument and parameter samples from the domain, for the tests."""


@dataclass(frozen=True, eq=False)
class Over:
    """A partial derivative ``1 / denominator``, stated so that ``g / denominator`` is what is computed."""

    denominator: Function


def first(_out: Any, x: Any, _y: Any) -> Any:
    """Return the first operand: the partial derivative of a product with respect to the second."""
    return x


def second(_out: Any, _x: Any, y: Any) -> Any:
    """Return the second operand: the partial derivative of a product with respect to the first."""
    return y


def result(out: Any, _x: Any) -> Any:
    """Return the result: the derivative of the exponential."""
    return out


def multiplied(partial: Function, times: Function, strong: Function) -> Function:
    """Give a partial derivative a cheaper way to its product with a cotangent: ``times(g, out, *args)``.

    `strong` is the same formula in which a zero cotangent stays zero.
    """
    partial.times = {False: times, True: strong}  # type: ignore[attr-defined]
    return partial


Partial = Function | Over | int | None
"""A partial derivative of an elementwise primitive: a function of (output, *arguments), `Over` one,
the constants 1, -1 or 0, or None where no rule is known."""


@dataclass(eq=False)
class Primitive:
    """What all kinds share; `function` is what users and rules call."""

    name: str
    impl: Function
    batch: Function | None = None
    samples: Samples | None = None
    variadic: bool = False
    multiple_outputs: bool = False
    operator: Function | None = None
    is_lens: bool = False  # NumPy makes a view with it, and it has `batch_params`
    batch_params: Function | None = None  # (params, example shape, batch size) -> params over the batch
    holomorphic: bool = False  # also takes complex arguments
    way_out: bool = False  # its result is what the older level has, not a constant to write into
    user_made: bool = False  # added by fd.primitive
    custom: Any = None  # rules that depend on the call: custom_jvp, custom_vjp
    control: Function | None = None  # (params) -> rules that depend on the call: loops and branches
    missing: Mapping[int, str] = field(default_factory=dict)  # why an argument has no rule, for the error
    doc: str = ""
    function: Function = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} primitive {self.name}>"


@dataclass(eq=False, repr=False)
class Elementwise(Primitive):
    """Acts on each element; declares one partial derivative per argument."""

    partials: tuple[Partial, ...] = ()


@dataclass(eq=False, repr=False)
class Linear(Primitive):
    """Linear in all its array arguments jointly; declares one transpose per argument.

    ``transposes[i](g, *types, **params)`` reads the arguments' types only.  A variadic primitive
    declares a single function ``transposes[0](i, g, *types, **params)``.  `accumulate`, if given, adds
    the transposed cotangent into a buffer in place: ``accumulate(holder, g, **params)``.
    """

    transposes: tuple[Function, ...] = ()
    accumulate: Function | None = None


@dataclass(eq=False, repr=False)
class Multilinear(Primitive):
    """Linear in each array argument; ``transposes[i](g, *args, **params)``."""

    transposes: tuple[Function, ...] = ()


@dataclass(eq=False, repr=False)
class LocallyConstant(Primitive):
    """Has derivative zero wherever it has one: comparisons, rounding, argmax."""


@dataclass(eq=False, repr=False)
class General(Primitive):
    """Declares, per argument, a JVP ``jvps[i](t, out, *args, **params)`` built of linear primitives,
    or, where it is linear in the argument, a transpose ``transposes[i](g, out, *args, **params)``;
    optionally a faster ``vjps[i](g, out, *args, **params)``.  `accumulate`, if given, adds the cotangent of
    the first argument into a buffer in place: ``accumulate(holder, g, *args, **params)``, and `push` makes
    the terms of several tangents at once: ``push(tangents, out, args, params)``.
    """

    jvps: tuple[Function | None, ...] = ()
    transposes: tuple[Function | None, ...] = ()
    vjps: tuple[Function | None, ...] = ()
    accumulate: Function | None = None
    push: Function | None = None


REGISTRY: dict[str, Primitive] = {}


def call_rules(primitive: Primitive, params: dict[str, Any]) -> Any:
    """Return the rules that depend on the call, None if a primitive has no such rules."""
    return primitive.custom if primitive.control is None else primitive.control(params)


def register(primitive: Primitive, function: Function) -> Function:
    """Enter a primitive in the registry and attach it to the function that applies it."""
    if primitive.name in REGISTRY:
        raise ValueError(f"a primitive named {primitive.name!r} is registered already")
    REGISTRY[primitive.name] = primitive
    return attach(primitive, function)


def attach(primitive: Primitive, function: Function) -> Function:
    """Give the function that applies a primitive its name, docstring and primitive."""
    primitive.function = function
    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = primitive.doc or None
    function.primitive = primitive  # type: ignore[attr-defined]
    function.is_lens = primitive.is_lens  # type: ignore[attr-defined]
    return function


def reads(rule: Any) -> tuple[bool, ...]:
    """Tell which parameters of a rule are read: those whose name has no leading underscore."""
    if isinstance(rule, Over):
        return reads(rule.denominator)
    if not callable(rule):
        return ()
    return tuple(
        not name.startswith("_")
        for name, parameter in inspect.signature(rule).parameters.items()
        if parameter.kind is not parameter.KEYWORD_ONLY
    )
