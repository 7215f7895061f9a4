"""A step's state saved and loaded: training goes on bit for bit, in the middle of an accumulation too."""

import numpy as np
import pytest

import graphc as gc
from graphc import optim
from graphc.errors import CheckpointError, StateError
from train.line import Averaging, Line, data, squared_error, step_of


def make(accumulate=1):
    model = Averaging()
    return model, step_of(model, optim.Adam(lr=0.1, amsgrad=True), accumulate=accumulate)


def run(step, count, seed):
    return [step(*data(seed=seed + i)) for i in range(count)]


@pytest.mark.parametrize(("accumulate", "calls"), [(1, 3), (4, 4), (4, 6)])
def test_training_goes_on_bit_for_bit(tmp_path, accumulate, calls):
    model, step = make(accumulate)
    run(step, calls, seed=10)
    step.optimizer.param_groups[0]["lr"] = 0.02
    gc.save(tmp_path / "run.safetensors", step)
    other, resumed = make(accumulate)
    run(resumed, 1, seed=5)
    assert gc.load(tmp_path / "run.safetensors", resumed) is resumed
    assert run(step, 5, seed=20) == run(resumed, 5, seed=20)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name], err_msg=name)


def test_a_model_that_is_a_function_is_saved_by_what_it_reads(tmp_path):
    def make_function():
        line = Line()
        return line, gc.training_step(
            lambda x: line(x),
            squared_error,
            optim.SGD(line.parameters(), lr=0.1, momentum=0.9),
            gc.f64["N", 3],
            gc.f64["N"],
        )

    line, step = make_function()
    run(step, 2, seed=0)
    gc.save(tmp_path / "run.safetensors", step)
    other, resumed = make_function()
    gc.load(tmp_path / "run.safetensors", resumed)
    assert run(step, 2, seed=7) == run(resumed, 2, seed=7)
    np.testing.assert_array_equal(line.w, other.w)


def test_a_state_dict_that_does_not_fit_changes_nothing():
    step = make(accumulate=2)[1]
    run(step, 3, seed=0)
    saved = step.state_dict()
    run(step, 2, seed=9)
    before = step.state_dict()
    optimizer = saved["optimizer"]
    broken_slots = {**optimizer["state"]["line.w"], "exp_avg": np.zeros(7)}
    for broken, message in [
        ({k: v for k, v in saved.items() if k != "rng"}, "rng is missing"),
        ({**saved, "position": 2}, "made 2 calls after an update, but this step updates on every 2. call"),
        ({**saved, "model": {"line.w": np.zeros(3)}}, "missing"),
        ({**saved, "gradient_sums": {}}, "gradient sums: the step has line.b, line.w, but the state dict has nothing"),
        ({**saved, "rng": np.zeros(5, np.uint64)}, "rng: has shape"),
        (
            {**saved, "optimizer": {**optimizer, "state": {**optimizer["state"], "line.w": broken_slots}}},
            "slot exp_avg of line.w",
        ),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            step.load_state_dict(broken)
        assert isinstance(error.value, StateError | gc.errors.ShapeError)
        after = step.state_dict()
        for part in ("model", "gradient_sums"):
            for name in before[part]:
                np.testing.assert_array_equal(before[part][name], after[part][name], err_msg=message)
        assert after["position"] == before["position"]


def test_a_file_of_another_model_is_refused(tmp_path):
    gc.save(tmp_path / "run.safetensors", make()[1])
    line = Line()
    with pytest.raises(CheckpointError, match=r"run.safetensors does not belong to this Line") as error:
        gc.load(tmp_path / "run.safetensors", line)
    assert "missing: w, b" in str(error.value)
    np.testing.assert_array_equal(line.w, Line().w)
