"""Datasets: what has a length and items, whole or in part.

    dataset = ArrayDataset(images, labels)          # f32[1797,64], i64[1797]
    image, label = dataset[0]                       # f32[64], i64[]
    train, test = random_split(dataset, [0.8, 0.2], seed=0)

Whatever has `__len__` and `__getitem__` is a dataset; an item is an array, a number, or a tuple or dict of them. A
dataset that can take many items at once says so by a method `batch(indices)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.data.collate import collate
from graphc.errors import ArgumentError, IndexRangeError, ShapeError
from graphc.random import host_generator

Indices = np.ndarray[Any, np.dtype[np.int64]]


class Dataset:
    """The base of a user's dataset, which declares `__len__` and `__getitem__`.

    class Squares(Dataset):
        def __len__(self): return 100
        def __getitem__(self, index): return np.float32(index), np.float32(index**2)
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} declares no __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} declares no __getitem__")

    def batch(self, indices: Indices) -> Any:
        """The items at these indices, put together."""
        return collate([self[int(index)] for index in indices])


class ArrayDataset(Dataset):
    """Arrays of one length; an item is the tuple of their rows.

    ArrayDataset(images, labels)[0]     # images: f32[1797,64], labels: i64[1797]  ->  (f32[64], i64[])
    ArrayDataset(images, labels)[:9]    # f32[9,64], i64[9]

    The arrays are not copied. Raises ArgumentError where there is none, ShapeError where their lengths differ.
    """

    def __init__(self, *arrays: Any) -> None:
        self.arrays = tuple(map(np.asarray, arrays))
        if not self.arrays:
            raise ArgumentError("ArrayDataset takes one array or more")
        shapes = [array.shape for array in self.arrays]
        if any(not shape or shape[0] != shapes[0][0] for shape in shapes):
            raise ShapeError(f"ArrayDataset: the arrays' first extents must be equal, but their shapes are {shapes}")

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> Any:
        return tuple(array[index] for array in self.arrays)

    def batch(self, indices: Indices) -> Any:
        return tuple(array[indices] for array in self.arrays)

    def __repr__(self) -> str:
        rows = ", ".join(f"{array.dtype}{list(array.shape[1:])}" for array in self.arrays)
        return f"ArrayDataset({len(self)} × ({rows}))"


TensorDataset = ArrayDataset
"""torch's name of `ArrayDataset`."""


class Subset(Dataset):
    """The items of a dataset at some indices, in their order; IndexRangeError for an index that is not there."""

    def __init__(self, dataset: Any, indices: Sequence[int] | Indices) -> None:
        self.dataset = dataset
        self.indices: Indices = np.asarray(indices, np.int64)
        wrong = self.indices[(self.indices < 0) | (self.indices >= len(dataset))]
        if wrong.size:
            raise IndexRangeError(f"Subset: index {wrong[0]} is outside the dataset, which has {len(dataset)} items")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        """One item, or the batch of a slice or an array of indices: `subset[:]` is all of it."""
        if isinstance(index, slice | np.ndarray | list):
            return self.batch(index)
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: Any) -> Any:
        return batch_of(self.dataset, self.indices[indices])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.dataset!r})"


def batch_of(dataset: Any, indices: Indices) -> Any:
    """The items of any dataset at these indices, put together."""
    if hasattr(dataset, "batch"):
        return dataset.batch(indices)
    return collate([dataset[int(index)] for index in indices])


def random_split(dataset: Any, lengths: Sequence[float], seed: int | None = None) -> list[Subset]:
    """Disjoint random parts of a dataset.

        train, test = random_split(dataset, [0.8, 0.2], seed=0)      # of 1797 items: 1438 and 359
        train, test = random_split(dataset, [1500, 297])

    `lengths` are numbers of items that add up to all of them, or shares that add up to 1; what rounding down leaves
    over goes to the first parts, one item each, as in torch. `seed` fixes the choice; without it, the choice follows
    `gc.manual_seed`. Raises ArgumentError where the lengths do not add up.
    """
    counts = _counts(len(dataset), lengths)
    generator = host_generator() if seed is None else np.random.default_rng(seed)
    order = generator.permutation(len(dataset))
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - count : end]) for count, end in zip(counts, ends, strict=True)]


def _counts(total: int, lengths: Sequence[float]) -> list[int]:
    """Numbers of items from numbers or shares."""
    if any(length < 0 for length in lengths):
        raise ArgumentError(f"random_split: lengths are not negative, but they are {list(lengths)}")
    if sum(lengths) == total and all(length == int(length) for length in lengths):
        return [int(length) for length in lengths]
    if not lengths or not math.isclose(sum(lengths), 1):
        raise ArgumentError(
            f"random_split: lengths are numbers that add up to the {total} items of the dataset, or shares that add up "
            f"to 1, not {list(lengths)}"
        )
    counts = [math.floor(total * share) for share in lengths]
    for index in range(total - sum(counts)):
        counts[index % len(counts)] += 1
    return counts
