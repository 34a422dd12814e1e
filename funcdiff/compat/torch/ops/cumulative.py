"""Running sums and products, differences, and integrals of samples."""

from __future__ import annotations

from functools import partial
from typing import Any

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite, deliver, method, of_general, of_linear
from funcdiff.compat.torch._dtypes import int64
from funcdiff.compat.torch._graph import node_class
from funcdiff.compat.torch.ops.axes import single_axis
from funcdiff.core.primitive import REGISTRY


def _cumulative(name: str, operation: Any) -> Any:
    """Make a running operation of ``operation(tensor, parameters)``."""

    def cumulate(input: Any, dim: int, *, dtype: Any = None, out: Any = None) -> Any:
        if dtype is not None:
            input = input.to(dtype)
        elif input.value.dtype.kind in "biu":
            input = input.to(int64)
        rank = len(input.value.shape)
        params = single_axis(dim, rank)
        made = operation(input, params) if rank else input.clone()
        return made if out is None else deliver(made, out)

    cumulate.__name__ = cumulate.__qualname__ = name
    cumulate.__doc__ = f"As `torch.{name}`."
    return method(cumulate)


_cumsum, _cumprod = (REGISTRY[name].function for name in ("cumsum", "cumprod"))
cumsum = _cumulative("cumsum", partial(of_linear(_cumsum), node_class("CumsumBackward0")))
cumprod = _cumulative("cumprod", of_general("CumprodBackward0", _cumprod))


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
