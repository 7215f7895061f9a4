"""Whether a call's arrays are what a table is made for, asked natively: a few nanoseconds an array.

    fits(form, arrays)          # -1 where they are, and their addresses are in the rows, and the table has been walked

`form` is an array of words that says what is to be in the tuple `arrays`, and what to do then (`array_form.py`); both
are addresses of Python objects. Types, dtypes, extents and flags are read from NumPy's structs. Nothing is asked of
Python, but its lock must be held: nobody may give an array another shape meanwhile. It is held while the table runs,
too, so this is for small ones; where there is no entry to walk, arrays are placed and that is all.

The answer is the address of a Python integer: -1, NO_FIT, or 0 where a kernel met trouble.
"""

from __future__ import annotations

from numba.extending import register_jitable

from graphc.backends.cpu.array_address import DATA, DTYPE, EXTENTS, FLAGS, ITEMS, LENGTH, RANK, READABLE, TYPE
from graphc.backends.cpu.array_form import ANSWERS, ARRAYS, COUNT, ENTRIES, HOLD, NO_FIT, ROWS, STATUS, TABLE
from graphc.backends.cpu.atomics import ask, read, signed, write
from graphc.backends.cpu.driver import walk

SIGNATURES = {"fits": "int64(uintp, uintp)"}
OPTIONS = {"nopython": True, "forceinline": True, "error_model": "numpy"}


def fits(form: int, arrays: int) -> int:
    """Place the arrays and walk the table; the answer as an object, with a reference for the caller."""
    at = read(signed(form) + DATA)
    answer = read(at + ANSWERS + 8 * min(walk_with(at, signed(arrays)), 0))
    return ask(read(at + HOLD), answer)


@register_jitable(forceinline=True)
def walk_with(form: int, arrays: int) -> int:
    """The same for the address of the words, and as a number. What the arrays are to be, of each: its type, dtype, rank
    and how many places; its extents; its places.
    """
    count, rows, at = read(form + COUNT), read(form + ROWS), read(form + ARRAYS)
    if read(arrays + LENGTH) != count:
        return NO_FIT
    item = arrays + ITEMS
    for _ in range(count):
        array = read(item)
        if read(array + TYPE) != read(at) or read(array + DTYPE) != read(at + 8):
            return NO_FIT
        rank, places = read(at + 16), read(at + 24)
        if read(array + RANK) & 0xFFFFFFFF != rank or read(array + FLAGS) & READABLE != READABLE:
            return NO_FIT
        at += 32
        extents = read(array + EXTENTS)
        for axis in range(rank):
            if read(extents + 8 * axis) != read(at + 8 * axis):
                return NO_FIT
        at += 8 * rank
        address = read(array + DATA)
        for _ in range(places):
            write(rows + 8 * read(at), address + read(at + 8))
            at += 16
        item += 8
    return walk(read(form + TABLE), read(form + ENTRIES), read(form + STATUS))
