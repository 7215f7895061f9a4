"""From the graph after the passes to a program: the backend's own passes, as stages like the others.

    lowered = lower(stages, budget=None)
    lowered.program, lowered.ledger         # stages has "prepare", "rematerialize" and "fuse" now

Nothing of this is needed where the steps of the same graph are kept (`graphc.backends.cpu.kept`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.budget import SMALL, MemoryBudget, at_the_peak
from graphc.backends.cpu.program import Program
from graphc.backends.memory_plan import MemoryPlan
from graphc.dim import evaluate_extent
from graphc.errors import MemoryBudgetError
from graphc.ir import Graph
from graphc.passes.fuse import Ledger, fuse_with_ledger
from graphc.passes.pipeline import Stage, Stages
from graphc.passes.prepare import prepare
from graphc.passes.rematerialize import Rematerialized, rematerialize, ways_to_save
from graphc.passes.stored import stored
from graphc.verify import verify

WORTH_KERNELS = 1 << 22  # bytes: below it, kernels that are the same in all layers of a network are worth more


@dataclass
class Lowered:
    """A graph as kernels, and what was decided on the way."""

    source: Graph  # after the passes of the pipeline
    program: Program
    ledger: Ledger


def lower(stages: Stages, budget: MemoryBudget | None) -> Lowered:
    """The backend's own passes, as stages of the pipeline; raises MemoryBudgetError where no plan fits."""
    start = time.perf_counter()
    source = stages.last.graph
    lying = stored(source)
    stages.append(Stage("stored", verify(lying, after="stored"), time.perf_counter() - start))
    start = time.perf_counter()
    prepared = prepare(lying)
    stages.append(Stage("prepare", verify(prepared, after="prepare"), time.perf_counter() - start))
    start = time.perf_counter()
    if budget is None:
        smaller, counts = rematerialize(prepared, least_saved=WORTH_KERNELS)
    else:
        way = _fitting(prepared, budget)
        smaller, counts = way.graph, way.counts
    stages.append(Stage("rematerialize", verify(smaller, after="rematerialize"), time.perf_counter() - start, counts))
    start = time.perf_counter()
    fused, ledger = fuse_with_ledger(smaller)
    counts = {"kernels": len(fused.nodes), "edges fused": sum(edge.fused for edge in ledger)}
    stages.append(Stage("fuse", verify(fused, after="fuse"), time.perf_counter() - start, counts))
    return Lowered(source, Program(fused, prepares=True), ledger)


def _fitting(prepared: Graph, budget: MemoryBudget) -> Rematerialized:
    """The cheapest way to compute values again whose arena is within the budget."""
    least: MemoryPlan | None = None
    for way in ways_to_save(prepared, budget.dims):
        plan = plan_for(Program(fuse_with_ledger(way.graph)[0], prepares=True), budget.dims)
        if plan.peak <= budget.bytes:
            return way
        if least is None or plan.peak < least.peak:
            least = plan
    assert least is not None
    raise MemoryBudgetError(
        f"{budget}, but the arena of @{prepared.name} needs {least.peak:,} bytes at least; {at_the_peak(least)}"
    )


def plan_for(program: Program, dims: Mapping[str, int]) -> MemoryPlan:
    """The memory plan of a program for some extents."""
    shapes = [tuple(evaluate_extent(e, dims) for e in value.type.shape) for value in program.graph.inputs]
    return Binding(program, dims, shapes, SMALL).memory_plan
