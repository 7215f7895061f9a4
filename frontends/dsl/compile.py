"""`gc.compile`: from a graph, a function or a module to an executable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.collector import collection_held_back
from graphc.dsl.function import Function
from graphc.dsl.trace import trace
from graphc.errors import ArgumentError
from graphc.ir import Graph
from graphc.types import is_spec


def compile(
    target: Graph | Callable[..., Any],
    inputs: Any = None,
    *,
    backend: str = "cpu",
    pipeline: Any = None,
    threads: int | None = None,
    memory_budget: Any = None,
) -> Any:
    """Compile a graph, or trace and compile a function or a module over `inputs`.

        exe = gc.compile(g)
        predict = gc.compile(model.eval(), inputs=gc.f32["N", 784])
        predict(images)                                          # f32[N,10]

    `inputs` is one spec or a tuple of them; `pipeline` a `Pipeline`, or names and functions of passes, the default
    pipeline when None. `memory_budget` limits the arena for temporaries: bytes or such as "64MB", and the extents that
    it is meant for where the graph has named ones, `("64MB", {"N": 128})`; values are computed again until it fits.
    Raises BackendError for a backend that does not exist, VerifyError for a pass that breaks the graph,
    MemoryBudgetError for a budget that cannot be kept.
    """
    import graphc

    graphc.backends.find_backend(backend)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ArgumentError(f"threads is {threads!r}; it takes a positive integer, or None for GRAPHC_NUM_THREADS")
    with collection_held_back():
        graph = as_graph(target, inputs)
        return graphc.backends.build(as_pipeline(pipeline).run_later(graph), backend, threads, memory_budget)


def as_graph(target: Graph | Callable[..., Any], inputs: Any) -> Graph:
    """The graph to compile."""
    if isinstance(target, Graph):
        if inputs is not None:
            raise ArgumentError("a graph has its inputs already; give inputs only with a function or a module")
        return target
    if isinstance(target, Function) and inputs is None:
        return target.graph
    if not callable(target):
        raise ArgumentError(f"compile takes a graph, a function or a module, not {type(target).__name__}")
    return trace(target, *as_specs(inputs))


def as_specs(inputs: Any) -> Sequence[Any]:
    """One spec or a sequence of them, as a sequence."""
    if inputs is None:
        return ()
    return (inputs,) if is_spec(inputs) or not isinstance(inputs, tuple | list) else tuple(inputs)


def as_pipeline(pipeline: Any) -> Any:
    """The default pipeline for None, a `Pipeline` as it is; a pipeline of passes, or of names such as "cse,dce"."""
    import graphc

    if pipeline is None:
        return graphc.passes.default_pipeline()
    if isinstance(pipeline, str):
        pipeline = [name.strip() for name in pipeline.split(",")]
    if not isinstance(pipeline, graphc.passes.Pipeline | Sequence):
        raise ArgumentError(f"pipeline is a Pipeline, names of passes or a list of passes, not {pipeline!r}")
    return pipeline if isinstance(pipeline, graphc.passes.Pipeline) else graphc.passes.Pipeline(pipeline)
