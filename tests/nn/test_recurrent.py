"""Recurrent layers agree with torch in all their forms, with named extents, on both backends; a cell is one step."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError, GraphcError, OpAttributeError, ShapeError
from graphc.nn import functional as F
from oracles.case import Case, read
from oracles.compare import compare, traced

CASES = read("nn_recurrent")
COMPUTED = [case for case in CASES if "parameters" in case]
H = gc.f32[1, "N", 4]
STRUCTURES = [case for case in CASES if case.name.startswith("repr-")]


def called(case: Case) -> Any:
    """The case's module with its parameters, as a function of the case's inputs that gives a flat tuple of results."""
    module = getattr(nn, case.function)(**case.arguments).double()
    module.load_state_dict(case["parameters"])

    class Called(nn.Module):
        def forward(self, x: Any, *states: Any) -> tuple[Any, ...]:
            first, second = module(x, states) if states else module(x)
            return (first, *second) if isinstance(second, tuple) else (first, second)

    called = Called()
    for name, parameter in module.named_parameters():  # the names that torch's gradients have
        called._parameters[name] = parameter
    return called


def specs(case: Case, names: tuple[str, str] | None) -> dict[str, Any]:
    """The inputs' types, with names for their numbers of places and of examples where `names` are given."""
    inputs = case["inputs"]
    if names is None:
        return dict(inputs)
    first = case.arguments.get("batch_first", False)
    is_layer = case.function == "LSTM"
    lead = (names[::-1] if first else names) if is_layer else names[1:]
    found: dict[str, Any] = {"input": gc.f64[(*lead[: inputs["input"].ndim - 1], inputs["input"].shape[-1])]}
    for name in list(inputs)[1:]:
        shape = inputs[name].shape
        batched = (*shape[:-2], names[1]) if len(shape) > 1 + is_layer else shape[:-1]
        found[name] = gc.f64[(*batched, shape[-1])]
    return found


def agree(case: Case, names: tuple[str, str] | None) -> None:
    module, inputs = called(case), case["inputs"]
    if names is not None and case.arguments.get("batch_first") and inputs["input"].ndim == 2:
        names = names[::-1]  # a single sequence has no batch to come before its places
    types = specs(case, names)
    graph = traced(module, types)
    for given, (name, expected) in zip(gc.evaluate(graph, *inputs.values()), case["outputs"].items(), strict=True):
        compare(given, expected, name)
    cotangents = list(case["cotangents"].values())
    fed = [output.type for output in graph.outputs]

    def weighted(*tensors: Any) -> Any:
        results = module(*tensors[: len(inputs)])
        return sum(gc.sum(y * g) for y, g in zip(results, tensors[len(inputs) :], strict=True))

    loss = traced(weighted, {**types, **{f"g{i}": type for i, type in enumerate(fed)}})
    wanted = list(case["gradients"])
    gradients = gc.evaluate(gc.grad(loss, wrt=wanted), *inputs.values(), *cotangents)
    for name, gradient in zip(wanted, gradients, strict=True):
        compare(gradient, case["gradients"][name], f"gradient of {name}")


@pytest.mark.parametrize("case", COMPUTED, ids=lambda case: case.name)
def test_agrees_with_torch(case: Case) -> None:
    agree(case, None)


@pytest.mark.parametrize("case", COMPUTED, ids=lambda case: case.name)
def test_named_extents_agree_too(case: Case) -> None:
    agree(case, ("T", "N"))


@pytest.mark.parametrize("case", STRUCTURES, ids=lambda case: case.name)
def test_prints_and_stores_what_torch_does(case: Case) -> None:
    module = getattr(nn, case.function)(**case.arguments)
    assert repr(module) == case.facts["repr"]
    state = {name: [array.dtype.name, list(array.shape)] for name, array in module.state_dict().items()}
    assert state == case.facts["state"]
    assert list(state) == list(case.facts["state"])


# -- how it is built --------------------------------------------------------------------------------------------------


def test_a_layer_is_one_scan_for_each_layer_and_direction() -> None:
    graph = gc.trace(nn.LSTM(3, 4, num_layers=2, bidirectional=True), gc.f32["T", "N", 3])
    assert [node.attributes["reverse"] for node in graph.nodes if node.op.name == "scan"] == [False, True] * 2
    assert [str(output.type) for output in graph.outputs] == ["f32[T,N,8]", "f32[4,N,4]", "f32[4,N,4]"]


def test_the_loop_holds_one_product_and_its_gradient_one() -> None:
    """What can be computed for all places at once is: x·W_ihᵀ, and the gradients of both weights."""
    layer = nn.LSTM(3, 4)
    loss = gc.trace(lambda x: gc.sum(layer(x)[0]), gc.f32["T", "N", 3])
    gradient = gc.passes.default_pipeline().run(gc.grad(loss, [state.value.name for state in loss.state])).last.graph
    scans = [node for node in gradient.nodes if node.op.name == "scan"]
    assert [scan.regions[0].count("dot_general") for scan in scans] == [1, 1]
    assert sum(node.op.name == "dot_general" for node in gradient.nodes) == 3
    assert all(carry.type.rank == 2 for scan in scans for carry in scan.results[: scan.attributes["carried"]])


