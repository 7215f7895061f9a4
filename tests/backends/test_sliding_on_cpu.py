"""Convolutions, pools and patches on the cpu backend: values and gradients are the interpreter's; a network trains."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import data, nn, optim
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import cotangents, normal, same_results, together

Functions = list[Callable[..., Any]]

CONVOLUTIONS: Functions = [
    lambda x, w: F.conv2d(x, w),
    lambda x, w: F.conv2d(x, w, w[:, 0, 0, 0], stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    lambda x, w: F.conv2d(x[:, :2], w[:, :1], stride=3, padding=1, groups=2),
    lambda x, w: F.conv1d(x[:, :, :, 0], w[:, :, 0], padding="same"),
    lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
    lambda x, w: F.conv_transpose2d(x, w[:, :2], w[:, 0, 0, 0], stride=(1, 2), groups=2, dilation=(2, 1)),
]
POOLS: Functions = [
    lambda x: F.max_pool2d(x, 2),
    lambda x: F.max_pool2d(x, 3, 2, 1),
    lambda x: F.max_pool2d(x, (3, 2), 2, 1, ceil_mode=True),
    lambda x: F.max_pool2d(x, 2, dilation=2),
    lambda x: F.max_pool2d(x, (4, 5), 1, 2),
    lambda x: F.avg_pool2d(x, 2),
    lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
    lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    lambda x: F.adaptive_avg_pool2d(x, 1),
    lambda x: F.adaptive_max_pool2d(x, 1),
    lambda x: F.unfold(x, (3, 2), padding=1, stride=(1, 2)),
    lambda x: F.fold(F.unfold(x, 2), x.shape[2:], 2),
]
# Of f32[N,2,4,5,6], and of its parts with one axis to slide over.
OTHER_RANKS: Functions = [
    lambda x: F.conv3d(x, x[:1, :, :2, :3, :2], stride=(1, 2, 1), padding=1),
    lambda x: F.conv_transpose3d(x, x[:2, :, :2, :2, :2], stride=2, padding=1),
    lambda x: F.conv_transpose1d(x[:, :, 0, 0], x[:2, :, 1, 1, :3], stride=2, output_padding=1),
    lambda x: F.max_pool1d(x[:, :, 0, 0], 3, 2, 1),
    lambda x: F.max_pool3d(x, (2, 3, 2), 2, ceil_mode=True),
    lambda x: F.avg_pool1d(x[:, :, 0, 1], 2, padding=1),
    lambda x: F.avg_pool3d(x, 2, 1, count_include_pad=False, padding=1),
    lambda x: F.adaptive_avg_pool1d(x[:, :, 0, 0], 4),
    lambda x: F.adaptive_avg_pool3d(x, (2, 3, 4)),
    lambda x: F.adaptive_max_pool1d(x[:, :, 0, 0], 4),
    lambda x: F.adaptive_max_pool3d(x, (3, 2, 1)),
]
EVEN: Functions = [lambda x: F.adaptive_avg_pool2d(x, (3, 4)), lambda x: F.adaptive_max_pool2d(x, (5, 2))]


def on_both(functions: Functions, specs: tuple[Any, ...], *sizes: dict[str, int]) -> None:
    """Values and gradients of one graph of all functions, compiled once, for several sizes."""
    graph = together(functions, *specs, name="sliding")
    forward, backward = (gc.compile(g, backend="cpu") for g in (graph, gc.vjp(graph)))
    for dims in sizes:
        generator = np.random.default_rng(dims["N"])
        arrays = [
            normal(generator, spec.dtype, *(dims.get(str(extent), extent) for extent in spec.shape))
            for _ in functions
            for spec in specs
        ]
        same_results(forward, *arrays, scale=10.0)
        same_results(backward, *arrays, *cotangents(gc.vjp(graph), len(arrays), dims), scale=30.0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_convolutions_and_their_gradients(dtype: Any) -> None:
    sizes = {"N": 3, "H": 7, "W": 6}, {"N": 1, "H": 3, "W": 8}, {"N": 0, "H": 5, "W": 5}
    on_both(CONVOLUTIONS, (dtype["N", 4, "H", "W"], dtype[4, 4, 3, 2]), *sizes)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_pools_and_their_gradients(dtype: Any) -> None:
    sizes = {"N": 3, "H": 7, "W": 6}, {"N": 1, "H": 4, "W": 9}, {"N": 0, "H": 5, "W": 5}
    on_both(POOLS, (dtype["N", 3, "H", "W"],), *sizes)
    on_both(EVEN, (dtype["N", 3, 7, 6],), {"N": 2}, {"N": 5})


@pytest.mark.slow
def test_one_axis_and_three() -> None:
    on_both(OTHER_RANKS, (gc.f64["N", 2, 4, 5, 6],), {"N": 3}, {"N": 2})


def test_of_equal_elements_the_first_gets_the_gradient() -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 8, 6)).astype(np.float32)
    x[0, 0, 0, :2], x[1, 1] = np.nan, -np.inf
    graph = gc.trace(lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), gc.f32["N", 3, "H", "W"])
    same_results(gc.compile(graph, backend="cpu"), x)
    backward = gc.vjp(gc.trace(lambda x: F.max_pool2d(x, 3, 2, 1), gc.f32["N", 3, "H", "W"]))
    same_results(gc.compile(backward, backend="cpu"), x, np.ones((2, 3, 4, 3), np.float32))


def network() -> nn.Module:
    gc.manual_seed(3)
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip


@pytest.mark.slow
def test_a_convolutional_network_learns_the_digits() -> None:
    """The losses of the first steps are the interpreter's to 1e-5, and later ones fall."""
    digits = data.digits()
    x, y = (np.stack(column) for column in zip(*(digits[i] for i in range(320)), strict=True))
    losses = {}
    for backend, steps in (("interpreter", 6), ("cpu", 60)):
        step = gc.training_step(
            network(), loss=F.cross_entropy, optimizer=optim.Adam(lr=1e-2), inputs=gc.f32["N", 64],
            targets=gc.i64["N"], backend=backend,
        )  # fmt: skip
        batches = [slice(32 * (i % 10), 32 * (i % 10 + 1)) for i in range(steps)]
        losses[backend] = [float(step(x[batch], y[batch])) for batch in batches]
    np.testing.assert_allclose(losses["cpu"][:6], losses["interpreter"], rtol=1e-5, atol=1e-5)
    assert np.mean(losses["cpu"][-10:]) < 0.5 * losses["cpu"][0]


