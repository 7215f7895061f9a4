"""Whether a small step is faster alone or with helpers: the clock says, since machines differ in what a call costs.

    trial = Trial(alone, together)      # two ways to walk one table, with the same results to the last bit
    trial.run()                         # by one of them, in turns, timed
    trial.is_alone                      # None until both have had their turns, then which one it is to be

What a helper brings to a step of some microseconds may be less than the way of the data to its core and back. How long
that way is no estimate knows: it is other cores' business, and in a virtual machine other machines'.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

TURNS = 25  # of each way
WORTH = 1.25  # times as long alone: less is soon lost, when the other core has something else to do
FIRST = 3  # turns of each way that tell already what is not short: the first of all finds cold caches
SHORT = 60_000  # nanoseconds; what takes longer alone is worth the helpers

Way = Callable[[], int]


class Trial:
    """Two ways of doing the same, until it is known which is faster."""

    __slots__ = ("_clock", "_times", "_ways", "is_alone")

    def __init__(self, alone: Way, together: Way, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._ways = together, alone
        self._times: tuple[list[int], list[int]] = [], []
        self._clock = clock
        self.is_alone: bool | None = None

    def run(self) -> int:
        """Do it in one of the two ways; gives what that gives."""
        together, alone = self._times
        way = len(alone) < len(together)
        before = self._clock()
        result = self._ways[way]()
        self._times[way].append(self._clock() - before)
        if len(alone) == FIRST and min(alone) > SHORT:
            self.is_alone = False
        elif len(alone) == TURNS:
            self.is_alone = median(alone) <= WORTH * median(together)
        return result
