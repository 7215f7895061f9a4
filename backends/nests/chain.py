"""A chain of nests that one kernel computes, a block of rows at a time.

chain = lower_chain(region)         # the region of a chain (`graphc.passes.fuse.chain`): a kernel for each stage
chain.stages                        # their nests, over arrays and names that they share
chain.links                         # the matrices of which only a block of rows exists, in scratch memory
"""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.backends.nests.lower import lower_among
from graphc.backends.nests.names import Names
from graphc.backends.nests.nest import Buffer, Nest, Store
from graphc.dim import Extent
from graphc.ir import Graph, Node, Value
from graphc.passes.fuse.chain import is_stage, sums_over_rows
from graphc.passes.fuse.diagonal import stages_up_to_diagonal
from graphc.passes.fuse.product import product_of_extents
from graphc.passes.fuse.region import region_of
from graphc.types import Shape


@dataclass
class ChainStage:
    """A nest of a chain; where it sums over rows, its passes come when all blocks of a line are done.

    One that is `limited` computes no column beyond the diagonal, and nobody reads what would be there.
    """

    nest: Nest
    over_rows: bool
    limited: bool = False


@dataclass
class Chain:
    """The stages of a kernel, in order, and the arrays that they read and write."""

    name: str
    buffers: list[Buffer] = field(default_factory=list)
    links: dict[Buffer, Extent] = field(default_factory=dict)  # and their columns
    bytes_of_row: Extent = 0  # of all matrices that stages hand on
    stages: list[ChainStage] = field(default_factory=list)
    batch: tuple[Extent, ...] = ()
    rows: Extent = 1  # of every line, a place of the batch axes

    @property
    def lines(self) -> Extent:
        return product_of_extents(self.batch)

    @property
    def limited_links(self) -> set[Buffer]:
        """The links of which nothing beyond the diagonal exists."""
        limited = [stage.nest for stage in self.stages if stage.limited]
        return {link for link in self.links for nest in limited if link in _written(nest)}

    @property
    def over_rows(self) -> bool:
        """Whether a stage sums over rows, so that a line belongs to one slice."""
        return any(stage.over_rows for stage in self.stages)

    def __str__(self) -> str:
        links = "".join(f"\n  link {link.name}: {link.dtype}, a block of rows" for link in self.links)
        head = f"chain @{self.name} over blocks of {self.rows} rows{links}"
        return "\n".join([head, *(str(stage.nest) for stage in self.stages)])


def is_chain(region: Graph) -> bool:
    """Whether a region is that of a chain: of stages, each with a product."""
    return len(region.nodes) > 1 and all(is_stage(node) for node in region.nodes)


def lower_chain(region: Graph, *, reserved: frozenset[str] = frozenset()) -> Chain:
    """The stages of a region as nests that share names and arrays."""
    return _Chaining(region, Names(reserved)).run()


def chain_of_one(nest: Nest) -> Chain:
    """A nest with a product as a chain of its own, to be computed a block of rows at a time."""
    product = nest.product
    assert product is not None
    chain = Chain(nest.name, list(nest.buffers), stages=[ChainStage(nest, False)], rows=product.rows)
    chain.batch = tuple(axis.extent for axis in product.axes.lines)
    chain.bytes_of_row = product.columns * product.result.dtype.itemsize
    return chain


class _Chaining:
    def __init__(self, region: Graph, names: Names) -> None:
        self.region = region
        self.names = names
        self.chain = Chain(region.name)
        self.arrays: dict[Value, Buffer] = {}
        self.limited = stages_up_to_diagonal(region)

    def run(self) -> Chain:
        chain, region = self.chain, self.region
        for value in region.inputs:
            self._array(value, "input")
        for value in dict.fromkeys(region.outputs):
            self._array(value, "output")
        for node in region.nodes:
            for value in node.results:
                if value not in self.arrays:
                    self._between(value)
                if region.users.get(value) and self._is_matrix(value):
                    chain.bytes_of_row = chain.bytes_of_row + value.type.shape[-1] * value.type.dtype.itemsize
        for node in region.nodes:
            self._stage(node)
        first = chain.stages[0].nest
        assert first.product is not None
        shape = first.product.node.result.type.shape
        chain.batch, chain.rows = shape[:-2], shape[-2]
        return chain

    def _array(self, value: Value, role: str) -> None:
        buffer = Buffer(self.names.of(f"{value.name}_{role[:-3]}"), value.type.dtype, role, value.type.size, value)
        self.arrays[value] = buffer
        self.chain.buffers.append(buffer)

    def _between(self, value: Value) -> None:
        """What only later stages read: a matrix of which a block of rows is kept, or numbers of all rows."""
        is_link = self._is_matrix(value)
        size: Extent = 0 if is_link else value.type.size
        buffer = Buffer(self.names.of(value.name), value.type.dtype, "temporary", size, None, per_slice=is_link)
        self.arrays[value] = buffer
        self.chain.buffers.append(buffer)
        if is_link:
            self.chain.links[buffer] = value.type.shape[-1]

    def _is_matrix(self, value: Value) -> bool:
        """Whether a value has the shape of the product of its stage."""
        return value.type.shape == _shape_of_product(self.region.producers[value])

    def _stage(self, node: Node) -> None:
        region, operands, results = region_of(node)
        known = {i: self.arrays[v] for i, v in zip(region.inputs, operands, strict=True)}
        known |= {i: self.arrays[v] for i, v in zip(region.outputs, results, strict=True)}
        nest = lower_among(region, self.names, known)
        assert nest.product is not None
        self.chain.buffers += nest.buffers
        left = dict(zip(region.inputs, operands, strict=True)).get(nest.product.node.operands[0])
        over_rows = left in self.region.producers and sums_over_rows(nest.product.node)
        if nest.product_homes:
            nest.product_home = nest.product_homes[0]
        self.chain.stages.append(ChainStage(nest, over_rows, node in self.limited))


def _shape_of_product(node: Node) -> Shape:
    """The shape of the product that a stage starts with."""
    return next(each for each in region_of(node)[0].nodes if is_stage(each)).result.type.shape


def _written(nest: Nest) -> set[Buffer]:
    """The arrays that a nest stores elements in."""
    return {statement.buffer for statement in nest.statements() if isinstance(statement, Store)}
