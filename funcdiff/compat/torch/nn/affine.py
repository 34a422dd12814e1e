"""The affine map of a layer, the one operation of networks that is worth a node of its own, and the bilinear one.

Its rules are the transposes of `product_by_rows` and of broadcasting, called directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import funcdiff.numpy as fnp
from funcdiff.compat.torch._apply import composed, composite
from funcdiff.compat.torch._dtypes import FROM_NUMPY
from funcdiff.compat.torch._graph import Node, new_node, node_class, recorded
from funcdiff.compat.torch._recorder import edge_of, lift, lower
from funcdiff.compat.torch._state import QUIETLY, STATE, silence, unsilence
from funcdiff.compat.torch._tensor import Tensor, wrap
from funcdiff.compat.torch.ops.products import matmul
from funcdiff.compat.torch.ops.rules import product_by_rows
from funcdiff.compat.torch.ops.shapes import t as turned_over
from funcdiff.core.array_type import type_of
from funcdiff.core.matching import match
from funcdiff.primitives.shape import transpose

_by_input, _by_weight = product_by_rows.primitive.transposes
_TURN = (1, 0)


class _AffineNode(Node):
    """``record = (input, turned weight, type of the bias)``; the edges are those of bias, input and turned weight."""

    __slots__ = ()

    def pull(self, g: Any) -> Sequence[Any]:
        x, turned, kind = self.record
        return self._cotangents(g, x, None if turned is None else turned.T, kind)

    def pull_recorded(self, g: Any) -> Sequence[Any]:
        x, turned, kind = self.record
        _, by_input, by_weight = self.next
        if turned is not None:
            turned = transpose(recorded(turned, by_weight), axes=_TURN)
        return self._cotangents(g, recorded(x, by_input), turned, kind)

    def _cotangents(self, g: Any, x: Any, w: Any, kind: Any) -> Sequence[Any]:
        bias, by_input, by_weight = self.next
        return (
            None if bias is None else match(g, kind),
            None if by_input is None else _by_input(g, x, w),
            None if by_weight is None else transpose(_by_weight(g, x, w), axes=_TURN),
        )

    def free(self) -> None:
        self.record = None


_Addmm = node_class("AddmmBackward0", _AffineNode)


def affine(bias: Tensor, input: Tensor, turned: Tensor) -> Any:
    """Return ``input @ turned + bias`` for matrices, `turned` being the transpose of the weights."""
    b, x, t = bias.value, input.value, turned.value
    if type(b) is not np.ndarray or type(x) is not np.ndarray or type(t) is not np.ndarray:
        return lower(product_by_rows(lift(input), transpose(lift(turned), axes=_TURN)) + lift(bias))
    token = silence(QUIETLY)
    try:
        v = np.matmul(x, t)
        v += b
    finally:
        unsilence(token)
    result = wrap(v)
    if STATE.recording:
        edges = edge_of(bias), edge_of(input), edge_of(turned)
        if any(e is not None for e in edges):
            x_kept, t_kept = edges[2] is not None, edges[1] is not None
            result.edge = new_node(
                _Addmm,
                edges,
                (x if x_kept else None, t if t_kept else None, type_of(b)),
                (input.version if x_kept else None, turned.version if t_kept else None),
                (input.version[0] if x_kept else 0, turned.version[0] if t_kept else 0),
            )
            result.edge.arrays = x, t
    return result


def linear(input: Tensor, weight: Tensor, bias: Any = None) -> Any:
    """As `torch.nn.functional.linear`."""
    if input.value.dtype != weight.value.dtype:
        a, b = (FROM_NUMPY[x.value.dtype].type_name for x in (input, weight))
        raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {a} and {b}")
    same = bias is not None and input.value.dtype == weight.value.dtype == bias.value.dtype
    if same and len(input.value.shape) == 2 and len(weight.value.shape) == 2:
        m, n = input.value.shape, weight.value.shape
        if m[1] != n[1]:
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({m[0]}x{m[1]} and {n[1]}x{n[0]})")
        return affine(bias, input, turned_over(weight))
    if bias is not None and len(input.value.shape) == 1 and same:
        return linear(input.unsqueeze(0), weight, bias).view(-1)
    out = matmul(input, turned_over(weight))
    return out if bias is None else out + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Any = None) -> Any:
    """As `torch.nn.functional.bilinear`."""

    def compute(x: Any, y: Any, w: Any) -> Any:
        return fnp.einsum("...i,oij,...j->...o", x, w, y)

    out = composite(composed("BilinearBackward0"), compute, (input1, input2, weight))
    return out if bias is None else out + bias
