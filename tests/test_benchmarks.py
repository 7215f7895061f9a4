"""The benchmarks' own arithmetic, their workloads on the interpreter, and the pipes to a contender. No peers."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    """`import benchmarks` for the time of this module: the repository's root is not on sys.path (pyproject.toml)."""
    spec = importlib.util.spec_from_file_location("benchmarks", FOLDER / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


def mlp_loss(arrays):
    """The first loss of mlp_small, by hand, in f64."""
    a = {name: array.astype(np.float64) for name, array in arrays.items() if name != "y"}
    h = a["x"] @ a["0.weight"].T + a["0.bias"]
    h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5) * a["1.weight"] + a["1.bias"]
    logits = np.maximum(h, 0) @ a["3.weight"].T + a["3.bias"]
    picked = np.take_along_axis(logits, arrays["y"][:, None], 1)[:, 0]
    return (np.log(np.exp(logits).sum(1)) - picked).mean()


def interpreted(workload, arrays):
    from benchmarks.contenders.graphc_ import load

    return load(workload, arrays, {"backend": "interpreter", "threads": 1})


def test_first_loss_is_that_of_the_formulas():
    from benchmarks.workloads import WORKLOADS

    arrays = WORKLOADS["mlp_small"].arrays(seed=3)
    runner = interpreted(WORKLOADS["mlp_small"], arrays)
    runner.run(1)
    (first,) = runner.witness()
    assert first == pytest.approx(mlp_loss(arrays), rel=1e-6)
    runner.run(4)
    assert runner.witness()[0] < first


