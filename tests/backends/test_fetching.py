"""Products whose tiles ask for what is read with them: the same bits as without, and which kernels have them."""

from itertools import product

import numpy as np
import pytest
from llvmlite import binding as llvm
from llvmlite import ir
from numba import njit

import graphc as gc
from another_process import run_again
from graphc import nn, optim
from graphc.backends.cpu.contraction import gemm_f32, gemm_f64, panel_width
from graphc.backends.cpu.fetching import (
    GemmFetching,
    GemmPanelsFetching,
    gemm_fetching_f32,
    gemm_fetching_f64,
    gemm_panels_fetching_f32,
    gemm_panels_fetching_f64,
)
from graphc.backends.cpu.left_panels import gemm_panels_f32, gemm_panels_f64
from graphc.backends.cpu.machine import LINE, machine
from graphc.backends.cpu.vector_ir import Tiling
from graphc.nn import functional as F
from guarded_memory import Guarded

POOLS = [Guarded(3_000_000) for _ in range(4)]


def compiled(gemm, gemm_fetching, panels, panels_fetching):
    @njit("void(int64,int64,int64,uintp,int64,uintp,int64,uintp,int64,uintp,uintp)")
    def rows(m, n, k, a, a_row, b, b_panel, c, c_row, beside, other):
        gemm_fetching(m, n, k, a, a_row, 1, b, b_panel, n, c, c_row, 2, n, beside, other, 0, 0)

    @njit("void(int64,int64,int64,uintp,int64,uintp,int64,uintp,int64)")
    def plain_rows(m, n, k, a, a_row, b, b_panel, c, c_row):
        gemm(m, n, k, a, a_row, 1, b, b_panel, n, c, c_row)

    @njit("void(int64,int64,int64,uintp,uintp,int64,uintp,int64,uintp)")
    def in_panels(m, n, k, a, b, b_panel, c, c_row, beside):
        panels_fetching(m, n, k, a, b, b_panel, n, c, c_row, 4, n, beside, beside, beside, beside)

    @njit("void(int64,int64,int64,uintp,uintp,int64,uintp,int64)")
    def plain_in_panels(m, n, k, a, b, b_panel, c, c_row):
        panels(m, n, k, a, b, b_panel, n, c, c_row)

    return rows, plain_rows, in_panels, plain_in_panels


COMPILED = {
    "float32": compiled(gemm_f32, gemm_fetching_f32, gemm_panels_f32, gemm_panels_fetching_f32),
    "float64": compiled(gemm_f64, gemm_fetching_f64, gemm_panels_f64, gemm_panels_fetching_f64),
}
SIZES = list(product((1, 5, 13, 100), (7, 40, 300), (3, 1200)))


def random(pool, shape, dtype):
    array = POOLS[pool].array(shape, dtype)
    array[:] = np.random.default_rng(pool).standard_normal(shape)
    return array


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_asked_for_changes_no_bit(dtype):
    """The array beside ends before a page that nobody may touch."""
    rows, plain, _, _ = COMPILED[dtype]
    for m, n, k in SIZES:
        A, B = random(0, (m, k), dtype), random(1, (k, n), dtype)
        C, beside = POOLS[2].array((m, n), dtype), POOLS[3].array((m, n), dtype)
        plain(m, n, k, A.ctypes.data, k, B.ctypes.data, panel_width(dtype), C.ctypes.data, n)
        expected = C.copy()
        C[:] = -77
        here = beside.ctypes.data
        rows(m, n, k, A.ctypes.data, k, B.ctypes.data, panel_width(dtype), C.ctypes.data, n, here, here)
        assert C.tobytes() == expected.tobytes(), f"{m} x {k} by {k} x {n}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_bit_where_the_left_operand_is_in_panels(dtype):
    *_, in_panels, plain = COMPILED[dtype]
    height = Tiling.of(dtype).rows
    for m, n, k in SIZES:
        A, B = random(0, (-(-m // height), k, height), dtype), random(1, (k, n), dtype)
        C, beside = POOLS[2].array((m, n), dtype), POOLS[3].array((m, n), dtype)
        plain(m, n, k, A.ctypes.data, B.ctypes.data, panel_width(dtype), C.ctypes.data, n)
        expected = C.copy()
        C[:] = -77
        in_panels(m, n, k, A.ctypes.data, B.ctypes.data, panel_width(dtype), C.ctypes.data, n, beside.ctypes.data)
        assert C.tobytes() == expected.tobytes(), f"{m} x {k} by {k} x {n}"


@pytest.mark.parametrize(("emitter", "arrays"), [(GemmFetching, 1), (GemmFetching, 3), (GemmPanelsFetching, 4)])
def test_tiles_ask_for_their_own_part_of_each_array(emitter, arrays):
    """A whole tile asks for every line of its rows and columns, once."""
    tiling = Tiling.of("float32")
    module = ir.Module()
    emitter(module, tiling, {"arrays": arrays, "n": tiling.width, "m": 24, "k": 16}).emit()
    (tile,) = (each for each in module.functions if f".{tiling.rows}x2{'n' * arrays}." in each.name)
    head = str(tile).split("br i1 ", 1)[0]  # before sums start or go on
    lines = tiling.rows * max(1, tiling.width * tiling.size // LINE)
    assert head.count("prefetch") == arrays * lines


LITERALS = [
    {"arrays": 2, **known}
    for known in ({}, {"n": 40}, {"n": 1000}, {"m": 1}, {"m": 64, "n": 1000}, {"k": 3000}, {"n": 64, "k": 3000})
]


@pytest.mark.parametrize("emitter", [GemmFetching, GemmPanelsFetching])
@pytest.mark.parametrize("literals", LITERALS, ids=str)
def test_every_part_is_sound_for_any_right_operand(emitter, literals):
    """Where rows of it are read as they lie, one row of C goes another way; packed, or apart as pages are."""
    tiling = Tiling.of("float32")
    for stride in ({}, {"b_depth": tiling.width}, {"b_depth": 1000}, {"b_depth": 1024}):
        module = ir.Module()
        emitter(module, tiling, {"b_panel": tiling.width, **literals, **stride}).emit()
        llvm.parse_assembly(str(module)).verify()


def steps_of(features, classes, optimizer):
    model = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, classes))
    step = gc.training_step(
        model, loss=F.cross_entropy, optimizer=optimizer, inputs=gc.f32["N", features], targets=gc.i64["N"]
    )
    return {each.name: each.source for each in step.kernels}


@pytest.mark.parametrize(
    ("optimizer", "arrays"), [(optim.SGD(lr=0.1), 1), (optim.Adam(), 3), (optim.Adam(amsgrad=True), 4)]
)
def test_the_update_of_a_large_weight_is_asked_for(optimizer, arrays):
    source = steps_of(640, 10, optimizer)["0.weight_next"]
    (call,) = (line for line in source.split("\n") if "_fetching_f32(" in line and "import" not in line)
    zeros = ", 0" * (4 - arrays)
    assert f", {arrays}, 640, address(" in call
    assert call.endswith(f"block){zeros})")


def test_a_small_weight_is_in_the_cache_anyhow():
    assert not any("_fetching_f32(" in source for source in steps_of(100, 10, optim.Adam()).values())


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, only="bit or part or update", GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, only="no_bit", NUMBA_DISABLE_JIT="1")
