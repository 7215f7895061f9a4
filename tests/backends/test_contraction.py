"""gemm and pack of generated kernels: exact sums at any size, no byte beyond the operands, one order of summation."""

from itertools import product

import numpy as np
import pytest
from numba import config, njit

from another_process import run_again
from graphc.backends.cpu.contraction import gemm_f32, gemm_f64, pack_f32, pack_f64, panel_width
from graphc.backends.cpu.machine import machine
from guarded_memory import Guarded

SIZES = (1, 2, 3, 5, 7, 17, 31, 33, 127, 1000)
GEMM = "void(int64,int64,int64,uintp,int64,int64,uintp,int64,int64,uintp,int64)"
PACK = "void(int64,int64,uintp,int64,int64,uintp)"


@njit(GEMM)
def gemm32(m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row):
    gemm_f32(m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row)


@njit(GEMM)
def gemm64(m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row):
    gemm_f64(m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row)


@njit(PACK)
def pack32(k, n, b, b_row, b_column, packed):
    pack_f32(k, n, b, b_row, b_column, packed)


@njit(PACK)
def pack64(k, n, b, b_row, b_column, packed):
    pack_f64(k, n, b, b_row, b_column, packed)


GEMMS, PACKS = {"float32": gemm32, "float64": gemm64}, {"float32": pack32, "float64": pack64}


POOLS = [Guarded(9_000_000) for _ in range(4)]


