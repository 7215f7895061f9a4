"""Ops whose elements depend on where they are: reading at computed indices, margins, joins, and random bits.

    take(x, i)         index = to_i64(i_in[i0]); held = index checked to be below 10; y = x_in[4*held + i1]
    pad(x, low=(1,))   y = x_in[i0 - 1] where 0 <= i0 - 1 < n else 0.0
    concat(a, b)       b first, then a where the position lies in a

Each function appends the statements of one op to a scope, and gives the scalar that holds its element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.backends.nests.nest import Check, Compute, Index, Load
from graphc.backends.nests.positions import Indices, linear
from graphc.backends.nests.scalar import computing, literal
from graphc.dim import Extent
from graphc.ir import Literal, Node, Value
from graphc.types import bool_, i64

if TYPE_CHECKING:
    from graphc.backends.nests.reading import Reader, Scope


def random_bits(reader: Reader, node: Node, scope: Scope) -> str:
    """The word of a random stream at this position."""
    rng = reader.buffers[node.operands[0]]
    seed = reader.load(rng, Index(0), reader.scalars, node.operands[0])
    step = reader.load(rng, Index(1), reader.scalars, node.operands[0])
    position = linear(reader.own_indices(node, scope), node.result.type.shape)
    template = f"random_bits({{0}}, {{1}}, {node.attributes['stream']}, {{2}})"
    return reader.define(node, template, (seed, step, position), scope)


def gather(reader: Reader, node: Node, scope: Scope) -> str:
    """The element at an index, which is checked, and held within bounds where it is wrong."""
    x, indices = node.operands
    axis, own = node.attributes["axis"], reader.own_indices(node, scope)
    if node.op.name == "take":
        count = indices.type.rank
        places = own[axis : axis + count]
        at: list[Index] = [*own[:axis], Index(), *own[axis + count :]]
    else:
        places, at = own, [*own[:axis], Index(), *own[axis + 1 :]]
    if isinstance(indices, Literal) or indices in reader.group.places:
        found = reader.need(indices, scope)
    else:
        found = reader.read(indices, places, scope)
    extent = x.type.shape[axis]
    wide = reader.names.of("index")
    scope.statements.append(Compute(wide, "to_i64({0})", (found,), i64))
    held = reader.names.of("index")
    scope.statements.append(Check(held, wide, extent, node))
    at[axis] = Index(0, (), ((held, 1),))
    target = reader.names.of(node.result.name)
    scope.names[node.result] = target
    scope.statements.append(Load(target, reader.buffers[x], linear(at, x.type.shape)))
    return target


def pad(reader: Reader, node: Node, scope: Scope) -> str:
    """The element that lies here, or the value of the margin."""
    (x,) = node.operands
    own, attributes = reader.own_indices(node, scope), node.attributes
    between = attributes["interior"] or (0,) * len(own)
    at: Indices = []
    guards = []
    for k, (index, low, inside) in enumerate(zip(own, attributes["low"], between, strict=True)):
        shifted = index.plus(-low)
        extent = x.type.shape[k]
        guards.append((shifted, extent * (inside + 1), inside + 1))
        if inside:
            quotient = reader.names.of("place")
            scope.statements.append(Compute(quotient, f"{{0}} // {inside + 1}", (shifted,), i64))
            shifted = Index(0, (), ((quotient, 1),))
        at.append(shifted)
    otherwise = literal(attributes["value"], computing(x.type.dtype))
    return _guarded(reader, node, x, at, tuple(guards), otherwise, scope)


def concat(reader: Reader, node: Node, scope: Scope) -> str:
    """The element of the operand that this position lies in."""
    own, axis = reader.own_indices(node, scope), node.attributes["axis"]
    start: Extent = 0
    name = literal(False if node.result.type.dtype is bool_ else 0, computing(node.result.type.dtype))
    for x in node.operands:
        extent = x.type.shape[axis]
        at = [index.plus(-start) if k == axis else index for k, index in enumerate(own)]
        name = _guarded(reader, node, x, at, ((at[axis], extent, 1),), name, scope)
        start = start + extent
    return name


def _guarded(
    reader: Reader,
    node: Node,
    x: Value,
    at: Indices,
    guards: tuple[tuple[Index, Extent, int], ...],
    otherwise: str,
    scope: Scope,
) -> str:
    if isinstance(x, Literal):
        return reader.literal(x)
    target = reader.names.of(node.result.name)
    x, at = reader.through_views(x, at)
    scope.statements.append(Load(target, reader.buffers[x], linear(at, x.type.shape), guards, otherwise))
    scope.names[node.result] = target
    return target
