"""nn.Module: registration, walking, state dicts, modes, tied weights, repeated calls, provenance, errors."""

import copy
import pickle

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.fc2 = nn.Linear(3, 2, bias=False)

    def forward(self, x):
        h = F.relu(self.norm(self.fc1(x)))
        return self.fc2(h)


NAMES = ["fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "fc2.weight"]
BUFFERS = ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]


def test_members_are_found_by_name_in_order() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_buffers()] == BUFFERS
    assert [name for name, _ in net.named_modules()] == ["", "fc1", "norm", "fc2"]
    assert [name for name, _ in net.named_children()] == ["fc1", "norm", "fc2"]
    assert list(net.children()) == [net.fc1, net.norm, net.fc2]
    assert list(net.modules()) == [net, net.fc1, net.norm, net.fc2]
    assert [p.shape for p in net.parameters()] == [(3, 4), (3,), (3,), (3,), (2, 3)]
    assert next(name for name, _ in net.named_parameters(prefix="net")) == "net.fc1.weight"
    assert list(net.named_parameters(recurse=False)) == []
    assert net.get_submodule("fc1") is net.fc1
    assert net.get_submodule("") is net
    assert net.get_parameter("fc1.bias") is net.fc1.bias
    assert net.get_buffer("norm.running_var") is net.norm.running_var
    assert {"fc1", "norm", "fc2"} <= set(dir(net))


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (lambda net: net.get_submodule("fc1.inner"), "Linear has no submodule 'inner'"),
        (lambda net: net.get_parameter("fc1.wait"), "Linear has no parameter 'wait'"),
        (lambda net: net.get_buffer("norm.weight"), "BatchNorm1d has no buffer 'weight'"),
        (lambda net: net.fc3, "'Net' object has no attribute 'fc3'"),
        (lambda net: delattr(net, "fc3"), "fc3"),
    ],
)
def test_missing_members_are_named(look, words: str) -> None:
    with pytest.raises(AttributeError, match=words):
        look(Net())


def test_assignment_moves_a_name_between_kinds() -> None:
    module = nn.Module()
    module.a = 3
    module.a = nn.Parameter([1.0, 2.0])
    assert [name for name, _ in module.named_parameters()] == ["a"]
    module.a = nn.Buffer([1.0])
    assert [name for name, _ in module.named_parameters()] == []
    assert [name for name, _ in module.named_buffers()] == ["a"]
    module.a = nn.ReLU()
    assert [name for name, _ in module.named_children()] == ["a"]
    assert list(module.named_buffers()) == []
    module.a = None
    assert module.a is None
    assert list(module.named_children()) == []
    del module.a
    assert not hasattr(module, "a")


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda m: setattr(m, "weight", np.zeros(3)), TypeError, r"weight takes an nn.Parameter or None"),
        (lambda m: setattr(m, "child", 3), TypeError, "child takes an nn.Module or None, not int"),
        (lambda m: m.register_parameter("p", np.zeros(3)), TypeError, "takes an nn.Parameter or None, not ndarray"),
        (lambda m: m.register_parameter("a.b", None), KeyError, "no name"),
        (lambda m: m.register_parameter("", None), KeyError, "no name"),
        (lambda m: m.register_buffer("weight", np.zeros(3)), KeyError, "already exists"),
        (lambda m: m.add_module("x", "y"), TypeError, "takes an nn.Module or None, not str"),
        (lambda m: m.train("yes"), ValueError, "True or False"),
        (lambda m: m.to(gc.i64), gc.errors.DTypeError, "floating-point dtype, not i64"),
        (lambda m: nn.Parameter([1, 2]), gc.errors.DTypeError, "only floating-point parameters have gradients"),
    ],
)
def test_what_does_not_fit_is_refused(act, error: type[Exception], words: str) -> None:
    module = nn.Module()
    module.weight, module.child = nn.Parameter([1.0]), nn.ReLU()
    with pytest.raises(error, match=words):
        act(module)


def test_a_missing_super_init_is_named() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(2, 2)

    with pytest.raises(AttributeError, match=r"Forgetful: call super\(\).__init__\(\) first"):
        Forgetful()


def test_a_missing_forward_is_named() -> None:
    with pytest.raises(NotImplementedError, match='Module is missing the required "forward" function'):
        gc.trace(lambda x: nn.Module()(x), gc.f32[3])


def test_arrays_are_compiled_for_and_not_called_with() -> None:
    with pytest.raises(gc.errors.TraceError, match=r"Linear: called outside of a trace.*gc.compile"):
        nn.Linear(2, 2)(np.zeros((1, 2), np.float32))


# -- parameters and buffers -----------------------------------------------------------------------------------------


