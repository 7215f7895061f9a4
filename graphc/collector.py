"""Python's garbage collector, held back while graphs are made.

All of a graph is kept, and it is of many small objects: the collector would walk over all of them time and again, and
find nothing. What the block has made counts as old afterwards, as if three collections had found it alive: so the next
one does not walk over it either, unless it is a collection of everything.

    with collection_held_back():
        ...
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
                gc.freeze()
                gc.unfreeze()  # to the oldest generation
            gc.enable()
