"""The ops of the registry as Markdown tables, for docs/ir.md; a test says when the page is out of date.

python -m graphc.text.op_table        # the tables
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from graphc.op import REGISTRY, Kind, Op, no_gradient
from graphc.text.attribute_text import print_attribute

BEGIN = "<!-- ops: made by `python -m graphc.text.op_table` -->"
END = "<!-- end of ops -->"


def op_tables() -> str:
    """A table of the primitives of each kind, and one of the composites."""
    import graphc.composites
    import graphc.ops  # noqa: F401  (both fill the registry)

    kinds = [(kind, [op for op in REGISTRY.values() if op.kind is kind]) for kind in Kind]
    count = sum(not op.is_composite for op in REGISTRY.values())
    parts = [f"{count} primitives and {len(REGISTRY) - count} composites.", ""]
    for kind, ops in kinds:
        if ops:
            parts += [f"### {kind.capitalize()}", "", *_table(ops), ""]
    return "\n".join(parts).rstrip()


def with_op_tables(page: str) -> str:
    """A page with the tables between its two marks; ValueError where it lacks them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{op_tables()}\n\n{END}{after}"


def _table(ops: Iterable[Op]) -> list[str]:
    rows = [f"| `{_call(op)}` | {_derivative(op)} | {_meaning(op)} |" for op in sorted(ops, key=lambda op: op.name)]
    return ["| op | derivative | result |", "|---|---|---|", *rows]


def _call(op: Op) -> str:
    """The op as it stands in text: `sum(%x, axis=…, keepdims=False)`; operands in brackets may be missing."""
    signature = op.signature
    operands = [f"%{name}" if i < signature.required else f"[%{name}]" for i, name in enumerate(signature.operands)]
    if signature.variadic:
        operands[-1] = f"%{signature.operands[-1]}, …"
    attributes = [
        f"{name}={'…' if default is inspect.Parameter.empty else print_attribute(default)}"
        for name, default in signature.attributes.items()
    ]
    return f"{op.name}({', '.join(operands + attributes)})"


def _derivative(op: Op) -> str:
    """What reverse and forward mode find: a rule of the op, the body's, a zero, or nothing."""
    if op.vjp is no_gradient:
        return "zero"
    if op.is_composite:
        return "own rule" if op.vjp else "of its body"
    return "yes" if op.vjp else "by the passes" if op.kind is Kind.CONTROL else "none"


def _meaning(op: Op) -> str:
    first_line = op.doc.strip().split("\n\n")[0].replace("\n", " ")
    text = first_line or (f"`{op.scalar.replace('{', '').replace('}', '')}`" if op.scalar else "")
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(op_tables())
