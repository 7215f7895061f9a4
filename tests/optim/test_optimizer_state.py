"""Slots: where they are, saved and loaded by name or by torch's numbers, shared by steps."""

import numpy as np
import pytest

from graphc import optim
from graphc.errors import StateError
from optim.two_parameters import OnlyW, TwoParameters, split, step_of

MAKERS = {
    "SGD": lambda: optim.SGD(lr=0.1, momentum=0.9, dampening=0.1),
    "Adagrad": lambda: optim.Adagrad(lr_decay=0.1, initial_accumulator_value=0.5),
    "RMSprop": lambda: optim.RMSprop(momentum=0.5, centered=True),
    "Adadelta": lambda: optim.Adadelta(),
    "Adam": lambda: optim.Adam(amsgrad=True),
    "NAdam": lambda: optim.NAdam(),
}


def gradients(count, seed=1):
    return np.random.default_rng(seed).normal(size=(count, 8))


def advance(step, rows):
    for row in rows:
        step(*split(row))


@pytest.mark.parametrize("name", MAKERS)
def test_training_goes_on_bit_for_bit(name):
    start = np.random.default_rng(0).normal(size=8)
    model, optimizer = TwoParameters(start), MAKERS[name]()
    step = step_of(model, optimizer)
    advance(step, gradients(3))
    optimizer.param_groups[0]["lr"] = 0.03
    weights, saved = model.state_dict(), optimizer.state_dict()

    other, resumed = TwoParameters(np.zeros(8)), MAKERS[name]()
    other.load_state_dict(weights)
    resumed.load_state_dict(saved)  # before there is a step: the slots wait for their parameters
    assert resumed.param_groups[0]["lr"] == 0.03
    assert set(resumed.state_dict()["state"]) == set(saved["state"])
    other_step = step_of(other, resumed)

    third = MAKERS[name]()
    last = TwoParameters(np.ones(8))
    last_step = step_of(last, third)
    advance(last_step, gradients(2, seed=9))  # has slots already, which are overwritten
    last.load_state_dict(weights)
    third.load_state_dict(saved)

    for each in (step, other_step, last_step):
        advance(each, gradients(3, seed=2))
    np.testing.assert_array_equal(model.row, other.row)
    np.testing.assert_array_equal(model.row, last.row)
    for slot, array in optimizer.state_dict()["state"]["w"].items():
        np.testing.assert_array_equal(array, third.state_dict()["state"]["w"][slot])


def test_the_state_dict_names_parameters_slots_and_counts():
    model, optimizer = TwoParameters(np.zeros(8)), optim.Adam(lr=0.1)
    step = step_of(model, optimizer)
    advance(step, gradients(5))
    state = optimizer.state_dict()
    assert set(state["state"]) == {"w", "b"}
    assert set(state["state"]["w"]) == {"step", "exp_avg", "exp_avg_sq"}
    assert state["state"]["b"]["step"] == 5
    assert state["state"]["w"]["exp_avg"].shape == (3, 2)
    (group,) = state["param_groups"]
    assert (group["lr"], group["betas"], group["params"]) == (0.1, (0.9, 0.999), ["w", "b"])


def test_torchs_numbered_state_loads():
    exp_avg = np.arange(6.0).reshape(3, 2)
    slots = {"step": np.float32(7.0), "exp_avg": exp_avg, "exp_avg_sq": np.ones((3, 2))}
    model = TwoParameters(np.zeros(8))
    optimizer = optim.Adam(model.parameters())
    step_of(model, optimizer)
    optimizer.load_state_dict({"state": {0: slots}, "param_groups": [{"lr": 0.5, "foreach": None, "params": [0, 1]}]})
    state = optimizer.state_dict()["state"]
    np.testing.assert_array_equal(state["w"]["exp_avg"], exp_avg)
    assert (state["w"]["step"], state["b"]["step"]) == (7, 0)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_state_dict_that_does_not_fit_changes_nothing():
    model = TwoParameters(np.zeros(8))
    optimizer = optim.Adam(lr=0.1)
    step = step_of(model, optimizer)
    advance(step, gradients(2))
    before = optimizer.state_dict()

    def changed(**state):
        return {"state": state or before["state"], "param_groups": before["param_groups"]}

    wrong_shape = {**before["state"]["w"], "exp_avg": np.zeros(5)}
    group = before["param_groups"][0]
    for broken, message in [
        (changed(w=wrong_shape), r"slot exp_avg of w is f64\[3,2\], but the loaded value is float64 of shape \(5,\)"),
        (changed(other=before["state"]["w"]), "slots of 'other', but no group has it"),
        ({**before, "param_groups": [group, group]}, "2 groups, but the optimizer 1"),
        ({**before, "param_groups": [{**group, "params": ["w"]}]}, "has 1 parameters, but the optimizer's has 2"),
        ({**before, "param_groups": [{**group, "params": ["w", "v"]}]}, "has 'v', which the optimizer has not"),
        ({**before, "param_groups": [{**group, "lr": -1.0}]}, "invalid learning rate"),
    ]:
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(broken)
        after = optimizer.state_dict()
        assert after["param_groups"] == before["param_groups"]
        for slot, array in before["state"]["w"].items():
            np.testing.assert_array_equal(after["state"]["w"][slot], array)


def test_slots_of_a_parameter_that_the_model_lacks_are_an_error():
    optimizer = optim.Adam()
    optimizer.load_state_dict(
        {"state": {"v": {"exp_avg": np.zeros(3)}}, "param_groups": [{"params": ["v"]}]},
    )
    with pytest.raises(StateError, match="loaded slots are of v, which the model does not have"):
        step_of(TwoParameters(np.zeros(8)), optimizer)


def test_two_steps_share_slots_and_count_each_parameters_updates():
    """In torch a parameter without gradient is skipped: its slots and its count stay."""
    model, optimizer = TwoParameters(np.zeros(8)), optim.Adam(lr=0.1)
    both = step_of(model, optimizer)
    only_w = step_of(OnlyW(model), optimizer)
    for step in (both, only_w, both, only_w, only_w):
        step(*split(np.ones(8)))
    state = optimizer.state_dict()["state"]
    assert (state["w"]["step"], state["b"]["step"]) == (5, 2)


def test_slots_follow_the_models_dtype():
    model, optimizer = TwoParameters(np.zeros(8)), optim.Adam(lr=0.1)
    advance(step_of(model, optimizer), gradients(1))
    model.float()
    import graphc as gc

    step = step_of(model, optimizer, gc.f32)
    step(*split(np.ones(8, np.float32)))
    assert optimizer.state_dict()["state"]["w"]["exp_avg"].dtype == np.float32
    assert optimizer.state_dict()["state"]["w"]["step"] == 2
