"""What holds for every composite with rules of its own: they say the same as its body, in every dtype.

A rule is compared with the body's own derivative: `vjp(graph)` uses the rule, `vjp(decompose(graph))` differentiates
the ops of the body. Differences in float64 check the rule once more, and the rule's own derivative: the second order.
"""

from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.composites as composites
from graphc.op import REGISTRY, Op
from graphc.passes.decompose import decompose
from graphc.samples import Sample
from graphc.types import bf16, f16, f32, f64

FAMILIES = {f"graphc.composites.{family}" for family in composites.__all__ if family != "random"}


def _is_ours(op: Op) -> bool:
    return op.is_composite and getattr(op.body_function, "__module__", None) in FAMILIES


OURS = sorted((op for op in REGISTRY.values() if _is_ours(op)), key=lambda op: op.name)
CASES = [pytest.param(op, sample, id=f"{op.name}-{i}") for op in OURS for i, sample in enumerate(op.samples)]
SMOOTH = [case for case in CASES if case.values[1].differentiable]


def _graph(op: Op, sample: Sample, arrays: tuple[Any, ...]) -> gc.Graph:
    def call(*operands: Any) -> Any:
        return op(*operands, **sample.attributes)

    return gc.trace(call, *arrays, name=op.name)


def _cotangents(graph: gc.Graph, inputs: int) -> list[Any]:
    generator = np.random.default_rng(5)
    return [generator.standard_normal(value.type.shape) for value in graph.inputs[inputs:]]


def _results(graph: gc.Graph, *arrays: Any) -> tuple[Any, ...]:
    results = gc.evaluate(graph, *arrays)
    return results if isinstance(results, tuple) else (results,)


def test_all_families_are_covered() -> None:
    assert {op.body_function.__module__ for op in OURS} == FAMILIES
    assert len(OURS) >= 25


@pytest.mark.parametrize("op", OURS, ids=lambda op: op.name)
def test_documents_and_samples(op: Op) -> None:
    assert f"{op.name}(" in op.doc
    assert "->" in op.doc
    assert len(op.samples) >= 2


@pytest.mark.parametrize("dtype", [f64, f32, f16, bf16], ids=str)
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_infer_gives_the_types_of_the_body(op: Op, sample: Sample, dtype: Any) -> None:
    arrays = sample.arrays(dtype)
    types = tuple(value.type for value in _graph(op, sample, arrays).inputs)
    attributes = op.complete(sample.attributes)
    assert op.infer(*types, **attributes) == tuple(value.type for value in op.body(types, attributes).outputs)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_decomposed_it_computes_the_same(op: Op, sample: Sample) -> None:
    arrays = sample.arrays()
    graph = _graph(op, sample, arrays)
    for named, opened in zip(_results(graph, *arrays), _results(decompose(graph), *arrays), strict=True):
        np.testing.assert_array_equal(named, opened)


@pytest.mark.parametrize(("op", "sample"), SMOOTH)
def test_vjp_is_the_derivative_of_the_body(op: Op, sample: Sample) -> None:
    arrays = sample.arrays()
    graph = _graph(op, sample, arrays)
    own, body = gc.vjp(graph), gc.vjp(decompose(graph))
    cotangents = _cotangents(own, len(arrays))
    for a, b in zip(_results(own, *arrays, *cotangents), _results(body, *arrays, *cotangents), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("op", "sample"), SMOOTH)
def test_jvp_is_the_derivative_of_the_body(op: Op, sample: Sample) -> None:
    arrays = sample.arrays()
    graph = _graph(op, sample, arrays)
    own, body = gc.jvp(graph), gc.jvp(decompose(graph))
    tangents = _cotangents(own, len(arrays))
    for a, b in zip(_results(own, *arrays, *tangents), _results(body, *arrays, *tangents), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("op", "sample"), SMOOTH)
def test_derivatives_of_first_and_second_order_agree_with_differences(op: Op, sample: Sample) -> None:
    arrays = sample.arrays()
    graph = _graph(op, sample, arrays)
    assert gc.gradcheck(graph, *arrays)
    gradient = gc.vjp(graph)
    assert gc.gradcheck(gradient, *arrays, *_cotangents(gradient, len(arrays)))


ROUNDING_ONCE = [
    case for case in SMOOTH if case.values[0].name not in ("affine", "bilinear", "conv", "conv_transpose")
]  # contractions round as well


@pytest.mark.parametrize("dtype", [f16, bf16], ids=str)
@pytest.mark.parametrize(("op", "sample"), ROUNDING_ONCE)
def test_16_bit_results_are_f32_results_rounded_once(op: Op, sample: Sample, dtype: Any) -> None:
    arrays = sample.arrays(dtype)
    wide = [a.astype(np.float32) if a.dtype == dtype.numpy else a for a in arrays]
    narrow_graph, wide_graph = _graph(op, sample, arrays), _graph(op, sample, tuple(wide))
    for value, narrow, exact in zip(
        narrow_graph.outputs, _results(narrow_graph, *arrays), _results(wide_graph, *wide), strict=True
    ):
        np.testing.assert_array_equal(narrow, exact.astype(value.type.dtype.numpy))


@pytest.mark.parametrize(("op", "sample"), SMOOTH)
def test_gradients_of_16_bit_operands_have_their_dtypes(op: Op, sample: Sample) -> None:
    arrays = sample.arrays(f16)
    graph = _graph(op, sample, arrays)
    gradient = gc.vjp(graph)
    assert [value.type for value in gradient.outputs] == [v.type for v in graph.inputs if v.type.dtype.is_float]
    cotangents = [np.ones(value.type.shape, value.type.dtype.numpy) for value in gradient.inputs[len(arrays) :]]
    assert all(np.isfinite(result.astype(np.float32)).all() for result in _results(gradient, *arrays, *cotangents))


BATCHED_OPERANDS = {
    "attention_weights": 2, "bilinear": 2, "binary_cross_entropy": 2, "cross_entropy": 2, "lstm_cell": 2,
    "nll_loss": 2,    "scaled_dot_product_attention": 3,
}  # fmt: skip
BATCHED = [
    case
    for case in SMOOTH
    if len(case.values[1].operands[0].shape) > 1
    and (case.values[0].name, case.values[1].attributes.get("axis")) != ("glu", 0)
]


@pytest.mark.parametrize(("op", "sample"), BATCHED)
def test_one_graph_serves_any_batch_size(op: Op, sample: Sample) -> None:
    arrays = sample.arrays()
    static = _graph(op, sample, arrays)
    specs = [value.type for value in static.inputs]
    for i in range(BATCHED_OPERANDS.get(op.name, 1)):
        specs[i] = specs[i].dtype["N", *specs[i].shape[1:]]
    symbolic = gc.trace(lambda *operands: op(*operands, **sample.attributes), *specs)
    cotangents = _cotangents(gc.vjp(static), len(arrays))
    for graph, other, more in ((static, symbolic, []), (gc.vjp(static), gc.vjp(symbolic), cotangents)):
        for a, b in zip(_results(graph, *arrays, *more), _results(other, *arrays, *more), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
