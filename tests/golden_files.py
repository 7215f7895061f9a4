"""Golden files: expected text that lives beside the tests, is compared exactly and rewritten on request.

A plain golden file is the text itself. A pass's golden file (`*.ir`) holds a whole case, so that one reads
input and expectation together:

    // RUN: canonicalize,dce
    graph @f(%x: f32[4]) { ... }
    // ---
    graph @f(%x: f32[4]) { ... }

    @pytest.mark.parametrize("path", pass_cases("dce"), ids=lambda path: path.stem)
    def test_dce(path, golden):
        case = read_pass_case(path)
        golden(path, case.expecting(str(run(case.passes, gc.parse(case.before)))))
"""

from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
RUN = "// RUN:"
SEPARATOR = "// ---"


def check_golden(path: Path, text: str, *, update: bool) -> None:
    """Fail with a unified diff unless `path` holds `text` (a final newline is added); `update` rewrites."""
    __tracebackhide__ = True
    text = text if text.endswith("\n") else text + "\n"
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if text == expected and path.exists():
        return
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    name = path.relative_to(TESTS) if path.is_relative_to(TESTS) else path
    missing = "" if path.exists() else " (the file does not exist)"
    lines = unified_diff(expected.splitlines(), text.splitlines(), f"{name}: expected", f"{name}: came", lineterm="")
    difference = "\n".join(lines) or "only blank lines at the end differ"
    pytest.fail(f"golden file {name} differs{missing}; `pytest --update-golden` rewrites it\n{difference}", False)


@dataclass(frozen=True)
class PassCase:
    """One pass's golden file: the passes to run, the graph before, the graph after (maybe empty)."""

    passes: tuple[str, ...]
    before: str
    after: str

    def expecting(self, after: str) -> str:
        """The text of the file that expects `after`."""
        case = replace(self, after=after)
        parts = [f"{RUN} {','.join(case.passes)}", case.before.strip("\n"), SEPARATOR, case.after.strip("\n")]
        return "\n".join(parts) + "\n"


def read_pass_case(path: str | Path) -> PassCase:
    """Read tests/`path`: `PassCase(passes=("fold", "dce"), before="graph @f…", after="graph @f…")`.

    ValueError names the file when the `// RUN:` line is missing or names no pass.
    """
    run, _, rest = (TESTS / path).read_text(encoding="utf-8").partition("\n")
    passes = tuple(name.strip() for name in run.removeprefix(RUN).split(",") if name.strip())
    if not run.startswith(RUN) or not passes:
        raise ValueError(f"{path}: the first line must be '{RUN} PASS,PASS', but is {run!r}")
    before, _, after = rest.partition(f"\n{SEPARATOR}\n")
    return PassCase(passes, before + "\n", after)


def pass_cases(folder: str | Path) -> list[Path]:
    """All `*.ir` files in tests/`folder`, sorted; ValueError when there are none, which tests nothing."""
    paths = sorted((TESTS / folder).glob("*.ir"))
    if not paths:
        raise ValueError(f"no golden files (*.ir) in tests/{folder}")
    return paths
