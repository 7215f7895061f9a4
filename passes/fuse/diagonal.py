"""What a causal mask spares: stages of a chain whose matrices nobody needs beyond the diagonal.

    %look: bool[N,T,T] = greater_equal(%row, %column)       False beyond the diagonal
    %s: f32[N,T,T] = where(%look, %scores, -3.4e+38)        the least number there: no maximum is it
    %p: f32[N,T,T] = where(%look, %e, 0.0)                  0 there: it adds nothing, nor does what it is a factor of

A value is *known* beyond the diagonal where it is one number there, whatever the arrays hold. Products with 0 are 0 by
the laws of real numbers: a key that is not finite does not show in the rows that may not see it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

from graphc.dim import Dim
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.chain import is_stage
from graphc.passes.fuse.region import region_of
from graphc.types import Shape

SHORTEST = 128  # rows from where on it is worth it

Number = bool | int | float
_COMPARISONS = frozenset({"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"})


def stages_up_to_diagonal(region: Graph) -> set[Node]:
    """The stages of a chain's region whose columns may end at the diagonal, for all that read them."""
    known: dict[Value, Number] = {}  # of the values between the stages
    found: set[Node] = set()
    for node in region.nodes:
        stage, operands, results = region_of(node)
        given = {i: known[o] for i, o in zip(stage.inputs, operands, strict=True) if o in known}
        inside = _known_beyond(stage, given)
        outer = dict(zip(stage.outputs, results, strict=True))
        known |= {outer[value]: number for value, number in inside.items() if value in outer}
        if _may_end(stage, inside) and not any(_is_matrix(stage, i) for i, o in outer.items() if o in region.outputs):
            found.add(node)
    while True:
        refused = {node for node in found if not _suffices(region, node, found, known)}
        if not refused:
            return found
        found -= refused


def _suffices(region: Graph, node: Node, found: Container[Node], known: Mapping[Value, Number]) -> bool:
    """Whether all readers of a stage's matrices do with what lies before the diagonal."""
    stage, _, results = region_of(node)
    matrices = [o for i, o in zip(stage.outputs, results, strict=True) if _is_matrix(stage, i)]
    return all(
        _does_without(user, value, user in found, known.get(value))
        for value in matrices
        for user in region.users.get(value, ())
    )


def _does_without(node: Node, operand: Value, is_found: bool, number: Number | None) -> bool:
    """Whether a stage needs nothing of a matrix beyond the diagonal: zeros as a left operand, or where it ends, too."""
    stage, operands, _ = region_of(node)
    inner, product = dict(zip(operands, stage.inputs, strict=True))[operand], _product_of(stage)
    for user in stage.users.get(inner, ()):
        if user is product:
            if user.operands[1] is inner or number != 0:
                return False
        elif not is_found:
            return False
    return True


def _is_matrix(stage: Graph, value: Value) -> bool:
    return value.type.shape == _product_of(stage).result.type.shape


def _product_of(stage: Graph) -> Node:
    return next(node for node in stage.nodes if is_stage(node))


def _may_end(stage: Graph, known: Mapping[Value, Number]) -> bool:
    """Whether nothing that a stage computes beyond the diagonal changes the numbers of its rows."""
    shape = _product_of(stage).result.type.shape
    rows, columns = shape[-2:]
    if rows != columns or (isinstance(rows, int) and rows < SHORTEST):
        return False
    for node in stage.nodes:
        if node.op.kind is Kind.REDUCTION and node.operands[0].type.shape == shape:
            if not _is_neutral(node, known.get(node.operands[0])):
                return False
        elif node.op.kind is Kind.GATHER or node.op.name in ("pad", "concat"):
            return False
    return True


def _is_neutral(node: Node, number: Number | None) -> bool:
    """Whether a reduction folds a number without changing, where there is any other."""
    if number is None:
        return False
    if node.op.name == "sum":
        return number == 0
    dtype = node.operands[0].type.dtype
    if node.op.name == "max" and dtype.is_float:
        return number <= float(np.finfo(dtype.numpy).min)
    return False


def _known_beyond(stage: Graph, given: Mapping[Value, Number]) -> dict[Value, Number]:
    """The values of a stage that are one number wherever the column is greater than the row."""
    shape = _product_of(stage).result.type.shape
    known: dict[Value, Number] = dict(given)

    def number(value: Value) -> Number | None:
        if isinstance(value, Literal):
            return None if isinstance(value.value, Dim) else value.value
        return known.get(value)

    for node in stage.nodes:
        numbers = [number(operand) for operand in node.operands]
        result = _compared(stage, node, shape)
        if result is None and node.op.name == "full" and not isinstance(node.attributes["value"], Dim):
            result = node.attributes["value"]
        if result is None and node.op.name == "broadcast_to" and node.operands[0].type.shape[-2:] == shape[-2:]:
            result = numbers[0]
        if result is None and node.op.kind is Kind.ELEMENTWISE:
            result = _computed(node, numbers)
        if result is not None:
            known[node.result] = result
    return known


def _compared(stage: Graph, node: Node, shape: Shape) -> Number | None:
    """What a comparison of the row with the column says beyond the diagonal."""
    if node.op.name not in _COMPARISONS or node.result.type.shape[-2:] != shape[-2:]:
        return None
    rank, places = node.result.type.rank, []
    for operand in node.operands:
        maker = stage.producers.get(operand)
        if maker is None or maker.op.name != "iota" or maker.attributes["axis"] not in (rank - 2, rank - 1):
            return None
        places.append(maker.attributes["axis"] - (rank - 2))  # row 0, column 1
    if node.op.reference is None or places[0] == places[1]:
        return None
    return bool(node.op.reference(*map(np.int64, places)))


def _computed(node: Node, numbers: list[Number | None]) -> Number | None:
    """An elementwise op over what is known of its operands."""
    name = node.op.name
    if name == "where" and numbers[0] is not None:
        return numbers[1] if numbers[0] else numbers[2]
    if (name == "logical_and" and False in numbers) or (name == "logical_or" and True in numbers):
        return name == "logical_or"
    if (name == "mul" and 0 in numbers) or (name == "div" and numbers[0] == 0):
        return 0.0
    return None
