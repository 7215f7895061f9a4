"""State belongs to the model: a cell holds one array, and every graph that reads it shares it.

    >>> scale = Cell(np.ones(3, np.float32), kind="buffer", name="scale")
    >>> scale.assign([1, 2, 3]); scale.version
    1
    >>> np.asarray(scale)                       # read-only, always the current value
    array([1., 2., 3.], dtype=float32)

Inside a trace a cell is an operand like any tensor, and `assign` records an update: the graph reads cells when it
starts and writes the new values when it has finished, all at once, so a run that fails leaves the state untouched.
Whoever writes a cell bumps its version, so copies derived from it know that they are stale.
"""

from __future__ import annotations

import ctypes
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from graphc.errors import DTypeError, ShapeError, StateError, TraceError
from graphc.op import active_recorder
from graphc.order import Axes, inverse, laid_out, order_problem
from graphc.tensor import Operators, Tensor
from graphc.types import DType, TensorType, as_dtype, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphc.ir import Graph, State


NO_TURN: AbstractContextManager[Any] = nullcontext()  # of cells that no executable uses (`graphc.turns`)


class Clock:
    """Counts the runs of an executable that writes the same cells in every one.

    The count is a word of memory, so that native code can read it and count on.
    """

    __slots__ = ("word",)

    def __init__(self) -> None:
        self.word = ctypes.c_int64()

    @property
    def ticks(self) -> int:
        """How many runs there were."""
        return self.word.value

    def tick(self) -> None:
        """There was one more; for who has the turn."""
        self.word.value += 1


class Cell(Operators):
    """One array of state: a parameter, a buffer, an optimizer slot, a hyperparameter or the random counter.

    `value` is anything that NumPy makes an array of; it is copied. `kind` is one of `graphc.ir.STATE_KINDS`. `turn` is
    what executables over the cell hold while they run, and who reads or writes it for as long (`graphc.turns`).

    `order` is the order in which the array's axes lie in memory, None for row by row: `(2, 3, 1, 0)` for the kernels
    f32[out,in,3,3] of a convolution, which is computed from f32[3,3,in,out]. All that is read and written here has the
    shape that it has without, in views that are not contiguous: `np.ascontiguousarray` is for who needs the bytes.
    Executables work with the cell as it lies in memory (`graphc.stored`). Raises StateError for an order that is no
    permutation of the axes.
    """

    __slots__ = ("__weakref__", "_array", "_clock", "_version", "is_lent", "kind", "name", "order", "turn")

    def __init__(self, value: Any, kind: str = "buffer", name: str = "", order: Axes | list[int] | None = None) -> None:
        array = own(value)
        order = tuple(order) if isinstance(order, list) else order
        if order is not None and (problem := order_problem(order, array.ndim)):
            raise StateError(f"{name or kind}: {problem}")
        self.order = None if order == tuple(range(array.ndim)) else order
        self._array = seal(laid_out(array, self.order))
        self.is_lent = False  # whether someone may hold the array, or a view of it
        self.kind = kind
        self.name = name
        self._version = 0
        self._clock: Clock | None = None
        self.turn: AbstractContextManager[Any] = NO_TURN

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """The current value, read-only. A view of this moment: the next update writes elsewhere."""
        return self._lend()

    @property
    def storage(self) -> np.ndarray[Any, Any]:
        """The array itself, for who reads it within a step or writes the next value over it while it is not lent."""
        return self._array

    @property
    def version(self) -> int:
        """How often the value has been written."""
        return self._version if self._clock is None else self._version + self._clock.ticks

    @property
    def clock(self) -> Clock | None:
        """The clock whose ticks are writes of this cell, if it follows one."""
        return self._clock

    def follow(self, clock: Clock | None) -> None:
        """From now on every tick of this clock is a write; another clock's ticks are none any more."""
        if clock is not self._clock:
            _count_change()  # its executable must follow the cell anew; who derives from the cell notes the clock
            version = self.version
            self._clock = clock
            self._version = version if clock is None else version - clock.ticks

    def _lend(self) -> np.ndarray[Any, Any]:
        with self.turn:  # a run that is under way may be writing over the array, or putting another in its place
            if not self.is_lent:
                self.is_lent = True
                _count_change()
            return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if active_recorder() is not None:
            raise TraceError(
                f"{self.name or self.kind}: read as an array inside a trace, where it would be frozen to its value of "
                "now; use it as a tensor"
            )
        if copy:
            with self.turn:
                return np.array(self._array, dtype, copy=True, order="C")
        array = self._lend()
        return array if dtype is None else array.astype(dtype, copy=False)

    @property
    def type(self) -> TensorType:
        return type_of(self._array)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._array.shape)

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def dtype(self) -> DType:
        return as_dtype(self._array.dtype)

    # -- writing ----------------------------------------------------------------------------------------------------

    def assign(self, value: Any) -> None:
        """Set the value. Outside a trace: an array of the same shape, cast within its kind. Inside: record an update.

        Raises ShapeError or DTypeError and changes nothing when the value does not fit.
        """
        recorder = active_recorder()
        if recorder is not None:
            recorder.update(self, value)  # type: ignore[attr-defined]
            return
        if isinstance(value, Tensor):
            raise TraceError(f"{self.name or self.kind}: a traced tensor was assigned after its trace had ended")
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ShapeError(f"{self.name or self.kind}: has shape {self.shape}, but the value has {array.shape}")
        if not np.can_cast(array.dtype, self._array.dtype, "same_kind"):
            raise DTypeError(f"{self.name or self.kind}: is {self.dtype}, but the value is {array.dtype}")
        self.commit(array.astype(self._array.dtype))

    def __setitem__(self, key: Any, value: Any) -> None:
        """`p[...] = value` and NumPy's other index forms, outside a trace."""
        if active_recorder() is not None:
            self._only_whole(key)
            self.assign(value)
            return
        value = np.asarray(value)  # another cell, perhaps, whose turn must not be waited for in this one's
        with self.turn:
            array = self._array.copy()
            array[key] = value
            self.commit(array)

    def _only_whole(self, key: Any) -> None:
        if key is not Ellipsis and key != slice(None):
            raise TraceError(f"{self.name or self.kind}: in a trace only the whole can be written: p[...] = value")

    def commit(self, array: np.ndarray[Any, Any]) -> None:
        """Take over an array that no one else writes to, of the right dtype; bumps the version.

        One whose axes do not lie in the cell's order is copied: kernels read state by its address.
        """
        with self.turn:
            self._array = seal(laid_out(array, self.order))
            self.is_lent = False
            self.follow(None)
            self._version += 1
            _count_change()

    def convert(self, dtype: object) -> None:
        """Change the dtype; graphs traced before still expect the old one and say so when called."""
        with self.turn:
            self.commit(self._array.astype(as_dtype(dtype).numpy))

    # -- inside traces ----------------------------------------------------------------------------------------------

    def __graphc_tensor__(self, builder: Any) -> Tensor:
        tensor: Tensor = builder.read(self)
        return tensor

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self.name or self.kind}: is an array of state; test np.asarray(p), or `p is None`")

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return self._lend()[key] if active_recorder() is None else super().__getitem__(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (np.array(self, copy=True), self.kind, self.name, self.order)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name or '?'}: {self.type})"


