"""A hash of all that a compilation depends on, so that another process finds what was made of the same graph.

    fingerprint(graph, pipeline)        # "3f2a…"; None where a user's own code has a part in it

Graphs are the same where they print alike, provenance included, since kernels name the user's lines. What passes and
backends do with them depends on the sources of graphc, on versions, and on the machine. Ops, passes and rules that a
user has declared are code that nobody can see the contents of: such compilations have no fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache as remembered
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.backends import cache
from graphc.ir import Graph, Literal, Node, Value

if TYPE_CHECKING:
    from graphc.passes.pipeline import Pipeline


def fingerprint(graph: Graph, pipeline: Pipeline, *surroundings: str) -> str | None:
    """32 hexadecimal digits for the graph, the passes that are to run over it, graphc itself and its surroundings."""
    from graphc.passes import comes_with_graphc

    if not comes_with_graphc(pipeline) or any(not _is_graphcs(node.op.module) for node in graph.walk()):
        return None
    text = "\n".join(_lines(graph, {}))
    return cache.digest(text, *pipeline.names, *surroundings, *_sources())


def _is_graphcs(module: str) -> bool:
    return module.partition(".")[0] == "graphc"


@remembered
def _sources() -> tuple[str, ...]:
    """Hashes of graphc, its passes and its backends."""
    import graphc
    import graphc.backends
    import graphc.passes

    packages = (graphc, graphc.passes, graphc.backends)
    return tuple(source_hash(Path(folder)) for package in packages for folder in package.__path__)


def source_hash(folder: Path) -> str:
    """A hash of all Python files of a folder and its sub-folders."""
    files = sorted(folder.rglob("*.py"))
    return cache.digest(*(part for file in files for part in (file.relative_to(folder).as_posix(), file.read_bytes())))


def _lines(graph: Graph, known: dict[int, str]) -> Iterator[str]:
    """What passes and backends see of a graph, line by line; `known` are the texts of objects that many nodes share."""
    yield graph.name
    yield ", ".join(_defined(value, known) for value in graph.inputs)
    for state in graph.state:
        yield f"{state.kind} {_defined(state.value, known)} {state.order} {state.cell is None}"
    for node in graph.nodes:
        yield _line(node, known)
        for region in node.regions:
            yield "{"
            yield from _lines(region, known)
            yield "}"
    for old, new in graph.updates:
        yield f"{old.name} <- {_read(new)}"
    yield ", ".join(map(_read, graph.outputs))


def _line(node: Node, known: dict[int, str]) -> str:
    results = ", ".join([_defined(result, known) for result in node.results])
    operands = ", ".join([_read(operand) for operand in node.operands])
    attributes = ", ".join([f"{name}={_attribute(value)}" for name, value in node.attributes.items()])
    where = known.get(id(node.provenance))
    if where is None:
        where = known[id(node.provenance)] = str(node.provenance)
    return f"{results} = {node.op.name}({operands}; {attributes}) // {where}"


def _defined(value: Value, known: dict[int, str]) -> str:
    type = known.get(id(value.type))
    if type is None:
        type = known[id(value.type)] = str(value.type)
    return f"%{value.name}: {type}"


def _read(value: Value) -> str:
    return f"{value.value!r}:{value.type.dtype}" if isinstance(value, Literal) else f"%{value.name}"


def _attribute(value: Any) -> str:
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).view(np.uint8).data if value.size else b"").hexdigest()
        return f"{value.dtype}{value.shape}{content}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_attribute, value))},)"
    return repr(value)
