"""What an executable gives and leaves behind, against the interpreter on the graph before any pass.

    executable = same_on_both(graph, x, w)                  # compiles, runs, compares
    same_results(executable, x_of_another_size, w)          # outputs, and all state after the call

The interpreter starts from the same state in every call, so that differences do not add up.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gc
from graphc.dim import evaluate_extent
from graphc.interpret import run
from graphc.ir import Graph

sys.path.insert(0, str(Path(__file__).parent))
from on_cpu import agree

Array = np.ndarray[Any, Any]


def as_tuple(results: Any) -> tuple[Array, ...]:
    return results if isinstance(results, tuple) else (results,)


def same_on_both(graph: Graph, *arrays: Any, **options: Any) -> Any:
    """The cpu executable of a graph, which does on these arrays what the interpreter does."""
    executable = gc.compile(graph, backend="cpu")
    same_results(executable, *arrays, **options)
    return executable


def same_results(executable: Any, *arrays: Any, scale: float = 0.0) -> None:
    """Compare one call's outputs, and the state after it, with the interpreter's.

    `scale` is the size of numbers that a result is a difference of.
    """
    stages = executable.stages
    graph = stages["optimizer" if "optimizer" in stages else "trace"].graph
    with np.errstate(all="ignore"):
        expected, updates = run(graph, arrays)
    given = as_tuple(executable(*arrays))
    cells = {state.value: state.cell for state in graph.state}
    named = [(value.name, *pair) for value, *pair in zip(graph.outputs, given, expected, strict=True)]
    named += [(old.name, cells[old].storage, array) for (old, _), array in zip(graph.updates, updates, strict=True)]
    for name, got, want in named:
        try:
            agree(got, want, scale)
        except AssertionError as error:
            error.add_note(f"%{name} of @{graph.name} for inputs of {[np.shape(array) for array in arrays]}")
            raise


def together(functions: Sequence[Callable[..., Any]], *specs: Any, name: str = "together") -> Graph:
    """One graph that applies each function to inputs of its own, of these types."""
    count = len(specs)

    def call(*tensors: Any) -> Any:
        return tuple(f(*tensors[count * i : count * (i + 1)]) for i, f in enumerate(functions))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [f"{letter}{i}" for i in range(len(functions)) for letter in "xyzw"[:count]]
    call.__signature__ = inspect.Signature([inspect.Parameter(each, kind) for each in names])  # type: ignore[attr-defined]
    graph: Graph = gc.trace(call, *specs * len(functions), name=name)
    return graph


def normal(generator: np.random.Generator, dtype: Any, *shape: int) -> Array:
    array: Array = generator.standard_normal(shape).astype(dtype.numpy)
    return array


def cotangents(graph: Graph, inputs: int, dims: dict[str, int]) -> list[Array]:
    """Arrays for the inputs that `gc.vjp` has added to a graph of so many inputs."""
    generator = np.random.default_rng(11)
    return [
        normal(generator, value.type.dtype, *(evaluate_extent(extent, dims) for extent in value.type.shape))
        for value in graph.inputs[inputs:]
    ]
