"""A program for particular extents: the table that the driver walks, with every address but those of a call's arrays.

One graph serves every batch size; what depends on the sizes is here: the numbers in the rows, the slices, the arena.
A new batch size is a new table, and nothing is compiled.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.backends.cpu.emit import KernelSource
from graphc.backends.cpu.program import Program, Step
from graphc.backends.memory_plan import MemoryPlan, Request, plan_memory
from graphc.backends.nests.nest import Buffer
from graphc.dim import Extent, evaluate_extent
from graphc.ir import Literal, Value

MOST_SLICES = 32
SLICE_COST = 1 << 15  # operations that are worth a slice
SERIAL_COST = 1 << 18  # below this many operations in all, other threads would only be waited for

HAS_FINISH, NO_BARRIER = 1, 2


class Binding:
    """The table and rows for given values of the named dims, and where in them the addresses of a call go."""

    def __init__(self, program: Program, dims: Mapping[str, int], small: int) -> None:
        self.program = program
        self.dims = dict(dims)
        self.views: dict[Value, np.ndarray[Any, Any]] = {}
        self.result_views: list[np.ndarray[Any, Any]] | None = None  # where all results are views of the arena
        self._small = small  # results of up to so many bytes lie in the arena and are copied
        self.slices = [self._slices(step.source) for step in program.steps]
        self.cost = sum(self._number(step.source.cost) for step in program.steps)
        self._settle_updates()
        self.in_place = self._in_place()
        self.memory_plan: MemoryPlan = self._plan()
        self._fill()

    @property
    def is_serial(self) -> bool:
        """Whether the caller alone is faster than the caller with helpers."""
        return self.cost < SERIAL_COST or max(self.slices, default=1) == 1

    def _number(self, extent: Extent) -> int:
        return evaluate_extent(extent, self.dims)

    def _slices(self, source: KernelSource) -> int:
        units, cost = self._number(source.units), self._number(source.cost)
        return max(1, min(units, MOST_SLICES, cost // SLICE_COST))

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
                at is not None and at >= failing and old not in given and (last < at or (last == at and shares))
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
        self._temporaries: dict[tuple[int, Buffer | Value], str] = {}
        self._taken: set[tuple[int, str]] = set()
        names: dict[Value, str] = {}
        for number, step in enumerate(program.steps):
            for buffer, value in step.operands.items():
                if buffer.role != "output" or value in self.targets or value in self._large:
                    continue
                names[value] = f"%{value.name}"
                takes = tuple(names[r] for v in step.shares.get(value, ()) if (r := program.root(v)) in names)
                last = end if value in kept else max(reads.get(value, number), number)
                requests.append(Request(names[value], self._bytes(value), number, last, takes))
            self._request_temporaries(number, step, self.slices[number], requests)
            inner = step.inner
            for call in inner.steps if inner is not None else ():
                self._request_temporaries(number, call, self._slices(call.source), requests)
                for buffer, value in call.operands.items():
                    if inner is not None and buffer.role == "output" and value not in inner.graph.outputs:
                        name = f"%{value.name} of step {number}"
                        self._temporaries[number, value] = name
                        requests.append(Request(name, self._bytes(value), number, number))
        self._names = names
        return plan_memory(requests)

    def _request_temporaries(self, number: int, step: Step, slices: int, requests: list[Request]) -> None:
        for buffer, extent in step.source.temporaries.items():
            if buffer is step.product and step.product_in is not None:
                continue
            count = self._number(extent) * (slices if buffer.per_slice else 1)
            name = f"{buffer.name} of step {number}"
            while (number, name) in self._taken:
                name += "'"
            self._taken.add((number, name))
            self._temporaries[number, buffer] = name
            requests.append(Request(name, count * buffer.dtype.itemsize, number, number))

    def _bytes(self, value: Value) -> int:
        return self._number(value.type.size) * value.type.dtype.itemsize

    # -- the table ----------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Rows one after another; which of their words are offsets in the arena, and which belong to what."""
        words: list[int] = []
        self._arena_words: list[tuple[int, int]] = []  # place, offset
        self._named: dict[tuple[str, Value], list[tuple[int, int]]] = {}  # place, offset from the array's start
        self.constants: list[tuple[int, Value, int]] = []
        calls: list[tuple[int, Step, int]] = []  # where a row starts, whose it is, its slices
        for number, step in enumerate(self.program.steps):
            if step.inner is not None:
                self._fill_map(number, step, words, calls)
                continue
            calls.append((len(words), step, self.slices[number]))
            words.append(0)  # the status block
            for word in step.source.words:
                words.append(0 if isinstance(word, Buffer) else self._number(word))
                if isinstance(word, Buffer):
                    value = self._value_of(step, word)
                    if value is None:
                        offset = self.memory_plan.offsets[self._temporaries[number, word]]
                        self._arena_words.append((len(words) - 1, offset))
                    else:
                        self._address(len(words) - 1, value, 0)
        self.rows = np.array(words, np.int64)
        self.starts = np.array([start for start, _, _ in calls], np.int64)
        self.arena_places = np.array([place for place, _ in self._arena_words], np.int64)
        self.arena_offsets = np.array([offset for _, offset in self._arena_words], np.int64)
        self.places = {key: Places.of(entries) for key, entries in self._named.items()}
        self.input_places = [self.places.get(("read", value)) for value in self.program.graph.inputs]
        self.output_places = [(value, at) for (kind, value), at in self.places.items() if kind == "result"]
        self.table = np.zeros((max(len(calls), 1), 4), np.int64)
        for entry, (start, step, slices) in enumerate(calls):
            address = self.rows.ctypes.data + 8 * start
            self.table[entry] = (step.kernel.address, address, slices, HAS_FINISH * step.source.has_finish)
        self.calls = [step for _, step, _ in calls]
        self.base = 0
        self.status = 0
        self.entries = len(calls)
        self.table_address: int = self.table.ctypes.data

    def _address(self, place: int, value: Value, offset: int) -> None:
        """A word is the address of an array of the graph, so many bytes on."""
        if value in self.targets:
            self._named.setdefault(("write", self.targets[value]), []).append((place, offset))
        elif value in self._large:
            self._named.setdefault(("result", value), []).append((place, offset))
        elif value in self.program.constants:
            self.constants.append((place, value, offset))
        elif value in self._names:
            self._arena_words.append((place, self.memory_plan.offsets[self._names[value]] + offset))
        else:
            self._named.setdefault(("read", value), []).append((place, offset))

    def _fill_map(self, number: int, step: Step, words: list[int], calls: list[tuple[int, Step, int]]) -> None:
        """The rows of a region's kernels, for each place in turn."""
        inner, node = step.inner, step.node
        assert inner is not None
        region = inner.graph
        mapped = node.attributes["mapped"]
        ends = {
            **{
                value: (outer, index < mapped)
                for index, (value, outer) in enumerate(zip(region.inputs, node.operands, strict=True))
            },
            **{inner.root(value): (outer, True) for value, outer in zip(region.outputs, node.results, strict=True)},
        }
        for turn in range(self._number(node.operands[0].type.shape[0])):
            for call in inner.steps:
                slices = self._slices(call.source)
                calls.append((len(words), call, slices))
                words.append(0)
                for word in call.source.words:
                    words.append(0 if isinstance(word, Buffer) else self._number(word))
                    if not isinstance(word, Buffer):
                        continue
                    place = len(words) - 1
                    value = _value_of(inner, call, word)
                    if value in ends:
                        outer, moves = ends[value]
                        step_bytes = self._bytes(value) if moves else 0
                        self._address(place, self.program.root(outer), turn * step_bytes)
                    elif value is not None and value in inner.constants:
                        self.constants.append((place, value, 0))
                    else:
                        name = self._temporaries[number, value if value is not None else word]
                        self._arena_words.append((place, self.memory_plan.offsets[name]))

    def _value_of(self, step: Step, buffer: Buffer) -> Value | None:
        return _value_of(self.program, step, buffer)

    def set_base(self, base: int, status: int) -> None:
        """Move the arena."""
        self.rows[self.arena_places] = self.arena_offsets + base
        self.rows[self.starts] = status
        self.base, self.status = base, status

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


def _value_of(program: Program, step: Step, buffer: Buffer) -> Value | None:
    """The array that a word of a row names, None for a temporary."""
    if buffer is step.product and step.product_in is not None:
        buffer = step.product_in
    value = step.operands.get(buffer)
    return None if value is None else program.root(value)


@dataclass(frozen=True)
class Places:
    """Words of the rows that hold the address of one array, or of a part of it so many bytes on."""

    words: np.ndarray[Any, Any]
    offsets: np.ndarray[Any, Any] | None

    @classmethod
    def of(cls, entries: Sequence[tuple[int, int]]) -> Places:
        offsets = np.array([offset for _, offset in entries], np.int64)
        return cls(np.array([place for place, _ in entries], np.int64), offsets if offsets.any() else None)

    def put(self, rows: np.ndarray[Any, Any], address: int) -> None:
        """Write the array's address into the rows."""
        rows[self.words] = address if self.offsets is None else address + self.offsets


def literal_array(value: Literal, dims: Mapping[str, int]) -> np.ndarray[Any, Any]:
    """A literal as an array of rank 0."""
    number: Any = value.value
    if not isinstance(number, bool | int | float):
        number = evaluate_extent(number, dims)
    return np.asarray(number, value.type.dtype.numpy)
