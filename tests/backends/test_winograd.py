"""Convolutions by Winograd's tiles: exact on small integers, at every edge of tiles and vectors; no byte beyond."""

from itertools import product

import numpy as np
import pytest
from numba import njit

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.contraction import panel_width
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.winograd_calls import (
    winograd_f32,
    winograd_f64,
    winograd_gradient_f32,
    winograd_gradient_f64,
    winograd_kernel_f32,
    winograd_kernel_f64,
    winograd_weights_f32,
    winograd_weights_f64,
)
from graphc.backends.cpu.winograd_shape import scratch_elements
from graphc.nn import functional as F
from guarded_memory import Guarded

POOLS = [Guarded(2_000_000) for _ in range(5)]


def compiled(dtype, weights, forward, gradient, kernel):
    """The four functions, with nothing known but their arguments."""

    @njit("void(int64,int64,uintp,int64,int64,int64,uintp,int64)")
    def transform(channels, columns, b, b_line, b_pixel, b_depth, packed, point):
        weights(channels, columns, b, b_line, b_pixel, b_depth, packed, point)

    @njit("void(int64,int64,int64,int64,uintp,int64,int64,uintp,uintp,int64,int64,uintp)")
    def convolve(lines, width, channels, columns, a, a_line, a_pixel, b, c, c_line, c_row, scratch):
        forward(lines, width, channels, columns, a, a_line, a_pixel, b, c, c_line, c_row, scratch)

    @njit(f"void({'int64,' * 5}uintp,{'int64,' * 3}uintp,{'int64,' * 3}uintp,uintp)")
    def gather(
        n, lines, width, channels, columns, a, a_image, a_line, a_pixel, b, b_image, b_line, b_pixel, c, scratch
    ):
        gradient(
            n, lines, width, channels, columns, a, a_image, a_line, a_pixel, b, b_image, b_line, b_pixel, c, scratch
        )

    @njit("void(int64,int64,uintp,uintp,int64,int64)")
    def finish(channels, columns, source, target, tap, row):
        kernel(channels, columns, source, target, tap, row)

    return transform, convolve, gather, finish


COMPILED = {
    "float32": compiled("float32", winograd_weights_f32, winograd_f32, winograd_gradient_f32, winograd_kernel_f32),
    "float64": compiled("float64", winograd_weights_f64, winograd_f64, winograd_gradient_f64, winograd_kernel_f64),
}


