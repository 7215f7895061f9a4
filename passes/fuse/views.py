"""Ops that move elements, which costs nothing where they are loaded: every kernel that reads them repeats them."""

from __future__ import annotations

from graphc.ir import Node
from graphc.passes.fuse.place import squeezed
from graphc.types import f32, f64

VIEWS = frozenset({"broadcast_to", "permute_dims", "slice", "flip", "windows"})
FREE = frozenset({"full", "iota"})


def is_squeeze(node: Node) -> bool:
    """Whether a node only adds or removes axes of extent 1."""
    return node.op.name == "reshape" and squeezed(node.operands[0].type.shape) == squeezed(node.result.type.shape)


def is_floating(node: Node) -> bool:
    """Whether a node is repeated where it is read instead of being computed once."""
    return node.op.name in VIEWS or node.op.name in FREE or is_squeeze(node)


def has_plain_margins(node: Node) -> bool:
    """Whether a node is a `pad` by known numbers of elements, all along the operand's first axis."""
    if node.op.name != "pad":
        return False
    attributes = node.attributes
    sides = (*attributes["low"], *attributes["high"])
    known = all(isinstance(n, int) and n >= 0 for n in sides) and not any(attributes["interior"] or ())
    return known and node.result.type.dtype in (f32, f64) and attributes["low"][:1] == attributes["high"][:1] == (0,)
