"""Products of few rows, lanes along the depth: exact at any size, no byte beyond the operands, rows independent."""

from itertools import product

import numpy as np
import pytest
from numba import config, njit

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.contraction import dot_f32, dot_f64
from graphc.backends.cpu.dots import FEW_ROWS
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.vector_ir import Tiling
from guarded_memory import Guarded

DOT = "void(int64,int64,int64,uintp,int64,uintp,int64,uintp,int64)"
POOLS = [Guarded(600_000) for _ in range(3)]


@njit(DOT)
def dot32(m, n, k, a, a_row, b, b_column, c, c_row):
    dot_f32(m, n, k, a, a_row, b, b_column, c, c_row)


@njit(DOT)
def dot64(m, n, k, a, a_row, b, b_column, c, c_row):
    dot_f64(m, n, k, a, a_row, b, b_column, c, c_row)


@njit("void(uintp,uintp,uintp)")
def one_row(a, b, c):
    dot_f32(1, 10, 37, a, 37, b, 40, c, 10)


@njit("void(uintp,uintp,uintp)")
def five_rows(a, b, c):
    dot_f32(5, 12, 37, a, 37, b, 40, c, 12)


@njit("void(uintp,uintp,uintp)")
def many_columns(a, b, c):
    dot_f32(3, 21, 37, a, 37, b, 40, c, 21)


DOTS = {"float32": dot32, "float64": dot64}


