"""`primitive`: the public way to add a primitive with its rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core import declare
from funcdiff.core.primitive import REGISTRY, Partial
from funcdiff.primitives.shape import stack
from funcdiff.transforms.arguments import check_callable

KINDS = ("elementwise", "linear", "multilinear", "locally_constant", "general")


def primitive(
    impl: Callable[..., Any] | None = None,
    *,
    kind: str = "general",
    partials: Sequence[Partial] = (),
    jvps: Sequence[Callable[..., Any] | None] = (),
    vjps: Sequence[Callable[..., Any] | None] = (),
    transposes: Sequence[Callable[..., Any]] = (),
    batch: Callable[..., Any] | None = None,
    multiple_outputs: bool = False,
    name: str | None = None,
    samples: Callable[..., Any] | None = None,
) -> Any:
    """Add a primitive: a function that funcdiff treats as one step, with the rules stated here.

    The kind says which rules are needed; every transform derives the rest.  Rules are written with
    NumPy or funcdiff functions, so derivatives of derivatives come by themselves.

    Parameters
    ----------
    impl : callable
        Computes the values, from plain arrays (positional) and static settings (keyword-only).
        Left out, this returns a decorator.
    kind : {"general", "elementwise", "linear", "multilinear", "locally_constant"}
        What the mathematics is; partials alone make it elementwise.
    partials : sequence
        Elementwise: one per argument, ``partial(out, *args)``, or 1, -1, 0, or None where unknown.
    jvps : sequence of callable or None
        General: ``jvp(t, out, *args, **params)`` per argument, linear in the tangent t.
    vjps : sequence of callable or None
        General: ``vjp(g, out, *args, **params)`` per argument; derived from the JVP if left out.
    transposes : sequence of callable
        Linear: ``transpose(g, *types, **params)`` per argument, where types have shape and dtype;
        multilinear: ``transpose(g, *args, **params)``; general, where linear in an argument:
        ``transpose(g, out, *args, **params)``.
    batch : callable, optional
        ``batch(values, flags, size, **params)``: the result over a batch on axis 0 of the flagged
        values; elementwise primitives need none, for others a loop over the examples is the default.
    multiple_outputs : bool, default False
        Whether `impl` returns a tuple of arrays.
    name : str, optional
        Name on tapes and in errors; the function's by default.  A name in use is replaced only if it
        was added by this function.
    samples : callable, optional
        ``samples(rng)`` gives argument samples, for tests.

    Returns
    -------
    callable
        Takes arrays, traced or plain.

    Raises
    ------
    CustomRuleError
        If the kind is unknown, rules are missing, or the name belongs to a primitive of funcdiff.

    Examples
    --------
    >>> import numpy as np, funcdiff as fd
    >>> @fd.primitive(partials=[lambda out, x: 3 * x**2])
    ... def cube(x):
    ...     return x**3
    >>> fd.grad(cube)(2.0)
    np.float64(12.0)
    """
    if impl is None:
        return lambda f: primitive(
            f,
            kind=kind,
            partials=partials,
            jvps=jvps,
            vjps=vjps,
            transposes=transposes,
            batch=batch,
            multiple_outputs=multiple_outputs,
            name=name,
            samples=samples,
        )
    check_callable("primitive", impl)
    label = name if name is not None else str(getattr(impl, "__name__", "primitive"))
    if kind == "general" and partials:
        kind = "elementwise"
    if kind not in KINDS:
        raise errors.CustomRuleError(
            errors.at_user_line(f"kind of primitive {label} must be one of {', '.join(KINDS)}, not {kind!r}")
        )
    needed = {"elementwise": partials, "linear": transposes, "multilinear": transposes}.get(kind, True)
    if not needed or (kind == "general" and not (jvps or vjps or transposes)):
        raise errors.CustomRuleError(
            errors.at_user_line(
                f"primitive {label} of kind {kind} needs "
                + {"elementwise": "partials", "general": "jvps, vjps or transposes"}.get(kind, "transposes")
            )
        )
    if label in REGISTRY:
        if not getattr(REGISTRY[label], "user_made", False):
            raise errors.CustomRuleError(
                errors.at_user_line(
                    f"{label} is the name of a primitive of funcdiff's own: pass another name="
                )
            )
        del REGISTRY[label]
    options: dict[str, Any] = {"name": label, "samples": samples, "doc": impl.__doc__ or ""}
    fallback = batch or _loop(label, multiple_outputs)
    if kind == "elementwise":
        function = declare.elementwise(impl, partials, holomorphic=True, **options)
    elif kind == "linear":
        function = declare.linear(impl, transposes, batch=fallback, **options)
    elif kind == "multilinear":
        function = declare.multilinear(impl, transposes, batch=fallback, **options)
    elif kind == "locally_constant":
        function = declare.locally_constant(
            impl, batch=fallback, multiple_outputs=multiple_outputs, **options
        )
    else:
        function = declare.general(
            impl,
            jvps=jvps,
            vjps=vjps,
            transposes=transposes,
            batch=fallback,
            multiple_outputs=multiple_outputs,
            **options,
        )
    REGISTRY[label].user_made = True
    return function


def _loop(label: str, multiple_outputs: bool) -> Callable[..., Any]:
    """Return the batch rule that takes the examples one by one."""

    def batch(values: Sequence[Any], flags: Sequence[bool], size: int, **params: Any) -> Any:
        function = REGISTRY[label].function
        outs = [
            function(*[v[n] if f else v for v, f in zip(values, flags, strict=True)], **params)
            for n in range(size)
        ]
        if multiple_outputs:
            return tuple(_stack(parts) for parts in zip(*outs, strict=True))
        return _stack(outs)

    return batch


def _stack(parts: Sequence[Any]) -> Any:
    return stack(*[p if hasattr(p, "shape") else np.asarray(p) for p in parts], axis=0)
