"""The native driver: walks a step's table and calls its kernels, alone or with the threads that help.

    run(table, entries, control)         # -1, or the last entry that ran: its wave left the status block not zero
    run_serial(table, entries, status)   # the same by one thread: nothing but calls and the look at the status block
    help(control)                        # what a helper thread does until it is told to stop

The table is cut into *waves*: an entry and those after it, as long as each is marked as independent of the next. The
slices of a wave run in any order on any thread; the finish of an entry runs after its slices, once; the next wave
starts when all this is done. Between two waves the status block is looked at.

Why this is safe
----------------
The caller describes a wave (FIRST, LEFT), sets PENDING to its number of slices and CLAIM to all of them: the place of
the first that nobody took in the upper half of the word, their number in the lower. A slice is taken by a
compare-and-exchange of CLAIM that leaves one less: the caller takes the first, a helper the last. So in each step of a
loop a thread gets much the same slices, and finds its weights, and what it wrote before, in its own cache. Who has
finished a slice subtracts it from PENDING (with a finish, the last of the entry's slices runs it and subtracts
them all). The caller waits for PENDING to be 0, and only then describes the next wave.

- *Each slice runs once*: what CLAIM names gets smaller by the slice that was taken, and never larger within a wave.
- *A late helper does no harm.* Before it has a slice, a helper reads nothing but CLAIM. If it read it long ago, in
  another wave or another step, and CLAIM happens to hold the same again, then what it takes is the last slice that
  nobody took of the wave that runs now: nothing that it knew of an older wave plays a part. So there is no ABA
  problem, no epoch, and nobody counts who looks. While it holds the slice PENDING is not 0, so that the description
  stays and the table lives.
- *Nobody waits for a helper without a slice.* CLAIM runs empty by the caller's own hand; PENDING misses only what was
  taken.
- *Memory order.* All atomic accesses are sequentially consistent. The caller's store to CLAIM comes after the
  description, and all that change CLAIM read-modify-write it, so whoever takes a slice sees the description and
  everything that came before. Likewise all changes of PENDING (and of an entry's LEFT) are read-modify-writes: who
  reads the 0 (who is the last) sees what all slices wrote.
- *No helper sleeps while it is needed*, up to a delay: it counts itself in SLEEPERS and then looks at CLAIM once
  more; the caller sets CLAIM and then looks at SLEEPERS: one of them sees the other. BELL, read before, has moved if
  the call came in between, and then the futex does not sleep. A lost call would cost time only. STOP goes the same
  way, and there the bell rings in any case.
- *Two callers on one block*: the second finds BUSY and walks its table alone.
"""

from __future__ import annotations

from numba.extending import register_jitable

from graphc.backends.cpu.atomics import (
    add,
    call,
    compare_exchange,
    give_way,
    load,
    pause,
    read,
    signed,
    store,
    wait,
    wake,
    write,
)
from graphc.backends.cpu.control import (
    BELL,
    BUSY,
    CLAIM,
    COUNT,
    ENTRY,
    FINISH,
    FIRST,
    FLAGS,
    HELPERS,
    INDEPENDENT,
    KERNEL,
    LEFT,
    LINE,
    PENDING,
    PLACE,
    RESTING,
    RINGING,
    ROW,
    SLEEPERS,
    SLICES,
    SPINS,
    STOP,
    WAITING,
    WAVE,
)

# How Numba compiles them: types of the result and the arguments.
SIGNATURES = {
    "run": "int64(uintp, int64, uintp)",
    "run_serial": "int64(uintp, int64, uintp)",
    "help": "void(uintp)",
}
# Inlined and without checks for zero: no path is left on which a Python exception could come out, so that the object
# code asks for nothing of Python's.
OPTIONS = {"nopython": True, "forceinline": True, "error_model": "numpy"}
_inlined = register_jitable(forceinline=True)
PATIENCE = 1000  # pauses before the caller sleeps, while a helper finishes a slice
COURTESY = 64  # who waits gives way to whom it may be keeping from the core, every so many pauses
NAP, SHORT_NAP = 1000, 50  # microseconds, where there is no futex


def run(table: int, entries: int, control: int) -> int:
    """Walk a table with the helpers of a control block; a negative number of entries sends the helpers away."""
    at, block = signed(table), signed(control)
    if entries < 0:
        _dismiss(block)
        return -1
    if entries == 0:
        return -1
    status = read(read(at + ROW))
    if load(block + HELPERS) == 0 or compare_exchange(block + BUSY, 0, 1) != 0:
        return walk(at, entries, status)
    done = 0
    trouble = False
    while done < entries and not trouble:
        first = at + done * ENTRY
        count = _wave(first, entries - done)
        total = _prepare(block, first, count)
        if total > 1:
            _share(block, first, count, total)
        else:
            _alone(first, count)
        done += count
        if done == entries or not read(first + (count - 1) * ENTRY + FLAGS) & INDEPENDENT:
            trouble = _trouble(status)
    store(block + BUSY, 0)
    return done - 1 if trouble else -1


def run_serial(table: int, entries: int, status: int) -> int:
    """Walk a table alone."""
    return walk(signed(table), entries, signed(status))


def help(control: int) -> None:
    """Take slices as they come; sleep when there were none for a while; return when told to stop."""
    block = signed(control)
    idle = 0
    while True:
        claim = load(block + CLAIM)
        if claim & COUNT:
            if compare_exchange(block + CLAIM, claim, claim - 1) == claim:
                _work(block, (claim >> PLACE) + (claim & COUNT) - 1)
            idle = 0
        elif idle < read(block + SPINS):
            idle += 1
            _spin(idle)
        elif _sleep(block):
            return
        else:
            idle = 0


