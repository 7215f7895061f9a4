"""cross_entropy and nll_loss: every option against NumPy, labels that count for nothing, labels that do not exist."""

from itertools import product
from math import inf, log, nan
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.cross_entropy import cross_entropy, nll_loss
from graphc.composites.softmax import log_softmax
from graphc.passes.cse import cse
from graphc.passes.decompose import decompose
from graphc.passes.pipeline import Pipeline

RNG = np.random.default_rng(0)
LABELS = [pytest.param(op, id=op.name) for op in (cross_entropy, nll_loss)]


def _log_softmax(x: Any) -> Any:
    axis = min(1, x.ndim - 1)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def _formula(logits: Any, target: Any, weight: Any, reduction: str, ignore_index: int, label_smoothing: float) -> Any:
    """The definition, with one-hot rows: -Σ w·t·log p over Σ w[label], or over the rows."""
    axis = min(1, logits.ndim - 1)
    classes = logits.shape[axis]
    logp = np.moveaxis(_log_softmax(logits), axis, -1)
    w = np.ones(classes) if weight is None else weight
    if target.dtype.kind == "f":
        t, counts = np.moveaxis(target, axis, -1), np.ones(logp.shape[:-1])
    else:
        kept = target != ignore_index
        t, counts = np.eye(classes)[np.where(kept, target, 0)] * kept[..., None], w[np.where(kept, target, 0)] * kept
    smooth = t * (1 - label_smoothing) + t.sum(-1, keepdims=True) * label_smoothing / classes
    if target.dtype.kind == "f":
        smooth = t * (1 - label_smoothing) + label_smoothing / classes
    rows = -(smooth * w * logp).sum(-1)
    return {"none": rows, "sum": rows.sum(), "mean": rows.sum() / counts.sum()}[reduction]


def _loss(op: Any, *operands: Any, **options: Any) -> Any:
    arrays = [np.asarray(operand) for operand in operands if operand is not None]
    return gc.evaluate(gc.trace(lambda *given: op(*given, **options), *arrays), *arrays)


def _gradient(op: Any, *operands: Any, **options: Any) -> Any:
    arrays = [np.asarray(operand) for operand in operands]
    graph = gc.trace(lambda *given: op(*given, **options), *arrays)
    return gc.evaluate(gc.grad(graph, wrt=graph.inputs[0].name), *arrays)


SHAPES = [(4, 3), (3,), (2, 3, 5), (2, 3, 2, 2)]
OPTIONS = list(product(("mean", "sum", "none"), (None, 1), (0.0, 0.2)))


@pytest.mark.parametrize(("reduction", "weighted", "label_smoothing"), OPTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_cross_entropy_is_the_formula(
    kind: str, shape: tuple[int, ...], reduction: str, weighted: int | None, label_smoothing: float
) -> None:
    axis = min(1, len(shape) - 1)
    rows = shape[:axis] + shape[axis + 1 :]
    logits = RNG.standard_normal(shape)
    target = RNG.integers(0, 3, rows) if kind == "labels" else RNG.uniform(0.1, 1, shape)
    weight = None if weighted is None else RNG.uniform(0.3, 2, 3)
    ignore_index = 1 if kind == "labels" and rows else -100
    options = {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
    expected = _formula(logits, target, weight, **options)
    given = [logits, target] if weight is None else [logits, target, weight]
    np.testing.assert_allclose(_loss(cross_entropy, *given, **options), expected, rtol=1e-11)
    assert gc.gradcheck(lambda *operands: cross_entropy(*operands, **options), *given)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nll_of_log_softmax_is_cross_entropy(shape: tuple[int, ...], weighted: bool, reduction: str) -> None:
    axis = min(1, len(shape) - 1)
    logits, labels = RNG.standard_normal(shape), RNG.integers(0, 3, shape[:axis] + shape[axis + 1 :])
    weight = [RNG.uniform(0.3, 2, 3)] if weighted else []

    def composed(logits: Any, labels: Any, *weight: Any) -> Any:
        return nll_loss(log_softmax(logits, axis=(axis,)), labels, *weight, reduction=reduction)

    arrays = [logits, labels, *weight]
    np.testing.assert_allclose(
        gc.evaluate(gc.trace(composed, *arrays), *arrays),
        _loss(cross_entropy, *arrays, reduction=reduction),
        rtol=1e-12,
    )
    assert gc.gradcheck(composed, *arrays)


def test_the_gradient_is_p_minus_y_over_n() -> None:
    logits, labels = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 2])
    expected = (np.exp(_log_softmax(logits)) - np.eye(3)[labels]) / 4
    np.testing.assert_allclose(_gradient(cross_entropy, logits, labels), expected, rtol=1e-12)


