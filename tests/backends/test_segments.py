"""gemm_segments: a depth of several pieces, at every edge of tiles; no byte beyond the operands; sums that go on."""

from itertools import product

import numpy as np
import pytest
from numba import njit

from another_process import run_again
from graphc.backends.cpu.contraction import gemm_segments_f32, gemm_segments_f64, panel_width
from graphc.backends.cpu.machine import machine
from guarded_memory import Guarded

SIGNATURE = f"void({'int64,' * 4}uintp,{'int64,' * 3}uintp,{'int64,' * 3}uintp,int64,int64)"
POOLS = [Guarded(2_000_000) for _ in range(3)]


@njit(SIGNATURE)
def segments32(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume):
    gemm_segments_f32(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume)


@njit(SIGNATURE)
def segments64(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume):
    gemm_segments_f64(m, n, k, s, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume)


COMPILED = {"float32": segments32, "float64": segments64}


def numbers(pool, shape, dtype):
    """Small integers, whose sums are exact, up to the last byte that may be touched."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(pool).integers(-4, 5, shape)
    return array


def product_of(A, B, resume=None):
    """A[m, s, k] · B[s, k, n], for views A of any strides; `resume` is what the sums start from."""
    (m, s, k), n, size = A.shape, B.shape[2], A.itemsize
    C = POOLS[2].array((m, n), A.dtype)
    C[:] = -77 if resume is None else resume
    row, segment, depth = (step // size for step in A.strides)
    b_segment, b_depth, _ = (step // size for step in B.strides)
    COMPILED[A.dtype.name](
        m, n, k, s, A.ctypes.data, row, depth, segment, B.ctypes.data, panel_width(A.dtype.name), b_depth, b_segment,
        C.ctypes.data, n, resume is not None,
    )  # fmt: skip
    return C.copy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge_of_tiles(dtype):
    for m, n, s, k in product((1, 2, 5, 12, 31), (1, 7, 16, 17, 33, 64), (1, 3), (1, 4, 23)):
        A, B = numbers(0, (m, s, k), dtype), numbers(1, (s, k, n), dtype)
        assert np.array_equal(product_of(A, B), np.tensordot(A, B, 2)), f"{m} x {n}, {s} segments of {k}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_are_read_in_place(dtype):
    """Rows that overlap: a line of a convolution of stride 2, and the gradient for its kernel."""
    image, kernel = numbers(0, (5, 21, 3), dtype), numbers(1, (3, 9, 10), dtype)
    windows = np.lib.stride_tricks.sliding_window_view(image.reshape(5, 63), 9, 1)[1:4, ::6]  # [h, q, 9]
    assert np.array_equal(product_of(windows.swapaxes(0, 1), kernel), np.einsum("hqk,hko->qo", windows, kernel))
    assert np.array_equal(
        product_of(windows.transpose(2, 0, 1)[:, :, :9], kernel),
        np.tensordot(windows.transpose(2, 0, 1)[:, :, :9], kernel, 2),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_go_on_and_may_be_empty(dtype):
    A, B = numbers(0, (13, 4, 6), dtype), numbers(1, (4, 6, 18), dtype)
    first = product_of(A[:, :1], B[:1])
    assert np.array_equal(product_of(A[:, 1:], B[1:], resume=first), np.tensordot(A, B, 2))
    assert np.array_equal(product_of(A[:, :0], B[:0]), np.zeros((13, 18), dtype))
    assert np.array_equal(product_of(A[:, :, :0], B[:, :0], resume=first), first)


def line(n):
    """A product whose extents and strides are literals, as kernels have them."""

    @njit("void(uintp,uintp,uintp)", fastmath={"contract", "arcp", "afn", "nsz"})
    def compiled(a, b, c):
        gemm_segments_f32(14, n, 24, 3, a, 8, 1, 144, b, panel_width_of_f32, n, 24 * n, c, n, 0)

    return compiled


panel_width_of_f32 = panel_width("float32")


@pytest.mark.parametrize("n", [3, 8, 16, 24, 32, 40, 48])
def test_literal_columns(n):
    """What is left beside whole panels is known when the kernel is compiled."""
    image, kernel = numbers(0, (3, 18, 8), "float32"), numbers(1, (3, 24, n), "float32")
    result = POOLS[2].array((14, n), "float32")
    line(n)(image.ctypes.data, kernel.ctypes.data, result.ctypes.data)
    windows = np.lib.stride_tricks.sliding_window_view(image.reshape(3, 144), 24, 1)[:, :112:8]
    assert np.array_equal(result, np.einsum("hqk,hko->qo", windows, kernel))


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, NUMBA_DISABLE_JIT="1")
