"""Batch, layer and root-mean-square normalization against NumPy formulas, and where they are hard on numbers."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.batch_norm import batch_norm, batch_norm_inference
from graphc.composites.layer_norm import layer_norm, rms_norm
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.decompose import decompose
from graphc.passes.pipeline import Pipeline

RNG = np.random.default_rng(0)


def _column(vector: Any, rank: int) -> Any:
    return vector.reshape(-1, *(1,) * (rank - 2))


# -- batch ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
def test_batch_norm_is_the_formula(shape: tuple[int, ...]) -> None:
    x, weight, bias = RNG.standard_normal(shape) * 3 + 1, RNG.standard_normal(3), RNG.standard_normal(3)
    axes = (0, *range(2, len(shape)))
    mean, var = x.mean(axes), x.var(axes)
    normalized = (x - _column(mean, x.ndim)) / np.sqrt(_column(var, x.ndim) + 1e-5)
    graph = gc.trace(batch_norm, x, weight, bias)
    y, m, v = gc.evaluate(graph, x, weight, bias)
    np.testing.assert_allclose(y, normalized * _column(weight, x.ndim) + _column(bias, x.ndim), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(m, mean, rtol=1e-12)
    np.testing.assert_allclose(v, var, rtol=1e-12)


def test_the_gradient_is_the_closed_form_of_the_notes() -> None:
    """dx = 1/(N·σ)·[N·dx̂ - Σdx̂ - x̂·Σ(dx̂·x̂)]"""
    x, weight, bias, g = (RNG.standard_normal(s) for s in ((6, 3), 3, 3, (6, 3)))
    sigma = np.sqrt(x.var(0) + 1e-5)
    normalized, dn = (x - x.mean(0)) / sigma, g * weight
    expected = (6 * dn - dn.sum(0) - normalized * (dn * normalized).sum(0)) / (6 * sigma)
    graph = gc.vjp(gc.trace(lambda x, w, b: batch_norm(x, w, b)[0], x, weight, bias))
    dx, dw, db = gc.evaluate(graph, x, weight, bias, g)
    np.testing.assert_allclose(dx, expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(dw, (g * normalized).sum(0), rtol=1e-12)
    np.testing.assert_allclose(db, g.sum(0), rtol=1e-12)


@pytest.mark.parametrize("result", [0, 1, 2])
def test_each_result_has_its_gradient(result: int) -> None:
    x, weight, bias = RNG.standard_normal((5, 3)), RNG.standard_normal(3), RNG.standard_normal(3)
    assert gc.gradcheck(lambda x, w, b: batch_norm(x, w, b)[result], x, weight, bias)


def test_second_order_goes_through_the_statistics() -> None:
    x, weight, bias = RNG.standard_normal((4, 2)), RNG.standard_normal(2), RNG.standard_normal(2)

    def loss(x: Any, weight: Any, bias: Any) -> Any:
        y, mean, var = batch_norm(x, weight, bias)
        return gc.sum(y * y * y) + gc.sum(mean * var)

    assert gc.gradcheck(gc.grad(gc.trace(loss, x, weight, bias)), x, weight, bias)


def test_a_large_mean_costs_no_digits() -> None:
    """E[x²] - E[x]² would leave nothing of a variance of 1 beside a mean of 10⁴ in f32."""
    x = (RNG.standard_normal((1000, 2)) + 1e4).astype(np.float32)
    _, mean, var = gc.evaluate(gc.trace(batch_norm, x), x)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var(0), rtol=1e-3)


def test_statistics_of_16_bit_floats_are_f32() -> None:
    x = np.full((70_000, 1), 2, np.float16)
    x[::2] = 300  # the sum and the count lie beyond f16's 65,504
    graph = gc.trace(lambda x: batch_norm(x), gc.f16["N", 1])
    assert [str(value.type) for value in graph.outputs] == ["f16[N,1]", "f32[1]", "f32[1]"]
    y, mean, var = gc.evaluate(graph, x)
    assert mean == pytest.approx(151)
    assert var == pytest.approx(149**2)
    np.testing.assert_array_equal(y[:2], [[1], [-1]])


def test_one_row_is_its_own_mean() -> None:
    x, bias = RNG.standard_normal((1, 3)), RNG.standard_normal(3)
    y, mean, var = gc.evaluate(gc.trace(batch_norm, x, np.ones(3), bias), x, np.ones(3), bias)
    np.testing.assert_array_equal(y, [bias])
    np.testing.assert_array_equal(mean, x[0])
    np.testing.assert_array_equal(var, np.zeros(3))


@pytest.mark.parametrize("spec", [gc.f64[0, 3], gc.f64["N", 3]], ids=str)
def test_an_empty_batch_has_no_statistics(spec: Any) -> None:
    y, mean, var = gc.evaluate(gc.trace(lambda x: batch_norm(x), spec), np.zeros((0, 3)))
    assert y.shape == (0, 3)
    assert np.isnan(mean).all()
    assert np.isnan(var).all()


def test_nan_stays_in_its_channel() -> None:
    x = RNG.standard_normal((4, 2))
    x[1, 0] = np.nan
    y, mean, var = gc.evaluate(gc.trace(batch_norm, x), x)
    assert np.isnan(y[:, 0]).all()
    assert np.isfinite(y[:, 1]).all()
    assert np.isnan([mean[0], var[0]]).all()


def test_inference_uses_the_given_statistics() -> None:
    x, mean, var = RNG.standard_normal((2, 3, 4, 4)), RNG.standard_normal(3), RNG.uniform(0.1, 2, 3)
    weight, bias = RNG.standard_normal(3), RNG.standard_normal(3)
    m, v, w, b = (_column(vector, 4) for vector in (mean, var, weight, bias))
    expected = (x - m) / np.sqrt(v + 1e-3) * w + b
    graph = gc.trace(lambda *operands: batch_norm_inference(*operands, eps=1e-3), x, mean, var, weight, bias)
    np.testing.assert_allclose(gc.evaluate(graph, x, mean, var, weight, bias), expected, rtol=1e-11, atol=1e-13)


def test_the_backward_pass_shares_the_forward_statistics() -> None:
    """After decompose and cse there is one reduction for the mean, one for the variance, two for the gradients."""

    def loss(x: Any, weight: Any, bias: Any, g: Any) -> Any:
        return gc.sum(batch_norm(x, weight, bias)[0] * g)

    graph = gc.trace(loss, gc.f32["N", 3], gc.f32[3], gc.f32[3], gc.f32["N", 3])
    graph = gc.value_and_grad(graph, wrt=["x", "weight", "bias"])
    final = Pipeline([decompose, cse, dce]).run(graph).last.graph
    columns = [node for node in final.nodes if node.op.name == "sum" and node.attributes["axis"] == (0,)]
    assert len(columns) == 4
    assert sum(node.op.name == "rsqrt" for node in final.nodes) == 1


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        ((gc.f32["N", 64], gc.f32[32]), "batch_norm: x has 64 channels, but weight has shape (32,)"),
        ((gc.f32["N", 64], gc.f32[64], gc.f32[1, 64]), "batch_norm: x has 64 channels, but bias has shape (1,64)"),
        ((gc.f32["N"],), "batch_norm: x has shape (N, channels, ...), but this one is f32[N]"),
    ],
)
def test_batch_norm_says_what_does_not_fit(specs: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda *operands: batch_norm(*operands), *specs)
    assert raised.value.rule == rule


def test_batch_norm_wants_floats_of_one_width() -> None:
    with pytest.raises(gc.errors.DTypeError, match="batch_norm: takes floating-point numbers, but x is i32"):
        gc.trace(lambda x: batch_norm(x), gc.i32["N", 3])
    with pytest.raises(gc.errors.DTypeError, match="batch_norm: x is f64, but weight is f32"):
        gc.trace(lambda x, w: batch_norm(x, w), gc.f64["N", 3], gc.f32[3])


def test_f32_weights_serve_16_bit_activations() -> None:
    graph = gc.trace(lambda x, w: batch_norm(x, w)[0], gc.bf16["N", 3], gc.f32[3])
    assert str(graph.outputs[0].type) == "bf16[N,3]"
    assert [str(value.type) for value in gc.vjp(graph).outputs] == ["bf16[N,3]", "f32[3]"]


# -- layer and root mean square ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "axes"), [((4, 5), 1), ((5,), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 3, 4), 3)])
def test_layer_norm_is_the_formula(shape: tuple[int, ...], axes: int) -> None:
    x, weight, bias = (RNG.standard_normal(s) for s in (shape, shape[-axes:], shape[-axes:]))
    over = tuple(range(-axes, 0))
    expected = (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + 1e-5) * weight + bias
    graph = gc.trace(lambda *operands: layer_norm(*operands, normalized_axes=axes), x, weight, bias)
    np.testing.assert_allclose(gc.evaluate(graph, x, weight, bias), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("shape", "axes"), [((4, 5), 1), ((2, 3, 4), 2)])
@pytest.mark.parametrize(("eps", "added"), [(None, 2.0**-52), (1e-2, 1e-2)])
def test_rms_norm_is_the_formula(shape: tuple[int, ...], axes: int, eps: float | None, added: float) -> None:
    x, weight = RNG.standard_normal(shape), RNG.standard_normal(shape[-axes:])
    expected = x / np.sqrt((x * x).mean(tuple(range(-axes, 0)), keepdims=True) + added) * weight
    graph = gc.trace(lambda x, w: rms_norm(x, w, normalized_axes=axes, eps=eps), x, weight)
    np.testing.assert_allclose(gc.evaluate(graph, x, weight), expected, rtol=1e-12)


def test_rows_of_16_bit_floats_beyond_their_range() -> None:
    """The squares of numbers around 1,000 lie beyond f16's 65,504; their normalized values do not."""
    x = np.linspace(900, 1100, 64).astype(np.float16).reshape(1, 64)
    y = gc.evaluate(gc.trace(layer_norm, x), x)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(y, (wide - wide.mean()) / wide.std(), rtol=2e-3)
    np.testing.assert_allclose(gc.evaluate(gc.trace(rms_norm, x), x), wide / np.sqrt((wide**2).mean()), rtol=1e-3)


def test_the_inverse_deviation_is_taken_once_per_row() -> None:
    graph = decompose(gc.trace(lambda x: layer_norm(x), gc.f32["N", 64]))
    (inverse,) = (node for node in graph.nodes if node.op.name == "rsqrt")
    assert str(inverse.results[0].type) == "f32[N,1]"


@pytest.mark.parametrize("op", [layer_norm, rms_norm], ids=lambda op: op.name)
def test_rows_say_what_does_not_fit(op: Any) -> None:
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda x, w: op(x, w), gc.f32["N", 64], gc.f32[32])
    assert raised.value.rule == f"{op.name}: x has rows of shape (64,), but weight has (32,)"
    with pytest.raises(gc.errors.OpAttributeError) as wrong:
        gc.trace(lambda x: op(x, normalized_axes=3), gc.f32["N", 64])
    assert wrong.value.rule == f"{op.name}: normalized_axes is 3, but x is f32[N,64]: it takes 1 to 2"
