"""Sums, means, extrema, norms and cumulative operations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import (
    call,
    composed,
    composite,
    constant,
    deliver,
    linear,
    method,
    real_input,
)
from funcdiff.compat.torch._dtypes import int64
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops import rules
from funcdiff.core.primitive import REGISTRY
from funcdiff.primitives.indexing import getitem as p_getitem
from funcdiff.primitives.ordering import take_along

_sum, _max, _min = (REGISTRY[name].function for name in ("sum", "max", "min"))


def axis_of(dim: int, ndim: int) -> int:
    """Count an axis from the front."""
    size = ndim or 1
    if not -size <= dim < size:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        )
    return dim % size


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """Count axes from the front; none given means all."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    if type(dim) is int:
        return (axis_of(dim, ndim),) if ndim or axis_of(dim, ndim) else ()
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    found = tuple(axis_of(int(d), ndim) for d in dims)
    if len(set(found)) != len(found):
        repeated = next(d for d in found if found.count(d) > 1)
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    return found if ndim else ()


def _arguments(dim: Any, axis: Any, keepdim: Any, keepdims: Any) -> tuple[Any, bool]:
    """Accept NumPy's spellings of the arguments as PyTorch does."""
    return (axis if dim is None else dim), bool(keepdim or keepdims)


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
    """As `torch.sum`."""
    dim, keepdim = _arguments(dim, axis, keepdim, keepdims)
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        input = input.to(int64)
    cls = _SumAll if dim is None else _SumSome
    axes = axes_of(dim, len(input.value.shape))
    return deliver(linear(cls, _sum, input, {"axis": axes, "keepdims": keepdim}), out)


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
    dim, keepdim = _arguments(dim, axis, keepdim, keepdims)
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{input.dtype.type_name}"
        )
    params = {"axis": axes_of(dim, len(input.value.shape)), "keepdims": keepdim}
    return deliver(linear(_MeanAll if dim is None else _MeanSome, rules.mean, input, params), out)


_ProdAll, _ProdSome = node_class("ProdBackward0"), node_class("ProdBackward1")


@method
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """As `torch.prod`."""
    if dtype is not None:
        input = input.to(dtype)
    elif input.value.dtype.kind in "biu":
        input = input.to(int64)
    cls = _ProdAll if dim is None else _ProdSome
    params = {"axis": axes_of(dim, input.ndim), "keepdims": keepdim}
    return call(cls, REGISTRY["prod"].function, (input,), params)


# --- extrema --------------------------------------------------------------------------------------


class Extremum(NamedTuple):
    """Elements along an axis, and where they stand."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return (
            f"torch.return_types.{type(self).__name__}(\nvalues={self.values!r},\nindices={self.indices!r})"
        )


def _named(name: str) -> Any:
    """Return the type of the results of one operation, which shows itself by that name."""
    return type(name, (Extremum,), {"__slots__": ()})


max_result, min_result = _named("max"), _named("min")
median_result, mode_result = _named("median"), _named("mode")
sort_result, topk_result, kthvalue_result = _named("sort"), _named("topk"), _named("kthvalue")
cummax_result, cummin_result = _named("cummax"), _named("cummin")


def along(shape: tuple[int, ...], order: Any, axis: int) -> tuple[Any, ...]:
    """Return the index of the elements at integer positions along an axis, one set for each vector."""
    rank = len(shape)
    index = [np.arange(n).reshape([-1 if m == k else 1 for m in range(rank)]) for k, n in enumerate(shape)]
    index[axis] = order
    return tuple(np.broadcast_arrays(*index))


def pick(node: str, input: Any, order: Any, axis: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the elements at integer positions along an axis, and the positions, as tensors."""
    drop = not keepdim and len(order.value.shape) > 0
    if not input.value.shape:
        return input.clone(), order

    if type(input.value) is np.ndarray:
        index = along(input.value.shape, order.value, axis)
        if drop:
            index = tuple([np.take(i, 0, axis) for i in index])
        values = linear(node_class(node), p_getitem, input, {"index": index})
    else:

        def compute(x: Any, positions: Any) -> Any:
            found = take_along(x, positions, axis)
            return fnp.squeeze(found, axis) if drop else found

        values = composite(composed(node), compute, (input, order))
    if drop:
        order = constant(lambda p: fnp.squeeze(p, axis), (order,))
    return values, order


