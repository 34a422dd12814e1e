"""Tensors from numbers: `tensor`, `arange`, `zeros` and the like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from funcdiff.compat.torch._apply import NUMBERS, method
from funcdiff.compat.torch._dtypes import FLOAT32, FROM_NUMPY, INT64, Default, as_numpy, check_device
from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._graph import LEAF
from funcdiff.compat.torch._promotion import number_type
from funcdiff.compat.torch._tensor import Tensor, plain, wrap
from funcdiff.compat.torch.ops.shapes import sizes
from funcdiff.core.recording import TracedArray

_ONLY_FLOATS = "Only Tensors of floating point and complex dtype can require gradients"


def made(x: Any, requires_grad: bool = False, device: Any = None, **ignored: Any) -> Any:
    """Make a leaf of an array."""
    if device is not None:
        check_device(device)
    if ignored:
        _check(ignored)
    out = wrap(x)
    if requires_grad:
        if out.value.dtype.kind not in "fc":
            raise RuntimeError(_ONLY_FLOATS)
        out.edge = LEAF
    return out


def _check(keywords: dict[str, Any]) -> None:
    for name, value in keywords.items():
        if name == "names" and value is not None:
            raise unsupported("named tensors", "Leave names= out.")
        if name not in ("layout", "pin_memory", "memory_format", "names", "out", "generator"):
            raise TypeError(f"unexpected keyword argument '{name}'")


def _typed(dtype: Any, default: Any) -> Any:
    return default if dtype is None else as_numpy(dtype)


def _infer(data: Any) -> Any:
    """Return the dtype PyTorch infers for nested sequences of numbers."""
    x = data
    while isinstance(x, (list, tuple)):
        if not len(x):
            return Default.real
        found = [_infer(i) for i in (x if _nested(x) else dict(zip(map(type, x), x, strict=True)).values())]
        return found[0] if len(found) == 1 else max(found, key=lambda d: ("biufc".index(d.kind), d.itemsize))
    if isinstance(x, Tensor):
        return x.value.dtype
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype
    known = number_type(x)
    if known is None:
        if isinstance(x, str):
            raise TypeError("new(): invalid data type 'str'")
        raise RuntimeError(f"Could not infer dtype of {type(x).__name__}")
    return known


def _nested(data: Any) -> bool:
    """Tell whether a sequence holds more than Python's numbers, of which one of each type tells the dtype."""
    return not NUMBERS.issuperset(map(type, data))


def _check_lengths(data: Any, depth: int = 0) -> None:
    if isinstance(data, (list, tuple)) and data and isinstance(data[0], (list, tuple)):
        for item in data:
            if not isinstance(item, (list, tuple)) or len(item) != len(data[0]):
                got = len(item) if isinstance(item, (list, tuple)) else 0
                raise ValueError(f"expected sequence of length {len(data[0])} at dim {depth + 1} (got {got})")
        for item in data:
            _check_lengths(item, depth + 1)


def _numbers(data: Any) -> Any:
    if isinstance(data, Tensor):
        return plain(data)
    if isinstance(data, (list, tuple)):
        return [_numbers(i) for i in data] if _nested(data) else data
    return data


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Any:
    """As `torch.tensor`: a copy of the data."""
    if isinstance(data, Tensor) and type(data.value) is TracedArray:
        from funcdiff.compat.torch._recorder import stop

        return wrap(stop(data.value))
    kind = _typed(dtype, None)
    if isinstance(data, (list, tuple)):
        _check_lengths(data)
        kind = kind or _infer(data)
        x = np.array(_numbers(data), dtype=kind)
    else:
        kind = kind or _infer(data)
        x = np.array(_numbers(data), dtype=kind)
    return made(x, requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """As `torch.as_tensor`: shares memory where it can."""
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        return wrap(data if dtype is None else data.astype(as_numpy(dtype), copy=False))
    return tensor(data, dtype=dtype)


asarray = as_tensor


def from_numpy(ndarray: Any) -> Any:
    """As `torch.from_numpy`: shares the memory."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if ndarray.dtype not in FROM_NUMPY:
        raise TypeError(
            f"can't convert np.ndarray of type {ndarray.dtype.type.__module__}.{ndarray.dtype.type.__name__}. The only supported types "
            "are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and "
            "bool."
        )
    return wrap(ndarray)


def scalar_tensor(s: Any, *, dtype: Any = None) -> Any:
    """As `torch.scalar_tensor`."""
    return tensor(s, dtype=dtype)


# --- filled ------------------------------------------------------------------------------------------------


def _shape(size: Sequence[Any], name: str) -> tuple[int, ...]:
    found = sizes(size)
    if found and min(found) < 0:
        raise RuntimeError(f"{name}: Dimension size must be non-negative.")
    return found


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False, **kwargs: Any) -> Any:
    """As `torch.zeros`."""
    shape = _shape(size or (kwargs.pop("size"),), "zeros")
    return made(np.zeros(shape, _typed(dtype, Default.real)), requires_grad, **kwargs)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False, **kwargs: Any) -> Any:
    """As `torch.ones`."""
    shape = _shape(size or (kwargs.pop("size"),), "ones")
    return made(_filled(shape, _typed(dtype, Default.real), 1), requires_grad, **kwargs)


def _filled(shape: tuple[int, ...], kind: Any, number: Any) -> Any:
    """Return an array of one number, in half the time of NumPy's `full`."""
    x = np.empty(shape, kind)
    x.fill(number)
    return x


def empty(*size: Any, dtype: Any = None, requires_grad: bool = False, **kwargs: Any) -> Any:
    """As `torch.empty`; the elements are zeros here."""
    return zeros(*size, dtype=dtype, requires_grad=requires_grad, **kwargs)


def full(size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, **kwargs: Any) -> Any:
    """As `torch.full`."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    x = _filled(sizes((size,)), _typed(dtype, number_type(value)), value)
    return made(x, requires_grad, **kwargs)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False, **kwargs: Any
) -> Any:
    """As `torch.eye`."""
    kind = _typed(dtype, Default.real)
    if 0 <= n * (n if m is None else m) <= _FEW:
        return made(_identity(n, m, kind).copy(), requires_grad, **kwargs)
    return made(np.eye(n, m, dtype=kind), requires_grad, **kwargs)


_FEW = 4096


@lru_cache(maxsize=64)
def _identity(n: int, m: int | None, kind: Any) -> Any:
    return np.eye(n, m, dtype=kind)


def _like(function: Any, name: str, number: Any = None) -> Any:
    """Make a function of a tensor's shape and dtype; `number` is what all elements are, if they are known."""

    def like(input: Tensor, *args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        if number is not None and dtype is None and not args and not kwargs:
            value = input.value
            return wrap(_filled(value.shape, value.dtype, number))
        kwargs.pop("memory_format", None)
        return function(input.shape, *args, dtype=input.dtype if dtype is None else dtype, **kwargs)

    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"As `torch.{name}`."
    return like


zeros_like = _like(zeros, "zeros_like", 0)
ones_like = _like(ones, "ones_like", 1)
empty_like = _like(empty, "empty_like")
full_like = _like(full, "full_like")


def _new(function: Any, name: str) -> None:
    def new(self: Tensor, *args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        return function(*args, dtype=self.dtype if dtype is None else dtype, **kwargs)

    method(new, name)


_new(zeros, "new_zeros")
_new(ones, "new_ones")
_new(empty, "new_empty")
_new(full, "new_full")
_new(tensor, "new_tensor")


# --- ranges ------------------------------------------------------------------------------------------------


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) else x


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    **kwargs: Any,
) -> Any:
    """As `torch.arange`."""
    if type(start) is int and type(step) is int and dtype is None and (end is None or type(end) is int):
        first, last = (0, start) if end is None else (start, end)
        if step and (last - first) * step >= 0:
            return made(np.arange(first, last, step, dtype=INT64), requires_grad, **kwargs)
    start, end, step = map(_number, (start, end, step))
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(n, int) for n in (start, end, step))
    kind = _typed(dtype, INT64 if whole else Default.real)
    count = max(0, math.ceil((end - start) / step))
    x = (start + step * np.arange(count, dtype=np.float64 if not whole else np.int64)).astype(kind)
    return made(x, requires_grad, **kwargs)


