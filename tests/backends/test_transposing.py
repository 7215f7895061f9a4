"""Matrices turned around: by squares and at every edge, in place of any view that does so; no byte beyond them."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.transposing import transpose_f32, transpose_f64
from graphc.passes.fuse.turned import LEAST_TURNED
from guarded_memory import Guarded

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both, same_results

POOLS = [Guarded(200_000) for _ in range(2)]


@njit("void(int64,int64,uintp,int64,uintp,int64)")
def transpose32(rows, columns, source, source_row, target, target_row):
    transpose_f32(rows, columns, source, source_row, target, target_row)


@njit("void(int64,int64,uintp,int64,uintp,int64)")
def transpose64(rows, columns, source, source_row, target, target_row):
    transpose_f64(rows, columns, source, source_row, target, target_row)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_edge(dtype):
    transpose = {"float32": transpose32, "float64": transpose64}[dtype]
    for rows, columns, wider in product((0, 1, 3, 8, 16, 17, 40), (0, 1, 5, 8, 16, 31, 33), (0, 3)):
        source = POOLS[0].array((max(rows * (columns + wider) - wider, 0),), dtype)
        source[:] = np.arange(source.size)
        target = POOLS[1].array((columns, rows), dtype)
        target[:] = -1
        transpose(rows, columns, source.ctypes.data, columns + wider, target.ctypes.data, rows)
        read = np.lib.stride_tricks.as_strided(
            source, (rows, columns), ((columns + wider) * source.itemsize, source.itemsize)
        )
        assert np.array_equal(target, read.T), f"{rows} x {columns}"


KNOWN = [(9, 3), (17, 5), (3, 33), (20, 16), (16, 9), (1, 1), (7, 24)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "columns"), KNOWN)
def test_every_edge_of_numbers_that_are_known(rows, columns, dtype):
    """Parts of squares; the last rows of source and target end where memory does."""
    transpose = {"float32": transpose_f32, "float64": transpose_f64}[dtype]
    wider = columns + 2

    @njit("void(uintp,uintp)")
    def turn(source, target):
        transpose(rows, columns, source, wider, target, rows)

    source = POOLS[0].array((rows * wider - 2,), dtype)
    source[:] = np.arange(source.size)
    target = POOLS[1].array((columns, rows), dtype)
    target[:] = -1
    turn(source.ctypes.data, target.ctypes.data)
    read = np.lib.stride_tricks.as_strided(source, (rows, columns), (wider * source.itemsize, source.itemsize))
    assert np.array_equal(target, read.T)


VIEWS = {
    "channels last": ((3, 8, 5, 4), lambda x: gc.permute_dims(x, (0, 2, 3, 1))),
    "channels first": ((3, 5, 4, 8), lambda x: gc.permute_dims(x, (0, 3, 1, 2))),
    "one matrix": ((150, 77), lambda x: x.T),
    "all axes reversed": ((5, 6, 7, 8), lambda x: gc.permute_dims(x, (3, 2, 1, 0))),
    "flipped lines": ((4, 17, 33), lambda x: gc.flip(gc.permute_dims(x, (0, 2, 1)), axis=0)),
    "a part": ((9, 20, 30), lambda x: gc.permute_dims(x[1:8:2, 3:19, :], (0, 2, 1))),
    "rows in reverse": ((40, 33), lambda x: gc.flip(x.T, axis=0)),
    "kernels in reverse": ((24, 20, 3, 3), lambda x: gc.permute_dims(gc.flip(x, axis=(2, 3)), (2, 3, 1, 0))),
    "columns in reverse": ((40, 33), lambda x: gc.flip(x.T, axis=1)),
    "a kernel for each channel": ((24, 7, 5), lambda x: gc.permute_dims(gc.flip(x, axis=(1, 2)), (1, 2, 0))),
    "two equal lines": ((3, 3, 6, 7), lambda x: gc.permute_dims(x, (0, 1, 3, 2))),
}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64, gc.i32, gc.u32, gc.i64, gc.u64], ids=str)
@pytest.mark.parametrize("name", VIEWS)
def test_views_that_turn_matrices(name, dtype):
    shape, view = VIEWS[name]
    drawn = np.random.default_rng(0)
    x = (
        drawn.standard_normal(shape).astype(dtype.numpy)
        if dtype.is_float
        else np.frombuffer(drawn.bytes(int(np.prod(shape)) * dtype.itemsize), dtype.numpy).reshape(shape)  # all bits
    )
    for spec in (x, dtype["N", *shape[1:]]):
        exe = gc.compile(gc.trace(view, spec))
        assert [kernel.name for kernel in exe.kernels] == ["transpose"]
        assert np.array_equal(exe(x), gc.evaluate(exe.graph, x))


def test_rows_that_stay_rows_are_copied_as_rows():
    exe = gc.compile(gc.trace(lambda x: gc.permute_dims(x, (1, 0, 2)), gc.f32[6, 5, 8]))
    assert [kernel.name for kernel in exe.kernels] == ["permute_dims"]


def spread(a, b, c):
    """One image for all of a batch, its channels last, and a matrix turned around within what reads both."""
    image = gc.permute_dims(a, (1, 2, 0))
    return gc.where(b > 0.5, image + 1.0, b) * 2.0, gc.sum(image * image, axis=(0, 1)), c.T - 0.5 * c.T


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
@pytest.mark.parametrize("shape", [(16, 23, 25), (5, 41, 43), (5, 11, 13)])
def test_what_is_read_element_by_element_is_turned_first(shape, dtype):
    draw = np.random.default_rng(0)
    channels, height, width = shape
    a, b, c = (
        draw.standard_normal(extents).astype(dtype.numpy)
        for extents in (shape, (3, height, width, channels), (130, 67))
    )
    graph = gc.trace(spread, dtype[shape], dtype["N", height, width, channels], dtype["M", 67])
    executable = same_on_both(graph, a, b, c)
    same_results(executable, a, b[:1], c[:1])
    turning = [kernel for kernel in executable.kernels if "transpose_" in kernel.source]
    assert sum(kernel.calls for kernel in turning) == 1 + (channels * height * width >= LEAST_TURNED)
    assert any(edge.rule == "turned" and not edge.fused for edge in executable.ledger)


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits):
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, only="edge", GRAPHC_VECTOR_BITS=str(bits))


def test_again_as_plain_python():
    run_again(__file__, only="edge", NUMBA_DISABLE_JIT="1")
