"""A rewrite rule and a pass of one's own, put into the pipeline by name.

Run `python examples/own_pass.py`: shows what each changed, and that the results stay the same.
"""

import numpy as np

import graphc as gc
from graphc.nn import functional as F
from graphc.passes import RewritePass, default_pipeline

# -- a rule: before and after, as one would write the formula ---------------------------------------------------------


@gc.rule
def product_of_exponentials(a, b):
    """e^a · e^b  →  e^(a + b)"""
    return gc.exp(a) * gc.exp(b), gc.exp(a + b)


merge_exponentials = RewritePass("merge_exponentials", [product_of_exponentials])


# -- a pass: a function from graph to graph ---------------------------------------------------------------------------


@gc.register_pass("drop_dropout")
def drop_dropout(graph):
    """Read what dropout reads instead of what it gives."""
    instead = {node.result: node.operands[0] for node in graph.nodes if node.op.name == "dropout"}

    def reading(values):
        return tuple(instead.get(value, value) for value in values)

    nodes = (node.with_operands(reading(node.operands)) for node in graph.nodes if node.op.name != "dropout")
    return graph.with_(nodes=tuple(nodes), outputs=reading(graph.outputs))


def f(x, y, z):
    """A product of exponentials, with dropout."""
    h = gc.exp(x) * gc.exp(y) * gc.exp(z)
    return F.dropout(h, 0.5)


graph = gc.trace(f, gc.f64["N"], gc.f64["N"], gc.f64["N"])
pipeline = default_pipeline().before("decompose", "drop_dropout").after("algebra", merge_exponentials)
exe = gc.compile(graph, pipeline=pipeline)


def main():
    """Show what changed, and that the results are the same."""
    print(graph, "\n")
    print(exe.diff("drop_dropout"), "\n")
    print(exe.diff("merge_exponentials"), "\n")
    print(exe.graph, "\n")
    print(exe.stages)

    assert exe.graph.count("exp") == 1
    assert exe.stages["merge_exponentials"].counts == {"product_of_exponentials": 2}
    assert exe.stages["drop_dropout"].graph.count("dropout") == 0
    x, y, z = np.random.default_rng(0).standard_normal((3, 5))
    np.testing.assert_allclose(exe(x, y, z), np.exp(x) * np.exp(y) * np.exp(z), rtol=1e-14)


if __name__ == "__main__":
    main()
