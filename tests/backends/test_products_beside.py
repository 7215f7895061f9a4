"""Products of one left operand that meet: one kernel computes them side by side, whatever else it gives."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from another_process import run_again
from graphc import nn
from graphc.backends.cpu.blocks import STRETCH
from graphc.backends.cpu.machine import machine
from graphc.nn import functional as F

ROWS = (1, 4, 5, STRETCH, STRETCH + 1, 2 * STRETCH + 5)


def integers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    """Every sum of their products is exact in whatever order."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype.numpy)


def count_of_products(exe: Any) -> list[int]:
    """For each node of the fused graph how many products it computes."""
    nodes = exe.stages["fuse"].graph.nodes
    each = [[node, *(inner for region in node.regions for inner in region.walk())] for node in nodes]
    counts = [sum(inner.op.name == "dot_general" for inner in kernel) for kernel in each]
    return [count for count in counts if count]


def assert_exact(graph: Any, *arrays: Any) -> None:
    """Bitwise as the interpreter, for any number of threads."""
    expected = gc.evaluate(graph, *arrays)
    for threads in (1, 2, 3, 4, 8):
        given = gc.compile(graph, threads=threads)(*arrays)
        for result, wanted in zip(*((g if isinstance(g, tuple) else (g,)) for g in (given, expected)), strict=True):
            np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("columns", [5, 32, 70, 300])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
def test_gated_linear_units(dtype: Any, transposed: bool, columns: int) -> None:
    shape = (columns, 37) if transposed else (37, columns)

    def f(x: Any, u: Any, v: Any) -> Any:
        u, v = (u.T, v.T) if transposed else (u, v)
        return gc.maximum(x @ u, 0.0) * (x @ v)

    graph = gc.trace(f, dtype["N", 37], dtype[shape], dtype[shape])
    assert count_of_products(gc.compile(graph)) == [2]
    u, v = integers(shape, dtype, 1), integers(shape, dtype, 2)
    for rows in ROWS:
        assert_exact(graph, integers((rows, 37), dtype, rows), u, v)


def test_four_products_that_are_results_too_and_a_fifth() -> None:
    def f(x: Any, *matrices: Any) -> Any:
        products = [x @ each.T for each in matrices]
        total = products[0]
        for each in products[1:]:
            total = gc.abs(total) + each
        return total, products[1], products[3]

    four = gc.trace(lambda x, a, b, c, d: f(x, a, b, c, d), gc.f32["N", 20], *[gc.f32[80, 20]] * 4)
    five = gc.trace(lambda x, a, b, c, d, e: f(x, a, b, c, d, e), gc.f32["N", 20], *[gc.f32[80, 20]] * 5)
    assert count_of_products(gc.compile(four)) == [4]
    assert sorted(count_of_products(gc.compile(five))) in ([1, 4], [2, 3])
    matrices = [integers((80, 20), gc.f32, seed) for seed in range(5)]
    for rows in ROWS:
        x = integers((rows, 20), gc.f32, rows)
        assert_exact(four, x, *matrices[:4])
        assert_exact(five, x, *matrices)


def test_what_is_summed_over_rows_and_columns() -> None:
    def f(x: Any, u: Any, v: Any, axis: int) -> Any:
        y = gc.abs(x @ u) + x @ v
        return y, gc.sum(y, axis=axis)

    for axis in (0, 1):
        graph = gc.trace(lambda x, u, v, axis=axis: f(x, u, v, axis), gc.f32["N", 24], *[gc.f32[24, 96]] * 2)
        assert count_of_products(gc.compile(graph)) == [2]
        for rows in ROWS:
            x = integers((rows, 24), gc.f32, rows)
            assert_exact(graph, x, integers((24, 96), gc.f32, 1), integers((24, 96), gc.f32, 2))


def test_rows_4_kb_apart_are_packed_once_for_all() -> None:
    graph = gc.trace(lambda x, u, v: gc.abs(x @ u) * (x @ v), gc.f32["N", 1024], *[gc.f32[1024, 160]] * 2)
    exe = gc.compile(graph)
    assert sum("pack_rows_f32(" in kernel.source for kernel in exe.kernels) == 1
    assert count_of_products(exe) == [2]
    for rows in (1, 13, STRETCH + 1):
        x = integers((rows, 1024), gc.f32, rows)
        assert_exact(graph, x, integers((1024, 160), gc.f32, 1), integers((1024, 160), gc.f32, 2))


def test_products_of_other_operands_stay_apart() -> None:
    """Of two left operands, and of matrices of two widths."""
    two = gc.trace(lambda x, y, u: gc.abs(x @ u) + y @ u, gc.f32["N", 24], gc.f32["N", 24], gc.f32[24, 96])
    widths = gc.trace(lambda x, u, v: gc.abs(x @ u)[:, :64] + x @ v, gc.f32["N", 24], gc.f32[24, 96], gc.f32[24, 64])
    x, y, u, v = (integers(s, gc.f32, i) for i, s in enumerate([(7, 24), (7, 24), (24, 96), (24, 64)]))
    for graph, arrays in ((two, (x, y, u)), (widths, (x, u, v))):
        assert count_of_products(gc.compile(graph)) == [1, 1]
        assert_exact(graph, *arrays)


@pytest.mark.parametrize("columns", [9, 10, 40, 96, 130])
def test_short_rows_in_several_passes(columns: int) -> None:
    """Matrices are packed in memory of each slice, beside what is kept of a block of rows."""

    def f(x: Any, u: Any, v: Any) -> Any:
        y = gc.abs(x @ u.T) + x @ v.T
        return y - gc.max(y, axis=1, keepdims=True)

    graph = gc.trace(f, gc.f32["N", 100], *[gc.f32[columns, 100]] * 2)
    assert count_of_products(gc.compile(graph)) == [2]
    u, v = integers((columns, 100), gc.f32, 1), integers((columns, 100), gc.f32, 2)
    for rows in (1, 5, 50, 2 * STRETCH + 5):
        assert_exact(graph, integers((rows, 100), gc.f32, rows), u, v)


