"""Loops as entries of a table: the kernels of a region once for each place, with the addresses moved on.

    %h, %ys = scan(%h0, %xs, %w, …)          turn 0   reads %h0 and %xs[0], writes %ys[0] and the carry
                                             turn 1   reads the carry and %xs[1], …

Nothing is copied from step to step. A carry lies where the step before wrote it: in the stack, where the new carry is
stacked; at the next place of the stack, where the carry is stacked as it is before each step; else in one of two
arrays, in turns. The last step writes to the array of the result; where nobody reads that, what computes it alone is
left out: the gradient of the first %h0 is not worth a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from graphc.backends.nests.nest import Buffer
from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import find_op

if TYPE_CHECKING:
    from graphc.backends.cpu.ahead import Ahead
    from graphc.backends.cpu.steps import Step, Steps

LOOPS = frozenset({"map", "scan"})
Array: TypeAlias = Buffer | Value  # a scratch array of one step, or an array of the graph
Address: TypeAlias = Callable[[int, Array, int], None]  # the place of a word, what it names, and how many bytes on
Spot: TypeAlias = tuple[Array, int]  # an array outside of the loop, and how many bytes on
Called: TypeAlias = "tuple[Steps, Address, Sequence[Step]]"  # steps of a program, and where their arrays lie


@dataclass(eq=False)
class Carry:
    """A carry: what it is inside, where it starts, where the last one goes, and where it lies in between."""

    before: Value  # inside: what a step reads
    after: int  # the output of the region that a step writes it as
    start: Value  # outside
    last: Value | None  # outside; None where nobody reads it
    stacked_after: Value | None = None  # outside: a stack that holds it after each step
    stacked_before: Value | None = None  # outside: a stack that holds it before each step
    between: tuple[Buffer, ...] = ()  # two arrays that it lies in by turns, where no stack holds it
    copy: Steps | None = None  # a kernel that copies it


@dataclass(eq=False)
class Loop:
    """A region that is called once for each place."""

    operands: tuple[Value, ...]  # where carries start, sequences, and what is the same at all places
    scanned: int  # the number of sequences
    length: Extent  # the number of places
    reverse: bool
    region: Graph  # whose outputs are arrays of its own, each another one
    carries: list[Carry]
    stacks: list[tuple[int, Value]]  # an output of the region, and the stack outside
    inner: Steps = field(init=False)
    ahead: list[Ahead] = field(default_factory=list)  # sequences that are computed some places ahead

    @property
    def scratch(self) -> dict[Buffer, Extent]:
        """The arrays that carries lie in between steps, with their elements."""
        return {buffer: carry.before.type.size for carry in self.carries for buffer in carry.between}

    def copies(self, carry: Carry) -> bool:
        """Whether a carry is copied, before the first step or after the last one, for some number of places."""
        is_last_copied = carry.stacked_after is not None or not isinstance(self.length, int) or self.length == 0
        return carry.stacked_before is not None or (carry.last is not None and is_last_copied)

    def written_outside(self) -> set[Value]:
        """The arrays of the region that are not memory of its own."""
        return {self.inner.root(value) for value in self.inner.graph.outputs}

    def every_step(self) -> Iterator[Step]:
        """All steps that it calls."""
        for each in self.ahead:
            yield each.step
        for carry in self.carries:
            yield from () if carry.copy is None else carry.copy.every_step()
        yield from self.inner.every_step()

    @property
    def same_everywhere(self) -> frozenset[Value]:
        """The inputs of the region that do not differ from place to place."""
        return frozenset(self.region.inputs[len(self.carries) + self.scanned :])

    @property
    def sequences(self) -> tuple[Value, ...]:
        """The operands that each place has a part of."""
        return self.operands[len(self.carries) : len(self.carries) + self.scanned]

    @property
    def whole_operands(self) -> tuple[Value, ...]:
        """The other operands."""
        return (*self.operands[: len(self.carries)], *self.operands[len(self.carries) + self.scanned :])

    def _last_steps(self) -> list[Step]:
        """The steps of the last turn: without those that lead to nothing but carries which nobody reads."""
        outputs = self.inner.graph.outputs
        read = [outputs[number] for number, _ in self.stacks]
        are_read = [carry for carry in self.carries if (carry.last or carry.stacked_after) is not None]
        read += [outputs[carry.after] for carry in are_read]
        return self.inner.steps_for(read)

    def calls(self, number: Callable[[Extent], int], address: Address, around: Steps) -> Iterator[Called]:
        """The programs to be called, one after another, each with what its arrays are outside of the loop.

        `around` is the program that the loop is a step of.
        """
        count, reverse = number(self.length), self.reverse

        def place(turn: int) -> int:
            return count - 1 - turn if reverse else turn

        def moved(stack: Value, turn: int) -> Spot:
            return stack, place(turn) * number(stack.type.size) * stack.type.dtype.itemsize // max(count, 1)

        def left(carry: Carry, turn: int) -> Spot:
            """Where a carry lies after a step; before the first one, where it starts."""
            if turn < 0:
                return carry.start, 0
            if carry.stacked_after is not None:
                return moved(carry.stacked_after, turn)
            if turn == count - 1 and carry.last is not None:
                return carry.last, 0
            if turn < count - 1 and carry.stacked_before is not None:
                return moved(carry.stacked_before, turn + 1)
            return carry.between[turn % 2], 0

        def copied(carry: Carry, source: Spot, target: Spot) -> Called:
            assert carry.copy is not None
            (read,), (written,) = carry.copy.graph.inputs, carry.copy.graph.outputs
            return carry.copy, _with({read: source, written: target}, address), carry.copy.steps

        def first_of(each: Ahead, turn: int) -> int:
            """The first of the places that are in the ring at this turn."""
            start = turn - turn % each.places(number)
            return count - min(start + each.places(number), count) if reverse else start

        def held(each: Ahead, turn: int) -> Spot:
            return each.ring, (place(turn) - first_of(each, turn)) * each.place_bytes(number)

        def ahead_of(each: Ahead, turn: int) -> Called:
            """What fills the ring for the turns from this one on."""
            part = each.part(min(each.places(number), count - turn), number)
            spots: dict[Array, Spot] = {
                around.root(value): (value, offset)
                for value, offset in each.moved(first_of(each, turn), number).items()
            }
            return around, _with(spots | {each.sequence: (each.ring, 0)}, address), (part,)

        for carry in self.carries:
            if carry.stacked_before is not None and count:
                yield copied(carry, (carry.start, 0), moved(carry.stacked_before, 0))
        inputs, outputs = self.inner.graph.inputs, [self.inner.root(value) for value in self.inner.graph.outputs]
        carried, first_shared = len(self.carries), len(self.carries) + self.scanned
        outside = list(zip(inputs, self.operands, strict=True))
        shared: dict[Array, Spot] = {value: (end, 0) for value, end in outside[first_shared:]}
        if count:
            yield self.inner, _with(shared, address), self.inner.before_loop
        sequences = dict(outside[carried:first_shared])
        rings = {value: each for value, end in sequences.items() for each in self.ahead
                 if around.root(end) is each.sequence}  # fmt: skip
        for turn in range(count):
            for each in self.ahead:
                if turn % each.places(number) == 0:
                    yield ahead_of(each, turn)
            spots = shared | {value: moved(end, turn) for value, end in sequences.items()}
            spots |= {value: held(each, turn) for value, each in rings.items()}
            spots |= {carry.before: left(carry, turn - 1) for carry in self.carries}
            spots |= {outputs[number]: moved(stack, turn) for number, stack in self.stacks}
            spots |= {outputs[carry.after]: left(carry, turn) for carry in self.carries}
            steps = self.inner.steps if turn < count - 1 else self._last_steps()
            yield self.inner, _with(spots, address), steps
        for carry in self.carries:
            if carry.last is not None and (not count or carry.stacked_after is not None):
                yield copied(carry, left(carry, count - 1), (carry.last, 0))


def _with(spots: dict[Array, Spot], address: Address) -> Address:
    """What arrays of a region are outside of it; others are the region's own."""

    def of_region(place: int, array: Array, offset: int) -> None:
        if array in spots:
            outside, further = spots[array]
            address(place, outside, offset + further)
        else:
            address(place, array, offset)

    return of_region


