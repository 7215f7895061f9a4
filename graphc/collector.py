"""Python's garbage collector, held back while graphs are made.

All of a graph is kept, and it is of many small objects: the collector would walk over all of them time and again, and
find nothing.

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
            gc.enable()
