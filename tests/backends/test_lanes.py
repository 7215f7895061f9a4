"""gemm_lanes: columns that have left operands of their own, at every edge of tiles; no byte beyond the operands."""

from itertools import product

import numpy as np
import pytest
from numba import njit

from another_process import run_again
from graphc.backends.cpu.contraction import gemm_lanes_f32, gemm_lanes_f64, gemm_lanes_within_f32, panel_width
from graphc.backends.cpu.machine import machine
from guarded_memory import Guarded

SIGNATURE = f"void({'int64,' * 4}uintp,{'int64,' * 3}uintp,{'int64,' * 3}uintp,int64,int64)"
POOLS = [Guarded(2_000_000) for _ in range(3)]


@njit(SIGNATURE)
def lanes32(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume):
    gemm_lanes_f32(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume)


@njit(SIGNATURE)
def lanes64(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume):
    gemm_lanes_f64(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume)


COMPILED = {"float32": lanes32, "float64": lanes64}


def numbers(pool, shape, dtype):
    """Small integers, whose sums are exact, up to the last byte that may be touched."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(pool).integers(-4, 5, shape)
    return array


def product_of(A, B, resume=None):
    """Σ over s, k of A[m, s, k, n]·B[s, k, n], for views of any strides but the last; sums start from `resume`."""
    (m, s, k, n), size = A.shape, A.itemsize
    C = POOLS[2].array((m, n), A.dtype)
    C[:] = -77 if resume is None else resume
    row, segment, depth, _ = (step // size for step in A.strides)
    b_segment, b_depth, _ = (step // size for step in B.strides)
    COMPILED[A.dtype.name](
        m, n, k, s, A.ctypes.data, row, depth, segment, B.ctypes.data, panel_width(A.dtype.name), b_depth, b_segment,
        C.ctypes.data, n, resume is not None,
    )  # fmt: skip
    return C.copy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge_of_tiles(dtype):
    for m, n, s, k in product((1, 3, 12, 31), (1, 7, 16, 17, 33, 64), (1, 3), (1, 4, 23)):
        A, B = numbers(0, (m, s, k, n), dtype), numbers(1, (s, k, n), dtype)
        assert np.array_equal(product_of(A, B), np.einsum("mskn,skn->mn", A, B)), f"{m} x {n}, {s} segments of {k}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_depthwise_convolution_and_the_gradient_for_its_kernels(dtype):
    image, kernel = numbers(0, (8, 11, 19), dtype), numbers(1, (3, 3, 19), dtype)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), (0, 1)).transpose(
        0, 1, 3, 4, 2
    )  # [p, q, k, l, c]
    line = windows[2]
    assert np.array_equal(product_of(line, kernel), np.einsum("qklc,klc->qc", line, kernel))
    gradient = numbers(1, (6, 9, 19), dtype)
    taps = windows[:, :, 1].transpose(2, 0, 1, 3)  # those of the middle line of the kernel: [l, p, q, c]
    assert np.array_equal(product_of(taps, gradient), np.einsum("lpqc,pqc->lc", taps, gradient))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_go_on_and_may_be_empty(dtype):
    A, B = numbers(0, (13, 4, 6, 18), dtype), numbers(1, (4, 6, 18), dtype)
    first = product_of(A[:, :1], B[:1])
    assert np.array_equal(product_of(A[:, 1:], B[1:], resume=first), np.einsum("mskn,skn->mn", A, B))
    assert np.array_equal(product_of(A[:, :0], B[:0]), np.zeros((13, 18), dtype))
    assert np.array_equal(product_of(A[:, :, :0], B[:, :0], resume=first), first)


def line(m, n, k):
    """A product whose extents and strides are literals, as kernels have them; its rows overlap."""
    image = (m + k - 1) * n

    @njit("void(uintp,uintp,uintp)", fastmath={"contract", "arcp", "afn", "nsz"})
    def compiled(a, b, c):
        gemm_lanes_f32(m, n, k, 3, a, n, n, image, b, panel_width_of_f32, n, k * n, c, n, 0)

    return compiled


panel_width_of_f32 = panel_width("float32")


@pytest.mark.parametrize(
    ("m", "n", "k"),
    [(14, 3, 3), (14, 16, 3), (14, 24, 3), (32, 64, 3), (1, 48, 3), (5, 48, 1), (7, 19, 2), (9, 33, 4), (3, 40, 5),
     (3, 64, 32), (3, 21, 7), (2, 17, 9), (3, 16, 10)],
)  # fmt: skip
def test_rows_that_overlap(m, n, k):
    """What several rows read is loaded once; every sum is one in ascending order all the same."""
    image, kernel = numbers(0, (3, m + k - 1, n), "float32"), numbers(1, (3, k, n), "float32")
    result = POOLS[2].array((m, n), "float32")
    line(m, n, k)(image.ctypes.data, kernel.ctypes.data, result.ctypes.data)
    windows = np.lib.stride_tricks.sliding_window_view(image, k, 1)
    assert np.array_equal(result, np.einsum("sqnl,sln->qn", windows, kernel))


def within(lines, m, n, k, stride, step, low, width):
    """A line of a result from an image of `width` pixels in memory, of whose lines of taps three may lie outside."""
    row, depth, line, begin, end = stride * n, step * n, width * n, low * n, (low + width) * n

    @njit("void(uintp,uintp,uintp,int64,int64)", fastmath={"contract", "arcp", "afn", "nsz"})
    def compiled(a, b, c, first, last):
        gemm_lanes_within_f32(
            m, n, k, lines, a - begin * 4, row, depth, line, b, panel_width_of_f32, n, k * n, c, n, 0,
            begin, end, first, last,
        )  # fmt: skip

    return compiled


@pytest.mark.parametrize(
    ("m", "n", "k", "stride", "step", "low", "width"),
    [(14, 16, 3, 1, 1, 1, 14), (32, 19, 3, 1, 1, 1, 32), (37, 3, 5, 1, 1, 2, 37), (1, 16, 3, 1, 1, 1, 1),
     (16, 40, 3, 2, 1, 1, 31), (12, 17, 5, 2, 1, 2, 24), (10, 16, 3, 1, 2, 2, 10), (12, 33, 7, 1, 1, 3, 12),
     (3, 64, 32, 1, 1, 1, 32), (3, 17, 31, 1, 2, 1, 61), (5, 16, 9, 1, 1, 4, 5), (6, 16, 3, 1, 1, 0, 6)],
)  # fmt: skip
def test_margins_are_zeros_that_nobody_reads(m, n, k, stride, step, low, width):
    """The image lies between bytes that may not be read; a kernel that is no number spreads as over zeros in memory."""
    kernel = numbers(1, (3, k, n), "float32")
    kernel[-1, 0, 0] = np.nan
    compiled = within(3, m, n, k, stride, step, low, width)
    reach = max((m - 1) * stride + (k - 1) * step + 1, low + width)
    for first, last in ((0, 3), (1, 3), (0, 2), (1, 1), (3, 3)):
        image = numbers(0, (last - first, width, n), "float32")
        padded = np.zeros((3, reach, n), "float32")
        padded[first:last, low : low + width] = image
        windows = np.lib.stride_tricks.sliding_window_view(padded, (k - 1) * step + 1, 1)[:, ::stride, :, ::step][:, :m]
        result = POOLS[2].array((m, n), "float32")
        compiled(image.ctypes.data - first * width * n * 4, kernel.ctypes.data, result.ctypes.data, first, last)
        assert np.array_equal(result, np.einsum("sqnl,sln->qn", windows, kernel), equal_nan=True), f"{first=} {last=}"


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, NUMBA_DISABLE_JIT="1")
