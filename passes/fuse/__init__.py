"""Fusion: ops that one kernel computes become one `fused` op, and every edge is accounted for in a ledger."""

from graphc.passes.fuse.fusion import fuse, fuse_with_ledger
from graphc.passes.fuse.ledger import Edge, Ledger

__all__ = ["Edge", "Ledger", "fuse", "fuse_with_ledger"]
