"""A whole call that is like the one before, as one function of Python's C interface: it gives the result, or None.

    repeat(owner, arrays)       # `owner` is a tuple whose first item is the array of words of `quick.py`

It takes the turn (and does not wait for it), asks whether what the table was made for still holds, walks the table with
the arrays where they fit (`fitting.py`), copies the result, counts the run, and gives the turn back. None says that
nothing has happened, whatever the reason: the ordinary way finds it, and raises what there is to raise.

Nothing raises while the turn is held, so it is given back in any case: the result's array is made before, and what is
called once the last lock is taken cannot fail. Results of calls are references that this function owns.
"""

from __future__ import annotations

from numba.extending import register_jitable

from graphc.backends.cpu.array_address import DATA, ITEMS, TYPE
from graphc.backends.cpu.atomics import ask, ask_with, copy, read, signed, write
from graphc.backends.cpu.fitting import walk_with
from graphc.backends.cpu.quick import (
    CALL,
    CALL_WITH,
    CONDITION,
    CONDITIONS,
    DROP,
    FALSE,
    FORM,
    FRESH,
    HOLD,
    LISTS,
    LOCK,
    LOCKS,
    NONE,
    RESULT,
    SIZE,
    STATUS,
    TICKS,
    TRUE,
    TUPLE,
)

SIGNATURES = {"repeat": "int64(uintp, uintp)"}
OPTIONS = {"nopython": True, "forceinline": True, "error_model": "numpy"}
_inlined = register_jitable(forceinline=True)


def repeat(owner: int, arrays: int) -> int:
    """The result's object, or None; 0 where an exception is set, as memory ran out."""
    at, given = read(read(signed(owner) + ITEMS) + DATA), signed(arrays)
    if read(given + TYPE) != read(at + TUPLE):
        return ask(read(at + HOLD), read(at + NONE))
    fresh = ask(read(at + CALL), read(at + FRESH))
    if fresh == 0:
        return 0
    count = read(at + LOCKS)
    taken = 0
    answer = 1
    while answer > 0 and taken < count:
        answer = _take(at, at + LISTS + taken * LOCK)
        taken += max(answer, 0)
    done = answer > 0 and _holds(at, at + LISTS + count * LOCK) and _walk(at, given)
    if done:
        copy(read(fresh + DATA), read(at + RESULT), read(at + SIZE))
        ticks = read(at + TICKS)
        write(ticks, read(ticks) + 1)
    while taken > 0:
        taken -= 1
        ask(read(at + DROP), ask(read(at + CALL), read(at + LISTS + taken * LOCK + 8)))
    if done:
        return fresh
    ask(read(at + DROP), fresh)
    return 0 if answer < 0 else ask(read(at + HOLD), read(at + NONE))


@_inlined
def _take(at: int, lock: int) -> int:
    """Take a lock if it is free: 1, or 0 where it is not; -1 where an exception is set."""
    answer = ask_with(read(at + CALL_WITH), read(lock), read(at + FALSE))
    if answer == 0:
        return -1
    is_taken = answer == read(at + TRUE)
    ask(read(at + DROP), answer)
    return 1 if is_taken else 0


@_inlined
def _holds(at: int, condition: int) -> bool:
    """Whether every word holds what it is to hold."""
    holds = True
    for _ in range(read(at + CONDITIONS)):
        holds = holds and read(read(condition)) == read(condition + 8)
        condition += CONDITION
    return holds


@_inlined
def _walk(at: int, arrays: int) -> bool:
    """Walk the table if the arrays fit; what is left in the status block is for the ordinary way to find again."""
    trouble = walk_with(read(at + FORM), arrays)
    if trouble >= 0:
        status = read(at + STATUS)
        for word in range(8):
            write(status + 8 * word, 0)
    return trouble == -1
