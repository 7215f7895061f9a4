"""Steps that another process has made of the same graph: found in the cache, so that no pass has to run.

    key = key_of(stages)                    # None where the passes are to run in any case
    keep(key, program, source)              # this process has made them
    kept = find(key, stages)                # another one has: kept.steps, or None

What is kept is what a table is made of: the kernels with their texts, and for each step what the words of its row stand
for. It is JSON behind the bytes of the graph's constants, in a file of the cache (`graphc.backends.cache`), so it is
checked, written, pruned and owned as objects are. Nothing in it is code but the texts of kernels, which are compiled as
any others. The graphs of the stages, the ledger and the nests are not kept: passes make them again when somebody looks.

Small graphs are lowered sooner than found, loops have programs within programs, and a memory budget has many plans: for
those, the passes run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from graphc.admission import admit, asked
from graphc.backends import cache
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.kernels import surroundings
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.steps import Kernel, Step, Steps
from graphc.backends.fingerprint import fingerprint
from graphc.backends.nests.nest import Buffer
from graphc.dim import Dim, Extent, parse_extent
from graphc.errors import GraphcError
from graphc.ir import Graph, Literal, State, Value
from graphc.passes.pipeline import Stages
from graphc.text.parser import parse
from graphc.types import DTYPES, TensorType

LEAST_NODES = 200  # of a graph that is worth a file: lowering takes 0.3 ms for each


@dataclass(frozen=True)
class Kept:
    """Steps as they were made, without the nodes and nests that they were made of."""

    steps: Steps
    admission: str  # the text of a graph of what is asked about named extents

    def admits(self, dims: Mapping[str, int]) -> bool:
        """Whether the ops of the graph after the passes take these extents."""
        try:
            admit(parse(self.admission), dims)
        except GraphcError:
            return False
        return True


def key_of(stages: Stages) -> str | None:
    """What the steps of a graph are kept under; None where they are not kept."""
    graph = _given(stages)
    if stages.pipeline is None or graph.count() < LEAST_NODES or any(node.regions for node in graph.nodes):
        return None
    return fingerprint(graph, stages.pipeline, repr(machine()), *surroundings())


def keep(key: str, steps: Steps, source: Graph) -> None:
    """Keep the steps that were made of a graph, for the next process; `source` is the graph after the passes."""
    results = (*steps.graph.outputs, *(new for _, new in steps.graph.updates))
    if any(isinstance(value, Literal) for value in results) or any(step.loop is not None for step in steps.steps):
        return
    if any(node.regions for node in source.nodes):
        return
    writer = _Writer()
    content = writer.steps(steps) | {"key": key, "admission": str(asked(source))}
    path = _path(key)
    cache.make_room(path.parent, cache.write(path, b"".join(writer.arrays), content))


def find(key: str, stages: Stages) -> Kept | None:
    """The steps that were made of such a graph, over the state of this one; None where there are none."""
    found = cache.read(_path(key))
    if found is None or found[1].get("key") != key:
        return None
    data, content = found
    return Kept(_Reader(data, content).steps(_given(stages)), content["admission"])


def _given(stages: Stages) -> Graph:
    """The graph that the passes are to run over."""
    return next(reversed(stages.known.values())).graph


def _path(key: str) -> Path:
    return cache.folder("cpu") / f"{key}{cache.STEPS}"


# -- writing ------------------------------------------------------------------------------------------------------


class _Writer:
    """Steps as JSON has them: values, kernels and buffers by number, extents as numbers or text."""

    def __init__(self) -> None:
        self.arrays: list[bytes] = []
        self._length = 0  # of all of them
        self._numbers: dict[Value, int] = {}
        self._values: list[Any] = []

    def steps(self, steps: Steps) -> dict[str, Any]:
        graph, number = steps.graph, self._number
        kernels = {kernel: index for index, kernel in enumerate(steps.kernels)}
        return {
            "name": graph.name,
            "inputs": [number(value) for value in graph.inputs],
            "state": [[number(state.value), state.value.name] for state in graph.state],
            "outputs": [number(value) for value in graph.outputs],
            "updates": [[number(old), number(new)] for old, new in graph.updates],
            "alias": [[number(value), number(other)] for value, other in steps.alias.items()],
            "constants": [[number(value), *self._array(array)] for value, array in steps.constants.items()],
            "kernels": [[each.name, each.source, each.key, each.calls] for each in steps.kernels],
            "steps": [self._step(step, kernels[step.kernel]) for step in steps.steps],
            "prepared": [self._step(step, kernels[step.kernel]) for step in steps.prepared],
            "values": self._values,  # all that have been numbered
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

    def _step(self, step: Step, kernel: int) -> dict[str, Any]:
        source = step.source
        words = [word for word in source.words if isinstance(word, Buffer)]
        named = dict.fromkeys([*step.operands, *source.temporaries, *words])
        buffers = {buffer: index for index, buffer in enumerate(named)}
        return {
            "kernel": kernel,
            "buffers": [[b.name, b.dtype.name, b.role, _plain(b.extent), b.per_slice] for b in buffers],
            "operands": [[buffers[buffer], self._number(value)] for buffer, value in step.operands.items()],
            "words": [[buffers[word]] if isinstance(word, Buffer) else _plain(word) for word in source.words],
            "temporaries": [[buffers[buffer], _plain(extent)] for buffer, extent in source.temporaries.items()],
            "shares": [[self._number(v), [self._number(o) for o in others]] for v, others in step.shares.items()],
            "work": [_plain(source.units), _plain(source.cost), source.most_slices, source.together],
            "flags": [source.has_finish, step.may_fail],
        }


def _plain(extent: Extent) -> int | str:
    return str(extent) if isinstance(extent, Dim) else int(extent)


# -- reading ------------------------------------------------------------------------------------------------------


class _Reader:
    """Steps from what a `_Writer` has written."""

    def __init__(self, data: bytes, content: Mapping[str, Any]) -> None:
        self._data = data
        self._content = content
        self._values: list[Value] = []

    def steps(self, graph: Graph) -> Steps:
        content = self._content
        state = {each.value.name: each for each in graph.state}
        read = {number: state[name] for number, name in content["state"]}
        self._values = values = [
            read[number].value if number in read else Value(name, TensorType(DTYPES[dtype], tuple(map(_extent, shape))))
            for number, (name, dtype, shape) in enumerate(content["values"])
        ]
        steps = Steps(
            Graph(
                content["name"],
                inputs=tuple(values[i] for i in content["inputs"]),
                nodes=(),
                outputs=tuple(values[i] for i in content["outputs"]),
                state=tuple(State(each.value, each.kind, each.cell) for each in read.values()),
                updates=tuple((values[old], values[new]) for old, new in content["updates"]),
            )
        )
        steps.alias = {values[value]: values[other] for value, other in content["alias"]}
        steps.constants = {
            values[number]: self._array(values[number], *where) for number, *where in content["constants"]
        }
        steps.kernels = [Kernel(name, source, key, None, calls) for name, source, key, calls in content["kernels"]]
        steps.steps = [self._step(steps.kernels[each["kernel"]], each) for each in content["steps"]]
        steps.prepared = [self._step(steps.kernels[each["kernel"]], each) for each in content["prepared"]]
        return steps

    def _array(self, value: Value, shape: list[int], start: int, size: int) -> object:
        return np.frombuffer(self._data[start : start + size], value.type.dtype.numpy).reshape(shape)

    def _step(self, kernel: Kernel, content: Mapping[str, Any]) -> Step:
        values = self._values
        buffers = [
            Buffer(name, DTYPES[dtype], role, _extent(extent), None, per_slice)
            for name, dtype, role, extent, per_slice in content["buffers"]
        ]
        units, cost, most_slices, together = content["work"]
        has_finish, may_fail = content["flags"]
        source = KernelSource(
            kernel.name,
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
        return Step(kernel, source, None, operands, shares, may_fail=may_fail)


def _extent(plain: int | str) -> Extent:
    return plain if isinstance(plain, int) else _parsed(plain)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Extent:
    return parse_extent(text)
