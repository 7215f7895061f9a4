"""Cross-entropy from logits, and negative log-likelihood from log-probabilities, with torch's options.

    cross_entropy(logits, labels)             logits: f32[N,10], labels: i64[N]        ->   f32[]
    cross_entropy(logits, probabilities)      logits: f32[N,10], both of that shape    ->   f32[]
    nll_loss(log_probabilities, labels)       f32[N,10], i64[N]                        ->   f32[]

With target probabilities t (a label is a one-hot row), class weights w, and q = w·t, the loss of a row is -Σ q·log p,
and its gradient by the logits p·Σq - q, which is p - t without weights. "mean" divides by Σ w[label], or by the number
of rows where the target is probabilities. Classes lie along axis 1, or along axis 0 of a vector; losses of single rows
(reduction "none") have the other axes.
"""

from __future__ import annotations

from typing import Any

from graphc.composites.labels import Labels, along_classes, as_rows, class_axis, row_shape, rows_of, weights_along
from graphc.composites.precision import check_floats, computed_in_f32, cotangents_in_f32
from graphc.composites.softmax import log_normalizer, log_softmax, softmax
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import composite
from graphc.operands import shape_text
from graphc.ops.elementwise import cast, where
from graphc.ops.reduction import sum
from graphc.samples import exactly, integers, positive, real, sample
from graphc.types import TensorType, i64

REDUCTIONS = ("mean", "sum", "none")


