"""`gc.training_step`: forward, loss, backward, clipping, optimizer and running statistics as one graph.

    step = gc.training_step(model, loss=F.cross_entropy, optimizer=optim.Adam(lr=1e-3),
                            inputs=gc.f32["N", 784], targets=gc.i64["N"])
    loss = step(images, labels)       # from before the update
    print(step.stages)                # trace, autodiff, optimizer, then the passes of the pipeline

A call reads all state at its start and writes it at its end, all at once: a call that fails (a label out of range, a
wrong shape) leaves parameters, slots, running statistics and the random counter as they were.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.collector import collection_held_back
from graphc.dsl.compile import as_pipeline, as_specs
from graphc.errors import ArgumentError
from graphc.ir import Graph
from graphc.optim import Optimizer
from graphc.state import LAYOUT_CHANGES, Cell, layout_epoch
from graphc.train import resume
from graphc.train.graphs import (
    Sums,
    differentiate,
    requires_gradient,
    trainable_parameters,
    with_sums,
    with_update,
)
from graphc.train.objective import Objective
from graphc.train.preconditions import Preconditions
from graphc.verify import verify


def training_step(
    model: Callable[..., Any],
    loss: Callable[..., Any],
    optimizer: Optimizer,
    inputs: Any,
    targets: Any = None,
    *,
    backend: str = "cpu",
    pipeline: Any = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    parameters: Iterable[Any] | None = None,
    seed: int | None = None,
    threads: int | None = None,
    memory_budget: Any = None,
) -> TrainingStep:
    """Compile a training step of a model; calling it with arrays trains the model by one step.

        step = gc.training_step(model, F.cross_entropy, optim.Adam(lr=1e-3), gc.f32["N", 784], gc.i64["N"])
        step(x, y)                                           # x: f32[32,784], y: i64[32]  ->  the loss, f32[]

    The model is put into train mode. `inputs` and `targets` are one spec or a tuple of them; the step is called with
    the inputs, then the targets. `loss` gets what `forward` returns, then the targets. `clip_norm` and `clip_value`
    are torch's `clip_grad_norm_` and `clip_grad_value_`; `accumulate=k` averages the gradients of k calls and updates
    on every k-th. `parameters` (or their names) restricts the update; a parameter with `requires_grad` False is never
    updated. `seed` fixes the random ops. `memory_budget` limits the arena for temporaries, as in `gc.compile`:
    `("64MB", {"N": 128})`.

    Raises ArgumentError for arguments that do not fit, BackendError for an unknown backend, GradientError where the
    loss is no number or reaches none of the parameters. A call raises ShapeError or DTypeError where the arrays do
    not fit, ShapeError for an empty batch and for BatchNorm over one value, IndexRangeError for a label out of range.
    """
    import graphc

    graphc.backends.find_backend(backend)
    if not callable(loss):
        raise ArgumentError(f"training_step: loss is a function of the model's output and the targets, not {loss!r}")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"training_step: optimizer is one of graphc.optim, not {optimizer!r}")
    for name, count in (("accumulate", accumulate), ("threads", 1 if threads is None else threads)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ArgumentError(f"training_step: {name} is a positive integer, not {count!r}")
    for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if limit is not None and not (_is_number(limit) and limit > 0):
            raise ArgumentError(f"training_step: {name} is a positive number, not {limit!r}")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64):
        raise ArgumentError(f"training_step: seed is an integer from 0 to 2**64 - 1, not {seed!r}")
    if hasattr(model, "train"):
        model.train()
    return TrainingStep(
        Objective(model, loss, as_specs(inputs), as_specs(targets)),
        optimizer,
        only=None if parameters is None else list(parameters),
        rng=Cell(np.array([graphc.random.default_seed() if seed is None else seed, 0], np.uint64), "rng", "rng"),
        clip=(clip_norm, clip_value),
        accumulate=accumulate,
        pipeline=as_pipeline(pipeline),
        build=lambda stages: graphc.backends.build(stages, backend, threads, memory_budget),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


class _Collecting:
    """What stands for the executable where several calls make an update: none of them is like the one before."""

    def quick(self, _: Sequence[Any]) -> None:
        return None


class TrainingStep:
    """A compiled training step: call it with inputs and targets; it has all that an `Executable` has.

    When something changes that is part of the graph (`requires_grad_`, a flag of the optimizer, a weight decay that
    was zero), the next call traces and compiles again; learning rates and other numbers need no such thing.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer,
        *,
        only: Sequence[Any] | None,
        rng: Cell,
        clip: tuple[float | None, float | None],
        accumulate: int,
        pipeline: Any,
        build: Callable[[Any], Any],
    ) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.accumulate = accumulate
        self.position = 0  # calls since the last update
        self.rng = rng
        self.sums = Sums(accumulate, optimizer)
        self._only = only
        self._clip = clip
        self._pipeline = pipeline
        self._build = build
        self._turn = threading.RLock()
        self._update: Any
        self._collect: Any
        self._layout: int | None = None  # at the last look whether to compile again
        self._compile()

    @collection_held_back()
    def _compile(self) -> None:
        from graphc.passes.pipeline import Stage, Stages

        mark = time.perf_counter()

        def stage(name: str, graph: Graph) -> Stage:
            """A stage whose graph has been made since the last mark."""
            nonlocal mark
            seconds = time.perf_counter() - mark
            verify(graph, after=name)
            mark = time.perf_counter()
            return Stage(name, graph, seconds)

        traced = stage("trace", self.objective.trace(self.rng))
        self._preconditions = Preconditions(traced.graph)
        parameters = trainable_parameters(self.objective, traced.graph, self.optimizer, self._only)
        derived = differentiate(traced.graph, self.optimizer.adopt(parameters))
        first = [traced, stage("autodiff", derived.graph)]

        def executable(last: Stage) -> Any:
            built = self._build(self._pipeline.run_later(last.graph, Stages([*first, last])))
            built.precondition = self._preconditions.check
            return built

        sums = self.sums if self.accumulate > 1 else None
        update = stage("optimizer", with_update(derived, self.optimizer, *self._clip, sums))
        collect = None if sums is None else stage("accumulate", with_sums(derived, sums))
        self._update = executable(update)
        self._single = self._update if self.accumulate == 1 else _Collecting()
        self._collect = None if collect is None else executable(collect)
        self._built_for = self._key()

    def _key(self) -> tuple[Any, ...]:
        """What the graph depends on besides the code; when it changes, the step is compiled again."""
        trainable = tuple(requires_gradient(cell) for _, cell in self.objective.named_parameters())
        return self.optimizer.layout, trainable

    def _refresh(self) -> None:
        layout = layout_epoch()
        if self._layout != layout:
            if self._built_for != self._key():
                self._compile()
            self._layout = layout
            self._update.watch(LAYOUT_CHANGES, layout)

    # -- running ----------------------------------------------------------------------------------------------------

    def __call__(self, *arrays: Any, out: Any = None) -> Any:
        """One step on inputs and targets; gives the loss from before the update."""
        if out is None:
            loss = self._single.quick(arrays)  # one attribute of this object: each costs tens of nanoseconds
            if loss is not None:
                return loss
        with self._turn:
            self._refresh()
            if self.accumulate == 1:
                return self._update(*arrays) if out is None else self._update(*arrays, out=out)
            collects = self.position < self.accumulate - 1
            executable = self._collect if collects else self._update
            loss = executable(*arrays, out=out)
            self.position = self.position + 1 if collects else 0
            return loss

    def __getattr__(self, name: str) -> Any:
        """All else is the executable's (the one with the update): graph, stages, diff, check_numerics, bisect …"""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        with self._turn:
            self._refresh()
            return getattr(self._update, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._update)})

    def __str__(self) -> str:
        return str(self.graph)

    def __repr__(self) -> str:
        return f"<TrainingStep with {type(self.optimizer).__name__}: {self.stages.size}>"

    # -- saving and loading -----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that the next call depends on: the model, the optimizer, the random counter, gradients collected."""
        with self._turn:
            self._refresh()
            self._update.forget()  # the next call waits for its turn
            return resume.state_dict(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Stand where the step stood that gave the state dict; what follows is the same, bit for bit.

        Raises StateError, and changes nothing, where something is missing or does not fit.
        """
        with self._turn:
            self._refresh()
            self._update.forget()
            resume.load_state_dict(self, state_dict)
