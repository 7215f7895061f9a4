"""The columns of a contraction, panel by panel: two vectors at once, then what is left of them.

    each_panel(b, tiling, n, 48, body)        # with 16 lanes: body(j, vectors=2) for j = 0, body(j, vectors=1) for 32

Where the number of columns is known, so is what is left, and only that tile is compiled: 16 channels are one vector
without a mask.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from graphc.backends.cpu.vector_ir import Tiling, count_up, word

Panel = Callable[[ir.Value, int, bool], None]  # the first column, vectors, whether the last one is masked


def each_panel(b: ir.IRBuilder, tiling: Tiling, n: ir.Value, known: int | None, body: Panel) -> None:
    """body(j, vectors, masked) for the panels of n columns; `known` is n where it is a literal."""
    width, lanes = tiling.width, tiling.lanes

    def full(j: ir.Value) -> None:
        body(j, 2, False)

    if known is not None:
        count_up(b, 0, word(known - known % width), width, full, "panel")
        rest = known % width
        if rest:
            body(word(known - rest), 1 + (rest > lanes), rest % lanes != 0)
        return
    whole = b.sub(n, b.srem(n, word(width)))
    count_up(b, 0, whole, width, full, "panel")
    left = b.sub(n, whole)
    two_vectors = b.icmp_signed(">", left, word(lanes))
    with b.if_then(b.icmp_signed(">", left, word(0))), b.if_else(two_vectors) as (two, one):
        with two:
            body(whole, 2, True)
        with one:
            body(whole, 1, True)
