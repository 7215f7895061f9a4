"""Names of the public face that stand for two functions at once."""

from __future__ import annotations

from typing import Any

from graphc.ir import Graph


def diff(first: Any, *others: Any, **options: Any) -> Any:
    """Of two graphs, what changed between them; of a tensor, the array API's n-th forward difference along an axis.

    >>> gc.diff(exe.stages["trace"].graph, exe.graph)
    """
    if isinstance(first, Graph):
        from graphc.text.diff import diff as diff_graphs

        return diff_graphs(first, *others, **options)
    from graphc.array import diff as diff_elements

    return diff_elements(first, *others, **options)