def test_the_gradient_takes_no_gather_and_no_scatter() -> None:
    """It is elementwise over the classes, so that it fuses; the forward pass alone picks scores by label."""
    graph = gc.trace(lambda x, y: cross_entropy(x, y), gc.f32["N", 10], gc.i64["N"])
    names = {node.op.name for node in decompose(gc.grad(graph)).nodes}
    assert not {name for name in names if "take" in name or "scatter" in name or "index" in name}


def test_forward_and_backward_share_the_softmax() -> None:
    graph = gc.value_and_grad(gc.trace(lambda x, y: cross_entropy(x, y), gc.f32["N", 10], gc.i64["N"]))
    names = [node.op.name for node in Pipeline([decompose, cse]).run(graph).last.graph.nodes]
    assert names.count("max") == names.count("log") == names.count("exp") == 1


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_second_order(label_smoothing: float) -> None:
    logits, labels, weight = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 2]), RNG.uniform(0.5, 2, 3)

    def loss(logits: Any, labels: Any, weight: Any) -> Any:
        return cross_entropy(logits, labels, weight, label_smoothing=label_smoothing)

    assert gc.gradcheck(gc.grad(gc.trace(loss, logits, labels, weight)), logits, labels, weight)


def test_large_logits_lose_no_digits() -> None:
    """log Σ eˣ - x[label] would cancel: near 10⁴ the numbers of f32 lie 0.001 apart."""
    logits = np.array([[1e4, 1e4 - 1], [-1e4, 1e4]], np.float32)
    rows = _loss(cross_entropy, logits, [0, 0], reduction="none")
    np.testing.assert_allclose(rows, [log(1 + np.exp(-1)), 2e4], rtol=1e-6)
    assert np.isfinite(_gradient(cross_entropy, logits, [0, 0])).all()


def test_a_class_that_is_ruled_out() -> None:
    logits = np.array([[0.0, -inf], [0.0, -inf]])
    np.testing.assert_array_equal(_loss(cross_entropy, logits, [0, 1], reduction="none"), [0, inf])
    np.testing.assert_array_equal(_gradient(cross_entropy, logits, [0, 0]), np.zeros((2, 2)))


# -- labels that count for nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", LABELS)
@pytest.mark.parametrize("ignored", [-100, 1, 7])
def test_ignored_rows_leave_no_trace_even_of_nan(op: Any, ignored: int) -> None:
    scores = RNG.standard_normal((4, 3))
    scores[1] = nan
    scores[3] = inf
    labels = np.array([0, ignored, 2, ignored])
    np.testing.assert_allclose(
        _loss(op, scores, labels, ignore_index=ignored), _loss(op, scores[::2], labels[::2]), rtol=1e-14
    )
    gradient = _gradient(op, scores, labels, ignore_index=ignored)
    np.testing.assert_array_equal(gradient[1::2], np.zeros((2, 3)))
    np.testing.assert_allclose(gradient[::2], _gradient(op, scores[::2], labels[::2]), rtol=1e-14)


@pytest.mark.parametrize("op", LABELS)
def test_the_mean_over_no_rows_is_nan(op: Any) -> None:
    ignored = np.full(2, -100)
    assert np.isnan(_loss(op, np.zeros((2, 3)), ignored))
    assert np.isnan(_loss(op, np.zeros((0, 3)), np.zeros(0, np.int64)))
    assert _loss(op, np.zeros((2, 3)), ignored, reduction="sum") == 0
    assert _loss(op, np.zeros((0, 3)), np.zeros(0, np.int64), reduction="sum") == 0
    np.testing.assert_array_equal(_loss(op, np.zeros((2, 3)), ignored, reduction="none"), [0, 0])


@pytest.mark.parametrize("op", LABELS)
def test_nothing_is_ignored_when_asked_so(op: Any) -> None:
    scores, labels = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 2])
    assert _loss(op, scores, labels, ignore_index=None) == _loss(op, scores, labels)
    np.testing.assert_array_equal(_gradient(op, scores, labels, ignore_index=None), _gradient(op, scores, labels))
    graph = gc.trace(lambda x, y: op(x, y, ignore_index=None), gc.f32["N", 10], gc.i64["N"])
    assert "where" not in {node.op.name for node in decompose(graph).nodes}