def small_integers(pool, shape, dtype, seed):
    """Every sum of their products is exact in whatever order."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(seed).integers(-4, 5, shape)
    return array


def dots(A, B, c_row):
    """A · Bᵀ by the compiled function; C lies before an unreadable page."""
    (m, k), n = A.shape, len(B)
    held = POOLS[2].array((max(m * c_row - (c_row - n), 0),), A.dtype)
    held[:] = -77
    rows = (array.strides[0] // array.itemsize for array in (A, B))
    a_row, b_column = rows
    DOTS[A.dtype.name](m, n, k, A.ctypes.data, a_row, B.ctypes.data, b_column, held.ctypes.data, c_row)
    inside = np.lib.stride_tricks.as_strided(held, (m, n), (c_row * A.itemsize, A.itemsize))
    between = np.delete(held, [i * c_row + j for i in range(m) for j in range(n)])
    assert np.all(np.equal(between, -77)), "written beside C"
    return inside.copy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_at_every_size(dtype):
    for m, n, k in product((0, 1, 2, 4, 5), (1, 3, 4, 7, 8, 9, 16, 43), (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 127)):
        A, B = small_integers(0, (m, k), dtype, 0), small_integers(1, (n, k), dtype, 1)
        assert np.array_equal(dots(A, B, n + 3 * (k % 2)), A.astype(np.float64) @ B.T), f"{m} x {n} x {k}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_may_be_parts_of_longer_ones(dtype):
    A, B = small_integers(0, (3, 50), dtype, 0)[:, :37], small_integers(1, (11, 41), dtype, 1)[:, :37]
    assert np.array_equal(dots(A, B, 20), A @ B.T)


@pytest.mark.parametrize(("function", "m", "n"), [(one_row, 1, 10), (five_rows, 5, 12), (many_columns, 3, 21)])
def test_numbers_that_are_known(function, m, n):
    A, B = small_integers(0, (m, 37), "float32", 0), small_integers(1, (n, 40), "float32", 1)
    C = POOLS[2].array((m, n), "float32")
    function(A.ctypes.data, B.ctypes.data, C.ctypes.data)
    assert np.array_equal(C, A @ B[:, :37].T)


@pytest.mark.skipif(config.DISABLE_JIT, reason="NumPy's product has an order of its own")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sum_has_the_same_bits_wherever_it_lies(dtype):
    random = np.random.default_rng(0)
    A, B = random.standard_normal((5, 333)).astype(dtype), random.standard_normal((29, 333)).astype(dtype)
    whole = dots(A, B, 29)
    assert np.allclose(whole, A.astype(np.float64) @ B.T, rtol=0, atol=1e-4 if dtype == "float32" else 1e-12)
    for i, j in product(range(5), (0, 3, 7, 8, 20, 28)):
        assert dots(A[i : i + 1], B[j : j + 1], 1)[0, 0] == whole[i, j], f"{i=} {j=}"


def test_nan_and_infinity_stay_in_their_row_and_column():
    A, B = small_integers(0, (3, 19), "float32", 0), small_integers(1, (12, 19), "float32", 1)
    A[1, 18] = np.nan
    B[10, 2] = np.inf
    with np.errstate(invalid="ignore"):
        assert np.array_equal(dots(A, B, 12), A @ B.T, equal_nan=True)


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
def test_a_kernel_takes_this_way_for_few_rows_alone(dtype):
    """Weights that come with each call: exact for every batch, and no panels for one row."""
    exe = gc.compile(gc.trace(lambda x, w: gc.maximum(x @ w.T, 0.0), dtype["N", 70], dtype[90, 70]))
    (kernel,) = exe.kernels
    assert f"<= {FEW_ROWS}" in kernel.source
    for rows in (1, 2, 3, 4, 5, 6, 13):
        x, w = small_integers(0, (rows, 70), dtype.numpy, 0), small_integers(1, (90, 70), dtype.numpy, 1)
        assert np.array_equal(exe(x, w), np.maximum(x @ w.T, 0)), f"{rows=}"


@pytest.mark.skipif(config.DISABLE_JIT, reason="NumPy's product has an order of its own")
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_few_columns_of_a_long_depth_are_never_packed(dtype):
    """A row has the same bits in every batch, as each sum is along the depth; for any number of threads."""
    columns = 3 * Tiling.of(dtype.numpy.name).lanes // 4
    graph = gc.trace(lambda x, w, b: gc.maximum(x @ w.T + b, 0.0), dtype["N", 77], dtype[columns, 77], dtype[columns])
    exe = gc.compile(graph, threads=1)
    (kernel,) = exe.kernels
    assert "dot_" in kernel.source
    assert "pack_" not in kernel.source
    random = np.random.default_rng(0)
    w, b = (random.standard_normal(shape).astype(dtype.numpy) for shape in ((columns, 77), columns))
    x = random.standard_normal((3001, 77)).astype(dtype.numpy)
    whole = exe(x, w, b)
    tolerance = 1e-5 if dtype is gc.f32 else 1e-13
    np.testing.assert_allclose(whole, gc.evaluate(graph, x, w, b), rtol=tolerance, atol=tolerance)
    for rows in (1, 2, 5, 13, 96):
        assert exe(x[:rows], w, b).tobytes() == whole[:rows].tobytes()
    for threads in (2, 3, 4, 8):
        assert gc.compile(graph, threads=threads)(x, w, b).tobytes() == whole.tobytes()


def test_matrices_of_few_known_rows_side_by_side():
    """One query a head: every head's product is read where it lies."""
    graph = gc.trace(lambda q, k: q @ gc.permute_dims(k, (0, 2, 1)), gc.f32["N", 2, 24], gc.f32["N", 50, 24])
    exe = gc.compile(graph)
    q, k = small_integers(0, (6, 2, 24), "float32", 0), small_integers(1, (6, 50, 24), "float32", 1)
    assert np.array_equal(exe(q, k), q @ k.transpose(0, 2, 1))
    (kernel,) = exe.kernels
    assert "dot_f32" in kernel.source
    assert "pack" not in kernel.source


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, NUMBA_DISABLE_JIT="1")


@pytest.mark.parametrize(("columns", "depth"), [(8, 16), (3, 100), (20, 7)])
def test_few_rows_in_each_of_many_lines(columns, depth):
    """Part of an image times a matrix: packed once for all lines, or read along the depth in each."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((3, 4, 5, 5, depth)).astype(np.float32)
    w = generator.standard_normal((columns, depth)).astype(np.float32)
    graph = gc.trace(lambda x, w: gc.tanh(x[:, 1:4, 1:5, 1:5] @ w.mT), gc.f32["N", 4, 5, 5, depth], gc.f32[*w.shape])
    exe = gc.compile(graph)
    np.testing.assert_allclose(exe(x, w), gc.evaluate(graph, x, w), rtol=1e-4, atol=1e-5)
    (step,) = exe.program.steps
    sizes = [extent for buffer, extent in step.source.temporaries.items() if buffer.name == "w_panels"]
    assert [bool(size) for size in sizes] == [("pack_f32(" in step.kernel.source)]
