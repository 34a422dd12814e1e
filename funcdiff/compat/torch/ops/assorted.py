"""Functions that are made of others: joins and splits, statistics, numbers, variants in place."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, constant, method
from funcdiff.compat.torch._dtypes import Default, as_numpy, dtype, float64
from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._promotion import result_dtype
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch._views import in_place
from funcdiff.compat.torch.ops import arithmetic, comparison, functions
from funcdiff.compat.torch.ops.axes import axis_of
from funcdiff.compat.torch.ops.creation import zeros
from funcdiff.compat.torch.ops.cumulative import cumprod, cumsum
from funcdiff.compat.torch.ops.indexing import added, replaced
from funcdiff.compat.torch.ops.joining import cat, fliplr, flipud
from funcdiff.compat.torch.ops.ordering import quantile, sort
from funcdiff.compat.torch.ops.parts import chunk, split
from funcdiff.compat.torch.ops.products import addr, baddbmm, bmm, matmul
from funcdiff.compat.torch.ops.reductions import mean, vector_norm
from funcdiff.compat.torch.ops.selecting import masked_scatter
from funcdiff.compat.torch.ops.strided import diagonal

method(fliplr)
method(flipud)


# --- numbers -------------------------------------------------------------------------------------------------


def _of_numbers(name: str, ufunc: Any, node: str | None = None) -> Any:
    """Make a function of two operands that is locally constant, or of integers."""

    def op(input: Any, other: Any) -> Any:
        kind = result_dtype(*(x.value if isinstance(x, Tensor) else x for x in (input, other)))
        x, y = (x if isinstance(x, Tensor) else wrap(np.asarray(x, kind)) for x in (input, other))
        return constant(lambda a, b: ufunc(a, b).astype(kind), (x, y), node)

    op.__name__ = op.__qualname__ = name
    op.__doc__ = f"As `torch.{name}`."
    return method(op)


gcd, lcm = _of_numbers("gcd", np.gcd), _of_numbers("lcm", np.lcm)
heaviside = _of_numbers("heaviside", np.heaviside)
nextafter = _of_numbers("nextafter", np.nextafter)


@method
def ldexp(input: Any, other: Any) -> Any:
    """As `torch.ldexp`."""
    return input * arithmetic.pow(wrap(np.asarray(2.0, Default.real)), other)


@method
def frexp(input: Tensor) -> Any:
    """As `torch.frexp`: mantissas in [0.5, 1) and exponents."""
    _, exponent = np.frexp(plain(input))
    power = wrap(exponent.astype(np.int32))
    scale = wrap(np.exp2(-exponent.astype(input.value.dtype)))
    return input * scale, power


@method
def float_power(input: Any, exponent: Any) -> Any:
    """As `torch.float_power`: powers in double precision."""
    x, y = (v.to(float64) if isinstance(v, Tensor) else v for v in (input, exponent))
    return arithmetic.pow(x, y)


@method
def positive(input: Tensor) -> Any:
    """As `torch.positive`."""
    if input.value.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


# --- joins and parts -----------------------------------------------------------------------------------------


def block_diag(*tensors: Tensor) -> Any:
    """As `torch.block_diag`."""
    blocks = [x.reshape(1, -1) if x.ndim < 2 else x for x in tensors]
    columns = sum(x.shape[1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        n, m = x.shape
        parts = [zeros(n, before, dtype=x.dtype), x, zeros(n, columns - before - m, dtype=x.dtype)]
        rows.append(cat(parts, 1))
        before += m
    return cat(rows, 0)


@method
def diagflat(input: Tensor, offset: int = 0) -> Any:
    """As `torch.diagflat`."""
    return input.reshape(-1).diag_embed(offset)


@method
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> Any:
    """As `torch.split_with_sizes`."""
    return split(input, list(split_sizes), dim)


unsafe_split, unsafe_chunk = method(split, "unsafe_split"), method(chunk, "unsafe_chunk")


def atleast_3d(*tensors: Any) -> Any:
    """As `torch.atleast_3d`."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors

    def one(x: Any) -> Any:
        if x.ndim == 2:
            return x.unsqueeze(-1)
        return x if x.ndim > 2 else x.reshape(1, -1, 1)

    found = tuple(one(x) for x in given)
    return found[0] if given is tensors and len(found) == 1 else found


