"""dropout: shares, scales, exact ends, one mask for value and gradient, another for each stream and step."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.dropout import dropout
from graphc.passes.cse import cse
from graphc.passes.decompose import decompose
from graphc.passes.pipeline import Pipeline

RNG_STATE = np.array([7, 0], np.uint64)
ONES = np.ones((200, 500), np.float32)


def _drop(x: Any, rng: Any = RNG_STATE, **attributes: Any) -> Any:
    attributes.setdefault("stream", 0)
    return gc.evaluate(gc.trace(lambda x, rng: dropout(x, rng, **attributes), x, rng), x, rng)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_of_p_is_dropped_and_the_rest_scaled(p: float) -> None:
    y = _drop(ONES, p=p)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(1 - p)}
    deviation = (p * (1 - p) / ONES.size) ** 0.5
    assert (y == 0).mean() == pytest.approx(p, abs=4 * deviation)
    assert y.mean() == pytest.approx(1, abs=4 * deviation / (1 - p))


def test_the_classic_mode_leaves_what_it_keeps() -> None:
    y = _drop(ONES, p=0.3, inverted=False)
    assert set(np.unique(y)) == {0, 1}
    np.testing.assert_array_equal(y == 0, _drop(ONES, p=0.3) == 0)


def test_both_ends_are_exact() -> None:
    x = np.array([1.5, -2.0, 1e-30])
    np.testing.assert_array_equal(_drop(x, p=0.0), x)
    np.testing.assert_array_equal(_drop(x, p=1.0), np.zeros(3))
    graph = gc.trace(lambda x, rng: dropout(x, rng, p=0.0, stream=0), gc.f64["N"], gc.u64[2])
    assert not decompose(graph).nodes


@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_the_gradient_is_dropped_where_the_value_is(p: float) -> None:
    x, g = np.random.default_rng(0).standard_normal((2, 50))
    graph = gc.vjp(gc.trace(lambda x, rng: dropout(x, rng, p=p, stream=3), x, RNG_STATE))
    np.testing.assert_array_equal(gc.evaluate(graph, x, RNG_STATE, g), _drop(g, p=p, stream=3))


def test_value_and_gradient_draw_the_bits_once() -> None:
    def loss(x: Any, rng: Any) -> Any:
        return gc.sum(dropout(x, rng, stream=0) ** 2)

    graph = gc.value_and_grad(gc.trace(loss, gc.f32["N", 3], gc.u64[2]))
    names = [node.op.name for node in Pipeline([decompose, cse]).run(graph).last.graph.nodes]
    assert names.count("random_bits") == 1


def test_masks_depend_on_seed_step_and_stream_alone() -> None:
    masks = [
        _drop(ONES, np.array([seed, step], np.uint64), stream=stream) for seed, step, stream in
        [(7, 0, 0), (7, 0, 0), (8, 0, 0), (7, 1, 0), (7, 0, 1)]
    ]  # fmt: skip
    np.testing.assert_array_equal(masks[0], masks[1])
    for other in masks[2:]:
        assert (masks[0] == other).mean() == pytest.approx(0.5, abs=0.01)


def test_masks_do_not_depend_on_the_dtype() -> None:
    kept = _drop(ONES) != 0
    for dtype in (np.float16, np.float64):
        np.testing.assert_array_equal(_drop(ONES.astype(dtype)) != 0, kept)


def test_one_graph_for_any_batch_size() -> None:
    graph = gc.trace(lambda x, rng: dropout(x, rng, stream=0), gc.f32["N", 500], gc.u64[2])
    for rows in (0, 3, 200):
        np.testing.assert_array_equal(gc.evaluate(graph, ONES[:rows], RNG_STATE), _drop(ONES)[:rows])


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_a_dropped_nan_stays_visible(p: float) -> None:
    assert np.isnan(_drop(np.full(20, np.nan), p=p)).all()


@pytest.mark.parametrize(
    ("specs", "p", "error", "rule"),
    [
        ((gc.f32["N"], gc.u64[2]), 1.5, "OpAttributeError", "dropout: p is a probability from 0 to 1, not 1.5"),
        ((gc.f32["N"], gc.u64[2]), -0.1, "OpAttributeError", "dropout: p is a probability from 0 to 1, not -0.1"),
        (
            (gc.i32["N"], gc.u64[2]), 0.5, "DTypeError",
            "dropout: takes floating-point numbers, but x is i32[N]; convert with gc.astype",
        ),
        ((gc.f32["N"], gc.f32[2]), 0.5, "DTypeError", "random_bits: rng is f32[2], not u64[2] of seed and step"),
    ],
)  # fmt: skip
def test_it_says_what_does_not_fit(specs: Any, p: float, error: str, rule: str) -> None:
    with pytest.raises(getattr(gc.errors, error)) as raised:
        gc.trace(lambda x, rng: dropout(x, rng, p=p, stream=0), *specs)
    assert raised.value.rule == rule
