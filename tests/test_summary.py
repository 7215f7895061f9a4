"""`gc.summary`: every layer once, its outputs and parameters; the model stays as it was."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.errors import ArgumentError, ShapeError


def model():
    return nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))


def test_the_table():
    assert str(gc.summary(model(), gc.f32["N", 64])) == (
        "layer  module       output     parameters\n"
        "0      Linear       f32[N,64]       4,160\n"
        "1      BatchNorm1d  f32[N,64]         128\n"
        "2      ReLU         f32[N,64]           0\n"
        "3      Linear       f32[N,10]         650\n"
        "total                               4,938"
    )


def test_without_inputs_there_are_no_outputs():
    summary = gc.summary(model())
    assert [layer.outputs for layer in summary.layers] == [None] * 4
    assert summary.parameters == 4938
    assert "f32" not in str(summary)


def test_frozen_parameters_are_counted_apart():
    net = model()
    net[0].requires_grad_(False)
    summary = gc.summary(net, gc.f32["N", 64])
    assert (summary.parameters, summary.trainable) == (4938, 778)
    assert str(summary).splitlines()[-1].split() == ["trainable", "778"]


def test_shared_parameters_are_counted_once():
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    b.weight = a.weight
    twice = gc.summary(nn.Sequential(a, b, a), gc.f32[2, 3])
    assert [(layer.name, layer.parameters) for layer in twice.layers] == [("0", 12), ("1", 3)]
    assert twice.parameters == sum(p.size for p in nn.Sequential(a, b, a).parameters())


class Two(nn.Module):
    """A module with a parameter of its own, a child that is not called, and two results."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.fc = nn.Linear(3, 2)
        self.idle = nn.Linear(3, 5)

    def forward(self, x, y):
        return self.fc(x * self.scale), y


def test_modules_of_ones_own():
    summary = gc.summary(Two(), gc.f32["N", 3], np.ones(4, np.int64))
    rows = [(layer.name, layer.module, layer.parameters) for layer in summary.layers]
    assert rows == [("", "Two", 3), ("fc", "Linear", 8), ("idle", "Linear", 20)]
    outer, fc, idle = summary.layers
    assert [str(type) for type in outer.outputs] == ["f32[N,2]", "i64[4]"]
    assert [str(type) for type in fc.outputs] == ["f32[N,2]"]
    assert idle.outputs is None
    assert str(summary).splitlines()[1].startswith("(model)  Two")


def test_a_module_without_parameters():
    assert gc.summary(nn.ReLU(), gc.f64[2]).parameters == 0


def test_the_model_stays_as_it_was():
    net = model()
    before = {name: value.copy() for name, value in net.state_dict().items()}
    forward = net[0].forward
    gc.summary(net, gc.f32["N", 64])
    with pytest.raises(ShapeError):
        gc.summary(net, gc.f32["N", 63])
    assert "forward" not in net[0].__dict__
    assert net[0].forward == forward
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_forward_of_an_instance_is_kept():
    net = nn.Linear(3, 3)
    own = net.forward
    net.__dict__["forward"] = own
    gc.summary(net, gc.f32[2, 3])
    assert net.__dict__["forward"] is own


@pytest.mark.parametrize(("model", "inputs", "text"), [(3, (), "a module, not int"), (nn.ReLU(), ("N",), "not 'N'")])
def test_what_cannot_be_summarised(model, inputs, text):
    with pytest.raises(ArgumentError, match=text):
        gc.summary(model, *inputs)
