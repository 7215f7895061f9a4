"""Whether a call's arrays are what a table is made for, asked natively: a few nanoseconds an array.

    fits(form, arrays)              # 1 where they are, and their addresses are in the rows; else 0

`arrays` is the address of a tuple, and `form` the words that say what is to be in it (`array_form.py`): types, dtypes,
extents and flags are read from NumPy's structs. Nothing is asked of Python, but its lock must be held: nobody may give
an array another shape meanwhile.
"""

from __future__ import annotations

from graphc.backends.cpu.array_address import DATA, DTYPE, EXTENTS, FLAGS, ITEMS, LENGTH, RANK, READABLE, TYPE
from graphc.backends.cpu.atomics import read, signed, write

SIGNATURES = {"fits": "int64(uintp, uintp)"}
OPTIONS = {"nopython": True, "forceinline": True, "error_model": "numpy"}


def fits(form: int, arrays: int) -> int:
    """The form: how many arrays, the address of the rows; of each its type, dtype, rank, places; extents; places."""
    at, item = signed(form), signed(arrays) + ITEMS
    count, rows = read(at), read(at + 8)
    if read(signed(arrays) + LENGTH) != count:
        return 0
    at += 16
    for _ in range(count):
        array = read(item)
        if read(array + TYPE) != read(at) or read(array + DTYPE) != read(at + 8):
            return 0
        rank, places = read(at + 16), read(at + 24)
        if read(array + RANK) & 0xFFFFFFFF != rank or read(array + FLAGS) & READABLE != READABLE:
            return 0
        at += 32
        extents = read(array + EXTENTS)
        for axis in range(rank):
            if read(extents + 8 * axis) != read(at + 8 * axis):
                return 0
        at += 8 * rank
        address = read(array + DATA)
        for _ in range(places):
            write(rows + 8 * read(at), address + read(at + 8))
            at += 16
        item += 8
    return 1
