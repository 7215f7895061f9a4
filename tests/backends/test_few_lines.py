"""Products of few lines of many rows: blocks of rows and gathered runs at every edge, and what follows in the slice."""

from itertools import product

import numpy as np
import pytest
from numba import njit

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.contraction import panel_width
from graphc.backends.cpu.gathered import gemm_gathered_f32, gemm_gathered_f64, pack_run_f32, pack_run_f64
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.vector_ir import Tiling
from graphc.nn import functional as F
from guarded_memory import Guarded

POOLS = [Guarded(2_000_000) for _ in range(4)]
THREADS = 1, 2, 3, 4, 8


def compiled(pack, gemm):
    """Both functions, with nothing known but that rows are neighbours."""

    @njit("void(int64,int64,uintp,int64,uintp,int64,int64)")
    def packing(m, k, a, a_depth, packed, depth, ahead):
        pack(m, k, a, 1, a_depth, packed, depth, ahead)

    @njit("void(int64,int64,int64,uintp,uintp,int64,int64,uintp,int64,int64)")
    def multiplying(m, n, k, a, b, b_panel, b_depth, c, c_row, resume):
        gemm(m, n, k, a, b, b_panel, b_depth, c, c_row, resume)

    return packing, multiplying


COMPILED = {"float32": compiled(pack_run_f32, gemm_gathered_f32), "float64": compiled(pack_run_f64, gemm_gathered_f64)}
PANEL = {dtype: panel_width(dtype) for dtype in COMPILED}
PANEL_OF_F32 = PANEL["float32"]


@njit("void(int64,int64,uintp,uintp,uintp,int64)")
def of_132_columns(m, k, a, b, c, resume):
    """A right operand that is read row by row, by tiles that ask for what follows it."""
    gemm_gathered_f32(m, 132, k, a, b, PANEL_OF_F32, 132, c, 132, resume)


