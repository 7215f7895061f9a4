"""Convolutions, pools, patches and BatchNorm2d and 3d agree with torch: values, gradients, indices, printed forms.

Where torch refuses a call, so does graphc.
"""

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from oracles.case import Case, read
from oracles.compare import check, compare, gradients, traced

CASES = read("nn_sliding")
FUNCTIONS = [case for case in CASES if hasattr(F, case.function) and "error" not in case.facts]
BATCHED = [case for case in FUNCTIONS if case.function != "fold" and case["inputs"]["input"].shape[0] == 2]
MAXIMA = [case for case in FUNCTIONS if "indices" in case["outputs"]]
REFUSED = [case for case in CASES if "error" in case.facts]
LAYERS = [case for case in CASES if "parameters" in case and "step0" not in case]
BATCH_NORMS = [case for case in CASES if "step0" in case]
PRINTED = [case for case in CASES if case.name.startswith("repr-")]


def named(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", FUNCTIONS, ids=named)
def test_function_agrees_with_torch(case: Case) -> None:
    check(case, getattr(F, case.function))


@pytest.mark.parametrize("case", BATCHED, ids=named)
def test_one_graph_serves_any_batch(case: Case) -> None:
    inputs = dict(case["inputs"])
    x = inputs.pop("input")

    def call(input: object) -> object:
        return getattr(F, case.function)(input, **inputs, **case.arguments)

    graph = gc.trace(call, (gc.f32 if x.dtype == np.float32 else gc.f64)[("N", *x.shape[1:])])
    compare(gc.evaluate(graph, x), case["outputs"]["output"], "output")
    assert gc.evaluate(graph, x[:1]).shape == (1, *case["outputs"]["output"].shape[1:])
    assert gc.evaluate(graph, x[:0]).shape == (0, *case["outputs"]["output"].shape[1:])


@pytest.mark.parametrize("case", MAXIMA, ids=named)
def test_indices_are_torch_s(case: Case) -> None:
    def call(input: object) -> object:
        return getattr(F, case.function)(input, return_indices=True, **case.arguments)

    x = case["inputs"]["input"]
    y, indices = gc.evaluate(gc.trace(call, x), x)
    compare(y, case["outputs"]["output"], "output")
    compare(indices, case["outputs"]["indices"], "indices")


@pytest.mark.parametrize("case", REFUSED, ids=named)
def test_what_torch_refuses_is_refused(case: Case) -> None:
    inputs = case["inputs"]
    with pytest.raises(gc.errors.GraphcError) as raised:
        gc.trace(lambda *given: getattr(F, case.function)(*given, **case.arguments), *inputs.values())
    assert raised.value.rule.startswith(case.function.rstrip("12d3"))
    assert "test_sliding.py" in str(raised.value)


@pytest.mark.parametrize("case", LAYERS, ids=named)
def test_layer_agrees_with_torch(case: Case) -> None:
    layer: nn.Module = getattr(nn, case.function)(**case.arguments).double()
    layer.load_state_dict(case["parameters"])
    inputs, expected = case["inputs"], case["gradients"]
    compare(gc.evaluate(traced(layer, inputs), *inputs.values()), case["outputs"]["output"], "output")
    for name, gradient in gradients(layer, inputs, case["cotangents"]["output"], list(expected)).items():
        compare(gradient, expected[name], f"gradient of {name}")


@pytest.mark.parametrize("case", BATCH_NORMS, ids=named)
def test_batch_norm_agrees_with_torch_over_steps(case: Case) -> None:
    layer: nn.Module = getattr(nn, case.function)(**case.arguments).double()
    layer.load_state_dict(case["parameters"], strict=False)
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
            compare(gradient, expected[f"grad.{name}"], f"gradient of {name} in step {step}")
        for name, buffer in layer.named_buffers():
            compare(buffer, expected[f"buffer.{name}"], f"{name} after step {step}")


@pytest.mark.parametrize("case", PRINTED, ids=named)
def test_prints_and_stores_what_torch_does(case: Case) -> None:
    layer: nn.Module = getattr(nn, case.function)(**case.arguments)
    state = {name: [array.dtype.name, list(array.shape)] for name, array in layer.state_dict().items()}
    assert state == case.facts["state"]
    assert list(state) == list(case.facts["state"])
    printed = case.facts["repr"]
    given = {key: value for key, value in case.arguments.items() if isinstance(value, list)}
    for value in given.values():  # torch got a list where its users write a tuple
        printed = printed.replace(str(value), str(tuple(value)))
    assert repr(layer) == printed
