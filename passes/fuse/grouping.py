"""Which ops share a kernel: a walk over the graph that puts each op into the latest kernel that takes it.

Kernels stand in an order, and a kernel may read only what earlier kernels (and the graph's sources) give. An op joins a
kernel when the kernel's rules admit it (`graphc.passes.fuse.group`) and all else that it reads comes from earlier
kernels; so no cycle can arise, and no question is asked that costs more than the op's operands. Ops are visited by the
number of kernels that must run before them: what depends on little goes into early kernels, where
all others can read it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import islice

from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.filled import filling
from graphc.passes.fuse.group import MOST_STATEMENTS, Group, Refusal, is_fusable, reads_at_places, reads_memory
from graphc.passes.fuse.late import Bounds
from graphc.passes.fuse.place import Place, squeezed
from graphc.passes.fuse.product import margins_in_place
from graphc.passes.fuse.region import domain_of
from graphc.passes.fuse.turned import turned_views
from graphc.passes.fuse.views import is_floating

_LOOKED_AT = 6  # kernels that read the same values, latest first


class Grouping:
    """The kernels of a graph, in order; each a group, or a node that has a kernel of its own."""

    def __init__(self, graph: Graph, bounds: Bounds | None = None) -> None:
        self.graph = graph
        self.bounds: Bounds = bounds or {}  # what must be known before a node runs, besides its operands
        self.kernels: list[Group | Node] = []
        self.position: dict[Node, int] = {}  # of the kernel that computes a node
        self.refusals: dict[tuple[Value, Node], str] = {}
        self._readers: dict[Value, dict[Group, None]] = {}  # the kernels that read a value, in order
        self._reading: dict[int, set[int]] = {}  # the positions of the kernels that read a kernel's values
        self._index = {node: number for number, node in enumerate(graph.nodes)}
        self._of_layers = _numbers_of_layers(graph)
        self.turned = turned_views(graph)
        self.margins = margins_in_place(graph, self.producer)
        for node in _by_stage(graph, self._of_layers, self.bounds, self.turned):
            if node in self.turned:
                self.materialize(node.result)
            elif not self.floats(node):
                self._visit(node)
        for value in graph.results:
            self.materialize(value)
        self.recomputed: set[tuple[Node, int]] = set()  # members of another kernel, and where they are repeated
        for node in graph.nodes:
            self._recompute(node)

    def floats(self, node: Node) -> bool:
        """Whether every kernel that reads a node repeats it: a view that no kernel turns around, or margins."""
        return node in self.margins or (is_floating(node) and node not in self.turned)

    def producer(self, value: Value) -> Node | None:
        """What makes a value within the kernels that read it; None for a view that a kernel has turned around.

        So products, too, are what they will be in their regions, where it is an array in memory.
        """
        node = self.graph.producers.get(value)
        return None if node in self.turned else node

    # -- one op -------------------------------------------------------------------------------------------------------

    def _visit(self, node: Node) -> None:
        if not is_fusable(node):
            self._alone(node)
            return
        self._prepare_operands(node)
        for group in self._candidates(node):
            refusal = self._join(group, node)
            if refusal is None:
                self._absorb_others(group, node)
                return
            for operand in node.operands:
                if self._home(operand) is group:
                    self.refusals[operand, node] = refusal.reason
        group = Group(domain_of(node), self.producer, len(self.kernels))
        refusal = group.admit(node)
        if refusal is not None:
            self._alone(node)
            return
        self.kernels.append(group)
        self._entered(group, node)
        self._absorb_others(group, node, is_new=True)  # what stands before the kernel of another operand

    def _alone(self, node: Node) -> None:
        """A kernel (or a mere change of shape) that holds one op."""
        for operand in node.operands[1:] if filling(node, self.graph.producers.get) else node.operands:
            self.materialize(operand)
        self.position[node] = len(self.kernels)
        self.kernels.append(node)
        self._note_reads(node, self.position[node])

    def materialize(self, value: Value) -> None:
        """A kernel for a view that must lie in memory."""
        node = self.graph.producers.get(value)
        if node is None or not is_floating(node) or node in self.position:
            return
        for operand in node.operands:
            base = self.graph.producers.get(operand)
            if base is not None and is_floating(base) and node.op.name == "reshape":
                self.materialize(operand)
        self.position[node] = len(self.kernels)
        self.kernels.append(node)
        self._note_reads(node, self.position[node])

    def _prepare_operands(self, node: Node) -> None:
        """Arrays that are read as a whole lie in memory, even as views; but products read some views in place."""
        for i in reads_at_places(node, self.producer):
            self.materialize(node.operands[i])

    # -- joining ------------------------------------------------------------------------------------------------------

    def _home(self, value: Value) -> Group | None:
        """The kernel that an operand comes from, through views."""
        node = self.graph.producers.get(value)
        while node is not None and node not in self.position:
            if not node.operands:
                return None
            node = self.graph.producers.get(node.operands[0])
        kernel = self.kernels[self.position[node]] if node is not None else None
        return kernel if isinstance(kernel, Group) else None

    def _candidates(self, node: Node) -> Iterator[Group]:
        """The kernels that a node may join: those of its operands, then those that read the same values."""
        needed = (*node.operands, *self.bounds.get(node, ()))
        homes = {group for value in needed if (group := self._home(value)) is not None}
        yield from sorted(homes, key=lambda group: -group.position)
        if node.op.kind is Kind.CONTRACTION:
            return
        near = {
            group
            for operand in node.operands
            if operand.type.rank
            for group in islice(reversed(self._readers.get(self._base(operand), {})), _LOOKED_AT)
            if group not in homes
        }
        yield from sorted(near, key=lambda group: -group.position)
        if node in self._of_layers:
            scalars = self._beside(node)
        else:
            scalars = self._scalars if not squeezed(node.results[0].type.shape) else None
        if scalars is not None and scalars not in homes:
            yield scalars

    _scalars: Group | None = None

    def _beside(self, node: Node) -> Group | None:
        """The kernel of the op that stands before a number in the graph, if it computes more than numbers."""
        before = self._index[node] - 1
        while before >= 0 and is_floating(self.graph.nodes[before]):
            before -= 1
        group = self._home(self.graph.nodes[before].results[0]) if before >= 0 else None
        return group if group is not None and group.domain else None

    def _base(self, value: Value) -> Value:
        """The value that a chain of views starts from."""
        node = self.graph.producers.get(value)
        while node is not None and node not in self.position and node.operands:
            value = node.operands[0]
            node = self.graph.producers.get(value)
        return value

    def _join(self, group: Group, node: Node) -> Refusal | None:
        if node.op.kind is Kind.CONTRACTION:
            return Refusal("a contraction starts a kernel")
        for base in self._outside(group, node):
            producer = self.graph.producers.get(base)
            if producer is not None and self.position.get(producer, -1) >= group.position:
                return Refusal("another operand comes from a later kernel")
        if any(group.position < self._position_of(bound) for bound in self.bounds.get(node, ())):
            return Refusal("it is to be computed late, to save memory")
        refusal = group.admit(node)
        if refusal is None:
            self._entered(group, node)
        return refusal

    def _position_of(self, value: Value) -> int:
        """Where the kernel stands that gives a value, or what it is a view of; -1 for what a run starts from."""
        producer = self.graph.producers.get(self._base(value))
        return -1 if producer is None else self.position.get(producer, -1)

    def _outside(self, group: Group, node: Node) -> Iterable[Value]:
        """What a node reads that the group does not compute, through views."""
        for operand in node.operands:
            if isinstance(operand, Literal) or isinstance(group.operand(operand), Place):
                continue
            yield self._base(operand)

    def _entered(self, group: Group, node: Node) -> None:
        self.position[node] = group.position
        if not group.domain and self._scalars is None and node not in self._of_layers:
            self._scalars = group
        self._note_reads(node, group.position)
        for operand in node.operands:
            if operand.type.rank and not isinstance(operand, Literal):
                self._readers.setdefault(self._base(operand), {}).setdefault(group)

    def _note_reads(self, node: Node, position: int) -> None:
        for operand in node.operands:
            home = self._home(operand)
            if home is not None and home.position != position:
                self._reading.setdefault(home.position, set()).add(position)

    # -- merging ------------------------------------------------------------------------------------------------------

    def _absorb_others(self, group: Group, node: Node, *, is_new: bool = False) -> None:
        """Take in the kernels of the node's other operands, where nothing before this kernel needs them.

        A new kernel takes in no numbers, which others have read since, and nothing that reads elements at other places:
        a kernel of its own copies these faster.
        """
        for operand in node.operands:
            other = self._home(operand)
            if other is None or other is group:
                continue
            if other.contraction is not None and group.contraction is None and not self._is_epilogue(group, other):
                continue
            if any(member.op.kind is Kind.REDUCTION for member in other.members):
                continue
            if is_new and (not other.domain or any(map(_moves, other.members))):
                continue
            if any(position < group.position for position in self._reading.get(other.position, ())):
                continue
            self._absorb(group, other)

    def _is_epilogue(self, group: Group, other: Group) -> bool:
        """Whether a kernel that has one op yet can stand behind a product, element by element."""
        return len(group.members) == 1 and group.domain == other.domain

    def _absorb(self, group: Group, other: Group) -> None:
        merged = self._merged(group, other)
        if merged is None:
            return
        group.take_over(merged)
        for member in other.members:
            self.position[member] = group.position
            self._note_reads(member, group.position)
            for operand in member.operands:
                readers = self._readers.get(self._base(operand))
                if readers is not None and other in readers:
                    del readers[other]
                    readers.setdefault(group)
        positions = self._reading.pop(other.position, set()) - {group.position}
        self._reading.setdefault(group.position, set()).update(positions)
        other.members, other.places = [], {}

    def _merged(self, group: Group, other: Group) -> Group | None:
        """Both groups as one: in the graph's order, else with the other just before the op that reads both."""
        if len(group.members) + len(other.members) > MOST_STATEMENTS or self._reads_in_memory(group, other.places):
            return None
        products = sorted((*group.contractions, *other.contractions), key=self._index.__getitem__)
        both = [member for member in (*other.members, *group.members) if member not in products]
        orders = [[*products, *sorted(both, key=self._index.__getitem__)]]
        made = {result for member in other.members for result in member.results}
        is_read = any(self._source(o) in made for member in group.members[:-1] for o in member.operands)
        if not other.contractions and not is_read:
            orders.append([*group.members[:-1], *other.members, group.members[-1]])
        for order in orders:
            merged = Group(group.domain, self.producer, group.position)
            if all(merged.admit(member) is None for member in order):
                return merged
        return None

    def _reads_in_memory(self, group: Group, values: Container[Value]) -> bool:
        """Whether a member reads one of these values, or a view of it, at places of its own."""
        return any(self._source(member.operands[i]) in values for member in group.members for i in reads_memory(member))

    def _source(self, value: Value) -> Value:
        """The value that a chain of views starts from, stored or not, and below margins that products read in place."""
        node = self.graph.producers.get(value)
        while node is not None and (is_floating(node) or node in self.margins) and node.operands:
            value = node.operands[0]
            node = self.graph.producers.get(value)
        return value

    # -- recomputing --------------------------------------------------------------------------------------------------

    def _recompute(self, node: Node) -> None:
        """Repeat an op of one scalar statement in every kernel that reads it, where they read all that it is made of.

        Then it need not be stored: `x̂ = (x - mean)·s` in a backward kernel that reads x - mean and s anyhow.
        """
        home = self._home(node.results[0]) if node in self.position else None
        if home is None or node.op.kind is not Kind.ELEMENTWISE or self.graph.is_result(node.result):
            return
        if not node.result.type.rank:
            return
        outside = [kernel for kernel in self._kernels_reading(node.result) if kernel is not home]
        if not outside:
            return
        repeated = []
        for kernel in outside:
            if not isinstance(kernel, Group) or not self._reads_all_of(kernel, node):
                return
            merged = self._with_copy(kernel, node)
            if merged is None:
                return
            repeated.append((kernel, merged))
        for kernel, merged in repeated:
            kernel.take_over(merged)
            self.recomputed.add((node, kernel.position))

    def _kernels_reading(self, value: Value) -> list[Group | Node]:
        """The kernels that read a value, through views."""
        kernels: dict[Group | Node, None] = {}
        pending = [value]
        while pending:
            for user in self.graph.users.get(pending.pop(), ()):
                if user not in self.position:
                    pending += user.results
                else:
                    kernels.setdefault(self.kernels[self.position[user]])
                if is_floating(user) and user in self.position:
                    pending += user.results
        return list(kernels)

    def _reads_all_of(self, kernel: Group, node: Node) -> bool:
        own = [self._base(o) for o in node.operands if not isinstance(o, Literal)]
        if not own or any(self._home(value) is kernel for value in own):
            return False
        read = {self._base(o) for member in kernel.members for o in member.operands if not isinstance(o, Literal)}
        return all(value in read for value in own)

    def _with_copy(self, kernel: Group, node: Node) -> Group | None:
        if self._reads_in_memory(kernel, node.results):
            return None
        rest = [member for member in kernel.members if member not in kernel.contractions]
        copies = [member for member in rest if (member, kernel.position) in self.recomputed]
        own = [member for member in rest if (member, kernel.position) not in self.recomputed]
        merged = Group(kernel.domain, self.producer, kernel.position)
        order = (*kernel.contractions, *copies, node, *own)  # the node may read earlier copies
        return merged if all(merged.admit(each) is None for each in order) else None


