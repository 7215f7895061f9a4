"""Golden nests, kernels and ledgers: what a region becomes, readable, and as it was.

Each case is a golden graph of `fuse`; its first kernel's nest and source stand beside each other. Sources of kernels
with a product depend on the machine's panels, so only their nests are kept.
"""

from __future__ import annotations

import pytest

from golden_files import TESTS, read_pass_case
from graphc.backends.cpu.calls import reserved
from graphc.backends.cpu.emit import emit
from graphc.backends.cpu.lowered import canonical
from graphc.backends.nests.lower import lower
from graphc.ir import Graph
from graphc.passes.fuse import fuse_with_ledger
from graphc.text.parser import parse

NESTS = [
    "elementwise", "softmax_rows", "affine_batch_norm_relu", "two_sums_of_one_pass", "total_at_the_finish",
    "numbers_of_layers", "windows_in_place", "cut_by_depth", "margins",
]  # fmt: skip
SOURCES = [
    "elementwise", "softmax_rows", "two_sums_of_one_pass", "total_at_the_finish", "numbers_of_layers", "margins",
]  # fmt: skip


def case(name: str) -> Graph:
    return parse(read_pass_case(TESTS / "passes" / "fuse" / f"{name}.ir").before)


def region(name: str) -> Graph:
    """The region of the first kernel of several ops."""
    fused, _ = fuse_with_ledger(case(name))
    return next(node.regions[0] for node in fused.nodes if node.regions)


@pytest.mark.parametrize("name", NESTS)
def test_nest(name, golden):
    golden(f"backends/nests/{name}.nest", f"{lower(region(name), reserved=reserved())}\n")


@pytest.mark.parametrize("name", SOURCES)
def test_source(name, golden):
    golden(f"backends/nests/{name}.py.txt", emit(lower(region(name), reserved=reserved())).text)


@pytest.mark.parametrize("name", ["affine_batch_norm_relu", "views_of_computed_values", "recomputed"])
def test_ledger(name, golden):
    golden(f"backends/nests/{name}.ledger", f"{fuse_with_ledger(case(name))[1]}\n")


@pytest.mark.parametrize("name", NESTS)
def test_the_key_depends_on_no_name(name):
    text = str(case(name))
    renamed = text
    for value in sorted(parse(text).values, key=len, reverse=True):
        renamed = renamed.replace(f"%{value}:", f"%q_{value}:").replace(f"%{value},", f"%q_{value},")
        renamed = renamed.replace(f"%{value})", f"%q_{value})").replace(f"%{value}\n", f"%q_{value}\n")
        renamed = renamed.replace(f"%{value} =", f"%q_{value} =")
    other, _ = fuse_with_ledger(parse(renamed))
    regions = [region(name), next(node.regions[0] for node in other.nodes if node.regions)]
    keys = [canonical(emit(lower(each, reserved=reserved())).text) for each in regions]
    assert "q_" in str(regions[1])
    assert keys[0] == keys[1]


def test_every_edge_is_in_the_ledger():
    graph = case("affine_batch_norm_relu")
    _, ledger = fuse_with_ledger(graph)
    edges = {(operand.name, node.results[0].name) for node in graph.nodes for operand in node.operands}
    made = {result.name for node in graph.nodes for result in node.results}
    assert {(edge.value, edge.consumer) for edge in ledger} == {(a, b) for a, b in edges if a in made}
    assert all(edge.reason and edge.rule for edge in ledger)
    assert ledger.of("%mean").bytes_saved != 0
