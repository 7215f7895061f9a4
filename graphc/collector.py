"""Python's garbage collector, held back while graphs are made.

All of a graph is kept, and it is of many small objects: the collector would walk over all of them time and again, and
find nothing. What the block has made counts as old afterwards, as if three collections had found it alive, and so does
all else that was young.

    with collection_held_back():
        ...

Python looks through what is old when a quarter has been added to it; objects that grow old here are not counted there.
So the same is asked here, but for the first blocks of a process, which make what it is going to work with.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_BLOCKS = 8
GROWTH = 1.25  # of what is old, from where on all of it is looked through


@contextmanager
def collection_held_back() -> Iterator[None]:
    """No collection of cycles in this block, unless another thread asks for it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_freeze_count() == 0:  # else somebody has set objects apart, for a fork say: they stay so
                _old.take_in()
            gc.enable()


class _Old:
    """How many objects were old when they were last looked through."""

    def __init__(self) -> None:
        self._count = 0
        self._blocks = 0

    def take_in(self) -> None:
        """Let all objects be old, and look through them if there are many more than there were."""
        self._blocks += 1
        count = _everything_is_old()
        if self._blocks <= FIRST_BLOCKS:
            self._count = count
        elif count > GROWTH * self._count:
            gc.collect()
            self._count = _everything_is_old()


def _everything_is_old() -> int:
    """Move all objects to the oldest generation, and count them."""
    gc.freeze()
    count = gc.get_freeze_count()
    gc.unfreeze()
    return count


_old = _Old()
