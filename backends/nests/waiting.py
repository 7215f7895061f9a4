"""Numbers of columns that only a kernel's results ask for: computed when all passes are done.

    wait_for_passes(region, group, storing)     # the update of gamma stands behind every read of gamma

An optimizer's update reads a sum of the first pass, so it could be computed before the second. Later it costs the same,
and nothing reads the old parameter any more: the new one may be written over it. And what the update needs is computed
beside it, not in an earlier pass and kept in an array until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphc.ir import Graph, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.group import Group
from graphc.passes.fuse.place import Cut, Place


def wait_for_passes(region: Graph, group: Group, storing: Mapping[Value, int]) -> None:
    """Move the places of such values behind the last pass over elements; `storing` says which passes store some."""
    if group.cut is not Cut.COLUMNS:
        return
    folding = [_phase(group, node) for node in group.members if node.op.kind is Kind.REDUCTION]
    behind = 1 + max((*storing.values(), *folding), default=-1)
    waiting: set[Value] = set()
    for node in reversed(group.members):
        values = node.results
        if node.op.kind is Kind.REDUCTION or not all(_is_of_columns(group, value) for value in values):
            continue
        if all(_only_waits(region, group, value, waiting) for value in values):
            waiting.update(values)
    for value in waiting:
        group.places[value] = replace(group.places[value], phase=behind)


def _phase(group: Group, node: Node) -> int:
    """The pass in which a reduction gathers."""
    operand = group.operand(node.operands[0])
    return operand.phase if isinstance(operand, Place) and not operand.finish else 0


def _is_of_columns(group: Group, value: Value) -> bool:
    place = group.places[value]
    return not place.finish and 0 < len(place.axes) < len(group.domain)


def _only_waits(region: Graph, group: Group, value: Value, waiting: set[Value]) -> bool:
    """Whether whatever reads a value waits itself; views are read through."""
    pending = [value]
    while pending:
        for user in region.users.get(pending.pop(), ()):
            if user.results[0] not in group.places:
                pending.append(user.results[0])
            elif user.results[0] not in waiting:
                return False
    return True
