"""`gc.summary`: the layers of a model, what each gives, and how many numbers it learns.

>>> print(gc.summary(model, gc.f32["N", 64]))
layer  module       output     parameters
0      Linear       f32[N,64]       4,160
1      BatchNorm1d  f32[N,64]         128
2      ReLU         f32[N,64]           0
3      Linear       f32[N,10]         650
total                               4,938
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graphc.builder import Builder
from graphc.errors import ArgumentError
from graphc.op import recording
from graphc.tensor import Tensor
from graphc.types import TensorType, is_spec, type_of


@dataclass(frozen=True)
class Layer:
    """A module that holds no other, or owns parameters itself: its path, class, outputs and own parameters.

    `outputs` are the types that its last call gave, None where it was not called. A parameter that several modules
    share is counted where it comes first.
    """

    name: str
    module: str
    outputs: tuple[TensorType, ...] | None
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """The layers of a model in order; printed as a table."""

    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """The number of all parameters' elements."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable(self) -> int:
        """The number of those that require a gradient."""
        return sum(layer.trainable for layer in self.layers)

    def __str__(self) -> str:
        rows = [("layer", "module", "output", "parameters")]
        rows += [
            (layer.name or "(model)", layer.module, _outputs_text(layer), f"{layer.parameters:,}")
            for layer in self.layers
        ]
        rows += [("total", "", "", f"{self.parameters:,}")]
        if self.trainable != self.parameters:
            rows += [("trainable", "", "", f"{self.trainable:,}")]
        a, b, c, d = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{name:<{a}}  {module:<{b}}  {out:<{c}}  {count:>{d}}" for name, module, out, count in rows)

    __repr__ = __str__


def summary(model: Any, *inputs: Any) -> Summary:
    """The layers of a model called on inputs of these types; the model stays as it is.

        gc.summary(model, gc.f32["N", 64]).parameters

    `inputs` are tensor types or arrays; without them the table has no outputs. Raises what calling the model raises
    where the types do not fit it, and ArgumentError for what is no module.
    """
    if not hasattr(model, "named_modules"):
        raise ArgumentError(f"summary takes a module, not {type(model).__name__}")
    for spec in inputs:
        if not is_spec(spec):
            raise ArgumentError(f"summary: an input is a tensor type or an array, not {spec!r}")
    outputs = _trace_outputs(model, inputs) if inputs else {}
    seen: set[int] = set()
    layers = []
    for name, module in model.named_modules():
        own = [cell for cell in module.parameters(recurse=False) if id(cell) not in seen]
        seen.update(map(id, own))
        if own or not any(True for _ in module.children()):
            trainable = sum(cell.size for cell in own if cell.requires_grad)
            layers.append(
                Layer(name, type(module).__name__, outputs.get(id(module)), sum(cell.size for cell in own), trainable)
            )
    return Summary(tuple(layers))


def _trace_outputs(model: Any, inputs: tuple[Any, ...]) -> dict[int, tuple[TensorType, ...]]:
    """The types that each module gave, by its identity."""
    outputs: dict[int, tuple[TensorType, ...]] = {}
    builder = Builder("summary")
    with _watching(model, outputs), recording(builder):
        model(*(builder.input(f"x{i}", x if isinstance(x, TensorType) else type_of(x)) for i, x in enumerate(inputs)))
    return outputs


@contextmanager
def _watching(model: Any, outputs: dict[int, tuple[TensorType, ...]]) -> Iterator[None]:
    """Within the block, every call of a module's `forward` notes what it gave."""
    modules = [module for _, module in model.named_modules() if hasattr(module, "forward")]

    def watch(module: Any) -> None:
        forward = module.forward

        def watched(*args: Any, **keywords: Any) -> Any:
            given = forward(*args, **keywords)
            tensors = given if isinstance(given, tuple | list) else (given,)
            outputs[id(module)] = tuple(tensor.type for tensor in tensors if isinstance(tensor, Tensor))
            return given

        module.__dict__["forward"] = watched

    own = {id(module): module.__dict__["forward"] for module in modules if "forward" in module.__dict__}
    for module in modules:
        watch(module)
    try:
        yield
    finally:
        for module in modules:
            del module.__dict__["forward"]
            if id(module) in own:
                module.__dict__["forward"] = own[id(module)]


def _outputs_text(layer: Layer) -> str:
    return "-" if layer.outputs is None else ", ".join(map(str, layer.outputs))