def _check(what: str, scores: TensorType, target: TensorType, weight: TensorType | None, reduction: str) -> TensorType:
    """The type of the loss; errors name what does not fit."""
    name = "logits" if what == "cross_entropy" else "log_probabilities"
    check_floats(what, **{name: scores}, weight=weight)
    if scores.rank == 0:
        raise ShapeError(f"{what}: {name} have shape (N, classes, ...) or (classes,), but these are {scores}")
    wanted = row_shape(scores) if target.dtype.is_integer else scores.shape
    if target.shape != wanted:
        kind = "labels" if target.dtype.is_integer else "probabilities"
        raise ShapeError(
            f"{what}: {name} are {scores}, so {kind} have shape {shape_text(wanted)}, but target is {target}"
        )
    classes = scores.shape[class_axis(scores)]
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"{what}: there are {classes} classes, but weight has shape {shape_text(weight.shape)}")
    if reduction not in REDUCTIONS:
        raise OpAttributeError(f"{what}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    return scores.with_shape(row_shape(scores) if reduction == "none" else ())


def _reduced(rows: Any, total: Any, reduction: str) -> Any:
    if reduction == "none":
        return rows
    loss = sum(rows, axis=tuple(range(rows.ndim)))
    return loss / total if reduction == "mean" else loss


def _row_cotangent(g: Any, scores: Any, total: Any, reduction: str) -> Any:
    """The cotangent of every row's loss, beside the classes' scores."""
    if reduction == "none":
        return along_classes(g, scores)
    return g / total if reduction == "mean" else g


def _other_axes(x: Any) -> tuple[int, ...]:
    return tuple(axis for axis in range(x.ndim) if axis != class_axis(x))


# -- from log-probabilities -------------------------------------------------------------------------------------------


def _infer_nll(
    log_probabilities: TensorType, target: TensorType, weight: TensorType | None = None,
    *, reduction: str = "mean", ignore_index: int | None = -100,
) -> TensorType:  # fmt: skip
    if not target.dtype.is_integer:
        raise DTypeError(f"nll_loss: target is {target}, not integer labels")
    return _check("nll_loss", log_probabilities, target, weight, reduction)


def _nll_vjp(
    g: Any, y: Any, scores: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int | None
) -> tuple[Any, ...]:
    """-w at the label; a class weight gets -log p of its rows, and under "mean" its part in the divisor."""
    labels = Labels(scores, target, ignore_index)
    r = _row_cotangent(g, scores, labels.total(weight), reduction)
    chosen = labels.kept(where(labels.is_label(), -r, 0))
    if weight is None:
        return chosen, None
    value = scores + y if reduction == "mean" else scores
    by_weight = sum(where(labels.is_label(), chosen * value, 0), axis=_other_axes(scores))
    return chosen * weights_along(weight, scores), None, by_weight


@composite(
    infer=_infer_nll,
    vjp=cotangents_in_f32(_nll_vjp),
    samples=[
        sample(real(4, 3), integers(4, low=0, high=3)),
        sample(real(4, 3), exactly([0, 2, 1, 2], i64), positive(3), ignore_index=1),
        sample(real(2, 3, 2), integers(2, 2, low=0, high=3, dtype="u8"), positive(3), reduction="none"),
        sample(real(3), exactly(2, i64), positive(3), reduction="sum"),
        sample(real(0, 3), integers(0), reduction="sum"),
    ],
)
@computed_in_f32
def nll_loss(
    log_probabilities: Any, target: Any, weight: Any = None,
    *, reduction: str = "mean", ignore_index: int | None = -100,
) -> Any:  # fmt: skip
    """-w[label]·log p[label], summed or averaged.

        nll_loss(log_probabilities, labels)   log_probabilities: f32[N,10], labels: i64[N]   ->   f32[]

    `weight` has a number per class. Rows labelled `ignore_index` count for nothing, so that the mean over no rows is
    NaN; a label that is out of range otherwise raises IndexRangeError when the graph runs. Raises ShapeError and
    DTypeError where operands do not fit. torch.nn.functional.nll_loss.
    """
    labels = Labels(log_probabilities, target, ignore_index)
    rows = as_rows(-labels.score(), log_probabilities)
    rows = rows if weight is None else rows * labels.weight(weight)
    return _reduced(labels.kept(rows), labels.total(weight), reduction)


# -- from logits ------------------------------------------------------------------------------------------------------


def _infer_cross_entropy(
    logits: TensorType, target: TensorType, weight: TensorType | None = None,
    *, reduction: str = "mean", ignore_index: int | None = -100, label_smoothing: float = 0.0,
) -> TensorType:  # fmt: skip
    if not 0 <= label_smoothing <= 1:
        raise OpAttributeError(f"cross_entropy: label_smoothing is from 0 to 1, not {label_smoothing}")
    if target.dtype.is_float:
        check_floats("cross_entropy", logits=logits, target=target)
        if ignore_index is not None and ignore_index >= 0:
            raise OpAttributeError(f"cross_entropy: ignore_index {ignore_index} is a label, but target is {target}")
    elif not target.dtype.is_integer:
        raise DTypeError(f"cross_entropy: target is {target}, neither integer labels nor probabilities")
    return _check("cross_entropy", logits, target, weight, reduction)


def _smoothed(target: Any, label_smoothing: float) -> Any:
    """The target mixed with equal probabilities."""
    if not label_smoothing:
        return target
    return target * (1 - label_smoothing) + label_smoothing / target.shape[class_axis(target)]


def _cross_entropy_vjp(
    g: Any, y: Any, logits: Any, target: Any, weight: Any = None,
    *, reduction: str, ignore_index: int | None, label_smoothing: float,
) -> tuple[Any, ...]:  # fmt: skip
    """p·Σq - q by the logits, -w·log p by target probabilities, -t·log p by class weights; each times the row's g."""
    labels = Labels(logits, target, ignore_index) if target.dtype.is_integer else None
    t = _smoothed(target if labels is None else cast(labels.is_label(), dtype=logits.dtype), label_smoothing)
    total = rows_of(logits) if labels is None else labels.total(weight)
    r = _row_cotangent(g, logits, total, reduction)
    kept = labels.kept if labels else lambda classes: classes
    axis = (class_axis(logits),)
    p = softmax(logits, axis=axis)  # of the exponentials that the loss is computed from
    q = t if weight is None else t * weights_along(weight, logits)
    if labels is None or weight is not None:
        p = p * sum(q, axis=axis, keepdims=True)
    by_logits = kept(r * (p - q))
    if labels is not None and weight is None:
        return by_logits, None
    log_p = log_softmax(logits, axis=axis)
    by_target = None
    if labels is None:
        by_target = r * -log_p * (1 - label_smoothing)
        by_target = by_target if weight is None else by_target * weights_along(weight, logits)
    if weight is None:
        return by_logits, by_target
    by_class = t * -log_p
    if labels is not None and reduction == "mean":
        by_class = by_class - where(labels.is_label(), y, 0)  # the weight's part in the divisor
    return by_logits, by_target, sum(kept(r * by_class), axis=_other_axes(logits))


@composite(
    infer=_infer_cross_entropy,
    vjp=cotangents_in_f32(_cross_entropy_vjp),
    samples=[
        sample(real(4, 3), integers(4, low=0, high=3)),
        sample(real(4, 3), exactly([0, 2, 1, 2], i64), positive(3), ignore_index=1, label_smoothing=0.1),
        sample(real(2, 3, 2), integers(2, 2, low=0, high=3, dtype="u8"), positive(3), reduction="none"),
        sample(real(3), exactly(2, i64), positive(3), reduction="sum", label_smoothing=0.2),
        sample(real(4, 3), positive(4, 3, low=0.1, high=1.0)),
        sample(real(2, 3, 2), positive(2, 3, 2, low=0.1, high=1.0), positive(3), label_smoothing=0.2),
        sample(real(3), positive(3), reduction="none"),
        sample(real(0, 3), integers(0), reduction="sum"),
        sample(exactly([[1e4, -1e4, 0.0], [-1e4, 0.0, 1e4]]), exactly([1, 2], i64)),
    ],
)
@computed_in_f32
def cross_entropy(
    logits: Any, target: Any, weight: Any = None,
    *, reduction: str = "mean", ignore_index: int | None = -100, label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """-Σ w·t·log softmax(logits), summed or averaged; t are labels or probabilities.

        cross_entropy(logits, labels)   logits: f32[N,10], labels: i64[N]   ->   f32[]

    `weight` has a number per class. `label_smoothing` is the share of the target that is spread equally over the
    classes. Rows labelled `ignore_index` (None for no such label) count for nothing, so that the mean over no rows is
    NaN; a label that is out of range otherwise raises IndexRangeError when the graph runs. Raises ShapeError,
    DTypeError or OpAttributeError where arguments do not fit. torch.nn.functional.cross_entropy.
    """
    axis = (class_axis(logits),)
    if not target.dtype.is_integer:
        q = _smoothed(target, label_smoothing)
        q = q if weight is None else q * weights_along(weight, logits)
        rows = -sum(q * log_softmax(logits, axis=axis), axis=axis)
        return _reduced(rows, rows_of(logits), reduction)
    labels = Labels(logits, target, ignore_index)
    top, z, normalizer = log_normalizer(logits, axis)
    rows = as_rows(normalizer - (labels.score() - top), logits)
    rows = rows if weight is None else rows * labels.weight(weight)
    if label_smoothing:
        each = normalizer - z
        each = each if weight is None else each * weights_along(weight, logits)
        share = label_smoothing / logits.shape[axis[0]]
        rows = rows * (1 - label_smoothing) + sum(each, axis=axis) * share
    return _reduced(labels.kept(rows), labels.total(weight), reduction)
