"""Calls of kernels, in order: what is made once of a graph, for all values of the named dims.

    steps.kernels           # the distinct ones, each with its source
    steps.steps             # calls of them, each with its operands and results
    steps.prepared          # those that depend on the model's state alone

`Program` makes them of a graph; `graphc.backends.cpu.kept` finds those that another process has made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.loops import Loop
from graphc.backends.nests.nest import Buffer
from graphc.ir import Graph, Node, Value

if TYPE_CHECKING:
    from graphc.backends.nests.chain import Chain
    from graphc.backends.nests.nest import Nest


@dataclass(eq=False)
class Kernel:
    """A distinct kernel: its readable source, its nest, and how often the program calls it.

    `key` is the source with canonical names: kernels that do the same are one.
    """

    name: str
    source: str
    key: str
    nest: Nest | Chain | None  # None for kernels without one, too
    calls: int = 0
    path: str = ""
    address: int = 0
    function: object = None

    def __repr__(self) -> str:
        return f"<Kernel {self.name}, called {self.calls} times>"


@dataclass(eq=False)
class Step:
    """A call of a kernel: what each word of its row stands for, and what it needs besides."""

    kernel: Kernel
    source: KernelSource
    node: Node | None  # None where the steps are kept ones
    operands: dict[Buffer, Value]  # what the kernel's inputs and outputs are in the graph
    shares: dict[Value, tuple[Value, ...]] = field(default_factory=dict)  # results that may lie in operands' memory
    loop: Loop | None = None  # of a `map` or a `scan`: what is called for each place
    may_fail: bool = False  # after earlier steps have checked what they can


class Steps:
    """The steps of a graph, and the values that are the same array under another shape."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kernels: list[Kernel] = []
        self.steps: list[Step] = []
        self.before_loop: list[Step] = []  # of a loop's region: what is done once for all places
        self.prepared: list[Step] = []  # what depends on the model's state alone
        self.constants: dict[Value, object] = {}
        self.alias: dict[Value, Value] = {}

    def all_constants(self) -> Iterator[tuple[Value, object]]:
        """The constants of the graph and of its regions."""
        yield from self.constants.items()
        for step in self.steps:
            if step.loop is not None:
                yield from step.loop.inner.all_constants()

    def root(self, value: Value) -> Value:
        """The value whose array this one is."""
        while value in self.alias:
            value = self.alias[value]
        return value

    def is_like(self, made: Steps) -> bool:
        """Whether other steps call the same kernels, in the same order."""
        return [kernel.key for kernel in self.kernels] == [kernel.key for kernel in made.kernels] and [
            step.kernel.key for step in (*self.prepared, *self.steps)
        ] == [step.kernel.key for step in (*made.prepared, *made.steps)]

    def complete(self, made: Steps) -> None:
        """Take over nodes and nests from the steps that the same graph has given once more; these `is_like`."""
        for kernel, same in zip(self.kernels, made.kernels, strict=True):
            kernel.nest = same.nest
        for step, like in zip(self.every_step(), made.every_step(), strict=True):
            step.node = like.node
        for step in self.every_step():
            for ahead in () if step.loop is None else step.loop.ahead:
                ahead.tell_parts()

    def every_step(self) -> Iterator[Step]:
        """All steps, those of loops too, in an order that the graph decides."""
        for step in (*self.prepared, *self.before_loop, *self.steps):
            yield step
            if step.loop is not None:
                yield from step.loop.every_step()

    def steps_for(self, results: Iterable[Value]) -> list[Step]:
        """The steps that some results need, and those that may fail."""
        wanted, found = set(map(self.root, results)), []
        for step in reversed(self.steps):
            if step.may_fail or any(self.root(value) in wanted for value in results_of(step)):
                found.append(step)
                wanted.update(self.root(v) for b, v in step.operands.items() if b.role == "input")
        return found[::-1]

    def preparation(self) -> Steps:
        """The steps that depend on state alone as a program; its results are what the other steps read."""
        read = {self.root(v) for step in self.steps for b, v in step.operands.items() if b.role == "input"}
        made = [value for step in self.prepared for value in step.operands.values() if value in results_of(step)]
        part = copy(self)
        part.steps = self.prepared
        part.graph = self.graph.with_(
            inputs=(), nodes=(), outputs=tuple(value for value in made if value in read), updates=()
        )
        return part

    def prepared_values(self) -> set[Value]:
        """What the steps find ready when a call begins."""
        return set().union(*map(results_of, self.prepared)) if self.prepared is not self.steps else set()


def results_of(step: Step) -> set[Value]:
    """What a step writes."""
    return {value for buffer, value in step.operands.items() if buffer.role == "output"}
