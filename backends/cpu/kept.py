"""Steps that another process has made of the same graph: found in the cache, so that no pass has to run.

    key = key_of(stages)                    # None where the passes are to run in any case
    keep(key, program, source)              # this process has made them
    kept = find(key, stages)                # another one has: kept.steps, or None

What is kept is what a table is made of: the kernels with their texts, and for each step what the words of its row stand
for. It is JSON behind the bytes of the graph's constants, in a file of the cache (`graphc.backends.cache`), so it is
checked, written, pruned and owned as objects are. Nothing in it is code but the texts of kernels, which are compiled as
any others. The graphs of the stages, the ledger and the nests are not kept: passes make them again when somebody looks.

Small graphs are lowered sooner than found, and a memory budget has many plans: for those, the passes run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graphc.admission import admit, asked
from graphc.backends import cache
from graphc.backends.cpu.kept_steps import StepsReader, StepsWriter
from graphc.backends.cpu.kernels import surroundings
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.steps import Steps
from graphc.backends.fingerprint import fingerprint
from graphc.errors import GraphcError
from graphc.ir import Graph, Literal
from graphc.passes.pipeline import Stages
from graphc.passes.stored import name_of
from graphc.text.parser import parse

LEAST_NODES = 200  # of a graph that is worth a file: lowering takes 0.3 ms for each
LOOP_WEIGHT = 50  # nodes that a loop counts for: its region is prepared, fused and lowered by itself


@dataclass(frozen=True)
class Kept:
    """Steps as they were made, without the nodes and nests that they were made of."""

    steps: Steps
    admission: str  # the text of a graph of what is asked about named extents

    def admits(self, dims: Mapping[str, int]) -> bool:
        """Whether the ops of the graph after the passes take these extents."""
        try:
            admit(parse(self.admission), dims)
        except GraphcError:
            return False
        return True


def key_of(stages: Stages) -> str | None:
    """What the steps of a graph are kept under; None where they are not kept."""
    graph = _given(stages)
    if stages.pipeline is None or _weight(graph) < LEAST_NODES:
        return None
    return fingerprint(graph, stages.pipeline, repr(machine()), *surroundings())


def keep(key: str, steps: Steps, source: Graph) -> None:
    """Keep the steps that were made of a graph, for the next process; `source` is the graph after the passes."""
    results = (*steps.graph.outputs, *(new for _, new in steps.graph.updates))
    names = {name_of(state) for state in source.state}  # by which the state is found again
    if len(names) < len(source.state) or any(state.value.name not in names for state in steps.graph.state):
        return
    if any(isinstance(value, Literal) for value in results):
        return
    writer = StepsWriter()
    content = writer.steps(steps) | {"key": key, "admission": str(asked(source))}
    path = _path(key)
    cache.make_room(path.parent, cache.write(path, b"".join(writer.arrays), content))


def find(key: str, stages: Stages) -> Kept | None:
    """The steps that were made of such a graph, over the state of this one; None where there are none."""
    found = cache.read(_path(key))
    if found is None or found[1].get("key") != key:
        return None
    data, content = found
    return Kept(StepsReader(data, content).steps(_given(stages)), content["admission"])


def _weight(graph: Graph) -> int:
    """The nodes of a graph, those in regions too, and what a region takes by itself."""
    return sum(LOOP_WEIGHT if node.regions else 1 for node in graph.walk())


def _given(stages: Stages) -> Graph:
    """The graph that the passes are to run over."""
    return next(reversed(stages.known.values())).graph


def _path(key: str) -> Path:
    return cache.folder("cpu") / f"{key}{cache.STEPS}"
