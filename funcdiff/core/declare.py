"""Declaring primitives, one call each; the call's name says what the mathematics is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from funcdiff.core import fastpath
from funcdiff.core.primitive import (
    REGISTRY,
    Elementwise,
    Function,
    General,
    Linear,
    LocallyConstant,
    Multilinear,
    Partial,
    Samples,
    register,
)


def _name(impl: Function, name: str | None) -> str:
    return name or impl.__name__


def _batch_by_params(batch_params: Function, name: str) -> Function:
    def batch(values: Sequence[Any], flags: Sequence[bool], size: int, **params: Any) -> Any:
        x = values[0]
        return REGISTRY[name].function(x, **batch_params(params, x.shape[1:], size))

    return batch


def elementwise(
    impl: Function,
    partials: Sequence[Partial],
    *,
    name: str | None = None,
    operator: Function | None = None,
    samples: Samples | None = None,
    holomorphic: bool = False,
    missing: Mapping[int, str] | None = None,
    doc: str = "",
) -> Function:
    """Declare an elementwise primitive by one partial derivative per argument."""
    primitive = Elementwise(
        _name(impl, name),
        impl,
        partials=tuple(partials),
        operator=operator,
        samples=samples,
        holomorphic=holomorphic,
        missing=missing or {},
        doc=doc,
    )
    return register(primitive, fastpath.make(primitive))


def linear(
    impl: Function,
    transposes: Function | Sequence[Function],
    *,
    batch: Function | None = None,
    name: str | None = None,
    variadic: bool = False,
    batch_params: Function | None = None,
    accumulate: Function | None = None,
    samples: Samples | None = None,
    doc: str = "",
) -> Function:
    """Declare a primitive that is linear in all its array arguments jointly."""
    rules = (transposes,) if callable(transposes) else tuple(transposes)
    if batch is None and batch_params is not None:
        batch = _batch_by_params(batch_params, _name(impl, name))
    primitive = Linear(
        _name(impl, name),
        impl,
        transposes=rules,
        batch=batch,
        variadic=variadic,
        is_lens=batch_params is not None,
        batch_params=batch_params,
        accumulate=accumulate,
        samples=samples,
        holomorphic=True,
        doc=doc,
    )
    return register(primitive, fastpath.make(primitive))


def multilinear(
    impl: Function,
    transposes: Function | Sequence[Function],
    *,
    batch: Function,
    name: str | None = None,
    operator: Function | None = None,
    variadic: bool = False,
    samples: Samples | None = None,
    doc: str = "",
) -> Function:
    """Declare a primitive that is linear in each of its array arguments."""
    rules = (transposes,) if callable(transposes) else tuple(transposes)
    primitive = Multilinear(
        _name(impl, name),
        impl,
        transposes=rules,
        batch=batch,
        operator=operator,
        variadic=variadic,
        samples=samples,
        holomorphic=True,
        doc=doc,
    )
    return register(primitive, fastpath.make(primitive))


def locally_constant(
    impl: Function,
    *,
    batch: Function | None = None,
    name: str | None = None,
    operator: Function | None = None,
    multiple_outputs: bool = False,
    samples: Samples | None = None,
    doc: str = "",
) -> Function:
    """Declare a primitive whose derivative is zero; elementwise unless it has a batch rule."""
    primitive = LocallyConstant(
        _name(impl, name),
        impl,
        batch=batch,
        operator=operator,
        multiple_outputs=multiple_outputs,
        samples=samples,
        doc=doc,
    )
    return register(primitive, fastpath.make(primitive))


def general(
    impl: Function,
    *,
    jvps: Sequence[Function | None] = (),
    transposes: Sequence[Function | None] = (),
    vjps: Sequence[Function | None] = (),
    batch: Function,
    name: str | None = None,
    multiple_outputs: bool = False,
    accumulate: Function | None = None,
    samples: Samples | None = None,
    holomorphic: bool = True,
    missing: Mapping[int, str] | None = None,
    doc: str = "",
) -> Function:
    """Declare any other primitive by its JVPs, or transposes where it is linear, and optional VJPs."""
    n = max(len(jvps), len(transposes), len(vjps))

    def pad(rules: Sequence[Any]) -> tuple[Any, ...]:
        return (*rules, *(None,) * (n - len(rules)))

    primitive = General(
        _name(impl, name),
        impl,
        jvps=pad(jvps),
        transposes=pad(transposes),
        vjps=pad(vjps),
        batch=batch,
        multiple_outputs=multiple_outputs,
        accumulate=accumulate,
        samples=samples,
        holomorphic=holomorphic,
        missing=missing or {},
        doc=doc,
    )
    return register(primitive, fastpath.make(primitive))
