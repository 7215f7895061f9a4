"""A program for particular extents: the table that the driver walks, with every address but those of a call's arrays.

One graph serves every batch size; what depends on the sizes is here: the numbers in the rows, the slices, the arena.
A new batch size is a new table, and nothing is compiled.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.array_form import ArrayForm
from graphc.backends.cpu.loops import Array
from graphc.backends.cpu.steps import Step, Steps
from graphc.backends.cpu.table import Places, Table
from graphc.backends.cpu.trial import Trial
from graphc.backends.memory_plan import MemoryPlan, Request, plan_memory
from graphc.dim import Extent, evaluate_extent
from graphc.ir import Literal, Value

MOST_SLICES = 32
SLICE_COST = 1 << 15  # operations that are worth a slice
_PLURALS = {"parameter": "parameters", "buffer": "buffers", "slot": "optimizer slots",
            "hyperparameter": "hyperparameters", "rng": "random counter"}  # fmt: skip
FEW_SLICES = 8  # that there are in any case, where units would better stay together
SERIAL_COST = 1 << 17  # below this many operations in all, other threads would only be waited for
DOUBTFUL_COST = 1 << 22  # below this many they may be
SHORT_COST = 1 << 18  # 70 microseconds at most


class Binding:
    """The table and rows for given values of the named dims, and where in them the addresses of a call go."""

    def __init__(self, program: Steps, dims: Mapping[str, int], shapes: Sequence[tuple[int, ...]], small: int) -> None:
        self.program = program
        self.dims = dict(dims)
        self._shapes = shapes
        self.views: dict[Value, np.ndarray[Any, Any]] = {}
        self.result_views: list[np.ndarray[Any, Any]] | None = None  # where all results are views of the arena
        self.serial_call: Callable[[], int] | None = None  # a call of the driver by this thread alone, once it is known
        self.trial: Trial | None = None  # which has told whether it is to be
        self.form: ArrayForm | None = None  # of a call's arrays, where native code reads them
        self._small = small  # results of up to so many bytes lie in the arena and are copied
        self._taken: set[str] = set()
        self.cost = sum(self._number(step.source.cost) for step in program.steps)
        self._settle_updates()
        self.in_place = self._in_place()
        self.memory_plan: MemoryPlan = self._plan()
        self._fill()

    def place(self, arrays: Sequence[Any]) -> bool:
        """Put the arrays' addresses into the rows: true where they are what the table is made for, and lie as kernels
        read them. Nothing depends on what is in the rows where not.
        """
        if not self._place(arrays):
            return False
        if self.form is not None:
            self.form.accept(arrays)
        return True

    def read_natively(self, fits: int) -> None:
        """From now on the native function at an address reads the arrays of calls."""
        results = [(self.shape(value), value.type.dtype.numpy, at.entries()) for value, at in self.output_places]
        self.form = ArrayForm(fits, self.rows, self._inputs, results)

    def _place(self, arrays: Sequence[Any]) -> bool:
        if len(arrays) != len(self._inputs):
            return False
        words = self._words
        for array, (shape, dtype, places) in zip(arrays, self._inputs):  # noqa: B905 (checked above, and in every call)
            if type(array) is not np.ndarray or array.shape != shape:
                return False
            if array.dtype is not dtype and array.dtype != dtype:
                return False
            flags = array.flags
            if not (flags.c_contiguous and flags.aligned):
                return False
            address = address_of(array)
            for place, offset in places:
                words[place] = address + offset
        return True

    @cached_property
    def is_serial(self) -> bool:
        """Whether the caller alone is faster than the caller with helpers."""
        return self.cost < SERIAL_COST or all(call.slices == 1 for call in self.calls)

    @property
    def is_short(self) -> bool:
        """Whether a call by this thread alone is done in microseconds."""
        return self.cost < SHORT_COST or self.trial is not None

    @property
    def is_doubtful(self) -> bool:
        """Whether it is still to be found out if the caller alone is faster."""
        return self.cost < DOUBTFUL_COST and (self.trial is None or self.trial.is_alone is None)

    def _number(self, extent: Extent) -> int:
        return evaluate_extent(extent, self.dims)

    def _slices(self, step: Step) -> int:
        """How many slices a call is cut into: from the extents alone, so that threads change no result.

        A power of two, where there are units enough: then two, four or eight threads have the same to do.
        """
        source = step.source
        units, worth = self._number(source.units), self._number(source.cost) // SLICE_COST
        most = min(source.most_slices or MOST_SLICES, MOST_SLICES, max(FEW_SLICES, units // source.together))
        if units > most:
            most = 1 << max(most, 1).bit_length() - 1
        return max(1, min(units, most, 1 << max(worth - 1, 0).bit_length()))

    # -- state --------------------------------------------------------------------------------------------------------

    def _settle_updates(self) -> None:
        """Which arrays kernels write as new state; other updates copy an array that exists anyhow."""
        writes, _ = self._uses()
        self.targets: dict[Value, Value] = {}
        self.copied: list[tuple[Value, Value]] = []
        for old, new in self.program.graph.updates:
            root = self.program.root(new)
            if root in writes and root not in self.targets and root.type.dtype is old.type.dtype:
                self.targets[root] = old
            else:
                self.copied.append((old, new))

    def _in_place(self) -> dict[Value, bool]:
        """For each updated state whether its new value may be written over the old one.

        Not where an earlier value is read later or at another place by the step that writes, nor where a later step
        may fail.
        """
        program, graph = self.program, self.program.graph
        writes, reads = self._uses()
        failing = max((i for i, step in enumerate(program.steps) if step.may_fail), default=-1)
        given = {program.root(value) for value in (*graph.outputs, *(new for _, new in self.copied))}
        result = {}
        for old, new in graph.updates:
            root = program.root(new)
            at = writes.get(root)
            last = reads.get(old, -1)
            shares = at is not None and old in program.steps[at].shares.get(root, ())
            result[old] = (
                at is not None and at > failing and old not in given and (last < at or (last == at and shares))
            )
        return result

    def _uses(self) -> tuple[dict[Value, int], dict[Value, int]]:
        """The step that writes each array, and the last one that reads it."""
        writes: dict[Value, int] = {}
        reads: dict[Value, int] = {}
        for number, step in enumerate(self.program.steps):
            for buffer, value in step.operands.items():
                if buffer.role == "output":
                    writes[value] = number
                else:
                    reads[self.program.root(value)] = number
        return writes, reads

    # -- memory -------------------------------------------------------------------------------------------------------

    def _plan(self) -> MemoryPlan:
        program, graph = self.program, self.program.graph
        writes, reads = self._uses()
        end = len(program.steps)
        kept = {program.root(value) for value in (*graph.outputs, *(new for _, new in self.copied))}
        self._large = {
            root
            for value in graph.outputs
            if (root := program.root(value)) in writes and root not in self.targets and self._bytes(root) > self._small
        }
        requests = []
        self._names: dict[Array, str] = {}
        for number, step in enumerate(program.steps):
            for buffer, value in step.operands.items():
                if buffer.role != "output" or value in self.targets or value in self._large:
                    continue
                takes = tuple(
                    self._names[root] for v in step.shares.get(value, ()) if (root := program.root(v)) in self._names
                )
                last = end if value in kept else max(reads.get(value, number), number)
                self._names[value] = f"%{value.name}"
                requests.append(Request(self._names[value], self._bytes(value), number, last, takes))
            requests += self._scratch(step, number)
        plan = plan_memory(requests)
        plan.steps = [step.kernel.name for step in program.steps]
        plan.besides = self._outside_of_the_arena()
        return plan

    def _outside_of_the_arena(self) -> dict[str, int]:
        """Bytes that a call holds in arrays of their own, by what they are."""
        graph = self.program.graph
        state: dict[str, int] = {}
        for each in graph.state:
            kind = _PLURALS.get(each.kind, each.kind)
            state[kind] = state.get(kind, 0) + self._bytes(each.value)
        copied = sum(self._bytes(new) for _, new in self.copied)
        spare = sum(self._bytes(old) for old, _ in graph.updates if not self.in_place[old]) - copied
        constants = sum(self._bytes(value) for value, _ in self.program.all_constants())
        prepared = sum(self._bytes(value) for value in self.program.prepared_values())
        results = sum(self._bytes(value) for value in graph.outputs)
        others = {
            "new state beside the old": spare + copied,
            "made of the state": prepared,
            "constants": constants,
            "results": results,
        }
        return {what: size for what, size in (state | others).items() if size}

    def _scratch(self, step: Step, number: int) -> Iterator[Request]:
        """What a step needs while it runs: its kernel's scratch arrays, and all arrays of a loop's region."""
        for buffer, extent in step.source.temporaries.items():
            count = self._number(extent) * (self._slices(step) if buffer.per_slice else 1)
            yield self._temporary(buffer, buffer.name, count * buffer.dtype.itemsize, number)
        if step.loop is None:
            return
        for each in step.loop.ahead:
            places = each.places(self._number)
            yield self._temporary(each.ring, each.ring.name, places * each.place_bytes(self._number), number)
            yield from self._scratch(each.part(places, self._number), number)
        outside = step.loop.written_outside()
        for call in (*step.loop.inner.before_loop, *step.loop.inner.steps):
            for buffer, value in call.operands.items():
                if buffer.role == "output" and value not in outside:
                    yield self._temporary(value, f"%{value.name}", self._bytes(value), number)
            yield from self._scratch(call, number)

    def _temporary(self, array: Array, name: str, size: int, number: int) -> Request:
        self._names[array] = f"{name} of step {number}"
        while self._names[array] in self._taken:
            self._names[array] += "'"
        self._taken.add(self._names[array])
        return Request(self._names[array], size, number, number)

    def _bytes(self, value: Value) -> int:
        return self._number(value.type.size) * value.type.dtype.itemsize

    # -- the table ----------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """The rows; which of their words are offsets in the arena, and which are the addresses of what."""
        self._arena_words: list[tuple[int, int]] = []  # place, offset
        self._named: dict[tuple[str, Value], list[tuple[int, int]]] = {}  # place, offset from the array's start
        self.constants: list[tuple[int, Value, int]] = []
        self._known_constants = {value for value, _ in self.program.all_constants()} | self.program.prepared_values()
        table = Table(self._number, self._slices)
        table.write(self.program, self._address)
        self.rows = np.array(table.words, np.int64)
        self.table = table.entries(self.rows)
        self.calls = table.calls
        self.starts = np.array([call.start for call in table.calls], np.int64)
        self.arena_places = np.array([place for place, _ in self._arena_words], np.int64)
        self.arena_offsets = np.array([offset for _, offset in self._arena_words], np.int64)
        self.places = {key: Places.of(entries) for key, entries in self._named.items()}
        self._words: Any = memoryview(self.rows)  # type: ignore[arg-type]  # an element is set in half the time
        self._inputs = [
            (shape, value.type.dtype.numpy, self._named.get(("read", value), []))
            for shape, value in zip(self._shapes, self.program.graph.inputs, strict=True)
        ]
        self.output_places = [(value, at) for (kind, value), at in self.places.items() if kind == "result"]
        self.base = 0
        self.status = 0
        self.entries = len(table.calls)
        self.table_address: int = address_of(self.table)

    def _address(self, place: int, array: Array, offset: int) -> None:
        """A word is the address of an array, so many bytes on."""
        if array in self._names:
            self._arena_words.append((place, self.memory_plan.offsets[self._names[array]] + offset))
            return
        assert isinstance(array, Value)
        if array in self.targets:
            self._named.setdefault(("write", self.targets[array]), []).append((place, offset))
        elif array in self._large:
            self._named.setdefault(("result", array), []).append((place, offset))
        elif array in self._known_constants:
            self.constants.append((place, array, offset))
        else:
            self._named.setdefault(("read", array), []).append((place, offset))

    def set_base(self, base: int, status: int) -> None:
        """Move the arena."""
        self.rows[self.arena_places] = self.arena_offsets + base
        self.rows[self.starts] = status
        self.base, self.status = base, status
        self.serial_call = self.trial = None

    def has_trouble(self) -> bool:
        """Whether a kernel has reported something in the status block."""
        return ctypes.c_int64.from_address(self.status).value != 0

    def offset(self, value: Value) -> int:
        """Where a value lies in the arena."""
        return self.memory_plan.offsets[self._names[value]]

    def shape(self, value: Value) -> tuple[int, ...]:
        return tuple(self._number(extent) for extent in value.type.shape)

    def lies_in_arena(self, value: Value) -> bool:
        return value in self._names

    def count(self, value: Value) -> int:
        return math.prod(self.shape(value))


def literal_array(value: Literal, dims: Mapping[str, int]) -> np.ndarray[Any, Any]:
    """A literal as an array of rank 0."""
    number: Any = value.value
    if not isinstance(number, bool | int | float):
        number = evaluate_extent(number, dims)
    return np.asarray(number, value.type.dtype.numpy)
