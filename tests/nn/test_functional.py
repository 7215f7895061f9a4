"""The rest of nn.functional: shapes, distances, options that torch's tables do not reach; and what each refuses."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import errors
from graphc.nn import functional as F

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))


def run(function: Callable[..., Any], *arrays: Any) -> Any:
    """The function's value on arrays."""
    return gc.evaluate(gc.trace(function, *arrays), *arrays)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 0.5, math.inf])
def test_pairwise_distance_is_the_norm_of_the_difference(p: float) -> None:
    difference = np.abs(X - Y + 1e-6)
    expected = difference.max(1) if p == math.inf else (difference**p).sum(1) ** (1 / p)
    np.testing.assert_allclose(run(lambda a, b: F.pairwise_distance(a, b, p), X, Y), expected, rtol=1e-12)
    kept = run(lambda a, b: F.pairwise_distance(a, b, p, keepdim=True), X, Y)
    np.testing.assert_allclose(kept, expected[:, None], rtol=1e-12)


def test_the_zero_vector_normalizes_to_zero_with_a_finite_gradient() -> None:
    graph = gc.trace(lambda x: gc.sum(F.normalize(x)), gc.f64["N", 3])
    assert gc.evaluate(graph, np.zeros((2, 3))) == 0
    assert np.isfinite(gc.evaluate(gc.grad(graph), np.zeros((2, 3)))).all()


def test_modules_of_distances_are_their_functions() -> None:
    np.testing.assert_array_equal(
        run(gc.nn.CosineSimilarity(0), X, Y), run(lambda a, b: F.cosine_similarity(a, b, 0), X, Y)
    )
    np.testing.assert_array_equal(
        run(gc.nn.PairwiseDistance(1.0), X, Y), run(lambda a, b: F.pairwise_distance(a, b, 1.0), X, Y)
    )


def test_flatten_starts_at_0_where_the_layer_starts_at_1() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    assert run(F.flatten, x).shape == (24,)
    assert run(gc.nn.Flatten(), x).shape == (2, 12)
    assert run(F.flatten, np.float64(3)).shape == (1,)
    graph = gc.trace(lambda x: F.unflatten(F.flatten(x), 0, (-1, 12)), gc.f64["N", 3, 4])
    assert str(graph.outputs[0].type) == "f64[N,12]"


def test_one_hot_and_embedding_agree() -> None:
    labels, table = np.array([[0, 3], [1, 1]]), RNG.normal(size=(4, 2))
    hot = run(lambda i: F.one_hot(i, 4), labels)
    assert hot.dtype == np.int64
    np.testing.assert_array_equal(run(lambda i, w: F.embedding(i, w), labels, table), hot @ table)


def test_gaussian_likelihood_takes_a_number_for_the_variance() -> None:
    number = run(lambda m, y: F.gaussian_nll_loss(m, y, 0.5), X, Y)
    array = run(lambda m, y, v: F.gaussian_nll_loss(m, y, v), X, Y, np.full((4, 3), 0.5))
    np.testing.assert_allclose(number, array, rtol=1e-14)


def test_reverse_divergence_swaps_the_roles() -> None:
    p, q = RNG.dirichlet(np.ones(5)), RNG.dirichlet(np.ones(5))
    forward = run(lambda log_q, p: F.kl_div(log_q, p, reduction="sum"), np.log(q), p)
    reverse = run(lambda log_p, q: F.kl_div(log_p, q, reduction="sum"), np.log(p), q)
    np.testing.assert_allclose([forward, reverse], [(p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()], rtol=1e-12)


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax, F.softmin])
def test_softmax_converts_first_where_a_dtype_is_given(function: Callable[..., Any]) -> None:
    x = X.astype(np.float32)
    given = run(lambda x: function(x, 1, dtype=gc.f64), x)
    np.testing.assert_array_equal(given, run(lambda x: function(x, 1), x.astype(np.float64)))


def test_softmax_of_a_scalar_is_one() -> None:
    with pytest.warns(DeprecationWarning, match="give dim"):
        assert run(F.softmax, np.float64(3)) == 1


def test_dropout_draws_another_mask_at_each_call_and_run() -> None:
    graph = gc.trace(lambda x: (F.dropout(x), F.dropout(x)), gc.f32["N"])
    x = np.ones(200, np.float32)
    first, second = gc.evaluate(graph, x)
    assert (first != second).any()
    assert (gc.evaluate(graph, x)[0] != first).any()


