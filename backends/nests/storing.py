"""In which pass a kernel stores an output: where it is computed anyhow, as late as that may be.

    storing_passes(region, group, outputs)[d_y]     # 1: no sum of pass 0 asks for d_y, what pass 1 computes does

An output that a pass stores though nothing in it needs the value is read again by the pass that does. Where it costs
little, it is computed there alone: one load less for what it is made of, and one for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc.backends.nests.reading import is_costly
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.group import Group


def storing_passes(region: Graph, group: Group, outputs: Iterable[Value]) -> dict[Value, int]:
    """For each output that spans the whole domain, the number of the pass that stores it."""
    spans = _Spanning(region, group)
    wholes = [value for value in outputs if spans.is_whole(value)]
    needed: dict[Value, int] = {}

    def note(value: Value, phase: int) -> None:
        needed[value] = min(needed.get(value, phase), phase)

    for node in group.members:
        if node.op.kind is Kind.REDUCTION:
            phase = spans.phase(node.operands[0])
            for value in spans.needs(node.operands[0]):
                note(value, phase)
    for output in wholes:
        for value in spans.needs(output):
            if value is not output:
                note(value, spans.phase(output))
    return {
        output: needed.get(output, spans.phase(output)) if spans.may_wait(output) else spans.phase(output)
        for output in wholes
    }


class _Spanning:
    """The values of a region that have a number for each element of the domain."""

    def __init__(self, region: Graph, group: Group) -> None:
        self.region = region
        self.group = group

    def is_whole(self, value: Value | Literal) -> bool:
        place = None if isinstance(value, Literal) else self.group.places.get(value)
        return place is not None and not place.finish and 0 < len(place.axes) == len(self.group.domain)

    def phase(self, value: Value | Literal) -> int:
        """The first pass that can know a value; what comes from outside, every pass does."""
        place = None if isinstance(value, Literal) else self.group.places.get(value)
        return 0 if place is None else place.phase

    def needs(self, value: Value | Literal) -> Iterator[Value]:
        """A value and what it is computed from, element by element."""
        pending, seen = [value], set()
        while pending:
            each = pending.pop()
            if isinstance(each, Literal) or each in seen or not self.is_whole(each):
                continue
            seen.add(each)
            yield each
            if each in self.region.producers:
                pending += self.region.producers[each].operands

    def may_wait(self, output: Value) -> bool:
        """Whether a later pass can compute it, at little cost and without the product, and nobody reads its array: an
        op that reads at an index does, and so does one that reads it in another shape."""
        made = [self.region.producers[value] for value in self.needs(output) if value in self.region.producers]
        if any(is_costly(node) or node in self.group.contractions for node in made):
            return False
        return all(self._reads_elements(user) for user in self.region.users.get(output, ()))

    def _reads_elements(self, user: Node) -> bool:
        kind = user.op.kind
        return kind is Kind.REDUCTION or (self.is_whole(user.results[0]) and kind is Kind.ELEMENTWISE)
