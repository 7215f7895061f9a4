"""Channels last: where an image is a `permute_dims` of one with its channels last, ops on it move to that one.

    %y: f32[N,8,H,W] = permute_dims(%last, axes=(0, 3, 1, 2))        // what a convolution gives
    %h: f32[N,8,H,W] = relu(%y)
    ->
    %h: f32[N,H,W,8] = relu(%last)                                   // and a permute_dims where somebody wants NCHW

Elementwise ops, reductions, margins, slices, images side by side and pixels that are repeated follow; the next
convolution asks for channels last and finds them, so that between two convolutions nothing is moved, and the statistics
of a BatchNorm are sums over rows. Where an op has operands of both kinds the majority decides, and the others are read
through a `permute_dims`.

Kernels follow the order in which they are stored (`stored.py`), as images follow channels last: a weight and its slots,
and the gradient that comes as the product gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from graphc.builder import Builder
from graphc.dim import Extent
from graphc.ir import Graph, Node, Value
from graphc.op import Kind, recording
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.ops.slicing import concat
from graphc.order import Axes, inverse
from graphc.passes.dce import dce
from graphc.passes.decompose import replace_values, substitute
from graphc.tensor import Tensor
from graphc.types import Shape


@dataclass(frozen=True)
class Moved:
    """A value that is `permute_dims(reshape(root, shape), axes)`.

    The reshape adds or drops axes of extent 1, splits axes, or puts neighbours together.
    """

    root: Value
    shape: Shape
    axes: Axes


def channels_last(graph: Graph) -> Graph:
    """Let ops follow the layout of the convolutions before them; the results of the graph stay what they are."""
    return _ChannelsLast(graph).run()


class _ChannelsLast:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder.rewriting(graph)
        self.moved: dict[Value, Moved] = {}
        self.same: dict[Value, Value] = {}  # values that turned out to be another one
        self.computed: dict[Value, Value] = {}  # what is computed in place of a value, with its channels last
        self._turned: dict[tuple[Value, Axes], Value] = {}
        self._kernels = _orders_of_state(graph)

    def run(self) -> Graph:
        for original in self.graph.nodes:
            node = substitute(original, self.same)
            with recording(self.builder), self.builder.provenance(node.provenance):
                if not self._follow(node):
                    self.builder.append(node)
        rewritten = dce(
            replace_values(self.graph.with_(nodes=tuple(self.builder.nodes)), self.builder.nodes, self.same)
        )
        return self._with_names(rewritten)

    def _with_names(self, graph: Graph) -> Graph:
        """What is computed with its channels last takes the name of what it stands for, where that is gone."""
        names = {
            made: Value(value.name, made.type)
            for value, made in self.computed.items()
            if made in graph.producers and value.name not in graph.values
        }
        nodes = (
            Node(n.op, n.operands, n.attributes, tuple(names.get(r, r) for r in n.results), n.regions, n.provenance)
            for n in graph.nodes
        )
        return replace_values(graph, tuple(nodes), names)

    # -- one op -------------------------------------------------------------------------------------------------------

    def _follow(self, node: Node) -> bool:
        """Compute a node where its operand has its channels last; False to leave it as it is."""
        if node.op is permute_dims:
            return self._permute(node)
        if node.op is reshape:
            return self._reshape(node)
        if node.op is broadcast_to:
            return self._broadcast(node)
        rule = self._rule(node)
        return rule is not None and rule(node)

    def _rule(self, node: Node) -> Callable[[Node], bool] | None:
        if not any(self._is_image(operand) for operand in node.operands):
            return None
        if node.op.kind is Kind.ELEMENTWISE:
            return self._elementwise
        if node.op.kind is Kind.REDUCTION and isinstance(node.attributes.get("axis"), tuple):
            return self._reduce
        if node.op is concat:
            return self._join
        return self._place if node.op.name in _PER_AXIS else None

    def _is_image(self, value: Value) -> bool:
        """Whether it is one with its channels last, seen with them first, or lies in memory as kernels are stored."""
        moved = self.moved.get(value)
        return moved is not None and (moved.axes == channels_first(len(moved.axes)) or moved.axes in self._kernels)

    def _base(self, value: Value) -> Tensor:
        """The value with its channels last."""
        moved = self.moved[value]
        root = self.builder.tensor(moved.root)
        return root if moved.shape == moved.root.type.shape else reshape(root, shape=moved.shape)

    def _is_now(self, node: Node, made: Tensor, axes: Axes) -> bool:
        """Note that the node's result is a permutation of what was made."""
        result = node.results[0]
        self.computed[result] = made.value
        self._note(node, Moved(made.value, made.shape, axes))
        return True

    def _note(self, node: Node, moved: Moved) -> None:
        """The result as a view, for those who want it as it was."""
        self.moved[node.results[0]] = moved
        base = self._base(node.results[0]).value
        if _is_in_order(moved):  # the same elements in the same order
            attributes = {"shape": node.results[0].type.shape}
            self.builder.append(Node(reshape, (moved.root,), attributes, node.results, (), node.provenance))
            return
        self.builder.append(Node(permute_dims, (base,), {"axes": moved.axes}, node.results, (), node.provenance))

    # -- views --------------------------------------------------------------------------------------------------------

    def _permute(self, node: Node) -> bool:
        (x,), axes = node.operands, node.attributes["axes"]
        if x not in self.moved:
            if len(axes) > 2 and (axes == channels_first(len(axes)) or self._is_kernel(x)):
                self.moved[node.results[0]] = Moved(x, x.type.shape, axes)
            return False
        before = self.moved[x]
        moved = Moved(before.root, before.shape, tuple(before.axes[axis] for axis in axes))
        self._view(node, moved)
        return True

    def _is_kernel(self, x: Value) -> bool:
        """Whether it may be the kernels of a convolution as they are stored, or their gradient as a product."""
        made = self.graph.producers.get(x)
        return bool(self._kernels) and (made is None or made.op.kind is Kind.CONTRACTION)

    def _reshape(self, node: Node) -> bool:
        """Another shape of a permutation, where the base has one for it: axes split, neighbours put together."""
        (x,), shape = node.operands, node.attributes["shape"]
        before = self.moved.get(x)
        after = None if before is None else reshaped(before, shape)
        if after is None:
            return False
        self._view(node, after)
        return True

    def _view(self, node: Node, moved: Moved) -> None:
        root = moved.root
        if moved.shape == root.type.shape and moved.axes == tuple(range(len(moved.axes))):
            self.same[node.results[0]] = root
        else:
            self._note(node, moved)

    def _broadcast(self, node: Node) -> bool:
        """Pixels side by side: an axis of extent 1 stands behind the one before it, and is repeated there.

        What has one axis alone is left to those who read it beside an image.
        """
        (x,), shape = node.operands, node.attributes["shape"]
        before = self.moved.get(x)
        if before is None or _is_in_order(before) or len(shape) != len(before.axes):
            return False
        repeated = [axis for axis, extent in enumerate(shape) if extent != x.type.shape[axis]]
        order = [axis for axis in inverse(before.axes) if axis not in repeated]
        for axis in repeated:
            order.insert(order.index(axis - 1) + 1 if axis else 0, axis)
        base = reshape(self.builder.tensor(before.root), shape=tuple(x.type.shape[axis] for axis in order))
        spread = broadcast_to(base, shape=tuple(shape[axis] for axis in order))
        return self._is_now(node, spread, inverse(tuple(order)))

    # -- ops that follow ----------------------------------------------------------------------------------------------

    def _elementwise(self, node: Node) -> bool:
        axes = self._axes_of_most(node)
        if axes is None:
            return False
        operands = [operand if not operand.type.rank else self._last(operand, axes) for operand in node.operands]
        return self._is_now(node, node.op(*map(self.builder.tensor, operands), **node.attributes), axes)

    def _join(self, node: Node) -> bool:
        """Images side by side: most often their channels."""
        axes = self._axes_of_most(node)
        if axes is None:
            return False
        operands = [self.builder.tensor(self._last(operand, axes)) for operand in node.operands]
        return self._is_now(node, node.op(*operands, axis=axes[node.attributes["axis"]]), axes)

    def _axes_of_most(self, node: Node) -> Axes | None:
        """How the images among the operands are turned; None where more of the others are not."""
        full = [operand for operand in node.operands if operand.type.rank]
        axes = next(self.moved[operand].axes for operand in full if self._is_image(operand))
        agree = [operand for operand in full if operand in self.moved and self.moved[operand].axes == axes]
        others = [operand for operand in full if operand not in agree and self._spread(operand) is None]
        return axes if len(others) <= len(agree) else None

    def _spread(self, value: Value) -> Node | None:
        """The broadcast that an operand is, if it is one."""
        made = self.graph.producers.get(value)
        return made if made is not None and made.op.name == "broadcast_to" else None

    def _last(self, value: Value, axes: Axes) -> Value:
        """An operand with its channels last."""
        if value in self.moved and self.moved[value].axes == axes:
            return self._base(value).value
        if (value, axes) not in self._turned:
            made = self._spread(value)
            x = self.builder.tensor(value)
            if made is None:
                turned = permute_dims(x, axes=inverse(axes))
            else:
                few = substitute(made, self.same).operands[0]
                whole = (*(1,) * (x.ndim - few.type.rank), *few.type.shape)
                shape = tuple(x.shape[axis] for axis in inverse(axes))
                turned = made.op(_turned(self._unmoved(few), whole, inverse(axes)), shape=shape)
            self._turned[value, axes] = turned.value
        return self._turned[value, axes]

    def _unmoved(self, value: Value) -> Tensor:
        """The root of a value that is the same elements in the same order; else the value."""
        moved = self.moved.get(value)
        if moved is not None and _is_in_order(moved):
            return self.builder.tensor(moved.root)
        return self.builder.tensor(value)

    def _reduce(self, node: Node) -> bool:
        (x,), attributes = node.operands, dict(node.attributes)
        axes = self.moved[x].axes
        folded = attributes["axis"]
        attributes["axis"] = tuple(sorted(axes[axis] for axis in folded))
        made = node.op(self._base(x), **attributes)
        if attributes["keepdims"]:
            return self._is_now(node, made, axes)
        kept = [axes[axis] for axis in range(len(axes)) if axis not in folded]
        order = tuple(sorted(kept).index(axis) for axis in kept)
        if order != tuple(range(len(order))):
            return self._is_now(node, made, order)
        self.same[node.results[0]] = made.value
        self.computed[node.results[0]] = made.value
        return True

    def _place(self, node: Node) -> bool:
        """Margins and parts: their numbers go with the axes."""
        (x,), axes = node.operands, self.moved[node.operands[0]].axes
        attributes = dict(node.attributes)
        for name in _PER_AXIS[node.op.name]:
            if attributes[name] is not None:
                attributes[name] = tuple(attributes[name][axis] for axis in inverse(axes))
        return self._is_now(node, node.op(self._base(x), **attributes), axes)