f32, f64, i64 = gc.f32, gc.f64, gc.i64
SHAPE, DTYPE, OPTION = errors.ShapeError, errors.DTypeError, errors.OpAttributeError
REFUSED = [
    (lambda x: F.gelu(x), (i64[3],), DTYPE, "gelu"),
    (lambda x: F.gelu(x, "fast"), (f32[3],), OPTION, "'fast'"),
    (lambda x: F.hardtanh(x, 1.0, -1.0), (f32[3],), OPTION, "hardtanh: min_val 1.0 is above max_val -1.0"),
    (lambda x: F.softshrink(x, -1.0), (f32[3],), OPTION, "lambd is at least 0, but it is -1.0"),
    (lambda x: F.maxout(x, 0), (f32[2, 4],), OPTION, "num_pieces is at least 1"),
    (lambda x: F.softmax(x, 2), (f32[2, 4],), OPTION, "dim 2 is out of range for rank 2"),
    (lambda x: F.dropout(x, 1.5), (f32[3],), OPTION, "between 0 and 1, but it is 1.5"),
    (lambda x: F.dropout(x, 0.5, scale="no"), (f32[3],), OPTION, "scale is"),
    (lambda x: F.dropout(x), (i64[3],), DTYPE, r"dropout: takes floating-point numbers, but input is i64\[3\]"),
    (lambda x, w: F.linear(x, w), (f32["N", 3], f32[2, 4]), SHAPE, "x has 3 features, but weight takes 4"),
    (lambda x: F.flatten(x, 2, 1), (f32[2, 3, 4],), OPTION, "start_dim 2 lies behind end_dim 1"),
    (lambda x: F.unflatten(x, 1, (3, 3)), (f32[2, 8],), SHAPE, r"sizes \(3, 3\) do not make up the 8"),
    (lambda x: F.unflatten(x, 1, (3, -1)), (f32[2, 8],), SHAPE, "not divisible by 3"),
    (lambda i, w: F.embedding(i, w), (f32[3], f32[4, 2]), DTYPE, "indices are integers"),
    (lambda i, w: F.embedding(i, w), (i64[3], f32[4]), SHAPE, "the weight is a matrix"),
    (lambda i, w: F.embedding(i, w, 4), (i64[3], f32[4, 2]), OPTION, "padding_idx is 4, but the weight has 4"),
    (lambda x: F.layer_norm(x, (4,)), (f32["N", 3],), SHAPE, r"normalized_shape is \(4,\), but .* \(N,3\)"),
    (lambda x: F.rms_norm(x, ()), (f32["N", 3],), SHAPE, "normalized_shape"),
    (lambda x: F.batch_norm(x, None, None), (f32["N", 3],), errors.ArgumentError, "needs running_mean and running_var"),
    (lambda x, y: F.mse_loss(x, y), (f32[3], f32[4]), SHAPE, "do not broadcast"),
    (lambda x, y: F.mse_loss(x, y), (f32[3], i64[3]), DTYPE, r"target is i64\[3\]"),
    (lambda x, y: F.mse_loss(x, y, weight=np.ones(2)), (f64[3], f64[3]), SHAPE, r"\(3,\), but weight has \(2,\)"),
    (lambda x, y: F.kl_div(x, y, reduction="all"), (f32[3], f32[3]), OPTION, "batchmean, not 'all'"),
    (lambda x, y: F.huber_loss(x, y, delta=0.0), (f32[3], f32[3]), OPTION, "delta is above 0"),
    (lambda x, y: F.smooth_l1_loss(x, y, beta=-1.0), (f32[3], f32[3]), OPTION, "beta is at least 0"),
    (lambda x, y: F.hinge_loss(x, y), (f32[3], f32[4]), SHAPE, r"input has shape \(3,\), but target has \(4,\)"),
    (lambda x, y: F.multi_margin_loss(x, y, p=3), (f32[2, 3], i64[2]), OPTION, "p is 1 or 2, not 3"),
    (lambda x, y: F.multi_margin_loss(x, y), (f32[2, 3], i64[3]), SHAPE, r"got \(2,3\) and \(3,\)"),
    (lambda x, y: F.nll_loss(x, y), (f32[2, 3], f32[2]), DTYPE, r"labels are integers, but the target is f32\[2\]"),
    (lambda x, y: F.cross_entropy(x, y), (f32[2, 3], f32[2]), DTYPE, "a distribution of the input's shape"),
    (lambda x, v: F.gaussian_nll_loss(x, x, v), (f32[2, 3], f32[3, 2]), SHAPE, "which var of shape"),
    (lambda x: F.gaussian_nll_loss(x, x, -1.0), (f32[2, 3],), OPTION, "var is at least 0"),
    (lambda a: F.margin_ranking_loss(a, a, np.float32(1)), (f32[3],), SHAPE, "as many axes"),
    (lambda a: F.triplet_margin_loss(a, a, a, margin=0), (f32[2, 3],), OPTION, "margin is above 0"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "specs", "error", "words"), REFUSED)
def test_refusals_name_what_was_given(
    function: Callable[..., Any], specs: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        gc.trace(function, *specs)
    assert "test_functional.py" in str(caught.value)


def test_functions_are_for_traces() -> None:
    with pytest.raises(errors.TraceError, match="outside of a trace"):
        F.relu(np.zeros(3))


def test_every_public_name_is_there() -> None:
    assert all(callable(getattr(F, name)) for name in F.__all__)
    assert all(hasattr(gc.nn, name) for name in gc.nn.__all__)
    with pytest.raises(AttributeError):
        F.conv9d  # noqa: B018
