"""The cpu backend: a whole step as one native call.

    exe = gc.compile(g, backend="cpu")
    exe(x)
    exe.kernels[0].source        # readable Python, compiled by Numba, kept as a native object
    print(exe.ledger)            # why ops share kernels, or do not
    print(exe.plan_memory(N=128))    # what a call will hold: buffers, offsets, lifetimes, peak

Compiling makes kernels, which serve every batch size; the first call with new extents makes a table of calls
(`graphc.backends.cpu.binding`). A call puts the addresses of its arrays into the table and lets the driver walk it.
State is updated in place where no one can see it; arrays of state that a user holds keep their values.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.admission import admit
from graphc.arguments import bind_arguments
from graphc.backends.cpu.again import Again
from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.budget import SMALL, MemoryBudget, check_budget, checked_dims
from graphc.backends.cpu.kept import find, keep, key_of
from graphc.backends.cpu.late import Late, lower_now
from graphc.backends.cpu.memory import Memory
from graphc.backends.cpu.native_code import Compiled, compile_program
from graphc.backends.cpu.profile import Profile, profile
from graphc.backends.cpu.steps import Kernel, Steps
from graphc.backends.cpu.threads import thread_count
from graphc.backends.executable import Executable, no_quick_call
from graphc.backends.memory_plan import MemoryPlan
from graphc.collector import collection_held_back
from graphc.dim import evaluate_extent
from graphc.errors import BackendError
from graphc.interpret import run as interpret
from graphc.ir import Graph, Value
from graphc.state import without_cells
from graphc.turns import locks_of
from graphc.types import type_of

if TYPE_CHECKING:
    from graphc.backends.cpu.lower_graph import Lowered
    from graphc.passes.fuse import Ledger
    from graphc.passes.pipeline import Stages

Array = np.ndarray[Any, Any]

_STATUS_WORDS = 8
_MOST_BINDINGS = 64  # tables that are kept, each for arrays of some shapes


class CpuExecutable(Executable):
    """A graph compiled to native kernels. Calls over the same state take turns; a failed call changes no state."""

    backend = "cpu"

    def __init__(self, stages: Stages, threads: int | None = None, memory_budget: Any = None) -> None:
        self.memory_budget = None if memory_budget is None else MemoryBudget.of(memory_budget, stages.last.graph)
        key = key_of(stages) if memory_budget is None else None
        self._kept = None if key is None else find(key, stages)
        # What the stages are to run later refers to no executable: that would be a cycle, with an arena in it.
        self._late = Late() if self._kept is None else Late(self._kept.steps)
        if self._kept is None:
            self._late.lowered = lower_now(stages, self.memory_budget)
            self.program: Steps = self._late.lowered.program
        else:
            stages.later(self._late.lower)
            self.program = self._kept.steps
        super().__init__(stages, threads)
        self.thread_count = thread_count(threads)
        self._native: Compiled = compile_program(self.program, self.thread_count)
        self.compile_report = self._native.report
        if key is not None and self._late.lowered is not None:
            keep(key, self._late.lowered.program, self._late.lowered.source)
        self._bindings: dict[tuple[tuple[int, ...], ...], Binding] = {}
        self._memory = Memory(self.program)
        self._again: Again | None = None  # what a call is that is like the one before
        self._watched: list[tuple[ctypes.c_int64, int]] = []

    # -- looking into it ----------------------------------------------------------------------------------------------

    @property
    def kernels(self) -> list[Kernel]:
        """The distinct kernels, in the order of their first call."""
        self._complete()
        return self.program.kernels

    @property
    def ledger(self) -> Ledger:
        """For every edge of the graph whether one kernel computes both ends, and why."""
        return self._lowering.ledger

    @property
    def interface(self) -> Graph:
        return self.program.graph

    @property
    def _lowering(self) -> Lowered:
        """What became of the graph on the way to its kernels: found out now, where these were kept."""
        if self._late.lowered is None:
            self.stages.last  # noqa: B018 - runs what waits
        assert self._late.lowered is not None
        return self._late.lowered

    def _complete(self) -> None:
        """Give steps their nodes, and kernels their nests, where they were kept.

        Raises BackendError where the graph gives other steps by now.
        """
        self._lowering  # noqa: B018 - runs what waits
        self._late.check()

    @property
    def memory_plan(self) -> MemoryPlan:
        """The plan of the last call; raises BackendError before the first one, whose plan `plan_memory` gives."""
        current = self._memory.current
        if current is None:
            raise BackendError(
                "the memory plan depends on the extents of the arrays: call the executable first, or ask "
                "plan_memory for the plan of some extents"
            )
        return current.memory_plan

    @property
    def arena_bytes(self) -> int:
        """The size of the arena that is allocated now: that of the largest plan of the calls so far."""
        return self._memory.arena_bytes

    def plan_memory(self, **dims: int) -> MemoryPlan:
        """The plan of a call with these extents of the named dims, before anything runs: `exe.plan_memory(N=128)`.

        `print` shows the arena's buffers and what lies outside of it, the model's state, constants and results; a call
        holds that, and no more. Raises ArgumentError where a named dim has no extent, or there is none of a name.
        """
        known = checked_dims(self.interface, dims, "plan_memory")
        shapes = tuple(tuple(evaluate_extent(e, known) for e in value.type.shape) for value in self.interface.inputs)
        binding = self._bindings.get(shapes)
        return (binding or Binding(self.program, known, shapes, SMALL)).memory_plan

    def explain(self, name: str) -> str:
        """What became of a value: the kernel that computes it, and the decisions on its edges."""
        bare = name.removeprefix("%")
        value = self._lowering.source[bare]  # KeyError with close matches
        home = next((node for node in self.graph.nodes if _computes(node, bare)), None)
        lines = [f"%{bare}: {value.type}"]
        if home is not None:
            results = ", ".join(f"%{result.name}" for result in home.results)
            lines.append(f"computed by the kernel of {results}")
        lines += [f"  {edge}" for edge in self.ledger.of(bare)]
        return "\n".join(lines)

    @property
    def _observed_graph(self) -> Graph:
        return self._lowering.source

    # -- running ------------------------------------------------------------------------------------------------------

    def __call__(self, *arrays: Any, out: Any = None) -> Any:
        if out is None:
            result = self.quick(arrays)
            if result is not None:
                return result
        with self._turn:
            again = self._again
            if again is not None:
                if out is None and again.is_same():
                    trouble = again.run(arrays)
                    if trouble == -1:
                        self._memory.clock.tick()
                        self.quick = again.quick(
                            self._native.repeat, self._memory.clock, locks_of(self._turn), self._watched, self._memory
                        )
                        return again.results()
                    if trouble >= 0:
                        self._raise(arrays)
                elif again.place(arrays) == -1:
                    return self._run(again.binding, arrays, arrays, out)
        arrays = tuple(without_cells(arrays))
        with self._turn:
            binding, given = self._bind(arrays)
            return self._run(binding, arrays, given, out)

    def watch(self, word: ctypes.c_int64, value: int) -> None:
        with self._turn:
            self._forget()
            self._watched = [(word, value)]

    def forget(self) -> None:
        with self._turn:
            self._forget()

    def _forget(self) -> None:
        if self._again is not None:
            self._again.close()
        self._again, self.quick = None, no_quick_call

    def _run(self, binding: Binding, arrays: Sequence[Any], given: Sequence[Array], out: Any) -> Any:
        """Walk a table in whose rows the arrays are."""
        memory = self._memory
        large = self._fill_in(binding)
        targets = None if out is None else self._targets(out, memory.result_shells(binding))
        if self._native.run(binding) >= 0:
            self._raise(arrays)
        outputs = memory.outputs(binding, given, large)
        memory.commit(binding, given)
        if self._again is None and binding.form is not None:
            epoch = memory.epoch if memory.is_plain else -1
            self._again = Again(binding, binding.form, self._native.run, epoch, memory.preparation, memory.results)
        if targets is not None:
            for target, array in zip(targets, outputs, strict=True):
                np.copyto(target, array)
            outputs = targets
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _fill_in(self, binding: Binding) -> dict[Value, Array]:
        """Put the addresses of state and results into the rows; gives the arrays that kernels write results to."""
        if not self._memory.is_resolved(binding):
            self._forget()
            self._memory.resolve(binding)
        return self._memory.fill_in(binding, self._native.run)

    def profile(self, *arrays: Any, repeats: int = 10) -> Profile:
        """Time every kernel of a call by itself, on one thread; state stays as it is."""
        arrays = tuple(without_cells(arrays))
        self._complete()
        with self._turn:
            binding, _ = self._bind(arrays)
            results = self._fill_in(binding)
            with self._memory.state_kept():
                timings = profile(self._native, binding, repeats)
            del results
        return timings

    def _bind(self, arrays: Sequence[Any]) -> tuple[Binding, Sequence[Array]]:
        """The table for these arrays, with their addresses in its rows, and the arrays as kernels read them."""
        current = self._memory.current
        if current is not None and current.place(arrays):
            return current, arrays
        known = self._binding_for(arrays)
        if known is not None and known.place(arrays):
            return known, arrays
        if self.precondition is not None:
            self.precondition(arrays)
        given, dims = bind_arguments(self.interface, arrays)
        shapes = tuple([array.shape for array in given])
        binding = self._bindings.pop(shapes, None)
        if binding is None:
            self._admit(arrays)
            with collection_held_back():
                binding = self._new_binding(dims, shapes)
            while len(self._bindings) >= _MOST_BINDINGS:
                del self._bindings[next(iter(self._bindings))]
        self._bindings[shapes] = binding
        given = [a if a.flags.aligned else a.copy() for a in given]
        if not binding.place(given):
            found = ", ".join(str(type_of(array)) for array in given)
            raise BackendError(
                f"@{self.interface.name}: arrays of the types ({found}) do not fit the table made for them"
            )
        return binding, given

    def _binding_for(self, arrays: Sequence[Any]) -> Binding | None:
        """The table for arrays of these shapes, if there is one; the one that was asked for last comes last."""
        try:
            shapes = tuple([array.shape for array in arrays])
            self._bindings[shapes] = binding = self._bindings.pop(shapes)
        except (AttributeError, TypeError, KeyError):  # no arrays, shapes of something else, or new ones
            return None
        return binding

    def _admit(self, arrays: Sequence[Any]) -> None:
        traced = self.stages.first.graph
        dims = bind_arguments(traced, arrays)[1]
        admit(traced, dims)
        if self._late.lowered is None and self._kept is not None and self._kept.admits(dims):
            return
        admit(self._lowering.source, dims)  # ops within composites may refuse extents, too

    def _new_binding(self, dims: dict[str, int], shapes: tuple[tuple[int, ...], ...]) -> Binding:
        binding = Binding(self.program, dims, shapes, SMALL)
        if self.memory_budget is not None:
            check_budget(self.memory_budget, binding.memory_plan, dims)
        if self._native.fits:
            binding.read_natively(self._native.fits)
        self._memory.place_constants(binding)
        return binding

    def _raise(self, arrays: Sequence[Any]) -> None:
        """A kernel met trouble, and nothing has been written to the state: let the interpreter say what it is."""
        self._memory.status[:] = 0
        interpret(self._lowering.source, arrays)
        raise BackendError(f"a kernel of @{self.interface.name} met trouble that the interpreter does not see")


def _computes(node: Any, name: str) -> bool:
    inside = node.regions[0].nodes if node.regions else (node,)
    return any(result.name == name for each in inside for result in each.results)
