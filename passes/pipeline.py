"""A pipeline runs passes over a graph and keeps every graph on the way.

    stages = Pipeline(["decompose", "canonicalize", "cse", "dce"]).run(graph)
    stages["cse"].graph, stages["cse"].seconds, stages["cse"].counts

A pass is a function `Graph -> Graph` (or one giving the graph and counts of what it did). The pipeline verifies the
graph that it is given and the graph after every pass, times each, and names the pass in errors.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.collector import collection_held_back
from graphc.errors import ArgumentError
from graphc.ir import Graph
from graphc.verify import verify

PassFunction = Callable[[Graph], Any]


@dataclass(frozen=True)
class Pass:
    """A named function `Graph -> Graph`."""

    name: str
    function: PassFunction
    doc: str = ""

    def __call__(self, graph: Graph) -> Graph:
        return self.run(graph)[0]

    def run(self, graph: Graph) -> tuple[Graph, Mapping[str, int]]:
        """The new graph, and how often each of the pass's rules applied, where it counts them."""
        try:
            given = self.function(graph)
        except Exception as error:
            error.add_note(f"in pass {self.name!r} over @{graph.name}")
            raise
        new, counts = given if isinstance(given, tuple) else (given, {})
        if not isinstance(new, Graph):
            raise ArgumentError(f"pass {self.name!r} gave {type(new).__name__} instead of a Graph")
        return new, counts

    def settled(self) -> Pass:
        """The pass as it is now: a set of rules may change before it runs."""
        return self


PASSES: dict[str, Pass] = {}


def register_pass(name: str) -> Callable[[PassFunction], PassFunction]:
    """Register a function `Graph -> Graph`, or a `Pass`, so that pipelines and the command line find it by name.

    @gc.passes.register_pass("drop_dropout")
    def drop_dropout(graph): ...
    """

    def register(function: PassFunction) -> PassFunction:
        if name in PASSES and function not in (PASSES[name], PASSES[name].function):
            raise ArgumentError(f"a pass named {name!r} is registered already")
        if isinstance(function, Pass):
            PASSES[name] = function
        else:
            PASSES[name] = Pass(name, function, (function.__doc__ or "").strip())
        return function

    return register


def find_pass(given: str | Pass | PassFunction) -> Pass:
    """A pass from its name, or from a plain function; ArgumentError with close matches for an unknown name."""
    if isinstance(given, Pass):
        return given
    if isinstance(given, str):
        if given not in PASSES:
            import difflib

            close = difflib.get_close_matches(given, PASSES, n=3) or sorted(PASSES)
            raise ArgumentError(f"no pass is named {given!r}; did you mean {', '.join(close)}?")
        return PASSES[given]
    if callable(given):
        name = str(getattr(given, "name", None) or getattr(given, "__name__", type(given).__name__))
        return Pass(name, given, (given.__doc__ or "").strip())
    raise ArgumentError(f"a pass is a name or a function Graph -> Graph, not {given!r}")


@dataclass(frozen=True)
class Stage:
    """The graph after a pass, the seconds that it took, and what it counted."""

    name: str
    graph: Graph
    seconds: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)


