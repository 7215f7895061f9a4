"""Every loss of `torch.nn.functional` that graphc has, with every reduction, its options and its edges.

Groups: inputs, outputs, cotangents, gradients. float64 throughout; float32 again for `reduction="mean"`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tests.oracles.case import Case
from tests.oracles.torch_cases.call import functional_case

FILE = "nn_losses"

Arrays = Mapping[str, np.ndarray]


def reductions(
    label: str,
    function: str,
    inputs: Arrays,
    differentiate: Sequence[str] | None = None,
    **arguments: Any,
) -> Iterator[Case]:
    """The loss with none, mean and sum in float64, and with mean in float32."""
    name = f"{function}-{label}"
    for reduction in ("none", "mean", "sum"):
        given = {**arguments, "reduction": reduction}
        yield functional_case(f"{name}-{reduction}", function, inputs, given, differentiate)
    single = {key: x.astype(np.float32) if x.dtype == np.float64 else x for key, x in inputs.items()}
    yield functional_case(f"{name}-float32", function, single, arguments, differentiate)


def distances() -> Iterator[Case]:
    rng = np.random.default_rng(10)
    x, y, weight = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.uniform(0.1, 2, (4, 3))
    y[0] = x[0]
    y[1, 0], y[1, 1], y[2, 0] = x[1, 0] + 1.0, x[1, 1] - 1.0, x[2, 0] + 1e4
    pair = {"input": x, "target": y}
    plain = [("l1_loss", {}), ("mse_loss", {}), ("smooth_l1_loss", {}), ("huber_loss", {})]
    options = [
        ("smooth_l1_loss", {"beta": 0.5}),
        ("smooth_l1_loss", {"beta": 0.0}),
        ("huber_loss", {"delta": 0.3}),
        ("huber_loss", {"delta": 2.0}),
    ]
    for function, arguments in plain + options:
        label = ",".join(f"{key}={value}" for key, value in arguments.items()) or "plain"
        yield from reductions(label, function, pair, **arguments)
    for function in ("l1_loss", "mse_loss", "huber_loss"):
        yield from reductions("weight", function, {**pair, "weight": weight}, ["input", "target"])
    empty = {"input": np.zeros((0, 3)), "target": np.zeros((0, 3))}
    for function, _ in plain:
        yield from reductions("empty", function, empty)
        yield from reductions("broadcast", function, {"input": x, "target": y[:1]})
        yield functional_case(f"{function}-reduction", function, pair, {"reduction": "average"})


def clipped_cross_entropy(input: torch.Tensor, target: torch.Tensor, reduction: str) -> torch.Tensor:
    """torch's values, with its gradient (p − t)/max(p(1 − p), 1e-12) by that formula: its kernel holds the
    bound in float32, for float64 too.
    """
    p = input.detach()
    slope = (p - target) / torch.clamp(p * (1 - p), min=1e-12)
    loss = F.binary_cross_entropy(p, target, reduction="none") + slope * (input - p)
    return loss if reduction == "none" else getattr(loss, reduction)()


def binary() -> Iterator[Case]:
    rng = np.random.default_rng(11)
    p, t = rng.uniform(0.05, 0.95, (4, 3)), rng.uniform(0, 1, (4, 3))
    weight = rng.uniform(0.1, 2, (4, 3))
    edge = {
        "input": np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1e-30, 1 - 1e-16]),
        "target": np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 1.0, 0.0]),
    }
    name = "binary_cross_entropy"
    yield from reductions("plain", name, {"input": p, "target": t})
    yield from reductions("weight", name, {"input": p, "target": t, "weight": weight}, ["input", "target"])
    yield from reductions("row", name, {"input": p, "target": t, "weight": weight[0]}, ["input", "target"])
    for reduction in ("none", "mean", "sum"):
        given = {"reduction": reduction}
        yield functional_case(f"{name}-edge-{reduction}", name, edge, given, ["input"], clipped_cross_entropy)
    single = {key: array.astype(np.float32) for key, array in edge.items()}
    yield functional_case(f"{name}-edge-float32", name, single, {}, ["input"])
    yield functional_case(f"{name}-shapes", name, {"input": p, "target": t[:2]})

    name = "binary_cross_entropy_with_logits"
    x = rng.normal(0, 3, (4, 3))
    x[0] = [0.0, 1e4, -1e4]
    x[1] = [100.0, -100.0, 800.0]
    pair = {"input": x, "target": t}
    both = ["input", "target"]
    yield from reductions("plain", name, pair)
    yield from reductions("weight", name, {**pair, "weight": weight}, both)
    yield from reductions("pos_weight", name, {**pair, "pos_weight": weight[0]}, both)
    yield from reductions("weights", name, {**pair, "weight": weight[:, :1], "pos_weight": weight[0]}, both)
    yield functional_case(f"{name}-shapes", name, {"input": p, "target": t[:2]})


def classification() -> Iterator[Case]:
    rng = np.random.default_rng(12)
    x, image = rng.normal(0, 2, (6, 4)), rng.normal(0, 2, (2, 4, 3))
    labels, pixels = np.array([0, 3, 1, 2, 3, 0]), rng.integers(0, 4, (2, 3))
    weight = np.array([0.5, 2.0, 0.0, 1.25])
    soft = rng.dirichlet(np.ones(4), 6)
    soft_image = rng.dirichlet(np.ones(4), (2, 3)).transpose(0, 2, 1).copy()
    some, none = labels.copy(), np.full(6, -100)
    some[[1, 4]] = -100
    logp = x - np.log(np.exp(x).sum(1, keepdims=True))
    only = ["input"]

    for function, scores in (("cross_entropy", x), ("nll_loss", logp)):
        pair = {"input": scores, "target": labels}
        yield from reductions("labels", function, pair)
        yield from reductions("weight", function, {**pair, "weight": weight}, only)
        yield from reductions("ignored", function, {"input": scores, "target": some})
        yield from reductions("ignored-weight", function, {"input": scores, "target": some, "weight": weight}, only)
        yield from reductions("ignore_index=3", function, pair, ignore_index=3)
        yield from reductions("all-ignored", function, {"input": scores, "target": none})
        yield from reductions(
            "zero-weight", function, {"input": scores[3:4], "target": labels[3:4], "weight": weight}, only
        )
        yield from reductions("image", function, {"input": image, "target": pixels})
        yield from reductions("image-weight", function, {"input": image, "target": pixels, "weight": weight}, only)
        yield from reductions("one", function, {"input": scores[0], "target": labels[0]})
        yield from reductions("empty", function, {"input": scores[:0], "target": labels[:0]})
        for label, target in (("too-large", 4), ("negative", -1)):
            bad = labels.copy()
            bad[2] = target
            yield functional_case(f"{function}-{label}", function, {"input": scores, "target": bad})
        yield functional_case(f"{function}-rows", function, {"input": scores, "target": labels[:4]})

    for smoothing in (0.1, 1.0):
        given: dict[str, Any] = {"label_smoothing": smoothing}
        name = "cross_entropy"
        pair = {"input": x, "target": labels}
        yield from reductions(f"smoothing={smoothing}", name, pair, **given)
        yield from reductions(f"smoothing={smoothing}-weight", name, {**pair, "weight": weight}, only, **given)
        ignored = {"input": x, "target": some, "weight": weight}
        yield from reductions(f"smoothing={smoothing}-ignored", name, ignored, only, **given)
        yield from reductions(f"smoothing={smoothing}-image", name, {"input": image, "target": pixels}, **given)
        yield from reductions(f"smoothing={smoothing}-soft", name, {"input": x, "target": soft}, **given)
    yield from reductions("soft", "cross_entropy", {"input": x, "target": soft})
    yield from reductions("soft-one", "cross_entropy", {"input": x[0], "target": soft[0]})
    yield from reductions("soft-image", "cross_entropy", {"input": image, "target": soft_image})
    both = ["input", "target"]
    yield from reductions("soft-weight", "cross_entropy", {"input": x, "target": soft, "weight": weight}, both)
    yield functional_case("cross_entropy-smoothing=1.5", "cross_entropy", pair, {"label_smoothing": 1.5})

    large = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, -np.inf, 1.0], [5.0, 5.0, 5.0]])
    target = np.array([1, 2, 0, 0])
    yield from reductions("large", "cross_entropy", {"input": large, "target": target})


def margins() -> Iterator[Case]:
    rng = np.random.default_rng(13)
    x, signs = rng.normal(0, 1.5, (5, 4)), np.where(rng.random((5, 4)) < 0.5, 1.0, -1.0)
    labels, weight = np.array([0, 3, 1, 2, 3]), np.array([0.5, 2.0, 0.0, 1.25])
    x[0] = [0.0, 1.0, -1.0, 0.25]
    pair = {"input": x, "target": labels}
    name = "multi_margin_loss"
    for p, margin in ((1, 1.0), (2, 1.0), (1, 0.25), (2, 2.0)):
        yield from reductions(f"p={p},margin={margin}", name, pair, p=p, margin=margin)
        weighted = {**pair, "weight": weight}
        yield from reductions(f"p={p},margin={margin}-weight", name, weighted, ["input"], p=p, margin=margin)
    yield from reductions("one", name, {"input": x[1], "target": labels[1]})
    only = ["input"]
    for margin in (1.0, 0.25):
        signed = {"input": x, "target": signs}
        yield from reductions(f"margin={margin}", "hinge_embedding_loss", signed, only, margin=margin)
    yield from reductions("plain", "soft_margin_loss", {"input": x * 10, "target": signs}, only)
    many = {"input": x, "target": (signs + 1) / 2}
    yield from reductions("plain", "multilabel_soft_margin_loss", many, only)
    yield from reductions("weight", "multilabel_soft_margin_loss", {**many, "weight": weight}, only)
    a, b, c = rng.normal(size=(3, 5, 4))
    ranked = {"input1": a, "input2": b, "target": signs}
    cosine = {"input1": a, "input2": b, "target": signs[:, 0]}
    for margin in (0.0, 0.5):
        yield from reductions(f"margin={margin}", "margin_ranking_loss", ranked, ["input1", "input2"], margin=margin)
        yield from reductions(f"margin={margin}", "cosine_embedding_loss", cosine, ["input1", "input2"], margin=margin)
    triple = {"anchor": a, "positive": b, "negative": c}
    for arguments in ({}, {"swap": True}, {"margin": 0.3, "p": 1.0}):
        label = ",".join(f"{key}={value}" for key, value in arguments.items()) or "plain"
        yield from reductions(label, "triplet_margin_loss", triple, **arguments)


def likelihoods() -> Iterator[Case]:
    rng = np.random.default_rng(14)
    q, p = rng.dirichlet(np.ones(5), 4), rng.dirichlet(np.ones(5), 4)
    p[0] = [0.0, 0.25, 0.75, 0.0, 0.0]
    yield from reductions("plain", "kl_div", {"input": np.log(q), "target": p}, ["input"])
    yield from reductions("target", "kl_div", {"input": np.log(q), "target": p[1:].mean(0, keepdims=True)})
    logs = {"input": np.log(q), "target": np.log(p[1:2])}
    yield from reductions("log_target", "kl_div", logs, log_target=True)
    for log_target in (False, True):
        pair = {"input": np.log(q), "target": np.log(p[[1, 2, 3, 1]]) if log_target else p[[1, 2, 3, 1]]}
        given = {"reduction": "batchmean", "log_target": log_target}
        yield functional_case(f"kl_div-batchmean-{log_target}", "kl_div", pair, given)
    counts, rates = rng.poisson(3, (4, 5)).astype(float), rng.uniform(0.1, 5, (4, 5))
    for log_input in (True, False):
        for full in (False, True):
            pair = {"input": np.log(rates) if log_input else rates, "target": counts}
            label = f"log_input={log_input},full={full}"
            yield from reductions(label, "poisson_nll_loss", pair, ["input"], log_input=log_input, full=full)
    mean, target, variance = rng.normal(size=(3, 4, 5))
    variance = np.abs(variance)
    variance[0, 0] = 1e-9
    for full in (False, True):
        triple = {"input": mean, "target": target, "var": variance}
        yield from reductions(f"full={full}", "gaussian_nll_loss", triple, full=full)
        row = {**triple, "var": variance[:, 0]}
        yield from reductions(f"full={full}-row", "gaussian_nll_loss", row, full=full)


def cases() -> Iterator[Case]:
    yield from distances()
    yield from binary()
    yield from classification()
    yield from margins()
    yield from likelihoods()
