"""A basis of tangents or cotangents, pushed or pulled in batched, chunked sweeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from funcdiff import errors
from funcdiff.core.array_type import ArrayType, type_of
from funcdiff.core.recording import box, output
from funcdiff.primitives.shape import broadcast_to, concatenate, reshape, transpose
from funcdiff.transforms.batch import BatchRecorder


def chunks(total: int, size: int | None) -> Iterator[tuple[int, int]]:
    """Split a number of basis vectors into sweeps of at most `size`."""
    step = max(total, 1) if size is None else size
    for start in range(0, total, step):
        yield start, min(start + step, total)


def basis(kinds: Sequence[ArrayType], start: int, stop: int) -> list[Any]:
    """Return rows start to stop of the standard basis of all leaves together; None where zero."""
    rows: list[Any] = []
    offset = 0
    for kind in kinds:
        shape, dtype = kind
        size = kind.size
        low, high = max(start, offset), min(stop, offset + size)
        if low < high:
            block = np.zeros((stop - start, size), dtype)
            first = (low - start) * size + low - offset
            block.reshape(-1)[first : first + (high - low) * (size + 1) : size + 1] = 1
            rows.append(block.reshape(stop - start, *shape))
        else:
            rows.append(None)
        offset += size
    return rows


def batched(sweep: Callable[[list[Any]], list[Any]], rows: list[Any], length: int) -> list[Any]:
    """Run a sweep on a batch of basis vectors; results have the batch on axis 0, or are None."""
    with BatchRecorder(length) as recorder:
        found = sweep([None if r is None else box(r, recorder, True) for r in rows])
        outs = [output(x, recorder) for x in found]
    return [
        x if mapped or x is None else broadcast_to(x, shape=(length, *type_of(x).shape)) for x, mapped in outs
    ]


def _join(parts: list[Any], kind: ArrayType, lengths: list[int]) -> Any:
    """Join the chunks of one block; None stands for zeros."""
    if all(p is None for p in parts):
        return np.zeros((sum(lengths), *kind.shape), kind.dtype)
    full = [
        np.zeros((n, *kind.shape), kind.dtype) if p is None else p
        for p, n in zip(parts, lengths, strict=True)
    ]
    return full[0] if len(full) == 1 else concatenate(*full, axis=0)


def _split(rows: Any, kinds: Sequence[ArrayType]) -> list[Any]:
    """Cut stacked rows into the parts that belong to each leaf."""
    if len(kinds) == 1:
        return [rows]
    ends = np.cumsum([k.size for k in kinds])
    return [rows[int(end) - k.size : int(end)] for end, k in zip(ends, kinds, strict=True)]


def forward_blocks(
    push: Callable[[list[Any]], list[Any]],
    inputs: Sequence[ArrayType],
    outputs: Callable[[], Sequence[ArrayType]],
    chunk_size: int | None,
    progress: bool = False,
) -> list[list[Any]]:
    """Return blocks[output][input] of shape output.shape + input.shape, column by column."""
    total = sum(k.size for k in inputs)
    spans = list(chunks(total, chunk_size)) or [(0, 0)]
    columns = [
        batched(push, basis(inputs, a, b), b - a) for a, b in with_progress(spans, progress, "jacobian")
    ]
    lengths = [b - a for a, b in spans]
    blocks = []
    for n, out in enumerate(outputs()):
        rows = _join([c[n] for c in columns], out, lengths)
        rank = len(out.shape)
        row = []
        for part, kind in zip(_split(rows, inputs), inputs, strict=True):
            moved = transpose(part, axes=(*range(1, rank + 1), 0)) if rank else part
            row.append(reshape(moved, shape=(*out.shape, *kind.shape)))
        blocks.append(row)
    return blocks


def reverse_blocks(
    pull: Callable[[list[Any]], list[Any]],
    inputs: Sequence[ArrayType],
    outputs: Sequence[ArrayType],
    chunk_size: int | None,
    progress: bool = False,
) -> list[list[Any]]:
    """Return blocks[output][input] of shape output.shape + input.shape, row by row."""
    total = sum(k.size for k in outputs)
    spans = list(chunks(total, chunk_size)) or [(0, 0)]
    found = [
        batched(pull, basis(outputs, a, b), b - a) for a, b in with_progress(spans, progress, "jacobian")
    ]
    lengths = [b - a for a, b in spans]
    columns = [_join([rows[n] for rows in found], kind, lengths) for n, kind in enumerate(inputs)]
    split = [_split(c, outputs) for c in columns]
    return [
        [reshape(split[i][o], shape=(*out.shape, *kind.shape)) for i, kind in enumerate(inputs)]
        for o, out in enumerate(outputs)
    ]


def with_progress(items: Collection[Any], show: bool, name: str) -> Any:
    """Return the items, with a progress bar while they are gone through if that is wanted."""
    if not show:
        return items
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise errors.MissingExtraError(
            "progress=True needs tqdm, which is not installed: pip install 'funcdiff[progress]'"
        ) from error
    return tqdm(items, desc=name)
