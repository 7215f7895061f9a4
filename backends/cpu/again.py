"""A call that is like the one before: nothing is looked up, and Python has little to do.

    again = Again(binding, binding.form.place, native.run, epoch, preparation)
    if again.place(arrays) == 1 and again.is_same():    # arrays of the same types, state where it was
        again.run()                                     # -1, or the step that met trouble
        return again.results()

It serves tables whose results are small and lie in the arena, and whose state is updated in place: then all that a call
changes are the addresses of its arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import state as model_state
from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.preparation import Preparation


class Again:
    """A table and what calls of it need, ready at hand."""

    __slots__ = ("_epoch", "_native", "_preparation", "_view", "_views", "binding", "place")

    def __init__(
        self, binding: Binding, place: Callable[[tuple[Any, ...]], int], native: Callable[[Binding], int],
        epoch: int, preparation: Preparation | None,
    ) -> None:  # fmt: skip
        self.binding = binding
        self.place = place
        self._native = native
        self._preparation = preparation
        self._views = binding.result_views
        is_plain = self._views and not binding.output_places and not binding.copied
        self._epoch = epoch if is_plain else -1  # of the state's arrays; -1 where more is to be done
        self._view = self._views[0] if self._views and len(self._views) == 1 else None

    def is_same(self) -> bool:
        """Whether state and what is made of it are as they were."""
        if model_state.epoch() != self._epoch:
            return False
        return self._preparation is None or not self._preparation.is_stale()

    def run(self) -> int:
        """Walk the table."""
        call = self.binding.serial_call
        return call() if call is not None else self._native(self.binding)

    def results(self) -> Any:
        """The results, each an array that nobody else holds."""
        if self._view is not None:
            return self._view.copy()
        assert self._views is not None
        return tuple([view.copy() for view in self._views])
