"""`graphc show`, `opt`, `diff`: graphs from files, names and standard input; one message for what goes wrong."""

import io
import sys
from pathlib import Path

import pytest

import graphc as gc

IR = """\
graph @f(%x: f32[N,3]) {
  %a: f32[N,3] = neg(%x)
  %b: f32[N,3] = neg(%a)
  %c: f32[N,3] = exp(%b)
  %unused: f32[N,3] = sin(%b)
  return %c
}
"""

MODEL = """
import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F


class Net(nn.Module):
    inputs = gc.f32["N", 3]

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        h = self.fc(x)
        return F.relu(h)


@gc.function
def f(x: gc.f32[2]):
    y = gc.exp(x)
    return y


def gradient():
    return gc.grad(gc.trace(lambda x: gc.sum(gc.exp(x)), gc.f32[2]))


def missing_name():
    return gc.nix


def plain(x):
    return gc.negative(x)


bare = nn.Linear(3, 2)
model = Net()
step = gc.training_step(model, F.mse_loss, optim.SGD(lr=0.1), gc.f32["N", 3], gc.f32["N", 2])
predict = gc.compile(model.eval(), inputs=gc.f32["N", 3])
number = 3
"""


@pytest.fixture
def files(graphc):
    """`f.ir` and `model.py` in the folder that commands run in."""
    Path("f.ir").write_text(IR)
    Path("model.py").write_text(MODEL)


# -- show -------------------------------------------------------------------------------------------------------------


def test_show_prints_the_text_of_a_file(graphc, files):
    assert graphc("show", "f.ir") == (0, IR, "")


def test_show_reads_standard_input(graphc, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(IR))
    assert graphc("show", "-") == (0, IR, "")


@pytest.mark.parametrize(
    ("name", "ops", "name_of_graph"),
    [
        ("f", ["exp"], "f"),
        ("f.graph", ["exp"], "f"),
        ("model", ["affine", "relu"], "Net"),
        ("Net", ["affine", "relu"], "Net"),
        ("model.fc", None, None),
    ],
)
def test_show_takes_a_name(graphc, files, name, ops, name_of_graph):
    code, out, err = graphc("show", f"model.py:{name}")
    if ops is None:
        assert (code, out) == (1, "")
        assert "says what it takes by an attribute `inputs`" in err
        return
    graph = gc.parse(out)
    assert (code, err, graph.name) == (0, "", name_of_graph)
    assert [node.op.name for node in graph.nodes] == ops


def test_show_calls_a_function_of_no_parameters(graphc, files):
    graph = gc.parse(graphc("show", "model.py:gradient").out)
    assert graph.count("exp") == 1
    assert [str(value.type) for value in graph.outputs] == ["f32[2]"]


@pytest.mark.parametrize("name", ["bare", "Net", "model"])
def test_show_takes_the_inputs_of_a_module(graphc, files, name):
    graph = gc.parse(graphc("show", f"model.py:{name}", "--inputs", "f32[7,3]").out)
    assert str(graph.outputs[0].type) == "f32[7,2]"


def test_show_traces_a_function_over_given_inputs(graphc, files):
    assert "neg(%x)" in graphc("show", "model.py:plain", "--inputs", "i64[N]").out


def test_show_says_where_nodes_come_from(graphc, files):
    out = graphc("show", "model.py:model", "--provenance").out
    assert "// model.py:15, Net.fc" in out
    assert "// model.py:16, Net" in out


def test_a_step_prints_as_it_runs_and_after_each_stage(graphc, files):
    final = gc.parse(graphc("show", "model.py:step").out)
    assert final.count("affine") == 0
    assert len(final.updates) == 2
    traced = gc.parse(graphc("show", "model.py:step", "--after", "trace").out)
    assert traced.count("affine") == 1
    assert traced.updates == ()
    differentiated = gc.parse(graphc("show", "model.py:step", "--after", "autodiff").out)
    assert len(differentiated.outputs) == 3
    assert "stages are trace, autodiff, optimizer" in graphc("show", "model.py:step", "--after", "nix").err


def test_an_executable_has_its_own_stages(graphc, files):
    assert gc.parse(graphc("show", "model.py:predict").out).count("affine") == 0
    assert gc.parse(graphc("show", "model.py:predict", "--after", "trace").out).count("affine") == 1


def test_after_runs_the_default_pipeline_up_to_the_pass(graphc, files):
    assert graphc("show", "f.ir", "--after", "trace").out == IR
    before = gc.parse(graphc("show", "f.ir", "--after", "fold").out)
    after = gc.parse(graphc("show", "f.ir", "--after", "dce").out)
    assert before.count("sin") == 1
    assert after.count("sin") == after.count("neg") == 0


def test_after_stops_before_later_passes(graphc, files, monkeypatch):
    from graphc import passes

    def fails(graph):
        raise AssertionError("a later pass ran")

    monkeypatch.setattr(passes, "default_pipeline", lambda: passes.Pipeline(["dce", fails]))
    assert gc.parse(graphc("show", "f.ir", "--after", "dce").out).count("sin") == 0


# -- opt --------------------------------------------------------------------------------------------------------------


def test_opt_runs_passes_in_order(graphc, files):
    code, out, err = graphc("opt", "f.ir", "-p", "algebra, dce")
    assert (code, err) == (0, "")
    assert [node.op.name for node in gc.parse(out).nodes] == ["exp"]
    Path("g.ir").write_text(out)
    assert graphc("opt", "g.ir", "-p", "algebra,dce").out == out
    assert graphc("opt", "f.ir", "-p", "").out == IR


def test_opt_runs_the_default_pipeline(graphc, files):
    wanted = gc.compile(gc.parse(IR)).graph
    assert graphc("opt", "f.ir").out == f"{wanted}\n"


