"""The arithmetic of the reports, the options, and the tables."""

import math

import pytest


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


def report(**changes):
    from benchmarks.contenders import find
    from benchmarks.report import Measured, Report
    from benchmarks.workloads import WORKLOADS

    graphc, torch, jax = find(["graphc", "torch", "jax"])
    first = {"import": 0.2, "first_call": 0.5, "witnesses": [[2.5, 7.0]], "memory": 3e7, "process_peak": 9e7}
    again = {**first, "first_call": 0.125, "memory": 2e6}
    size = {"size": 96, "first": 0.25, "second": 0.002}
    measured = [
        Measured(graphc, first, again, size, times=[2e-3, 3e-3, 4e-3], cores=[1.9, 2.0, 2.0], waits=[0.0]),
        Measured(torch, absent="torch is not installed"),
        Measured(jax, first, times=[4e-3, 6e-3, 8e-3], cores=[1.5], waits=[0.4, 0.5, 0.5]),
    ]
    given = {"contenders": measured, "bandwidth": 1e10, "contraction": 1e11, "disagreement": 1e-6}
    return Report(WORKLOADS["mlp_bn"], **{**given, **changes})


def test_a_report_names_all_contenders():
    from benchmarks.tables import show

    lines = show(report()).splitlines()
    assert lines[2].split()[:9] == ["graphc", "3.000", "ms", "2.500", "–", "3.500", "2.000", "0.50", "0.50"]
    assert lines[2].split()[10:] == ["0.500", "s", "0.125", "s", "0.250", "s", "2.0", "MB", "2.500000", "2.00", "0%"]
    assert lines[4].split()[10:] == ["0.500", "s", "-", "-", "30.0", "MB", "2.500000", "1.50", "50%"]
    assert lines[3].split(maxsplit=1) == ["torch", "absent: torch is not installed"]
    assert lines[4].split()[7:9] == ["1.00", "1.00"]
    assert "differ by 1.0e-06 at most" in lines[6]
    assert lines[7].startswith("  NOTE: threads waited for a core in each second of their turns: jax 0.50 s (")
    assert len(lines) == 8
    assert not report().failed
    entries = report().as_json()["contenders"]
    assert entries["graphc"]["median"] == 3e-3
    assert entries["graphc"]["witnesses"] == [[2.5]]
    assert (entries["jax"]["cores"], entries["jax"]["waits"]) == ([1.5], [0.4, 0.5, 0.5])
    assert entries["graphc"]["second process"]["first_call"] == 0.125
    assert entries["graphc"]["new batch size"]["size"] == 96
    assert "second process" not in entries["jax"]
    assert entries["torch"] == {"absent": "torch is not installed"}


def test_a_report_fails_where_losses_disagree():
    from benchmarks.tables import show

    wrong = report(disagreement=2e-4)
    assert wrong.failed
    assert "ERROR: the first 5 losses differ by 2.0e-04" in show(wrong)


def test_quick_leaves_out_what_takes_long():
    from benchmarks.contenders import CONTENDERS
    from benchmarks.options import parse
    from benchmarks.workloads import WORKLOADS

    everything, quick = parse([]), parse(["--quick"])
    usual = [name for name, workload in WORKLOADS.items() if "stacks" not in workload.kinds]
    assert [workload.name for workload in everything.only] == usual
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