def numbers(pool, shape, dtype, seed=0):
    """Small integers: every sum of their products is exact in whatever order."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(seed).integers(-4, 5, shape)
    return array


def product_of(A, B, c_row, packed):
    """C by the compiled gemm; A and B are views of any strides, C lies before an unreadable page."""
    dtype = A.dtype.name
    (m, k), n, width, size = A.shape, B.shape[1], panel_width(dtype), A.itemsize
    held = POOLS[2].array((m * c_row - (c_row - n),), A.dtype)
    held[:] = -77
    row, depth = (step // size for step in A.strides)
    if packed:
        panels = POOLS[3].array((-(-n // width) * k * width,), A.dtype)
        panels[:] = np.nan
        PACKS[dtype](k, n, B.ctypes.data, *(step // size for step in B.strides), panels.ctypes.data)
        b = (panels.ctypes.data, k * width, width)
    else:
        assert B.strides[1] == size or n == 1
        b = (B.ctypes.data, width, B.strides[0] // size)
    GEMMS[dtype](m, n, k, A.ctypes.data, row, depth, *b, held.ctypes.data, c_row)
    inside = np.lib.stride_tricks.as_strided(held, (m, n), (c_row * size, size))
    between = np.delete(held, [i * c_row + j for i in range(m) for j in range(n)]) if c_row > n and m * n < 2000 else []
    assert np.all(np.equal(between, -77)), "written beside C"
    return inside.copy()


def is_one_long(sizes):
    return sum(size == 1000 for size in sizes) <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gemm_is_exact_at_every_size(dtype):
    for i, (m, n, k) in enumerate(filter(is_one_long, product(SIZES, repeat=3))):
        by_columns, packed, b_by_columns = bool(i & 1), bool(i & 2), bool(i & 4)
        A = numbers(0, (k, m), dtype).T if by_columns else numbers(0, (m, k), dtype)
        B = numbers(1, (n, k), dtype, 1).T if packed and b_by_columns else numbers(1, (k, n), dtype, 1)
        C = product_of(A, B, c_row=n + 3 * (i % 3 == 0), packed=packed)
        expected = A.astype(np.float64) @ B.astype(np.float64)
        assert np.array_equal(C, expected), f"{m} x {n} x {k}: {by_columns=} {packed=} {b_by_columns=}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gemm_takes_any_strides_of_a(dtype):
    A = numbers(0, (70, 90), dtype)[3::2, 1::3]
    B = numbers(1, (30, 37), dtype, 1)[:, 1:34]
    assert np.array_equal(product_of(A, B, 40, packed=False), A @ B)
    B = numbers(1, (34, 37), dtype, 1)[:, 1:34]
    assert np.array_equal(product_of(A.T, B, 40, packed=False), A.T @ B)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("by_columns", [False, True])
def test_strides_that_crowd_the_cache(dtype, by_columns):
    """Rows that are 4 and 8 KB apart: blocks of both operands are copied."""
    A = numbers(0, (600, 1024), dtype).T if by_columns else numbers(0, (200, 1024), dtype)[:, :600]
    B = numbers(1, (600, 1024), dtype, 1)[:, :777]
    for m in (200, 33, 32, 31):
        assert np.array_equal(product_of(A[:m], B, 777, packed=False), A[:m] @ B), f"{m=}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", SIZES)
def test_pack_pads_with_zeros(dtype, k):
    width = panel_width(dtype)
    for n in SIZES if k < 1000 else SIZES[:-1]:
        for by_columns, step in ((False, 1), (True, 1), (False, 2)):
            B = numbers(1, (n, k) if by_columns else (k, n * step), dtype)
            B = B.T if by_columns else B[:, ::step]
            panels = POOLS[3].array((-(-n // width), k, width), dtype)
            panels[:] = np.nan
            PACKS[dtype](k, n, B.ctypes.data, *(s // B.itemsize for s in B.strides), panels.ctypes.data)
            padded = np.zeros((k, len(panels) * width), dtype)
            padded[:, :n] = B
            expected = padded.reshape(k, len(panels), width).swapaxes(0, 1)
            assert np.array_equal(panels, expected), f"{k} x {n}: {by_columns=} {step=}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_empty_extents(dtype):
    A, B, C = numbers(0, (4, 4), dtype), numbers(1, (4, 20), dtype), POOLS[2].array((4, 20), dtype)
    for m, n, k in ((0, 20, 4), (4, 0, 4), (0, 0, 0), (4, 19, 0), (1, 3, 0)):
        C[:] = 5
        GEMMS[dtype](m, n, k, A.ctypes.data, 4, 1, B.ctypes.data, panel_width(dtype), 20, C.ctypes.data, 20)
        expected = np.full((4, 20), 5.0)
        expected[:m, :n] = 0
        assert np.array_equal(C, expected), f"{m} x {n} x {k}"


@pytest.mark.skipif(config.DISABLE_JIT, reason="NumPy's product has an order of its own")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_are_the_same_bits_in_every_tile_and_layout(dtype):
    random = np.random.default_rng(0)
    A, B = random.standard_normal((61, 1100)).astype(dtype), random.standard_normal((1100, 75)).astype(dtype)
    whole = product_of(A, B, 75, packed=False)
    assert np.allclose(whole, A.astype(np.float64) @ B, rtol=0, atol=1e-3 if dtype == "float32" else 1e-11)
    for rows, columns in product([(0, 1), (5, 7), (3, 61), (40, 48), (17, 30)], [(0, 1), (9, 75), (60, 64), (1, 34)]):
        part = product_of(A[slice(*rows)], B[:, slice(*columns)], 80, packed=False)
        assert np.array_equal(part, whole[slice(*rows), slice(*columns)]), f"{rows=} {columns=}"
    assert np.array_equal(product_of(A, B, 75, packed=True), whole)
    assert np.array_equal(product_of(np.asfortranarray(A), np.asfortranarray(B), 75, packed=True), whole)


def test_nan_stays_in_its_row_and_column():
    A, B = numbers(0, (19, 9), "float32"), numbers(1, (9, 21), "float32")
    A[4, 3] = np.nan
    B[2, 20] = np.inf
    with np.errstate(invalid="ignore"):
        assert np.array_equal(product_of(A, B, 21, packed=False), A @ B, equal_nan=True)


WIDTH32 = panel_width("float32")


@njit("void(int64,uintp,uintp,uintp,uintp,uintp,uintp)", fastmath={"contract", "arcp", "afn", "nsz"})
def layer(rows, x, w, panels, y, g, gw):
    """y = x·wᵀ and gw = gᵀ·x for x[rows, 37] and w[29, 37]: strides that are literals, rows that are not."""
    pack_f32(37, 29, w, 1, 37, panels)
    gemm_f32(rows, 29, 37, x, 37, 1, panels, 37 * WIDTH32, WIDTH32, y, 29)
    gemm_f32(29, 37, rows, g, 1, 29, x, WIDTH32, 37, gw, 37)


def test_literal_strides():
    for rows in SIZES:
        x, w, g = (numbers(i, s, "float32", i) for i, s in enumerate([(rows, 37), (29, 37), (rows, 29)]))
        panels = np.full((-(-29 // WIDTH32), 37, WIDTH32), np.nan, np.float32)
        y, gw = POOLS[3].array((rows, 29), "float32"), np.empty((29, 37), np.float32)
        layer(rows, *(array.ctypes.data for array in (x, w, panels, y, g, gw)))
        assert np.array_equal(y, x @ w.T), f"{rows=}"
        assert np.array_equal(gw, g.T @ x), f"{rows=}"


DEEP = 2100  # more than a block of depth, where both operands are streams


@njit("void(int64,uintp,uintp,uintp)", fastmath={"contract", "arcp", "afn", "nsz"})
def deep(rows, x, panels, y):
    gemm_f32(rows, 29, DEEP, x, DEEP, 1, panels, DEEP * WIDTH32, WIDTH32, y, 29)


@pytest.mark.skipif(config.DISABLE_JIT, reason="NumPy's product has an order of its own")
def test_blocks_of_depth_change_no_bit():
    random = np.random.default_rng(0)
    A, B = random.standard_normal((67, DEEP)).astype(np.float32), random.standard_normal((DEEP, 29)).astype(np.float32)
    panels = np.empty((-(-29 // WIDTH32), DEEP, WIDTH32), np.float32)
    pack32(DEEP, 29, B.ctypes.data, 29, 1, panels.ctypes.data)
    for rows in (1, 13, 60, 67):
        y = np.empty((rows, 29), np.float32)
        deep(rows, A.ctypes.data, panels.ctypes.data, y.ctypes.data)
        assert np.array_equal(y, product_of(A[:rows], B, 29, packed=False)), f"{rows=}"


CROWDING = 1024  # elements from row to row: a B that is copied block by block


@njit("void(int64,int64,uintp,uintp,uintp)", fastmath={"contract", "arcp", "afn", "nsz"})
def few_columns_of_long_rows(rows, depth, x, w, y):
    gemm_f32(rows, 43, depth, x, DEEP, 1, w, WIDTH32, CROWDING, y, 43)


@pytest.mark.skipif(config.DISABLE_JIT, reason="NumPy's product has an order of its own")
@pytest.mark.parametrize("depth", [100, 256, 257, DEEP])
def test_deeper_copies_for_many_rows_change_no_bit(depth):
    """Nor is anything read or written beside: what is copied ends with the last column."""
    random = np.random.default_rng(0)
    A = POOLS[0].array((259, DEEP), np.float32)
    A[:] = random.standard_normal(A.shape)
    B = np.lib.stride_tricks.as_strided(
        POOLS[1].array(((depth - 1) * CROWDING + 43,), np.float32), (depth, 43), (4 * CROWDING, 4)
    )
    B[:] = random.standard_normal(B.shape)
    packed = np.ascontiguousarray(B)
    for rows in (255, 256, 259):
        y = POOLS[2].array((rows, 43), np.float32)
        y[:] = np.nan
        few_columns_of_long_rows(rows, depth, A.ctypes.data, B.ctypes.data, y.ctypes.data)
        expected = product_of(A[:rows, :depth], packed, 43, packed=False)
        assert np.array_equal(y, expected), f"{rows=}"


ACROSS = 293  # columns of a B that is large enough to be asked for before it is read


@njit("void(int64,uintp,uintp,uintp)", fastmath={"contract", "arcp", "afn", "nsz"})
def wide(rows, x, w, y):
    gemm_f32(rows, ACROSS, DEEP, x, DEEP, 1, w, WIDTH32, ACROSS, y, ACROSS)


def test_a_large_right_operand_is_asked_for_block_by_block():
    """To its end, behind which a page cannot be read, with any number of rows: all blocks of them, and edge tiles."""
    w = numbers(1, (DEEP, ACROSS), "float32")
    for rows in (1, 11, 24, 67, 293):
        x, y = numbers(0, (rows, DEEP), "float32", rows), POOLS[3].array((rows, ACROSS), "float32")
        y[:] = -77
        wide(rows, x.ctypes.data, w.ctypes.data, y.ctypes.data)
        assert np.array_equal(y, x @ w), f"{rows=}"


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, NUMBA_DISABLE_JIT="1")
