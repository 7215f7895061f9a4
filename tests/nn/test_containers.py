"""Containers: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict behave as torch's."""

from collections import OrderedDict

import numpy as np
import pytest

import graphc as gc
from graphc import nn


def three() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def test_sequential_calls_one_after_the_other() -> None:
    model = three()
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    w1, b1, w2, b2 = (np.asarray(p) for p in model.parameters())
    expected = np.maximum(x @ w1.T + b1, 0) @ w2.T + b2
    np.testing.assert_allclose(gc.evaluate(gc.trace(model, gc.f32["N", 4]), x), expected, rtol=1e-5, atol=1e-6)


def test_an_empty_sequential_gives_its_input() -> None:
    x = np.arange(3.0)
    np.testing.assert_array_equal(gc.evaluate(gc.trace(nn.Sequential(), x), x), x)


def test_sequential_by_name() -> None:
    model = nn.Sequential(OrderedDict([("fc", nn.Linear(4, 3)), ("act", nn.ReLU())]))
    assert [name for name, _ in model.named_children()] == ["fc", "act"]
    assert model.fc is model[0]
    assert list(model.state_dict()) == ["fc.weight", "fc.bias"]
    assert [name for name, _ in model[1:].named_children()] == ["act"]


@pytest.mark.parametrize("make", [lambda layers: nn.Sequential(*layers), nn.ModuleList])
def test_lists_of_modules(make) -> None:
    layers = [nn.Linear(1, n) for n in (1, 2, 3)]
    held = make(layers)
    assert len(held) == 3
    assert list(held) == layers
    assert held[-1] is layers[2]
    assert list(held[::2]) == [layers[0], layers[2]]
    assert type(held[:1]) is type(held)
    extra = nn.ReLU()
    assert held.append(extra) is held
    assert held[3] is extra
    assert held.pop() is extra
    held.insert(1, extra)
    assert list(held) == [layers[0], extra, layers[1], layers[2]]
    assert [name for name, _ in held.named_children()] == ["0", "1", "2", "3"]
    del held[0]
    assert list(held) == [extra, layers[1], layers[2]]
    assert [name for name, _ in held.named_children()] == ["0", "1", "2"]
    held[0] = layers[0]
    assert list(held) == layers
    held += [extra]
    assert len(held) == 4
    assert list(held.extend([extra, extra]))[-1] is extra
    assert len(list(held + held)) == 12
    assert [name for name, _ in held.named_children()] == ["0", "1", "2", "3"]


def test_deleting_from_a_named_sequential_keeps_the_names() -> None:
    model = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh(), "c": nn.Sigmoid()})
    del model[1]
    assert [name for name, _ in model.named_children()] == ["a", "c"]


@pytest.mark.parametrize("index", [3, -4])
def test_indices_beyond_the_end_are_named(index: int) -> None:
    with pytest.raises(IndexError, match=f"3 modules, so there is none at {index}"):
        three()[index]
    with pytest.raises(IndexError, match="2 parameters"):
        nn.ParameterList([np.zeros(1), np.zeros(1)])[index]


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Sequential.1 takes an nn.Module or None, not function"):
        nn.Sequential(nn.ReLU(), lambda x: x)
    with pytest.raises(TypeError, match=r"insert takes an nn.Module, not int"):
        nn.ModuleList([nn.ReLU()]).insert(0, 3)
    with pytest.raises(IndexError, match="no place to insert"):
        nn.ModuleList([nn.ReLU()]).insert(3, nn.ReLU())


def test_a_module_list_computes_nothing() -> None:
    with pytest.raises(NotImplementedError, match="ModuleList"):
        gc.trace(nn.ModuleList([nn.ReLU()]), gc.f32[3])


def test_module_dict() -> None:
    held = nn.ModuleDict({"a": nn.ReLU()})
    held["b"] = nn.Tanh()
    held.update([("c", nn.Sigmoid())])
    assert list(held) == list(held.keys()) == ["a", "b", "c"]
    assert "b" in held
    assert len(held) == 3
    assert [type(m).__name__ for m in held.values()] == ["ReLU", "Tanh", "Sigmoid"]
    assert held.pop("b") is not None
    del held["a"]
    assert [name for name, _ in held.items()] == ["c"]
    held.clear()
    assert len(held) == 0


def test_parameter_list() -> None:
    held = nn.ParameterList([np.zeros(2, np.float32), nn.Parameter([1.0])])
    held.append([3.0, 4.0])
    held += [np.ones(1)]
    assert len(held) == 4
    assert all(isinstance(p, nn.Parameter) for p in held)
    assert [name for name, _ in held.named_parameters()] == ["0", "1", "2", "3"]
    assert np.asarray(held[-2]).tolist() == [3, 4]
    held[0] = np.full(2, 7.0)
    assert np.asarray(held[0]).tolist() == [7, 7]
    assert len(held[1:3]) == 2
    assert held[1:3][0] is held[1]
    assert repr(nn.ParameterList([[1.0]])) == "ParameterList(\n  (0): f32[1]\n)"


def test_parameter_dict() -> None:
    held = nn.ParameterDict({"a": [1.0], "b": nn.Parameter([2.0])})
    held["c"] = np.zeros(3)
    assert list(held) == list(held.keys()) == ["a", "b", "c"]
    assert "c" in held
    assert [p.shape for p in held.values()] == [(1,), (1,), (3,)]
    assert held.pop("a").shape == (1,)
    del held["b"]
    assert [name for name, _ in held.items()] == ["c"]
    assert list(held.state_dict()) == ["c"]


def test_reprs_nest() -> None:
    model = nn.Sequential(nn.ModuleList([nn.ReLU(), nn.ReLU()]), nn.ModuleDict({"a": nn.Tanh()}))
    assert repr(model) == (
        "Sequential(\n  (0): ModuleList(\n    (0-1): 2 x ReLU()\n  )\n  (1): ModuleDict(\n    (a): Tanh()\n  )\n)"
    )