def _extremum(name: str, whole: Any, position: str, all_node: str, node: str, result: Any, other: str) -> Any:
    whole_cls = node_class(all_node)
    find = REGISTRY[position].function

    def extremum(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
        if isinstance(dim, Tensor):
            from funcdiff.compat.torch.ops import arithmetic

            return getattr(arithmetic, other)(input, dim, out=out)
        if dim is None:
            if not input.value.size:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                    "with the 'dim' argument."
                )
            axes = tuple(range(input.ndim))
            return deliver(call(whole_cls, whole, (input,), {"axis": axes, "keepdims": False}), out)
        axis = axis_of(dim, input.ndim)
        if not input.value.shape:
            return result(input.clone(), wrap(np.zeros((), np.int64)))
        order = constant(lambda x: find(x, axis=axis, keepdims=True), (input,))
        return result(*pick(node, input, order, axis, keepdim))

    extremum.__name__ = extremum.__qualname__ = name
    extremum.__doc__ = f"As `torch.{name}`."
    return method(extremum)


max = _extremum("max", _max, "argmax", "MaxBackward1", "MaxBackward0", max_result, "maximum")
min = _extremum("min", _min, "argmin", "MinBackward1", "MinBackward0", min_result, "minimum")


def _shared(name: str, function: Any, node: str) -> Any:
    cls = node_class(node)

    def reduce(input: Any, dim: Any = (), keepdim: bool = False, *, out: Any = None) -> Any:
        params = {"axis": axes_of(dim, input.ndim), "keepdims": keepdim}
        return deliver(call(cls, function, (input,), params), out)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"As `torch.{name}`."
    return method(reduce)


amax = _shared("amax", _max, "AmaxBackward0")
amin = _shared("amin", _min, "AminBackward0")


def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> tuple[Any, Any]:
    """As `torch.aminmax`."""
    dims = () if dim is None else dim
    return amin(input, dims, keepdim), amax(input, dims, keepdim)