@pytest.mark.parametrize("images", [1, 2, 7, 40])
def test_gradients_for_kernels_are_sums_over_shares_of_the_images(images: int):
    """Whatever the number of slices: a 5×5 kernel has five lines of taps, and every slice sums all of them."""
    graph = gc.trace(lambda x, w: gc.sum(F.conv2d(x, w, padding=2) ** 2), gc.f32["N", 16, 14, 10], gc.f32[12, 16, 5, 5])
    exe = gc.compile(gc.grad(graph, wrt=["w"]))
    (kernel,) = [kernel for kernel in exe.kernels if "cut by depth" in kernel.source]
    assert "for deep in range(begin, end):" in kernel.source
    generator = np.random.default_rng(0)
    x, w = (generator.standard_normal(shape).astype(np.float32) for shape in ((images, 16, 14, 10), (12, 16, 5, 5)))
    expected = gc.evaluate(exe.graph, x, w)
    np.testing.assert_allclose(exe(x, w), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_gradients_of_a_kernel_of_one_pixel_are_shared_by_threads(dtype):
    """Many rows of few columns are cut by rows, and a sum over many places by its depth; for any number of threads."""

    def weighed(x, w, g):
        return gc.sum(F.conv2d(x, w) * g)

    shapes = ((3, 40, 33, 32), (150, 40, 1, 1), (3, 150, 33, 32))
    graph = gc.grad(
        gc.trace(weighed, *(dtype["N", *s[1:]] if s[0] == 3 else dtype[*s] for s in shapes)), wrt=["x", "w"]
    )
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(shape).astype(dtype.numpy) for shape in shapes]
    exe = gc.compile(graph, threads=1)
    assert any("(N, 33, 32, 40), cut by rows" in kernel.source for kernel in exe.kernels)
    assert any(
        "(40, 150), cut by depth" in k.source or "(1, 1, 40, 150), cut by depth" in k.source for k in exe.kernels
    )
    results, tolerance = exe(*arrays), 2e-5 if dtype is gc.f32 else 1e-13
    for result, expected in zip(results, gc.evaluate(graph, *arrays), strict=True):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    for threads in (2, 3, 4, 8):
        others = gc.compile(graph, threads=threads)(*arrays)
        assert [each.tobytes() for each in others] == [each.tobytes() for each in results]
