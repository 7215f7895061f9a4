"""A builder for a region, the graph that an op holds: it traces what a function does within a trace.

    inner = RegionBuilder(builder, "step")
    with recording(inner):
        x = inner.input("x", f32["N", 3])
        y = x @ w                       # w belongs to the trace around: it becomes an input of the region
    region, operands = inner.finish([y]), [x_outside, *inner.captured]

A region has no state. What it takes from the trace around it, tensors and the model's cells, becomes inputs.
"""

from __future__ import annotations

from typing import Any, NoReturn

from graphc.builder import Builder
from graphc.errors import TraceError
from graphc.ir import Literal, Value
from graphc.state import Cell
from graphc.tensor import Tensor


class RegionBuilder(Builder):
    """Traces a region; what it takes from the trace around it becomes further inputs, in `captured`."""

    def __init__(self, outer: Builder, name: str) -> None:
        super().__init__(name)
        self.outer = outer
        self.captured: list[Value] = []
        self._inside: dict[Value, Value] = {}
        self.within(outer)

    def tensor(self, operand: Any) -> Tensor:
        """A tensor of this trace; one of the trace around it is passed in."""
        if not isinstance(operand, Tensor) or operand.builder is self:
            return super().tensor(operand)
        outside = self.outer.tensor(operand)
        return Tensor(self, outside.value) if isinstance(outside.value, Literal) else self._brought(outside)

    def read(self, cell: Cell) -> Tensor:
        """The value of a cell, which the graph around the region reads."""
        return self._brought(self.outer.read(cell))

    def _brought(self, outside: Tensor) -> Tensor:
        value = outside.value
        if value not in self._inside:
            own = self._inside[value] = Value(self.scope.fresh(value.name), value.type)
            self.inputs.append(own)
            self.captured.append(value)
        return Tensor(self, self._inside[value])

    def update(self, cell: Cell, value: Any) -> NoReturn:
        """A region has no state."""
        raise TraceError(
            f"scan: the body assigns to {cell.name or 'a cell'}; a body changes no state: make it a carry, and assign "
            "the last one",
            where=self.where(),
        )

    def rng_state(self) -> NoReturn:
        """Random ops are formulas of the step, which is one for all places."""
        raise TraceError(
            "scan: the body draws random numbers, which would be the same at every place; draw them for all places "
            "before, and scan over them",
            where=self.where(),
        )