def _position(name: str) -> Any:
    find = REGISTRY[name].function

    def position(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        def compute(x: Any) -> Any:
            if dim is None:
                flat = find(fnp.reshape(x, -1), axis=0, keepdims=False)
                return fnp.reshape(flat, (1,) * x.ndim) if keepdim else flat
            if not x.shape:
                return np.zeros((), np.int64)
            return find(x, axis=axis_of(dim, len(x.shape)), keepdims=keepdim)

        return constant(compute, (input,))

    position.__name__ = position.__qualname__ = name
    position.__doc__ = f"As `torch.{name}`."
    return method(position)


argmax = _position("argmax")
argmin = _position("argmin")


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

_Var, _Std = composed("VarBackward0"), composed("StdBackward0")


def _correction(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    if isinstance(dim, bool):  # var(False)
        dim, unbiased = None, dim
    if correction is not None:
        return dim, correction
    return dim, 1 if unbiased is None or unbiased else 0


@method
def var(
    input: Any,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
    axis: Any = None,
) -> Any:
    """As `torch.var`."""
    dim, ddof = _correction(axis if dim is None else dim, unbiased, correction)
    axes = axes_of(dim, input.ndim)
    return composite(
        _Var, lambda x: fnp.var(x, axis=axes, ddof=ddof, keepdims=keepdim), (_checked("var", input),)
    )


@method
def std(
    input: Any,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
    axis: Any = None,
) -> Any:
    """As `torch.std`."""
    dim, ddof = _correction(axis if dim is None else dim, unbiased, correction)
    axes = axes_of(dim, input.ndim)
    return composite(
        _Std, lambda x: fnp.std(x, axis=axes, ddof=ddof, keepdims=keepdim), (_checked("std", input),)
    )


def _checked(name: str, input: Any) -> Any:
    if input.value.dtype.kind not in "fc":
        raise RuntimeError(f"{name} only support floating point and complex dtypes")
    return input


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

_Norm, _NormOfOrder = node_class("LinalgVectorNormBackward0"), composed("LinalgVectorNormBackward0")


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
    axes = axes_of(dim, x.ndim)
    order = float(ord)
    if order == 2.0:
        params = {"order": 2, "axis": axes, "keepdims": keepdim}
        return deliver(call(_Norm, REGISTRY["vector_norm"].function, (x,), params), out)

    def compute(v: Any) -> Any:
        return fnp.linalg.vector_norm(v, axis=axes, keepdims=keepdim, ord=order)

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


# --- logarithms of sums, softmax ----------------------------------------------------------------------

_LogSumExp, _Softmax, _LogSoftmax = (
    composed("LogsumexpBackward0"),
    node_class("SoftmaxBackward0"),
    node_class("LogSoftmaxBackward0"),
)
_exp, _log, _stop = (REGISTRY[name].function for name in ("exp", "log", "stop_gradient"))


def _shift(x: Any, axes: tuple[int, ...]) -> Any:
    """Subtract the largest element along axes (0 where it is infinite), which is a constant."""
    top = _stop(_max(x, axis=axes, keepdims=True))
    return fnp.where(fnp.isfinite(top), top, 0)


@method
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """As `torch.logsumexp`."""
    axes = axes_of(dim, input.ndim)

    def compute(x: Any) -> Any:
        top = _shift(x, axes)
        found = _log(_sum(_exp(x - top), axis=axes, keepdims=True)) + top
        return found if keepdim else fnp.squeeze(found, axes)

    return composite(_LogSumExp, compute, (real_input(input),))


@method
def softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """As `torch.softmax`."""
    input = real_input(input) if dtype is None else input.to(dtype)
    axis = (axis_of(dim, input.ndim),) if input.ndim else ()
    return call(_Softmax, rules.softmax, (input,), {"axis": axis})


@method
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """As `torch.log_softmax`."""
    input = real_input(input) if dtype is None else input.to(dtype)
    axis = (axis_of(dim, input.ndim),) if input.ndim else ()
    return call(_LogSoftmax, rules.log_softmax, (input,), {"axis": axis})


# --- cumulative ------------------------------------------------------------------------------------


def _cumulative(name: str, node: str) -> Any:
    cls = node_class(node)
    function = REGISTRY[name].function

    def cumulate(input: Any, dim: int, *, dtype: Any = None, out: Any = None) -> Any:
        if dtype is not None:
            input = input.to(dtype)
        elif input.value.dtype.kind in "biu":
            input = input.to(int64)
        axis = axis_of(dim, input.ndim)
        return deliver(call(cls, function, (input,), {"axis": axis}) if input.ndim else input.clone(), out)

    cumulate.__name__ = cumulate.__qualname__ = name
    cumulate.__doc__ = f"As `torch.{name}`."
    return method(cumulate)


cumsum = _cumulative("cumsum", "CumsumBackward0")
cumprod = _cumulative("cumprod", "CumprodBackward0")


def _running(name: str, node: str, larger: Any, result: Any) -> Any:
    def run(input: Any, dim: int) -> Any:
        axis = axis_of(dim, input.ndim)

        def positions(x: Any) -> Any:
            best = larger.accumulate(x, axis=axis)
            shape = [-1 if n == axis else 1 for n in range(x.ndim)]
            at = np.where(x == best, np.arange(x.shape[axis]).reshape(shape), 0)
            return np.maximum.accumulate(at, axis=axis)

        return result(*pick(node, input, constant(positions, (input,)), axis, True))

    run.__name__ = run.__qualname__ = name
    run.__doc__ = f"As `torch.{name}`."
    return method(run)


cummax = _running("cummax", "CummaxBackward0", np.maximum, cummax_result)
cummin = _running("cummin", "CumminBackward0", np.minimum, cummin_result)


@method
def logcumsumexp(input: Any, dim: int) -> Any:
    """As `torch.logcumsumexp`."""
    axis = axis_of(dim, input.ndim)

    def compute(x: Any) -> Any:
        top = _shift(x, (axis,))
        return _log(REGISTRY["cumsum"].function(_exp(x - top), axis=axis)) + top

    return composite(composed("LogcumsumexpBackward0"), compute, (input,))


@method
def diff(input: Any, n: int = 1, dim: int = -1) -> Any:
    """As `torch.diff`."""
    from funcdiff.compat.torch.ops.parts import narrow

    for _ in range(n):
        length = input.size(dim)
        input = narrow(input, dim, 1, length - 1) - narrow(input, dim, 0, length - 1)
    return input


@method
def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """As `torch.trapezoid`."""
    operands = (y,) if x is None else (y, x)

    def compute(v: Any, at: Any = None) -> Any:
        return fnp.trapezoid(v, at, dx, axis=dim)

    return composite(composed("TrapezoidBackward0"), compute, operands)


trapz = trapezoid


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
