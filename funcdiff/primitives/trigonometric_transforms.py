"""Discrete cosine and sine transforms, and the fast Hankel transform, along one axis.

Made orthogonal, types 1 and 4 are symmetric, and types 2 and 3 each other's transposes, whatever the norm.
Otherwise the elements at the ends weigh differently: type 2 then has ``√2`` more in its output's end, type 3
``√2`` less in its input's, and type 1 both.  The end is the first element of cosine and the last of
sine transforms, and for cosine transforms of type 1 both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

from funcdiff.core.array_type import ArrayType
from funcdiff.core.declare import linear
from funcdiff.core.primitive import Function
from funcdiff.primitives.fft import fitted

TURNED = {1: 1, 2: 3, 3: 2, 4: 4}
"""The type of the transposed transform, which is also that of the inverse one."""


def _ends(g: Any, n: int, axis: int, places: tuple[int, ...], factor: float) -> Any:
    """Multiply the end elements along an axis."""
    w = np.ones(n, g.dtype.type(0).real.dtype)
    w[list(places)] = factor
    return g * w.reshape(-1, *(1,) * (len(g.shape) - axis - 1))


def _transform(name: str, impl: Callable[..., Any], ends: dict[int, tuple[int, ...]]) -> Function:
    def run(x: Any, *, type: int, n: int, axis: int, norm: str, orthogonalize: bool) -> Any:
        if np.iscomplexobj(x):  # SciPy would forget `orthogonalize`
            parts = (
                impl(part, type, n, axis, norm, orthogonalize=orthogonalize) for part in (x.real, x.imag)
            )
            return next(parts) + 1j * next(parts)
        return impl(x, type, n, axis, norm, orthogonalize=orthogonalize)

    def transpose(
        g: Any, x: ArrayType, *, type: int, n: int, axis: int, norm: str, orthogonalize: bool
    ) -> Any:
        root = 2**0.5
        places = () if orthogonalize else ends[type]
        if type in (1, 2) and places:
            g = _ends(g, n, axis, places, root)
        turned: dict[str, Any] = {
            "type": TURNED[type],
            "n": n,
            "axis": axis,
            "norm": norm,
            "orthogonalize": True,
        }
        g = function(g, **turned)
        if type in (1, 3) and places:
            g = _ends(g, n, axis, places, 1 / root)
        return fitted(g, x.shape[axis], axis)

    def samples(rng: np.random.Generator) -> Any:
        out = []
        for k in (1, 2, 3, 4):
            for norm, orthogonalize in (("backward", False), ("ortho", True), ("forward", True)):
                params = {"type": k, "n": 4, "axis": 0, "norm": norm, "orthogonalize": orthogonalize}
                out.append(((rng.standard_normal(4),), params))
        params = {"type": 2, "n": 3, "axis": 1, "norm": "ortho", "orthogonalize": False}
        out.append(((rng.standard_normal((2, 4)),), params))
        out.append(((rng.standard_normal((2, 2, 2)),), params))
        return out

    function: Function = linear(
        run,
        transpose,
        batch=lambda values, flags, size, **params: function(
            values[0], **{**params, "axis": params["axis"] + 1}
        ),
        name=name,
        samples=samples,
        doc=f"The {'cosine' if name == 'dct' else 'sine'} transform of `n` points along an axis.",
    )
    return function


dct = _transform("dct", scipy.fft.dct, {1: (0, -1), 2: (0,), 3: (0,), 4: ()})
dst = _transform("dst", scipy.fft.dst, {1: (), 2: (-1,), 3: (-1,), 4: ()})

# --- Hankel: a circulant matrix upside down is symmetric, and so it stays between equal biases -----------------------


def _hankel_samples(rng: np.random.Generator) -> Any:
    params = {"dln": 0.1, "mu": 0.5, "offset": 0.2, "bias": 0.1}
    return [
        ((rng.standard_normal(6),), params),
        ((rng.standard_normal((2, 5)),), {**params, "bias": 0.0}),
    ]


def _hankel(name: str, impl: Callable[..., Any]) -> Function:
    function: Function = linear(
        lambda a, **params: impl(a, **params),
        lambda g, _a, **params: function(g, **params),
        batch=lambda values, flags, size, **params: function(values[0], **params),
        name=name,
        samples=_hankel_samples,
        doc="The fast Hankel transform along the last axis, or its inverse; it is its own transpose.",
    )
    return function


fht = _hankel("fht", scipy.fft.fht)
ifht = _hankel("ifht", scipy.fft.ifht)
