"""Golden files themselves: equal text passes, other text fails with a diff, `--update-golden` rewrites."""

from pathlib import Path

import pytest

from golden_files import check_golden, pass_cases, read_pass_case

CASE = "// RUN: fold, dce\n// a comment\ngraph @f() {\n}\n// ---\ngraph @f() {\n  return\n}\n"


def test_equal_text_passes_and_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    written = path.stat().st_mtime_ns
    check_golden(path, "one\ntwo", update=False)
    check_golden(path, "one\ntwo\n", update=True)
    assert path.stat().st_mtime_ns == written


def test_other_text_fails_with_a_diff(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)differs; .*\n-two\n\+three"):
        check_golden(path, "one\nthree", update=False)
    assert path.read_text() == "one\ntwo\n"


def test_a_missing_file_fails_even_for_empty_text(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="does not exist"):
        check_golden(tmp_path / "absent.txt", "\n", update=False)


def test_update_writes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    check_golden(path, "one", update=True)
    assert path.read_text() == "one\n"


def test_pass_case_reads_and_renders(tmp_path: Path) -> None:
    path = tmp_path / "case.ir"
    path.write_text(CASE)
    case = read_pass_case(path)
    assert case.passes == ("fold", "dce")
    assert case.before == "// a comment\ngraph @f() {\n}\n"
    assert case.after == "graph @f() {\n  return\n}\n"
    assert case.expecting(case.after) == CASE.replace("fold, dce", "fold,dce")


def test_pass_case_without_expectation_can_be_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "case.ir"
    path.write_text("// RUN: dce\ngraph @f() {\n}\n")
    assert read_pass_case(path).expecting("graph @g() {\n}") == (
        "// RUN: dce\ngraph @f() {\n}\n// ---\ngraph @g() {\n}\n"
    )


@pytest.mark.parametrize("first", ["graph @f() {", "// RUN:", "// RUN: ,"])
def test_pass_case_needs_passes(tmp_path: Path, first: str) -> None:
    path = tmp_path / "case.ir"
    path.write_text(f"{first}\n}}\n")
    with pytest.raises(ValueError, match="first line must be"):
        read_pass_case(path)


def test_a_folder_without_cases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no golden files"):
        pass_cases(tmp_path)