# -- alone ----------------------------------------------------------------------------------------------------------


@_inlined
def walk(at: int, entries: int, status: int) -> int:
    """Run a table on this thread: -1, or the last entry that ran."""
    for entry in range(entries):
        flags = _entry(at + entry * ENTRY)
        if (not flags & INDEPENDENT or entry == entries - 1) and _trouble(status):
            return entry
    return -1


@_inlined
def _alone(first: int, count: int) -> None:
    for entry in range(count):
        _entry(first + entry * ENTRY)


@_inlined
def _entry(at: int) -> int:
    """All slices of an entry and its finish; returns its flags."""
    kernel, row, slices, flags = read(at + KERNEL), read(at + ROW), read(at + SLICES), read(at + FLAGS)
    for taken in range(slices):
        call(kernel, row, taken, slices)
    if flags & FINISH:
        call(kernel, row, -1, slices)
    return flags


@_inlined
def _trouble(status: int) -> bool:
    either = read(status) | read(status + 8) | read(status + 16) | read(status + 24)
    other = read(status + 32) | read(status + 40) | read(status + 48) | read(status + 56)
    return (either | other) != 0


# -- together -------------------------------------------------------------------------------------------------------


@_inlined
def _wave(first: int, entries: int) -> int:
    """How many entries from here on may run at the same time and are given out together."""
    count = 1
    while count < entries and count < WAVE and read(first + (count - 1) * ENTRY + FLAGS) & INDEPENDENT:
        count += 1
    return count


@_inlined
def _prepare(block: int, first: int, count: int) -> int:
    """Count the slices of a wave and set what its entries have left."""
    total = 0
    for entry in range(count):
        slices = max(read(first + entry * ENTRY + SLICES), 0)
        total += slices
        write(block + LEFT + entry * LINE, slices)
    return total


@_inlined
def _share(block: int, first: int, count: int, total: int) -> None:
    """Run a wave together with whoever comes; what has no slices has its finish here."""
    write(block + FIRST, first)
    store(block + PENDING, total)
    store(block + CLAIM, total)
    _ring(block, total - 1)
    claim = total
    while claim & COUNT:
        if compare_exchange(block + CLAIM, claim, claim + (1 << PLACE) - 1) == claim:
            _work(block, claim >> PLACE)
        claim = load(block + CLAIM)
    for entry in range(count):
        if read(first + entry * ENTRY + SLICES) <= 0:
            _entry(first + entry * ENTRY)
    _await(block)


@_inlined
def _work(block: int, place: int) -> None:
    """Run a slice of the wave that was taken from CLAIM, and the finish if it was the entry's last."""
    at, entry = read(block + FIRST), 0
    while place >= max(read(at + SLICES), 0):
        place -= max(read(at + SLICES), 0)
        at += ENTRY
        entry += 1
    kernel, row, slices, flags = read(at + KERNEL), read(at + ROW), read(at + SLICES), read(at + FLAGS)
    call(kernel, row, place, slices)
    finished = 1
    if flags & FINISH:
        finished = 0
        if add(block + LEFT + entry * LINE, -1) == 1:
            call(kernel, row, -1, slices)
            finished = slices
    if finished > 0 and add(block + PENDING, -finished) == finished and load(block + WAITING) != 0:
        wake(block + PENDING, 1)


@_inlined
def _await(block: int) -> None:
    """Wait for the slices that helpers hold: with pauses, then giving way to them, then asleep."""
    patience = 0
    pending = load(block + PENDING)
    while pending > 0:
        patience += 1
        if patience < PATIENCE:
            _spin(patience)
        else:
            store(block + WAITING, 1)
            pending = load(block + PENDING)
            if pending > 0:
                wait(block + PENDING, pending, SHORT_NAP)
            store(block + WAITING, 0)
        pending = load(block + PENDING)


@_inlined
def _spin(turn: int) -> None:
    if turn & (COURTESY - 1):
        pause()
    else:
        give_way()


# -- sleep ----------------------------------------------------------------------------------------------------------


@_inlined
def _sleep(block: int) -> bool:
    """Sleep until the bell rings, and pass the call on; true when it is time to leave."""
    bell = load(block + BELL)
    add(block + SLEEPERS, 1)
    if load(block + CLAIM) & COUNT == 0 and load(block + STOP) == 0:
        wait(block + BELL, bell, NAP)
    add(block + SLEEPERS, -1)
    store(block + RINGING, 0)
    _ring(block, (load(block + CLAIM) & COUNT) - 1)
    return load(block + STOP) != 0


@_inlined
def _ring(block: int, wanted: int) -> None:
    """Wake one or two helpers, which wake others: a caller that woke them all would be the last to start.

    Not while a call is on its way, or while as many are awake as there are cores for.
    """
    spare = min(load(block + SLEEPERS) - read(block + RESTING), wanted, 2)
    if spare > 0 and compare_exchange(block + RINGING, 0, 1) == 0:
        add(block + BELL, 1)
        if wake(block + BELL, spare) == 0:
            store(block + RINGING, 0)


@_inlined
def _dismiss(block: int) -> None:
    store(block + STOP, 1)
    add(block + BELL, 1)
    wake(block + BELL, 1 << 30)