def _moves(node: Node) -> bool:
    """Whether a node reads elements of an array at places of its own, and multiplies nothing."""
    return node.op.kind is not Kind.CONTRACTION and len(reads_memory(node)) > 0


def _numbers_of_layers(graph: Graph) -> set[Node]:
    """The ops that compute numbers from a module's numbers alone: `num_batches_tracked + 1`.

    A model has as many of them as layers. In one kernel they would make another one for every depth.
    """
    known = {state.value for state in graph.state if state.kind == "buffer" and not state.value.type.rank}
    found = set()
    for node in graph.nodes if known else ():
        read = [operand for operand in node.operands if not isinstance(operand, Literal)]
        if node.op.kind is Kind.ELEMENTWISE and read and all(operand in known for operand in read):
            found.add(node)
            known.update(node.results)
    return found


def _by_stage(graph: Graph, of_layers: Container[Node], bounds: Bounds, turned: Container[Node]) -> list[Node]:
    """The nodes by the number of kernels that must be complete before them, then in the graph's order.

    Numbers that are computed from numbers alone come before all else, so that every kernel can read them; those of
    layers come with the op before them.
    """
    stage: dict[Value, int] = {}

    def of(operand: Value) -> int:
        known = None if isinstance(operand, Literal) else stage.get(operand)
        return known if known is not None else 0 if operand.type.rank else -1

    ordered = []
    own = 0
    for index, node in enumerate(graph.nodes):
        before = max(own, 0)
        own = max(map(of, (*node.operands, *bounds.get(node, ()))), default=0)
        if node.results[0].type.rank or node.op.kind is not Kind.ELEMENTWISE:
            own = max(own, 0)
        if node.op.kind is Kind.CONTRACTION or node in turned or not (is_fusable(node) or is_floating(node)):
            own += 1
        if node in of_layers:
            own = max(own, before)
        for result in node.results:
            stage[result] = own
        ordered.append((own, index, node))
    return [node for _, _, node in sorted(ordered, key=lambda entry: entry[:2])]
