"""What it costs to compute a value again, in bytes that could be moved instead, and who may be asked to.

    effort = Effort(rate=0.1, writes=True)   # a byte of memory is worth the time in which ten are moved
    cost(node, lifetimes, effort)            # None where the node may not be computed again

The unit makes time and memory comparable: a kernel that computes an element again instead of reading it is as fast, as
long as the arithmetic hides behind what it reads and writes anyhow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from graphc.dim import evaluate_extent
from graphc.ir import Node
from graphc.op import Kind
from graphc.passes.rematerialize.lifetimes import Lifetimes

# Bytes that a core moves to or from memory in the time of one element, by ops: from the machine of docs/benchmarks.md,
# 0.4 ns for a transcendental function, 85 GFLOP/s and 18 GB/s for each core.
SIMPLE = 0.1
TRANSCENDENTAL = 4.0
RANDOM = 8.0
FLOPS_A_BYTE = 5.0

# Functions in scalar expressions that are one instruction or two; any other one is a formula of its own.
_QUICK = frozenset({
    "abs", "cast", "ceil", "clip", "copysign", "floor", "isfinite", "isinf", "round", "rsqrt", "shift_left",
    "shift_right", "sign", "signbit", "sqrt", "trunc",
})  # fmt: skip


@dataclass(frozen=True)
class Effort:
    """How much may be computed again.

    The time in which a byte is moved is spent where it saves at least `rate` bytes of memory. `writes` allows what
    somebody reads as a whole, so that it is written again; `contractions` allows products and reductions. `segments`
    cuts the early half into so many parts; what passes from one to the next is kept, so that one part at a time is
    computed again.
    """

    rate: float = 1.0
    writes: bool = False
    contractions: bool = False
    segments: int = 1


FREE = Effort(0.5, writes=True)  # what is done unasked, since steps take no longer with it


def cost(node: Node, lifetimes: Lifetimes, effort: Effort) -> float | None:
    """The bytes that could be moved while a node is computed again; None where it may not be."""
    if len(node.results) != 1:
        return None
    result = node.results[0]
    written = node in lifetimes.turned or _is_written(node, lifetimes)
    if written and not effort.writes:
        return None
    work = _work(node, lifetimes, effort)
    return None if work is None else work + (lifetimes.bytes(result) if written else 0.0)


def _is_written(node: Node, lifetimes: Lifetimes) -> bool:
    """Whether a late reader wants the value as an array."""
    if node.results[0] in lifetimes.wide:
        return False
    return any(whole and lifetimes.is_late(user) for user, whole in lifetimes.readers(node.results[0]))


def _work(node: Node, lifetimes: Lifetimes, effort: Effort) -> float | None:
    kind = node.op.kind
    elements = lifetimes.count(node.results[0])
    if lifetimes.is_view(node):
        return 0.0
    if kind is Kind.ELEMENTWISE:
        is_simple = node.op.name in _QUICK or "(" not in (node.op.scalar or "(").partition("if")[0]
        return elements * (SIMPLE if is_simple else TRANSCENDENTAL)
    if kind is Kind.RANDOM:
        return elements * RANDOM
    if node.op.name in ("pad", "concat"):
        return elements * SIMPLE if effort.writes else None
    if kind is Kind.CONTRACTION and node.results[0] in lifetimes.wide:
        return float(sum(map(lifetimes.bytes, node.operands)))
    if not effort.contractions:
        return None
    if kind is Kind.REDUCTION and node.op.name not in ("argmax", "argmin"):
        return float(lifetimes.bytes(node.operands[0]))
    if kind is Kind.CONTRACTION:
        return 2.0 * elements * _depth(node, lifetimes) / FLOPS_A_BYTE
    return None


def _depth(node: Node, lifetimes: Lifetimes) -> int:
    """How many products an element of a contraction is the sum of."""
    if "contract" in node.attributes:
        lhs = node.operands[0].type.shape
        extents = [lhs[axis] for axis in node.attributes["contract"][0]]
    else:  # a convolution: all of a kernel
        extents = list(node.operands[1].type.shape[1:])
    return math.prod(evaluate_extent(extent, lifetimes.dims) for extent in extents)
