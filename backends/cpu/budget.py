"""A memory budget: values are computed again until the arena fits.

    exe = gc.compile(step_graph, memory_budget="64MB")                          # extents are known
    step = gc.training_step(…, memory_budget=("64MB", {"N": 128}))              # for batches of 128

The arena is planned for each way of computing values again (`graphc.passes.rematerialize`), the cheapest first, until
one fits. So the budget holds by plan, not by estimate. Named dims need a number to plan for; a call with other extents
is planned before it runs, too, and refused where it would take more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.program import Program
from graphc.backends.memory_plan import MemoryPlan
from graphc.dim import evaluate_extent
from graphc.errors import ArgumentError, MemoryBudgetError
from graphc.ir import Graph
from graphc.passes.fuse import Ledger, fuse_with_ledger
from graphc.passes.pipeline import Stage, Stages
from graphc.passes.prepare import prepare
from graphc.passes.rematerialize import Rematerialized, rematerialize, ways_to_save
from graphc.sizes import parse_bytes
from graphc.verify import verify

SMALL = 4096  # bytes of a result that is cheaper to copy than to write in place
_NAMED = 5  # buffers that an error names

WORTH_KERNELS = 1 << 22  # bytes: below it, kernels that are the same in all layers of a network are worth more


@dataclass(frozen=True)
class MemoryBudget:
    """The bytes that the arena may take, for these extents of the named dims."""

    bytes: int
    dims: Mapping[str, int]

    @classmethod
    def of(cls, given: Any, graph: Graph) -> MemoryBudget:
        """A budget from a size, or from a size and the extents of the graph's named dims; ArgumentError otherwise."""
        size, dims = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
        if not isinstance(dims, Mapping):
            raise ArgumentError(f'memory_budget is a size, or such as ("64MB", {{"N": 128}}), not {given!r}')
        budget = cls(parse_bytes(size, "memory_budget"), checked_dims(graph, dims, "memory_budget"))
        return budget

    def __str__(self) -> str:
        return f"memory_budget is {self.bytes:,} bytes{_for(self.dims)}"


def checked_dims(graph: Graph, given: Mapping[str, Any], what: str) -> dict[str, int]:
    """Extents for all named dims of a graph, and for nothing else; ArgumentError says what is missing."""
    names = sorted(graph.dims)
    example = ", ".join(f'"{name}": 128' for name in names)
    missing = [name for name in names if name not in given]
    if missing:
        raise ArgumentError(
            f"{what}: @{graph.name} has the named extents {', '.join(names)}, but nothing says what "
            f"{', '.join(missing)} shall be; give all of them, such as {{{example}}}"
        )
    for name, extent in given.items():
        if name not in graph.dims:
            has = f"its named extents are {', '.join(names)}" if names else "all its extents are known"
            raise ArgumentError(f"{what}: @{graph.name} has no extent {name}; {has}")
        if isinstance(extent, bool) or not isinstance(extent, int) or extent < 0:
            raise ArgumentError(f"{what}: {name} is an extent, not {extent!r}")
    return dict(given)


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
    prepared = prepare(source)
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
        f"{budget}, but the arena of @{prepared.name} needs {least.peak:,} bytes at least; {_at_the_peak(least)}"
    )


def plan_for(program: Program, dims: Mapping[str, int]) -> MemoryPlan:
    """The memory plan of a program for some extents."""
    shapes = [tuple(evaluate_extent(e, dims) for e in value.type.shape) for value in program.graph.inputs]
    return Binding(program, dims, shapes, SMALL).memory_plan


def check_budget(budget: MemoryBudget, plan: MemoryPlan, dims: Mapping[str, int]) -> None:
    """Raises MemoryBudgetError where the arena of a call would exceed the budget."""
    if plan.peak > budget.bytes:
        hint = ", ".join(f'"{name}": {extent}' for name, extent in sorted(dims.items()))
        raise MemoryBudgetError(
            f"{budget}, but a call{_for(dims)} needs an arena of {plan.peak:,} bytes; compile with "
            f"memory_budget=({budget.bytes}, {{{hint}}}) to compute more again, or call with smaller batches; "
            f"{_at_the_peak(plan)}"
        )


def _for(dims: Mapping[str, int]) -> str:
    return " for " + ", ".join(f"{name}={extent}" for name, extent in sorted(dims.items())) if dims else ""


def _at_the_peak(plan: MemoryPlan) -> str:
    """What is alive where most is."""
    alive = plan.live(plan.busiest)
    named = ", ".join(f"{each.request.name} {each.request.size:,}" for each in alive[:_NAMED])
    others = f" and {len(alive) - _NAMED} more" if len(alive) > _NAMED else ""
    return f"at step {plan.busiest}, {plan.steps[plan.busiest]}, it holds {named}{others}"
