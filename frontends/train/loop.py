"""The training loop: a step over all batches of a loader, epoch after epoch.

for epoch in epochs(step, loader, 20):
    print(epoch.number, epoch.loss)
    if epoch.loss < 0.01:
        break
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Epoch:
    """What one walk over the data gave: its number from 1, the mean loss of an example, steps, and seconds in them."""

    number: int
    loss: float
    steps: int
    seconds: float


def epochs(
    step: Callable[..., Any],
    loader: Iterable[Any],
    count: int,
    *,
    on_step: Callable[[float], object] | None = None,
) -> Iterator[Epoch]:
    """Train for `count` epochs, and give each as it ends.

        for epoch in epochs(step, DataLoader(train, 64, shuffle=True, seed=0), 20): ...

    A batch that is a tuple becomes the step's arguments. `on_step` is called with the loss of each step.
    """
    for number in range(1, count + 1):
        total, examples, steps, seconds = 0.0, 0, 0, 0.0
        for batch in loader:
            arrays = batch if isinstance(batch, tuple) else (batch,)
            start = time.perf_counter()
            loss = float(step(*arrays))
            seconds += time.perf_counter() - start
            size = len(arrays[0])
            total, examples, steps = total + loss * size, examples + size, steps + 1
            if on_step is not None:
                on_step(loss)
        yield Epoch(number, total / examples if examples else np.nan, steps, seconds)