def numbers(pool, shape, dtype):
    """Small integers, whose transforms and sums are exact, up to the last byte that may be touched."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(pool).integers(-4, 5, shape)
    return array


def strides(array):
    return [step // array.itemsize for step in array.strides[:-1]]


def convolution(image, kernel):
    """C[y, x, o] for an image with its border, by the four functions' first two."""
    dtype, (channels, columns) = image.dtype.name, kernel.shape[2:]
    lines, width = image.shape[0] - 2, image.shape[1] - 2
    transform, convolve, *_ = COMPILED[dtype]
    panel = panel_width(dtype)
    point = channels * -(-columns // panel) * panel
    packed, result = POOLS[2].array((16, point), dtype), POOLS[3].array((lines, width, columns), dtype)
    tiles = (lines + 1) // 2 * ((width + 1) // 2)
    scratch = POOLS[4].array((scratch_elements(tiles, channels, columns),), dtype)
    result[:] = -77
    transform(channels, columns, kernel.ctypes.data, *strides(kernel), packed.ctypes.data, point)
    convolve(
        lines, width, channels, columns, image.ctypes.data, *strides(image), packed.ctypes.data, result.ctypes.data,
        *strides(result), scratch.ctypes.data,
    )  # fmt: skip
    return result.copy()


def windows(images):
    return np.lib.stride_tricks.sliding_window_view(images, (3, 3), (-3, -2))  # [..., y, x, i, h, w]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge_of_a_convolution(dtype):
    for lines, width, channels, columns in product((1, 2, 5), (1, 4, 7), (8, 11, 20), (8, 17, 33)):
        image = numbers(0, (lines + 2, width + 2, channels), dtype)
        kernel = numbers(1, (3, 3, channels, columns), dtype)
        expected = np.einsum("yxihw,hwio->yxo", windows(image), kernel)
        result = convolution(image, kernel)
        assert np.array_equal(result, expected), f"{lines} x {width}, {channels} to {columns} channels"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge_of_a_gradient(dtype):
    *_, gather, finish = COMPILED[dtype]
    for n, lines, width, (channels, columns) in product((1, 3), (1, 2, 5), (1, 4, 7), ((8, 17), (11, 8), (20, 33))):
        images = numbers(0, (n, lines + 2, width + 2, channels), dtype)
        gradients = numbers(1, (n, lines, width, columns), dtype)
        sums, taps = POOLS[2].array((16, channels, columns), dtype), POOLS[3].array((3, 3, channels, columns), dtype)
        tiles = n * ((lines + 1) // 2) * ((width + 1) // 2)
        scratch = POOLS[4].array((scratch_elements(tiles, channels, columns),), dtype)
        sums[:], expected = 0, 0
        for _ in range(2):  # the sums of one call go on in the next one
            gather(
                n, lines, width, channels, columns, images.ctypes.data, *strides(images), gradients.ctypes.data,
                *strides(gradients), sums.ctypes.data, scratch.ctypes.data,
            )  # fmt: skip
            expected += np.einsum("nyxihw,nyxo->hwio", windows(images), gradients)
        finish(channels, columns, sums.ctypes.data, taps.ctypes.data, channels * columns, columns)
        assert np.array_equal(taps, expected), f"{n} images of {lines} x {width}, {channels} to {columns} channels"


def test_edge_pixels_that_are_no_number_reach_what_reads_them():
    """NaN everywhere in turn: the results that are NaN are those whose windows hold it."""
    kernel = numbers(1, (3, 3, 8, 9), "float32")
    for lines, width in ((4, 4), (5, 3)):
        for y, x in product(range(lines + 2), range(width + 2)):
            image = numbers(0, (lines + 2, width + 2, 8), "float32")
            image[y, x, 3] = np.nan
            expected = np.isnan(windows(image)).any((-3, -2, -1))
            assert np.array_equal(np.isnan(convolution(image, kernel)).all(-1), expected)


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("shape", [(16, 16, 8, 8), (9, 13, 7, 9), (40, 24, 21, 6)], ids=str)
def test_convolutions_and_their_gradients_are_those_of_the_interpreter(dtype, shape):
    channels, columns, height, width = shape
    generator = np.random.default_rng(0)
    x = generator.standard_normal((5, channels, height, width)).astype(dtype.numpy)
    w = generator.standard_normal((columns, channels, 3, 3)).astype(dtype.numpy)
    graph = gc.trace(lambda x, w: gc.sum(F.conv2d(x, w, padding=1) ** 2), dtype["N", *x.shape[1:]], w)
    graph = gc.value_and_grad(graph)
    exe = gc.compile(graph)
    assert any("winograd_" in kernel.source for kernel in exe.kernels)
    tolerance = 1e-5 if dtype is gc.f32 else 1e-13
    for result, expected in zip(exe(x, w), gc.evaluate(graph, x, w), strict=True):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


BY_PARTS = {
    "groups": ((3, 16, 16, 18), (24, 8, 3, 3), {"padding": 1, "groups": 2}),
    "odd groups": ((3, 27, 21, 13), (51, 9, 3, 3), {"groups": 3}),
    "dilated groups": ((2, 16, 27, 16), (66, 8, 3, 3), {"padding": 2, "groups": 2, "dilation": 2}),
    "even": ((3, 16, 16, 12), (16, 16, 3, 3), {"padding": 2, "dilation": 2}),
    "odd": ((3, 9, 23, 17), (17, 9, 3, 3), {"padding": 2, "dilation": 2}),
    "by three": ((2, 8, 32, 26), (11, 8, 3, 3), {"padding": 3, "dilation": 3}),
    "a last band of few lines": ((2, 8, 37, 70), (8, 8, 3, 3), {"padding": 6, "dilation": 6}),
    "with a stride": ((3, 8, 38, 48), (16, 8, 3, 3), {"padding": 2, "dilation": 4, "stride": 2}),
}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("name", BY_PARTS)
def test_grids_of_dilated_convolutions_and_groups(name, dtype):
    """Forward, what follows it in the kernel, and the gradients of both operands; with any number of threads."""
    image, kernel, options = BY_PARTS[name]
    generator = np.random.default_rng(0)
    x, w = (generator.standard_normal(shape).astype(dtype.numpy) for shape in (image, kernel))
    graph = gc.trace(lambda x, w: gc.sum(gc.tanh(F.conv2d(x, w, **options))), dtype["N", *image[1:]], w)
    graph = gc.value_and_grad(graph)
    exe = gc.compile(graph, threads=1)
    sources = "\n".join(kernel.source for kernel in exe.kernels)
    assert ("for grid_line in range" in sources) == ("dilation" in options)
    assert "gemm_" not in sources
    assert "winograd_gradient_" in sources
    results, tolerance = exe(x, w), 1e-5 if dtype is gc.f32 else 1e-13
    for result, expected in zip(results, gc.evaluate(graph, x, w), strict=True):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    for threads in (2, 3, 4, 8):
        others = gc.compile(graph, threads=threads)(x, w)
        assert [each.tobytes() for each in others] == [each.tobytes() for each in results]


NAMED = {"both": ("H", "W"), "height": ("H", 19), "width": (16, "W")}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("name", NAMED)
def test_images_of_named_sizes(name, dtype):
    """One kernel for all of them, those of a pixel or a line, too; and the same bits with any number of threads."""
    height, width = NAMED[name]
    generator = np.random.default_rng(0)
    w = generator.standard_normal((24, 16, 3, 3)).astype(dtype.numpy)

    def traced(*sizes):
        graph = gc.trace(lambda x, w: gc.sum(gc.tanh(F.conv2d(x, w, padding=1))), dtype["N", 16, *sizes], w)
        return gc.value_and_grad(graph)

    graph = traced(height, width)
    exe = gc.compile(graph, threads=2)
    sources = "\n".join(kernel.source for kernel in exe.kernels)
    assert "winograd_f" in sources
    assert "winograd_gradient_" in sources
    assert "gemm_" not in sources
    tolerance = 1e-5 if dtype is gc.f32 else 1e-13
    for count, *sizes in ((3, 16, 19), (1, 1, 1), (2, 2, 3), (5, 17, 8), (1, 9, 40), (2, 33, 1)):
        known = [size if isinstance(named, str) else named for size, named in zip(sizes, (height, width), strict=True)]
        x = generator.standard_normal((count, 16, *known)).astype(dtype.numpy)
        results = exe(x, w)
        for result, expected in zip(results, gc.evaluate(graph, x, w), strict=True):
            np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    x = generator.standard_normal((3, 16, 16, 19)).astype(dtype.numpy)
    results = exe(x, w)
    for threads in (1, 3, 4, 8):
        others = gc.compile(graph, threads=threads)(x, w)
        assert [each.tobytes() for each in others] == [each.tobytes() for each in results]
    for result, known in zip(results, gc.compile(traced(16, 19))(x, w), strict=True):
        np.testing.assert_allclose(result, known, rtol=tolerance, atol=tolerance * np.abs(known).max())


MANY_RESULTS = {
    "even": ((4, 128, 8, 8), (128, 128, 3, 3), {"padding": 1}),
    "odd": ((3, 131, 7, 9), (117, 131, 3, 3), {"padding": 1}),
    "columns by blocks": ((3, 128, 5, 6), (288, 128, 3, 3), {"padding": 1}),
    "odd columns by blocks": ((2, 259, 4, 5), (405, 259, 3, 3), {"padding": 1}),
    "groups": ((3, 128, 6, 5), (256, 64, 3, 3), {"padding": 1, "groups": 2}),
    "dilated": ((2, 72, 11, 12), (206, 72, 3, 3), {"padding": 2, "dilation": 2}),
    "few channels": ((2, 9, 6, 6), (1640, 9, 3, 3), {"padding": 1}),
}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("name", MANY_RESULTS)
def test_slices_share_the_channels_of_a_gradient_of_many_results(name, dtype):
    """No slice has all results once more; the same bits with any number of threads, for an image as for several."""
    image, kernel, options = MANY_RESULTS[name]
    generator = np.random.default_rng(0)
    w = generator.standard_normal(kernel).astype(dtype.numpy)
    graph = gc.trace(lambda x, w: gc.sum(F.conv2d(x, w, **options) ** 2), dtype["N", *image[1:]], w)
    graph = gc.grad(graph, wrt=["w"])
    executables = [gc.compile(graph, threads=threads) for threads in (1, 2, 3, 4, 8)]
    (source,) = (each.source for each in executables[0].kernels if "winograd_gradient_" in each.source)
    assert "_parts" not in source
    tolerance = 1e-5 if dtype is gc.f32 else 1e-13
    for count in (image[0], 1):
        x = generator.standard_normal((count, *image[1:])).astype(dtype.numpy)
        result, *others = (exe(x, w) for exe in executables)
        expected = gc.evaluate(graph, x, w)
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
        assert all(other.tobytes() == result.tobytes() for other in others)


FOLLOWED = """graph @followed(%x: f32[N,9,11,72], %dy: f32[N,7,9,203], %w: f32[3,3,72,203]) {
  %first: f32[N,72,9,11] = permute_dims(%x, axes=(0, 3, 1, 2))
  %windows: f32[N,72,7,9,3,3] = windows(%first, size=(3, 3), stride=(1, 1), dilation=(1, 1))
  %last: f32[N,7,9,3,3,72] = permute_dims(%windows, axes=(0, 2, 3, 4, 5, 1))
  %d: f32[3,3,72,203] = dot_general(%last, %dy, contract=((0, 1, 2), (0, 1, 2)))
  %next: f32[3,3,72,203] = sub(%w, %d)
  %squares: f32[3,3,72,203] = square(%d)
  %total: f32[3,3,72] = sum(%squares, axis=(3,))
  RETURN
}
"""


@pytest.mark.parametrize("outputs", ["%next, %total", "%total"])
def test_what_follows_a_gradient_follows_in_the_slice(outputs):
    """Whether an output holds the product, or the slice's own memory."""
    graph = gc.parse(FOLLOWED.replace("RETURN", f"return {outputs}"))
    generator = np.random.default_rng(0)
    shapes = (4, 9, 11, 72), (4, 7, 9, 203), (3, 3, 72, 203)
    arrays = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    executables = [gc.compile(graph, threads=threads) for threads in (1, 2, 3, 4, 8)]
    (kernel,) = (each for each in executables[0].kernels if "winograd_gradient_" in each.source)
    assert "for tap in range(9)" in kernel.source
    assert ("slice * 32886" in kernel.source) == (outputs == "%total")
    results = [flat(exe(*arrays)) for exe in executables]
    for result, expected in zip(results[0], flat(gc.evaluate(graph, *arrays)), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert len({tuple(result.tobytes() for result in each) for each in results}) == 1


def flat(results):
    return results if isinstance(results, tuple) else (results,)


SHAPES_WITHOUT = {
    "few channels": ((4, 4, 12, 12), (16, 4, 3, 3), {}),
    "few results": ((16, 16, 12, 12), (7, 16, 3, 3), {}),
    "a stride": ((4, 16, 12, 12), (16, 16, 3, 3), {"stride": 2}),
    "dilated so far that grids are single pixels": ((4, 16, 15, 15), (16, 16, 3, 3), {"dilation": 5}),
    "dilated along lines alone": ((4, 16, 16, 12), (16, 16, 3, 3), {"dilation": (2, 1)}),
    "dilated by half a stride": ((4, 16, 16, 16), (16, 16, 3, 3), {"dilation": 2, "stride": 4}),
    "kernels of 5": ((4, 16, 12, 12), (16, 16, 5, 5), {}),
    "groups of few channels": ((4, 16, 12, 12), (16, 4, 3, 3), {"groups": 4}),
    "groups of few results": ((4, 16, 12, 12), (8, 8, 3, 3), {"groups": 2}),
    "a line": ((4, 16, 3, 12), (16, 16, 3, 3), {}),
}


@pytest.mark.parametrize("name", SHAPES_WITHOUT)
def test_other_convolutions_are_computed_as_they_are(name):
    x, w, options = SHAPES_WITHOUT[name]
    exe = gc.compile(gc.trace(lambda x, w: F.conv2d(x, w, **options), gc.f32[*x], gc.f32[*w]))
    assert not any("winograd_" in kernel.source for kernel in exe.kernels)


def test_a_prediction_finds_its_weights_transformed():
    """What the state alone decides is done once: the second call runs the convolution alone."""
    from graphc import nn

    model = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()).eval()
    predict = gc.compile(model, inputs=gc.f32["N", 16, 8, 8])
    x = np.random.default_rng(0).standard_normal((2, 16, 8, 8)).astype(np.float32)
    first = predict(x)
    assert any("winograd_weights" in kernel.source for kernel in predict.kernels)
    assert "transform" not in str(predict.profile(x))
    assert np.array_equal(predict(x), first)


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, only="edge", GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, only="edge", NUMBA_DISABLE_JIT="1")
