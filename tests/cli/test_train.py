"""`graphc train digits`: accurate, repeatable, its summary and graphs written whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphc as gc

QUICK = ("train", "digits", "--epochs", "2", "--batch-size", "100")


def test_digits_are_learnt(graphc):
    code, out, err = graphc("train", "digits", "--json", "summary.json", "--dump", "ir")
    assert (code, err) == (0, "")
    summary = json.loads(Path("summary.json").read_text())
    assert summary["test_accuracy"] >= 0.97
    assert summary["test_accuracy"] == summary["history"][-1]["accuracy"]
    assert (summary["backend"], summary["seed"], summary["epochs"], summary["batch_size"]) == ("cpu", 0, 20, 64)
    assert summary["steps"] == 20 * 23  # 1438 images, the last batch has 30
    assert summary["parameters"] == 64 * 64 + 64 + 2 * 64 + 64 * 32 + 32 + 2 * 32 + 32 * 10 + 10
    assert [row["epoch"] for row in summary["history"]] == list(range(1, 21))
    assert summary["history"][-1]["loss"] < summary["history"][0]["loss"] / 20
    assert 0 < summary["seconds_per_step"] * summary["steps"] < summary["seconds_total"]
    assert 0 < summary["seconds_compile"] < summary["seconds_total"]

    lines = out.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 20
    assert f"test accuracy          {summary['test_accuracy'] * 100:.2f} %" in lines

    assert summary["kernels"] == len(list(Path("ir", "kernels").glob("*.py"))) > 5
    assert summary["arena_bytes"] > 0
    ledger = Path("ir", "ledger.txt").read_text().splitlines()
    assert ledger[0].startswith(f"{len(ledger) - 1} edges")

    files = sorted(path.name for path in Path("ir").glob("*.ir"))
    assert files == [f"{i:02}_{name}.ir" for i, name in enumerate(summary["nodes"])]
    assert files[:3] == ["00_trace.ir", "01_autodiff.ir", "02_optimizer.ir"]
    before = "-"
    for file, (name, count) in zip(files, summary["nodes"].items(), strict=True):
        text = Path("ir", file).read_text()
        graph = gc.parse(text)
        assert f"{graph}\n" == text
        assert graph.count() == count
        assert any(line.split()[:3] == [name, before, str(count)] for line in lines)
        before = str(count)


def test_one_seed_gives_one_result(graphc):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        graphc(*QUICK, "--seed", seed, "--json", f"{name}.json")
    a, b, c = (json.loads(Path(f"{name}.json").read_text())["history"] for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("batch_size", [2, 1437, 5000])
def test_any_batch_size_from_two(graphc, batch_size):
    code, out, _ = graphc("train", "digits", "--epochs", "1", "--batch-size", batch_size)
    assert code == 0
    steps = {2: 719, 1437: 1, 5000: 1}[batch_size]  # 1438 images; of 1437 one is left over, and left out
    assert f"steps                  {steps} (1 epoch," in out


def test_a_batch_of_one_has_no_variance(graphc):
    code, _, err = graphc("train", "digits", "--epochs", "1", "--batch-size", "1", "--json", "summary.json")
    assert code == 1
    assert err.startswith("ShapeError: batch_norm: training needs more than 1 value per channel")
    assert not Path("summary.json").exists()


def test_scikit_learn_may_be_missing(graphc, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert graphc(*QUICK) == (
        1,
        "",
        'MissingPackageError: the digits need scikit-learn: pip install "graphc[examples]"\n',
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--backend", "nix"), "BackendError: there is no backend 'nix'; there are cpu, interpreter"),
        (("--json", "nix/summary.json"), "nix: No such file or directory"),
        (("--json", "."), ".: Is a directory"),
        (("--dump", "file"), "file: File exists"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(graphc, options, message):
    Path("file").touch()
    code, out, err = graphc(*QUICK, *options)
    assert (code, out) == (1, "")
    assert err.startswith(message)


@pytest.mark.parametrize("options", [("--epochs", "0"), ("--batch-size", "0"), ("--seed", "-1"), ("--epochs", "x")])
def test_options_out_of_range(graphc, options):
    assert graphc("train", "digits", *options).code == 2


def test_stages_of_two_runs_do_not_mix(graphc):
    assert graphc(*QUICK, "--dump", "ir").code == 0
    assert graphc(*QUICK, "--dump", "ir").code == 0
    Path("ir/03_nix.ir").write_text("mine")
    code, _, err = graphc(*QUICK, "--dump", "ir")
    assert (code, err) == (
        1,
        "ArgumentError: ir has the stages of another run, such as 03_nix.ir; remove them first\n",
    )
    assert Path("ir/03_nix.ir").read_text() == "mine"


def test_a_loss_that_is_no_number_stays_valid_json():
    from graphc.cli.train import json_text

    rows = [{"epoch": 1, "loss": float("nan"), "accuracy": 0.1}, {"epoch": 2, "loss": 0.5, "accuracy": 0.2}]
    assert [row["loss"] for row in json.loads(json_text({"history": rows}))["history"]] == [None, 0.5]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_gets_a_bar_and_tables():
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "graphc.cli", *QUICK]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 65536):
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(master)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "━" in text
    assert "30/30" in text
    assert "│ test accuracy" in text
    assert "epoch 2/2  loss" in text
