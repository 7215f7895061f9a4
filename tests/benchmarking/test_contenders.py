"""Contenders: which there are, the pipes to their processes, their caches and their memory. No peers."""

import numpy as np
import pytest


def test_contenders_are_found_by_name():
    from benchmarks.contenders import find

    assert [contender.name for contender in find(["jax", "graphc"])] == ["graphc", "jax"]
    with pytest.raises(ValueError, match="there is no contender theano; there are graphc, torch"):
        find(["theano", "jax"])


def test_contenders_know_their_workloads():
    from benchmarks.contenders import CONTENDERS
    from benchmarks.workloads import WORKLOADS

    def names(workload):
        return [contender.name for contender in CONTENDERS if contender.runs(WORKLOADS[workload])]

    assert "torch.channels-last" in names("resnet20")
    assert "torch.channels-last" not in names("mlp_bn")
    assert "torch.compile-step" in names("mlp_bn")
    assert "torch.compile-step" not in names("chain")


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


def test_a_process_is_stopped_unless_it_owes_an_answer(tmp_path):
    import signal
    from pathlib import Path

    from benchmarks.contenders import BANDWIDTH
    from benchmarks.processes import Settings, start
    from benchmarks.workloads import WORKLOADS

    if not hasattr(signal, "SIGSTOP") or not Path("/proc/self/stat").exists():
        pytest.skip("processes cannot be stopped, or not be looked at")
    np.savez(tmp_path / "arrays.npz", **WORKLOADS["mlp_small"].arrays(seed=0))

    def state(process):
        return Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]

    with start(BANDWIDTH, Settings(threads=1), tmp_path) as process:
        assert state(process) != "T"
        process.load("mlp_small", tmp_path / "arrays.npz")
        assert state(process) == "T"
        answer = process.batch(steps=2, warm=1)
        assert state(process) == "T"
        assert 0 < answer["cores"] < 2
        assert answer["waits"] >= 0
    assert not Path(f"/proc/{process.pid}").exists()


def test_cores_of_a_turn():
    from benchmarks.cores import Moment, now, share

    before = Moment(10.0, 1.0, {"1": 0.5, "2": 7.0})
    after = Moment(12.0, 4.0, {"1": 0.6, "3": 0.3})
    assert share(before, after) == pytest.approx({"cores": 1.5, "waits": 0.2}), "thread 2 has ended, 3 is new"
    assert share(before._replace(waiting=None), after) == {"cores": 1.5, "waits": None}
    assert now().running <= now().running
