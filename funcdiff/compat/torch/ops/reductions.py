"""Sums, means, products, truth, spread and norms."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant, deliver, method, of_general, of_linear
from funcdiff.compat.torch._dtypes import int64
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch.ops import by_shape, reduction_rules
from funcdiff.compat.torch.ops.axes import axes_of, reduced
from funcdiff.compat.torch.ops.short import total
from funcdiff.core.primitive import REGISTRY

_sum, _prod, _norm = (REGISTRY[name].function for name in ("sum", "prod", "vector_norm"))
_total = of_linear(_sum, total)
_SumAll, _SumSome = node_class("SumBackward0"), node_class("SumBackward1")


@method
def sum(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
    out: Any = None,
) -> Any:
    """As `torch.sum`, which takes NumPy's spellings of the arguments too."""
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        input = input.to(int64)
    if dim is None:
        dim = axis
    if type(dim) is list:
        dim = tuple(dim)
    params = reduced(dim, len(input.value.shape), keepdim or keepdims)
    made = _total(_SumAll if dim is None else _SumSome, input, params)
    return made if out is None else deliver(made, out)


_mean = of_linear(reduction_rules.mean)
_MeanAll, _MeanSome = node_class("MeanBackward0"), node_class("MeanBackward1")


@method
def mean(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
    out: Any = None,
) -> Any:
    """As `torch.mean`."""
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{input.dtype.type_name}"
        )
    if dim is None:
        dim = axis
    if type(dim) is list:
        dim = tuple(dim)
    params = reduced(dim, len(input.value.shape), keepdim or keepdims)
    made = _mean(_MeanAll if dim is None else _MeanSome, input, params)
    return made if out is None else deliver(made, out)


_prod_all, _prod_some = (of_general(name, _prod) for name in ("ProdBackward0", "ProdBackward1"))


@method
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """As `torch.prod`."""
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        input = input.to(int64)
    params = reduced(dim, len(input.value.shape), keepdim)
    return (_prod_all if dim is None else _prod_some)(input, params)


def _truth(name: str) -> Any:
    find = REGISTRY[name].function

    def test(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        axes = axes_of(dim, input.ndim)
        return constant(lambda x: find(x != 0, axis=axes, keepdims=keepdim), (input,))

    test.__name__ = test.__qualname__ = name
    test.__doc__ = f"As `torch.{name}`."
    return method(test)


any = _truth("any")
all = _truth("all")


@method
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """As `torch.count_nonzero`."""
    axes = axes_of(dim, input.ndim)
    return constant(lambda x: fnp.count_nonzero(x, axis=axes), (input,))


# --- spread ----------------------------------------------------------------------------------------


def _correction(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    if isinstance(dim, bool):  # var(False)
        dim, unbiased = None, dim
    if correction is not None:
        return dim, correction
    return dim, 1 if unbiased is None or unbiased else 0


@lru_cache(maxsize=4096)
def _with_correction(
    make: Any, dim: Any, shape: tuple[int, ...], kind: str, keepdim: bool, correction: float
) -> tuple[dict[str, Any], float, Any]:
    """Return the parameters of a spread, its degrees of freedom, and its computation."""
    params = {**reduced(dim, len(shape), keepdim), "correction": correction}
    freedom = math.prod([shape[n] for n in params["axis"]]) - correction
    return params, freedom, make(shape, kind, **params)


_NO_FREEDOM = (
    "(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input numel "
    "divided by output numel)."
)


def _spread(name: str, node: str, function: Any, make: Any) -> Any:
    operation = of_general(node, function)

    def spread(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
        axis: Any = None,
    ) -> Any:
        value = input.value
        if value.dtype.kind not in "fc":
            raise RuntimeError(f"{name} only support floating point and complex dtypes")
        dim, lost = _correction(axis if dim is None else dim, unbiased, correction)
        if type(dim) is list:
            dim = tuple(dim)
        params, freedom, made = _with_correction(make, dim, value.shape, value.dtype.char, keepdim, lost)
        if freedom <= 0 and value.size:
            warnings.warn(f"{name}{_NO_FREEDOM}", UserWarning, stacklevel=2)
        return operation(input, params, made)

    spread.__name__ = spread.__qualname__ = name
    spread.__doc__ = f"As `torch.{name}`."
    return method(spread)


var = _spread("var", "VarBackward0", reduction_rules.var, by_shape.variance)
std = _spread("std", "StdBackward0", reduction_rules.std, by_shape.deviation)


def var_mean(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
    """As `torch.var_mean`."""
    return var(input, dim, unbiased, keepdim, **kwargs), mean(
        input, None if isinstance(dim, bool) else dim, keepdim
    )


def std_mean(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
    """As `torch.std_mean`."""
    return std(input, dim, unbiased, keepdim, **kwargs), mean(
        input, None if isinstance(dim, bool) else dim, keepdim
    )


# --- norms -----------------------------------------------------------------------------------------

_normed, _NormOfOrder = of_general("LinalgVectorNormBackward0", _norm), composed("LinalgVectorNormBackward0")


def vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Any:
    """As `torch.linalg.vector_norm`."""
    if dtype is not None:
        x = x.to(dtype)
    if x.value.dtype.kind not in "fc":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            + x.dtype.type_name
        )
    order = float(ord)
    params = reduced(tuple(dim) if type(dim) is list else dim, len(x.value.shape), keepdim)
    if order == 2.0 or order == 1.0:
        made = _normed(x, {"order": int(order), **params})
        return made if out is None else deliver(made, out)

    def compute(v: Any) -> Any:
        return fnp.linalg.vector_norm(v, **params, ord=order)

    return deliver(composite(_NormOfOrder, compute, (x,)), out)


@method
def norm(
    input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None, out: Any = None
) -> Any:
    """As `torch.norm`."""
    if p == "nuc":
        from funcdiff.compat.torch.ops.linalg import matrix_norm

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)
    if input.value.dtype.kind not in "fc" and dtype is None:
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            + input.dtype.type_name
        )
    return vector_norm(input, 2 if p == "fro" or p is None else p, dim, keepdim, dtype=dtype, out=out)


@method
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """As `torch.dist`: the norm of the difference."""

    def compute(x: Any, y: Any) -> Any:
        flat = fnp.reshape(x - y, -1)
        return fnp.linalg.vector_norm(flat, ord=p)

    return composite(composed("DistBackward0"), compute, (input, other))


@method
def nansum(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """As `torch.nansum`."""
    axes = axes_of(dim, input.ndim)
    return composite(
        composed("NansumBackward0"), lambda x: fnp.nansum(x, axis=axes, keepdims=keepdim), (input,)
    )


@method
def nanmean(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """As `torch.nanmean`."""
    axes = axes_of(dim, input.ndim)
    return composite(
        composed("DivBackward0"), lambda x: fnp.nanmean(x, axis=axes, keepdims=keepdim), (input,)
    )
