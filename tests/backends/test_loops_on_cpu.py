"""Loops on the cpu backend: scans of all kinds against the interpreter; what is copied, packed and compiled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.ir import Graph
from scan_cases import SCANS, draw, recurrent

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import as_tuple, same_on_both, same_results

DERIVATIVES = {
    "value": lambda graph: graph,
    "vjp": gc.vjp,
    "jvp": gc.jvp,
    "vjp of vjp": lambda graph: gc.vjp(gc.vjp(graph)),
    "jacobian": gc.jacobian,
}


def with_arrays(name: str, kind: str) -> tuple[Graph, list[Any]]:
    """A derivative of a scan, and arrays for it."""
    function, shapes = SCANS[name]
    arrays = draw(shapes)
    graph = DERIVATIVES[kind](gc.trace(function, *arrays))
    return graph, [*arrays, *draw([value.type.shape for value in graph.inputs[len(arrays) :]], 1)]


@pytest.mark.parametrize("kind", DERIVATIVES)
@pytest.mark.parametrize("name", SCANS)
def test_scans_and_their_derivatives(name: str, kind: str) -> None:
    graph, arrays = with_arrays(name, kind)
    same_on_both(graph, *arrays)


@pytest.mark.parametrize("name", ["two carries", "exchanged", "nested"])
def test_threads_change_no_bit(name: str) -> None:
    graph, arrays = with_arrays(name, "vjp")
    results = [as_tuple(gc.compile(graph, threads=count)(*arrays)) for count in (1, 2, 3)]
    for others in results[1:]:
        for given, expected in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(given, expected)


LAYER = [gc.f32["N", 48], gc.f32["T", "N", 5], gc.f32[5, 48], gc.f32[48, 48], gc.f32[48]]


def arrays_of(places: int, examples: int) -> list[Any]:
    shapes = [(examples, 48), (places, examples, 5), (5, 48), (48, 48), (48,)]
    return [array.astype(np.float32) / 4 for array in draw(shapes)]


def test_one_compile_serves_any_number_of_places_and_examples() -> None:
    graph = gc.value_and_grad(gc.trace(lambda *a: gc.sum(recurrent(False)(*a)[1]), *LAYER))
    exe = same_on_both(graph, *arrays_of(4, 3))
    kernels = [kernel.key for kernel in exe.kernels]
    for places, examples in [(1, 3), (9, 2), (0, 4), (3, 40)]:
        same_results(exe, *arrays_of(places, examples))
    assert [kernel.key for kernel in exe.kernels] == kernels


def test_large_steps_are_shared_by_threads_and_change_no_bit() -> None:
    step = gc.value_and_grad(gc.trace(lambda *a: gc.sum(recurrent(True)(*a)[1]), *LAYER))
    arrays = arrays_of(6, 200)
    one, two, three = (as_tuple(gc.compile(step, threads=count)(*arrays)) for count in (1, 2, 3))
    for a, b, c in zip(one, two, three, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


# -- entries of the table ---------------------------------------------------------------------------------------------


def entries(exe: Any) -> list[str]:
    """The kernels that a call runs, in order, after the last call."""
    return [call.step.kernel.name for call in exe._memory.current.calls]


def test_weights_are_packed_once_for_all_places() -> None:
    """The recurrent weight before the loop; that of the sequence is read by one product, before the loop, too."""
    exe = same_on_both(gc.trace(recurrent(False), *LAYER), *arrays_of(4, 3))
    names = entries(exe)
    assert names.count("pack") == 1
    step = next(kernel for kernel in exe.kernels if "in panels already" in str(kernel.nest))
    assert names.count(step.name) == 4
    assert "gemm_f32(" in step.source
    assert "pack_f32(" not in step.source


def test_a_carry_lies_in_its_stack() -> None:
    """Nothing is copied but the last carry, out of the stack that holds all of them."""
    graph = gc.trace(lambda c, xs: gc.scan(lambda c, x: (c * x,) * 2, c, xs), gc.f32["N"], gc.f32["T", "N"])
    xs = np.full((4, 3), 2, np.float32)
    exe = same_on_both(graph, np.ones(3, np.float32), xs)
    assert len(entries(exe)) == 4 + 1
    before = gc.trace(lambda c, xs: gc.scan(lambda c, x: (c * x, c), c, xs), gc.f32["N"], gc.f32["T", "N"])
    exe = same_on_both(before, np.ones(3, np.float32), xs)
    assert len(entries(exe)) == 1 + 4  # the first carry goes into the stack


def test_a_last_carry_that_nobody_reads_is_not_written() -> None:
    graph = gc.trace(lambda c, xs: gc.scan(lambda c, x: (c * x,) * 2, c, xs)[1], gc.f32["N"], gc.f32["T", "N"])
    exe = same_on_both(graph, np.ones(3, np.float32), np.full((4, 3), 2, np.float32))
    assert len(entries(exe)) == 4


def test_the_last_turn_computes_no_carry_that_nobody_reads() -> None:
    """The gradient of a first state, where it is not asked for, is a product less."""

    def loss(h: Any, w: Any, xs: Any) -> Any:
        return gc.sum(gc.scan(lambda h, x: (gc.tanh(h @ w + x),) * 2, h, xs)[1])

    arrays = [array.astype(np.float32) for array in draw([(2, 8), (8, 8), (4, 2, 8)])]
    graph = gc.trace(loss, gc.f32["N", 8], gc.f32[8, 8], gc.f32["T", "N", 8])
    with_first = same_on_both(gc.grad(graph, wrt=["w", "h"]), *arrays)
    without = same_on_both(gc.grad(graph, wrt=["w"]), *arrays)
    assert len(entries(without)) == len(entries(with_first)) - 1


def test_a_scan_may_update_state_from_itself() -> None:
    """The state is read at the first place and written at the last one."""

    class Filter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory = nn.Buffer(np.zeros(3, np.float32))

        def forward(self, xs: Any) -> Any:
            last, ys = gc.scan(lambda c, x: (0.5 * c + x, c - x), self.memory, xs)
            self.memory.assign(last)
            return ys

    model = Filter()
    exe = gc.compile(model, inputs=gc.f32["T", 3])
    xs = np.arange(12, dtype=np.float32).reshape(4, 3)
    memory = np.zeros(3, np.float32)
    for _ in range(3):
        exe(xs)
        for x in xs:
            memory = 0.5 * memory + x
        np.testing.assert_allclose(np.asarray(model.memory), memory, rtol=1e-6)
    exe(xs[:0])
    np.testing.assert_allclose(np.asarray(model.memory), memory, rtol=1e-6)


def test_two_loops_may_hold_one_region() -> None:
    """Their arrays lie at different places though the values are the same."""
    graph = gc.trace(recurrent(False), *LAYER)
    (scan,) = [node for node in graph.nodes if node.op.name == "scan"]
    again = gc.Node(
        scan.op, (scan.results[0], *scan.operands[1:]), scan.attributes,
        tuple(gc.Value(f"{value.name}_2", value.type) for value in scan.results), scan.regions,
    )  # fmt: skip
    doubled = graph.with_(nodes=(*graph.nodes, again), outputs=(*graph.outputs, *again.results))
    same_on_both(doubled, *arrays_of(3, 2))


def test_an_index_out_of_range_in_a_body_is_an_error() -> None:
    def f(table: Any, indices: Any) -> Any:
        return gc.scan(lambda c, i: (c + gc.take(table, i, axis=0), None), gc.zeros((3,)), indices)[0]

    exe = gc.compile(gc.trace(f, gc.f32[5, 3], gc.i64["T"]))
    table = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(exe(table, np.array([0, 4, 2])), [3, 3, 3])
    with pytest.raises(gc.errors.IndexRangeError, match="5"):
        exe(table, np.array([0, 5, 2]))
    np.testing.assert_array_equal(exe(table, np.array([1])), [1, 1, 1])
