"""The code of docs/writing_a_pass.md runs as it stands, and prints what the page says."""

import re
import runpy

import pytest

import graphc as gc
from golden_files import TESTS
from graphc.nn import functional as F
from graphc.passes import PASSES, apply_rules
from graphc.text.parser import parse

PAGE = TESTS.parent / "docs" / "writing_a_pass.md"


@pytest.fixture
def page(tmp_path, capsys):
    """What the page's code defines and prints, each block in turn."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    script = tmp_path / "page.py"  # a real file, for rules name what stands in their source
    script.write_text("\n\n".join(blocks), encoding="utf-8")
    try:
        yield runpy.run_path(str(script)), capsys.readouterr().out
    finally:
        PASSES.pop("drop_dropout", None)


def test_the_page_runs_and_prints_what_it_shows(page):
    _, printed = page
    shown = re.search(r"^```\n(graph @f.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert printed.startswith(shown[1])
    assert printed[len(shown[1]) :] == "{'product_of_exponentials': 2}\n"


def test_the_rules_on_the_page_apply(page):
    names, _ = page
    for name, text, ops in [
        ("logarithm_of_scaled_exponential", "(%x: f32[N]) { %a: f32[N] = exp(%x) %b: f32[N] = mul(%a, 2.0)"
         " %y: f32[N] = log(%b) return %y }", ["add"]),
        ("negation_out_of_sum", "(%x: f32[N,3]) { %a: f32[N,3] = neg(%x) %y: f32[3] = sum(%a, axis=(0,)) return %y }",
         ["sum", "neg"]),
        ("concat_of_itself", "(%x: f32[N]) { %y: f32[N] = concat(%x, axis=0) return %y }", []),
    ]:  # fmt: skip
        graph, counts = apply_rules(parse(f"graph @f{text}"), [names[name]])
        assert counts == {name: 1}
        assert [node.op.name for node in graph.nodes] == ops
    graph = gc.trace(lambda x: F.dropout(x * 2, 0.5) + 1, gc.f32["N"])
    assert graph.count("dropout") == 1
    assert PASSES["drop_dropout"](graph).count("dropout") == 0