# -- making one -------------------------------------------------------------------------------------------------------


def loop_of(node: Node, region: Graph, wanted: Callable[[Value], bool]) -> Loop:
    """The loop of a node whose region is prepared; `wanted` says whether anything reads a result."""
    is_scan = node.op.name == "scan"
    carried = node.attributes["carried"] if is_scan else 0
    operands = tuple(operand for operand in node.operands if not isinstance(operand, Literal))
    outputs = _Outputs(region)
    roots = [outputs.root(value) for value in region.outputs]
    stacked_before: dict[int, Value] = {}
    for value, stack in zip(roots[carried:], node.results[carried:], strict=True):
        if value in region.inputs[:carried]:
            stacked_before.setdefault(region.inputs.index(value), stack)
    # One that is stacked after each step too lies in both stacks: the kernel that makes it writes it twice.
    after = [
        outputs.own(value, copied=i in stacked_before and roots[i] in roots[carried:])
        for i, value in enumerate(region.outputs[:carried])
    ]
    free = [root for root in dict.fromkeys(roots[:carried]) if outputs.holds(root)]  # each may lie in one stack
    stacks = [
        (outputs.own(value, free), stack)
        for value, stack in zip(region.outputs[carried:], node.results[carried:], strict=True)
        if stack not in stacked_before.values()
    ]
    held = {number: stack for number, stack in stacks if number in after}
    carries = []
    for i in range(carried):
        type, last = region.inputs[i].type, node.results[i]
        carry = Carry(
            region.inputs[i], after[i], operands[i], last if wanted(last) else None,
            held.get(after[i]), stacked_before.get(i),
        )  # fmt: skip
        if carry.stacked_after is None:
            names = (f"carry_{i}_even", f"carry_{i}_odd")
            carry.between = tuple(Buffer(name, type.dtype, "temporary", type.size) for name in names)
        carries.append(carry)
    return Loop(
        operands,
        node.attributes["scanned" if is_scan else "mapped"],
        node.attributes["length"] if is_scan else operands[0].type.shape[0],
        node.attributes.get("reverse", False),
        outputs.region(),
        carries,
        stacks,
    )


