"""What users read when something is wrong: one golden file per mistake, with the mistake above its error.

The mistakes are the functions in `cases/`. The files count lines from the mistake's own first line, so that they hold
when others change.
"""

import inspect
import re

import pytest

import graphc as gc
from errors.cases import calls, graphs, shapes, texts, tracing

CASES = {
    name: case
    for module in (shapes, calls, tracing, graphs, texts)
    for name, case in vars(module).items()
    if inspect.isfunction(case) and case.__module__ == module.__name__
}


@pytest.mark.parametrize("name", CASES)
def test_error(name, golden):
    case = CASES[name]
    lines, first = inspect.getsourcelines(case)
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- the golden file has its class and text
        case()
    text = f"{caught.type.__name__}: {caught.value}"
    text = re.sub(r"\S*[/\\](?=model\.safetensors)", "", text)
    text = re.sub(r"\(Error while deserializing.*\)", "(…)", text)  # the words of another package
    text = re.sub(
        r"(?:shapes|calls|tracing|graphs|texts)\.py:(\d+)",
        lambda match: f"{name}.txt:{int(match[1]) - first + 1}",
        text,
    )
    golden(f"errors/{name}.txt", "".join(lines) + "\n" + text)


def test_every_golden_file_has_its_case(request):
    files = {path.stem for path in request.path.parent.glob("*.txt")}
    assert files == set(CASES)


def test_every_error_class_has_a_case(request):
    shown = "".join(path.read_text(encoding="utf-8") for path in request.path.parent.glob("*.txt"))
    classes = [c for c in vars(gc.errors).values() if inspect.isclass(c) and issubclass(c, gc.errors.GraphcError)]
    missing = {c.__name__ for c in classes if f"\n{c.__name__}: " not in shown}
    assert missing == {"GraphcError"}