def numbers(pool, shape, dtype):
    """Small integers, whose sums are exact, up to the last byte that may be touched."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(pool).integers(-4, 5, shape)
    return array


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge_of_gathered_runs(dtype):
    """Two parts of the depth, each of some runs that lie apart; the second goes on from the sums of the first."""
    packing, multiplying = COMPILED[dtype]
    height = Tiling.of(dtype).rows
    for m, k, n in product((1, 5, 12, 13, 31), (1, 7, 90), (5, 33, 132)):
        image, B = numbers(0, (5, k, 2, m), dtype), numbers(1, (5 * k, n), dtype)  # every other pixel
        C = POOLS[3].array((m, n), dtype)
        C[:] = -77
        for runs in (range(3), range(3, 5)):
            depth = len(runs) * k
            panels = POOLS[2].array((-(-m // height), depth, height), dtype)
            for run in runs:
                start, target = image[run].ctypes.data, panels[:, (run - runs[0]) * k :].ctypes.data
                packing(m, k, start, 2 * m, target, depth, 2 * m * k)
            b = B[runs[0] * k :].ctypes.data
            if dtype == "float32" and n == 132:
                of_132_columns(m, depth, panels.ctypes.data, b, C.ctypes.data, runs[0] > 0)
            else:
                multiplying(
                    m, n, depth, panels.ctypes.data, b, PANEL[dtype], n, C.ctypes.data, n, runs[0] > 0
                )  # fmt: skip
        assert np.array_equal(C, image[:, :, 0].reshape(-1, m).T @ B), f"{m} x {n}, runs of {k}"


SHAPES = {  # image, kernel, options of the convolution, whether its pixels are gathered
    "a stride": ((4, 64, 12, 10), (256, 64, 3, 3), {"stride": 2, "padding": 1}, True),
    "an odd stride": ((3, 67, 9, 11), (231, 67, 3, 3), {"stride": 2, "padding": 1}, True),
    "5x5": ((3, 40, 9, 8), (135, 40, 5, 5), {"padding": 2}, True),
    "7x7, whole blocks": ((2, 24, 9, 8), (128, 24, 7, 7), {"padding": 3}, True),
    "2x2": ((3, 131, 6, 5), (257, 131, 2, 2), {"padding": 1}, True),
    "lines of more pixels than a cache holds": ((1, 33, 4, 261), (160, 33, 5, 5), {"padding": 2}, False),
    "few columns": ((2, 131, 5, 6), (45, 131, 5, 5), {"padding": 2}, False),
    "an image whose channels come first": ((2, 261, 1, 40), (192, 261, 1, 3), {"dilation": 2}, False),
    "groups": ((2, 194, 5, 6), (386, 97, 2, 2), {"padding": 1, "groups": 2}, True),
    "groups of few columns": ((2, 291, 5, 6), (348, 97, 2, 2), {"padding": 1, "groups": 3}, False),
    "a volume": ((2, 60, 2, 3, 4), (190, 60, 2, 2, 3), {"padding": 1}, True),
}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_slices_share_the_rows_of_a_gradient_of_few_lines(name, dtype):
    """The same bits with any number of threads, for an image as for several; zeros for none."""
    image, kernel, options, is_gathered = SHAPES[name]
    generator = np.random.default_rng(0)
    w = generator.standard_normal(kernel).astype(dtype.numpy)
    convolution = F.conv3d if len(kernel) == 5 else F.conv2d
    graph = gc.trace(lambda x, w: gc.sum(convolution(x, w, **options) ** 2), dtype["N", *image[1:]], w)
    graph = gc.grad(graph, wrt=["w"])
    executables = [gc.compile(graph, threads=threads) for threads in THREADS]
    (source,) = (each.source for each in executables[0].kernels if "for unit in range" in each.source)
    assert ("gemm_gathered_" in source) == is_gathered
    tolerance = 1e-5 if dtype is gc.f32 else 1e-13
    for count in (image[0], 1, 0):
        x = generator.standard_normal((count, *image[1:])).astype(dtype.numpy)
        result, *others = (exe(x, w) for exe in executables)
        expected = gc.evaluate(graph, x, w)
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
        assert all(other.tobytes() == result.tobytes() for other in others)


FOLLOWED = """graph @followed(%x: f32[N,9,11,COUT], %dy: f32[N,5,7,203], %w: f32[5,5,COUT,203]) {
  %first: f32[N,COUT,9,11] = permute_dims(%x, axes=(0, 3, 1, 2))
  %windows: f32[N,COUT,5,7,5,5] = windows(%first, size=(5, 5), stride=(1, 1), dilation=(1, 1))
  %last: f32[N,5,7,5,5,COUT] = permute_dims(%windows, axes=(0, 2, 3, 4, 5, 1))
  %d: f32[5,5,COUT,203] = dot_general(%last, %dy, contract=((0, 1, 2), (0, 1, 2)))
  %next: f32[5,5,COUT,203] = sub(%w, %d)
  %squares: f32[5,5,COUT,203] = square(%d)
  %total: f32[5,5,COUT] = sum(%squares, axis=(3,))
  %norm: f32[] = sum(%total, axis=(0, 1, 2))
  RETURN
}
"""


@pytest.mark.parametrize("channels", [36, 43])
@pytest.mark.parametrize("outputs", ["%next, %total", "%total", "%norm"])
def test_what_follows_a_block_of_rows_follows_in_the_slice(outputs, channels):
    """Whether an output holds the product, or the slice's own memory; whether blocks are whole ones or not."""
    graph = gc.parse(FOLLOWED.replace("COUT", str(channels)).replace("RETURN", f"return {outputs}"))
    generator = np.random.default_rng(0)
    shapes = (4, 9, 11, channels), (4, 5, 7, 203), (5, 5, channels, 203)
    arrays = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    executables = [gc.compile(graph, threads=threads) for threads in THREADS]
    (kernel,) = (each for each in executables[0].kernels if "for unit in range" in each.source)
    assert "line_begin = first" in kernel.source
    results = [flat(exe(*arrays)) for exe in executables]
    for result, expected in zip(results[0], flat(gc.evaluate(graph, *arrays)), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert len({tuple(result.tobytes() for result in each) for each in results}) == 1


def flat(results):
    return results if isinstance(results, tuple) else (results,)


def test_lines_of_few_rows_and_many_lines_stay_whole():
    """A convolution of one image, whose lines are its own, and one of many taps in a line."""
    forward = gc.trace(lambda x, w: F.conv2d(x, w), gc.f32[1, 64, 12, 40], gc.f32[64, 64, 5, 5])
    tall = gc.trace(lambda x, w: gc.sum(F.conv2d(x, w) ** 2), gc.f32["N", 24, 40, 9], gc.f32[288, 24, 17, 3])
    for graph in forward, gc.grad(tall, wrt=["w"]):
        assert not any("for unit in range" in kernel.source for kernel in gc.compile(graph).kernels)


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, only="edge or stride or whole", GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, only="edge", NUMBA_DISABLE_JIT="1")
