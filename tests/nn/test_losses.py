"""Losses agree with torch: every reduction and option, weights, ignored and soft targets, edges, errors."""

from contextlib import nullcontext

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from oracles.case import Case, read
from oracles.compare import check, compare

CASES = read("nn_losses")
VALUES = [case for case in CASES if "error" not in case.facts]
ERRORS = [case for case in CASES if "error" in case.facts]


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case.name)
def test_agrees_with_torch(case: Case) -> None:
    broadcasts = "broadcast" in case.name
    with pytest.warns(UserWarning, match="seldom meant") if broadcasts else nullcontext():
        check(case, getattr(F, case.function))


def has_a_batch(case: Case) -> bool:
    shapes = [x.shape for name, x in case["inputs"].items() if "weight" not in name]
    return all(shape and shape[0] == shapes[0][0] for shape in shapes)


@pytest.mark.parametrize("case", [case for case in VALUES if has_a_batch(case)], ids=lambda case: case.name)
def test_one_graph_serves_any_batch(case: Case) -> None:
    check(case, getattr(F, case.function), batch="N")


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case.name)
def test_refuses_what_torch_refuses(case: Case) -> None:
    kind = gc.errors.IndexRangeError if case.facts["error"].startswith("IndexError") else gc.errors.GraphcError
    with pytest.raises(kind):
        check(
            Case(case.name, case.function, case.arguments, {**case.groups, "outputs": {"output": np.zeros(())}}),
            getattr(F, case.function),
        )


MODULES = [
    ("L1Loss", "l1_loss", {}),
    ("MSELoss", "mse_loss", {"reduction": "sum"}),
    ("SmoothL1Loss", "smooth_l1_loss", {"beta": 0.5}),
    ("HuberLoss", "huber_loss", {"delta": 0.5}),
    ("KLDivLoss", "kl_div", {"reduction": "batchmean", "log_target": True}),
    ("BCELoss", "binary_cross_entropy", {}),
    ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", {}),
    ("PoissonNLLLoss", "poisson_nll_loss", {"full": True}),
    ("SoftMarginLoss", "soft_margin_loss", {}),
    ("HingeEmbeddingLoss", "hinge_embedding_loss", {"margin": 0.5}),
    ("HingeLoss", "hinge_loss", {"margin": 0.5}),
    ("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", {}),
    ("CrossEntropyLoss", "cross_entropy", {"label_smoothing": 0.1}),
]


@pytest.mark.parametrize(("module", "function", "arguments"), MODULES, ids=lambda item: str(item))
def test_module_is_its_function(module: str, function: str, arguments: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 0.9, (4, 3)), rng.uniform(0.1, 0.9, (4, 3))
    layer = getattr(nn, module)(**arguments)
    expected = gc.trace(lambda x, y: getattr(F, function)(x, y, **arguments), x, y)
    compare(gc.evaluate(gc.trace(layer, x, y), x, y), gc.evaluate(expected, x, y), "loss")


@pytest.mark.parametrize("module", [nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss])
def test_class_weights_are_a_buffer(module: type[nn.Module]) -> None:
    weight = np.array([0.5, 1.0, 2.0])
    layer = module(weight=weight)
    x, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1])
    function = {"CrossEntropyLoss": F.cross_entropy, "NLLLoss": F.nll_loss, "MultiMarginLoss": F.multi_margin_loss}
    expected = gc.trace(lambda x, y: function[module.__name__](x, y, weight=weight), x, y)
    compare(gc.evaluate(gc.trace(layer, x, y), x, y), gc.evaluate(expected, x, y), "loss")
    assert list(layer.state_dict()) == ["weight"]


def test_hinge_loss_is_the_binary_margin() -> None:
    score, target = np.array([2.0, 0.5, -0.5, -2.0]), np.array([1.0, 1.0, 1.0, -1.0])
    graph = gc.trace(lambda s, t: F.hinge_loss(s, t, reduction="none"), score, target)
    assert gc.evaluate(graph, score, target).tolist() == [0.0, 0.5, 1.5, 0.0]
    gradient = gc.grad(gc.trace(lambda s, t: F.hinge_loss(s, t, reduction="sum"), score, target), wrt=["s"])
    assert gc.evaluate(gradient, score, target).tolist() == [0.0, -1.0, -1.0, 0.0]


def test_legacy_reduction_arguments_mean_what_they_meant() -> None:
    x, y = np.arange(3.0), np.ones(3)
    for legacy, reduction in (
        ({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({"size_average": True}, "mean"),
    ):  # fmt: skip
        with pytest.warns(DeprecationWarning, match=f"reduction='{reduction}'"):
            given = gc.evaluate(gc.trace(lambda x, y, legacy=legacy: F.mse_loss(x, y, **legacy), x, y), x, y)
        expected = gc.trace(lambda x, y, reduction=reduction: F.mse_loss(x, y, reduction=reduction), x, y)
        compare(given, gc.evaluate(expected, x, y), "loss")


@pytest.mark.parametrize("label", [3, -1, 2**40])
def test_a_label_out_of_range_is_named_and_leaves_state_untouched(label: int) -> None:
    graph = gc.trace(lambda x, y: F.cross_entropy(x, y), gc.f32["N", 3], gc.i64["N"])
    with pytest.raises(gc.errors.IndexRangeError, match=str(label)):
        gc.evaluate(graph, np.zeros((2, 3), np.float32), np.array([0, label]))


def test_ignored_labels_may_be_out_of_range() -> None:
    graph = gc.trace(lambda x, y: F.cross_entropy(x, y, ignore_index=255), gc.f32["N", 3], gc.i64["N"])
    x = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    kept = gc.evaluate(graph, x[:2], np.array([0, 2]))
    compare(gc.evaluate(graph, x, np.array([0, 2, 255])), kept, "loss")


def test_labels_are_integers() -> None:
    with pytest.raises(gc.errors.GraphcError, match="cross_entropy"):
        gc.trace(lambda x, y: F.cross_entropy(x, y), gc.f32["N", 3], gc.f32["N"])