def test_parameters_read_as_read_only_arrays_and_are_written_in_place() -> None:
    p = nn.Parameter([[1.0, 2.0], [3.0, 4.0]])
    assert p.dtype is gc.f32
    assert not np.asarray(p).flags.writeable
    p[0] = 9
    p.assign(np.asarray(p) * 2)
    assert np.asarray(p).tolist() == [[18, 18], [6, 8]]
    assert p.version == 2
    assert nn.Parameter(np.zeros(2)).dtype is gc.f64
    assert not nn.Parameter([1, 2], requires_grad=False).requires_grad


def test_a_parameter_copies_its_array() -> None:
    array = np.zeros(3, np.float32)
    p = nn.Parameter(array)
    array[0] = 5
    assert not np.asarray(p).any()


def test_freezing() -> None:
    net = Net().requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.fc2.requires_grad_()
    assert [name for name, p in net.named_parameters() if p.requires_grad] == ["fc2.weight"]


def test_an_assigned_buffer_is_updated_by_the_run() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", np.array(0, np.int64))

        def forward(self, x):
            self.count = self.count + 1
            return x + gc.astype(self.count, gc.f32)

    counter = Counter()
    run = gc.compile(counter, inputs=gc.f32[1])
    assert [run(np.zeros(1, np.float32)).item() for _ in range(3)] == [1, 2, 3]
    assert int(np.asarray(counter.count)) == 3
    counter.count = 10
    assert run(np.zeros(1, np.float32)).item() == 11


def test_buffers_that_are_not_persistent_stay_out_of_the_state_dict() -> None:
    module = nn.Module()
    module.register_buffer("table", np.zeros(3), persistent=False)
    module.other = nn.Buffer(np.zeros(2), persistent=False)
    module.register_buffer("none", None)
    assert module.state_dict() == {}
    assert [name for name, _ in module.named_buffers()] == ["table", "other"]


# -- modes and dtypes -----------------------------------------------------------------------------------------------


def test_modes_reach_every_module() -> None:
    net = Net()
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train().norm.training


@pytest.mark.parametrize(
    ("method", "dtype"), [("float", gc.f32), ("double", gc.f64), ("half", gc.f16), ("bfloat16", gc.bf16)]
)
def test_conversion_of_floating_state(method: str, dtype: object) -> None:
    net = getattr(Net(), method)()
    assert {p.dtype for p in net.parameters()} == {dtype}
    assert net.norm.running_mean.dtype is dtype
    assert net.norm.num_batches_tracked.dtype is gc.i64
    assert net.to(np.float64).fc1.weight.dtype is gc.f64


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    Net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "Net"]


# -- state dicts ----------------------------------------------------------------------------------------------------


def test_state_dict_round_trip() -> None:
    a, b = Net(), Net()
    state = a.state_dict()
    assert list(state) == ["fc1.weight", "fc1.bias", "norm.weight", "norm.bias", *BUFFERS, "fc2.weight"]
    assert b.load_state_dict(state) == ([], [])
    for name, array in b.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    assert next(iter(a.state_dict(prefix="net."))) == "net.fc1.weight"


def test_loading_casts_to_the_dtype_here() -> None:
    net = Net()
    net.load_state_dict(
        {name: array.astype(np.float64) for name, array in Net().state_dict().items() if array.dtype == np.float32},
        strict=False,
    )
    assert net.fc1.weight.dtype is gc.f32
    net.bfloat16().load_state_dict(Net().state_dict())
    assert net.fc1.weight.dtype is gc.bf16


def test_loading_lists_all_that_does_not_fit_and_changes_nothing() -> None:
    net, state = Net(), dict(Net().state_dict())
    before, versions = net.state_dict(), [p.version for p in net.parameters()]
    del state["fc1.bias"]
    state |= {"fc1.weight": np.zeros((3, 5)), "norm.num_batches_tracked": 0.5, "fc2.weight": "abc", "fc3.weight": 1}
    with pytest.raises(gc.errors.StateError) as caught:
        net.load_state_dict(state)
    assert str(caught.value).splitlines() == [
        "the state dict does not fit Net:",
        "  missing: fc1.bias",
        "  unexpected: fc3.weight",
        "  fc1.weight: takes f32[3,4], but the value is f64[3,5]",
        "  norm.num_batches_tracked: takes i64[], but the value is f64[]",
        "  fc2.weight: takes f32[2,3], but the value is no array of numbers",
    ]
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert versions == [p.version for p in net.parameters()]


def test_loading_that_is_not_strict_reports_keys_and_still_checks_shapes() -> None:
    net = Net()
    keys = net.load_state_dict({"fc1.bias": np.ones(3), "other": 1}, strict=False)
    assert keys.unexpected_keys == ["other"]
    assert "fc1.weight" in keys.missing_keys
    assert np.asarray(net.fc1.bias).tolist() == [1, 1, 1]
    with pytest.raises(gc.errors.StateError, match=r"fc1.bias: takes f32\[3\]"):
        net.load_state_dict({"fc1.bias": np.ones(4)}, strict=False)
    with pytest.raises(gc.errors.StateError, match="maps names to arrays"):
        net.load_state_dict([1, 2])


