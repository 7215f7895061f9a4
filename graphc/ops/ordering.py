"""`after`: a value, not before another one is known.

    %again: f32[N,512] = after(%h, %d_y)          // %h, for what shall be computed when %d_y is

A graph says what is computed, not when. What is computed twice to save memory must run late, and must not be merged
with what it repeats: `after` says so. It is no work, and changes no number.
"""

from __future__ import annotations

from typing import Any

from graphc.op import Kind, Op, define_op
from graphc.samples import integers, real, sample

after: Op = define_op(
    "after",
    kind=Kind.INJECTIVE,
    infer=lambda x, y: x,
    reference=lambda x, y: x,
    vjp=lambda g, y_, x, y: (g, None),
    jvp=lambda t, y_, x, y: t[0],
    samples=[sample(real(4, 5), real(3)), sample(real(), real(0, 2)), sample(integers(3), real())],
    doc="x, for readers that shall not run before y is known.",
)


def is_after(node: Any) -> bool:
    """Whether a node only says when what reads it may run."""
    return node.op is after
