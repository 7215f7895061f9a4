"""Attention: against a loop over queries, gradients against differences, queries that may look nowhere, any extents."""

from math import exp, inf, nan, sqrt
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.attention import attention_weights, scaled_dot_product_attention
from graphc.passes.cse import cse
from graphc.passes.decompose import decompose
from graphc.passes.pipeline import Pipeline

RNG = np.random.default_rng(0)
Q, K, V = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 5, 4)), RNG.standard_normal((2, 5, 6))
SEES = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)  # the second query may look nowhere
ADDED = np.where(SEES, RNG.standard_normal((3, 5)), -inf)


def _attend(*arrays: Any, **attributes: Any) -> Any:
    return gc.evaluate(gc.trace(lambda *xs: scaled_dot_product_attention(*xs, **attributes), *arrays), *arrays)


def _weights(*arrays: Any, **attributes: Any) -> Any:
    return gc.evaluate(gc.trace(lambda *xs: attention_weights(*xs, **attributes), *arrays), *arrays)


def _gradients(*arrays: Any, g: Any = None, **attributes: Any) -> Any:
    graph = gc.vjp(gc.trace(lambda *xs: scaled_dot_product_attention(*xs, **attributes), *arrays))
    shape = graph.inputs[-1].type.shape
    return gc.evaluate(graph, *arrays, np.ones(shape, arrays[0].dtype) if g is None else g)


def _by_query(q: Any, k: Any, v: Any, scale: float, look: Any, add: Any) -> Any:
    """Attention of matrices as it is told: query by query, key by key, in Python's floats."""
    result = np.zeros((len(q), v.shape[1]))
    for i, query in enumerate(q):
        seen = [j for j in range(len(k)) if look[i][j] and add[i][j] > -inf]
        share = {j: exp(sum(a * b for a, b in zip(query, k[j], strict=True)) * scale + add[i][j]) for j in seen}
        for j in seen:
            result[i] += share[j] / sum(share.values()) * v[j]
    return result


