"""A memory budget: values are computed again until the arena fits.

    exe = gc.compile(step_graph, memory_budget="64MB")                          # extents are known
    step = gc.training_step(…, memory_budget=("64MB", {"N": 128}))              # for batches of 128

The arena is planned for each way of computing values again (`graphc.passes.rematerialize`), the cheapest first, until
one fits. So the budget holds by plan, not by estimate. Named dims need a number to plan for; a call with other extents
is planned before it runs, too, and refused where it would take more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.backends.memory_plan import MemoryPlan
from graphc.errors import ArgumentError, MemoryBudgetError
from graphc.ir import Graph
from graphc.sizes import parse_bytes

SMALL = 1 << 15  # bytes of a result that is cheaper to copy than to write in place: a quick call can do that
_NAMED = 5  # buffers that an error names


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


def check_budget(budget: MemoryBudget, plan: MemoryPlan, dims: Mapping[str, int]) -> None:
    """Raises MemoryBudgetError where the arena of a call would exceed the budget."""
    if plan.peak > budget.bytes:
        hint = ", ".join(f'"{name}": {extent}' for name, extent in sorted(dims.items()))
        raise MemoryBudgetError(
            f"{budget}, but a call{_for(dims)} needs an arena of {plan.peak:,} bytes; compile with "
            f"memory_budget=({budget.bytes}, {{{hint}}}) to compute more again, or call with smaller batches; "
            f"{at_the_peak(plan)}"
        )


def _for(dims: Mapping[str, int]) -> str:
    return " for " + ", ".join(f"{name}={extent}" for name, extent in sorted(dims.items())) if dims else ""


def at_the_peak(plan: MemoryPlan) -> str:
    """What is alive where most is."""
    alive = plan.live(plan.busiest)
    named = ", ".join(f"{each.request.name} {each.request.size:,}" for each in alive[:_NAMED])
    others = f" and {len(alive) - _NAMED} more" if len(alive) > _NAMED else ""
    return f"at step {plan.busiest}, {plan.steps[plan.busiest]}, it holds {named}{others}"
