"""What holds for named extents need not hold for the numbers that a call binds them to: the ops are asked again.

    g = gc.trace(nn.BatchNorm1d(64), gc.f32["N", 64])
    admit(g, {"N": 1})           # ShapeError: batch_norm: training needs more than 1 value per channel, but got 1

A traced graph is asked once for each binding of its dims, before anything runs, so a call that is refused changes no
state. Passes may replace the op that refuses by others that would not, so executables ask the graph as it was traced.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from graphc.dim import Dim, dim, evaluate_extent
from graphc.errors import GraphcError
from graphc.ir import Graph, Literal, Node, Value
from graphc.text.attribute_text import print_attribute
from graphc.types import TensorType, f32


def admit(graph: Graph, dims: Mapping[str, int]) -> None:
    """Raise what an op of the graph raises, when it infers the types of its results with these extents."""
    if not dims:
        return
    for node in graph.nodes:
        if node.regions:
            for region in node.regions:
                admit(region, dims)
        elif _mentions_dims(node):
            types = (_bound_type(operand.type, dims) for operand in node.operands)
            attributes = {name: bound(value, dims) for name, value in node.attributes.items()}
            try:
                node.op.infer(*types, **attributes)
            except GraphcError as error:
                raise error.located(line=node.line, where=node.provenance.where) from None


def asked(graph: Graph) -> Graph:
    """A graph of the calls that `admit` asks about, each once, over inputs of the types of their operands.

    It is what the graph is to `admit`, but for where the nodes come from.
    """
    inputs = [Value("dims", TensorType(f32, tuple(map(dim, sorted(graph.dims)))))]  # so that all are known
    nodes: dict[Hashable, Node] = {}
    for node in (each for each in graph.walk() if not each.regions and _mentions_dims(each)):
        types = tuple((each.type, each.key if isinstance(each, Literal) else None) for each in node.operands)
        key = node.op, types, tuple(map(print_attribute, node.attributes.values()))
        if key not in nodes:
            operands = tuple(
                each if isinstance(each, Literal) else Value(f"x{len(nodes)}.{number}", each.type)
                for number, each in enumerate(node.operands)
            )
            results = tuple(Value(f"y{len(nodes)}.{number}", each.type) for number, each in enumerate(node.results))
            inputs += [each for each in operands if not isinstance(each, Literal)]
            nodes[key] = Node(node.op, operands, node.attributes, results)
    return Graph(graph.name, tuple(inputs), tuple(nodes.values()), ())


def _mentions_dims(node: Node) -> bool:
    return any(value.type.dims for value in (*node.operands, *node.results)) or any(
        _is_open(attribute) for attribute in node.attributes.values()
    )


def _is_open(attribute: Any) -> bool:
    return isinstance(attribute, Dim) or (isinstance(attribute, tuple) and any(map(_is_open, attribute)))


def _bound_type(type: TensorType, dims: Mapping[str, int]) -> TensorType:
    return type.with_shape(evaluate_extent(extent, dims) for extent in type.shape)


def bound(attribute: Any, dims: Mapping[str, int]) -> Any:
    """An attribute with its extents as integers."""
    if isinstance(attribute, Dim):
        return evaluate_extent(attribute, dims)
    if isinstance(attribute, tuple):
        return tuple(bound(item, dims) for item in attribute)
    return attribute
