"""Kernels of the ops that fusion leaves alone: scans, sorting, writing at indices, where extrema are, windows' sums.

    special_kernel(node)        # the text of its kernel, and what its row and scratch memory hold; None of other ops

Each node is a kernel of its own, cut into slices along lines that do not need each other, so that results are the same
for any number of slices. `graphc.backends.nests.special_text` says how a kernel's row is laid out.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.backends.nests.special_position import POSITIONS, position_kernel
from graphc.backends.nests.special_scan import SCANS, scan_kernel
from graphc.backends.nests.special_scatter import SCATTERS, scatter_kernel
from graphc.backends.nests.special_sort import SORTS, sort_kernel
from graphc.backends.nests.special_text import BAD_EXTENT, BAD_INDEX, SpecialKernel
from graphc.backends.nests.special_window import WINDOWS, window_kernel
from graphc.ir import Node

__all__ = ["BAD_EXTENT", "BAD_INDEX", "SPECIAL_OPS", "SpecialKernel", "special_kernel"]

_BUILDERS: dict[str, Callable[[Node], SpecialKernel]] = {
    **dict.fromkeys(SCANS, scan_kernel),
    **dict.fromkeys(SORTS, sort_kernel),
    **dict.fromkeys(SCATTERS, scatter_kernel),
    **dict.fromkeys(POSITIONS, position_kernel),
    **dict.fromkeys(WINDOWS, window_kernel),
}
SPECIAL_OPS = frozenset(_BUILDERS)


def special_kernel(node: Node) -> SpecialKernel | None:
    """The kernel of a node, None where its op is none of these."""
    builder = _BUILDERS.get(node.op.name)
    return builder(node) if builder else None