class _Outputs:
    """Outputs of a region that are arrays which its nodes make, each another one."""

    def __init__(self, region: Graph) -> None:
        self._region = region
        self._nodes = list(region.nodes)
        self._values: list[Value] = []
        self._numbers: dict[Value, int] = {}

    def root(self, value: Value) -> Value:
        """The value whose array this one is."""
        made = self._region.producers.get(value)
        while made is not None and made.op.name == "reshape" and not isinstance(made.operands[0], Literal):
            value = made.operands[0]
            made = self._region.producers.get(value)
        return value

    def holds(self, root: Value) -> bool:
        """Whether an output is this array."""
        return root in self._numbers

    def own(self, value: Value, free: list[Value] | None = None, copied: bool = False) -> int:
        """The number of an output for a value: a copy where no node makes it, or another output is the same array.

        What is in `free` may be the same array, once.
        """
        root = self.root(value)
        if root in self._numbers and free is not None and root in free:
            free.remove(root)
            return self._numbers[root]
        made = self._region.producers.get(root)
        if copied or made is None or made.op.name == "constant" or root in self._numbers:
            copy = Value(f"{value.name or 'result'}_copy{len(self._values)}", value.type)
            self._nodes.append(Node(find_op("identity"), (value,), {}, (copy,)))
            value = root = copy
        self._numbers[root] = len(self._values)
        self._values.append(value)
        return self._numbers[root]

    def region(self) -> Graph:
        return self._region.with_(nodes=tuple(self._nodes), outputs=tuple(self._values))


def with_values_of_its_own(region: Graph) -> Graph:
    """The same region over other values: two loops may hold one region, and their arrays lie at different places."""
    own: dict[Value, Value] = {}

    def copy(value: Value) -> Value:
        return value if isinstance(value, Literal) else own.setdefault(value, Value(value.name, value.type))

    def copied(node: Node) -> Node:
        operands, results = tuple(map(copy, node.operands)), tuple(map(copy, node.results))
        return Node(node.op, operands, node.attributes, results, node.regions, node.provenance)

    inputs, nodes = tuple(map(copy, region.inputs)), tuple(map(copied, region.nodes))
    return region.with_(inputs=inputs, nodes=nodes, outputs=tuple(map(copy, region.outputs)))


def copy_of(value: Value) -> Graph:
    """A graph that copies an array of a value's type."""
    source, target = Value(value.name, value.type), Value(f"{value.name}_copied", value.type)
    return Graph("copy", (source,), (Node(find_op("identity"), (source,), {}, (target,)),), (target,))
