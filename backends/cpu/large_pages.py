"""Memory in pages of 2 MB where the system has them: a core knows the places of a few hundred pages at a time.

    memory(3 << 20)         # 3 MB, from an address that is a multiple of 2 MB

A matrix of 1 MB is 256 pages of 4 KB, or half a large one. The weights that every turn of a loop reads from the
second-level cache would have their pages looked up anew in every turn.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of

LARGE_PAGE = 1 << 21
LEAST = 1 << 20  # bytes of memory that is worth large pages: what they add is less than twice as much


def memory(size: int) -> np.ndarray[Any, Any]:
    """So many bytes, which nobody has written to; ordinary memory where they are few or there are no large pages."""
    if size < LEAST or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(size, np.uint8)
    try:
        pages = mmap.mmap(-1, size + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # a system without them, or a limit of its own
        return np.empty(size, np.uint8)
    whole = np.frombuffer(pages, np.uint8)  # which keeps the pages
    start = -address_of(whole) % LARGE_PAGE
    return whole[start : start + size]
