"""Whether a turn had its cores: processor time of all threads of this process, and time that they waited for a core.

    before = now()
    …
    share(before, now())        # {"cores": 1.98, "waits": 0.004}: two threads ran, and hardly ever waited

A thread waits while it is ready to run and another one, of whatever process, has the processor. Linux counts that;
where nobody does, `waits` is None. More threads than cores wait for one another.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

THREADS = Path("/proc/self/task")
COUNTED = Path("/proc/self/schedstat")


class Moment(NamedTuple):
    """Seconds up to now: by the clock, of all threads running, and of each thread waiting."""

    clock: float
    running: float
    waiting: dict[str, float] | None


def now() -> Moment:
    """What has been used so far."""
    waiting = _waiting()
    return Moment(time.perf_counter(), time.process_time(), waiting)


def share(before: Moment, after: Moment) -> dict[str, float | None]:
    """`cores`, processor seconds per second, and `waits`, seconds that threads waited per second."""
    seconds = after.clock - before.clock
    waits = None
    if before.waiting is not None and after.waiting is not None:
        waited = (total - before.waiting.get(thread, 0.0) for thread, total in after.waiting.items())
        waits = sum(waited) / seconds
    return {"cores": (after.running - before.running) / seconds, "waits": waits}


def _waiting() -> dict[str, float] | None:
    """The second number of schedstat: nanoseconds on a run queue."""
    if not COUNTED.exists():
        return None
    found: dict[str, float] = {}
    for thread in THREADS.iterdir():
        try:
            found[thread.name] = int((thread / "schedstat").read_text(encoding="ascii").split()[1]) * 1e-9
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
    return found
