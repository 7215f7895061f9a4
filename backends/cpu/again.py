"""A call that is like the one before: nothing is looked up, and Python has little to do.

    again = Again(binding, form, native.run, epoch, preparation, results)
    if again.is_same() and again.run(arrays) == -1:     # state where it was, arrays of the same types, no trouble
        return again.results()

It serves tables whose state is updated in place, and whose results are arrays that kernels fill or copies from the
arena: then all that a call changes are the addresses of its arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc import state as model_state
from graphc.backends.cpu.array_form import NO_FIT, ArrayForm
from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.budget import SMALL
from graphc.backends.cpu.preparation import Preparation
from graphc.backends.cpu.quick import Condition, QuickCall, quick_call
from graphc.backends.cpu.results import Results
from graphc.backends.executable import no_quick_call
from graphc.ir import Literal

Array = np.ndarray[Any, Any]


class Again:
    """A table and what calls of it need, ready at hand."""

    __slots__ = (
        "_copied",
        "_epoch",
        "_filled",
        "_native",
        "_open",
        "_parts",
        "_place_all",
        "_preparation",
        "_quick",
        "_serial",
        "_shelf",
        "_shelves",
        "_walks",
        "binding",
        "place",
    )

    def __init__(
        self, binding: Binding, form: ArrayForm, native: Callable[[Binding], int], epoch: int,
        preparation: Preparation | None, results: Results,
    ) -> None:  # fmt: skip
        self.binding = binding
        self.place = form.place
        self._place_all = form.place_all
        self._native = native
        self._walks = partial(form.run, binding.table_address, binding.entries, binding.status)
        self._serial = self._walks() if self._keeps_the_lock else None
        self._preparation = preparation
        self._filled: list[Array] = []  # by the kernels of this call
        self._shelves = [
            results.shelf(binding.shape(value), value.type.dtype.numpy) for value, _ in binding.output_places
        ]
        self._parts = _parts(binding)
        first = self._parts[0] if self._parts is not None and len(self._parts) == 1 else None
        self._copied = None if isinstance(first, int) else first  # the only result, where it is copied
        # The only result, where kernels fill it: where its arrays are.
        self._shelf = self._shelves[0] if isinstance(first, int) and len(self._shelves) == 1 else None
        is_plain = self._parts is not None and not binding.copied
        self._epoch = epoch if is_plain else -1  # of the state's arrays; -1 where more is to be done
        self._open = ctypes.c_int64(1)  # 0 when others have been called since, and nothing of this holds any more
        self._quick: tuple[list[Condition], QuickCall] = [], no_quick_call

    def is_same(self) -> bool:
        """Whether state and what is made of it are as they were."""
        if model_state.epoch() != self._epoch:
            return False
        return self._preparation is None or not self._preparation.is_stale()

    def run(self, arrays: tuple[Any, ...]) -> int:
        """Walk the table: -1, a step that met trouble, or NO_FIT where the arrays may be others."""
        if self._shelf is not None:
            array = self._shelf.take()
            self._filled = [array]
            arrays = (*arrays, array)
        elif self._shelves:
            self._filled = filled = [shelf.take() for shelf in self._shelves]
            arrays = (*arrays, *filled)
        if self._serial is not None:
            return self._serial(arrays)
        if self._place_all(arrays) == NO_FIT:
            return NO_FIT
        trouble = self._native(self.binding)
        if self._keeps_the_lock:  # since now
            self._serial = self._walks()
        return trouble

    @property
    def _keeps_the_lock(self) -> bool:
        """Whether calls keep Python's lock: they are over sooner than another thread could take it."""
        return self.binding.serial_call is not None and self.binding.is_short

    def quick(
        self, repeat: int, clock: model_state.Clock, locks: Sequence[Any], watched: Sequence[Condition], memory: Any
    ) -> QuickCall:
        """All of such a call as one native function, for as long as what holds now does; it keeps `memory`."""
        if not repeat or self._serial is None or self._copied is None or self._copied.nbytes > SMALL:
            return no_quick_call
        clocks = [] if self._preparation is None else self._preparation.clocks
        conditions = [(self._open, 1), (model_state.CHANGES, self._epoch), *watched]
        conditions += [(clock.word, ticks) for clock, ticks in clocks]
        if self._quick[0] != conditions:
            call = quick_call(repeat, self.binding, self._copied, clock.word, locks, conditions, memory)
            self._quick = conditions, call
        return self._quick[1]

    def close(self) -> None:
        """From now on its quick calls do nothing, whoever has them."""
        self._open.value = 0

    def results(self) -> Any:
        """The results, each an array that nobody else holds."""
        if self._copied is not None:
            return self._copied.copy()
        assert self._parts is not None
        filled, self._filled = self._filled, []
        if self._shelf is not None:
            return filled[0]
        arrays = [filled[part] if isinstance(part, int) else part.copy() for part in self._parts]
        return arrays[0] if len(arrays) == 1 else tuple(arrays)


def _parts(binding: Binding) -> list[int | Array] | None:
    """What each result is: the array that kernels fill, by its number, or what to copy; None where it is another."""
    numbers = {value: number for number, (value, _) in enumerate(binding.output_places)}
    parts: list[int | Array] = []
    for value in binding.program.graph.outputs:
        if isinstance(value, Literal):
            return None
        root = binding.program.root(value)
        if root is value and root in numbers:
            parts.append(numbers.pop(root))
        elif root in binding.views:
            parts.append(binding.views[root].reshape(binding.shape(value)))
        else:
            return None
    return parts
