"""Modules printed as torch prints them: one line a layer, nested modules indented, equal neighbours folded.

Sequential(
  (0): Linear(in_features=784, out_features=512, bias=True)
  (1-3): 3 x ReLU()
)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphc.nn.module import Module


def module_text(module: Module) -> str:
    """`Linear(…)`, or the class with its own line and its children's, one under the other."""
    extra = module.extra_repr()
    lines = [f"({name}): {indent(repr(child))}" for name, child in module._modules.items()]
    return compose(type(module).__name__, extra, lines)


def list_text(module: Module) -> str:
    """As `module_text`, with runs of children that print the same folded: `(0-2): 3 x ReLU()`."""
    runs: list[tuple[int, int, str]] = []
    for index, child in enumerate(module._modules.values()):
        text = repr(child)
        if runs and runs[-1][2] == text:
            runs[-1] = (runs[-1][0], index, text)
        else:
            runs.append((index, index, text))
    lines = [
        f"({first}): {indent(text)}" if first == last else f"({first}-{last}): {last - first + 1} x {indent(text)}"
        for first, last, text in runs
    ]
    return compose(type(module).__name__, module.extra_repr(), lines)


def compose(title: str, extra: str, lines: list[str]) -> str:
    """The class name with what stands in its parentheses."""
    if not lines:
        return f"{title}({indent(extra)})"
    body = [*extra.splitlines(), *lines]
    return "\n  ".join([f"{title}(", *body]) + "\n)"


def indent(text: str) -> str:
    """All lines but the first two columns further in."""
    return text.replace("\n", "\n  ")
