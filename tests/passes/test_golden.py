"""Golden graphs, one folder a pass: fires, must not fire, already done. Each is executed before and after, too."""

from pathlib import Path

import pytest

from golden_files import TESTS, pass_cases, read_pass_case
from graphc.passes import find_pass
from graphc.passes.pipeline import Pipeline
from graphc.text.parser import parse
from pass_equivalence import assert_equivalent

PASSES = sorted(path.name for path in (TESTS / "passes").iterdir() if list(path.glob("*.ir")))
CASES = [path.relative_to(TESTS) for name in PASSES for path in pass_cases(f"passes/{name}")]

# What these do holds for real numbers; the others keep NaN, infinities and -0.0.
LAWS_OF_REAL_NUMBERS = {"split_reductions", "fold_batch_norm"}


def case_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_golden_graph(path, golden):
    case = read_pass_case(path)
    before = parse(case.before)
    after = Pipeline(case.passes).run(before).last.graph
    golden(path, case.expecting(str(after)))
    assert_equivalent(before, after, special=LAWS_OF_REAL_NUMBERS.isdisjoint(case.passes))


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_the_result_stays_as_it_is(path):
    case = read_pass_case(path)
    after = Pipeline(case.passes).run(parse(case.before)).last.graph
    again = Pipeline(case.passes).run(after).last.graph
    assert str(again) == str(after)


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_has_the_three_kinds_of_cases(name):
    stems = [path.stem for path in pass_cases(f"passes/{name}")]
    assert find_pass(name).name == name
    assert "must_not_fire" in stems
    assert "already_done" in stems
    for path in pass_cases(f"passes/{name}"):
        case = read_pass_case(path)
        before = parse(case.before)
        changed = str(find_pass(name)(before)) != str(before)
        assert changed == (path.stem not in ("must_not_fire", "already_done")), case_name(path)
