"""`prepare`: contractions and reductions in the few forms that kernels compute.

    convolution                                   ->  windows of its input and a dot_general (prepare_convolution.py)
    dot_general: f32[3,4,C] · f32[O,3,4]          ->  f32[3,4,C] · permute_dims: f32[3,4,O]
    sum(windows, axis=(4, 5)): f32[N,C,P,Q,2,2]   ->  four parts of an image, added (window_taps.py)
    sum(x, axis=1): f32[B,T,C]                    ->  sum(permute_dims(x), axis=2), or axis=0 where C is 64, 128, …
    sum(x, axis=(0, 2, 3)): f32[N,C,H,W]          ->  sum(sum(x, axis=(2, 3)), axis=0)

Afterwards a contraction is of floating-point numbers, and its right operand has columns that lie side by side, or a
depth of one axis (`graphc/passes/fuse/product.py`); a row times a matrix that is kept row by row is one, too, and so is
its transpose; sums of other products of vectors, of integers and of 16-bit floats are a product and a sum; and a
reduction folds the first axes or the last ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.builder import Builder
from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind, recording
from graphc.ops.choice import cast
from graphc.ops.contraction import dot_general, free_axes, grouped_dot, order_of_groups
from graphc.ops.control import map as map_op
from graphc.ops.convolution import convolution
from graphc.ops.creation import full
from graphc.ops.recurrence import scan
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.ops.window import overlap_add, windows
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.decompose import decompose, replace_values
from graphc.passes.fuse.product import fits_a_kernel, is_product_of_groups, is_row_times_matrix, product_of_extents
from graphc.passes.layout import channels_last
from graphc.passes.prepare_convolution import as_product
from graphc.passes.split_columns import split_columns
from graphc.passes.window_taps import form_by_taps
from graphc.tensor import Tensor
from graphc.types import Shape, f32, f64

COLUMNS = 64  # that kernels compute together


def prepare(graph: Graph) -> Graph:
    """Rewrite convolutions, contractions and reductions; composites that are left are opened first."""
    graph = _numbers_in_memory(decompose(graph))
    if any(node.op in (windows, overlap_add) for node in graph.nodes):
        pooled = graph
        graph = dce(_rewritten(pooled, lambda node: form_by_taps(node, pooled)))
    if any(node.op is convolution for node in graph.nodes):
        # A convolution and the gradient for its kernels read one image with margins.
        graph = channels_last(_rewritten(graph, lambda node: _as_product if node.op is convolution else None))
        graph, _ = cse(graph)
    return split_columns(_rewritten(_rewritten(graph, _form_of_groups), _form_of))


def _numbers_in_memory(graph: Graph) -> Graph:
    """The graph with arrays of rank 0 for the numbers that loops take."""
    loops = [node for node in graph.nodes if node.op in (scan, map_op)]
    if not any(isinstance(operand, Literal) for node in loops for operand in node.operands):
        return graph
    builder = Builder.rewriting(graph)
    for node in graph.nodes:
        if node in loops:
            node = node.with_operands([_in_memory(builder, node, operand) for operand in node.operands])
        builder.append(node)
    return graph.with_(nodes=tuple(builder.nodes))


def _in_memory(builder: Builder, node: Node, operand: Value) -> Value:
    if not isinstance(operand, Literal):
        return operand
    with builder.provenance(node.provenance):
        return builder.node(full, value=operand.value, shape=(), dtype=operand.type.dtype).value


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


def _form_of_groups(node: Node) -> Form | None:
    """Groups among the columns stay where a kernel can compute them so; others come first, as a batch."""
    return _groups_first if node.op is grouped_dot and not is_product_of_groups(node) else None


def _groups_first(node: Node, operands: list[Tensor]) -> Any:
    """(groups, rows, columns), put into the order of the op."""
    lhs, _ = operands
    product = dot_general(*operands, **node.attributes)
    return permute_dims(product, axes=order_of_groups(lhs, product.ndim, **node.attributes))


def _form_of(node: Node) -> Form | None:
    """How a node is rewritten; None where it is fine as it is."""
    if node.op is grouped_dot:
        return None
    if node.op.kind is Kind.CONTRACTION:
        if not _is_sum(node):
            return None if fits_a_kernel(node) else _contraction
        if is_row_times_matrix(node):
            return None
        return _transposed if is_row_times_matrix(_with_sides_changed(node)) else _sum_of_products
    folds_axes = node.op.kind is Kind.REDUCTION and isinstance(node.attributes["axis"], tuple)
    if folds_axes and (node.attributes["keepdims"] or not _is_plain_reduction(node)):
        return _reduction
    return None


# -- contractions -----------------------------------------------------------------------------------------------------


def _is_sum(node: Node) -> bool:
    """Whether it is no product of matrices, or not one of f32 or f64."""
    return node.result.type.dtype not in (f32, f64) or 1 in _extents(node)[1:]


def _extents(node: Node) -> tuple[Extent, Extent, Extent, Extent]:
    """How many products there are, and their rows, columns and depth."""
    (lhs, rhs), contract, batch = node.operands, node.attributes["contract"], node.attributes["batch"]
    left, right = lhs.type.shape, rhs.type.shape
    return (
        product_of_extents(left[a] for a in batch[0]),
        product_of_extents(left[a] for a in free_axes(len(left), contract[0], batch[0])),
        product_of_extents(right[a] for a in free_axes(len(right), contract[1], batch[1])),
        product_of_extents(left[a] for a in contract[0]),
    )


def _with_sides_changed(node: Node) -> Node:
    """The contraction with its right operand on the left: a matrix times a column becomes a row times a matrix."""
    (left, right), (first, second) = node.attributes["contract"], node.attributes["batch"]
    attributes = {**node.attributes, "contract": (right, left), "batch": (second, first)}
    return Node(node.op, node.operands[::-1], attributes, node.results, (), node.provenance)


def _transposed(node: Node, operands: list[Tensor]) -> Any:
    product = node.op(*reversed(operands), **_with_sides_changed(node).attributes)
    return product if product.shape == node.result.type.shape else reshape(product, shape=node.result.type.shape)


def _contraction(node: Node, operands: list[Tensor]) -> Any:
    """A contraction whose operands have their axes in the order that suits a kernel: batch, rows, depth, columns."""
    contract, batch = node.attributes["contract"], node.attributes["batch"]
    lhs, rhs = operands
    left = (*batch[0], *free_axes(lhs.ndim, contract[0], batch[0]), *contract[0])
    right = (*batch[1], *contract[1], *free_axes(rhs.ndim, contract[1], batch[1]))
    shared, depth = len(batch[0]), len(contract[0])
    first = tuple(range(shared))
    summed = tuple(range(lhs.ndim - depth, lhs.ndim)), tuple(range(shared, shared + depth))
    return node.op(_moved(lhs, left), _moved(rhs, right), contract=summed, batch=(first, first))


def _moved(x: Tensor, axes: tuple[int, ...]) -> Any:
    return x if axes == tuple(range(x.ndim)) else permute_dims(x, axes=axes)


def _stacked(x: Tensor, batch: Any, free: Any, contract: Any, extents: tuple[Extent, ...]) -> Tensor:
    """An operand as (batch, free, contracted)."""
    axes = (*batch, *free, *contract)
    if axes != tuple(range(x.ndim)):
        x = permute_dims(x, axes=axes)
    return x if x.shape == extents else reshape(x, shape=extents)


def _sum_of_products(node: Node, operands: list[Tensor]) -> Any:
    """Σ a·b over the last axis; 16-bit floats are multiplied and added in f32 and rounded once."""
    contract, batch = node.attributes["contract"], node.attributes["batch"]
    lhs, rhs = operands
    extents = shared, rows, columns, depth = _extents(node)
    left, right = free_axes(lhs.ndim, contract[0], batch[0]), free_axes(rhs.ndim, contract[1], batch[1])
    a = _stacked(lhs, batch[0], left, contract[0], (shared, rows, depth))
    b = _stacked(rhs, batch[1], right, contract[1], (shared, columns, depth))
    dtype = a.dtype
    if dtype.is_float and dtype.bits == 16:
        a, b = cast(a, dtype=f32), cast(b, dtype=f32)
    a = broadcast_to(reshape(a, shape=(shared, rows, 1, depth)), shape=extents)
    b = broadcast_to(reshape(b, shape=(shared, 1, columns, depth)), shape=extents)
    total = reshape(a * b, shape=(shared, rows, columns)) if depth == 1 else sum_op(a * b, axis=(3,))
    total = total if total.dtype is dtype else cast(total, dtype=dtype)
    return reshape(total, shape=node.result.type.shape)


# -- reductions -------------------------------------------------------------------------------------------------------


def _is_plain_reduction(node: Node) -> bool:
    """Whether the first axes or the last ones are folded, axes of extent 1 aside."""
    shape, axis = node.operands[0].type.shape, node.attributes["axis"]
    flags = [i in axis for i, extent in enumerate(shape) if extent != 1]
    return flags in (sorted(flags), sorted(flags, reverse=True)) and bool(axis)


def _are_lines(shape: Shape) -> bool:
    """Whether what lies behind the folded axes is a number of whole blocks of columns, to be read side by side."""
    size = product_of_extents(shape)
    return isinstance(size, int) and size > 0 and size % COLUMNS == 0


def _reduction(node: Node, operands: list[Tensor]) -> Any:
    """A reduction of the last axes, then of the first ones; of others after moving them to either end."""
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
        if _are_lines(x.shape[max(axis) + 1 :]):
            x = permute_dims(x, axes=(*axis, *kept))
            total = node.op(x, axis=tuple(range(len(axis))))
        else:
            x = permute_dims(x, axes=(*kept, *axis))
            total = node.op(x, axis=tuple(range(len(kept), x.ndim)))
    elif rest and tail and len(rest) < last:
        total = node.op(node.op(x, axis=tail), axis=rest)
    else:
        total = node.op(x, axis=axis)
    total = total if total.dtype is dtype else cast(total, dtype=dtype)
    return total if total.shape == shape else reshape(total, shape=shape)
