"""Convolutions of groups on the cpu backend: values and gradients are the interpreter's, for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.machine import machine
from graphc.nn import functional as F

# channels, kernels, groups, image, size, stride, padding, dilation
CASES = {
    "groups": (32, 48, 4, (9, 11), (3, 3), (1, 1), (1, 1), (1, 1)),
    "groups, with a stride": (15, 21, 3, (17, 14), (3, 5), (2, 1), (1, 2), (1, 1)),
    "groups, 1 x 1": (14, 10, 2, (9, 9), (1, 1), (1, 1), (0, 0), (1, 1)),
    "depthwise": (37, 37, 37, (13, 15), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise, along one axis": (40, 40, 40, (12, 21), (1, 5), (1, 1), (0, 2), (1, 1)),
    "depthwise, with wide margins": (19, 19, 19, (5, 30), (5, 7), (1, 2), (4, 6), (2, 1)),
    "depthwise, a small image": (33, 33, 33, (1, 2), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise, with a stride": (64, 64, 64, (16, 15), (3, 3), (2, 2), (2, 2), (1, 2)),
    "depthwise, 1 x 1": (9, 9, 9, (8, 8), (1, 1), (1, 1), (0, 0), (1, 1)),
    "depthwise, several kernels a channel": (5, 10, 5, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1)),
}
LARGEST = {gc.f32: 2e-6, gc.f64: 1e-14}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_values_gradients_and_threads(case: str, dtype: Any) -> None:
    channels, kernels, groups, image, size, stride, padding, dilation = CASES[case]

    def convolve(x: Any, w: Any) -> Any:
        return gc.relu(F.conv2d(x, w, None, stride, padding, dilation, groups))

    graph = gc.trace(convolve, dtype["N", channels, *image], dtype[kernels, channels // groups, *size])
    gradients = gc.vjp(graph)
    executables = {threads: [gc.compile(g, threads=threads) for g in (graph, gradients)] for threads in (1, 2, 3, 4, 8)}
    rng = np.random.default_rng(channels)
    for batch in (5, 1, 0):
        shapes = [(batch, channels, *image), (kernels, channels // groups, *size)]
        x, w = (rng.standard_normal(shape).astype(dtype.numpy) for shape in shapes)
        expected = gc.evaluate(graph, x, w)
        g = rng.standard_normal(expected.shape).astype(dtype.numpy)
        expectations = [expected, *gc.evaluate(gradients, x, w, g)]
        results = {n: [forward(x, w), *backward(x, w, g)] for n, (forward, backward) in executables.items()}
        for got, wanted in zip(results[1], expectations, strict=True):
            scale = max(1.0, np.abs(wanted).max(initial=0.0))
            np.testing.assert_allclose(got, wanted, rtol=0, atol=LARGEST[dtype] * scale)
        for threads, arrays in results.items():
            same = [a.tobytes() == b.tobytes() for a, b in zip(arrays, results[1], strict=True)]
            assert all(same), f"{threads} threads, batch {batch}"


def test_nothing_is_moved_between_images_with_their_channels_last() -> None:
    """The product within margins and its epilogue, and the weights' layout: two kernels, and no copy of an image."""

    def convolve(x: Any, w: Any) -> Any:
        y = gc.relu(F.conv2d(gc.permute_dims(x, (0, 3, 1, 2)), w, padding=1, groups=16))
        return gc.permute_dims(y, (0, 2, 3, 1))

    executable = gc.compile(convolve, inputs=(gc.f32["N", 8, 8, 16], gc.f32[16, 1, 3, 3]), threads=1)
    ops = {node.op.name for kernel in executable.graph.nodes for region in kernel.regions for node in region.nodes}
    assert {"grouped_dot", "relu"} <= ops
    sizes = [node.result.type.size for node in executable.graph.nodes if node.op.name != "reshape"]
    assert [size for size in sizes if not isinstance(size, int)] == [
        executable.graph.outputs[0].type.shape[0] * n for n in (8 * 8 * 16,)
    ]


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits: int) -> None:
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, "values and depthwise and not stride and f32", GRAPHC_VECTOR_BITS=str(bits))
