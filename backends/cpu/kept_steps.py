"""Steps as JSON behind the bytes of their constants, and back: all that a table is made of, without nodes and nests.

    writer = StepsWriter()
    content, data = writer.steps(program), b"".join(writer.arrays)
    StepsReader(data, content).steps(graph)         # the same, over the state of another graph that prints alike

Values, kernels and buffers have numbers, extents are numbers or text. A loop holds the steps of its region, as another
program within.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from graphc.backends.cpu.ahead import Ahead, Rows
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.loops import Carry, Loop
from graphc.backends.cpu.steps import Kernel, Step, Steps
from graphc.backends.nests.nest import Buffer
from graphc.dim import Dim, Extent, parse_extent
from graphc.ir import Graph, State, Value
from graphc.passes.stored import lying, name_of
from graphc.types import DTYPES, TensorType

# -- writing ------------------------------------------------------------------------------------------------------


class StepsWriter:
    """Writes steps down; `arrays` are the bytes of their constants."""

    def __init__(self) -> None:
        self.arrays: list[bytes] = []
        self._kernels: dict[Kernel, int] = {}
        self._length = 0  # of all of them
        self._numbers: dict[Value, int] = {}
        self._values: list[Any] = []

    def steps(self, steps: Steps) -> dict[str, Any]:
        """The steps of a whole graph."""
        self._kernels = {kernel: index for index, kernel in enumerate(steps.kernels)}
        graph, number = steps.graph, self._number
        return self._program(steps) | {
            "state": [[number(state.value), state.value.name] for state in graph.state],
            "updates": [[number(old), number(new)] for old, new in graph.updates],
            "kernels": [[each.name, each.source, each.key, each.calls] for each in steps.kernels],
            "values": self._values,  # all that have been numbered
        }

    def _program(self, steps: Steps) -> dict[str, Any]:
        """Steps over kernels that are known: of the graph, or of a loop's region."""
        graph, number = steps.graph, self._number
        return {
            "name": graph.name,
            "inputs": [number(value) for value in graph.inputs],
            "outputs": [number(value) for value in graph.outputs],
            "alias": [[number(value), number(other)] for value, other in steps.alias.items()],
            "constants": [[number(value), *self._array(array)] for value, array in steps.constants.items()],
            "steps": [self._step(step) for step in steps.steps],
            "prepared": [self._step(step) for step in steps.prepared],
            "before": [self._step(step) for step in steps.before_loop],
        }

    def _number(self, value: Value) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self._values)
            shape = [_plain(extent) for extent in value.type.shape]
            self._values.append([value.name, value.type.dtype.name, shape])
        return self._numbers[value]

    def _array(self, given: object) -> list[Any]:
        array = np.asarray(given)
        self.arrays.append(array.tobytes())
        start, self._length = self._length, self._length + array.nbytes
        return [list(array.shape), start, array.nbytes]

    def _step(self, step: Step) -> dict[str, Any]:
        source, buffers = step.source, _buffers(step)
        return {
            "kernel": None if step.loop is not None else self._kernels[step.kernel],
            "title": source.title,
            "buffers": [[b.name, b.dtype.name, b.role, _plain(b.extent), b.per_slice] for b in buffers],
            "operands": [[buffers[buffer], self._number(value)] for buffer, value in step.operands.items()],
            "words": [[buffers[word]] if isinstance(word, Buffer) else _plain(word) for word in source.words],
            "temporaries": [[buffers[buffer], _plain(extent)] for buffer, extent in source.temporaries.items()],
            "shares": [[self._number(v), [self._number(o) for o in others]] for v, others in step.shares.items()],
            "work": [_plain(source.units), _plain(source.cost), source.most_slices, source.together],
            "flags": [source.has_finish, step.may_fail],
            "loop": None if step.loop is None else self._loop(step.loop, buffers),
        }

    def _loop(self, loop: Loop, buffers: Mapping[Buffer, int]) -> dict[str, Any]:
        def number(value: Value | None) -> int | None:
            return None if value is None else self._number(value)

        return {
            "operands": [self._number(value) for value in loop.operands],
            "work": [loop.scanned, _plain(loop.length), loop.reverse],
            "carries": [
                {
                    "inside": [self._number(each.before), each.after],
                    "outside": [number(v) for v in (each.start, each.last, each.stacked_after, each.stacked_before)],
                    "between": [buffers[buffer] for buffer in each.between],
                    "copy": None if each.copy is None else self._program(each.copy),
                }
                for each in loop.carries
            ],
            "stacks": [[place, self._number(stack)] for place, stack in loop.stacks],
            "inner": self._program(loop.inner),
            "ahead": [self._ahead(each) for each in loop.ahead],
        }

    def _ahead(self, ahead: Ahead) -> dict[str, Any]:
        buffers, ring = _buffers(ahead.step), ahead.ring
        return {
            "step": self._step(ahead.step),
            "rows": [_plain(ahead.rows.count), ahead.rows.columns, _plain(ahead.rows_of_place), _plain(ahead.length)],
            "strides": [[buffers[b], stride] for b, stride in ahead.rows.strides.items() if b in buffers],
            "sequence": self._number(ahead.sequence),
            "ring": [ring.name, ring.dtype.name, ring.role, _plain(ring.extent), ring.per_slice],
        }