class Stages(Mapping[str, Stage]):
    """The stages of a compilation by name, in order; a pass that runs twice has `name` and `name.2`.

    Passes may wait until somebody looks at what they give: `stages.later(work)`. All that is asked here, but for
    `known` and `pipeline`, lets them run.
    """

    def __init__(self, stages: Sequence[Stage] = (), pipeline: Pipeline | None = None) -> None:
        self.known: dict[str, Stage] = {}  # the stages that there are so far
        self.pipeline = pipeline  # whose passes wait, if they do
        self._waiting: list[Callable[[Stages], None]] = []
        self._turn = threading.RLock()
        for stage in stages:
            self.append(stage)

    def append(self, stage: Stage) -> None:
        name, count = stage.name, 1
        while name in self.known:
            count += 1
            name = f"{stage.name}.{count}"
        self.known[name] = Stage(name, stage.graph, stage.seconds, stage.counts)

    def later(self, work: Callable[[Stages], None]) -> None:
        """Have more stages appended once somebody looks; what waits runs in order, and once."""
        self._waiting.append(work)

    @property
    def _stages(self) -> dict[str, Stage]:
        """All stages."""
        with self._turn:
            if self._waiting:
                before, waiting = dict(self.known), self._waiting
                self._waiting = []  # passes look at the stages before them
                try:
                    with collection_held_back():
                        for work in waiting:
                            work(self)
                except BaseException:
                    self.known, self._waiting = before, waiting
                    raise
            return self.known

    def __getitem__(self, name: str) -> Stage:
        if name not in self._stages:
            raise KeyError(f"no stage {name!r}; stages are {', '.join(self._stages)}")
        return self._stages[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    @property
    def first(self) -> Stage:
        """The graph as it was traced."""
        return next(iter(self.known.values()))

    @property
    def last(self) -> Stage:
        return list(self._stages.values())[-1]

    @property
    def size(self) -> str:
        """How many nodes there are after the passes, in words; where passes wait, they go on waiting."""
        return "kept steps" if self._waiting else f"{self.last.graph.count()} nodes"

    def before(self, name: str) -> Stage:
        """The stage before another: `stages.before("cse")`."""
        names = list(self._stages)
        index = names.index(self[name].name)
        return self._stages[names[max(index - 1, 0)]]

    def __str__(self) -> str:
        lines = [f"{'stage':<20} {'nodes':>6} {'ms':>9}"]
        for stage in self._stages.values():
            counts = ", ".join(f"{rule} {n}" for rule, n in stage.counts.items())
            lines.append(f"{stage.name:<20} {stage.graph.count():>6} {stage.seconds * 1e3:>9.2f}  {counts}".rstrip())
        return "\n".join(lines)

    __repr__ = __str__


class Pipeline:
    """Passes in order; each an instance, a registered name, or a plain function."""

    def __init__(self, passes: Sequence[str | Pass | PassFunction]) -> None:
        self.passes = tuple(find_pass(p) for p in passes)

    def run(self, graph: Graph, stages: Stages | None = None) -> Stages:
        """Run all passes; the result's first stage is "trace", the graph as given, unless `stages` goes before.

        Raises VerifyError naming the pass whose graph is not sound.
        """
        if stages is None:
            stages = Stages([Stage("trace", verify(graph))])
        self._append_to(stages, graph)
        return stages

    def run_later(self, graph: Graph, stages: Stages | None = None) -> Stages:
        """The stages that `run` gives, whose passes wait until somebody looks at them, such as a backend."""
        waiting = Stages([Stage("trace", verify(graph))] if stages is None else [*stages.known.values()], self)
        settled = Pipeline([each.settled() for each in self.passes])
        waiting.later(lambda waiting: settled._append_to(waiting, graph))
        return waiting

    def _append_to(self, stages: Stages, graph: Graph) -> None:
        for each in self.passes:
            start = time.perf_counter()
            new, counts = each.run(graph)
            seconds = time.perf_counter() - start
            if new is not graph:  # which has been verified
                graph = verify(new, after=each.name)
            stages.append(Stage(each.name, graph, seconds, counts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.passes)

    def before(self, name: str, added: str | Pass | PassFunction) -> Pipeline:
        """A pipeline with another pass before the first one of this name."""
        index = self._index(name)
        return Pipeline([*self.passes[:index], added, *self.passes[index:]])

    def after(self, name: str, added: str | Pass | PassFunction) -> Pipeline:
        """A pipeline with another pass after the last one of this name."""
        index = len(self.passes) - 1 - self.names[::-1].index(self.passes[self._index(name)].name)
        return Pipeline([*self.passes[: index + 1], added, *self.passes[index + 1 :]])

    def without(self, name: str) -> Pipeline:
        """A pipeline without the passes of this name."""
        self._index(name)
        return Pipeline([p for p in self.passes if p.name != name])

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise ArgumentError(f"the pipeline has no pass {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)

    def __repr__(self) -> str:
        return f"Pipeline([{', '.join(self.names)}])"
