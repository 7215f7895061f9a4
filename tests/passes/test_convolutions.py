"""`prepare` writes convolutions in many ways: whatever the way, the numbers are those of the op."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.nn import functional as F
from graphc.passes import prepare

# channels, kernels, groups, image, size, stride, padding, dilation
CASES = {
    "plain": (4, 6, 1, (7, 9), (3, 3), (1, 1), (1, 1), (1, 1)),
    "phases of equal length": (3, 4, 1, (8, 8), (3, 3), (2, 2), (1, 1), (1, 1)),
    "phases of unequal length": (3, 4, 1, (9, 12), (3, 3), (2, 2), (1, 0), (1, 1)),
    "a stride along one axis": (3, 4, 1, (9, 8), (5, 4), (3, 1), (2, 2), (1, 1)),
    "phases that only zeros meet": (3, 4, 1, (10, 10), (2, 1), (4, 3), (0, 0), (1, 1)),
    "a stride with dilation": (3, 4, 1, (13, 12), (3, 3), (2, 2), (2, 2), (2, 2)),
    "dilation and stride with a common divisor": (2, 3, 1, (17, 17), (3, 3), (4, 4), (3, 3), (2, 2)),
    "groups": (8, 12, 4, (6, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    "groups of four, with a stride": (16, 8, 4, (7, 7), (3, 2), (2, 2), (1, 0), (1, 1)),
    "depthwise": (5, 5, 5, (6, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise, with a stride": (5, 5, 5, (9, 8), (3, 3), (2, 2), (1, 1), (2, 1)),
    "depthwise, several kernels a channel": (3, 9, 3, (6, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise, large": (3, 3, 3, (12, 12), (7, 7), (2, 2), (3, 3), (1, 1)),
    "one place": (4, 6, 1, (3, 3), (3, 3), (1, 1), (0, 0), (1, 1)),
    "large, with a stride": (3, 4, 1, (12, 12), (7, 7), (2, 2), (3, 3), (1, 1)),
    "depthwise, 1 x 1": (5, 5, 5, (4, 4), (1, 1), (1, 1), (0, 0), (1, 1)),
    "1 x 1": (4, 6, 1, (5, 5), (1, 1), (2, 2), (0, 0), (1, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("named", [False, True], ids=["static", "named batch"])
def test_values_and_gradients_stay(case, named):
    channels, kernels, groups, image, size, stride, padding, dilation = CASES[case]
    rng = np.random.default_rng(len(case))
    x = rng.standard_normal((2, channels, *image))
    w = rng.standard_normal((kernels, channels // groups, *size))

    def loss(x, w):
        return gc.sum(F.conv2d(x, w, None, stride, padding, dilation, groups) ** 3)

    spec = gc.f64["N", channels, *image] if named else x
    graph = gc.value_and_grad(gc.trace(loss, spec, w))
    prepared = prepare(graph)
    assert not any(node.op.name == "convolution" for node in prepared.nodes)
    for got, expected in zip(gc.evaluate(prepared, x, w), gc.evaluate(graph, x, w), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-10 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions(groups):
    rng = np.random.default_rng(groups)
    x, w = rng.standard_normal((2, 4, 5, 6)), rng.standard_normal((4, 3, 3, 4))

    def transposed(x, w):
        return F.conv_transpose2d(x, w, None, stride=(2, 3), padding=1, output_padding=(1, 2), groups=groups)

    graph = gc.trace(transposed, gc.f64["N", 4, 5, 6], w)
    np.testing.assert_allclose(gc.evaluate(prepare(graph), x, w), gc.evaluate(graph, x, w), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_no_zeros_are_multiplied_for_a_stride(groups):
    """The gradient for an image of stride 2: four products, whose kernels have 4, 2, 2 and 1 of the 9 elements."""
    x, w = np.zeros((1, 8, 8, 8)), np.zeros((10, 8 // groups, 3, 3))
    graph = gc.grad(gc.trace(lambda x, w: gc.sum(F.conv2d(x, w, None, 2, 1, 1, groups)), x, w), wrt=["x"])
    products = [node for node in prepare(graph).nodes if node.op.name in ("dot_general", "grouped_dot")]
    assert {node.op.name for node in products} == {"dot_general" if groups == 1 else "grouped_dot"}
    first = 0 if groups == 1 else 1
    taps = sorted(int(np.prod(node.operands[1].type.shape[first : first + 2])) for node in products)
    assert taps == [1, 2, 2, 4]


@pytest.mark.parametrize(
    ("batch", "channels", "image", "size", "is_gradient"),
    [
        ("N", 4, 2, 3, False),  # more taps than places
        (4, "N", 4, 2, True),  # what a gradient by kernels is for images of 2 x 2, with their margins
        (4, "N", 8, 6, True),
        (4, "C", 48, 3, False),  # a layer for any number of channels
        (4, 3, 48, 3, False),
        (4, 64, 9, 7, True),  # a static batch: fewer places than taps
    ],
)
def test_gradients_for_kernels_are_told_from_layers(batch, channels, image, size, is_gradient):
    """They are summed with the channels of their windows first: those are the images of a batch."""
    x, w = gc.f32[batch, channels, image, image], gc.f32[8, channels, size, size]
    padding = 1 if image < size else 0
    prepared = prepare(gc.trace(lambda x, w: F.conv2d(x, w, padding=padding), x, w))
    (product,) = (node for node in prepared.nodes if node.op.name == "dot_general")
    rows = product.operands[0].type.shape
    assert (rows[0] == prepared.inputs[0].type.shape[1]) == is_gradient, str(product)