@pytest.mark.parametrize("rows", ["N", 7])
def test_sums_of_products_that_are_cut_into_gates(rows: Any) -> None:
    """Only one of them can be cut; the other one is read in parts."""

    def f(x: Any, h: Any, w: Any, u: Any) -> Any:
        both = x @ w.T + h @ u.T
        return gc.abs(both[:, :40]) + both[:, 40:]

    graph = gc.trace(f, gc.f32[rows, 24], gc.f32[rows, 40], gc.f32[80, 24], gc.f32[80, 40])
    assert sorted(count_of_products(gc.compile(graph))) == [1, 2]
    assert_exact(graph, *(integers(s, gc.f32, i) for i, s in enumerate([(7, 24), (7, 40), (80, 24), (80, 40)])))


@pytest.mark.parametrize("name", ["lines", "depth"])
def test_products_that_cannot_stand_beside_others_are_not_cut(name: str) -> None:
    x, w = ((3, 5, 24), (24, 128)) if name == "lines" else ((8, 4096), (4096, 256))

    def f(x: Any, w: Any) -> Any:
        y = (x[:, 1:] if name == "lines" else x) @ w
        half = w.shape[1] // 2
        return gc.abs(y[..., :half]) + y[..., half:]

    graph = gc.trace(f, gc.f32[x], gc.f32[w])
    assert sum(count_of_products(gc.compile(graph))) == 1
    assert_exact(graph, integers(x, gc.f32), integers(w, gc.f32, 1))


def test_one_matrix_of_the_state_and_one_of_the_call() -> None:
    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Parameter(integers((64, 24), gc.f32, 1))

        def forward(self, x: Any, v: Any) -> Any:
            return gc.abs(x @ self.up.T) + x @ v.T

    unit = Unit().eval()
    predict = gc.compile(unit, inputs=(gc.f32["N", 24], gc.f32[64, 24]))
    assert count_of_products(predict) == [2]
    v = integers((64, 24), gc.f32, 2)
    for rows in ROWS:
        x = integers((rows, 24), gc.f32, rows)
        np.testing.assert_array_equal(predict(x, v), np.abs(x @ np.asarray(unit.up).T) + x @ v.T)


def test_the_first_product_lies_in_the_result() -> None:
    """One kernel keeps of its second product no more than two would keep between them."""
    graph = gc.trace(lambda x, u, v: gc.abs(x @ u) * (x @ v), gc.f32["N", 64], *[gc.f32[64, 512]] * 2)
    assert gc.compile(graph).plan_memory(N=20000).peak <= 20000 * 512 * 4 + (1 << 16)


def gates(parts: int, width: int) -> Any:
    """A recurrent cell without curves, whose product is cut into parts."""

    def f(h: Any, xs: Any, u: Any) -> Any:
        def cell(h: Any, x: Any) -> Any:
            all_of = x + h @ u.T
            after = gc.abs(all_of[:, :width])
            for part in range(1, parts):
                after = gc.minimum(after, all_of[:, part * width : (part + 1) * width]) + 1.0
            after = gc.maximum(after, -3.0)
            return after, after

        return gc.scan(cell, h, xs)

    return f


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
def test_gates_of_a_recurrent_cell(dtype: Any, parts: int) -> None:
    for width in (32, 45):
        total = parts * width
        specs = dtype["N", width], dtype[3, "N", total], dtype[total, width]
        graph = gc.trace(gates(parts, width), *specs)
        sources = [kernel.source for kernel in gc.compile(graph).kernels]
        assert max(source.count("        gemm_") for source in sources) == parts
        for rows in (2, 7, STRETCH + 9):
            arrays = integers((rows, width), dtype), integers((3, rows, total), dtype, 1)
            assert_exact(graph, *arrays, integers((total, width), dtype, 2))


@pytest.mark.parametrize("name", ["LSTM", "LSTMCell", "glu"])
def test_layers_and_their_gradients(name: str) -> None:
    gc.manual_seed(3)
    if name == "LSTMCell":
        layer: Any = nn.LSTMCell(24, 40)
        specs = (gc.f64["N", 24],)

        def forward(x: Any) -> Any:
            h, c = layer(x)
            return gc.sum(layer(x, (h, c))[0] ** 2)
    elif name == "glu":
        layer = nn.Linear(24, 2 * 40)
        specs = (gc.f64["N", 24],)
        forward = lambda x: gc.sum(F.glu(layer(x)) ** 2)  # noqa: E731
    else:
        layer = getattr(nn, name)(24, 40, batch_first=True)
        specs = (gc.f64["N", 5, 24],)
        forward = lambda x: gc.sum(layer(x)[0][:, -1] ** 2)  # noqa: E731
    layer.double()
    source = gc.trace(forward, *specs)
    compiled = gc.compile(source).kernels
    assert max(kernel.source.count("        gemm_") for kernel in compiled) == (2 if name == "glu" else 4)
    graph = gc.value_and_grad(source)
    for rows in (1, 3, STRETCH + 2):
        x = np.random.default_rng(rows).standard_normal([rows, *specs[0].shape[1:]])
        for given, wanted in zip(gc.compile(graph)(x), gc.evaluate(graph, x), strict=True):
            np.testing.assert_allclose(given, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits: int) -> None:
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, only="gated or four or gates", GRAPHC_VECTOR_BITS=str(bits))