# -- sharing --------------------------------------------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 3, bias=False)
        self.decoder = nn.Linear(3, 3, bias=False)
        self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(F.tanh(self.encoder(x)))


def test_tied_weights_are_one_parameter_under_two_names() -> None:
    tied = Tied().double()
    assert [name for name, _ in tied.named_parameters()] == ["encoder.weight"]
    assert [name for name, _ in tied.named_parameters(remove_duplicate=False)] == ["encoder.weight", "decoder.weight"]
    assert list(tied.state_dict()) == ["encoder.weight", "decoder.weight"]
    graph = gc.trace(lambda x: gc.sum(tied(x)), gc.f64["N", 3])
    assert len(graph.state) == 1
    x = np.random.default_rng(0).normal(size=(5, 3))
    gradient = gc.evaluate(gc.grad(graph, wrt=["encoder.weight"]), x)
    w, h = np.asarray(tied.encoder.weight), 1e-6
    numeric = np.zeros_like(w)
    for index in np.ndindex(w.shape):
        values = []
        for step in (h, -h):
            moved = w.copy()
            moved[index] += step
            values.append(gc.evaluate(graph, x, state={"encoder.weight": moved}))
        numeric[index] = (values[0] - values[1]) / (2 * h)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_tied_weights_take_one_value() -> None:
    tied, ones = Tied(), np.ones((3, 3))
    tied.load_state_dict({"encoder.weight": ones, "decoder.weight": ones})
    with pytest.raises(gc.errors.StateError, match=r"decoder.weight: is tied to encoder.weight"):
        tied.load_state_dict({"encoder.weight": ones, "decoder.weight": 2 * ones})


def test_a_module_called_twice_shares_its_parameters_and_updates_its_buffers_twice() -> None:
    norm = nn.BatchNorm1d(3)
    graph = gc.trace(lambda x: norm(norm(x) + 5), gc.f32["N", 3])
    assert len([state for state in graph.state if state.kind == "parameter"]) == 2
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    gc.evaluate(graph, x)
    assert int(np.asarray(norm.num_batches_tracked)) == 2
    first = 0.1 * x.mean(0)
    np.testing.assert_allclose(norm.running_mean, 0.9 * first + 0.1 * 5, rtol=1e-5)


def test_executables_share_the_model_s_state() -> None:
    layer = nn.Linear(2, 1)
    a, b = (gc.compile(layer, inputs=gc.f32["N", 2]) for _ in range(2))
    layer.weight[...], layer.bias[...] = 2, 1
    x = np.ones((1, 2), np.float32)
    assert a(x).item() == b(x).item() == 5


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_copies_are_independent_and_keep_ties(duplicate) -> None:
    tied = Tied().requires_grad_(False).eval()
    twin = duplicate(tied)
    assert twin.decoder.weight is twin.encoder.weight
    assert twin.encoder.weight is not tied.encoder.weight
    assert not twin.encoder.weight.requires_grad
    assert not twin.training
    twin.encoder.weight[...] = 7
    assert (np.asarray(tied.encoder.weight) != 7).all()
    assert not np.asarray(twin.encoder.weight).flags.writeable


# -- in graphs ------------------------------------------------------------------------------------------------------


def test_state_is_named_and_nodes_know_their_module_and_line() -> None:
    net = Net()
    graph = gc.trace(net, gc.f32["N", 4])
    assert [s.value.name for s in graph.state if s.kind == "parameter"] == NAMES
    modules = {node.provenance.module for node in graph.nodes}
    assert {"Net.fc1", "Net.norm", "Net.fc2"} <= modules
    assert all(node.provenance.location.file.endswith("test_module.py") for node in graph.nodes)


def test_names_hold_when_the_model_is_called_in_a_function() -> None:
    net = Net().eval()
    graph = gc.trace(lambda x: F.softmax(net(x), dim=1), gc.f32["N", 4])
    assert {s.value.name for s in graph.state if s.kind == "parameter"} == set(NAMES)


def test_a_module_made_in_forward_is_named_by_its_class() -> None:
    class Local(nn.Module):
        def forward(self, x):
            return nn.Tanh()(x)

    (node,) = gc.trace(Local(), gc.f32[3]).nodes
    assert node.provenance.module == "Local.Tanh"


def test_one_model_calling_another_keeps_each_module_s_path() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Tanh(), nn.Sigmoid())

        def forward(self, x):
            return self.body(x)

    paths = [node.provenance.module for node in gc.trace(Outer(), gc.f32[3]).nodes]
    assert paths == ["Outer.body.0", "Outer.body.1"]


def test_layers_in_a_sequence_point_at_the_line_that_made_them() -> None:
    model = nn.Sequential(
        nn.Tanh(),
        nn.Sigmoid(),
    )
    first, second = (node.provenance.location.line for node in gc.trace(model, gc.f32[3]).nodes)
    assert second == first + 1
