"""`DataLoader`: batches of a dataset, in order or shuffled anew in every epoch.

    loader = DataLoader(ArrayDataset(images, labels), batch_size=32, shuffle=True, seed=0)
    for x, y in loader:           # x: f32[32,64], y: i64[32]; the last batch may be smaller
        step(x, y)

The order of an epoch is a function of the seed and the number of the epoch, so a run can be repeated, and resumed at
any epoch by setting `loader.epoch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.data.dataset import batch_of
from graphc.errors import ArgumentError
from graphc.random import host_generator


class DataLoader:
    """Batches of `batch_size` items; the last may be smaller, or is left out with `drop_last`.

    `seed` fixes the shuffling; without it, it follows `gc.manual_seed`. Raises ArgumentError for a batch size that is
    not a positive integer.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ArgumentError(f"DataLoader: batch_size is a positive integer, not {batch_size!r}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = int(host_generator().integers(2**63)) if shuffle and seed is None else seed or 0
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        """The batches of the next epoch."""
        order = self._order(self.epoch)
        self.epoch += 1
        return (
            batch_of(self.dataset, order[i * self.batch_size : (i + 1) * self.batch_size]) for i in range(len(self))
        )

    def _order(self, epoch: int) -> Any:
        """The indices of the items, in the order of an epoch."""
        count = len(self.dataset)
        if not self.shuffle:
            return np.arange(count)
        return np.random.default_rng([self.seed, epoch]).permutation(count)

    def __repr__(self) -> str:
        options = [f"batch_size={self.batch_size}", f"shuffle={self.shuffle}", f"drop_last={self.drop_last}"]
        return f"DataLoader({self.dataset!r}, {', '.join(options)})"
