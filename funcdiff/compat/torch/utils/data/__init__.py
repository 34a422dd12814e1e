"""`torch.utils.data`: data sets and the batches drawn from them, in this process."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from funcdiff.compat.torch._dtypes import float64, int64
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.ops.creation import as_tensor, empty, tensor
from funcdiff.compat.torch.ops.generator import Generator
from funcdiff.compat.torch.ops.joining import stack
from funcdiff.compat.torch.ops.random import randint, randperm


class Dataset:
    """Examples by number: a subclass has ``__getitem__`` and ``__len__``."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class IterableDataset(Dataset):
    """Examples one after the other: a subclass has ``__iter__``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class TensorDataset(Dataset):
    """Tensors along their first axis."""

    def __init__(self, *tensors: Tensor) -> None:
        if any(t.size(0) != tensors[0].size(0) for t in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> Any:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))


class ConcatDataset(Dataset):
    """Data sets one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1] if self.cumulative_sizes else 0

    def __getitem__(self, index: int) -> Any:
        index = index + len(self) if index < 0 else index
        n = bisect_right(self.cumulative_sizes, index)
        return self.datasets[n][index - (self.cumulative_sizes[n - 1] if n else 0)]


class Subset(Dataset):
    """Some examples of a data set."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Any = None) -> list[Subset]:
    """Split a data set at random, into parts of given lengths or shares."""
    total = len(dataset)
    sizes: list[int] = [int(n) for n in lengths]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = [math.floor(total * share) for share in lengths]
        for n in range(total - sum(sizes)):
            sizes[n % len(sizes)] += 1
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = randperm(total, generator=generator).tolist()
    ends = list(accumulate(sizes))
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, sizes, strict=True)]


# --- samplers -------------------------------------------------------------------------------------------------


class Sampler:
    """Numbers of examples, one after the other."""

    def __init__(self, data_source: Any = None) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class SequentialSampler(Sampler):
    """All numbers in order."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """All numbers in random order, or random ones."""

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        super().__init__(data_source)
        self.replacement, self.generator = replacement, generator
        self.num_samples = len(data_source) if num_samples is None else num_samples

    def __iter__(self) -> Iterator[int]:
        source = self.generator
        if source is None:
            source = Generator().manual_seed(int(empty((), dtype=int64).random_().item()))
        n = len(self.data_source)
        if self.replacement:
            yield from randint(n, (self.num_samples,), generator=source).tolist()
        else:
            for _ in range(self.num_samples // n):
                yield from randperm(n, generator=source).tolist()
            yield from randperm(n, generator=source).tolist()[: self.num_samples % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Some numbers in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        super().__init__()
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for n in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[n]

    def __len__(self) -> int:
        return len(self.indices)


class BatchSampler(Sampler):
    """Numbers in lists of one length."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        super().__init__()
        self.sampler: Any = sampler
        self.batch_size, self.drop_last = batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for n in self.sampler:
            batch.append(n)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of examples: tensors are stacked, containers batched inside."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, (np.ndarray, np.generic)):
        return stack([as_tensor(np.asarray(b)) for b in batch], 0)
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([b[key] for b in batch]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(part) for part in zip(*batch, strict=True)))
    if isinstance(first, (tuple, list)):
        return [default_collate(part) for part in zip(*batch, strict=True)]
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )


class DataLoader:
    """Batches of a data set.

    Parameters
    ----------
    dataset : Dataset
        The examples.
    batch_size : int, default 1
        How many make a batch; None for single examples.
    shuffle : bool, default False
        Whether their order is random, anew in each epoch.
    sampler, batch_sampler : iterable, optional
        The numbers of examples, or lists of them, in place of that.
    num_workers : int, default 0
        Ignored: everything happens in this process.
    collate_fn : callable, optional
        Makes a batch of examples.
    drop_last : bool, default False
        Whether an incomplete last batch is left out.
    generator : Generator, optional
        The random numbers.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Any = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        **ignored: Any,
    ) -> None:
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.generator = num_workers, generator
        self.iterable = isinstance(dataset, IterableDataset)
        if sampler is None and not self.iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None and not self.iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (
            default_collate if batch_size is not None or batch_sampler is not None else _single
        )

    def __iter__(self) -> Iterator[Any]:
        empty((), dtype=int64).random_(generator=self.generator)  # PyTorch draws a seed for its workers
        return self._batches()

    def _batches(self) -> Iterator[Any]:
        if self.iterable:
            examples = iter(self.dataset)
            if self.batch_size is None:
                yield from map(self.collate_fn, examples)
                return
            for numbers in BatchSampler(examples, self.batch_size, self.drop_last):
                yield self.collate_fn(numbers)
            return
        if self.batch_sampler is None:
            for n in self.sampler:
                yield self.collate_fn(self.dataset[n])
            return
        for numbers in self.batch_sampler:
            yield self.collate_fn([self.dataset[n] for n in numbers])

    def __len__(self) -> int:
        if self.iterable:
            return -(-len(self.dataset) // (self.batch_size or 1))
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)


def _single(example: Any) -> Any:
    return as_tensor(example) if isinstance(example, (np.ndarray, np.generic)) else example


def __getattr__(name: str) -> Any:
    return refuse("utils.data", name)


__all__ = [
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "default_collate",
    "random_split",
]
