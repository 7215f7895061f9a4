"""Views that turn matrices around, and why those of large arrays have a kernel of their own.

    %d: f32[512,512,3,3] = permute_dims(%g, axes=(3, 2, 0, 1))      // %g: f32[3,3,512,512]
    %w_next: f32[512,512,3,3] = sub(%w, %d)                         // neighbours in %d lie 262144 elements apart in %g

An elementwise kernel walks its result row by row, and would load such a view one element at a time, each from another
cache line: up to 7 ns. A kernel that does nothing but turn it reads and writes whole vectors, block by block: 0.2 to
0.5 ns for an element, and as much for what then reads it as it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.product import at_least
from graphc.passes.fuse.strided import Producer, Strided, strided, strides_of
from graphc.passes.fuse.views import is_floating, is_squeeze

LEAST_COLUMNS = 4  # of either side of a matrix that is turned around; shorter ones are walked element by element
LEAST_TURNED = 8192  # elements of a view that is turned by a kernel of its own
LEAST_OF_NAMED = 64  # the same where a named dim is 1: it will be larger


@dataclass(frozen=True)
class Axis:
    extent: Extent
    read: Extent  # stride in the operand
    written: Extent  # stride in the result


def turned_axes(result: Value, view: Strided) -> list[Axis] | None:
    """The axes of a view, with neighbours put together; None where rows stay rows, or elements are read again.

    Neighbours in memory may come in reverse order, as a kernel's do in the gradient of a convolution: read is -1 then.
    """
    if result.type.dtype.itemsize not in (4, 8):
        return None
    shape = result.type.shape
    axes: list[Axis] = []
    for read, written, extent in zip(view.strides, strides_of(shape), shape, strict=True):
        if extent == 1:
            continue
        if axes and axes[-1].read == read * extent:
            axes[-1] = Axis(axes[-1].extent * extent, read, written)
        else:
            axes.append(Axis(extent, read, written))
    along_source = [axis for axis in axes if axis.read in (1, -1)]
    if len(axes) < 2 or len(along_source) != 1 or axes[-1].read in (0, 1, -1):
        return None
    sides = (axes[-1], *along_source)
    return None if any(isinstance(side.extent, int) and side.extent < LEAST_COLUMNS for side in sides) else axes


def turned_views(graph: Graph) -> set[Node]:
    """The `permute_dims` of a graph that have kernels of their own: large ones that ops read element by element.

    Those that a `fused` op reads lie in memory, too.
    """
    found = set()
    for node in graph.nodes:
        if node.op.kind not in (Kind.ELEMENTWISE, Kind.REDUCTION) and node.op.name != "fused":
            continue
        for operand in node.operands:
            view = _permutation(operand, graph.producers.get)
            if view is not None and view not in found and _is_worth_a_kernel(view, graph.producers.get):
                found.add(view)
    return found


def _permutation(value: Value | Literal, producer: Producer) -> Node | None:
    """The `permute_dims` that a value is, or that it spreads over more elements."""
    node = None if isinstance(value, Literal) else producer(value)
    while node is not None and (node.op.name == "broadcast_to" or is_squeeze(node)):
        operand = node.operands[0]
        node = None if isinstance(operand, Literal) else producer(operand)
    return node if node is not None and node.op.name == "permute_dims" else None


def _is_worth_a_kernel(node: Node, producer: Producer) -> bool:
    view, size = node.result, node.result.type.size
    if at_least(size) < (LEAST_TURNED if isinstance(size, int) else LEAST_OF_NAMED):
        return False
    lies = strided(view, producer)
    base = producer(lies.base)
    if base is not None and is_floating(base):
        return False
    axes = turned_axes(view, lies)
    return axes is not None and all(axis.read != 0 for axis in axes)
