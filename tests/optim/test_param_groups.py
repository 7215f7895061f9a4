"""Hyperparameters: torch's signatures and errors, groups, and changes between steps."""

import inspect

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError, OpAttributeError, StateError
from optim.two_parameters import TwoParameters, split, step_of

# torch 2.13, less what says how torch runs it (foreach, fused, capturable, differentiable).
SIGNATURES = {
    "SGD": "lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False",
    "Adagrad": "lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, *, maximize=False",
    "RMSprop": "lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0, momentum=0, centered=False, *, maximize=False",
    "Adadelta": "lr=1.0, rho=0.9, eps=1e-06, weight_decay=0, *, maximize=False",
    "Adam": "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, amsgrad=False, *, maximize=False, "
    "decoupled_weight_decay=False",
    "AdamW": "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False, *, maximize=False",
    "Adamax": "lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, *, maximize=False",
    "NAdam": "lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, momentum_decay=0.004, "
    "decoupled_weight_decay=False, *, maximize=False",
    "RAdam": "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, decoupled_weight_decay=False, *, maximize=False",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_and_defaults_are_torchs(name):
    signature = inspect.signature(getattr(optim, name), eval_str=False)
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    text = str(inspect.Signature(parameters))
    assert text == f"(params=None, {SIGNATURES[name]})"
    group = getattr(optim, name)().param_groups[0]
    assert {p.name: p.default for p in parameters[1:]}.items() <= dict(group).items()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(lr=-0.1), "SGD: invalid learning rate: -0.1; it is at least 0"),
        (lambda: optim.SGD(lr=float("nan")), "SGD: invalid learning rate: nan; it is at least 0"),
        (lambda: optim.SGD(momentum=-1), "SGD: invalid momentum value: -1; it is at least 0"),
        (lambda: optim.SGD(nesterov=True), "Nesterov momentum requires a momentum and zero dampening"),
        (
            lambda: optim.SGD(momentum=0.9, dampening=0.1, nesterov=True),
            "Nesterov momentum requires a momentum and zero dampening",
        ),
        (lambda: optim.Adam(eps=-1e-8), "Adam: invalid epsilon value: -1e-08; it is at least 0"),
        (lambda: optim.Adam(betas=(1.0, 0.9)), "invalid beta parameter at index 0: 1.0"),
        (lambda: optim.AdamW(betas=(0.9, -0.1)), "AdamW: invalid beta parameter at index 1: -0.1"),
        (lambda: optim.NAdam(momentum_decay=-1), "NAdam: invalid momentum_decay value: -1"),
        (lambda: optim.Adadelta(rho=1.1), "Adadelta: invalid rho value: 1.1; it is in [0, 1]"),
        (lambda: optim.RMSprop(alpha=-1), "RMSprop: invalid alpha value: -1"),
        (lambda: optim.Adagrad(initial_accumulator_value=-1), "Adagrad: invalid initial_accumulator_value value"),
        (lambda: optim.SGD([]), "SGD: got an empty parameter list"),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(OpAttributeError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(0.1), "the first argument is the parameters"),
        (lambda: optim.SGD(lr="0.1"), "SGD: lr is a number, not '0.1'"),
        (lambda: optim.Adam(betas=0.9), "Adam: betas is a pair of numbers, not 0.9"),
        (lambda: optim.Adam([np.ones(3)]), "Adam: optimizes parameters, but one of params is array"),
        (lambda: optim.Adam(nn.Parameter(np.ones(3))), "the first argument is the parameters"),
        (lambda: optim.Adam([{"lr": 0.1}]), 'a group is a dict with key "params"'),
        (
            lambda: optim.Adam([{"params": [nn.Parameter(np.ones(3))], "learning_rate": 0.1}]),
            "Adam has no hyperparameter 'learning_rate'; it has lr, betas, eps",
        ),
        (lambda: optim.Adam([{"params": {nn.Parameter(np.ones(3))}}]), "an ordered collection, not a set"),
    ],
)
def test_arguments_of_the_wrong_kind(make, message):
    with pytest.raises(ArgumentError) as error:
        make()
    assert message in str(error.value)


def test_a_parameter_is_in_one_group_only():
    p = nn.Parameter(np.ones(3))
    with pytest.raises(OpAttributeError, match="given twice"):
        optim.SGD([{"params": [p]}, {"params": [p]}])
    with pytest.raises(OpAttributeError, match="fc is given twice"):
        optim.SGD([("fc", p), ("fc", p)])


def test_a_group_reads_and_writes_like_a_dict():
    p = nn.Parameter(np.ones(3))
    optimizer = optim.Adam([{"params": p, "lr": 0.1, "name": "head"}])
    group = optimizer.param_groups[0]
    assert group["params"] == [p]
    assert (group["lr"], group["betas"], group["amsgrad"], group["name"]) == (0.1, (0.9, 0.999), False, "head")
    group["betas"] = [0.5, np.float32(0.25)]
    group["lr"] *= 0.5
    group.setdefault("initial_lr", 7.0)
    assert (group["lr"], group["betas"], group["initial_lr"]) == (0.05, (0.5, 0.25), 7.0)
    assert "lr" in group
    assert "momentum" not in group
    for key, value, error in [
        ("learning_rate", 0.1, ArgumentError), ("lr", "fast", ArgumentError), ("params", [], StateError),
    ]:  # fmt: skip
        with pytest.raises(error):
            group[key] = value
    with pytest.raises(StateError):
        del group["lr"]
    with pytest.raises(StateError, match="acts when the optimizer is made"):
        optim.Adagrad().param_groups[0]["initial_accumulator_value"] = 1.0