def _buffers(step: Step) -> dict[Buffer, int]:
    """The buffers of a step, numbered."""
    words = [word for word in step.source.words if isinstance(word, Buffer)]
    named = dict.fromkeys([*step.operands, *step.source.temporaries, *words])
    return {buffer: index for index, buffer in enumerate(named)}


def _plain(extent: Extent) -> int | str:
    return str(extent) if isinstance(extent, Dim) else int(extent)


# -- reading ------------------------------------------------------------------------------------------------------


class StepsReader:
    """Steps from what a `StepsWriter` has written."""

    def __init__(self, data: bytes, content: Mapping[str, Any]) -> None:
        self._data = data
        self._content = content
        self._values: list[Value] = []
        self._kernels: list[Kernel] = []

    def steps(self, graph: Graph) -> Steps:
        """The steps over the state of a graph."""
        content = self._content
        state = {name_of(each): lying(each, name_of(each)) for each in graph.state}
        read = {number: state[name] for number, name in content["state"]}
        self._values = values = [
            read[number].value if number in read else Value(name, TensorType(DTYPES[dtype], tuple(map(_extent, shape))))
            for number, (name, dtype, shape) in enumerate(content["values"])
        ]
        self._kernels = [Kernel(name, source, key, None, calls) for name, source, key, calls in content["kernels"]]
        steps = self._program(
            content,
            state=tuple(State(each.value, each.kind, each.cell) for each in read.values()),
            updates=tuple((values[old], values[new]) for old, new in content["updates"]),
        )
        steps.kernels = self._kernels
        return steps

    def _program(self, content: Mapping[str, Any], **of_graph: Any) -> Steps:
        values = self._values
        inputs, outputs = (tuple(values[i] for i in content[which]) for which in ("inputs", "outputs"))
        steps = Steps(Graph(content["name"], inputs=inputs, nodes=(), outputs=outputs, **of_graph))
        steps.alias = {values[value]: values[other] for value, other in content["alias"]}
        steps.constants = {
            values[number]: self._array(values[number], *where) for number, *where in content["constants"]
        }
        steps.steps = [self._step(each) for each in content["steps"]]
        steps.prepared = [self._step(each) for each in content["prepared"]]
        steps.before_loop = [self._step(each) for each in content["before"]]
        return steps

    def _array(self, value: Value, shape: list[int], start: int, size: int) -> object:
        return np.frombuffer(self._data[start : start + size], value.type.dtype.numpy).reshape(shape)

    def _step(self, content: Mapping[str, Any]) -> Step:
        values, title = self._values, content["title"]
        kernel = Kernel(title, "", "", None) if content["kernel"] is None else self._kernels[content["kernel"]]
        buffers = [_buffer(*each) for each in content["buffers"]]
        units, cost, most_slices, together = content["work"]
        has_finish, may_fail = content["flags"]
        source = KernelSource(
            title,
            kernel.source,
            [buffers[word[0]] if isinstance(word, list) else _extent(word) for word in content["words"]],
            {buffers[number]: _extent(extent) for number, extent in content["temporaries"]},
            _extent(units),
            _extent(cost),
            most_slices,
            together,
            has_finish,
        )
        operands = {buffers[number]: values[value] for number, value in content["operands"]}
        shares = {values[value]: tuple(values[i] for i in others) for value, others in content["shares"]}
        loop = None if content["loop"] is None else self._loop(content["loop"], buffers)
        return Step(kernel, source, None, operands, shares, loop, may_fail)

    def _loop(self, content: Mapping[str, Any], buffers: list[Buffer]) -> Loop:
        values, inner = self._values, self._program(content["inner"])
        scanned, length, reverse = content["work"]
        carries = []
        for each in content["carries"]:
            before, after = each["inside"]
            start, *others = each["outside"]
            last, stacked_after, stacked_before = (None if i is None else values[i] for i in others)
            between = tuple(buffers[i] for i in each["between"])
            copy = None if each["copy"] is None else self._program(each["copy"])
            carries.append(
                Carry(values[before], after, values[start], last, stacked_after, stacked_before, between, copy)
            )
        operands = tuple(values[i] for i in content["operands"])
        stacks = [(place, values[stack]) for place, stack in content["stacks"]]
        loop = Loop(operands, scanned, _extent(length), reverse, inner.graph, carries, stacks)
        loop.inner = inner
        loop.ahead = [self._ahead(each) for each in content["ahead"]]
        return loop

    def _ahead(self, content: Mapping[str, Any]) -> Ahead:
        step = self._step(content["step"])
        buffers = list(_buffers(step))
        count, columns, rows_of_place, length = content["rows"]
        rows = Rows(_extent(count), columns, {buffers[number]: stride for number, stride in content["strides"]})
        sequence = self._values[content["sequence"]]
        return Ahead(step, rows, _extent(length), _extent(rows_of_place), sequence, _buffer(*content["ring"]))


def _buffer(name: str, dtype: str, role: str, extent: int | str, per_slice: bool) -> Buffer:
    return Buffer(name, DTYPES[dtype], role, _extent(extent), None, per_slice)


def _extent(plain: int | str) -> Extent:
    return plain if isinstance(plain, int) else _parsed(plain)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Extent:
    return parse_extent(text)
