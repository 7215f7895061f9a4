"""The objective of a training step: what the model gives for the inputs, and the loss of that against the targets.

    loss(model(x), y)          # x: f32[N,784], y: i64[N]  ->  f32[]

It is a function over traced tensors whose parameters bear the names of `forward`'s and of the loss's, so the inputs of
its graph are called what the user calls them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.dsl.trace import input_names, trace
from graphc.errors import GradientError
from graphc.ir import Graph
from graphc.state import Cell
from graphc.tensor import Tensor


class Objective:
    """`loss(model(*inputs), *targets)`, with the parameters and buffers of both by name.

    `model` and `loss` are modules or functions; `loss` gets exactly what the model returns (tuples included), then the
    targets.
    """

    def __init__(
        self, model: Callable[..., Any], loss: Callable[..., Any], inputs: Sequence[Any], targets: Sequence[Any]
    ) -> None:
        self.model = model
        self.loss = loss
        self.inputs = tuple(inputs)
        self.targets = tuple(targets)
        names: list[str] = []
        for name in (*input_names(model, len(inputs)), *input_names(loss, 1 + len(targets))[1:]):
            names.append(name if name not in names else f"target_{name}")
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(name, positional) for name in names])

    def __call__(self, *arguments: Any) -> Any:
        count = len(self.inputs)
        loss = self.loss(self.model(*arguments[:count]), *arguments[count:])
        if isinstance(loss, Tensor) and loss.builder.nodes and loss.value in loss.builder.nodes[-1].results:
            loss.builder.rename(loss.value, "loss")
        return loss

    def named_parameters(self) -> Iterator[tuple[str, Cell]]:
        """The parameters of the model, then those of the loss under `loss.`."""
        yield from named(self.model, "named_parameters")
        yield from ((f"loss.{name}", cell) for name, cell in named(self.loss, "named_parameters"))

    def named_buffers(self) -> Iterator[tuple[str, Cell]]:
        """The buffers of the model, then those of the loss under `loss.`."""
        yield from named(self.model, "named_buffers")
        yield from ((f"loss.{name}", cell) for name, cell in named(self.loss, "named_buffers"))

    def trace(self, rng: Cell) -> Graph:
        """The graph of the loss in train mode; random ops count in `rng`.

        Raises GradientError unless the loss is one floating-point number.
        """
        with in_train_mode(self.model):
            graph = trace(self, *self.inputs, *self.targets, name="step", rng=rng)
        types = [value.type for value in graph.outputs]
        if len(types) != 1 or types[0].rank or not types[0].dtype.is_float:
            given = ", ".join(map(str, types))
            raise GradientError(
                f"the loss gives ({given}); a training step needs one floating-point number, such as f32[]: take the "
                "mean or the sum"
            )
        return graph


def named(owner: Any, method: str) -> Iterator[tuple[str, Cell]]:
    """What a module's `named_parameters` or `named_buffers` gives; nothing for a plain function."""
    if hasattr(owner, method):
        yield from getattr(owner, method)()


@contextmanager
def in_train_mode(model: Any) -> Iterator[None]:
    """Every module of the model is in train mode within the block, and as it was after it."""
    modules = list(model.modules()) if hasattr(model, "modules") else []
    before = [module.training for module in modules]
    if modules:
        model.train()
    try:
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training
