"""Tensors as PyTorch prints them: four digits, one width for all, scientific where the range is wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from funcdiff.compat.torch._dtypes import BOOL, FROM_NUMPY, INT64, Default
from funcdiff.core.recording import TracedArray


class Options:
    """How tensors are printed."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, math.inf, 3, 80),
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; each setting left out stays as it is."""
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"profile must be one of {sorted(_PROFILES)}, not {profile!r}")
        Options.precision, Options.threshold, Options.edgeitems, Options.linewidth = _PROFILES[profile]
    if precision is not None:
        Options.precision = precision
    if threshold is not None:
        Options.threshold = threshold
    if edgeitems is not None:
        Options.edgeitems = edgeitems
    if linewidth is not None:
        Options.linewidth = linewidth
    Options.sci_mode = sci_mode


class _Format:
    """The one way in which all numbers of a tensor are written."""

    def __init__(self, x: Any) -> None:
        self.floating = x.dtype.kind == "f"
        self.whole = True
        self.scientific = False
        self.width = 1
        if not self.floating:
            self.width = max([1, *(len(str(v)) for v in x.ravel().tolist())])
            return
        finite = x[np.isfinite(x) & (x != 0)]
        if finite.size:
            self.whole = bool(np.all(finite == np.ceil(finite)))
            sizes = np.abs(finite.astype(np.float64))
            low, high = float(sizes.min()), float(sizes.max())
            wide = high / low > 1000.0 or high > 1.0e8
            self.scientific = wide or (not self.whole and low < 1.0e-4)
        if Options.sci_mode is not None:
            self.scientific = Options.sci_mode
        self.width = max([1, *(len(self.write(v)) for v in finite.tolist())])

    def write(self, v: Any) -> str:
        """Write a number without its margin."""
        if not self.floating:
            return str(v)
        if self.scientific:
            return f"{v:.{Options.precision}e}"
        if self.whole:
            return f"{v:.0f}" + ("." if math.isfinite(v) else "")
        return f"{v:.{Options.precision}f}"

    def __call__(self, v: Any) -> str:
        return self.write(v).rjust(self.width)


def _number(v: Any, formats: Sequence[_Format]) -> str:
    if len(formats) == 1:
        return formats[0](v)
    imaginary = f"{formats[1](v.imag)}j".lstrip()
    return formats[0](v.real) + ("" if imaginary[0] in "+-" else "+") + imaginary


def _vector(x: Any, indent: int, shorten: bool, formats: Sequence[_Format]) -> str:
    length = formats[0].width + 2 + (formats[1].width + 1 if len(formats) > 1 else 0)
    per_line = max(1, (Options.linewidth - indent) // length)
    edge = Options.edgeitems
    if shorten and not edge:
        words = ["..."]
    elif shorten and len(x) > 2 * edge:
        words = [_number(v, formats) for v in x[:edge].tolist()]
        words += [" ...", *(_number(v, formats) for v in x[-edge:].tolist())]
    else:
        words = [_number(v, formats) for v in x.tolist()]
    lines = [", ".join(words[n : n + per_line]) for n in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _block(x: Any, indent: int, shorten: bool, formats: Sequence[_Format]) -> str:
    if x.ndim == 0:
        return _number(x.item(), formats)
    if x.ndim == 1:
        return _vector(x, indent, shorten, formats)
    edge = Options.edgeitems
    if shorten and len(x) > 2 * edge:
        parts = [_block(i, indent + 1, shorten, formats) for i in x[:edge]]
        parts += ["...", *(_block(i, indent + 1, shorten, formats) for i in x[len(x) - edge :])]
    else:
        parts = [_block(i, indent + 1, shorten, formats) for i in x]
    between: str = "," + "\n" * (x.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"


def _edges(x: Any) -> Any:
    """Return the part of an array that is shown when it is shortened."""
    edge = Options.edgeitems
    for axis, length in enumerate(x.shape):
        if length > 2 * edge:
            x = np.take(x, [*range(edge), *range(length - edge, length)], axis)
    return x


def numbers(x: Any, indent: int) -> str:
    """Write the elements of an array."""
    if not x.size:
        return "[]"
    shorten = x.size > Options.threshold
    shown = _edges(x) if shorten else x
    parts = (shown.real, shown.imag) if x.dtype.kind == "c" else (shown,)
    return _block(x, indent, shorten, tuple(_Format(np.asarray(p)) for p in parts))


def show(tensor: Any) -> str:
    """Write a tensor."""
    prefix = "tensor("
    indent = len(prefix)
    x = tensor.value
    if type(x) is TracedArray:
        from funcdiff.compat.torch.autograd.forward_ad import unpack_plain

        primal, tangent = unpack_plain(tensor)
        if primal is None:
            return _followed(tensor)
        words = numbers(primal, indent)
        suffixes = [f"tangent={tangent!r}"] if tangent is not None else []
        return _joined(prefix + words, _gradient(tensor) + suffixes, indent)
    return _joined(prefix + numbers(x, indent), _type(x) + _gradient(tensor), indent)


def _followed(tensor: Any) -> str:
    """Write a tensor that a `torch.func` transform follows: what each transform sees of it, outermost first."""
    from funcdiff.compat.torch._recorder import GRAPH, lower

    x = tensor.value
    while type(x) is TracedArray and x.recorder is not GRAPH:
        recorder = x.recorder
        if recorder.batch and x.place:
            head = f"BatchedTensor(lvl={_depth(x)}, bdim=0, value="
        elif not recorder.batch and x.place is not recorder.constant_place:
            head = f"GradTrackingTensor(lvl={_depth(x)}, value="
        else:
            x = x.value
            continue
        below = x.value
        place = below.place if type(below) is TracedArray and below.recorder is GRAPH else None
        inside = repr(place if hasattr(place, "requires_grad") else lower(below)).replace("\n", "\n    ")
        return f"{head}\n    {inside}\n)"
    return repr(lower(x))


def _depth(x: Any) -> int:
    """Return how deep the newest transform of a traced array is nested, from 1."""
    known: int | None = DEPTHS.get(x.recorder)
    if known is not None:
        return known
    return 1 + (_depth(x.value) if type(x.value) is TracedArray and x.value.recorder.level > 0 else 0)


DEPTHS: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""How deep the running transforms are nested."""


def _type(x: Any) -> list[str]:
    found = []
    if not x.size:
        if x.ndim != 1:
            found.append(f"size={tuple(x.shape)}")
        if x.dtype != Default.real:
            found.append(f"dtype={FROM_NUMPY[x.dtype]}")
    elif x.dtype not in (Default.real, INT64, BOOL, Default.complex):
        found.append(f"dtype={FROM_NUMPY[x.dtype]}")
    return found


def _gradient(tensor: Any) -> list[str]:
    node = tensor.grad_fn
    if node is not None:
        return [f"grad_fn=<{node.name().rsplit('::', maxsplit=1)[-1]}>"]
    return ["requires_grad=True"] if tensor.requires_grad else []


def _joined(text: str, suffixes: list[str], indent: int) -> str:
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > Options.linewidth:
            text += ",\n" + " " * indent + suffix
            last = indent + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"
