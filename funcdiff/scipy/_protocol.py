"""How this package's functions stand for SciPy's: plain arguments go to SciPy itself."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from funcdiff import errors
from funcdiff.core.recording import TracedArray, concrete, innermost
from funcdiff.numpy._arguments import as_array, to_dtype
from funcdiff.numpy._protocol import has_traced
from funcdiff.primitives.indexing import getitem
from funcdiff.primitives.shape import broadcast_to, reshape, stack

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""The function of this package for each of SciPy's."""


def follows(original: Any) -> Callable[[F], F]:
    """Return a function for traced arrays that calls SciPy's own where no argument is traced."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def public(*args: Any, **kwargs: Any) -> Any:
            for a in args:
                if (type(a) is not np.ndarray or a.dtype.hasobject) and has_traced(a):
                    return function(*args, **kwargs)
            for a in kwargs.values():
                if has_traced(a):
                    return function(*args, **kwargs)
            return original(*args, **kwargs)

        public.scipy_function = original  # type: ignore[attr-defined]
        FUNCTIONS[original] = public
        if not function.__doc__:
            public.__doc__ = f"As `{name_of(original)}`, differentiable."
        return public  # type: ignore[return-value]

    return decorate


def as_installed(original: Any) -> Callable[[F], F]:
    """Let a function take its arguments as the installed SciPy does: versions move, add and drop some."""

    def decorate(function: F) -> F:
        theirs, ours = inspect.signature(original), list(inspect.signature(function).parameters)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = theirs.bind(*args, **kwargs).arguments
            first = [given.pop(name) for name in itertools.takewhile(given.__contains__, ours)]
            return function(*first, **given)

        call.__signature__ = theirs  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate


def without_rule(original: Any, why: str) -> Any:
    """Return SciPy's function for plain arguments, which raises for traced ones and says why."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        raise errors.UnsupportedError(
            errors.at_user_line(f"{name_of(original)} of a traced array has no derivative here: {why}")
        )

    functools.update_wrapper(refuse, original, updated=())
    refuse.__doc__ = f"As `{name_of(original)}`, for plain arrays only: {why}"
    public = follows(original)(refuse)
    public.without_rule = why  # type: ignore[attr-defined]
    return public


def asks(original: Any) -> Any:
    """Return SciPy's function that tells something of an array, which takes the values of a traced one."""

    def ask(*args: Any, **kwargs: Any) -> Any:
        return original(*(_values(a) for a in args), **{k: _values(a) for k, a in kwargs.items()})

    functools.update_wrapper(ask, original, updated=())
    return follows(original)(ask)


def _values(x: Any) -> Any:
    return np.asarray(concrete(as_array(x))) if has_traced(x) else x


def name_of(original: Any) -> str:
    """Name a SciPy function as its users do, without private modules."""
    module = ".".join(part for part in original.__module__.split(".") if not part.startswith("_"))
    return f"{module}.{original.__name__}"


# --- arguments ------------------------------------------------------------------------------------------


def inexact(x: Any, check_finite: bool = False) -> Any:
    """Return an array of floats, as SciPy makes of integers, which is checked for NaN and infinity if asked."""
    x = as_array(x)
    if x.dtype.kind not in "fc":
        x = to_dtype(x, np.float64)
    if check_finite and not np.isfinite(innermost(x)).all():
        raise ValueError("array must not contain infs or NaNs")
    return x


def square(x: Any, check_finite: bool = False) -> Any:
    """Return a stack of square matrices of floats."""
    x = inexact(x, check_finite)
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"expected a square matrix, got shape {x.shape}")
    return x


def double(x: Any) -> Any:
    """Return an array in double precision, for what SciPy computes in no other."""
    return to_dtype(x, np.complex128 if x.dtype.kind == "c" else np.float64)


def plain(x: Any) -> bool:
    """Tell whether a value holds nothing traced."""
    return type(x) is not TracedArray and not has_traced(x)


# --- stacks -----------------------------------------------------------------------------------------------


def over_stacks(*ranks: int) -> Callable[[F], F]:
    """Make a function of arrays with these many axes one of stacks of them, which broadcast, one by one.

    Rank -1 stands for a right-hand side: a vector if it has one axis, else a stack of matrices.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def over(*args: Any, **kwargs: Any) -> Any:
            arrays = [None if a is None else as_array(a) for a in args[: len(ranks)]]
            rest = args[len(ranks) :]
            cores = [
                0 if a is None else min(len(a.shape), 2) if rank < 0 else rank
                for a, rank in zip(arrays, ranks, strict=False)
            ]
            leads = [
                () if a is None else a.shape[: len(a.shape) - core]
                for a, core in zip(arrays, cores, strict=True)
            ]
            if not any(leads):
                return function(*arrays, *rest, **kwargs)
            lead = np.broadcast_shapes(*leads)
            if 0 in lead:
                raise ValueError(f"`{function.__name__}` does not support zero-size batches.")
            whole = [
                None if a is None else broadcast_to(a, shape=(*lead, *a.shape[len(a.shape) - core :]))
                for a, core in zip(arrays, cores, strict=True)
            ]
            found = [
                function(*(None if a is None else getitem(a, index=n) for a in whole), *rest, **kwargs)
                for n in np.ndindex(lead)
            ]
            if isinstance(found[0], tuple):
                return tuple(_restack(part, lead) for part in zip(*found, strict=True))
            return _restack(found, lead)

        return over  # type: ignore[return-value]

    return decorate


def _restack(parts: Sequence[Any], lead: tuple[int, ...]) -> Any:
    joined = stack(*[as_array(part) for part in parts], axis=0)
    return reshape(joined, shape=(*lead, *joined.shape[1:]))
