"""Ops that move elements, which costs nothing where they are loaded: every kernel that reads them repeats them."""

from __future__ import annotations

from graphc.ir import Node
from graphc.passes.fuse.place import squeezed

VIEWS = frozenset({"broadcast_to", "permute_dims", "slice", "flip", "windows"})
FREE = frozenset({"full", "iota"})


def is_squeeze(node: Node) -> bool:
    """Whether a node only adds or removes axes of extent 1."""
    return node.op.name == "reshape" and squeezed(node.operands[0].type.shape) == squeezed(node.result.type.shape)


def is_floating(node: Node) -> bool:
    """Whether a node is repeated where it is read instead of being computed once."""
    return node.op.name in VIEWS or node.op.name in FREE or is_squeeze(node)
