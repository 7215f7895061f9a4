"""Left operands packed before: panels at every edge of tiles and vectors, products with them, no byte beyond."""

from itertools import product

import numpy as np
import pytest
from llvmlite import ir
from numba import njit

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.contraction import panel_width
from graphc.backends.cpu.left_panels import GemmPanels, gemm_panels_f32, gemm_panels_f64, pack_rows_f32, pack_rows_f64
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.vector_ir import Tiling
from guarded_memory import Guarded

POOLS = [Guarded(2_000_000) for _ in range(4)]


def compiled(pack, gemm):
    @njit("void(int64,int64,uintp,int64,int64,uintp,int64)")
    def packing(m, k, a, a_row, a_depth, packed, depth):
        pack(m, k, a, a_row, a_depth, packed, depth)

    @njit("void(int64,int64,int64,uintp,uintp,int64,int64,uintp,int64)")
    def multiplying(m, n, k, a, b, b_panel, b_depth, c, c_row):
        gemm(m, n, k, a, b, b_panel, b_depth, c, c_row)

    return packing, multiplying


COMPILED = {"float32": compiled(pack_rows_f32, gemm_panels_f32), "float64": compiled(pack_rows_f64, gemm_panels_f64)}


def numbers(pool, shape, dtype):
    """Small integers, whose sums are exact, up to the last byte that may be touched."""
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(pool).integers(-4, 5, shape)
    return array


@pytest.mark.parametrize("by_columns", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge_of_packed_rows(dtype, by_columns):
    packing, multiplying = COMPILED[dtype]
    height = Tiling.of(dtype).rows
    for m, k, n in product((1, 5, 6, 12, 13, 31), (1, 7, 16, 19, 300), (5, 33)):
        A, B = numbers(0, (k, m) if by_columns else (m, k), dtype), numbers(1, (k, n), dtype)
        A = A.T if by_columns else A
        panels, C = POOLS[2].array((-(-m // height), k, height), dtype), POOLS[3].array((m, n), dtype)
        C[:] = -77
        row, depth = (step // A.itemsize for step in A.strides)
        for p, columns in ((0, k // 3), (k // 3, k - k // 3)):  # some columns of each panel, then the others
            start, target = A.ctypes.data + p * A.strides[1], panels[:, p:].ctypes.data
            packing(m, columns, start, row, depth, target, k)
        multiplying(m, n, k, panels.ctypes.data, B.ctypes.data, panel_width(dtype), n, C.ctypes.data, n)
        assert np.array_equal(C, A @ B), f"{m} x {k} by {k} x {n}"


def test_tiles_that_ask_for_what_comes_next_are_called_with_what_they_take(monkeypatch):
    """Those that ask for the right operand's rows, those that ask for the left one's panels, and all others.

    The first are those of a right operand that is read in place, as it is with long vectors.
    """
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", "512")
    module = ir.Module()
    known = {"m": 48, "n": 256, "b_panel": Tiling.of("float32").width, "b_depth": 260, "c_row": 256}
    GemmPanels(module, Tiling.of("float32"), known).emit()
    called = [
        (instruction.callee, instruction)
        for function in module.functions
        for block in function.blocks
        for instruction in block.instructions
        if isinstance(instruction, ir.instructions.CallInstr) and ".tile." in instruction.callee.name
    ]
    kinds = {callee.name.split(".")[3] for callee, _ in called}
    assert len(kinds) >= 3
    assert any(kind.endswith("r") for kind in kinds)
    assert any(kind.endswith("f") for kind in kinds)
    assert all(len(instruction.args) == len(callee.args) for callee, instruction in called)


PACKED = {
    "rows 4 KB apart": (lambda x, w: gc.tanh(x @ w), (gc.f32["N", 1024], gc.f32[1024, 160])),
    "a matrix read by columns": (lambda x, w: gc.tanh(x.T @ w), (gc.f32["N", 72], gc.f32["N", 160])),
    "one read by columns and by rows": (
        lambda x, w, v: (gc.exp(x @ w), x.T @ v),
        (gc.f32["N", 1024], gc.f32[1024, 160], gc.f32["N", 160]),
    ),
    "two that read the same columns": (
        lambda g, x, h: (gc.tanh(g.T @ x), gc.exp(gc.reshape(g, (-1, 1, 301))[:, 0].T @ h)),
        (gc.f32["N", 301], gc.f32["N", 40], gc.f32["N", 24]),
    ),
}


@pytest.mark.parametrize("name", PACKED)
def test_kernels_read_panels_that_were_packed_once(name):
    function, specs = PACKED[name]
    exe = gc.compile(gc.trace(function, *specs))
    assert any("pack_rows_f32(" in kernel.source for kernel in exe.kernels)
    assert any("gemm_panels_f32(" in kernel.source for kernel in exe.kernels)
    generator = np.random.default_rng(0)
    for rows in (1, 3, 75, 200):
        arrays = [
            (generator.standard_normal([rows if e == "N" else e for e in map(_plain, spec.shape)]) * 0.1).astype("f4")
            for spec in specs
        ]
        results, expected = exe(*arrays), gc.evaluate(exe.graph, *arrays)
        if not isinstance(results, tuple):
            results, expected = (results,), (expected,)
        for result, wanted in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5)


def _kernels(function, *specs):
    return [kernel.source for kernel in gc.compile(gc.trace(function, *specs)).kernels]


def test_one_copy_serves_all_that_read_the_same_columns():
    gradient, inputs, states = gc.f32["T", "N", 300], gc.f32["T*N", 40], gc.f32["T", "N", 24]

    def both(g, x, h):
        rows = gc.reshape(g, (-1, 300))
        return rows.T @ x, gc.tensordot(g, h, axes=((0, 1), (0, 1)))

    sources = _kernels(both, gradient, inputs, states)
    assert len([source for source in sources if "pack_rows_f32(" in source]) == 1
    assert len([source for source in sources if "gemm_panels_f32(" in source]) == 2


@pytest.mark.parametrize(
    ("function", "specs"),
    [
        (lambda g, x: g.T @ x, (gc.f32["N", 300], gc.f32["N", 40])),
        (lambda g, x, h: (g.T @ x, g[:, :256].T @ h), (gc.f32["N", 300], gc.f32["N", 40], gc.f32["N", 24])),
        (lambda g, x, h: (g.T @ x, g @ h), (gc.f32["N", 300], gc.f32["N", 40], gc.f32[300, 24])),
    ],
    ids=["one reader", "other columns", "columns and rows"],
)
def test_columns_that_one_product_reads_are_not_packed_before(function, specs):
    assert not any("pack_rows_f32(" in source for source in _kernels(function, *specs))


def _plain(extent):
    return extent if isinstance(extent, int) else str(extent)


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, only="edge", GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, only="edge", NUMBA_DISABLE_JIT="1")
