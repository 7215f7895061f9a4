"""`prepare`: contractions and reductions in the few forms that kernels compute.

    convolution                                   ->  windows of its input and a dot_general (prepare_convolution.py)
    dot_general: f32[B,T,H,D] · f32[B,S,H,D]      ->  f32[B*H,T,D] · f32[B*H,S,D] as matrices, transposed where needed
    sum(x, axis=1): f32[B,T,C]                    ->  sum(permute_dims(x), axis=2)
    sum(x, axis=(0, 2, 3)): f32[N,C,H,W]          ->  sum(sum(x, axis=(2, 3)), axis=0)

Afterwards a contraction is of two floating-point matrices, or of two stacks of them; sums of products of vectors, of
integers and of 16-bit floats are a product and a sum; and a reduction folds the first axes or the last ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.builder import Builder
from graphc.dim import Extent
from graphc.ir import Graph, Node, Value
from graphc.op import Kind, recording
from graphc.ops.choice import cast
from graphc.ops.contraction import free_axes
from graphc.ops.convolution import convolution
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.passes.decompose import decompose, replace_values
from graphc.passes.layout import channels_last
from graphc.passes.prepare_convolution import as_product
from graphc.tensor import Tensor
from graphc.types import f32, f64


def prepare(graph: Graph) -> Graph:
    """Rewrite convolutions, contractions and reductions; composites that are left are opened first."""
    graph = decompose(graph)
    if any(node.op is convolution for node in graph.nodes):
        graph = channels_last(_rewritten(graph, lambda node: _as_product if node.op is convolution else None))
    return _rewritten(graph, _form_of)


Form = Callable[[Node, list[Tensor]], Any]


def _rewritten(graph: Graph, form_of: Callable[[Node], Form | None]) -> Graph:
    """The graph with the form of each node that has one instead of the node."""
    builder = Builder.rewriting(graph)
    renamed: dict[Value, Value] = {}
    for node in graph.nodes:
        form = form_of(node)
        if form is None:
            builder.append(node)
            continue
        count = len(builder.nodes)
        current = replace_operands(node, renamed)
        with recording(builder), builder.provenance(node.provenance):
            result = form(current, [builder.tensor(operand) for operand in current.operands])
        made = result.value
        if len(builder.nodes) > count and made in builder.nodes[-1].results:
            last = builder.nodes[-1]
            builder.nodes[-1] = Node(
                last.op, last.operands, last.attributes, node.results, last.regions, last.provenance
            )
        else:
            renamed[node.result] = made
    nodes = builder.nodes
    return replace_values(graph.with_(nodes=()), (), renamed).with_(
        nodes=tuple(replace_operands(node, renamed) for node in nodes)
    )


def replace_operands(node: Node, renamed: dict[Value, Value]) -> Node:
    """The node over what its operands were replaced by."""
    if not any(operand in renamed for operand in node.operands):
        return node
    return node.with_operands(renamed.get(operand, operand) for operand in node.operands)


def _as_product(node: Node, operands: list[Tensor]) -> Any:
    return as_product(*operands, **node.attributes)


def _form_of(node: Node) -> Form | None:
    """How a node is rewritten; None where it is fine as it is."""
    if node.op.kind is Kind.CONTRACTION and not _is_matrix_product(node):
        return _contraction
    folds_axes = node.op.kind is Kind.REDUCTION and isinstance(node.attributes["axis"], tuple)
    if folds_axes and (node.attributes["keepdims"] or not _is_plain_reduction(node)):
        return _reduction
    return None


# -- contractions -----------------------------------------------------------------------------------------------------


def _is_matrix_product(node: Node) -> bool:
    lhs, rhs = node.operands
    contract, batch = node.attributes["contract"], node.attributes["batch"]
    if lhs.type.dtype not in (f32, f64) or len(contract[0]) != 1 or len(batch[0]) > 1:
        return False
    if any(batch[0]) or any(batch[1]) or any(extent == 1 for extent in (*lhs.type.shape, *rhs.type.shape)):
        return False
    rank = 2 + len(batch[0])
    return lhs.type.rank == rank and rhs.type.rank == rank


def _contraction(node: Node, operands: list[Tensor]) -> Any:
    """A contraction as a product of (stacks of) matrices, or as a sum of products."""
    contract, batch = node.attributes["contract"], node.attributes["batch"]
    lhs, rhs = operands
    left = free_axes(lhs.ndim, contract[0], batch[0])
    right = free_axes(rhs.ndim, contract[1], batch[1])
    shape = node.result.type.shape
    shared = _product(lhs.shape[a] for a in batch[0])
    rows, columns = _product(lhs.shape[a] for a in left), _product(rhs.shape[a] for a in right)
    depth = _product(lhs.shape[a] for a in contract[0])
    dtype = node.result.type.dtype
    if dtype not in (f32, f64) or 1 in (rows, columns, depth):
        product = _sum_of_products(
            _stacked(lhs, batch[0], left, contract[0], (shared, rows, depth)),
            _stacked(rhs, batch[1], right, contract[1], (shared, columns, depth)),
            (shared, rows, columns, depth),
        )
        return reshape(product, shape=shape)
    a, a_contract = _matrix(lhs, batch[0], left, contract[0], (shared, rows, depth))
    b, b_contract = _matrix(rhs, batch[1], right, contract[1], (shared, columns, depth))
    stacked = ((0,), (0,)) if shared != 1 else ((), ())
    product = node.op(a, b, contract=((a_contract,), (b_contract,)), batch=stacked)
    return product if product.shape == shape else reshape(product, shape=shape)


def _product(extents: Any) -> Extent:
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def _stacked(x: Tensor, batch: Any, free: Any, contract: Any, extents: tuple[Extent, ...]) -> Tensor:
    """An operand as (batch, free, contracted)."""
    axes = (*batch, *free, *contract)
    if axes != tuple(range(x.ndim)):
        x = permute_dims(x, axes=axes)
    return x if x.shape == extents else reshape(x, shape=extents)


def _matrix(x: Tensor, batch: Any, free: Any, contract: Any, extents: tuple[Extent, ...]) -> tuple[Tensor, int]:
    """An operand as a (stack of a) matrix, in the order that its axes have where they allow it; its contracted axis."""
    shared, rows, depth = extents
    kept = tuple(range(x.ndim))
    by_depth = kept == (*batch, *contract, *free)
    if not by_depth and kept != (*batch, *free, *contract):
        x = permute_dims(x, axes=(*batch, *free, *contract))
    inner = (depth, rows) if by_depth else (rows, depth)
    shape = inner if shared == 1 else (shared, *inner)
    x = x if x.shape == shape else reshape(x, shape=shape)
    return x, len(shape) - 2 + (0 if by_depth else 1)


def _sum_of_products(a: Tensor, b: Tensor, extents: tuple[Extent, ...]) -> Any:
    """Σ a·b over the last axis; 16-bit floats are multiplied and added in f32 and rounded once."""
    shared, rows, columns, depth = extents
    dtype = a.dtype
    if dtype.is_float and dtype.bits == 16:
        a, b = cast(a, dtype=f32), cast(b, dtype=f32)
    a = broadcast_to(reshape(a, shape=(shared, rows, 1, depth)), shape=extents)
    b = broadcast_to(reshape(b, shape=(shared, 1, columns, depth)), shape=extents)
    total = reshape(a * b, shape=(shared, rows, columns)) if depth == 1 else sum_op(a * b, axis=(3,))
    return total if total.dtype is dtype else cast(total, dtype=dtype)


# -- reductions -------------------------------------------------------------------------------------------------------


def _is_plain_reduction(node: Node) -> bool:
    """Whether the first axes or the last ones are folded, axes of extent 1 aside."""
    shape, axis = node.operands[0].type.shape, node.attributes["axis"]
    flags = [i in axis for i, extent in enumerate(shape) if extent != 1]
    return flags in (sorted(flags), sorted(flags, reverse=True)) and bool(axis)


def _reduction(node: Node, operands: list[Tensor]) -> Any:
    """A reduction of the last axes, then of the first ones; of others after moving them to the end."""
    (x,) = operands
    axis, shape = node.attributes["axis"], node.result.type.shape
    if not axis:
        return x
    dtype = x.dtype
    if dtype.is_float and dtype.bits == 16:  # rounded once, at the end
        x = cast(x, dtype=f32)
    last = x.ndim
    while last and (last - 1 in axis or x.shape[last - 1] == 1):
        last -= 1
    tail = tuple(range(last, x.ndim))
    rest = tuple(a for a in axis if a < last)
    if rest and rest != tuple(range(len(rest))):
        kept = tuple(a for a in range(x.ndim) if a not in axis)
        x = permute_dims(x, axes=(*kept, *axis))
        total = node.op(x, axis=tuple(range(len(kept), x.ndim)))
    elif rest and tail and len(rest) < last:
        total = node.op(node.op(x, axis=tail), axis=rest)
    else:
        total = node.op(x, axis=axis)
    total = total if total.dtype is dtype else cast(total, dtype=dtype)
    return total if total.shape == shape else reshape(total, shape=shape)
