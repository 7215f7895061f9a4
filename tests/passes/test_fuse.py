"""`prepare` and `fuse` on random graphs: the same bits as before, nothing left to do, every edge in the ledger.

What they do to particular graphs is in the golden files of their folders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given

import graphc as gc
from graphc.interpret import run
from graphc.ir import Graph
from graphc.nn import functional as F
from graphc.op import Kind
from graphc.passes import default_pipeline
from graphc.passes.fuse import fuse, fuse_with_ledger
from graphc.passes.fuse.group import MOST_STATEMENTS
from graphc.passes.fuse.region import group_of
from graphc.passes.prepare import prepare
from graphc.passes.rematerialize import rematerialize
from graphc.verify import verify
from pass_equivalence import compare
from random_networks import networks
from random_programs import exact_graphs


def prepared(function: Any, *specs: Any) -> Graph:
    return prepared_graph(gc.trace(function, *specs))


def prepared_graph(graph: Graph) -> Graph:
    return prepare(default_pipeline().run(graph).last.graph)


def assert_same(before: Graph, after: Graph, rows: int) -> None:
    """The same bits for small whole numbers; of 0.0 and -0.0 either may come."""
    generator = np.random.default_rng(rows)
    inputs: list[Any] = []
    for value in before.inputs:
        shape = tuple(extent if isinstance(extent, int) else rows for extent in value.type.shape)
        low = 0 if value.type.dtype.kind == "bool" else -2
        inputs.append(generator.integers(low, 2, shape).astype(value.type.dtype.numpy))
    for want, got in zip(run(before, inputs)[0], run(after, inputs)[0], strict=True):
        zero = want.dtype.type(0)
        compare(want + zero, got + zero, str(before), rtol=1e-15)


@given(graph=exact_graphs())
def test_prepared_graphs_compute_the_same(graph: Graph) -> None:
    before = default_pipeline().run(graph).last.graph
    after = verify(prepare(before), after="prepare")
    assert_same(before, after, 5)
    assert str(prepare(after)) == str(after)
    for node in after.walk():
        if node.op.kind is Kind.CONTRACTION:
            assert all(operand.type.rank == 2 + len(node.attributes["batch"][0]) for operand in node.operands)


@given(graph=exact_graphs())
def test_fused_graphs_compute_the_same(graph: Graph) -> None:
    before = prepare(default_pipeline().run(graph).last.graph)
    after, ledger = fuse_with_ledger(before)
    verify(after, after="fuse")
    assert_same(before, after, 5)
    assert str(fuse(after)) == str(after)
    made = {result for node in before.nodes for result in node.results}
    edges = {(value.name, node.results[0].name) for node in before.nodes for value in node.operands if value in made}
    assert {(edge.value, edge.consumer) for edge in ledger} == edges
    for node in after.walk():
        if node.regions and not any(inner.regions for inner in node.regions[0].nodes):
            assert group_of(node.regions[0]).cut is not None  # lowering finds the group again


@given(graph=networks())
def test_fused_gradients_have_nothing_left_to_fuse(graph: Graph) -> None:
    for least_saved in (1 << 40, 0):  # nothing is computed again, or all that is worth it
        before, _ = rematerialize(prepared_graph(gc.value_and_grad(graph)), least_saved=least_saved)
        after = verify(fuse(before), after="fuse")
        assert str(fuse(after)) == str(after)


def test_a_kernel_has_a_limited_length() -> None:
    def chain(x: Any) -> Any:
        for _ in range(100):
            x = gc.tanh(x) + 0.5
        return x

    fused = fuse(prepared(chain, gc.f32["N", 40]))
    lengths = [len(node.regions[0].nodes) for node in fused.nodes]
    assert sum(lengths) == 200
    assert max(lengths) == MOST_STATEMENTS
    assert len(lengths) == 3


def test_kernels_of_common_networks() -> None:
    """How many kernels each takes, and no more."""
    x, w = gc.f32["N", 64], gc.f32[64, 64]
    counts = {
        "softmax": len(fuse(prepared(lambda x: F.softmax(x, 1), x)).nodes),
        "layer_norm": len(fuse(prepared(lambda x: F.layer_norm(x, (64,)), x)).nodes),
        "columns": len(fuse(prepared(lambda x: x - gc.mean(x, axis=0), x)).nodes),
        "batch_norm": len(fuse(prepared(lambda x: F.batch_norm(x, None, None, training=True), x)).nodes),
        "gelu of a product": len(fuse(prepared(lambda x, w: F.gelu(x @ w), x, w)).nodes),
        "softmax of a product": len(fuse(prepared(lambda x, w: F.softmax(x @ w, 1), x, w)).nodes),
        "two products": len(fuse(prepared(lambda x, w: gc.relu(gc.relu(x @ w) @ w), x, w)).nodes),
        "cross_entropy": len(fuse(prepared(F.cross_entropy, x, gc.i64["N"])).nodes),
        "sum of everything": len(fuse(prepared(lambda x: gc.sum(gc.exp(x)), x)).nodes),
    }
    assert counts == {
        "softmax": 1, "layer_norm": 1, "columns": 1, "batch_norm": 1, "gelu of a product": 1, "softmax of a product": 1,
        "two products": 2, "cross_entropy": 1, "sum of everything": 1,
    }  # fmt: skip


def test_the_ledger_of_a_value() -> None:
    _, ledger = fuse_with_ledger(prepared(lambda x, w: gc.relu(x @ w) @ w, gc.f32["N", 64], gc.f32[64, 64]))
    (made, read) = ledger.of("relu")
    assert (made.fused, made.rule, str(made.bytes_saved)) == (True, "epilogue", "512*N")
    assert (read.fused, read.consumer_op) == (False, "dot_general")
    assert str(ledger.bytes_saved) == "512*N"
    assert "saves 512*N bytes" in str(made)
    assert str(ledger).startswith("2 edges: 1 fused, 1 apart; saves 512*N bytes\n")
