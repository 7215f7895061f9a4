"""`trace`: run a Python function once on symbolic tensors, and keep the graph of what it computed.

>>> g = gc.trace(lambda x, w: gc.tanh(x @ w), gc.f32["N", 3], gc.f32[3, 4])
>>> print(g)
graph @lambda(%x: f32[N,3], %w: f32[3,4]) {
  %dot_general: f32[N,4] = dot_general(%x, %w, contract=((1,), (0,)), batch=((), ()))
  %tanh: f32[N,4] = tanh(%dot_general)
  return %tanh
}
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.builder import Builder
from graphc.errors import ArgumentError, GraphcError, TraceError
from graphc.ir import Graph
from graphc.op import recording
from graphc.provenance import user_line
from graphc.state import Cell
from graphc.types import TensorType, as_dtype, type_of


def trace(fn: Callable[..., Any], *specs: Any, name: str | None = None, rng: Cell | None = None) -> Graph:
    """The graph of a function, or of a module, over inputs of the given types.

    `specs` are tensor types (`gc.f32["N", 3]`), or NumPy arrays for their static shape and dtype; a tuple of specs
    stands for a parameter that takes a tuple. The function's parameter names become input names. It may return a
    tensor, or a tuple, list or dict of them, which becomes a flat tuple of outputs. `rng` is the cell that random ops
    count in (a new one, seeded 0, when None).

    Raises ArgumentError where the specs do not fit the function's parameters, and TraceError where the function does
    what cannot be a graph.
    """
    if name is not None and not re.fullmatch(r"[\w.]+", name):
        raise ArgumentError(f"{name!r} cannot name a graph; a name is letters, digits, _ and dots")
    module_names = cell_names_of(fn)
    builder = Builder(name or graph_name(fn), cell_names=module_names)
    builder.rng = rng
    try:
        with recording(builder):
            names = input_names(fn, len(specs))
            arguments = [_declare(builder, n, spec) for n, spec in zip(names, specs, strict=True)]
            return builder.finish(flatten_outputs(fn(*arguments)))
    except GraphcError as error:
        error.located(where=user_line(error.__traceback__))
        raise


def graph_name(fn: Callable[..., Any]) -> str:
    """What the graph of a function is called."""
    name = getattr(fn, "__name__", None) or type(fn).__name__
    return re.sub(r"\W", "", name) or "graph"


def cell_names_of(fn: Any) -> Mapping[int, str]:
    """The names of a module's parameters and buffers, by the identity of their cells."""
    names: dict[int, str] = {}
    for method in ("named_parameters", "named_buffers"):
        if hasattr(fn, method) and not inspect.isclass(fn):
            for name, cell in getattr(fn, method)():
                names.setdefault(id(cell), name)
    return names


def input_names(fn: Callable[..., Any], count: int) -> Sequence[str]:
    """The names of the first `count` positional parameters; ArgumentError where the function takes another number."""
    target = getattr(fn, "forward", fn)
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        return [f"x{i}" for i in range(count)]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    required = sum(p.default is p.empty for p in positional)
    if count < required or (count > len(positional) and rest is None):
        takes = ", ".join(p.name for p in positional)
        raise ArgumentError(
            f"{graph_name(fn)} takes ({takes}), but {count} {'spec is' if count == 1 else 'specs are'} given"
        )
    names = [p.name for p in positional[:count]]
    return names + [f"{rest}_{i}" for i in range(count - len(names))]


def _declare(builder: Builder, name: str, spec: Any) -> Any:
    if isinstance(spec, tuple | list):
        return tuple(_declare(builder, f"{name}_{i}", item) for i, item in enumerate(spec))
    return builder.input(name, as_spec(name, spec))


def as_spec(name: str, spec: Any) -> TensorType:
    """The type that a spec declares for an input; ArgumentError for what is no spec."""
    if isinstance(spec, TensorType):
        return spec
    if isinstance(spec, Cell):
        return spec.type
    if isinstance(spec, np.ndarray | np.generic | bool | int | float):
        array = np.asarray(spec)
        return type_of(array).with_dtype(as_dtype(array.dtype))
    hint = ' (write gc.f32() for a scalar, gc.f32["N", 3] for a matrix)'
    raise ArgumentError(f"the spec of {name} is {spec!r}, which is neither a tensor type nor an array{hint}")


def flatten_outputs(result: Any) -> Iterable[Any]:
    """The tensors of a function's result, in order; TraceError where it returns nothing or something else."""
    if result is None:
        raise TraceError("the traced function returned None; return the tensors that the graph shall give")
    if isinstance(result, Mapping):
        return [leaf for item in result.values() for leaf in flatten_outputs(item)]
    if isinstance(result, tuple | list):
        return [leaf for item in result for leaf in flatten_outputs(item)]
    return [result]
