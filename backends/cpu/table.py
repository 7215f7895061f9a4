"""The rows and entries of a table, written down from a program's steps.

    table = Table(number)                               # number: the value of an extent
    table.write(program, address)                       # address(place, array): what a word of a row is to hold
    table.rows, table.entries(kernel addresses)

A row is one word for the status block and one for each operand, scratch array and number of its kernel. A loop is its
region's rows once for each place, with the addresses moved on (`graphc.backends.cpu.loops`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.loops import Address, Array
from graphc.backends.cpu.steps import Step, Steps
from graphc.backends.nests.nest import Buffer
from graphc.dim import Extent
from graphc.ir import Value

HAS_FINISH = 1
_FEW = 4


@dataclass(frozen=True)
class Places:
    """Words of the rows that hold the address of one array, or of a part of it so many bytes on."""

    words: np.ndarray[Any, Any]
    offsets: np.ndarray[Any, Any]
    few: tuple[int, ...]  # the words, where they are few and hold the address itself: faster one by one

    @classmethod
    def of(cls, entries: Sequence[tuple[int, int]]) -> Places:
        words = [place for place, _ in entries]
        offsets = np.array([offset for _, offset in entries], np.int64)
        few = () if len(words) > _FEW or offsets.any() else tuple(words)
        return cls(np.array(words, np.int64), offsets, few)

    def entries(self) -> list[tuple[int, int]]:
        """Each word, and how many bytes on from the array's start."""
        return list(zip(self.words.tolist(), self.offsets.tolist(), strict=True))

    def put(self, rows: np.ndarray[Any, Any], address: int) -> None:
        """Write the array's address into the rows."""
        if self.few:
            for word in self.few:
                rows[word] = address
        else:
            rows[self.words] = address + self.offsets


@dataclass(frozen=True)
class Call:
    """An entry of the table: whose it is, where its row starts, and in how many slices it is cut."""

    step: Step
    start: int
    slices: int


class Table:
    """Collects the words of rows, and the calls."""

    def __init__(self, number: Callable[[Extent], int], slices: Callable[[Step], int]) -> None:
        self.words: list[int] = []
        self.calls: list[Call] = []
        self._number = number
        self._slices = slices

    def write(self, program: Steps, address: Address, steps: Sequence[Step] | None = None) -> None:
        """Append the rows of a program's steps; `address` is told of each word that names an array."""
        for step in program.steps if steps is None else steps:
            if step.loop is None:
                self._row(program, step, address)
                continue
            for called, within, part in step.loop.calls(self._number, _through(program, address), program):
                self.write(called, within, part)

    def _row(self, program: Steps, step: Step, address: Address) -> None:
        self.calls.append(Call(step, len(self.words), self._slices(step)))
        self.words.append(0)  # the status block
        for word in step.source.words:
            self.words.append(0 if isinstance(word, Buffer) else self._number(word))
            if isinstance(word, Buffer):
                address(len(self.words) - 1, array_of(program, step, word), 0)

    def entries(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The table over these rows: kernel, row, slices, flags."""
        start = address_of(rows)
        table = np.zeros((max(len(self.calls), 1), 4), np.int64)
        for number, call in enumerate(self.calls):
            address = start + 8 * call.start
            table[number] = call.step.kernel.address, address, call.slices, HAS_FINISH * call.step.source.has_finish
        return table


def _through(program: Steps, address: Address) -> Address:
    """What is told of a value, told of the value whose array it is."""
    return lambda place, array, offset: address(
        place, program.root(array) if isinstance(array, Value) else array, offset
    )


def array_of(program: Steps, step: Step, buffer: Buffer) -> Array:
    """What a word of a row names: an array of the graph, or a scratch array of the step."""
    value = step.operands.get(buffer)
    return buffer if value is None else program.root(value)
