"""What the command line takes for a graph: a file of IR text, or a name in a Python file.

    model.ir            the graph of its text; `-` reads standard input
    model.py:step       a graph, a gc.function, a training step, an executable, a module with its `inputs` spec, or a
                        function of no parameters that returns one of these

A Python file is run as a module that is not `__main__`, with its folder on `sys.path`.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphc.errors import ArgumentError
from graphc.ir import Graph
from graphc.types import TensorType, is_spec

if TYPE_CHECKING:
    from graphc.passes import Stages


def load_graph(target: str, after: str | None = None, inputs: str | None = None) -> Graph:
    """The graph of `FILE.ir` or `FILE.py:NAME`, as declared or, for a step or an executable, as it runs.

    With `after`, the graph after this pass: of a step's or an executable's own stages, else of the default pipeline.
    `inputs` are the specs of a module, as text: `f32[N,784]`. Raises OSError, ParseError, or ArgumentError for what is
    no graph.
    """
    found = _find(target, inputs)
    if isinstance(found, Graph):
        return found if after is None else _run_until(found, after)
    if after is None:
        return found.last.graph
    if after not in found:
        raise ArgumentError(f"{target} has no stage {after!r}; its stages are {', '.join(found)}")
    return found[after].graph


def _find(target: str, inputs: str | None) -> Graph | Stages:
    """The graph that a target names, or the stages of what is compiled already."""
    file, _, name = target.rpartition(":")
    if not file.endswith(".py"):
        if target.endswith(".py"):
            raise ArgumentError(f"{target}: say which of its names to show: {_offer(load_file(target), target)}")
        return _parse_file(target)
    module = load_file(file)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ArgumentError(f"{file} has no name {name!r}; there is {_offer(module, file)}")
        found = getattr(found, part)
    return _graph_of(found, target, inputs)


def _parse_file(file: str) -> Graph:
    from graphc.text.parser import parse

    if file == "-":
        return parse(sys.stdin.read(), file="standard input")
    return parse(Path(file).read_text(encoding="utf-8"), file=file)


def load_file(file: str) -> ModuleType:
    """Run a Python file as a module, once; FileNotFoundError where there is none."""
    path = Path(file)
    return _load(path.resolve(), path.stat().st_mtime_ns)


@cache
def _load(path: Path, changed: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"graphc_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ArgumentError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def _graph_of(found: Any, target: str, inputs: str | None) -> Graph | Stages:
    """The graph or the stages of what a name stands for."""
    import graphc

    if isinstance(found, Graph):
        return found
    if isinstance(found, graphc.dsl.Function):
        return found.graph
    if isinstance(getattr(found, "stages", None), graphc.passes.Stages):
        stages: Stages = found.stages
        return stages
    if isinstance(found, type) and hasattr(found, "forward"):
        found = found()
    if hasattr(found, "forward"):
        return graphc.dsl.trace(found, *_specs(found, target, inputs))
    if inspect.isfunction(found) and not inspect.signature(found).parameters:
        return _graph_of(found(), target, inputs)
    if inspect.isfunction(found) and inputs is not None:
        return graphc.dsl.trace(found, *_parse_types(inputs))
    raise ArgumentError(
        f"{target} ({type(found).__name__}) is no graph, gc.function, module, training step or executable, and no "
        "function of no parameters that returns one of these"
    )


def _specs(module: Any, target: str, inputs: str | None) -> tuple[Any, ...]:
    """The types that a module is traced over: those of the command line, or its own `inputs`."""
    if inputs is not None:
        return _parse_types(inputs)
    given = getattr(module, "inputs", None)
    if given is None:
        raise ArgumentError(
            f"{target}: a module says what it takes by an attribute `inputs`, such as "
            f'inputs = gc.f32["N", 784]; or give --inputs "f32[N,784]"'
        )
    return (given,) if is_spec(given) else tuple(given)


def _parse_types(text: str) -> tuple[TensorType, ...]:
    """`f32[N,784], i64[N]` as types; ParseError for other text."""
    from graphc.text.attribute_text import read_type
    from graphc.text.reader import Reader

    reader = Reader(text, "--inputs")
    types = [read_type(reader)]
    while not reader.at("end"):
        reader.expect(",")
        types.append(read_type(reader))
    return tuple(types)


def _run_until(graph: Graph, after: str) -> Graph:
    """The graph after a pass of the default pipeline; later passes do not run."""
    from graphc.passes import Pipeline, Stage, Stages, default_pipeline
    from graphc.verify import verify

    stages = Stages([Stage("trace", verify(graph))])
    pipeline = default_pipeline()
    for each in pipeline.passes:
        if stages.last.name == after:
            break
        stages = Pipeline([each]).run(stages.last.graph, stages)
    if stages.last.name != after:
        raise ArgumentError(
            f"the default pipeline has no stage {after!r}; it has {', '.join(stages)} (graphc opt -p runs any pass)"
        )
    return stages.last.graph


def _offer(module: ModuleType, file: str) -> str:
    """The names of a file that can be shown."""
    import graphc

    graphs = (Graph, graphc.dsl.Function, graphc.nn.Module, graphc.backends.Executable, graphc.train.TrainingStep)

    def can_be_shown(value: Any) -> bool:
        own = getattr(value, "__module__", None) == module.__name__
        declares = inspect.isfunction(value) or (isinstance(value, type) and issubclass(value, graphc.nn.Module))
        return isinstance(value, graphs) or (own and declares)

    names = [name for name, value in vars(module).items() if not name.startswith("_") and can_be_shown(value)]
    return ", ".join(f"{file}:{name}" for name in names) or "nothing in it that can be shown"