@pytest.mark.parametrize("scale", [None, 0.3, 0.0, -1.5])
@pytest.mark.parametrize("kind", ["none", "boolean", "float", "causal", "boolean and causal", "float and causal"])
def test_it_is_the_formula(kind: str, scale: float | None) -> None:
    look, add = np.ones((3, 5), bool), np.zeros((3, 5))
    if "causal" in kind:
        look &= np.tri(3, 5, dtype=bool)
    look, add = (look & SEES if "boolean" in kind else look), (ADDED if "float" in kind else add)
    mask = [SEES] if "boolean" in kind else [ADDED] if "float" in kind else []
    given = _attend(Q, K, V, *mask, is_causal="causal" in kind, scale=scale)
    factor = 1 / sqrt(4) if scale is None else scale
    expected = [_by_query(q, k, v, factor, look, add) for q, k, v in zip(Q, K, V, strict=True)]
    np.testing.assert_allclose(given, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("mask", [None, SEES[2:], SEES, ADDED[2:]], ids=["none", "keys", "boolean", "float"])
def test_gradients_of_both_orders_agree_with_differences(mask: Any, is_causal: bool) -> None:
    masks = [] if mask is None else [mask]
    graph = gc.trace(lambda *xs: scaled_dot_product_attention(*xs, is_causal=is_causal), Q, K, V, *masks)
    assert gc.gradcheck(graph, Q, K, V, *masks)
    gradient = gc.vjp(graph)
    assert gc.gradcheck(gradient, Q, K, V, *masks, RNG.standard_normal((2, 3, 6)))


@pytest.mark.parametrize("mask", [SEES, ADDED], ids=["boolean", "float"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_query_that_may_look_nowhere_gets_zeros_and_gives_none(mask: Any, dtype: Any) -> None:
    arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in (Q, K, V, mask)]
    result, gradients = _attend(*arrays), _gradients(*arrays)
    assert result.dtype == dtype
    assert np.isfinite(result).all()
    assert not result[:, 1].any()
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert not gradients[0][:, 1].any()
    if mask is ADDED:
        np.testing.assert_array_equal(gradients[3][~SEES], 0)
    assert not _weights(arrays[0], arrays[1], arrays[3])[:, 1].any()
    opened = decompose(gc.trace(scaled_dot_product_attention, *arrays))
    assert all(np.isfinite(each).all() for each in gc.evaluate(gc.vjp(opened), *arrays, np.ones_like(result)))


def test_what_is_hidden_is_not_read() -> None:
    """A NaN or an infinite key that no query may see leaves no trace in the weights, nor a finite value beside it."""
    keys = K.copy()
    keys[:, 1], keys[:, 4] = nan, inf
    hidden = np.array([True, False, True, True, False])
    np.testing.assert_array_equal(_weights(Q, keys, hidden)[..., hidden], _weights(Q, K, hidden)[..., hidden])
    assert not _weights(Q, keys, hidden)[..., ~hidden].any()


def test_nan_stays_visible_in_its_row() -> None:
    queries = Q.copy()
    queries[0, 0] = nan
    result = _attend(queries, K, V)
    assert np.isnan(result[0, 0]).all()
    assert np.isfinite(result[0, 1:]).all()


def test_large_scores_neither_overflow_nor_vanish() -> None:
    for dtype in (np.float32, np.float64):
        q, k = (Q * 1e3).astype(dtype), (K * 1e3).astype(dtype)
        weights = _weights(q, k)
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
        assert all(np.isfinite(each).all() for each in _gradients(q, k, V.astype(dtype)))


def test_causal_starts_at_the_first_key_whatever_the_lengths() -> None:
    for queries, keys in ((3, 5), (5, 3), (4, 4)):
        seen = _weights(RNG.standard_normal((queries, 4)), RNG.standard_normal((keys, 4)), is_causal=True) > 0
        np.testing.assert_array_equal(seen, np.tri(queries, keys, dtype=bool))


def test_leading_axes_broadcast_and_their_gradients_are_sums() -> None:
    q, k, v = RNG.standard_normal((2, 1, 3, 4)), RNG.standard_normal((6, 5, 4)), RNG.standard_normal((5, 2))
    wide = [np.broadcast_to(x, (2, 6, *x.shape[-2:])).copy() for x in (q, k, v)]
    np.testing.assert_allclose(_attend(q, k, v), _attend(*wide), rtol=1e-12)
    g = RNG.standard_normal((2, 6, 3, 2))
    own, stretched = _gradients(q, k, v, g=g), _gradients(*wide, g=g)
    np.testing.assert_allclose(own[0], stretched[0].sum(1, keepdims=True), rtol=1e-10)
    np.testing.assert_allclose(own[1], stretched[1].sum(0), rtol=1e-10)
    np.testing.assert_allclose(own[2], stretched[2].sum((0, 1)), rtol=1e-10)


def test_one_graph_for_any_extents() -> None:
    """Named lengths, and named features: the scale is 1/√E of the E that a call has."""
    specs = gc.f64["N", "L", "E"], gc.f64["N", "S", "E"], gc.f64["N", "S", 6]
    graph = gc.trace(lambda *xs: scaled_dot_product_attention(*xs, is_causal=True), *specs)
    assert str(graph.outputs[0].type) == "f64[N,L,6]"
    for batch, queries, keys, features in ((2, 3, 5, 4), (1, 5, 3, 2), (0, 3, 5, 4), (2, 0, 5, 4)):
        shapes = (batch, queries, features), (batch, keys, features), (batch, keys, 6)
        arrays = [RNG.standard_normal(shape) for shape in shapes]
        np.testing.assert_allclose(gc.evaluate(graph, *arrays), _attend(*arrays, is_causal=True), rtol=1e-12)
        g = RNG.standard_normal((batch, queries, 6))
        for a, b in zip(gc.evaluate(gc.vjp(graph), *arrays, g), _gradients(*arrays, g=g, is_causal=True), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_no_keys_give_zeros() -> None:
    arrays = Q, K[:, :0], V[:, :0]
    np.testing.assert_array_equal(_attend(*arrays), np.zeros((2, 3, 6)))
    assert [each.shape for each in _gradients(*arrays)] == [(2, 3, 4), (2, 0, 4), (2, 0, 6)]


def test_it_keeps_its_name_and_the_gradient_takes_the_weights_of_the_forward_pass() -> None:
    graph = gc.trace(lambda q, k, v: gc.sum(scaled_dot_product_attention(q, k, v) ** 2), Q, K, V)
    assert "scaled_dot_product_attention" in [node.op.name for node in graph.nodes]
    opened = Pipeline([decompose, cse]).run(gc.value_and_grad(graph)).last.graph
    names = [node.op.name for node in opened.nodes]
    assert names.count("exp") == 1
    assert names.count("dot_general") == 6  # two forward, four backward


@pytest.mark.parametrize(
    ("specs", "error", "rule"),
    [
        (
            (gc.f32["N", 4], gc.f32["N", 3], gc.f32["N", 2]), "ShapeError",
            "scaled_dot_product_attention: query has 4 features, but key has 3",
        ),
        (
            (gc.f32["L", 4], gc.f32["S", 4], gc.f32["T", 2]), "ShapeError",
            "scaled_dot_product_attention: there are S keys, but T values",
        ),
        (
            (gc.f32[4], gc.f32["S", 4], gc.f32["S", 2]), "ShapeError",
            "scaled_dot_product_attention: query has 2 axes or more, positions and features, but this one is f32[4]",
        ),
        (
            (gc.f32["L", 4], gc.f64["S", 4], gc.f32["S", 2]), "DTypeError",
            "scaled_dot_product_attention: query is f32, but key is f64; convert one with gc.astype",
        ),
        (
            (gc.i32["L", 4], gc.i32["S", 4], gc.i32["S", 2]), "DTypeError",
            "scaled_dot_product_attention: takes floating-point numbers, but query is i32[L,4]; "
            "convert with gc.astype",
        ),
        (
            (gc.f32["L", 4], gc.f32["S", 4], gc.f32["S", 2], gc.i64["L", "S"]), "DTypeError",
            "scaled_dot_product_attention: the mask is boolean or of the query's dtype, f32, but it is i64[L,S]; "
            "convert it with gc.astype",
        ),
        (
            (gc.f32[3, 4], gc.f32[5, 4], gc.f32[5, 2], gc.bool[4, 5]), "ShapeError",
            "scaled_dot_product_attention: the scores have shape (3,5), but the mask has (4,5), "
            "which does not broadcast to it",
        ),
        (
            (gc.f32[3, 4], gc.f32[5, 4], gc.f32[5, 2], gc.bool[2, 3, 5]), "ShapeError",
            "scaled_dot_product_attention: the scores have shape (3,5), but the mask has (2,3,5), "
            "which does not broadcast to it",
        ),
        (
            (gc.f32[2, 3, 4], gc.f32[6, 5, 4], gc.f32[6, 5, 2]), "ShapeError",
            "scaled_dot_product_attention: query and key before their last 2 axes: shapes (2,) and (6,) do not "
            "broadcast: axis -1 has 2 and 6",
        ),
    ],
)  # fmt: skip
def test_it_says_what_does_not_fit(specs: Any, error: str, rule: str) -> None:
    with pytest.raises(getattr(gc.errors, error)) as raised:
        gc.trace(lambda *xs: scaled_dot_product_attention(*xs), *specs)
    assert raised.value.rule == rule
