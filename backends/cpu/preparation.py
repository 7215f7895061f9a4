"""What a program computes of the model's state alone: once for each state, not in every call.

    preparation = Preparation(program, extents)
    preparation.arrays              # what the other steps read: packed weights, weights with BatchNorm folded in
    if preparation.is_stale():
        preparation.run(native)

The arrays outlive calls. They are computed again when a cell that they depend on has been written, by a training step
or by the user, and only then: cells count their writes (`graphc/state.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from graphc import state as model_state
from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.large_pages import memory
from graphc.backends.cpu.steps import Steps
from graphc.ir import Value

Array = np.ndarray[Any, Any]
ALIGNMENT = 64


class Preparation:
    """The steps of a program that depend on state alone, and the arrays that they fill."""

    def __init__(self, program: Steps, constants: Mapping[Value, Array]) -> None:
        self._program = program.preparation()
        graph = self._program.graph
        self._binding = Binding(self._program, {}, (), small=-1)
        self.arrays = _side_by_side([value for value in graph.outputs if isinstance(value, Value)])
        self._arena = np.empty(self._binding.memory_plan.peak + ALIGNMENT, np.uint8)
        self._status = np.zeros(8, np.int64)
        self._binding.set_base(-(-address_of(self._arena) // ALIGNMENT) * ALIGNMENT, address_of(self._status))
        for place, value, offset in self._binding.constants:
            self._binding.rows[place] = address_of(constants[value]) + offset
        for value, places in self._binding.output_places:
            places.put(self._binding.rows, address_of(self.arrays[value]))
        read = {value for kind, value in self._binding.places if kind == "read"}
        self._cells = {
            state.value: state.cell for state in graph.state if state.value in read and state.cell is not None
        }
        self._versions: tuple[int, ...] | None = None  # of the cells that the arrays were made of
        self._clocks: list[tuple[Any, int]] = []
        self._epoch = -1

    def is_stale(self) -> bool:
        """Whether a cell has been written since the last run."""
        if self._epoch == model_state.epoch():
            for clock, ticks in self._clocks:  # noqa: SIM110 (half the time of any())
                if clock.ticks != ticks:
                    return True
            return False
        if tuple(cell.version for cell in self._cells.values()) != self._versions:
            return True
        self._note()
        return False

    @property
    def clocks(self) -> list[tuple[Any, int]]:
        """The clocks that the cells follow, and what they showed at the last run; for as long as `epoch` stays."""
        return self._clocks

    def run(self, run: Callable[[Binding], int]) -> None:
        """Fill the arrays from the state as it is."""
        for value, cell in self._cells.items():
            self._binding.places["read", value].put(self._binding.rows, address_of(cell.storage))
        run(self._binding)
        self._note()

    def _note(self) -> None:
        """The arrays are of these versions of the cells; what will tell when there are others."""
        cells = list(self._cells.values())
        self._epoch = model_state.epoch()
        self._clocks = [(clock, clock.ticks) for clock in {cell.clock for cell in cells} if clock is not None]
        self._versions = tuple(cell.version for cell in cells)


def _side_by_side(values: Sequence[Value]) -> dict[Value, Array]:
    """Arrays for values of known extents, each where a cache line begins."""
    shapes = {value: tuple(extent for extent in value.type.shape if isinstance(extent, int)) for value in values}
    sizes = [math.prod(shape) * value.type.dtype.itemsize for value, shape in shapes.items()]
    ends = list(accumulate(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes))
    whole = memory((ends[-1] if ends else 0) + ALIGNMENT)
    first = -address_of(whole) % ALIGNMENT
    arrays = {}
    for (value, shape), size, start in zip(shapes.items(), sizes, [0, *ends], strict=False):
        array = whole[first + start : first + start + size].view(value.type.dtype.numpy)
        arrays[value] = array.reshape(shape)
    return arrays
