"""Fetching the next row from memory while this one is computed.

    for tile in range(0, 3072, 128):
        fetch(address(x_in, 3072 * (i + 1) + tile), 512)        # bytes
        for j in range(tile, tile + 128):
            ...

A kernel that makes several passes over a long row reads it from memory in the first pass, which computes little, and
from the cache in the others, while memory has nothing to do. So the longest of the others asks for the next row.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.cpu.read_beside import walks_row_by_row
from graphc.backends.nests.nest import Buffer, Load, Nest, Pass, Store
from graphc.passes.fuse.place import Cut

SHORTEST = 2048  # elements of a row that is worth it
TILE = 128  # elements between two requests: few enough not to keep loads waiting that are needed now


@dataclass(frozen=True)
class Ahead:
    """The pass in which the next row is fetched, and the arrays that have one."""

    walk: Pass
    columns: int
    buffers: tuple[Buffer, ...]

    @property
    def is_exact(self) -> bool:
        """Whether a row is a number of whole tiles."""
        return self.columns % TILE == 0

    def lines(self) -> list[str]:
        """The requests for what stands below this tile."""
        return [
            f"fetch(address({buffer.name}, {self.columns} * (i + 1) + tile), {TILE * buffer.dtype.itemsize})"
            for buffer in self.buffers
        ]


def fetched_ahead(nest: Nest) -> Ahead | None:
    """What to fetch ahead in a kernel that is cut by rows; None where it would not pay."""
    columns = nest.columns
    walks = [walk for walk in nest.passes if walk.needs_elements]
    if nest.cut is not Cut.ROWS or not isinstance(columns, int) or columns < SHORTEST or len(walks) < 2:
        return None
    found: dict[Buffer, None] = {}
    for walk in walks:
        for statement in walk.elements:
            if isinstance(statement, Load | Store) and walks_row_by_row(nest, statement):
                found[statement.buffer] = None
    longest = max(walks[1:], key=lambda walk: len(walk.elements))
    return Ahead(longest, columns, tuple(found)) if found else None
