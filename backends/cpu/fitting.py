"""Whether a call's arrays are what a table is made for, asked natively: a few nanoseconds an array.

    fits(form, 0, arrays)           # -1 where they are, and their addresses are in the rows; else NO_FIT
    fits(form, entries, arrays)     # the same, and then walks the table on this thread: -1, or where it met trouble

`arrays` is the address of a tuple, and `form` the words that say what is to be in it (`array_form.py`): types, dtypes,
extents and flags are read from NumPy's structs. Nothing is asked of Python, but its lock must be held: nobody may give
an array another shape meanwhile. It is held while the table runs, too, so this is for small ones.
"""

from __future__ import annotations

from numba.extending import register_jitable

from graphc.backends.cpu.array_address import DATA, DTYPE, EXTENTS, FLAGS, ITEMS, LENGTH, RANK, READABLE, TYPE
from graphc.backends.cpu.array_form import NO_FIT
from graphc.backends.cpu.atomics import read, signed, write
from graphc.backends.cpu.driver import walk

SIGNATURES = {"fits": "int64(uintp, int64, uintp)"}
OPTIONS = {"nopython": True, "forceinline": True, "error_model": "numpy"}


def fits(form: int, entries: int, arrays: int) -> int:
    """What C calls: `walk_with` under its own name."""
    return walk_with(form, entries, arrays)


@register_jitable(forceinline=True)
def walk_with(form: int, entries: int, arrays: int) -> int:
    """The form: how many arrays, the addresses of the rows, of the table and of the status block; of each array its
    type, dtype, rank and how many places; its extents; its places.
    """
    at, item = signed(form), signed(arrays) + ITEMS
    count, rows = read(at), read(at + 8)
    if read(signed(arrays) + LENGTH) != count:
        return NO_FIT
    table, status = read(at + 16), read(at + 24)
    at += 32
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
    return walk(table, entries, status)
