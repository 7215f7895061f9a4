"""A region as a kernel: lowered and printed once for all regions that differ in names alone.

    lowered = Lowering().of(region)
    lowered.nest                                    # over the values of the first region of this structure
    source, key, nest = lowered.source(home=None)   # the text and what its rows hold; the text with numbers for names
    canonical(source.text)                          # "… v5 = exp(v3[v4]) …": equal where names alone differ

A deep model has few structures: the cost of a layer is to find its structure, not to lower it again.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from graphc.backends.cpu.calls import BUILTIN, reserved
from graphc.backends.cpu.emit import emit
from graphc.backends.cpu.emit_chain import emit_chain, has_long_lines
from graphc.backends.cpu.emit_pack import with_packed_operand
from graphc.backends.cpu.emit_pack_rows import with_packed_rows
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.nests.chain import Chain, chain_of_one, lower_chain
from graphc.backends.nests.lower import lower
from graphc.backends.nests.nest import Buffer, Nest
from graphc.ir import Graph, Literal, Value
from graphc.passes.cse import attribute_key


@dataclass(eq=False)
class Lowered:
    """The nest of a region, and its texts for each output in whose memory the product may lie."""

    values: tuple[Value, ...]  # of the region that was lowered: inputs, then outputs
    nest: Nest
    _sources: dict[tuple[int | None, bool, bool], tuple[KernelSource, str, Nest]] = field(default_factory=dict)

    def source(
        self, home: int | None, *, packed_before: bool = False, packed_rows: bool = False
    ) -> tuple[KernelSource, str, Nest]:
        """The source for one step, the kernel's key, and its nest; `home` is the number of a home of the product."""
        variant = home, packed_before, packed_rows
        if variant not in self._sources:
            nest = self.nest
            if home is not None:
                nest = replace(nest, product_home=nest.product_homes[home])
            if packed_before:
                nest = with_packed_operand(nest)
            if packed_rows:
                nest = with_packed_rows(nest)
            source = _emitted(nest)
            self._sources[variant] = source, canonical(source.text), nest
        source, key, nest = self._sources[variant]
        return _with_scratch_of_its_own(source), key, nest


def _emitted(nest: Nest) -> KernelSource:
    """The source of a nest: by blocks of rows where the lines of its product are larger than the caches."""
    return emit_chain(chain_of_one(nest)) if has_long_lines(nest) else emit(nest)


def _with_scratch_of_its_own(source: KernelSource) -> KernelSource:
    """The same source for another step, which has its scratch arrays elsewhere."""
    scratch = {buffer: replace(buffer) for buffer in source.temporaries}
    return replace(
        source,
        words=[scratch.get(word, word) if isinstance(word, Buffer) else word for word in source.words],
        temporaries={scratch[buffer]: extent for buffer, extent in source.temporaries.items()},
    )


@dataclass(eq=False)
class LoweredChain:
    """A chain of stages, over the values of the first region of its structure, and its texts."""

    values: tuple[Value, ...]
    chain: Chain
    key: str
    _source: KernelSource

    @property
    def source(self) -> KernelSource:
        """The source for one step."""
        return _with_scratch_of_its_own(self._source)


class Lowering:
    """The regions of a program that have been lowered, by structure."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Lowered] = {}
        self._chains: dict[Hashable, LoweredChain] = {}

    def of_chain(self, region: Graph) -> LoweredChain:
        """The region of a chain; that of an equal one where one has been lowered."""
        key = structure_of(region)
        if key not in self._chains:
            values = (*region.inputs, *dict.fromkeys(region.outputs))
            chain = lower_chain(region, reserved=reserved())
            source = emit_chain(chain)
            self._chains[key] = LoweredChain(values, chain, canonical(source.text), source)
        return self._chains[key]

    def of(self, region: Graph) -> Lowered:
        """A region's nest and source; those of an equal region where one has been lowered."""
        key = structure_of(region)
        if key not in self._known:
            values = (*region.inputs, *dict.fromkeys(region.outputs))
            self._known[key] = Lowered(values, lower(region, reserved=reserved()))
        return self._known[key]


def canonical(text: str) -> str:
    """The text of a kernel without comments, with numbers for the names that are its own, in the order they come."""
    head, function, body = re.sub(r' *(#|""").*', "", text).partition("def kernel(")
    others = {name for line in re.findall(r"import (.*)", head) for name in line.split(", ")} | BUILTIN
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        name = match.group()
        if name in others or keyword.iskeyword(name):
            return name
        return numbers.setdefault(name, f"v{len(numbers)}")

    return head + function + re.sub(r"\b[^\W\d]\w*", number, body)


def structure_of(region: Graph) -> Hashable:
    """What regions have in common that are equal but for their names and their places in the model."""
    numbers: dict[Value, int] = {value: number for number, value in enumerate(region.inputs)}
    nodes = []
    for node in region.nodes:
        operands = tuple(o.key if isinstance(o, Literal) else numbers[o] for o in node.operands)
        attributes = tuple(attribute_key(value) for value in node.attributes.values())
        nodes.append((node.op, operands, attributes, tuple(map(structure_of, node.regions))))
        for result in node.results:
            numbers[result] = len(numbers)
    return tuple(v.type for v in region.inputs), tuple(nodes), tuple(numbers[v] for v in region.outputs)
