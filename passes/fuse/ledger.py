"""The fusion ledger: for every edge between two ops whether one kernel computes both, by which rule, why,
and what it saves.

print(exe.ledger)
print(exe.ledger.of("%relu"))        # the edges from and to one value
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.dim import Extent


@dataclass(frozen=True)
class Edge:
    """One decision: the value, the op that makes it and the value that is made of it, and what became of the edge.

    `bytes_saved` is what the kernels neither write nor read again because of it: an extent, 0 where nothing is saved.
    """

    value: str
    producer: str
    consumer: str
    consumer_op: str
    fused: bool
    rule: str
    reason: str
    bytes_saved: Extent = 0

    def __str__(self) -> str:
        mark = "fused" if self.fused else "apart"
        saved = f"  saves {self.bytes_saved} bytes" if self.bytes_saved != 0 else ""
        edge = f"%{self.value} ({self.producer}) -> %{self.consumer} ({self.consumer_op})"
        return f"{mark}  {edge}  {self.rule}: {self.reason}{saved}"


class Ledger(Sequence[Edge]):
    """All decisions of a fusion, in the order of the graph."""

    def __init__(self, edges: Sequence[Edge] = ()) -> None:
        self._edges = tuple(edges)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._edges[index]

    def __len__(self) -> int:
        return len(self._edges)

    def __iter__(self) -> Iterator[Edge]:
        return iter(self._edges)

    def of(self, name: str) -> Ledger:
        """The edges from or to the value of this name."""
        bare = name.removeprefix("%")
        return Ledger([edge for edge in self._edges if bare in (edge.value, edge.consumer)])

    @property
    def bytes_saved(self) -> Extent:
        """What all fused edges save together."""
        total: Extent = 0
        for edge in self._edges:
            total = total + edge.bytes_saved
        return total

    def __str__(self) -> str:
        fused = sum(edge.fused for edge in self._edges)
        head = f"{len(self)} edges: {fused} fused, {len(self) - fused} apart; saves {self.bytes_saved} bytes"
        return "\n".join([head, *map(str, self._edges)])

    __repr__ = __str__
