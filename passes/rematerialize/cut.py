"""Which early values are kept for the late half, and which are computed again: a minimum cut.

    cut = minimum_cut(lifetimes, effort)
    cut.again           # the values that are computed again, from those that are kept

Every early value is two vertices, `made` and `at hand`. The edge between them has the value's size as capacity: to cut
it is to keep the value. An edge of its cost leads from the source to `made`: to cut that is to compute it again, from
what it reads, to whose `at hand` it is joined for good. An edge from one `made` to another is what it takes to read
the one for the other, where it is kept, but nobody else reads it at that time. The late readers are the sink. So the
least cut is the cheapest way to have at hand what they read: bytes that are kept, plus `effort.rate` times the bytes
that are moved, or could be, in the time that is spent again.

(Chen et al., "Training deep nets with sublinear memory cost", 2016; the partitioner of PyTorch's AOTAutograd solves
such a network with costs of 0 and ∞.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphc.ir import Literal, Value
from graphc.passes.rematerialize.cost import Effort, cost
from graphc.passes.rematerialize.flow import Edge, sink_side
from graphc.passes.rematerialize.lifetimes import Lifetimes, is_view

SMALL = 64  # a value that takes less than this part of the largest that is kept is not worth being computed again
LONGEST = 64  # steps from what is kept to what is computed again


@dataclass(frozen=True)
class Cut:
    """The values that are computed again, and what that saves and costs, in bytes."""

    again: frozenset[Value] = frozenset()
    saved: int = 0
    cost: float = 0.0
    costs: dict[Value, float] = field(default_factory=dict)


def minimum_cut(lifetimes: Lifetimes, effort: Effort) -> Cut:
    """The cheapest way to have what late nodes read at hand."""
    network = _Network(lifetimes, effort)
    if not network.costs:
        return Cut()
    again = network.solve()
    if not again:
        return Cut()
    before = sum(lifetimes.bytes(value) for value in lifetimes.kept)
    after = sum(lifetimes.bytes(value) for value in _kept_beside(again, lifetimes))
    return Cut(frozenset(again), before - after, sum(network.costs[value] for value in again), network.costs)


def _kept_beside(again: set[Value], lifetimes: Lifetimes) -> set[Value]:
    """What is kept when these values are computed again: what late nodes read, and what they are made of."""
    kept: set[Value] = set()
    pending = [value for value in lifetimes.stage if value in lifetimes.read_late]
    pending += [operand for value in again for operand in lifetimes.graph.producers[value].operands]
    while pending:
        value = pending.pop()
        if value in again or value in kept or isinstance(value, Literal) or value in lifetimes.held:
            continue
        if value not in lifetimes.stage or lifetimes.stage[value] > lifetimes.turn:
            continue
        if lifetimes.is_stored(value):
            kept.add(value)
        else:
            pending += lifetimes.graph.producers[value].operands
    return kept


class _Network:
    """The vertices and edges, for the early values that late nodes read and all that these are made of."""

    def __init__(self, lifetimes: Lifetimes, effort: Effort) -> None:
        self.lifetimes = lifetimes
        self.effort = effort
        self.producers = lifetimes.graph.producers
        self.least = max(map(lifetimes.bytes, lifetimes.kept), default=0) / SMALL
        self.passed_on, self.last_stages = _segments(lifetimes, effort.segments)
        self.costs: dict[Value, float] = {}  # of the values that may be computed again
        self._solved: dict[tuple[Vertex, ...], set[int]] = {}
        self.reached = self._reach()
        self.wanted_at = self._find_wanted()

    def _reach(self) -> dict[Value, None]:
        """The early values from which late ones can be made; fills `costs`."""
        reached: dict[Value, None] = {}
        pending = list(self.lifetimes.read_late)
        while pending:
            value = pending.pop()
            if value in reached or isinstance(value, Literal) or value in self.lifetimes.held:
                continue
            reached[value] = None
            price = None if self._leads_back(value) else self._price(value)
            if price is not None:
                self.costs[value] = price
                pending += self.producers[value].operands
        return reached

    def _price(self, value: Value) -> float | None:
        """What it costs to compute an early value again; None where it is to be kept, if it is needed."""
        if self._is_to_keep(value):
            return None
        in_last = self.lifetimes.stage[value] > self.last_stages
        return cost(self.producers[value], self.lifetimes, Effort() if in_last else self.effort)

    def _leads_back(self, value: Value) -> bool:
        """Whether a value is made of what an earlier stage computes, and could compute again: a sum of residuals.

        Such chains lead through all layers. They are followed where whole segments are computed again. What a product
        is read from that is far larger than its operands is kept, whatever it is made of.
        """
        if value in self.lifetimes.wide:
            return False
        stage = self.lifetimes.stage
        earlier = (o for o in self.producers[value].operands if 0 < stage.get(o, 0) < stage[value])
        return not self.effort.contractions and any(
            o not in self.lifetimes.held and self._price(o) is not None for o in earlier
        )

    def _find_wanted(self) -> dict[Value, set[int]]:
        """The late stages in which each value, or what may be computed again of it, is read."""
        wanted: dict[Value, set[int]] = {}
        for value in reversed(self.lifetimes.stage):
            if value not in self.reached:
                continue
            stages = wanted[value] = set()
            for user in self.lifetimes.graph.users.get(value, ()):
                if self.lifetimes.is_late(user):
                    stages.add(self.lifetimes.stage[user.results[0]])
                elif user.results[0] in self.costs:
                    stages |= wanted.get(user.results[0], set())
        return wanted

    def _reading(self, value: Value, operand: Value) -> int:
        """The bytes that are read again, so that a value can be made of a kept operand where nobody else reads it."""
        array = self.lifetimes.base(operand)
        maker = self.producers.get(array)
        if maker is not None and is_view(maker) and not maker.operands:  # positions, one number everywhere
            return 0
        elsewhere = sum(array not in self.lifetimes.read_at.get(stage, ()) for stage in self.wanted_at[value])
        return elsewhere * self.lifetimes.bytes(array) if elsewhere else 0

    def _is_to_keep(self, value: Value) -> bool:
        if not self.lifetimes.is_stored(value):
            return False
        return self.lifetimes.bytes(value) < self.least or value in self.passed_on

    def solve(self) -> set[Value]:
        """The values whose `made` is on the sink's side of the cut.

        It is the cut nearest to the sink, which computes least again where several cost the same.
        """
        parts = [part for part in self._parts() if any(value in self.costs for value in part)]
        return self._within_reach(set().union(*map(self._solve_part, parts)))

    def _within_reach(self, again: set[Value]) -> set[Value]:
        """Without views of what is kept, which are no work, and without what is LONGEST steps away from that."""
        depth: dict[Value, int] = {}
        for value in self.lifetimes.stage:
            if value in again:
                below = max((depth.get(o, 0) for o in self.producers[value].operands), default=0)
                if below or self.lifetimes.is_stored(value):
                    depth[value] = 1 + below
        return {value for value, steps in depth.items() if steps <= LONGEST}

    def _parts(self) -> Iterable[list[Value]]:
        """The connected parts: layers that share nothing but what is kept are solved one by one."""
        leader: dict[Value, Value] = {value: value for value in self.reached}

        def find(value: Value) -> Value:
            while leader[value] is not value:
                leader[value] = leader[leader[value]]
                value = leader[value]
            return value

        for value in self.costs:
            for operand in self.producers[value].operands:
                if operand in leader:
                    leader[find(operand)] = find(value)
        parts: dict[Value, list[Value]] = {}
        for value in self.reached:
            parts.setdefault(find(value), []).append(value)
        return parts.values()

    def _solve_part(self, part: list[Value]) -> set[Value]:
        """The values of a connected part that are made again; parts of equal layers are solved once."""
        number = {value: i for i, value in enumerate(part)}
        vertices = []
        for value in part:
            size = self.lifetimes.bytes(value) if self.lifetimes.is_stored(value) else None
            price = self.costs.get(value)
            reads: list[tuple[int, int]] = []
            for operand in () if price is None else self.producers[value].operands:
                reading = 0 if isinstance(operand, Literal) else round(self.effort.rate * self._reading(value, operand))
                if operand in number:
                    reads.append((number[operand], reading))
                elif price is not None:
                    price += reading / self.effort.rate
            paid = None if price is None else round(self.effort.rate * price)
            vertices.append((size, paid, value in self.lifetimes.read_late, tuple(reads)))
        key = tuple(vertices)
        if key not in self._solved:
            self._solved[key] = _least_cut(key)
        return {part[i] for i in self._solved[key]}


# Size, cost, whether it is read late, and of what it is made, with what it takes to read that where it is kept.
Vertex = tuple[int | None, int | None, bool, tuple[tuple[int, int], ...]]


def _least_cut(vertices: Sequence[Vertex]) -> set[int]:
    """The values whose `made` is on the sink's side; a size or a cost of None is a capacity without bound."""
    source, sink = 2 * len(vertices), 2 * len(vertices) + 1
    edges: list[Edge] = []
    for made, (size, paid, is_read, reads) in enumerate(vertices):
        at_hand = len(vertices) + made
        edges += [(source, made, paid), (made, at_hand, size)]
        for operand, reading in reads:
            edges += [(len(vertices) + operand, made, None), (operand, made, reading)]
        if is_read:
            edges.append((at_hand, sink, None))
    beyond = sink_side(2 * len(vertices) + 2, edges, source, sink)
    return {made for made in range(len(vertices)) if made in beyond}


