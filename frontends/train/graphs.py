"""The graphs of a training step: the loss, its gradients by the parameters, and the update.

    trace      ->  loss
    autodiff   ->  loss, d_fc.weight, d_fc.bias
    optimizer  ->  loss, and updates of %fc.weight, %fc.bias and the optimizer's slots

Each stage extends the one before, so the update reads the gradients where they are made. When gradients of several
calls are averaged there are two last stages: one that adds up, and one that updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.builder import Builder
from graphc.errors import ArgumentError, GradientError
from graphc.ir import Graph, Literal
from graphc.optim import Optimizer
from graphc.state import Cell
from graphc.stored import cell_of
from graphc.train.gradients import Gradients, add_up, average, clip
from graphc.train.objective import Objective, named


class Differentiated:
    """The graph that gives the loss, then the gradient of each of `cells`.

    Parameters that the loss does not reach have no gradient and are not among them, as in torch.
    """

    def __init__(self, graph: Graph, cells: Sequence[Cell]) -> None:
        self.graph = graph
        self.cells = list(cells)

    def extend(self) -> tuple[Builder, Gradients]:
        """A builder that goes on after the gradients, and the gradients by parameter."""
        builder = Builder.extending(self.graph)
        values = self.graph.outputs[1:]
        return builder, {cell: builder.tensor(value) for cell, value in zip(self.cells, values, strict=True)}

    def finish(self, builder: Builder) -> Graph:
        """The extended graph; its only output is the loss."""
        return builder.finish([self.graph.outputs[0]])


def differentiate(traced: Graph, chosen: Sequence[Cell]) -> Differentiated:
    """The gradients of the traced loss by those of the chosen parameters that it reaches.

    Raises GradientError where it reaches none.
    """
    from graphc.passes import dce
    from graphc.passes.autodiff.active import open_composites
    from graphc.passes.autodiff.reverse import pull_back
    from graphc.passes.last_places import last_places

    graph, _ = last_places(open_composites(traced, "vjp"))
    (loss,) = graph.outputs
    wanted = set(chosen)
    cells = {state.value: state.cell for state in graph.state if state.cell is not None and state.cell in wanted}
    builder = Builder.extending(graph)
    gradients = pull_back(builder, graph, {loss: builder.tensor(Literal(1.0, loss.type.dtype))}, cells)
    if not gradients:
        raise GradientError(
            "the loss depends on none of the parameters that the optimizer updates"
            if wanted
            else "there is nothing to train: no parameter of the model both requires a gradient and is the optimizer's"
        )
    return Differentiated(dce(builder.finish([loss, *gradients.values()])), [cells[value] for value in gradients])


def with_update(
    differentiated: Differentiated,
    optimizer: Optimizer,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    sums: Sums | None = None,
) -> Graph:
    """The graph of the whole step: averages with the gradients in `sums`, clips, and updates."""
    builder, gradients = differentiated.extend()
    if sums is not None:
        gradients = average(builder, gradients, sums.of(differentiated.cells), sums.count)
    gradients = clip(builder, gradients, clip_norm, clip_value)
    optimizer.record(builder, gradients)
    return differentiated.finish(builder)


def with_sums(differentiated: Differentiated, sums: Sums) -> Graph:
    """The graph of a call that only adds its gradients to `sums`."""
    builder, gradients = differentiated.extend()
    add_up(builder, gradients, sums.of(differentiated.cells))
    return differentiated.finish(builder)


class Sums:
    """The gradients collected over `count` calls, one cell per parameter."""

    def __init__(self, count: int, optimizer: Optimizer) -> None:
        self.count = count
        self._name_of = optimizer.state.name_of
        self._cells: dict[Cell, Cell] = {}

    def of(self, parameters: Sequence[Cell]) -> dict[Cell, Cell]:
        """The sums of these parameters' gradients, made (as zeros) where they are missing."""
        for cell in parameters:
            if cell not in self._cells or self._cells[cell].type != cell.type:
                zeros = np.zeros(cell.shape, cell.dtype.numpy)
                self._cells[cell] = Cell(zeros, "slot", f"{self._name_of(cell)}.gradient_sum", cell.order)
        return {cell: self._cells[cell] for cell in parameters}

    def named(self) -> dict[str, Cell]:
        """The sums by the parameter's name."""
        return {self._name_of(cell): total for cell, total in self._cells.items()}


def trainable_parameters(
    objective: Objective, graph: Graph, optimizer: Optimizer, only: Sequence[Any] | None
) -> list[tuple[str, Cell]]:
    """The parameters that a step may update, by name: those that require a gradient, and are in `only` if given.

    An optimizer made without parameters takes the model's; one made with parameters may own the loss's too. A model
    that is a plain function tells of its parameters by reading them. Raises ArgumentError for an entry of `only` that
    is no parameter.
    """
    candidates = dict(objective.named_parameters())
    if optimizer.takes_all and hasattr(objective.model, "named_parameters"):
        candidates = dict(named(objective.model, "named_parameters"))
    else:
        known = set(candidates.values())
        for state in graph.state:
            if state.kind == "parameter" and state.cell is not None and state.cell not in known:
                candidates[state.value.name] = cell_of(state.cell)
    if only is not None:
        wanted = {candidates.get(item) if isinstance(item, str) else item for item in only}
        for item in only:
            if (candidates.get(item) if isinstance(item, str) else item) not in candidates.values():
                raise ArgumentError(f"training_step: {item!r} in parameters is no parameter of the model")
        candidates = {name: cell for name, cell in candidates.items() if cell in wanted}
    return [(name, cell) for name, cell in candidates.items() if requires_gradient(cell)]


def requires_gradient(cell: Cell) -> bool:
    """Whether a parameter is to be trained; cells that say nothing about it are."""
    return bool(getattr(cell, "requires_grad", True))
