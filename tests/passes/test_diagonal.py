"""Which stages of a chain end at the diagonal of a causal mask, and which compute all columns."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as gc
from graphc.backends.nests.chain import is_chain
from graphc.composites.attention import attention_weights
from graphc.ir import Graph
from graphc.nn import functional as F
from graphc.passes import default_pipeline
from graphc.passes.fuse import fuse
from graphc.passes.fuse.diagonal import stages_up_to_diagonal
from graphc.passes.prepare import prepare
from graphc.passes.rematerialize import rematerialize

T = 128
QKV = (gc.f32["N", T, 8],) * 3


def ends(function: Any, *specs: Any) -> list[bool]:
    """For each stage of the only chain whether its columns end at the diagonal."""
    (chain,) = chains(fuse(prepare(default_pipeline().run(gc.trace(function, *specs)).last.graph)))
    return flags(chain)


def chains(fused: Graph) -> list[Graph]:
    """The regions of chains."""
    return [node.regions[0] for node in fused.nodes if node.regions and is_chain(node.regions[0])]


def flags(chain: Graph) -> list[bool]:
    found = stages_up_to_diagonal(chain)
    return [node in found for node in chain.nodes]


def causal(scores: Any, otherwise: float) -> Any:
    rows, columns = gc.expand_dims(gc.arange(T), axis=1), gc.expand_dims(gc.arange(T), axis=0)
    return gc.where(gc.broadcast_to(rows >= columns, scores.shape), scores, otherwise)


def attend(q: Any, k: Any, v: Any, **options: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v, **options)


def test_causal_weights_end_at_the_diagonal() -> None:
    assert ends(lambda q, k, v: attend(q, k, v, is_causal=True), *QKV) == [True, False]


def test_with_another_mask_too() -> None:
    specs = (*QKV, gc.bool["N", T, T])

    def function(q: Any, k: Any, v: Any, mask: Any) -> Any:
        scores = gc.matmul(q, gc.matrix_transpose(k))
        weights = gc.where(mask, gc.exp(scores), 0.0) * causal(scores, 0.0)
        return gc.matmul(weights, v)

    assert ends(function, *specs) == [False, False]  # the comparison of f32[128,128] is an array of its own
    assert ends(lambda q, k, v: gc.matmul(attention_weights(q, k, is_causal=True) * 2.0, v), *QKV) == [True, False]


@pytest.mark.parametrize(
    "function",
    [
        attend,
        lambda q, k, v: gc.matmul(causal(gc.matmul(q, gc.matrix_transpose(k)), 1.0), v),
        lambda q, k, v: gc.matmul(gc.softmax(causal(gc.matmul(q, gc.matrix_transpose(k)), -1e9)), v),
    ],
    ids=["no mask", "ones beyond", "a number that could be the maximum"],
)
def test_other_matrices_do_not(function: Any) -> None:
    assert ends(function, *QKV) == [False, False]


def test_short_or_oblong_ones_do_not() -> None:
    short = (gc.f32["N", 60, 8],) * 3
    assert ends(lambda q, k, v: attend(q, k, v, is_causal=True), *short) == [False, False]
    oblong = gc.f32["N", T, 8], gc.f32["N", 2 * T, 8], gc.f32["N", 2 * T, 8]
    assert ends(lambda q, k, v: attend(q, k, v, is_causal=True), *oblong) == [False, False]


def test_what_is_multiplied_by_zeros_ends_there_too() -> None:
    """The backward half over a long sequence: the scores, and what the weights are multiplied by."""

    def loss(q: Any, k: Any, v: Any, w: Any) -> Any:
        return gc.sum(gc.tanh(gc.matmul(attend(q, k, v, is_causal=True), w)))

    specs = (*(gc.f32["N", 1024, 8],) * 3, gc.f32[8, 8])
    graph = gc.value_and_grad(gc.trace(loss, *specs), wrt=["q", "k", "v"])
    prepared = prepare(default_pipeline().run(graph).last.graph)
    forward, late = chains(fuse(rematerialize(prepared)[0]))
    assert flags(forward) == [True, False]
    assert flags(late) == [True, True, False, False, False]
