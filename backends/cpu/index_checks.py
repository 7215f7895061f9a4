"""Indices that are looked at before anything is written: a step that is refused leaves the state untouched.

    for each in checks_first(graph):        # nodes, and an IndexCheck for indices that lie in memory
        ...

What checks need comes first, then the checks, then all other nodes, so that in nearly all graphs nothing has been
written to the model's state when an index is found to be out of range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphc.backends.cpu.loops import LOOPS
from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.views import is_squeeze

CHECK_INDICES = '''from graphc.backends.cpu.functions import to_i64
from graphc.backends.cpu.pointer import DTYPE, extent, fail


def kernel(row, slice, slices):
    """Report an index below 0, or not below the extent of the axis."""
    indices = DTYPE(row, 1)
    count = extent(row, 2)
    bound = extent(row, 3)
    for i in range(count):
        index = to_i64(indices[i])
        if index < 0 or index >= bound:
            fail(row, 1, index)
'''


def can_fail(node: Node) -> bool:
    """Whether a node refuses some values of its operands."""
    nodes = node.regions[0].walk() if node.regions else (node,)
    return any(each.op.kind in (Kind.GATHER, Kind.SCATTER) for each in nodes)


def _inside(node: Node) -> tuple[Node, ...]:
    return node.regions[0].nodes if node.regions else (node,)


@dataclass(frozen=True)
class IndexCheck:
    """Indices that lie in memory before the kernel that reads at them runs, and the extent they must be below."""

    indices: Value
    extent: Extent
    node: Node


def index_checks(node: Node) -> list[IndexCheck] | None:
    """The checks that can be made before a node runs; None where it finds its indices itself."""
    if node.op.name in LOOPS:
        return None
    region = node.regions[0] if node.regions else None
    outer = dict(zip(region.inputs, node.operands, strict=True)) if region is not None else {}
    checks = []
    for inner in _inside(node):
        if inner.op.kind not in (Kind.GATHER, Kind.SCATTER):
            continue
        indices = inner.operands[1]
        while region is not None and (made := region.producers.get(indices)) is not None and is_squeeze(made):
            indices = made.operands[0]
        if region is not None and not isinstance(indices, Literal):
            if indices not in outer:
                return None
            indices = outer[indices]
        if not isinstance(indices, Literal):
            checks.append(IndexCheck(indices, inner.operands[0].type.shape[inner.attributes["axis"]], node))
    return checks


def checks_first(graph: Graph) -> Iterable[Node | IndexCheck]:
    """Nodes in an order that checks indices, and computes what the checks need, before all else."""
    early: set[Node] = set()
    checks: list[IndexCheck] = []
    for node in reversed(graph.nodes):
        if can_fail(node):
            found = index_checks(node)
            if found is None:
                early.add(node)
            for check in found or ():
                checks.append(check)
                made = graph.producers.get(check.indices)
                early.update(() if made is None else (made,))
        if node in early:
            early.update(graph.producers[o] for o in node.operands if o in graph.producers)
    return [*(n for n in graph.nodes if n in early), *reversed(checks), *(n for n in graph.nodes if n not in early)]