def test_chain_has_the_gradients_of_its_value():
    from benchmarks.workloads.chain import RMS_EPS, SCALE, Chain

    workload = Chain("small", 5, 8)
    arrays = workload.arrays(seed=1)
    runner = interpreted(workload, arrays)
    runner.run(1)
    value, *sums = runner.witness()

    def mean(x, residual, weight, g):
        normal = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + RMS_EPS) * weight
        return ((residual + SCALE * normal / (1 + np.exp(-normal))) * g).mean()

    point = {name: array.astype(np.float64) for name, array in arrays.items()}
    assert value == pytest.approx(mean(**point), rel=1e-6)
    for name, found in zip(("x", "residual", "weight"), sums, strict=True):
        expected = 0.0
        for place in np.ndindex(point[name].shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = point[name].copy()
                moved[place] += step
                sides.append(mean(**{**point, name: moved}))
            expected += abs(sides[0] - sides[1]) / 2e-5
        assert found == pytest.approx(expected, rel=1e-5)


def test_every_row_comes_under_two_labels():
    from benchmarks.workloads import WORKLOADS

    arrays = WORKLOADS["mlp_bn"].arrays(seed=0)
    first, second = np.split(arrays["x"], 2)
    np.testing.assert_array_equal(first, second)
    assert (np.not_equal(*np.split(arrays["y"], 2))).all()
    assert arrays["x"].shape == (128, 784)
    assert arrays["y"].max() < 10


def test_work_of_an_mlp():
    from benchmarks.workloads import Training
    from benchmarks.workloads.mlp import Mlp

    workload = Training("tiny", Mlp((3, 5, 2)), batch=4)
    forward, weights, inputs = 3 * 5 + 5 * 2, 3 * 5 + 5 * 2, 5 * 2
    assert workload.flops == 2 * 4 * (forward + weights + inputs)
    parameters = (15 + 5) + (5 + 5) + (10 + 2)  # Linear, BatchNorm, Linear
    assert workload.bytes_moved == 4 * (6 * parameters + 4 * 3)


def test_work_of_a_resnet():
    from benchmarks.workloads import Training
    from benchmarks.workloads.resnet import ResNet

    network = ResNet(widths=(2, 4), blocks=1, image=6, classes=3)
    assert network.stages == ((2, 2, 1), (2, 4, 2))
    first = 6 * 6 * 9 * 3 * 2  # multiplications: pixels of the result, window, channels, filters
    others = 2 * (6 * 6 * 9 * 2 * 2) + 3 * 3 * 9 * 2 * 4 + 3 * 3 * 9 * 4 * 4 + 4 * 3
    workload = Training("tiny", network, batch=2)
    assert workload.flops == 2 * 2 * (2 * first + 3 * others)  # x needs no gradient
    convolutions = 9 * (3 * 2 + 2 * (2 * 2) + 2 * 4 + 4 * 4)
    norms = 2 * (2 + 2 + 2 + 4 + 4)
    assert workload.bytes_moved == 4 * (6 * (convolutions + norms + 4 * 3 + 3) + 2 * 3 * 6 * 6)


def test_work_of_a_transformer_and_of_an_lstm():
    from benchmarks.workloads import Training
    from benchmarks.workloads.lstm import Lstm
    from benchmarks.workloads.transformer import Transformer

    transformer = Transformer(tokens=3, features=4, heads=2, blocks=1, widening=2, classes=5)
    projections = 3 * (4 * 12 + 4 * 4 + 4 * 8 + 8 * 4)  # of each token
    attention = 2 * 2 * (3 * 3 * 2)  # two products for each head
    assert Training("tiny", transformer, batch=2).flops == 2 * 2 * 3 * (projections + attention + 4 * 5)
    lstm = Lstm(inputs=2, hidden=3, steps=4, classes=5)
    assert Training("tiny", lstm, batch=2).flops == 2 * 2 * (2 * 4 * 2 * 12 + 3 * (4 * 3 * 12 + 3 * 5))


def test_convolutions_know_their_results():
    from benchmarks.workloads.contraction import Convolution

    assert Convolution("same", 3, 8, image=32, kernel=5).result == 32
    assert Convolution("half", 3, 8, image=33, kernel=7, stride=2).result == 17
    assert Convolution("dilated", 3, 8, image=9, dilation=2).result == 9
    assert Convolution("depthwise", 6, 6, image=4, groups=6).forward == 2 * 4 * 4 * 9 * 6


def tiny_networks():
    from benchmarks.workloads.resnet import ResNet
    from benchmarks.workloads.transformer import Transformer

    return [
        ResNet(widths=(2, 4), blocks=1, image=6, classes=3),
        Transformer(tokens=3, features=4, heads=2, blocks=1, widening=2, classes=3),
    ]


@pytest.mark.parametrize("which", [0, 1], ids=["resnet", "transformer"])
def test_networks_train_on_the_interpreter(which):
    from benchmarks.workloads import Training

    workload = Training("tiny", tiny_networks()[which], batch=4)
    runner = interpreted(workload, workload.arrays(seed=3))
    runner.run(1)
    (first,) = runner.witness()
    assert first == pytest.approx(math.log(3), rel=0.5)
    runner.run(5)
    assert runner.witness()[0] < first
    runner.take(2)
    runner.run(1)
    assert math.isfinite(runner.witness()[0])


@pytest.mark.parametrize("which", [0, 1], ids=["resnet", "transformer"])
def test_a_prediction_does_not_depend_on_the_others_of_its_batch(which):
    from benchmarks.workloads import Prediction

    workload = Prediction("tiny", tiny_networks()[which], batch=4)
    arrays = workload.arrays(seed=3)
    runner = interpreted(workload, arrays)
    runner.run(1)
    whole = np.reshape(runner.witness(), (4, 3))
    runner.take(1)
    runner.run(1)
    np.testing.assert_allclose(runner.witness(), whole[0], rtol=1e-5, atol=1e-6)


def test_a_network_without_a_layer_is_absent(monkeypatch):
    from benchmarks.contenders.runner import AbsentError
    from benchmarks.workloads import WORKLOADS

    from graphc import nn

    monkeypatch.delattr(nn, "LSTM", raising=False)
    workload = WORKLOADS["lstm"]
    with pytest.raises(AbsentError, match=r"graphc.nn has no LSTM"):
        interpreted(workload, workload.arrays(seed=0))


def test_workloads_are_found_by_name_and_kind():
    from benchmarks.workloads import select

    assert [workload.name for workload in select(["lstm", "mlp_bn"])] == ["mlp_bn", "lstm"]
    assert [workload.name for workload in select(["convolutional"]) if "training" in workload.kinds] == ["resnet20"]
    with pytest.raises(ValueError, match=r"there is no workload alexnet; there are mlp_small, .*; kinds convolutional"):
        select(["alexnet", "chain"])


def test_contenders_know_their_workloads():
    from benchmarks.contenders import CONTENDERS
    from benchmarks.workloads import WORKLOADS

    def names(workload):
        return [contender.name for contender in CONTENDERS if contender.runs(WORKLOADS[workload])]

    assert "torch.channels-last" in names("resnet20")
    assert "torch.channels-last" not in names("mlp_bn")
    assert "torch.compile-step" in names("mlp_bn")
    assert "torch.compile-step" not in names("chain")


def test_floor_adds_contractions_and_bytes():
    from benchmarks.figures import floor
    from benchmarks.workloads import Chain, Training
    from benchmarks.workloads.mlp import Mlp

    workload = Training("tiny", Mlp((3, 5, 2)), batch=4)
    assert floor(workload, 1e3, 1e2) == pytest.approx(workload.flops / 1e3 + workload.bytes_moved / 1e2)
    assert floor(Chain("small", 10, 10), math.inf, 4.0) == 5 * 100 + 2 * 10


def test_quartiles_and_ratios():
    from benchmarks.figures import best, quartiles, ratio

    assert quartiles([3.0, 1.0, 2.0]) == (1.5, 2.0, 2.5)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(3.0, None) is None
    assert best({"graphc": 1.0, "jax": 3.0, "torch": 2.0}, ["jax", "torch"]) == 2.0
    assert best({"graphc": 1.0}, ["jax"]) is None


@pytest.mark.parametrize(
    ("witnesses", "expected"),
    [
        ({"a": [[2.0], [1.0]], "b": [[2.0], [0.9]], "c": [[1.9], [1.0]]}, 0.1),
        ({"a": [[2.0, -4.0]], "b": [[2.0, 4.0]]}, 2.0),
        ({"a": [[0.0]], "b": [[0.0]]}, 0.0),
        ({"a": [[1.0]]}, 0.0),
        ({"a": [[1.0]], "b": [[math.nan]]}, math.inf),
    ],
)
def test_disagreement(witnesses, expected):
    from benchmarks.figures import disagreement

    assert disagreement(witnesses) == pytest.approx(expected)


def test_disagreement_of_logits_counts_by_the_largest():
    from benchmarks.figures import disagreement

    witnesses = {"a": [[4.0, 1e-9]], "b": [[4.0, 2e-9]]}
    assert disagreement(witnesses) == pytest.approx(0.5)
    assert disagreement(witnesses, jointly=True) == pytest.approx(2.5e-10)


def test_contenders_are_found_by_name():
    from benchmarks.contenders import find

    assert [contender.name for contender in find(["jax", "graphc"])] == ["graphc", "jax"]
    with pytest.raises(ValueError, match="there is no contender theano; there are graphc, torch"):
        find(["theano", "jax"])


def report(**changes):
    from benchmarks.contenders import find
    from benchmarks.report import Measured, Report
    from benchmarks.workloads import WORKLOADS

    graphc, torch, jax = find(["graphc", "torch", "jax"])
    first = {"import": 0.2, "first_call": 0.5, "witnesses": [[2.5, 7.0]], "memory": 3e7, "process_peak": 9e7}
    again = {**first, "first_call": 0.125, "memory": 2e6}
    size = {"size": 96, "first": 0.25, "second": 0.002}
    measured = [
        Measured(graphc, first, again, size, times=[2e-3, 3e-3, 4e-3], idle=[0.0]),
        Measured(torch, absent="torch is not installed"),
        Measured(jax, first, times=[4e-3, 6e-3, 8e-3], idle=[0.5]),
    ]
    given = {"contenders": measured, "bandwidth": 1e10, "contraction": 1e11, "disagreement": 1e-6}
    return Report(WORKLOADS["mlp_bn"], **{**given, **changes})


def test_a_report_names_all_contenders():
    from benchmarks.tables import show

    lines = show(report()).splitlines()
    assert lines[2].split()[:9] == ["graphc", "3.000", "ms", "2.500", "–", "3.500", "2.000", "0.50", "0.50"]
    assert lines[2].split()[10:] == ["0.500", "s", "0.125", "s", "0.250", "s", "2.0", "MB", "2.500000", "0%"]
    assert lines[4].split()[10:] == ["0.500", "s", "-", "-", "30.0", "MB", "2.500000", "50%"]
    assert lines[3].split(maxsplit=1) == ["torch", "absent: torch is not installed"]
    assert lines[4].split()[7:9] == ["1.00", "1.00"]
    assert "differ by 1.0e-06 at most" in lines[6]
    assert lines[7] == "  NOTE: jax kept a processor busy while others were measured (50%)"
    assert not report().failed
    entries = report().as_json()["contenders"]
    assert entries["graphc"]["median"] == 3e-3
    assert entries["graphc"]["witnesses"] == [[2.5]]
    assert entries["graphc"]["second process"]["first_call"] == 0.125
    assert entries["graphc"]["new batch size"]["size"] == 96
    assert "second process" not in entries["jax"]
    assert entries["torch"] == {"absent": "torch is not installed"}


def test_a_report_fails_where_losses_disagree():
    from benchmarks.tables import show

    wrong = report(disagreement=2e-4)
    assert wrong.failed
    assert "ERROR: the first 5 losses differ by 2.0e-04" in show(wrong)


def test_a_process_answers_and_survives_a_failure(tmp_path):
    from benchmarks.contenders import BANDWIDTH, find
    from benchmarks.processes import ContenderError, Settings, start
    from benchmarks.workloads import WORKLOADS

    workload = WORKLOADS["mlp_small"]
    np.savez(tmp_path / "arrays.npz", **workload.arrays(seed=0))
    (graphc,) = find(["graphc"])
    with start(graphc, Settings(threads=1, backend="interpreter"), tmp_path) as process:
        loaded = process.load("mlp_small", tmp_path / "arrays.npz")
        assert len(loaded["witnesses"]) == 5
        assert loaded["first_call"] > 0
        assert process.batch(steps=2, warm=1)["seconds"] > 0
        assert process.take(24)["first"] > 0
    settings = Settings(threads=1, backend="abacus")
    unknown = pytest.raises(ContenderError, match="there is no backend 'abacus'")
    with start(graphc, settings, tmp_path) as process, unknown:
        process.load("mlp_small", tmp_path / "arrays.npz")
    with start(BANDWIDTH, settings, tmp_path) as process, pytest.raises(ContenderError, match="FileNotFoundError"):
        process.load("mlp_small", tmp_path / "missing.npz")


def test_a_contender_that_is_not_installed_is_absent():
    from benchmarks.contenders.serve import Session

    def imports():
        import a_peer_that_nobody_has  # noqa: F401

    session = Session(imports, load=None)
    assert session.answer({"do": "load", "cpus": []}) == {"absent": "a_peer_that_nobody_has is not installed"}


def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    from benchmarks.contenders import find
    from benchmarks.processes import Settings, start
    from benchmarks.workloads import WORKLOADS

    np.savez(tmp_path / "arrays.npz", **WORKLOADS["predict_mlp_small_1"].arrays(seed=0))
    (graphc,) = find(["graphc"])
    found, files = [], []
    for _ in range(2):
        with start(graphc, Settings(threads=1), tmp_path) as process:
            found.append(process.load("predict_mlp_small_1", tmp_path / "arrays.npz"))
        files.append(sorted(path.name for path in (tmp_path / "graphc_cache_dir").rglob("*.o")))
    assert files[0] == files[1] != []
    assert found[0]["witnesses"] == found[1]["witnesses"]
    assert found[1]["process_peak"] is None or found[1]["process_peak"] > found[1]["memory"] > 0


def test_peaks_are_forgotten():
    from benchmarks import memory

    if memory.resident() is None:
        assert memory.peak() is None
        return
    large = np.ones(1 << 24)
    assert memory.peak() >= memory.resident() > large.nbytes
    high = memory.peak()
    del large
    memory.forget_peak()
    assert memory.peak() < high - (1 << 26)


def test_quick_leaves_out_what_takes_long():
    from benchmarks.contenders import CONTENDERS
    from benchmarks.options import parse
    from benchmarks.workloads import WORKLOADS

    everything, quick = parse([]), parse(["--quick"])
    assert [workload.name for workload in everything.only] == list(WORKLOADS)
    assert everything.contenders == list(CONTENDERS)
    assert everything.second_process
    assert everything.new_batch
    assert len(quick.only) < len(everything.only)
    assert not any(contender.name.startswith("torch.compile") for contender in quick.contenders)
    assert not quick.second_process
    named = parse(["--quick", "--only", "mlp_wide", "--contenders", "torch.compile", "--new-batch"])
    assert [workload.name for workload in named.only] == ["mlp_wide"]
    assert [contender.name for contender in named.contenders] == ["torch.compile"]
    assert named.new_batch


def test_options_name_what_there_is(capsys):
    from benchmarks.options import parse

    with pytest.raises(SystemExit):
        parse(["--only", "alexnet"])
    assert "there is no workload alexnet" in capsys.readouterr().err