def run(optimizer, changes, steps=4, seed=0):
    """Rows of the parameters after each step, `changes` made before the steps they are given for."""
    random = np.random.default_rng(seed)
    model = TwoParameters(random.normal(size=8))
    step = step_of(model, optimizer)
    rows = []
    for index in range(steps):
        for group in optimizer.param_groups:
            group.update(changes.get(index, {}))
        step(*split(random.normal(size=8)))
        rows.append(model.row)
    return np.stack(rows)


def test_weight_decay_can_be_switched_on_and_off():
    plain, decayed = run(optim.SGD(lr=0.1), {}), run(optim.SGD(lr=0.1, weight_decay=0.5), {})
    switched = run(optim.SGD(lr=0.1), {0: {"weight_decay": 0.5}, 4: {"weight_decay": 0.0}})
    np.testing.assert_array_equal(switched, decayed)
    assert not np.array_equal(plain, decayed)
    off = run(optim.SGD(lr=0.1, weight_decay=0.5), {0: {"weight_decay": 0.0}})
    np.testing.assert_array_equal(off, plain)


def test_momentum_that_starts_late_starts_with_the_gradient_undamped():
    """torch makes the buffer, a copy of the gradient, at the first step that has momentum."""
    rows = run(optim.SGD(lr=0.1, dampening=0.5), {2: {"momentum": 0.9}})
    random = np.random.default_rng(0)
    p, buffer = random.normal(size=8), None
    for index in range(4):
        g = random.normal(size=8)
        if index >= 2:
            buffer = g if buffer is None else 0.9 * buffer + 0.5 * g
        p = p - 0.1 * (g if buffer is None else buffer)
        np.testing.assert_allclose(rows[index], p, rtol=1e-14)


def test_a_flag_takes_effect_at_the_next_step():
    up = run(optim.SGD(lr=0.1), {0: {"maximize": True}})
    np.testing.assert_array_equal(up, run(optim.SGD(lr=0.1, maximize=True), {}))


@pytest.mark.parametrize("decoupled", ["SGD", "Adam"])
def test_l2_and_decoupled_decay_agree_for_sgd_and_differ_for_adam(decoupled):
    """SGD: p − lr·(g + λp) = (1 − lr·λ)·p − lr·g. Adam divides the L2 term by the gradients' size, AdamW does not."""

    class DecoupledSGD(optim.SGD):
        def update(self, p, g, s, h):
            return p * (1 - h.lr * h.decay) - h.lr * g, {}

        def __init__(self, lr, decay):
            optim.Optimizer.__init__(self, None, {"lr": lr, "decay": decay, "maximize": False, "momentum": 0.0})

        def check(self, values):
            pass

        def scalars(self, h):
            return {}

    if decoupled == "SGD":
        coupled = run(optim.SGD(lr=0.1, weight_decay=0.3), {})
        np.testing.assert_allclose(run(DecoupledSGD(0.1, 0.3), {}), coupled, rtol=1e-13)
    else:
        coupled = run(optim.Adam(lr=0.1, weight_decay=0.3), {})
        other = run(optim.AdamW(lr=0.1, weight_decay=0.3), {})
        assert np.abs(coupled - other).max() > 1e-2
        same = run(optim.Adam(lr=0.1, weight_decay=0.3, decoupled_weight_decay=True), {})
        np.testing.assert_array_equal(same, other)


def test_users_write_their_own():
    class Momentum(optim.Optimizer):
        """v ← μ·v + g,  p ← p − lr·v"""

        def __init__(self, params=None, lr=1e-3, momentum=0.9):
            super().__init__(params, {"lr": lr, "momentum": momentum, "maximize": False})

        def slots(self, group):
            return {"velocity": 0.0}

        def update(self, p, g, s, h):
            velocity = h.momentum * s.velocity + g
            return p - h.lr * velocity, {"velocity": velocity}

    np.testing.assert_array_equal(run(Momentum(lr=0.1), {}), run(optim.SGD(lr=0.1, momentum=0.9), {}))


def test_an_update_must_give_the_slots_it_declares():
    class Forgetful(optim.SGD):
        def slots(self, group):
            return {"velocity": 0.0}

    with pytest.raises(StateError, match=r"gives slots \[\], but \['velocity'\] are declared"):
        step_of(TwoParameters(np.zeros(8)), Forgetful(lr=0.1))


def test_new_values_are_named_after_what_they_become():
    text = str(step_of(TwoParameters(np.zeros(8)), optim.Adam(lr=0.1)).stages["optimizer"].graph)
    assert "hyperparameter %lr: f64[]" in text
    assert "slot %w.exp_avg: f64[3,2]" in text
    assert "update %w = %w_next" in text
    assert "update %w.exp_avg = %w.exp_avg_next" in text
    assert "update %step = %step_next" in text
    assert text.count("slot %step") == 1, "parameters that are updated together share their count"
    assert gc.parse(text) is not None