def range_(start: Any, end: Any, step: Any = 1, **kwargs: Any) -> Any:
    """As `torch.range`, which includes the end."""
    count = int((end - start) / step) + 1
    kwargs.setdefault("dtype", FROM_NUMPY[Default.real])
    return tensor([start + n * step for n in range(count)], **kwargs)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, requires_grad: bool = False, **kwargs: Any
) -> Any:
    """As `torch.linspace`: counted from both ends in the tensor's own precision."""
    start, end = _number(start), _number(end)
    kind = _typed(dtype, Default.real)
    if kind.kind in "biu":
        x = np.linspace(start, end, steps).astype(kind)
        return made(x, requires_grad, **kwargs)
    if steps == 1:
        return made(np.array([start], kind), requires_grad, **kwargs)
    first, last, step = ends = _ends(start, end, steps, kind)
    if kind is FLOAT32 and steps <= _FEW and math.isfinite(step):
        x = _counts(steps).dot(ends).astype(kind)  # a product of two floats is exact in double precision
        return made(x, requires_grad, **kwargs) if requires_grad or kwargs else wrap(x)
    n = np.arange(steps)
    half = steps // 2
    below = _fused(step, n[:half], first)
    above = _fused(-step, (steps - n[half:] - 1), last)
    return made(np.concatenate([below, above]).astype(kind), requires_grad, **kwargs)


@lru_cache(maxsize=256)
def _ends(start: Any, end: Any, steps: int, kind: Any) -> Any:
    """Return the first number, the last and the step in the precision of a type."""
    first, last = kind.type(start), kind.type(end)
    with np.errstate(all="ignore"):
        return np.array([first, last, (last - first) / kind.type(steps - 1)])


@lru_cache(maxsize=256)
def _counts(steps: int) -> Any:
    """Return how often each place has the first number, the last, and the step (negative from the last)."""
    places = np.arange(steps)
    near_first = places < steps // 2
    return np.stack([near_first, ~near_first, places - np.where(near_first, 0, steps - 1)], 1).astype(
        np.float64
    )


def _fused(step: Any, n: Any, start: Any) -> Any:
    """Return ``start + step * n`` rounded once, as a fused multiply-add gives it."""
    kind = np.result_type(step)
    if kind == np.float32:  # a product of two floats is exact in double precision
        return (np.float64(start) + np.float64(step) * n).astype(kind)
    return start + step * n.astype(kind)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """As `torch.logspace`."""
    kind = _typed(dtype, Default.real)
    return made(np.logspace(_number(start), _number(end), steps, base=base).astype(kind), requires_grad)


def tril_indices(row: int, col: int, offset: int = 0) -> Any:
    """As `torch.tril_indices`."""
    return wrap(np.stack(np.tril_indices(row, offset, col)))


def triu_indices(row: int, col: int, offset: int = 0) -> Any:
    """As `torch.triu_indices`."""
    return wrap(np.stack(np.triu_indices(row, offset, col)))


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Any:
    """As `torch.combinations`."""
    from itertools import combinations as choose
    from itertools import combinations_with_replacement

    pick = combinations_with_replacement if with_replacement else choose
    index = list(pick(range(input.numel()), r))
    return input[wrap(np.array(index, np.int64).reshape(-1, r))]