def test_one_graph_for_any_batch_size() -> None:
    graph = gc.trace(lambda x, y: cross_entropy(x, y), gc.f64["N", 3], gc.i64["N"])
    for rows in (1, 4, 9):
        logits, labels = RNG.standard_normal((rows, 3)), RNG.integers(0, 3, rows)
        np.testing.assert_allclose(gc.evaluate(graph, logits, labels), _loss(cross_entropy, logits, labels), rtol=1e-14)


# -- labels that do not exist -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", LABELS)
@pytest.mark.parametrize("wrong", [3, -1, -99, 2**40])
def test_a_label_out_of_range_raises(op: Any, wrong: int) -> None:
    with pytest.raises(gc.errors.IndexRangeError, match=f"index {wrong} at .* is out of range for axis 1 of extent 3"):
        _loss(op, np.zeros((2, 3)), np.array([0, wrong]))


def test_a_large_unsigned_label_is_not_taken_for_a_negative_one() -> None:
    labels = np.array([0, 2**64 - 100], np.uint64)  # -100 in two's complement
    with pytest.raises(gc.errors.IndexRangeError):
        _loss(cross_entropy, np.zeros((2, 3)), labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_labels_of_any_integer_dtype(dtype: Any) -> None:
    logits, labels = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 2])
    assert _loss(cross_entropy, logits, labels.astype(dtype)) == _loss(cross_entropy, logits, labels)


def test_more_classes_than_the_labels_dtype_counts() -> None:
    logits, labels = RNG.standard_normal((2, 300)), np.array([1, 255], np.uint8)
    expected = (np.exp(_log_softmax(logits)) - np.eye(300)[labels]) / 2
    np.testing.assert_allclose(_gradient(cross_entropy, logits, labels), expected, rtol=1e-10)


# -- what does not fit ------------------------------------------------------------------------------------------------

X, Y = gc.f32["N", 10], gc.i64["N"]


@pytest.mark.parametrize(
    ("specs", "options", "error", "rule"),
    [
        (
            (X, gc.i64["N", 1]), {}, "ShapeError",
            "cross_entropy: logits are f32[N,10], so labels have shape (N,), but target is i64[N,1]",
        ),
        (
            (X, gc.f32["N", 9]), {}, "ShapeError",
            "cross_entropy: logits are f32[N,10], so probabilities have shape (N,10), but target is f32[N,9]",
        ),
        ((X, Y, gc.f32[9]), {}, "ShapeError", "cross_entropy: there are 10 classes, but weight has shape (9,)"),
        (
            (gc.f32(), gc.i64()), {}, "ShapeError",
            "cross_entropy: logits have shape (N, classes, ...) or (classes,), but these are f32[]",
        ),
        (
            (X, gc.bool["N"]), {}, "DTypeError",
            "cross_entropy: target is bool[N], neither integer labels nor probabilities",
        ),
        (
            (X, gc.f64["N", 10]), {}, "DTypeError",
            "cross_entropy: logits is f32, but target is f64; convert one with gc.astype",
        ),
        (
            (X, Y), {"reduction": "avg"}, "OpAttributeError",
            "cross_entropy: reduction is 'mean', 'sum' or 'none', not 'avg'",
        ),
        (
            (X, Y), {"label_smoothing": 1.5}, "OpAttributeError",
            "cross_entropy: label_smoothing is from 0 to 1, not 1.5",
        ),
        (
            (X, X), {"ignore_index": 3}, "OpAttributeError",
            "cross_entropy: ignore_index 3 is a label, but target is f32[N,10]",
        ),
    ],
)  # fmt: skip
def test_it_says_what_does_not_fit(specs: Any, options: Any, error: str, rule: str) -> None:
    with pytest.raises(getattr(gc.errors, error)) as raised:
        gc.trace(lambda *operands: cross_entropy(*operands, **options), *specs)
    assert raised.value.rule == rule


def test_nll_wants_labels() -> None:
    with pytest.raises(gc.errors.DTypeError, match=r"nll_loss: target is f32\[N,10\], not integer labels"):
        gc.trace(lambda x, y: nll_loss(x, y), X, X)