def _segments(lifetimes: Lifetimes, segments: int) -> tuple[set[Value], int]:
    """What passes between segments of the early half, and the stage after which the last of them begins.

    The late half begins with what the last segment made, so nothing is gained by making that again. Segments are
    alike in the bytes that their values take.
    """
    if segments == 1:
        return set(), lifetimes.turn
    sizes: dict[int, int] = {}
    early = [value for value, stage in lifetimes.stage.items() if stage <= lifetimes.turn]
    early = [value for value in early if lifetimes.is_stored(value) and value not in lifetimes.held]
    for value in early:
        sizes[lifetimes.stage[value]] = sizes.get(lifetimes.stage[value], 0) + lifetimes.bytes(value)
    total, gathered = sum(sizes.values()), 0
    ends: list[int] = []
    for stage in sorted(sizes):
        gathered += sizes[stage]
        if len(ends) < segments - 1 and gathered >= total * (len(ends) + 1) / segments:
            ends.append(stage)
    passed: set[Value] = set()
    for value in early:
        stage = lifetimes.stage[value]
        readers = [user for user, _ in lifetimes.readers(value) if not lifetimes.is_late(user)]
        until = max((lifetimes.stage[user.results[0]] for user in readers), default=stage)
        if any(stage <= end < until for end in ends):
            passed.add(value)
    return passed, ends[-1] if ends else lifetimes.turn
