"""What recurrent layers share: parameters by layer and direction, the walk over both, states in torch's shapes.

    class Elman(RecurrentLayer):
        gates = 1

        def step(self, index, carry, row):       # one place of x·Wᵀ + b, which is computed for all places at once
            h = xp.tanh(row + F.linear(carry[0], self.weight("hh", index)))
            return (h,), h

A layer says how many gates it has and what one step does; a cell is one step with parameters of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from graphc import array as xp
from graphc.dim import Extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.loops import scan
from graphc.nn import functional as F
from graphc.nn.functional.shape import fail, floating, shape_text
from graphc.nn.linear import empty_parameter, fill_uniform
from graphc.nn.module import Module
from graphc.nn.parameter import Parameter
from graphc.tensor import Tensor
from graphc.types import f32


class RecurrentLayer(Module):
    """Layers of cells that walk along a sequence, in one direction or in both."""

    gates: int
    states: tuple[str, ...] = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: object = f32,
    ) -> None:
        super().__init__()
        title = type(self).__name__
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int) or size < 1:
                raise OpAttributeError(f"{title}: {name} is a number above 0, not {size!r}")
        if not 0 <= dropout <= 1:
            raise OpAttributeError(f"{title}: dropout is a probability from 0 to 1, not {dropout}")
        if not 0 <= proj_size < hidden_size:
            raise OpAttributeError(
                f"{title}: proj_size is below hidden_size {hidden_size}, and 0 for none, not {proj_size}"
            )
        if dropout and num_layers == 1:
            warnings.warn(
                f"{title}: dropout is applied between layers, so dropout={dropout} does nothing with num_layers=1",
                stacklevel=3,
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        rows, given = self.gates * hidden_size, proj_size or hidden_size
        for index in self.runs():
            features = input_size if index.startswith("l0") else given * self.directions
            self.register_parameter(f"weight_ih_{index}", empty_parameter((rows, features), dtype))
            self.register_parameter(f"weight_hh_{index}", empty_parameter((rows, given), dtype))
            if bias:
                self.register_parameter(f"bias_ih_{index}", empty_parameter((rows,), dtype))
                self.register_parameter(f"bias_hh_{index}", empty_parameter((rows,), dtype))
            if proj_size:
                self.register_parameter(f"weight_hr_{index}", empty_parameter((proj_size, hidden_size), dtype))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """2 where the sequence is walked along both ways, else 1."""
        return 2 if self.bidirectional else 1

    def runs(self) -> list[str]:
        """The endings of parameters, one for each walk: `l0`, `l0_reverse`, `l1` …"""
        ways = ("", "_reverse")[: self.directions]
        return [f"l{layer}{way}" for layer in range(self.num_layers) for way in ways]

    def reset_parameters(self) -> None:
        """Draw all parameters from U(−l, l), l = 1/√hidden_size."""
        for parameter in self.parameters():
            fill_uniform(parameter, self.hidden_size)

    def parameter(self, name: str, run: str) -> Parameter | None:
        """The parameter of a walk: `parameter("weight_hh", "l0")`; None for biases of a layer without."""
        found: Parameter | None = self._parameters.get(f"{name}_{run}")
        return found

    # -- what a layer is made of --------------------------------------------------------------------------------------

    def state_size(self, name: str) -> int:
        """The features of a state."""
        return self.hidden_size

    def rows(self, x: Tensor, run: str) -> Tensor:
        """What the places of a sequence bring into the gates, for all of them by one product."""
        raise NotImplementedError

    def step(self, run: str, carry: tuple[Tensor, ...], row: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The next states, and what the layer gives at this place."""
        raise NotImplementedError

    def linear_rows(self, x: Tensor, weight: Any, bias: Any) -> Tensor:
        """x·Wᵀ + b of all places as one product of two matrices."""
        rows = xp.reshape(x, (-1, x.shape[-1])) if x.ndim == 3 else x
        y = F.linear(rows, weight, bias)
        return xp.reshape(y, (*x.shape[:-1], y.shape[-1])) if x.ndim == 3 else y

    # -- running ------------------------------------------------------------------------------------------------------

    def walk(self, input: Any, given: tuple[Any, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The outputs of the last layer at all places, and the last states of all walks, stacked."""
        title = type(self).__name__
        (x,) = floating(title, input=input)
        if x.ndim not in (2, 3):
            fail(ShapeError(f"{title}: the input is [T,N,features], or [T,features] without a batch, not {x.type}"))
        if x.shape[-1] != self.input_size:
            fail(ShapeError(f"{title}: input_size is {self.input_size}, but the input is {x.type}"))
        swapped = self.batch_first and x.ndim == 3
        x = xp.permute_dims(x, (1, 0, 2)) if swapped else x
        batch = x.shape[1:-1]
        starts = self._starts(given, batch, x)
        lasts: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            ways = []
            for way in range(self.directions):
                run = self.runs()[layer * self.directions + way]
                start = tuple(state[len(lasts)] for state in starts)
                last, y = scan(self._step_of(run), start, self.rows(x, run), reverse=bool(way))
                lasts.append(last)
                ways.append(y)
            x = ways[0] if len(ways) == 1 else xp.concat(ways, axis=-1)
        x = xp.permute_dims(x, (1, 0, 2)) if swapped else x
        return x, tuple(xp.stack(each) for each in zip(*lasts, strict=True))

    def _step_of(self, run: str) -> Callable[[Any, Any], Any]:
        def step(carry: tuple[Tensor, ...], row: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
            return self.step(run, carry, row)

        return step

    def _starts(self, given: tuple[Any, ...] | None, batch: tuple[Extent, ...], x: Tensor) -> list[list[Tensor]]:
        """For each state the one that each walk starts with: those given, or zeros."""
        count, title = len(self.runs()), type(self).__name__
        if given is None:
            sizes = [self.state_size(name) for name in self.states]
            return [[xp.zeros((*batch, size), dtype=x.dtype)] * count for size in sizes]
        starts = []
        for name, each in zip(self.states, given, strict=True):
            (state,) = floating(title, **{f"{name}0": each})
            expected = (count, *batch, self.state_size(name))
            if state.shape != expected:
                fail(ShapeError(f"{title}: {name}0 has shape {shape_text(expected)}, but this one is {state.type}"))
            starts.append([state[number] for number in range(count)])
        return starts

    def extra_repr(self) -> str:
        """`4, 3, num_layers=2`: what differs from the defaults."""
        parts = [f"{self.input_size}, {self.hidden_size}"]
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False,
        }  # fmt: skip
        parts += [f"{name}={getattr(self, name)}" for name, usual in defaults.items() if getattr(self, name) != usual]
        return ", ".join(parts)


class RecurrentCell(Module):
    """One step of a recurrent layer, with parameters of its own."""

    gates: int

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: object = f32) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(size, int) or size < 1:
                raise OpAttributeError(f"{type(self).__name__}: {name} is a number above 0, not {size!r}")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size
        self.weight_ih = empty_parameter((rows, input_size), dtype)
        self.weight_hh = empty_parameter((rows, hidden_size), dtype)
        self.register_parameter("bias_ih", empty_parameter((rows,), dtype) if bias else None)
        self.register_parameter("bias_hh", empty_parameter((rows,), dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from U(−l, l), l = 1/√hidden_size."""
        for parameter in self.parameters():
            fill_uniform(parameter, self.hidden_size)

    def checked(self, input: Any, states: tuple[Any, ...] | None, names: tuple[str, ...]) -> tuple[Tensor, ...]:
        """The input, then the states, zeros where none are given; ShapeError where they do not fit."""
        title = type(self).__name__
        (x,) = floating(title, input=input)
        if x.ndim not in (1, 2):
            fail(ShapeError(f"{title}: the input is [N,features], or [features] without a batch, not {x.type}"))
        if x.shape[-1] != self.input_size:
            fail(ShapeError(f"{title}: input_size is {self.input_size}, but the input is {x.type}"))
        expected = (*x.shape[:-1], self.hidden_size)
        if states is None:
            return (x, *(xp.zeros(expected, dtype=x.dtype) for _ in names))
        given = [floating(title, **{name: state})[0] for name, state in zip(names, states, strict=True)]
        for name, state in zip(names, given, strict=True):
            if state.shape != expected:
                fail(ShapeError(f"{title}: {name} has shape {shape_text(expected)}, but this one is {state.type}"))
        return (x, *given)

    def extra_repr(self) -> str:
        """`4, 3`, and `bias=False` where there is none."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
