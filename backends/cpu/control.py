"""The control block: the words that one caller and its helper threads share, and the marks in a step's table.

    block = bytearray(CONTROL_BYTES)        # in memory that stays where it is, aligned to LINE
    int64 at block + CLAIM                  # which slices of the running wave nobody has taken yet

Offsets are in bytes. What threads write while others spin on something else stands on a line of its own; lines are
128 bytes apart, because the hardware fetches 64-byte lines in pairs.
"""

from __future__ import annotations

LINE = 128

# What the owner of the block sets, and nobody writes during a step.
HELPERS = 0  # helper threads that run `help` on this block; 0: the caller does everything itself
RESTING = 8  # helpers that stay asleep because there are no cores for them
SPINS = 16  # pauses before a helper without work goes to sleep
STOP = 24  # not zero: helpers leave
# What the caller writes once per wave.
FIRST = 32  # address of the wave's first entry
BUSY = 1 * LINE  # 1 while a caller has the helpers
CLAIM = 2 * LINE  # slices of the wave that nobody has taken: the place of the first << PLACE | their number, in COUNT
PENDING = 3 * LINE  # slices of the wave that are not finished; a futex word
WAITING = PENDING + 8  # 1 while the caller sleeps on PENDING
BELL = 4 * LINE  # counts wake-up calls; a futex word
SLEEPERS = BELL + 8  # helpers that sleep, or are about to
RINGING = BELL + 16  # 1 from a wake-up call until a helper woke up
LEFT = 5 * LINE  # one line per entry of a wave: its slices that are not finished (entries with a finish only)
WAVE = 32  # entries that are given out together; a longer wave is given out in parts
CONTROL_BYTES = LEFT + WAVE * LINE

# The halves of CLAIM: how far the place is shifted, and the mask of the number.
PLACE, COUNT = 32, (1 << 32) - 1

# A step's table: four int64 words per entry.
ENTRY = 32
KERNEL = 0  # address of void(uintp row, int64 slice, int64 slices)
ROW = 8  # address of the kernel's arguments; their word 0 is the address of the status block
SLICES = 16
FLAGS = 24

FINISH = 1  # call kernel(row, -1, slices) once, after all slices of the entry
INDEPENDENT = 2  # no barrier between this entry and the next: they belong to one wave

STATUS_WORDS = 8  # a status block is int64[8]; all zero: no trouble
