"""The state of a training step as a dict of arrays, and back: training goes on bit for bit where it was left.

gc.save("run.safetensors", step)
gc.load("run.safetensors", step)         # same model and optimizer, perhaps in another process
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import StateError
from graphc.state import Cell
from graphc.stored import cell_of

if TYPE_CHECKING:
    from graphc.train.step import TrainingStep

PARTS = ("model", "loss", "optimizer", "rng", "gradient_sums", "position")


def state_dict(step: TrainingStep) -> dict[str, Any]:
    """`{"model": …, "loss": …, "optimizer": …, "rng": [seed, step], "gradient_sums": …, "position": 0}`."""
    return {
        "model": _read(step.objective.model, _read_by(step)),
        "loss": _read(step.objective.loss, {}),
        "optimizer": step.optimizer.state_dict(),
        "rng": step.rng.array,
        "gradient_sums": {name: cell.array for name, cell in step.sums.named().items()},
        "position": step.position,
    }


def load_state_dict(step: TrainingStep, given: Mapping[str, Any]) -> None:
    """Write a state dict's values to the cells of model, optimizer and step; all of them, or none before an error."""
    missing = [part for part in PARTS if part not in given]
    if missing:
        raise StateError(f"the state dict of a training step has {', '.join(PARTS)}; {missing[0]} is missing")
    position = int(given["position"])
    if not 0 <= position < step.accumulate:
        raise StateError(
            f"the state dict was made {position} calls after an update, but this step updates on every "
            f"{step.accumulate}. call"
        )
    sums = step.sums.named()
    with all_or_nothing(step):
        _write(step.objective.model, _read_by(step), given["model"])
        _write(step.objective.loss, {}, given["loss"])
        step.optimizer.load_state_dict(given["optimizer"])
        step.rng.assign(given["rng"])
        _assign("gradient sums", sums, given["gradient_sums"])
        step.position = position


@contextmanager
def all_or_nothing(step: TrainingStep) -> Iterator[None]:
    """When the block fails, the cells of the step, its model and its optimizer have their old values again."""
    cells = {cell_of(state.cell) for state in step.interface.state if state.cell is not None}
    cells |= {cell for _, cell in (*step.objective.named_parameters(), *step.objective.named_buffers())}
    cells |= {step.rng, *step.sums.named().values()}
    before = [(cell, cell.array) for cell in cells]
    try:
        yield
    except BaseException:
        for cell, array in before:
            if cell.array is not array:
                cell.commit(array)
        raise


def _read_by(step: TrainingStep) -> dict[str, Cell]:
    """The cells of a model that is a plain function: the parameters and buffers that it reads."""
    return {
        state.value.name: cell_of(state.cell)
        for state in step.stages.first.graph.state
        if state.kind in ("parameter", "buffer") and state.cell is not None
    }


def _read(owner: Any, cells: Mapping[str, Cell]) -> dict[str, Any]:
    if hasattr(owner, "state_dict"):
        return dict(owner.state_dict())
    return {name: cell.array for name, cell in cells.items()}


def _write(owner: Any, cells: Mapping[str, Cell], values: Mapping[str, Any]) -> None:
    if hasattr(owner, "load_state_dict"):
        owner.load_state_dict(values)
    else:
        _assign("the state", cells, values)


def _assign(what: str, cells: Mapping[str, Cell], values: Mapping[str, Any]) -> None:
    if set(cells) != set(values):
        ours, theirs = ", ".join(sorted(cells)) or "nothing", ", ".join(sorted(values)) or "nothing"
        raise StateError(f"{what}: the step has {ours}, but the state dict has {theirs}")
    for name, cell in cells.items():
        cell.assign(np.asarray(values[name]))