# What native code reads, too, where it asks whether all is as it was.
CHANGES = ctypes.c_int64()  # what `epoch` gives
LAYOUT_CHANGES = ctypes.c_int64()  # what `layout_epoch` gives
_counting = threading.Lock()


def _count_change() -> None:
    with _counting:
        CHANGES.value += 1


def epoch() -> int:
    """A number that changes whenever the array of some cell becomes another one, or is lent.

    While it stays, addresses of arrays that an executable has noted are good, and what was not lent still is not.
    """
    return CHANGES.value


def count_layout_change() -> None:
    """Note that which cells are trained somewhere, or by which formula, is not what it was."""
    with _counting:
        LAYOUT_CHANGES.value += 1


def layout_epoch() -> int:
    """A number that changes whenever `count_layout_change` is called: who notes it need not ask every parameter."""
    return LAYOUT_CHANGES.value


def without_cells(arguments: Sequence[Any]) -> Sequence[Any]:
    """The arguments of a call with the values of cells among them, which are read before the call takes its turn."""
    return [argument.array if isinstance(argument, Cell) else argument for argument in arguments]


def own(value: Any) -> np.ndarray[Any, Any]:
    """A contiguous, read-only copy in native byte order, of a dtype that graphc has."""
    array = np.asarray(value)
    array = np.array(array, dtype=as_dtype(array.dtype).numpy, order="C", copy=True)
    return seal(array)


def seal(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


def storage_of(graph: Graph) -> list[np.ndarray[Any, Any]]:
    """The arrays that a graph reads, as `read_state`, without lending them."""
    return read_state(graph, None, lend=False)


def read_state(
    graph: Graph, given: Mapping[str, Any] | None = None, *, lend: bool = True
) -> list[np.ndarray[Any, Any]]:
    """The arrays that a graph reads, in the order of `graph.state`; `given` stands in for cells by name.

    Raises StateError where a graph parsed from text has no cell and none is given, or where a cell's type has changed
    since the graph was traced.
    """
    arrays = []
    for state in graph.state:
        name, type = state.value.name, state.value.type
        if given is not None and name in given:
            array = np.asarray(given[name])
        elif state.cell is not None:
            array = state.cell.array if lend else state.cell.storage
        else:
            raise StateError(f"graph @{graph.name} reads {state.kind} %{name}: {type}, and no value is given for it")
        if type_of(array) != type and given is not None and name in given:
            raise StateError(
                f"graph @{graph.name} reads {state.kind} %{name}: {type}, but the value given is {type_of(array)}"
            )
        if type_of(array) != type:
            name, before, now = as_traced(state, array)
            raise StateError(
                f"graph @{graph.name} was traced with {state.kind} %{name}: {before}, but it is {now} now; "
                "trace the model again"
            )
        arrays.append(array)
    return arrays


def as_traced(state: State, array: np.ndarray[Any, Any]) -> tuple[str, TensorType, TensorType]:
    """What the user calls state that a graph reads as it lies in memory, the type that it was traced with, and now."""
    order = getattr(state.cell, "order", None)
    if order is None or state.order is not None:
        return state.value.name, state.value.type, type_of(array)
    counted = [tuple(shape[axis] for axis in inverse(order)) for shape in (state.value.type.shape, array.shape)]
    before, now = (
        type.with_shape(shape) for type, shape in zip((state.value.type, type_of(array)), counted, strict=True)
    )
    return state.value.name.removesuffix(".stored"), before, now


def commit_updates(graph: Graph, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    """Write the new values, in the order of `graph.updates`, to the cells: all of them, or none before an error."""
    cells = {state.value: state.cell for state in graph.state}
    for (value, _), array in zip(graph.updates, arrays, strict=True):
        cell = cells[value]
        if cell is not None:
            cell.commit(array)
