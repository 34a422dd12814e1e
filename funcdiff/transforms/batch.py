"""Batching: the recorder behind `vmap` and behind the batched sweeps of Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.alignment import align
from funcdiff.core.mutation import Path, update, write
from funcdiff.core.primitive import REGISTRY, Elementwise, LocallyConstant, Primitive, call_rules
from funcdiff.core.recording import Recorder, TracedArray, box
from funcdiff.primitives.indexing import HOLE, mapped_index, over_batch
from funcdiff.primitives.putting import path_to, put
from funcdiff.primitives.shape import broadcast_to, copy, reshape, transpose
from funcdiff.primitives.update import path_over_batch, update_at


class BatchRecorder(Recorder):
    """Applies each primitive to a whole batch; `place` tells whether axis 0 of the value is mapped."""

    batch = True
    constant_place = False
    name = "vmap"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.length = size

    def concrete(self, x: TracedArray) -> Any:
        if x.place:
            raise errors.MappedControlFlowError(
                errors.at_user_line(
                    "Python control flow (if, while, int(), item(), a boolean or value-dependent index) asks for "
                    "the value of an array that vmap maps over, which differs from example to example. "
                    "Select values with np.where(condition, a, b), or use fd.cond."
                )
            )
        return x.value

    def apply(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        mine = [type(a) is TracedArray and a.recorder is self for a in args]
        values = [a.value if m else a for a, m in zip(args, mine, strict=True)]
        flags = [m and bool(a.place) for a, m in zip(args, mine, strict=True)]
        if not any(flags):
            return self._wrap(primitive.function(*values, **params), False)
        custom = call_rules(primitive, params)
        if custom is not None:
            found = custom.batch(primitive, values, flags, self.length, params)
            if primitive.control is not None:  # which says of each result whether it is mapped
                return tuple(box(o, self, m) for o, m in found)
            return self._wrap(found, True)
        rule = primitive.batch
        if rule is None:
            if not isinstance(primitive, (Elementwise, LocallyConstant)):
                raise errors.MissingRuleError(
                    errors.at_user_line(
                        f"{primitive.name} has no batch rule, so vmap and the batched sweeps of jacobian cannot "
                        "use it. Give it one (`batch=`), or loop over the examples in Python."
                    )
                )
            out = primitive.function(*align(values, flags), **params)
        else:
            out = rule(values, flags, self.length, **params)
        return self._wrap(out, True)

    def _wrap(self, out: Any, mapped: bool) -> Any:
        if isinstance(out, tuple):
            return tuple(box(o, self, mapped) for o in out)
        return box(out, self, mapped)

    def write(self, x: TracedArray, value: Any, path: Path) -> None:
        mapped = False
        if type(value) is TracedArray and value.recorder is self:
            mapped = bool(value.place)
            value = value.value
        lenses, (function, params) = path[:-1], path[-1]
        index = params["index"]
        items = index if type(index) is tuple else (index,)
        arrays = [i for i in items if type(i) is TracedArray and i.recorder is self]
        if not x.place and (mapped or any(a.place for a in arrays)):
            x.value = copy(broadcast_to(x.value, shape=(self.length, *x.value.shape)))
            x.place = True
        if not x.place:
            update(x, value, path)
            return
        steps, shape = path_over_batch(lenses, x.value.shape[1:], self.length)
        lead = rank = 0
        if arrays:
            template = tuple(HOLE if any(i is a for a in arrays) else i for i in items)
            index, lead, rank = mapped_index(
                template, [a.value for a in arrays], [a.place for a in arrays], shape, self.length, True
            )
            target = _indexed_shape((self.length, *shape), index)[1:]
        else:
            target = _indexed_shape(shape, index)
            index = over_batch(index, shape, self.length)
        if mapped:  # batch axis first, the rest right-aligned
            missing = len(target) - (len(value.shape) - 1)
            if missing > 0:
                value = reshape(value, shape=(self.length, *(1,) * missing, *value.shape[1:]))
        if lead:  # (batch, sliced, indexed, rest) -> (batch, indexed, sliced, rest), as the index reads
            sliced = tuple(target[rank : rank + lead]), tuple(target[:rank])
            if not mapped:
                value = broadcast_to(value, shape=(*sliced[0], *sliced[1], *target[rank + lead :]))
                axes = (*range(lead, lead + rank), *range(lead), *range(lead + rank, len(target)))
            else:
                value = broadcast_to(
                    value, shape=(self.length, *sliced[0], *sliced[1], *target[rank + lead :])
                )
                split = 1 + lead
                axes = (
                    0,
                    *range(split, split + rank),
                    *range(1, split),
                    *range(split + rank, len(target) + 1),
                )
            value = transpose(value, axes=axes)
        update(x, value, (*steps, (function, {"index": index})))


def _indexed_shape(shape: tuple[int, ...], index: Any) -> tuple[int, ...]:
    """Return the shape of what an index reads, parts of which may be traced."""
    items = index if type(index) is tuple else (index,)
    plain = tuple(np.zeros(i.shape, int) if type(i) is TracedArray else i for i in items)
    return np.broadcast_to(0, shape)[plain].shape


def _batch_update(values: Sequence[Any], flags: Sequence[bool], size: int, *, path: Path) -> Any:
    """Write into a batch, by the recorder, which knows how."""
    recorder = BatchRecorder(size)
    x = box(values[0], recorder, bool(flags[0]))
    write(x, box(values[1], recorder, True) if flags[1] else values[1], path)
    recorder.close()
    return x.value if x.place else broadcast_to(x.value, shape=(size, *x.value.shape))


REGISTRY[update_at.__name__].batch = _batch_update


def _batch_put(
    values: Sequence[Any], flags: Sequence[bool], size: int, *, lenses: Path, template: Any
) -> Any:
    recorder = BatchRecorder(size)
    x, value, *arrays = (box(v, recorder, bool(f)) for v, f in zip(values, flags, strict=True))
    write(x, value if value.place else value.value, path_to(lenses, template, arrays))
    recorder.close()
    return x.value if x.place else broadcast_to(x.value, shape=(size, *x.value.shape))


REGISTRY[put.__name__].batch = _batch_put
