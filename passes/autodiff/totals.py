"""Sums over the places of a scan, taken outside of the loop where they go into what they sum.

    Σₜ aₜᵀ·bₜ          ->   one product of the stacks of a and b, over places and rows together
    Σₜ aₜᵀ·W           ->   (Σₜ aₜ)ᵀ·W                     for a W that is the same at all places
    Σₜ (xₜ + yₜ)       ->   Σₜ xₜ + Σₜ yₜ                  and likewise for negation, transposition, other shapes
    Σₜ sum(xₜ)         ->   one sum of the stack of x, where it is stacked anyhow

What none of these fits is added up by a carry of the loop. So the gradient of a recurrent weight costs one product for
all steps, and the loop does not read and write a matrix of the weight's size in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.builder import Builder
from graphc.dim import Extent
from graphc.ir import Literal, Node, Value
from graphc.op import recording
from graphc.ops.contraction import dot_general
from graphc.ops.reduction import sum as sum_op
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.passes.autodiff.linear_part import Linear

ADDITIVE = frozenset({"add", "sub", "neg", "identity", "reshape", "permute_dims", "broadcast_to"})


class Totals:
    """The sums of some values of a scan's region over all places, as values of the graph around it."""

    def __init__(self, builder: Builder, inner: Builder, parts: Linear, length: Extent) -> None:
        self.builder, self.inner, self.parts, self.length = builder, inner, parts, length
        self._wanted: list[Value] = []
        self._through: set[Node] = set()  # nodes that the sum goes into
        self._products: set[Value] = set()
        self._sums: set[Value] = set()
        self._stacked: set[Value] = set()
        self._carried: dict[Value, int] = {}
        self._known: dict[Value, Tensor] = {}

    def want(self, value: Value) -> None:
        """The sum of a value is wanted."""
        self._wanted.append(value)

    def plan(self) -> None:
        """Ask for the stacks and carries that the sums are made of."""
        leaves = self._leaves()
        for value in leaves:
            node = self.parts.producers.get(value)
            if node is not None and node.op is dot_general and all(map(self.parts.varies, node.operands)):
                self._products.add(value)
                for operand in node.operands:
                    self.parts.stack(operand)
        for value in leaves:
            node = self.parts.producers.get(value)
            if value in self._products:
                continue
            if self.parts.is_stacked(value):
                self.parts.stack(value)
                self._stacked.add(value)
            elif node is not None and node.op is sum_op and self.parts.is_stacked(node.operands[0]):
                self.parts.stack(node.operands[0])
                self._sums.add(value)
            else:
                with recording(self.builder):
                    self._carried[value] = self.parts.accumulate(value, self._zeros(value))

    def _leaves(self) -> list[Value]:
        """The values whose sums are taken: those wanted, or what these are made of by ops that a sum goes into."""
        found: dict[Value, None] = {}
        seen: set[Value] = set()
        pending = list(self._wanted)
        while pending:
            value = pending.pop()
            if value in seen:
                continue
            seen.add(value)
            node = self.parts.producers.get(value)
            into = self._summed_instead(node) if node is not None and not self.parts.is_stacked(value) else None
            if node is None or into is None:
                found[value] = None
            else:
                self._through.add(node)
                pending += into
        return list(found)

    def _summed_instead(self, node: Node) -> list[Value] | None:
        """The operands whose sums give the sum of the result; None where there is no such way."""
        varying = [operand for operand in node.operands if self.parts.varies(operand)]
        if node.op.name in ADDITIVE and len(varying) == len(node.operands):
            return varying
        fixed = [operand for operand in node.operands if not self.parts.varies(operand)]
        if node.op is dot_general and len(fixed) == 1 and self.parts.is_shared(fixed[0]):
            return varying
        if node.op.name in ("mul", "div") and len(varying) == 1 and isinstance(node.operands[1], Literal):
            return varying
        return None

    def _zeros(self, value: Value) -> Value:
        from graphc.passes.autodiff.derivatives import zeros_like

        return zeros_like(self.builder, value.type).value

    # -- once the scan is there ---------------------------------------------------------------------------------------

    def of(self, value: Value) -> Tensor:
        """The sum of a value over the places."""
        if not self._known:
            self._compute()
        return self._known[value]

    def _compute(self) -> None:
        builder, parts = self.builder, self.parts
        for value in self._products:
            node = parts.producers[value]
            left, right = (self._stack_of(operand) for operand in node.operands)
            self._known[value] = _over_places(builder, node, left, right)
        for value in self._stacked:
            self._known[value] = builder.node(sum_op, builder.tensor(parts.stacks[value]), axis=(0,))
        for value in self._sums:
            node = parts.producers[value]
            axes, stack = node.attributes["axis"], builder.tensor(parts.stacks[node.operands[0]])
            folded = (0, *(a + 1 for a in axes))
            total = builder.node(sum_op, stack, axis=folded)
            if total.shape != value.type.shape:  # axes that were kept
                from graphc.ops.shape import reshape

                total = builder.node(reshape, total, shape=value.type.shape)
            self._known[value] = total
        for value, number in self._carried.items():
            self._known[value] = builder.tensor(parts.finals[number])
        for node in self.inner.nodes:
            if node in self._through:
                operands = [self._known[o] if o in self._known else self._outside(o) for o in node.operands]
                self._known[node.result] = builder.node(node.op, *operands, **node.attributes)

    def _stack_of(self, value: Value) -> Tensor:
        stack = self.parts.stacks[value]
        if stack.name.startswith("scan"):  # it has no better name yet
            self.builder.rename(stack, f"{value.name}_s")
        return self.builder.tensor(stack)

    def _outside(self, value: Value) -> Tensor:
        return self.builder.tensor(value if isinstance(value, Literal) else self.parts.outside(value))


def _over_places(builder: Builder, node: Node, left: Tensor, right: Tensor) -> Tensor:
    """A contraction of stacks, summed over their leading axis too."""

    def moved(axes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(axis + 1 for axis in axes)

    contract, batch = node.attributes["contract"], node.attributes["batch"]
    return builder.node(
        dot_general,
        left,
        right,
        contract=((0, *moved(contract[0])), (0, *moved(contract[1]))),
        batch=(moved(batch[0]), moved(batch[1])),
    )
