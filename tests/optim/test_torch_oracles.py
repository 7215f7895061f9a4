"""Every optimizer and both ways of clipping against what torch 2.13 computed (tests/oracles/make_optim_oracles.py)."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from optim.two_parameters import OnlyW, TwoParameters, split, step_of
from oracles.case import read

CASES = {case.name: case for case in read("optim")}
OPTIMIZERS = [name for name, case in CASES.items() if "parameters" in case]
CLIPPING = [name for name, case in CASES.items() if case.function.startswith("clip")]
# Both sides round the same formula; the order of the roundings within torch's kernels is not ours.
TOLERANCE = {"f64": {"rtol": 1e-12, "atol": 1e-12}, "f32": {"rtol": 1e-6, "atol": 1e-6}}


def arguments_of(case):
    given = dict(case.arguments)
    return given | ({"betas": tuple(given["betas"])} if "betas" in given else {})


def test_there_is_a_case_for_every_optimizer():
    classes = {name for name in optim.__all__ if name not in ("Optimizer", "ParamGroup")}
    assert {CASES[name].function for name in OPTIMIZERS} == classes


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twelve_steps_are_torchs(name, dtype):
    case = CASES[name]
    numpy_dtype = getattr(gc, dtype).numpy
    model = TwoParameters(case["inputs"]["start"].astype(numpy_dtype))
    params = None
    if name == "groups":
        params = [{"params": [model.w]}, {"params": [model.b], "lr": 0.5, "betas": (0.5, 0.9)}]
    optimizer = getattr(optim, case.function)(params, **arguments_of(case))
    step = step_of(model, optimizer, getattr(gc, dtype))
    without_b = step_of(OnlyW(model), optimizer, getattr(gc, dtype)) if case.facts["without_b"] else None
    graph = step.graph
    rows = []
    for index, gradient in enumerate(case["inputs"]["gradients"].astype(numpy_dtype)):
        for group in optimizer.param_groups:
            group.update(case.facts["changes"].get(str(index), {}))
        (without_b if index in case.facts["without_b"] else step)(*split(gradient))
        rows.append(model.row)
    np.testing.assert_allclose(np.stack(rows), case["parameters"][dtype], **TOLERANCE[dtype])
    if without_b is None:
        assert step.graph is graph, "a changed number must not compile the step again"


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", CLIPPING)
def test_clipping_is_torchs(name, dtype):
    case = CASES[name]
    option = "clip_norm" if case.function == "clip_grad_norm_" else "clip_value"
    numpy_dtype = getattr(gc, dtype).numpy
    for gradient, expected in zip(case["inputs"]["gradients"].astype(numpy_dtype), case["outputs"][dtype], strict=True):
        model = TwoParameters(np.zeros(8, numpy_dtype))
        step = step_of(model, optim.SGD(lr=1.0), getattr(gc, dtype), **{option: case.arguments["limit"]})
        with np.errstate(invalid="ignore"):
            step(*split(gradient))
        np.testing.assert_allclose(model.row, -expected, **TOLERANCE[dtype])


def batches(case, count):
    x, y = case["inputs"]["x"], case["inputs"]["y"]
    for index in range(count):
        rows = np.arange(12 * index, 12 * index + 12) % len(x)
        yield x[rows], y[rows]


def check_end(model, case):
    for name, value in case["end"].items():
        np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-10, atol=1e-10, err_msg=name)


def test_a_model_with_batch_norm_trains_as_in_torch():
    case = CASES["train-batch_norm"]
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()
    model.load_state_dict(case["start"])
    step = gc.training_step(model, nn.functional.cross_entropy, optim.Adam(lr=0.02), gc.f64["N", 6], gc.i64["N"])
    losses = [step(x, y) for x, y in batches(case, 10)]
    np.testing.assert_allclose(losses, case["outputs"]["losses"], rtol=1e-10)
    end = dict(case["end"])
    # The bias before BatchNorm has no gradient but rounding, which Adam's division makes large.
    np.testing.assert_array_equal(model.state_dict()["1.num_batches_tracked"], end["1.num_batches_tracked"])
    for name, value in end.items():
        if name not in ("0.bias", "1.running_mean"):
            np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-9, atol=1e-10, err_msg=name)


def test_accumulation_with_clipping_trains_as_in_torch():
    case = CASES["train-accumulate"]
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    model.load_state_dict(case["start"])
    step = gc.training_step(
        model, nn.functional.cross_entropy, optim.SGD(**case.arguments), gc.f64["N", 6], gc.i64["N"],
        accumulate=case.facts["accumulate"], clip_norm=case.facts["clip_norm"],
    )  # fmt: skip
    losses = [step(x, y) for x, y in batches(case, 12)]
    np.testing.assert_allclose(losses, case["outputs"]["losses"], rtol=1e-10)
    check_end(model, case)
