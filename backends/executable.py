"""An executable: a compiled graph, the graphs of every stage on the way to it, and the means to look into a run.

exe = gc.compile(g)
exe(x)                          # an array, or a tuple for several outputs
print(exe.stages)               # nodes and milliseconds per pass
print(exe.diff("cse"))          # what one pass changed
exe.check_numerics(x)           # NumericsError at the first NaN or infinity
exe.bisect(x)                   # the first pass that changes a result
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.admission import admit
from graphc.arguments import bind_arguments
from graphc.errors import ArgumentError, NumericsError, ShapeError
from graphc.interpret import run
from graphc.ir import Graph, Node
from graphc.state import commit_updates, without_cells
from graphc.stored import as_counted, cell_of
from graphc.turns import turn_over
from graphc.types import type_of

if TYPE_CHECKING:
    from graphc.passes.pipeline import Stages

Array = np.ndarray[Any, Any]


class Executable:
    """A compiled graph. Calls over the same state take turns, in threads too; one that fails changes no state."""

    backend = "interpreter"

    def __init__(self, stages: Stages, threads: int | None = None) -> None:
        self.stages = stages
        self.threads = threads
        self._turn = turn_over(state.cell for state in self.interface.state if state.cell is not None)
        self._admitted: set[tuple[tuple[int, ...], ...]] = set()
        self.precondition: Callable[[Sequence[Any]], None] | None = None  # asked before arrays of new shapes run
        self.quick: Callable[[tuple[Any, ...]], Any] = no_quick_call  # a call that is like the one before, or None

    @property
    def graph(self) -> Graph:
        """The graph that runs: the one after the last pass."""
        return self.stages.last.graph

    @property
    def interface(self) -> Graph:
        """A graph of the inputs, state, outputs and updates of the one that runs; its nodes may be missing."""
        return self.graph

    @property
    def _observed_graph(self) -> Graph:
        """The graph whose nodes are looked at one by one."""
        return self.graph

    def __call__(self, *arrays: Any, out: Any = None) -> Any:
        """Run on arrays: one array for one output, else a tuple; `out` are arrays to write the outputs to."""
        arrays = tuple(without_cells(arrays))
        with self._turn:
            self._admit(arrays)
            outputs, updates = run(self.graph, arrays, admitted=True)
            targets = None if out is None else self._targets(out, outputs)
            commit_updates(self.graph, updates)
        if targets is not None:
            for target, array in zip(targets, outputs, strict=True):
                np.copyto(target, array)
            outputs = tuple(targets)
        return outputs[0] if len(outputs) == 1 else outputs

    def watch(self, word: ctypes.c_int64, value: int) -> None:
        """From now on `quick` gives None where the word holds another value; it is for who calls `quick` himself."""

    def forget(self) -> None:
        """No call is like the one before until there was another one: `quick` gives None, whoever has it."""

    def _admit(self, arrays: Sequence[Any]) -> None:
        """Ask the graph as it was traced whether it takes these extents; once for each."""
        shapes = tuple(array.shape for array in arrays if isinstance(array, np.ndarray))
        if len(shapes) < len(arrays) or shapes not in self._admitted:
            if self.precondition is not None:
                self.precondition(arrays)
            traced = self.stages.first.graph
            admit(traced, bind_arguments(traced, arrays)[1])
            self._admitted.add(shapes)

    def _targets(self, out: Any, outputs: Sequence[Array]) -> list[Array]:
        targets = list(out) if isinstance(out, tuple | list) else [out]
        if len(targets) != len(outputs):
            raise ArgumentError(f"@{self.interface.name} gives {len(outputs)} outputs, but out has {len(targets)}")
        for value, target, array in zip(self.interface.outputs, targets, outputs, strict=True):
            if not isinstance(target, np.ndarray) or target.shape != array.shape or target.dtype != array.dtype:
                given = type(target).__name__
                what = f"{target.dtype}{list(target.shape)}" if isinstance(target, np.ndarray) else f"a {given}"
                raise ShapeError(f"@{self.interface.name}: an output is {type_of(array)}, but its out is {what}")
            if not target.flags.writeable:
                raise ArgumentError(f"@{self.interface.name}: out for {value.type} is read-only")
        return targets

    # -- looking into it --------------------------------------------------------------------------------------------

    def diff(self, name: str) -> Any:
        """What the pass of this name changed."""
        from graphc.text.diff import diff

        return diff(self.stages.before(name).graph, self.stages[name].graph)

    def check_numerics(self, *arrays: Any) -> None:
        """Run without changing state; NumericsError at the first result that is NaN or infinite.

        Names the op, the element and the user's line, and says what the operands held.
        """
        arrays = tuple(without_cells(arrays))
        with self._turn:
            run(self._observed_graph, arrays, observe=_check_node)

    def bisect(self, *arrays: Any, rtol: float = 1e-5, atol: float = 1e-6) -> str | None:
        """The first pass after which the results differ beyond the tolerance from the traced graph's; None if none.

        State stays as it is.
        """
        arrays = tuple(without_cells(arrays))
        with self._turn:
            names = list(self.stages)
            first = self.stages[names[0]].graph
            expected = _results(first, arrays)
            for name in names[1:]:
                graph = self.stages[name].graph
                given = _results(graph, arrays)
                common = expected.keys() & given.keys()
                if any(not _close(expected[key], given[key], rtol, atol) for key in common):
                    return name
                expected = {**expected, **given}
        return None

    def __str__(self) -> str:
        return str(self.graph)

    def __repr__(self) -> str:
        return f"<Executable @{self.interface.name} on {self.backend}: {self.stages.size}>"


def no_quick_call(arrays: tuple[Any, ...]) -> None:
    """What `quick` is where no call was before, or none that can be done so."""


def _results(graph: Graph, arrays: Sequence[Any]) -> dict[str, Array]:
    """Outputs by position and updates by what is updated."""
    outputs, updates = run(graph, arrays)
    cells = {state.value: state.cell for state in graph.state}
    named = {f"output {i}": array for i, array in enumerate(outputs)}
    for (old, _), array in zip(graph.updates, updates, strict=True):
        cell = cells[old]
        key = old.name if cell is None else id(cell_of(cell))
        named[f"update {key}"] = as_counted(cell, array)
    return named


def _close(a: Array, b: Array, rtol: float, atol: float) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return np.allclose(a.astype(np.float64), b.astype(np.float64), rtol=rtol, atol=atol, equal_nan=True)


def _check_node(node: Node, results: Sequence[Array]) -> None:
    for value, array in zip(node.results, results, strict=True):
        if not value.type.dtype.is_float:
            continue
        finite = np.isfinite(array.astype(np.float64))
        if not finite.all():
            where = tuple(int(i) for i in np.argwhere(~finite)[0])
            element = f"[{', '.join(map(str, where))}]" if where else ""
            raise NumericsError(
                f"%{value.name}{element} is {float(array[where])}: {int((~finite).sum())} of {finite.size} elements "
                f"of the result of {node.op.name} are not finite",
                line=node.line,
                where=node.provenance.where,
            )
