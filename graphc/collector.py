"""Python's garbage collector, held back while graphs are made.

All of a graph is kept, and it is of many small objects: the collector would walk over all of them time and again, and
find nothing. What the block has made counts as old afterwards, as if three collections had found it alive, and so does
all else that was young.

    with collection_held_back():
        ...

Python looks through what is old when a quarter has been added to it; objects that grow old here are not counted there.
So the same is asked here, every so many blocks, as to count objects is to touch them all.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

BLOCKS = 16  # from one count to the next
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
    """How many objects there were when they were last looked through."""

    def __init__(self) -> None:
        self._count = 0
        self._blocks = 0

    def take_in(self) -> None:
        """Let all objects be old; every so often look through them, if there are many more than there were."""
        self._blocks += 1
        if self._blocks % BLOCKS:
            gc.freeze()
            gc.unfreeze()  # to the oldest generation
            return
        count = _counted()
        if not self._count:  # what a process begins with, it works with
            self._count = count
        elif count > GROWTH * self._count:
            gc.collect()
            self._count = _counted()


def _counted() -> int:
    """The number of all objects; they are old now."""
    gc.freeze()
    count = gc.get_freeze_count()
    gc.unfreeze()
    return count


_old = _Old()
