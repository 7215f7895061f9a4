"""What an optimizer keeps between steps: slots beside each parameter, and counters that parameters share.

A slot (`exp_avg`) has the shape and dtype of its parameter. Counters (`step`) are f64 numbers; in torch each
parameter has its own, here the parameters that have always been updated together share a clock. When a step
comes that updates only some of them, their clock is split, so the counts are torch's in every case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import StateError
from graphc.state import Cell

Saved = Mapping[str, Any]


@dataclass(eq=False)
class Clock:
    """Counters, and the parameters that they count the updates of."""

    cells: dict[str, Cell]
    members: set[Cell]


@dataclass(eq=False)
class Slot:
    """A slot's cell, and the number that it starts with."""

    cell: Cell
    initial: float

    def reset(self) -> None:
        self.cell.commit(np.full(self.cell.shape, self.initial, self.cell.dtype.numpy))


class Slots:
    """All slots and counters of one optimizer, by parameter."""

    def __init__(self, owner: str) -> None:
        self.names: dict[Cell, str] = {}
        self._owner = owner
        self._slots: dict[Cell, dict[str, Slot]] = {}
        self._clocks: dict[Cell, Clock] = {}
        self._initial_counters: dict[str, float] = {}
        self._waiting: dict[Cell | str, Saved] = {}  # loaded before the slot existed

    def name_of(self, cell: Cell) -> str:
        """What the model calls a parameter."""
        return self.names.get(cell) or cell.name or "parameter"

    # -- used while a step is built --------------------------------------------------------------------------

    def add(self, cell: Cell, declared: Mapping[str, float]) -> dict[str, Cell]:
        """The slots of a parameter, made where they are missing, with loaded values where some wait."""
        slots = self._slots.setdefault(cell, {})
        for name, initial in declared.items():
            if name not in slots:
                start = np.full(cell.shape, initial, cell.dtype.numpy)
                slot = Cell(start, "slot", f"{self.name_of(cell)}.{name}", cell.order)
                waiting = self._waiting_for(cell)
                if name in waiting:
                    slot.commit(self._fitting(cell, name, slot, waiting[name]))
                slots[name] = Slot(slot, initial)
            elif slots[name].cell.dtype is not cell.dtype:  # the model has been converted
                slots[name].cell.convert(cell.dtype)
        return {name: slots[name].cell for name in declared}

    def clocks(
        self, reached: Sequence[Cell], initial: Mapping[str, float], prefix: str
    ) -> tuple[list[tuple[Clock, list[Cell]]], bool]:
        """The clocks of the parameters that a step updates, and whether one had to be split for it."""
        if not initial:
            return [(Clock({}, set()), list(reached))], False
        self._initial_counters |= initial
        fresh: dict[tuple[float, ...], Clock] = {}
        for cell in reached:
            if cell not in self._clocks:
                waiting = self._waiting_for(cell)
                values = {name: float(waiting.get(name, start)) for name, start in initial.items()}
                clock = fresh.setdefault(tuple(values.values()), _clock(values, prefix))
                self._join(cell, clock)
        together: dict[Clock, list[Cell]] = {}
        for cell in reached:
            together.setdefault(self._clocks[cell], []).append(cell)
        split = False
        parts = []
        for clock, cells in together.items():
            if len(cells) < len(clock.members):
                clock, split = self._split(clock, cells), True
            parts.append((clock, cells))
        return parts, split

    def _join(self, cell: Cell, clock: Clock) -> None:
        self._clocks[cell] = clock
        clock.members.add(cell)

    def _split(self, clock: Clock, cells: Iterable[Cell]) -> Clock:
        part = Clock({name: Cell(cell.array, "slot", cell.name) for name, cell in clock.cells.items()}, set())
        for cell in cells:
            clock.members.discard(cell)
            self._join(cell, part)
        return part

    def check_waiting(self) -> None:
        """Raise StateError where loaded slots are of a parameter that the model does not have."""
        for key in self._waiting:
            if isinstance(key, str) and key not in self.names.values():
                raise StateError(f"{self._owner}: loaded slots are of {key}, which the model does not have")

    def _waiting_for(self, cell: Cell) -> Saved:
        return self._waiting.get(cell) or self._waiting.get(self.name_of(cell)) or {}

    # -- saving and loading ----------------------------------------------------------------------------------

    def read(self) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
        """Slots and counters by the parameter's name; what was loaded and not taken up yet is among them."""
        state: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
        for key, waiting in self._waiting.items():
            state[self.name_of(key) if isinstance(key, Cell) else key] = dict(waiting)
        for cell in self._slots:
            entry = state.setdefault(self.name_of(cell), {})
            if cell in self._clocks:
                entry |= {name: counter.array for name, counter in self._clocks[cell].cells.items()}
            entry |= {name: slot.cell.array for name, slot in self._slots[cell].items()}
        return {name: entry for name, entry in state.items() if entry}

    def load(self, saved: Mapping[Cell | str, Saved]) -> bool:
        """Take over slots and counters; parameters without any start anew. Says whether a clock was split.

        Raises StateError, and changes nothing, where a value does not fit its slot.
        """
        of = {cell: saved.get(cell) or saved.get(self.name_of(cell)) or {} for cell in self._slots}
        writes = [
            (slot, self._fitting(cell, name, slot.cell, of[cell][name]) if name in of[cell] else None)
            for cell, slots in self._slots.items()
            for name, slot in slots.items()
        ]
        for slot, array in writes:
            if array is None:
                slot.reset()
            else:
                slot.cell.commit(array)
        self._waiting = dict(saved)
        split = False
        for clock in set(self._clocks.values()):
            by_count: dict[tuple[float, ...], list[Cell]] = {}
            for cell in clock.members:
                count = tuple(float(of[cell].get(name, self._initial_counters[name])) for name in clock.cells)
                by_count.setdefault(count, []).append(cell)
            for index, (count, cells) in enumerate(by_count.items()):
                part = self._split(clock, cells) if index else clock
                split = split or index > 0
                for counter, value in zip(part.cells.values(), count, strict=True):
                    counter.commit(np.array(value))
        return split

    def _fitting(self, cell: Cell, name: str, slot: Cell, value: Any) -> np.ndarray[Any, Any]:
        array = np.array(value)
        if array.shape != slot.shape or not np.can_cast(array.dtype, slot.dtype.numpy, "same_kind"):
            raise StateError(
                f"{self._owner}: slot {name} of {self.name_of(cell)} is {slot.type}, but the loaded value is "
                f"{array.dtype} of shape {array.shape}"
            )
        return array.astype(slot.dtype.numpy)


def _clock(values: Mapping[str, float], prefix: str) -> Clock:
    cells = {name: Cell(np.float64(value), "slot", prefix + name) for name, value in values.items()}
    return Clock(cells, set())
