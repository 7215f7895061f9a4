"""The command line as a whole: version, lists, a quick start."""

import subprocess
import sys

import pytest

import graphc as gc


def test_version(graphc):
    assert graphc("--version") == (0, f"graphc {gc.__version__}\n", "")


def test_passes_are_listed_in_the_order_of_the_pipeline(graphc):
    from graphc.passes import PASSES, default_pipeline

    lines = graphc("passes").out.splitlines()
    rows = {line[7:].split()[0]: line[:5].strip() for line in lines}
    assert rows.keys() == PASSES.keys()
    for position, name in enumerate(default_pipeline().names, 1):
        assert str(position) in rows[name].split(",")


def test_ops_are_listed_with_kind_and_signature(graphc):
    assert "reduction    sum(x, axis, keepdims=False)" in graphc("ops", "sum").out.splitlines()
    assert len(graphc("ops").out.splitlines()) > 100
    assert all(line.startswith("contraction") for line in graphc("ops", "contraction").out.splitlines())


def test_the_command_line_starts_without_what_it_may_not_need():
    code = "import sys, graphc.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    assert "typer" in loaded
    assert not loaded & {"rich", "numba", "networkx", "sklearn", "scipy", "safetensors"}


def test_the_console_script_is_installed():
    run = subprocess.run([sys.executable, "-m", "graphc.cli", "--version"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"graphc {gc.__version__}\n")


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m graphc.cli ops | head -n 1"
    run = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert run.stderr == ""
    assert len(run.stdout.splitlines()) == 1


def test_bench_runs_the_benchmarks_of_the_checkout(capfd):
    from graphc.cli import main
    from graphc.cli.bench import checkout

    assert (checkout() / "benchmarks" / "workloads").is_dir()
    with pytest.raises(SystemExit) as exit:
        main(["bench", "--only", "alexnet"])
    assert exit.value.code == 2
    assert "there is no workload alexnet; there are mlp_small" in capfd.readouterr().err


def test_bench_says_where_the_benchmarks_are(graphc, monkeypatch, tmp_path):
    (tmp_path / "graphc").mkdir()
    monkeypatch.setattr(gc, "__file__", str(tmp_path / "graphc" / "__init__.py"))
    code, out, err = graphc("bench", "--quick")
    assert (code, out) == (1, "")
    assert err.startswith("MissingPackageError: bench: the benchmarks are not part of the installed package (")
    assert "pip install -e . && graphc bench --help" in err
