"""The functions that apply primitives, with the two recorders that matter for speed written in.

Each function made here first tries what is common: every argument on one live recorder or plain.
Reverse mode then appends eight fields to a flat list (tuples that die at once are not tracked by the
garbage collector, so it need not be paused), and forward mode computes the tangent.  All else goes to
`recording.apply`.  Per-primitive closures instead of one generic path make value-and-gradient of small
arrays 2.4 times faster (CORE measurements, docs/architecture.md).

A record is ``(pull, out, in0, in1, x, y, v, types)``: the numbers of the output and operands, the
operands and output where a partial derivative reads them, and the operands' types where broadcasting
or promotion has to be undone.  ``tape += record`` takes 14 ns less than ``tape.extend(record)`` where the
interpreter was built without profiling, a hundredth of an operation; it takes no lock, so that threads
of one function may count the records at the same moment (`reverse.in_order` finds that out).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdiff.core.fast_binary import make_binary
from funcdiff.core.fast_linear import make_binary_multilinear, make_unary_linear
from funcdiff.core.fast_unary import make_unary
from funcdiff.core.primitive import Elementwise, Function, Linear, Multilinear, Primitive
from funcdiff.core.recording import apply
from funcdiff.core.rules import PLAIN_SCALARS


def make(primitive: Primitive) -> Function:
    """Return the function that applies a primitive."""
    if isinstance(primitive, Elementwise) and None not in primitive.partials:
        if len(primitive.partials) == 1:
            return make_unary(primitive)
        if len(primitive.partials) == 2:
            return make_binary(primitive)
    if isinstance(primitive, Linear) and not primitive.variadic and len(primitive.transposes) == 1:
        return make_unary_linear(primitive)
    if isinstance(primitive, Multilinear) and not primitive.variadic and len(primitive.transposes) == 2:
        return make_binary_multilinear(primitive)

    def function(*args: Any, **params: Any) -> Any:
        for a in args:
            kind = type(a)
            if kind not in PLAIN_SCALARS and (kind is not np.ndarray or a.dtype.char == "O"):
                return apply(primitive, args, params)
        return primitive.impl(*args, **params)

    return function
