"""The text of a nest.

nest @relu over (N, 512) cut by columns
  in  x_in: f32, N*512 elements        %x
  out relu_out: f32, N*512 elements    %relu
  pass 0
    elements
      x = x_in[512*i0 + i1]
      relu = x if not (x <= float32(0.0)) else float32(0.0)        // %relu = relu(%x)
      relu_out[512*i0 + i1] = relu
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc.backends.nests.nest import Accumulator, Buffer, Check, Compute, Fold, Index, Load, Nest, Product, Statement
from graphc.passes.fuse.strided import Strided, strides_of


def print_nest(nest: Nest) -> str:
    """A nest as text, one statement a line."""
    domain = ", ".join(map(str, nest.domain))
    lines = [f"nest @{nest.name} over ({domain}) cut by {nest.cut}, {nest.split} of {len(nest.domain)} axes are rows"]
    for buffer in nest.buffers:
        lines.append(f"  {_buffer(buffer)}")
    for buffer, shared in nest.may_share.items():
        lines.append(f"  {buffer.name} may lie in {', '.join(each.name for each in shared)}")
    for product in nest.products:
        lines += _product(product)
    for home in nest.product_homes:
        assert nest.product is not None
        lines.append(f"  {nest.product.result.name} may lie in {home.name}")
    for margins in nest.margins:
        sides = ", ".join(f"{low}+{high}" for low, high in zip(margins.low, margins.high, strict=True))
        lines.append(f"  margins of {margins.buffer.name}: {sides} of {margins.value}")
    lines += _section("once", nest.scalars)
    lines += _section("first slice", nest.scalar_stores)
    for number, walk in enumerate(nest.passes):
        if not (walk.lines or walk.accumulators or walk.needs_elements):
            continue
        lines.append(f"  pass {number}")
        lines += _section(f"each of the {nest.cut}", walk.lines, 4)
        lines += [f"    start {_accumulator(accumulator)}" for accumulator in walk.accumulators]
        lines += _section("each row", walk.row_loads, 4)
        lines += _section("elements", walk.elements if walk.needs_elements else (), 4)
    for finish in nest.finishes:
        axes = ", ".join(f"i{axis}" for axis in finish.axes)
        lines.append(f"  finish for each of ({axes})" if axes else "  finish")
        lines += [f"    {total} = all parts of {accumulator.name}" for accumulator, total in finish.accumulators]
        lines += [f"    {line}" for line in map(_statement, finish.statements)]
    return "\n".join(lines)


def _product(product: Product) -> Iterator[str]:
    result, axes = product.result.name, product.axes
    packed = ""
    if product.panels is not None:
        how = "in panels already," if product.panels.role == "input" else "packed into"
        packed = f", {how} {product.panels.name}"
    if product.left_panels is not None:
        packed += f", the left one in panels already, {product.left_panels.name}"
    depth = " × ".join(str(axis.extent) for axis in axes.depth)
    yield (
        f"  product {result}[{product.rows}, {product.columns}] = {_strided(product.lhs, axes.left)} · "
        f"{_strided(product.rhs, axes.right)} over {depth}{packed}"
    )
    if axes.lines:
        yield f"    for each of the lines {' × '.join(str(axis.extent) for axis in axes.lines)}"


def _strided(buffer: Buffer, operand: Strided) -> str:
    """An operand, with the strides of its axes where it is a view."""
    strides = tuple(operand.strides)
    if strides == tuple(strides_of(operand.base.type.shape)) and operand.offset == 0:
        return buffer.name
    start = f" from {operand.offset}" if operand.offset != 0 else ""
    margins = " within margins" if operand.margins else ""
    return f"{buffer.name}{start} by ({', '.join(map(str, strides))}){margins}"


def _buffer(buffer: Buffer) -> str:
    role = {"input": "in ", "output": "out", "temporary": "tmp"}[buffer.role]
    each = " for each slice" if buffer.per_slice else ""
    named = f"    %{buffer.value.name}" if buffer.value is not None else ""
    return f"{role} {buffer.name}: {buffer.dtype}, {buffer.extent} elements{each}{named}"


def _section(title: str, statements: Iterable[Statement], depth: int = 2) -> Iterator[str]:
    lines = list(map(_statement, statements))
    if lines:
        yield f"{' ' * depth}{title}"
        yield from (f"{' ' * (depth + 2)}{line}" for line in lines)


def _accumulator(accumulator: Accumulator) -> str:
    if accumulator.where == "row" or accumulator.buffer is None:
        return accumulator.name
    return f"{accumulator.buffer.name}[{accumulator.index}]"


def _statement(statement: Statement) -> str:
    if isinstance(statement, Load):
        text = f"{statement.target} = {statement.buffer.name}[{statement.index}]"
        guards = [
            f"0 <= {position} < {extent}" + (f" by {step}" if step != 1 else "")
            for position, extent, step in statement.guards
        ]
        return f"{text} where {' and '.join(guards)} else {statement.otherwise}" if guards else text
    if isinstance(statement, Compute):
        arguments = [
            f"({argument})" if isinstance(argument, Index) else str(argument) for argument in statement.arguments
        ]
        text = f"{statement.target} = {statement.template.format(*arguments)}"
        return f"{text}    // %{statement.node.results[0].name} = {statement.node.op.name}" if statement.node else text
    if isinstance(statement, Check):
        return f"{statement.target} = {statement.source} checked to be below {statement.extent}"
    if isinstance(statement, Fold):
        accumulator = statement.accumulator
        at = _accumulator(accumulator) if accumulator.where != "slice" else f"part of {accumulator.name}"
        return f"{at} {accumulator.op}= {statement.value}"
    return f"{statement.buffer.name}[{statement.index}] = {statement.value}"
