"""The arrays that calls of an executable read and write, besides those that they are given.

    memory = Memory(program)
    memory.resolve(binding)                     # addresses of the arena, of constants and of the model's state
    large = memory.fill_in(binding, run)        # and of arrays for results
    run(binding)
    results = memory.outputs(binding, given, large)
    memory.commit(binding, given)

Temporaries lie in one arena, which grows to the largest table's. The model's state is written in place where no one can
see it: arrays of state that a user holds keep their values, and all cells of a call change, or none.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc import state as model_state
from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.binding import Binding, literal_array
from graphc.backends.cpu.large_pages import memory
from graphc.backends.cpu.preparation import Preparation
from graphc.backends.cpu.results import Results
from graphc.backends.cpu.steps import Steps
from graphc.backends.memory_plan import ALIGNMENT
from graphc.ir import Literal, Value
from graphc.stored import AnyCell

Array = np.ndarray[Any, Any]

_STATUS_WORDS = 8


class Memory:
    """Arena, state, constants and results of an executable, and the table that has the addresses of now."""

    def __init__(self, program: Steps) -> None:
        self.program = program
        self.interface = program.graph
        self.cells = {state.value: state.cell for state in self.interface.state}
        self.constants = {value: np.array(array, order="C") for value, array in program.all_constants()}
        self.preparation = Preparation(program, self.constants) if program.prepared else None
        if self.preparation is not None:
            self.constants |= self.preparation.arrays
        self.results = Results()
        self.status = np.zeros(_STATUS_WORDS, np.int64)
        self.clock = model_state.Clock()
        self.current: Binding | None = None  # the table whose addresses are good, for as long as `epoch` is the state's
        self.epoch = -1
        self._arena = np.empty(0, np.uint8)
        self._spares: list[tuple[AnyCell, Array]] = []  # new state that cannot be written over the old

    # -- before a run -------------------------------------------------------------------------------------------------

    def is_resolved(self, binding: Binding) -> bool:
        """Whether a table has the addresses of now."""
        return binding is self.current and model_state.epoch() == self.epoch

    def place_constants(self, binding: Binding) -> None:
        """Put the addresses of constants, and of what is made of the state alone, into the rows."""
        for place, value, offset in binding.constants:
            binding.rows[place] = address_of(self.constants[value]) + offset

    def resolve(self, binding: Binding) -> None:
        """Put the addresses of the arena and of the model's state into the rows."""
        self.current = None  # whatever happens here, no table with addresses of an arena that is gone
        if binding.memory_plan.peak + ALIGNMENT > self._arena.size:
            self._arena = memory(binding.memory_plan.peak + ALIGNMENT)
        if binding.base != self._base or binding.base == 0:
            binding.set_base(self._base, address_of(self.status))
            binding.views.clear()
            binding.result_views = None
        arrays = model_state.storage_of(self.interface)
        for state, array in zip(self.interface.state, arrays, strict=True):
            places = binding.places.get(("read", state.value))
            if places is not None:
                places.put(binding.rows, address_of(array))
        self._spares = []
        for old, new in self.interface.updates:
            cell = self.cells[old]
            if cell is not None and not cell.is_lent:
                cell.follow(self.clock)
            places = binding.places.get(("write", old))
            if places is None or cell is None:
                continue
            if binding.in_place[old] and not cell.is_lent:
                places.put(binding.rows, address_of(cell.storage))
            else:
                spare = np.empty(binding.shape(new), new.type.dtype.numpy)
                self._spares.append((cell, spare))
                places.put(binding.rows, address_of(spare))
        self.current, self.epoch = binding, model_state.epoch()

    def fill_in(self, binding: Binding, run: Callable[[Binding], int]) -> dict[Value, Array]:
        """Bring what is made of the state up to date; gives new arrays for results that kernels write where the caller
        gets them.
        """
        if self.preparation is not None and self.preparation.is_stale():
            self.preparation.run(run)
        large = {}
        for value, places in binding.output_places:
            array = large[value] = self.results.take(binding.shape(value), value.type.dtype.numpy)
            places.put(binding.rows, address_of(array))
        return large

    @property
    def is_plain(self) -> bool:
        """Whether the next call of the same table finds all addresses in place, and leaves nothing to copy."""
        return not self._spares

    @property
    def arena_bytes(self) -> int:
        return max(self._arena.size - ALIGNMENT, 0)

    @property
    def _base(self) -> int:
        return -(-address_of(self._arena) // ALIGNMENT) * ALIGNMENT

    # -- results ------------------------------------------------------------------------------------------------------

    def result_shells(self, binding: Binding) -> list[Array]:
        """Arrays of the results' shapes, for checking `out` before anything runs."""
        return [np.empty(binding.shape(value), value.type.dtype.numpy) for value in self.interface.outputs]

    def outputs(self, binding: Binding, given: Sequence[Array], large: dict[Value, Array]) -> Sequence[Array]:
        """The results, each an array that nobody else holds."""
        if binding.result_views is not None:
            return [view.copy() for view in binding.result_views]
        results: list[Array] = []
        handed_out: set[int] = set()
        for value in self.interface.outputs:
            if isinstance(value, Literal):
                results.append(literal_array(value, binding.dims))
                continue
            root = self.program.root(value)
            if root in large and id(large[root]) not in handed_out:
                array = large[root]
                handed_out.add(id(array))
                results.append(array if value is root else array.reshape(binding.shape(value)))
            else:
                array = large[root] if root in large else self._array_of(binding, root, given)
                results.append(np.array(array, order="C", copy=True).reshape(binding.shape(value)))
        if all(value in binding.views for value in self.interface.outputs):
            binding.result_views = [binding.views[value] for value in self.interface.outputs]
        return results

    def _array_of(self, binding: Binding, root: Value, given: Sequence[Array]) -> Array:
        """The array that holds a value after the run."""
        if root in binding.views:
            return binding.views[root]
        if binding.lies_in_arena(root):
            dtype = root.type.dtype.numpy
            start = self._base - address_of(self._arena) + binding.offset(root)
            flat = self._arena[start : start + binding.count(root) * dtype.itemsize]
            view: Array = flat.view(dtype).reshape(binding.shape(root))
            binding.views[root] = view
            return view
        if root in self.constants:
            return self.constants[root]
        if root in binding.targets:
            cell = self.cells[binding.targets[root]]
            written = [array for owner, array in self._spares if owner is cell]
            assert cell is not None
            return written[0] if written else cell.storage
        if root in self.cells:
            cell = self.cells[root]
            assert cell is not None
            return cell.storage
        return given[self.interface.inputs.index(root)]

    # -- state --------------------------------------------------------------------------------------------------------

    def commit(self, binding: Binding, given: Sequence[Array]) -> None:
        """The state as the run leaves it: all cells at once."""
        if self._spares or binding.copied:
            changed = list(self._spares)
            for old, new in binding.copied:
                cell = self.cells[old]
                if cell is not None:
                    changed.append((cell, self._copy_of(new, binding, given)))
            for cell, array in changed:
                if cell.clock is self.clock and not cell.is_lent:  # nobody else has its array: addresses stay
                    ctypes.memmove(address_of(cell.storage), address_of(array), array.nbytes)
                else:
                    cell.commit(array)
                    self.epoch = -1
        self.clock.tick()  # a write of all cells that still follow it

    def _copy_of(self, value: Value, binding: Binding, given: Sequence[Array]) -> Array:
        if isinstance(value, Literal):
            return literal_array(value, binding.dims)
        array = self._array_of(binding, self.program.root(value), given)
        return np.array(array, order="C", copy=True).reshape(binding.shape(value))

    @contextmanager
    def state_kept(self) -> Iterator[None]:
        """Whatever runs within, the state is then as it was before."""
        cells = [cell for old, _ in self.interface.updates if (cell := self.cells[old]) is not None]
        before = [cell.storage.copy() for cell in cells]
        try:
            yield
        finally:
            self.status[:] = 0
            for cell, array in zip(cells, before, strict=True):
                if cell.storage.tobytes() != array.tobytes():
                    cell.commit(array)