@method
def sum_to_size(input: Tensor, *size: Any) -> Any:
    """As `Tensor.sum_to_size`: undoes a broadcast."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    lead = input.ndim - len(shape)
    fits = lead >= 0 and all(n in (1, m) for n, m in zip(shape, input.shape[lead:], strict=True))
    if not fits:
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(input.shape)}}}.")
    axes = [*range(lead), *[lead + k for k, n in enumerate(shape) if n == 1 and input.shape[lead + k] != 1]]
    return (input.sum(axes, keepdim=True) if axes else input).reshape(shape)


@method
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """As `torch.unique_consecutive`."""
    x = plain(input).reshape(-1) if dim is None else np.moveaxis(plain(input), dim, 0)
    rows = x.reshape(len(x), -1)
    first = np.ones(len(x), bool)
    first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    found = x[first] if dim is None else np.moveaxis(x[first], 0, dim)
    numbers = np.cumsum(first) - 1
    out = [wrap(found)]
    if return_inverse:
        out.append(wrap(numbers.reshape(input.shape) if dim is None else numbers))
    if return_counts:
        out.append(wrap(np.bincount(numbers)))
    return tuple(out) if len(out) > 1 else out[0]


@method
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Any:
    """As `torch.put`: places are counted over all elements."""
    shape = input.value.shape

    def compute(x: Any, at: Any, y: Any) -> Any:
        change = added if accumulate else replaced
        return fnp.reshape(change(fnp.reshape(x, -1), y, (at,)), shape)

    return composite(composed("PutBackward0"), compute, (input, index, source))


def unravel_index(indices: Tensor, shape: Any) -> Any:
    """As `torch.unravel_index`."""
    return tuple(map(wrap, np.unravel_index(plain(indices), tuple(shape))))


@method
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """As `torch.scatter_reduce` with "sum", "mean", or the largest or smallest of different elements."""
    if reduce not in ("sum", "mean", "amax", "amin", "prod"):
        raise RuntimeError("reduce argument must be either sum, prod, mean, amax or amin.")
    axis = axis_of(dim, input.ndim)
    ones = zeros(*input.shape, dtype=input.dtype) + (1 if include_self else 0)
    part = src[tuple(slice(0, n) for n in index.shape)]
    counts = ones.scatter_add(axis, index, zeros(*index.shape, dtype=input.dtype) + 1)
    if reduce in ("sum", "mean"):
        start = input if include_self else input.masked_fill(counts > 0, 0)
        total = start.scatter_add(axis, index, part)
        return total / counts.clamp(min=1) if reduce == "mean" else total
    raise unsupported(
        f'scatter_reduce with "{reduce}"', "Sort by index and reduce each part, or use amax over a mask."
    )


# --- statistics ----------------------------------------------------------------------------------------------


@method
def msort(input: Tensor) -> Any:
    """As `torch.msort`."""
    return sort(input, 0)[0]


@method
def nanquantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """As `torch.nanquantile` of numbers without NaN, and of vectors with some."""
    bad = np.isnan(plain(input))
    if not bad.any():
        return quantile(input, q, dim, keepdim)
    if dim is None or input.ndim == 1:
        return quantile(input[wrap(~bad)], q)
    raise unsupported("nanquantile along an axis with NaN", "Take the quantile of each row without its NaN.")


@method
def nanmedian(input: Tensor) -> Any:
    """As `torch.nanmedian` of all elements."""
    return input[wrap(~np.isnan(plain(input)))].median()


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """As `torch.cumulative_trapezoid`."""
    n = y.shape[dim]
    ends = y.narrow(dim, 1, n - 1) + y.narrow(dim, 0, n - 1)
    steps = dx if x is None else x.narrow(-1, 1, n - 1) - x.narrow(-1, 0, n - 1)
    return cumsum(ends * steps, dim) / 2.0


@method
def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """As `torch.cov`: of variables along the first axis."""
    if fweights is not None or aweights is not None:
        raise unsupported("cov with weights", "Weigh the observations beforehand.")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    centred = x - mean(x, 1, keepdim=True)
    found = matmul(centred, centred.conj().t()) / (x.shape[1] - correction)
    return found.squeeze() if input.ndim < 2 else found


@method
def corrcoef(input: Tensor) -> Any:
    """As `torch.corrcoef`."""
    c = cov(input)
    if c.ndim == 0:
        return c / c
    scale = diagonal(c).sqrt()
    return (c / scale.unsqueeze(1) / scale.unsqueeze(0)).clamp(-1, 1)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Any:
    """As `torch.vander`."""
    powers = np.arange(x.shape[-1] if N is None else N)
    return x.unsqueeze(-1) ** wrap(powers if increasing else powers[::-1].copy())


@method
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Any:
    """As `torch.renorm`: parts along an axis are shortened to a norm."""
    axes = [k for k in range(input.ndim) if k != axis_of(dim, input.ndim)]
    norms = vector_norm(input, p, axes, keepdim=True)
    factors = (norms > maxnorm).to(input.dtype)
    return input * (factors * (maxnorm / (norms + 1e-7)) + (1 - factors))


def pdist(input: Tensor, p: float = 2.0) -> Any:
    """As `torch.nn.functional.pdist`: distances of all pairs of rows."""
    first, second = np.triu_indices(input.shape[0], 1)
    return vector_norm(input[wrap(first)] - input[wrap(second)], p, -1)


@method
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """As `torch.addbmm`."""
    total = bmm(batch1, batch2).sum(0)
    return beta * input + (total if alpha == 1 else alpha * total)


# --- types, memory -------------------------------------------------------------------------------------------


def can_cast(from_: dtype, to: dtype) -> bool:
    """As `torch.can_cast`."""
    order = "biufc".replace("u", "")
    a, b = (order.index("i" if t.numpy.kind == "u" else t.numpy.kind) for t in (from_, to))
    return a <= b


def from_dlpack(ext_tensor: Any) -> Any:
    """As `torch.from_dlpack`."""
    return wrap(np.from_dlpack(ext_tensor))


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Any:
    """As `torch.frombuffer`: shares the memory."""
    return wrap(np.frombuffer(buffer, as_numpy(dtype), count, offset)).requires_grad_(requires_grad)


def apply_(self: Tensor, callable: Any) -> Any:
    """As `Tensor.apply_`: a Python function of each element, in place."""
    if self.requires_grad:
        raise RuntimeError(
            "Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead."
        )
    x = plain(self)
    flat = [callable(v) for v in x.reshape(-1).tolist()]
    x[...] = np.asarray(flat, x.dtype).reshape(x.shape)
    self.version[0] += 1
    return self


def map_(self: Tensor, tensor: Tensor, callable: Any) -> Any:
    """As `Tensor.map_`: a Python function of pairs of elements, in place."""
    if self.requires_grad:
        raise RuntimeError(
            "Can't call map_() on Variable that requires grad. Use var.detach().map_() instead."
        )
    x = plain(self)
    pairs = zip(
        x.reshape(-1).tolist(), np.broadcast_to(plain(tensor), x.shape).reshape(-1).tolist(), strict=True
    )
    x[...] = np.asarray([callable(a, b) for a, b in pairs], x.dtype).reshape(x.shape)
    self.version[0] += 1
    return self


def is_inference(input: Tensor) -> bool:
    """As `torch.is_inference`: whether the tensor was made in inference mode."""
    return type(input.version) is not list


def _no(self: Tensor) -> bool:
    """Tell that the tensor is no such thing."""
    return False


for _function in (apply_, map_, is_inference):
    method(_function)
method(_no, "is_conj", "is_neg", "is_pinned", "is_shared", "is_distributed", "is_coalesced")
method(lambda self: self, "resolve_neg", "pin_memory", "share_memory_", "to_dense")
is_conj = is_neg = _no


# --- in place ------------------------------------------------------------------------------------------------

for _name in (
    "acosh", "asinh", "atanh", "sinc", "logit", "i0", "erfinv", "sgn", "deg2rad", "rad2deg", "fix", "absolute",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh",
):  # fmt: skip
    in_place(getattr(functions, _name), f"{_name}_")
for _name in (
    "eq", "ne", "lt", "le", "gt", "ge", "greater", "greater_equal", "less", "less_equal", "not_equal", "logical_xor",
    "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift",
):  # fmt: skip
    in_place(getattr(comparison, _name), f"{_name}_")
for _op in (
    gcd,
    lcm,
    heaviside,
    nextafter,
    ldexp,
    float_power,
    renorm,
    addbmm,
    put,
    cumsum,
    cumprod,
    scatter_reduce,
):
    in_place(_op, f"{_op.__name__}_")
for _name in ("igamma", "igammac", "mvlgamma", "polygamma"):
    in_place(getattr(Tensor, _name), f"{_name}_")
in_place(masked_scatter)
in_place(baddbmm)
in_place(addr)


def swapdims_(self: Tensor, dim0: int, dim1: int) -> Any:
    """As `Tensor.swapdims_`."""
    return self.transpose_(dim0, dim1)


method(swapdims_, "swapdims_", "swapaxes_")
del _function, _name, _op
