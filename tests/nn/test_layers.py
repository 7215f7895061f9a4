"""Layers with parameters and state agree with torch: outputs, gradients, running statistics, printed form, keys."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from oracles.case import Case, read
from oracles.compare import compare, gradients, traced

CASES = read("nn_layers")
LAYERS = [case for case in CASES if "parameters" in case and case.function != "BatchNorm1d"]
BATCH_NORMS = [case for case in CASES if "step0" in case]
FUNCTIONAL = [case for case in CASES if case.function == "batch_norm"]
PRINTED = [case for case in CASES if case.name.startswith("repr-")]
TREES = [case for case in CASES if case.name.startswith("tree-")]


def layer_of(case: Case) -> nn.Module:
    """The case's layer with its parameters, in their dtype."""
    layer: nn.Module = getattr(nn, case.function)(**case.arguments)
    parameters = case["parameters"]
    if case.name.endswith("float64"):
        layer.double()
    layer.load_state_dict(parameters, strict=False)
    return layer


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_layer_agrees_with_torch(case: Case) -> None:
    layer, inputs = layer_of(case), case["inputs"]
    compare(gc.evaluate(traced(layer, inputs), *inputs.values()), case["outputs"]["output"], "output")
    if "gradients" in case:
        expected = case["gradients"]
        given = gradients(layer, inputs, case["cotangents"]["output"], list(expected))
        for name, gradient in given.items():
            compare(gradient, expected[name], f"gradient of {name}")


@pytest.mark.parametrize("case", BATCH_NORMS, ids=lambda case: case.name)
def test_batch_norm_agrees_with_torch_over_steps(case: Case) -> None:
    layer = layer_of(case)
    for step in range(4):
        layer.train(step < 3)
        expected = case[f"step{step}"]
        inputs = {"input": expected["input"]}
        names = [name.removeprefix("grad.") for name in expected if name.startswith("grad.")]
        before = layer.state_dict()
        given = gradients(layer, inputs, expected["cotangent"], names)
        layer.load_state_dict(before)  # the graph of the gradient has updated the running statistics, too
        compare(gc.evaluate(traced(layer, inputs), inputs["input"]), expected["output"], f"output {step}")
        for name, gradient in given.items():
            compare_gradient(gradient, expected[f"grad.{name}"], f"gradient of {name} in step {step}")
        for name, buffer in layer.named_buffers():
            compare(buffer, expected[f"buffer.{name}"], f"{name} after step {step}")


def compare_gradient(given: np.ndarray, expected: np.ndarray, what: str) -> None:
    """As `compare`; a gradient of x is a difference of near-equal sums, so relative to the largest element."""
    scale = np.abs(expected).max(initial=1.0)
    compare(given / scale, expected / scale, what)


@pytest.mark.parametrize("case", FUNCTIONAL, ids=lambda case: case.name)
def test_training_needs_more_than_one_value_a_channel(case: Case) -> None:
    x = case["inputs"]["input"]

    def batch_norm(x: object) -> object:
        return F.batch_norm(x, **case.arguments)

    if "error" in case.facts or x.size == 0:
        with pytest.raises(gc.errors.ShapeError, match=r"more than 1 value per channel, but got"):
            gc.trace(batch_norm, x)
    else:
        compare(gc.evaluate(gc.trace(batch_norm, x), x), case["outputs"]["output"], "output")


@pytest.mark.parametrize("count", [0, 1])
def test_one_value_a_channel_is_found_when_a_named_batch_is_bound(count: int) -> None:
    layer = nn.BatchNorm1d(3)
    graph = gc.trace(layer, gc.f32["N", 3])
    before = layer.state_dict()
    with pytest.raises(gc.errors.ShapeError, match=r"more than 1 value per channel, but got"):
        gc.evaluate(graph, np.ones((count, 3), np.float32))
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_batch_norm_in_eval_takes_any_batch() -> None:
    predict = gc.trace(nn.BatchNorm1d(3).eval(), gc.f32["N", 3])
    for count in (0, 1, 2):
        x = np.ones((count, 3), np.float32)
        compare(gc.evaluate(predict, x), x / np.sqrt(np.float32(1 + 1e-5)), "output")


@pytest.mark.parametrize("shape", [("N",), ("N", 3, 4, 5)])
def test_batch_norm_takes_two_or_three_axes(shape: tuple[object, ...]) -> None:
    with pytest.raises(gc.errors.ShapeError, match="2 or 3 axes"):
        gc.trace(nn.BatchNorm1d(3), gc.f32[shape])


def test_functional_batch_norm_updates_buffers_and_refuses_what_it_cannot_update() -> None:
    mean, var = nn.Buffer(np.zeros(3, np.float32)), nn.Buffer(np.ones(3, np.float32))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    gc.evaluate(gc.trace(lambda x: F.batch_norm(x, mean, var, training=True, momentum=0.5), x), x)
    np.testing.assert_allclose(mean, [0.75, 1.25, 1.75])
    np.testing.assert_allclose(var, [2.75, 2.75, 2.75])
    with pytest.raises(gc.errors.TraceError, match=r"nn.Buffer"):
        gc.trace(lambda x, m, v: F.batch_norm(x, m, v, training=True), x, x[0], x[0])


@pytest.mark.parametrize("case", PRINTED, ids=lambda case: case.name)
def test_prints_and_stores_what_torch_does(case: Case) -> None:
    assert_structure(getattr(nn, case.function)(**case.arguments), case)


