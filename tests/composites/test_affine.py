"""affine and bilinear against NumPy, and what they say when operands do not fit."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.affine import affine, bilinear

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,), (2, 0)])
def test_affine_is_x_times_the_transposed_weight(lead: tuple[int, ...]) -> None:
    x, weight, bias = RNG.standard_normal((*lead, 3)), RNG.standard_normal((5, 3)), RNG.standard_normal(5)
    graph = gc.trace(affine, x, weight, bias)
    np.testing.assert_allclose(gc.evaluate(graph, x, weight, bias), x @ weight.T + bias, rtol=1e-12)


def test_affine_of_no_features_is_its_bias() -> None:
    x, weight, bias = np.zeros((4, 0)), np.zeros((5, 0)), RNG.standard_normal(5)
    graph = gc.trace(affine, x, weight, bias)
    np.testing.assert_array_equal(gc.evaluate(graph, x, weight, bias), np.tile(bias, (4, 1)))


def test_affine_works_on_integers() -> None:
    x, weight = np.array([[1, 2]]), np.array([[3, 4], [5, 6]])
    np.testing.assert_array_equal(gc.evaluate(gc.trace(affine, x, weight), x, weight), [[11, 17]])


def test_affine_is_one_line_of_the_graph() -> None:
    graph = gc.trace(lambda x, weight, bias: affine(x, weight, bias), gc.f32["N", 3], gc.f32[5, 3], gc.f32[5])
    assert "%affine: f32[N,5] = affine(%x, %weight, %bias)" in str(graph)


def test_affine_stays_one_line_beside_its_gradient() -> None:
    """Its own vjp has the two contractions and the column sum, and never a Jacobian."""

    def loss(x: Any, weight: Any, bias: Any) -> Any:
        return gc.sum(affine(x, weight, bias) ** 2)

    graph = gc.value_and_grad(gc.trace(loss, gc.f32["N", 3], gc.f32[5, 3], gc.f32[5]))
    assert [node.op.name for node in graph.nodes if node.op.name in ("affine", "dot_general")] == [
        "affine", "dot_general", "dot_general",
    ]  # fmt: skip


def test_bilinear_is_the_quadratic_form() -> None:
    a, b = RNG.standard_normal((2, 4, 3)), RNG.standard_normal((2, 4, 6))
    weight, bias = RNG.standard_normal((5, 3, 6)), RNG.standard_normal(5)
    expected = np.einsum("...i,oij,...j->...o", a, weight, b) + bias
    graph = gc.trace(bilinear, a, b, weight, bias)
    np.testing.assert_allclose(gc.evaluate(graph, a, b, weight, bias), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        ((gc.f32["N", 784], gc.f32[128, 512]), "affine: x has 784 features, but weight takes 512"),
        ((gc.f32["N", "D"], gc.f32[128, 512]), "affine: x has D features, but weight takes 512"),
        ((gc.f32["N", 3], gc.f32[3]), "affine: weight has shape (out, in), but this one is f32[3]"),
        ((gc.f32(), gc.f32[5, 3]), "affine: x has features along its last axis, but this one is f32[]"),
        ((gc.f32["N", 3], gc.f32[5, 3], gc.f32[3]), "affine: weight gives 5 features, but bias has 3"),
        ((gc.f32["N", 3], gc.f32[5, 3], gc.f32[1, 5]), "affine: bias has shape (5,), but this one is f32[1,5]"),
    ],
)
def test_affine_says_what_does_not_fit(specs: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda *operands: affine(*operands), *specs)
    assert raised.value.rule == rule


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        ((gc.f32["N", 3], gc.f64[5, 3]), "affine: x is f32, but weight is f64; convert one with gc.astype"),
        ((gc.bool["N", 3], gc.f32[5, 3]), "affine: takes numbers, but x is bool[N,3]; convert with gc.astype"),
    ],
)
def test_affine_wants_one_dtype(specs: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(gc.errors.DTypeError) as raised:
        gc.trace(lambda *operands: affine(*operands), *specs)
    assert raised.value.rule == rule


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        (
            (gc.f32[2, 3], gc.f32[3, 4], gc.f32[5, 3, 4]),
            "bilinear: a and b agree in all axes but the last, but they are f32[2,3] and f32[3,4]",
        ),
        ((gc.f32[2, 3], gc.f32[2, 9], gc.f32[5, 3, 4]), "bilinear: b has 9 features, but weight takes 4"),
        (
            (gc.f32[2, 3], gc.f32[2, 4], gc.f32[3, 4]),
            "bilinear: weight has shape (out, in of a, in of b), but this one is f32[3,4]",
        ),
    ],
)
def test_bilinear_says_what_does_not_fit(specs: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda *operands: bilinear(*operands), *specs)
    assert raised.value.rule == rule
