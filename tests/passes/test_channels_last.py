"""Networks of convolutions: between two of them nothing is moved, and the results stay what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.op import Kind
from graphc.ops.convolution import convolution
from graphc.passes.pipeline import find_pass
from pass_equivalence import assert_equivalent


def conv(x: Any, w: Any, stride: int = 1, groups: int = 1) -> Any:
    batch, channels, *extents = x.shape
    x = gc.reshape(x, (batch, groups, channels // groups, *extents))
    w = gc.reshape(w, (groups, w.shape[0] // groups, *w.shape[1:]))
    steps, margins, ones = (stride,) * 2, (1, 1), (1, 1)
    y = convolution(x, w, stride=steps, low=margins, high=margins, dilation=ones, input_dilation=ones)
    return gc.reshape(y, (y.shape[0], y.shape[1] * y.shape[2], *y.shape[3:]))


def normalised(h: Any) -> Any:
    centred = h - gc.mean(h, axis=(0, 2, 3), keepdims=True)
    return centred * gc.rsqrt(gc.mean(centred * centred, axis=(0, 2, 3), keepdims=True) + 1e-5)


def residual_block(x: Any, w1: Any, b1: Any, w2: Any) -> Any:
    h = gc.where(normalised(conv(x, w1) + gc.reshape(b1, (-1, 1, 1))) > 0, conv(x, w1), 0.0)
    h = conv(h, w2, 2) + conv(x, w2, 2)
    return gc.sum(gc.mean(h**2, axis=(2, 3)))


def grouped(x: Any, w1: Any, b1: Any, w2: Any) -> Any:
    return gc.sum(gc.tanh(conv(x, w1[:, :2], groups=4) + gc.reshape(b1, (-1, 1, 1))) ** 2)


def network(function: Any, height: Any = 6) -> Graph:
    shapes = gc.f64["N", 8, height, 6], gc.f64[8, 8, 3, 3], gc.f64[8], gc.f64[12, 8, 3, 3]
    graph = gc.value_and_grad(gc.trace(function, *shapes), wrt=["x", "w1", "b1"])
    return gc.passes.default_pipeline().run(graph).last.graph


@pytest.mark.parametrize("height", [6, "T"])
@pytest.mark.parametrize("function", [residual_block, grouped])
def test_results_stay(function: Any, height: Any) -> None:
    graph = network(function, height)
    prepared = find_pass("prepare")(graph)
    assert_equivalent(graph, prepared, special=False, rtol=1e-9)
    assert_equivalent(prepared, find_pass("channels_last")(prepared), special=False)


def test_nothing_is_moved_between_convolutions() -> None:
    prepared = find_pass("prepare")(network(residual_block))
    moved = [node for node in prepared.nodes if node.op.name == "permute_dims"]
    sources = {prepared.producers[node.operands[0]].op.name for node in moved if node.operands[0] in prepared.producers}
    for node in moved:  # what is read in another order is windows, weights, or the graph's own input and output
        users = [user.op.kind for result in node.results for user in prepared.users.get(result, ())]
        assert Kind.ELEMENTWISE not in users
    images = [node for node in prepared.nodes if node.op.kind is Kind.ELEMENTWISE and node.results[0].type.rank == 4]
    assert images
    assert {node.results[0].type.shape[3] for node in images if node.results[0].type.dims} <= {8, 12}
    assert "sum" not in sources


def test_names_stay() -> None:
    def f(x: Any, w: Any) -> Any:
        activated = gc.tanh(conv(x, w))
        return conv(activated, w)

    graph = gc.passes.default_pipeline().run(gc.trace(f, gc.f32["N", 8, 6, 6], gc.f32[8, 8, 3, 3])).last.graph
    prepared = find_pass("prepare")(graph)
    assert prepared["activated"].type == gc.f32["N", 6, 6, 8]
    assert np.isfinite(gc.evaluate(prepared, *(np.ones(s, np.float32) for s in ((2, 8, 6, 6), (8, 8, 3, 3))))).all()