def test_a_cell_is_one_step_of_a_layer() -> None:
    layer, cell = nn.LSTM(3, 4).double(), nn.LSTMCell(3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(5, 2, 3))

    def by_cells(x: Any) -> Any:
        return gc.scan(lambda carry, place: (cell(place, carry), None), (gc.zeros((2, 4), dtype=gc.f64),) * 2, x)[0]

    for given, expected in zip(
        gc.evaluate(gc.trace(by_cells, x), x),
        gc.evaluate(gc.trace(lambda x: layer(x)[1], x), x),
        strict=True,
    ):
        np.testing.assert_allclose(given, expected[0], rtol=1e-12)


def test_dropout_stands_between_layers_and_only_in_training() -> None:
    layer = nn.LSTM(3, 4, num_layers=3, dropout=0.5)
    traced = gc.trace(layer, gc.f32["T", "N", 3])
    assert traced.count("dropout") == 2
    assert all(not node.regions[0].count("dropout") for node in traced.nodes if node.regions)
    assert gc.trace(layer.eval(), gc.f32["T", "N", 3]).count("dropout") == 0
    with pytest.warns(UserWarning, match=r"dropout=0\.5 does nothing with num_layers=1"):
        nn.LSTM(3, 4, dropout=0.5)


def test_over_no_places_the_states_come_back() -> None:
    layer = nn.LSTM(3, 4)
    states = np.ones((2, 1, 2, 4), np.float32)
    graph = gc.trace(lambda x, h, c: layer(x, (h, c)), gc.f32["T", "N", 3], H, H)
    for run in (gc.compile(graph), lambda *arrays: gc.evaluate(graph, *arrays)):
        y, h, c = run(np.zeros((0, 2, 3), np.float32), states[0], 2 * states[1])
        assert y.shape == (0, 2, 4)
        np.testing.assert_array_equal(h, states[0])
        np.testing.assert_array_equal(c, 2 * states[1])


# -- on the cpu backend -----------------------------------------------------------------------------------------------


class Classifier(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 16, **options)
        self.fc = nn.Linear(16 * self.lstm.directions, 5)

    def forward(self, x: Any) -> Any:
        return self.fc(self.lstm(x)[0][-1])


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=["plain", "deep"])
def test_training_on_cpu_is_training_in_the_interpreter(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    first = Classifier(**options)
    losses = {}
    for backend in ("interpreter", "cpu"):
        model = Classifier(**options)
        model.load_state_dict(first.state_dict())
        step = gc.training_step(
            model, loss=F.cross_entropy, optimizer=optim.Adam(lr=1e-2), inputs=gc.f32["T", "N", 6],
            targets=gc.i64["N"], backend=backend,
        )  # fmt: skip
        rng = np.random.default_rng(2)
        losses[backend] = [
            float(step(rng.normal(size=(t, n, 6)).astype(np.float32), rng.integers(0, 5, n)))
            for t, n in [(7, 3), (7, 3), (4, 5), (1, 2), (9, 1)]
        ]
    np.testing.assert_allclose(losses["cpu"], losses["interpreter"], rtol=1e-5)


# -- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.LSTM(0, 4), OpAttributeError, "LSTM: input_size is a number above 0, not 0"),
        (lambda: nn.LSTM(3, 4, num_layers=0), OpAttributeError, "num_layers is a number above 0, not 0"),
        (lambda: nn.LSTM(3, 4, dropout=2.0), OpAttributeError, "a probability from 0 to 1, not 2"),
        (lambda: nn.LSTM(3, 4, proj_size=4), OpAttributeError, "below hidden_size 4, and 0 for none, not 4"),
        (lambda: nn.LSTMCell(3, -1), OpAttributeError, "LSTMCell: hidden_size is a number above 0, not -1"),
    ],
)  # fmt: skip
def test_constructors_refuse(build: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("module", "types", "error", "message"),
    [
        (nn.LSTM(3, 4), [gc.f32["T", "N", 5]], ShapeError, r"input_size is 3, but the input is f32\[T,N,5\]"),
        (nn.LSTM(3, 4), [gc.f32[3]], ShapeError, r"or \[T,features\] without a batch, not f32\[3\]"),
        (nn.LSTM(3, 4), [gc.f32["T", "N", 3], H], ArgumentError, r"hx is a pair \(h, c\), not a Tensor"),
        (nn.LSTM(3, 4), [gc.f32["T", "N", 3], (H,)], ArgumentError, r"hx is a pair \(h, c\), not a tuple of 1"),
        (nn.LSTM(3, 4), [gc.f32["T", 2, 3], (H, H)], ShapeError, r"h0 has shape \(1,2,4\), but .* f32\[1,N,4\]"),
        (nn.LSTM(3, 4), [gc.f32["T", 3], (H, H)], ShapeError, r"h0 has shape \(1,4\)"),
        (nn.LSTMCell(3, 4), [gc.f32["N", 3], (gc.f32["N", 3],) * 2], ShapeError, r"h has shape \(N,4\)"),
        (nn.LSTMCell(3, 4), [gc.f32["T", "N", 3]], ShapeError, r"or \[features\] without a batch, not f32\[T,N,3\]"),
    ],
)  # fmt: skip
def test_calls_refuse(module: Any, types: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message):
        gc.trace(module, *types)