TREES_HERE = {
    "Sequential": lambda: nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.BatchNorm1d(3), nn.ReLU()), nn.Sequential()),
    "ModuleList": lambda: nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU()]),
    "ModuleDict": lambda: nn.ModuleDict({"first": nn.Linear(4, 3), "act": nn.ReLU()}),
}


@pytest.mark.parametrize("case", TREES, ids=lambda case: case.name)
def test_trees_print_and_store_what_torch_does(case: Case) -> None:
    assert_structure(TREES_HERE[case.function](), case)


def assert_structure(module: nn.Module, case: Case) -> None:
    assert repr(module) == case.facts["repr"]
    state = {name: [array.dtype.name, list(array.shape)] for name, array in module.state_dict().items()}
    assert state == case.facts["state"]
    assert list(state) == list(case.facts["state"])


def test_dropout_is_the_identity_in_eval_and_at_p_0() -> None:
    x = np.arange(6, dtype=np.float32)
    for layer in (nn.Dropout(0.9).eval(), nn.Dropout(0.0), nn.AlphaDropout(0.9).eval(), nn.AlphaDropout(0.0)):
        compare(gc.evaluate(gc.trace(layer, x), x), x, "output")


def test_dropout_scales_in_training_or_in_eval() -> None:
    x = np.ones((100, 100), np.float32)
    dropped = gc.evaluate(gc.trace(nn.Dropout(0.25), x), x)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.02
    classic = nn.Dropout(0.25, scale="eval")
    assert set(np.unique(gc.evaluate(gc.trace(classic, x), x))) == {np.float32(0), np.float32(1)}
    compare(gc.evaluate(gc.trace(classic.eval(), x), x), x * np.float32(0.75), "output")


def test_dropout_at_p_1_drops_all_with_gradient_zero() -> None:
    x = np.ones((3, 4))
    graph = gc.trace(lambda x: gc.sum(nn.Dropout(1.0)(x)), x)
    assert gc.evaluate(graph, x) == 0
    assert not gc.evaluate(gc.grad(graph), x).any()


def test_monte_carlo_dropout_draws_anew_at_each_call_in_eval() -> None:
    predict = gc.compile(nn.Dropout(0.5, monte_carlo=True).eval(), inputs=gc.f32["N", 8])
    x = np.ones((16, 8), np.float32)
    assert (predict(x) != predict(x)).any()


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(0).normal(size=(400, 400))
    y = gc.evaluate(gc.trace(nn.AlphaDropout(0.3), x), x)
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.02
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / y.size - 0.3) < 0.02
    assert (
        abs(
            values[counts.argmax()]
            - (1.7580993408473766 * (0.3 - 1) / np.sqrt((1.7580993408473766**2 * 0.3 + 1) * 0.7))
        )
        < 1e-6
    )


@pytest.mark.parametrize("make", [lambda: nn.Dropout(1.5), lambda: nn.Dropout(0.5, scale="never")])
def test_dropout_refuses_what_makes_no_sense(make: object) -> None:
    with pytest.raises(gc.errors.OpAttributeError, match="Dropout"):
        make()


@pytest.mark.parametrize("index", [6, -1])
def test_embedding_refuses_indices_outside_its_table(index: int) -> None:
    graph = gc.trace(nn.Embedding(6, 3), gc.i64["N"])
    with pytest.raises(gc.errors.IndexRangeError, match=str(index)):
        gc.evaluate(graph, np.array([0, index]))


def test_embedding_from_pretrained_is_frozen_unless_told() -> None:
    table = np.arange(6.0).reshape(3, 2)
    assert not nn.Embedding.from_pretrained(table).weight.requires_grad
    layer = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=-1)
    assert layer.weight.requires_grad
    assert layer.padding_idx == 2
    np.testing.assert_array_equal(layer.weight, table)


@pytest.mark.parametrize(
    ("layer", "spec", "words"),
    [
        (nn.Linear(784, 512), gc.f32["N", 100], ("100", "784")),
        (nn.BatchNorm1d(64), gc.f32["N", 32], ("32", "64")),
        (nn.LayerNorm((3, 4)), gc.f32["N", 4, 3], ("3", "4")),
        (nn.Linear(784, 512), gc.f64["N", 784], ("f64", "f32")),
    ],
    ids=["linear", "batch_norm", "layer_norm", "dtype"],
)
def test_errors_name_both_sides_the_line_and_the_module(layer: nn.Module, spec: object, words: tuple[str, ...]) -> None:
    model = nn.Sequential(layer)
    with pytest.raises(gc.errors.GraphcError) as caught:
        gc.trace(model, spec)
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "test_layers.py" in text, text
    assert "Sequential.0" in text, text


def test_a_step_on_one_row_changes_no_state() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    step = gc.training_step(
        model, loss=F.cross_entropy, optimizer=gc.optim.Adam(), inputs=gc.f32["N", 4], targets=gc.i64["N"]
    )
    x, y = np.ones((3, 4), np.float32), np.array([0, 1, 2])
    step(x, y)
    before = model.state_dict()
    for wrong, error in (((x[:1], y[:1]), "more than 1 value"), ((x[:0], y[:0]), "empty batch"), ((x, y + 1), "3")):
        with pytest.raises((gc.errors.ShapeError, gc.errors.IndexRangeError), match=error):
            step(*wrong)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
