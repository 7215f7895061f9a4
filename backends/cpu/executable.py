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

from graphc import state as model_state
from graphc.admission import admit
from graphc.arguments import bind_arguments
from graphc.backends.cpu.again import Again
from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.binding import Binding, literal_array
from graphc.backends.cpu.budget import SMALL, MemoryBudget, check_budget, checked_dims
from graphc.backends.cpu.kept import find, keep, key_of
from graphc.backends.cpu.late import Late, lower_now
from graphc.backends.cpu.native_code import Compiled, compile_program
from graphc.backends.cpu.preparation import Preparation
from graphc.backends.cpu.profile import Profile, profile
from graphc.backends.cpu.results import Results
from graphc.backends.cpu.steps import Kernel, Steps
from graphc.backends.cpu.threads import thread_count
from graphc.backends.executable import Executable, no_quick_call
from graphc.backends.memory_plan import ALIGNMENT, MemoryPlan
from graphc.collector import collection_held_back
from graphc.dim import evaluate_extent
from graphc.errors import BackendError
from graphc.interpret import run as interpret
from graphc.ir import Graph, Literal, Value
from graphc.state import Cell, without_cells
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
        self._status = np.zeros(_STATUS_WORDS, np.int64)
        self._arena = np.empty(0, np.uint8)
        self._results = Results()
        self._current: Binding | None = None
        self._again: Again | None = None  # what a call is that is like the one before
        self._epoch = -1
        self._cells = {state.value: state.cell for state in self.interface.state}
        self._constants = {value: np.array(array, order="C") for value, array in self.program.all_constants()}
        self._preparation = Preparation(self.program, self._constants) if self.program.prepared else None
        if self._preparation is not None:
            self._constants |= self._preparation.arrays
        self._spares: list[tuple[Cell, Array]] = []
        self._clock = model_state.Clock()
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
        if self._current is None:
            raise BackendError(
                "the memory plan depends on the extents of the arrays: call the executable first, or ask "
                "plan_memory for the plan of some extents"
            )
        return self._current.memory_plan

    @property
    def arena_bytes(self) -> int:
        """The size of the arena that is allocated now: that of the largest plan of the calls so far."""
        return max(self._arena.size - ALIGNMENT, 0)

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
                        self._clock.tick()
                        self.quick = again.quick(
                            self._native.repeat, self._clock, locks_of(self._turn), self._watched,
                            (self._status, self._constants),
                        )  # fmt: skip
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
        large = self._fill_in(binding)
        targets = None if out is None else self._targets(out, self._result_shells(binding))
        if self._native.run(binding) >= 0:
            self._raise(arrays)
        outputs = self._outputs(binding, given, large)
        self._commit(binding, given)
        if self._again is None and binding.form is not None:
            self._again = Again(
                binding, binding.form, self._native.run, -1 if self._spares else self._epoch, self._preparation,
                self._results,
            )  # fmt: skip
        if targets is not None:
            for target, array in zip(targets, outputs, strict=True):
                np.copyto(target, array)
            outputs = targets
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _fill_in(self, binding: Binding) -> dict[Value, Array]:
        """Put the addresses of state and results into the rows; gives the arrays that kernels write results to."""
        if binding is not self._current or model_state.epoch() != self._epoch:
            self._resolve(binding)
        if self._preparation is not None and self._preparation.is_stale():
            self._preparation.run(self._native.run)
        return self._place_results(binding) if binding.output_places else {}

    def profile(self, *arrays: Any, repeats: int = 10) -> Profile:
        """Time every kernel of a call by itself, on one thread; state stays as it is."""
        arrays = tuple(without_cells(arrays))
        self._complete()
        with self._turn:
            binding, _ = self._bind(arrays)
            results = self._fill_in(binding)
            cells = [cell for old, _ in self.interface.updates if (cell := self._cells[old]) is not None]
            before = [cell.storage.copy() for cell in cells]
            timings = profile(self._native, binding, repeats)
            self._status[:] = 0
            for cell, array in zip(cells, before, strict=True):
                if not np.array_equal(cell.storage, array, equal_nan=array.dtype.kind == "f"):
                    cell.commit(array)
            del results
        return timings

    def _bind(self, arrays: Sequence[Any]) -> tuple[Binding, Sequence[Array]]:
        """The table for these arrays, with their addresses in its rows, and the arrays as kernels read them."""
        if self._current is not None and self._current.place(arrays):
            return self._current, arrays
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
        for place, value, offset in binding.constants:
            binding.rows[place] = address_of(self._constants[value]) + offset
        return binding

    @property
    def _base(self) -> int:
        return -(-address_of(self._arena) // ALIGNMENT) * ALIGNMENT

    def _resolve(self, binding: Binding) -> None:
        """Put the addresses of the arena and of the model's state into the rows."""
        self._forget()
        self._current = None  # whatever happens here, no table with addresses of an arena that is gone
        if binding.memory_plan.peak + ALIGNMENT > self._arena.size:
            self._arena = np.empty(binding.memory_plan.peak + ALIGNMENT, np.uint8)
        if binding.base != self._base or binding.base == 0:
            binding.set_base(self._base, address_of(self._status))
            binding.views.clear()
            binding.result_views = None
        arrays = model_state.storage_of(self.interface)
        for state, array in zip(self.interface.state, arrays, strict=True):
            places = binding.places.get(("read", state.value))
            if places is not None:
                places.put(binding.rows, address_of(array))
        self._spares = []
        for old, new in self.interface.updates:
            cell = self._cells[old]
            if cell is not None and not cell.is_lent:
                cell.follow(self._clock)
            places = binding.places.get(("write", old))
            if places is None or cell is None:
                continue
            if binding.in_place[old] and not cell.is_lent:
                places.put(binding.rows, address_of(cell.storage))
            else:
                spare = np.empty(binding.shape(new), new.type.dtype.numpy)
                self._spares.append((cell, spare))
                places.put(binding.rows, address_of(spare))
        self._current, self._epoch = binding, model_state.epoch()

    def _place_results(self, binding: Binding) -> dict[Value, Array]:
        """Arrays for results that kernels write where the caller gets them."""
        large = {}
        for value, places in binding.output_places:
            array = large[value] = self._results.take(binding.shape(value), value.type.dtype.numpy)
            places.put(binding.rows, address_of(array))
        return large

    def _result_shells(self, binding: Binding) -> list[Array]:
        """Arrays of the results' shapes, for checking `out` before anything runs."""
        return [np.empty(binding.shape(value), value.type.dtype.numpy) for value in self.interface.outputs]

    def _outputs(self, binding: Binding, given: Sequence[Array], large: dict[Value, Array]) -> Sequence[Array]:
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
        if root in self._constants:
            return self._constants[root]
        if root in binding.targets:
            cell = self._cells[binding.targets[root]]
            written = [array for owner, array in self._spares if owner is cell]
            assert cell is not None
            return written[0] if written else cell.storage
        if root in self._cells:
            cell = self._cells[root]
            assert cell is not None
            return cell.storage
        return given[self.interface.inputs.index(root)]

    def _commit(self, binding: Binding, given: Sequence[Array]) -> None:
        """The state as the run leaves it: all cells at once."""
        if self._spares or binding.copied:
            changed = list(self._spares)
            for old, new in binding.copied:
                cell = self._cells[old]
                if cell is not None:
                    changed.append((cell, self._copy_of(new, binding, given)))
            for cell, array in changed:
                if cell.clock is self._clock and not cell.is_lent:  # nobody else has its array: addresses stay
                    ctypes.memmove(address_of(cell.storage), address_of(array), array.nbytes)
                else:
                    cell.commit(array)
                    self._epoch = -1
        self._clock.tick()  # a write of all cells that still follow it

    def _copy_of(self, value: Value, binding: Binding, given: Sequence[Array]) -> Array:
        if isinstance(value, Literal):
            return literal_array(value, binding.dims)
        array = self._array_of(binding, self.program.root(value), given)
        return np.array(array, order="C", copy=True).reshape(binding.shape(value))

    def _raise(self, arrays: Sequence[Any]) -> None:
        """A kernel met trouble, and nothing has been written to the state: let the interpreter say what it is."""
        self._status[:] = 0
        interpret(self._lowering.source, arrays)
        raise BackendError(f"a kernel of @{self.interface.name} met trouble that the interpreter does not see")


def _computes(node: Any, name: str) -> bool:
    inside = node.regions[0].nodes if node.regions else (node,)
    return any(result.name == name for each in inside for result in each.results)