def test_opt_reads_and_writes_streams_and_files(graphc, files, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(IR))
    assert graphc("opt", "-", "-p", "dce", "-o", "out.ir") == (0, "", "")
    assert Path("out.ir").read_text() == graphc("opt", "f.ir", "-p", "dce").out


def test_opt_leaves_the_old_file_when_a_pass_is_unknown(graphc, files):
    Path("out.ir").write_text("old")
    code, out, err = graphc("opt", "f.ir", "-p", "dcee", "-o", "out.ir")
    assert (code, out) == (1, "")
    assert err == "ArgumentError: no pass is named 'dcee'; did you mean dce?\n"
    assert Path("out.ir").read_text() == "old"


def test_load_brings_passes_and_ops_of_ones_own(graphc, files, monkeypatch):
    from graphc.op import REGISTRY
    from graphc.passes import PASSES

    monkeypatch.setattr("graphc.op.REGISTRY", REGISTRY)
    Path("mine.py").write_text(
        "import graphc as gc\n"
        "@gc.composite()\ndef cli_twice(x):\n    return x + x\n"
        "@gc.register_pass('cli_nothing')\ndef nothing(graph):\n    return graph\n"
    )
    Path("own.ir").write_text("graph @g(%x: f32[N]) {\n  %y: f32[N] = cli_twice(%x)\n  return %y\n}\n")
    try:
        assert graphc("opt", "own.ir", "-p", "cli_nothing").code == 1
        assert graphc("--load", "mine.py", "opt", "own.ir", "-p", "cli_nothing").out == Path("own.ir").read_text()
        assert gc.parse(graphc("--load", "mine.py", "show", "own.ir", "--after", "decompose").out).count("add") == 1
    finally:
        del REGISTRY["cli_twice"], PASSES["cli_nothing"]


# -- diff -------------------------------------------------------------------------------------------------------------


def test_diff_of_equal_graphs_is_empty(graphc, files):
    assert graphc("diff", "f.ir", "f.ir", "--exit-code") == (0, "", "")


def test_diff_shows_what_changed(graphc, files):
    Path("g.ir").write_text(IR.replace("exp(%b)", "exp(%x)"))
    code, out, _ = graphc("diff", "f.ir", "g.ir")
    assert code == 0
    assert "-   %c: f32[N,3] = exp(%b)" in out
    assert "+   %c: f32[N,3] = exp(%x)" in out
    assert graphc("diff", "f.ir", "g.ir", "--exit-code").code == 1
    assert graphc("diff", "f.ir", "g.ir", "--after", "dce").out == ""


def test_diff_of_two_names_of_one_file_runs_it_once(graphc, files):
    Path("model.py").write_text("print('once')\n" + MODEL)
    assert graphc("diff", "model.py:f", "model.py:f.graph").out == "once\n"


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nix.ir", "nix.ir: No such file or directory"),
        ("nix.py:f", "nix.py: No such file or directory"),
        (
            "model.py:nix",
            "ArgumentError: model.py has no name 'nix'; there is model.py:Net, model.py:f, model.py:gradient",
        ),
        ("model.py", "ArgumentError: model.py: say which of its names to show: model.py:Net, model.py:f"),
        ("model.py:number", "ArgumentError: model.py:number (int) is no graph, gc.function, module"),
        ("model.py:plain", "ArgumentError: model.py:plain (function) is no graph"),
        ("bad.ir", "ParseError: bad.ir:2:22: "),
        ("model.py:missing_name", "AttributeError: graphc has no name 'nix'\n  raised at model.py:30"),
        ("bad.py:f", "NameError: name 'undefined' is not defined\n  raised at bad.py:2"),
        ("syntax.py:f", "SyntaxError: invalid syntax (syntax.py, line 1)\n"),
        ("shape.py:f", "ShapeError: "),
        (".", ".: Is a directory"),
    ],
)
def test_one_message_and_no_traceback(graphc, files, target, message):
    Path("bad.ir").write_text(IR.replace("neg(%x)", "neg(%y)"))
    Path("bad.py").write_text("import graphc as gc\nundefined\n")
    Path("syntax.py").write_text("def f(:\n")
    Path("shape.py").write_text(
        "import graphc as gc\n\n\ndef f():\n    return gc.trace(lambda x, y: x + y, gc.f32[2], gc.f32[3])\n"
    )
    code, out, err = graphc("show", target)
    assert (code, out) == (1, "")
    assert err.startswith(message)
    assert "Traceback" not in err


def test_errors_name_the_users_line(graphc, files):
    Path("shape.py").write_text(
        "import graphc as gc\n\n\ndef g(x, y):\n    return x + y\n\n\n"
        "def f():\n    return gc.trace(g, gc.f32[2], gc.f32[3])\n"
    )
    err = graphc("show", "shape.py:f").err
    assert err.splitlines()[0].startswith("ShapeError: add: shapes (2,) and (3,) do not broadcast")
    assert err.splitlines()[-1] == "  declared at shape.py:5"


@pytest.mark.parametrize("wish", ["option", "environment"])
def test_a_traceback_on_request(graphc, files, monkeypatch, wish):
    from graphc.cli import main

    options = ["--traceback"] if wish == "option" else []
    if wish == "environment":
        monkeypatch.setenv("GRAPHC_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        main([*options, "show", "nix.ir"])


@pytest.mark.parametrize("arguments", [(), ("show",), ("nix",), ("show", "f.ir", "--nix"), ("diff", "f.ir")])
def test_a_command_written_wrongly_exits_with_2(graphc, files, arguments):
    assert graphc(*arguments).code == 2
