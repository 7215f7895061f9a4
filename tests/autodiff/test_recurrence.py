"""Derivatives of scans: against differences, in both modes, twice over; what runs in the loop and what after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph, Node
from graphc.op import REGISTRY, Kind
from scan_cases import SCANS, draw, recurrent

NAMES = list(SCANS)


def traced(name: str) -> tuple[Graph, list[Any]]:
    function, shapes = SCANS[name]
    arrays = draw(shapes)
    return gc.trace(function, *arrays), arrays


def seeds(types: Any, seed: int) -> list[Any]:
    return draw([value.type.shape for value in types if value.type.dtype.is_float], seed)


def results(graph: Graph, *arrays: Any) -> tuple[Any, ...]:
    given = gc.evaluate(graph, *arrays)
    return given if isinstance(given, tuple) else (given,)


@pytest.mark.parametrize("name", NAMES)
def test_reverse_mode_and_its_derivative_agree_with_differences(name: str) -> None:
    graph, arrays = traced(name)
    assert gc.gradcheck(graph, *arrays)
    assert gc.gradcheck(gc.vjp(graph), *arrays, *seeds(graph.outputs, 1))


@pytest.mark.parametrize("name", NAMES)
def test_forward_mode_agrees_with_reverse_mode(name: str) -> None:
    graph, arrays = traced(name)
    cotangents, tangents = seeds(graph.outputs, 1), seeds(graph.inputs, 2)
    forward = gc.jvp(graph)
    assert gc.gradcheck(forward, *arrays, *tangents)
    moved = results(forward, *arrays, *tangents)[len(graph.outputs) :]
    pulled = results(gc.vjp(graph), *arrays, *cotangents)
    np.testing.assert_allclose(
        sum(np.sum(a * b) for a, b in zip(moved, cotangents, strict=True)),
        sum(np.sum(a * b) for a, b in zip(pulled, tangents, strict=True)),
    )


@pytest.mark.parametrize("name", NAMES)
def test_jacobians_are_those_of_forward_mode(name: str) -> None:
    graph, arrays = traced(name)
    tangents = seeds(graph.inputs, 2)
    rows = iter(results(gc.jacobian(graph), *arrays))
    for moved in results(gc.jvp(graph), *arrays, *tangents)[len(graph.outputs) :]:
        total = sum(np.tensordot(next(rows), tangent, tangent.ndim) for tangent in tangents)
        np.testing.assert_allclose(moved, total, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_derivatives_reads_back(name: str) -> None:
    graph, _ = traced(name)
    for derivative in (graph, gc.vjp(graph), gc.jvp(graph), gc.vjp(gc.vjp(graph))):
        assert str(gc.parse(str(derivative))) == str(derivative)


@pytest.mark.parametrize("reverse", [False, True])
def test_named_extents_give_what_numbers_give(reverse: bool) -> None:
    shapes = [(2, 3), (4, 2, 2), (2, 3), (3, 3), (3,)]
    arrays = draw(shapes)
    types = [gc.f64["N", 3], gc.f64["T", "N", 2], *(gc.f64(*shape) for shape in shapes[2:])]
    numbers, named = (gc.vjp(gc.trace(recurrent(reverse), *specs)) for specs in (arrays, types))
    more = seeds(gc.trace(recurrent(reverse), *arrays).outputs, 1)
    for given, expected in zip(results(named, *arrays, *more), results(numbers, *arrays, *more), strict=True):
        np.testing.assert_array_equal(given, expected)


def test_hvp_of_a_scan() -> None:
    function, shapes = SCANS["recurrent"]
    arrays = draw(shapes)
    graph = gc.trace(lambda *a: gc.sum(function(*a)[1]) + gc.sum(gc.square(function(*a)[0])), *arrays)
    names = [value.name for value in graph.inputs]
    vectors = draw(shapes, 3)
    step = 1e-5
    ahead, behind = (
        results(gc.grad(graph), *(a + sign * step * v for a, v in zip(arrays, vectors, strict=True)))
        for sign in (1, -1)
    )
    for given, a, b in zip(results(gc.hvp(graph, names), *arrays, *vectors), ahead, behind, strict=True):
        np.testing.assert_allclose(given, (a - b) / (2 * step), rtol=1e-6, atol=1e-8)


# -- what is in the loop ----------------------------------------------------------------------------------------------


def loops(graph: Graph) -> list[Node]:
    simplified = gc.passes.default_pipeline().run(graph).last.graph
    return [node for node in simplified.nodes if node.op.name == "scan"]


def loss(which: int, reverse: bool = False) -> Graph:
    """The sum of the last carry (0) of a recurrent layer, or of what it stacks (1)."""

    def total(h0: Any, xs: Any, w: Any, u: Any, b: Any) -> Any:
        return gc.sum(recurrent(reverse)(h0, xs, w, u, b)[which])

    return gc.trace(total, *LAYER)


LAYER = [gc.f32["N", 4], gc.f32["T", "N", 3], gc.f32[3, 4], gc.f32[4, 4], gc.f32[4]]


def test_gradients_of_weights_are_one_product_each_after_the_loop() -> None:
    forward, backward = loops(gc.grad(loss(1), ["w", "u", "b"]))
    assert [str(carry.type) for carry in backward.results[: backward.attributes["carried"]]] == ["f32[N,4]"]
    assert backward.regions[0].count("dot_general") == 1  # the carry's cotangent
    assert backward.attributes["reverse"]
    assert not forward.attributes["reverse"]


def test_what_cheap_ops_make_again_is_not_saved() -> None:
    """tanh is stacked anyhow, 1 - tanh² is not saved beside it."""

    def total(h0: Any, xs: Any, u: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            after = gc.tanh(x + h @ u)
            return after, after

        h, ys = gc.scan(step, h0, xs)
        return gc.sum(h) + gc.sum(ys)

    forward, backward = loops(gc.grad(gc.trace(total, gc.f32["N", 4], gc.f32["T", "N", 4], gc.f32[4, 4]), "u"))
    assert [output.name for output in forward.regions[0].outputs] == ["after", "after", "carry"]
    assert [node.op.name for node in backward.regions[0].nodes] == ["square", "sub", "add", "mul", "dot_general"]


def test_only_what_is_asked_for_is_differentiated() -> None:
    """An op without a derivative in the way of what is not asked for does no harm."""
    rough = gc.define_op("recurrence_test.rough", kind=Kind.OPAQUE, infer=lambda x: x, reference=lambda x: x)
    try:

        def total(h0: Any, xs: Any) -> Any:
            return gc.sum(gc.scan(lambda h, x: (h * rough(x), None), h0, xs)[0])

        graph = gc.trace(total, gc.f64[2], gc.f64["T", 2])
        xs = np.arange(6.0).reshape(3, 2)
        np.testing.assert_array_equal(gc.evaluate(gc.grad(graph, "h0"), np.ones(2), xs), xs.prod(axis=0))
        with pytest.raises(gc.errors.GradientError, match="declares no vjp"):
            gc.grad(graph, "xs")
    finally:
        del REGISTRY[rough.name]


def test_the_forward_scan_runs_once() -> None:
    """The derivative reads what the forward scan saved; it does not run it again."""
    assert len(loops(gc.value_and_grad(loss(1, reverse=True)))) == 2