_PER_AXIS = {"pad": ("low", "high", "interior"), "slice": ("starts", "limits", "strides")}


def _orders_of_state(graph: Graph) -> set[Axes]:
    """How state that does not lie in memory as it is counted is turned (`stored.py`)."""
    state = {each.value for each in graph.state}
    turned = (node.attributes["axes"] for node in graph.nodes if node.op is permute_dims and node.operands[0] in state)
    return {axes for axes in turned if len(axes) > 2}


def channels_first(rank: int) -> Axes:
    """The permutation that takes the last axis to the second place: NHWC to NCHW."""
    return (0, rank - 1, *range(1, rank - 1))


def _is_in_order(moved: Moved) -> bool:
    """Whether no elements change places."""
    order = [axis for axis in moved.axes if moved.shape[axis] != 1]
    return order == sorted(order)


def reshaped(before: Moved, shape: Shape) -> Moved | None:
    """`reshape` of a moved value as a moved value of the same root; None where it is none.

    Axes of extent 1 come and go: they stand before the others in the base.
    """
    old = [axis for axis in before.axes if before.shape[axis] != 1]
    new = [extent for extent in shape if extent != 1]
    pieces = _pieces([before.shape[axis] for axis in old], new)
    if pieces is None:
        return None
    made: dict[int, Shape] = {}  # for the first of some neighbours of the base, what they become
    axes_of: list[int] = []  # for each new axis, the first of the neighbours that it is made of
    start = 0
    for taken, extents in pieces:
        run = old[start : start + taken]
        start += taken
        if run != list(range(run[0], run[0] + taken)):
            return None
        made[run[0]] = tuple(extents)
        axes_of += [run[0]] * len(extents)
    ones = len(shape) - len(new)
    base: list[Extent] = [1] * ones
    places: dict[int, Iterator[int]] = {}
    for first, pieces_of in sorted(made.items()):
        places[first] = iter(range(len(base), len(base) + len(pieces_of)))
        base += pieces_of
    singles, wholes = iter(range(ones)), (next(places[first]) for first in axes_of)
    axes = tuple(next(singles) if extent == 1 else next(wholes) for extent in shape)
    return Moved(before.root, tuple(base), axes)


def _pieces(old: list[Extent], new: list[Extent]) -> list[tuple[int, list[Extent]]] | None:
    """How many old axes become which new ones, piece by piece; None where that depends on the value of an extent."""
    found: list[tuple[int, list[Extent]]] = []
    left, rest = list(old), list(new)
    while left and rest:
        taken, extents = 1, [rest.pop(0)]
        before, after = left.pop(0), extents[0]
        while before != after:
            if not isinstance(before, int) or not isinstance(after, int):
                return None
            fewer = left if before < after else rest
            if not fewer:
                return None
            if fewer is left:
                before, taken = before * left.pop(0), taken + 1
            else:
                extents.append(rest.pop(0))
                after = after * extents[-1]
        found.append((taken, extents))
    return found if not left and not rest else None


def _turned(x: Any, shape: Shape, axes: Axes) -> Any:
    """permute_dims of x as this shape, or a reshape where only axes of extent 1 move."""
    turned = tuple(shape[axis] for axis in axes)
    order = [axis for axis in axes if shape[axis] != 1]
    if order != sorted(order):
        return permute_dims(x if x.shape == shape else reshape(x, shape=shape), axes=axes)
    return x if x.shape == turned else reshape(x, shape=turned)
