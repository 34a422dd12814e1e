"""Buffers that belong to no transform yet: what ``fd.numpy.zeros(n)`` returns.

A free buffer is a constant below all transforms.  NumPy reads it as the plain array it holds; a traced
value written into it lifts it to the writer's level, and a transform that returns it returns its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff.core.mutation import Path, update
from funcdiff.core.recording import Recorder, TracedArray, box


class FreeRecorder(Recorder):
    """Evaluates at once; views and copies of its arrays stay writable buffers, and if it is lasting, all results."""

    free = True
    name = "no transform"

    def __init__(self, lasting: bool = False) -> None:
        super().__init__()
        self.lasting = lasting

    def apply(self, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        out = primitive.function(*[a.value if type(a) is TracedArray else a for a in args], **params)
        if self.lasting or primitive.is_lens or primitive.name in ("copy", "view"):
            return tuple(buffer(o, self) for o in out) if isinstance(out, tuple) else buffer(out, self)
        return out

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        update(x, settle(value), path)


FREE = FreeRecorder()  # made when funcdiff is imported, so its level is below every transform's
LASTING = FreeRecorder(lasting=True)


def buffer(x: Any, recorder: Recorder = FREE) -> Any:
    """Make an inexact array a free buffer; other values stay what they are."""
    return box(x, recorder, recorder.constant_place) if type(x) is np.ndarray and x.dtype.kind in "fc" else x


def settle(x: Any) -> Any:
    """Return the plain value of a free buffer; others pass."""
    return x.value if type(x) is TracedArray and x.recorder.free else x
