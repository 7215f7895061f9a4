"""Long short-term memory: a layer over sequences, and its cell.

    nn.LSTM(64, 256)            # f32[T,N,64] -> f32[T,N,256], (h f32[1,N,256], c f32[1,N,256])
    nn.LSTMCell(64, 256)        # f32[N,64] -> h f32[N,256], c f32[N,256]

Sources: Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000 (forget gate); Sak, Senior and Beaufays,
2014 (projections); torch's conventions.
"""

from __future__ import annotations

from typing import Any

from graphc.array.operands import call, fail
from graphc.errors import ArgumentError
from graphc.nn import functional as F
from graphc.nn.recurrent import RecurrentCell, RecurrentLayer
from graphc.tensor import Tensor


class LSTM(RecurrentLayer):
    """h = σ(o)·tanh(c), c = σ(f)·c₋ + σ(i)·tanh(g), for gates i, f, g, o = x·W_ihᵀ + b_ih + h₋·W_hhᵀ + b_hh.

    `num_layers` stand on one another, with `dropout` between them; `bidirectional` ones walk along the sequence both
    ways, and give both results side by side. With `proj_size` h is projected: h·W_hrᵀ. All parameters start with
    U(−l, l), l = 1/√hidden_size.
    """

    gates = 4
    states = ("h", "c")

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """f32[T,N,input_size] and (h0, c0) -> f32[T,N,D·H] and (h_n, c_n), states being f32[num_layers·D,N,H].

        D is 2 if bidirectional, else 1; H is hidden_size, of outputs and h proj_size where there is one. With
        `batch_first` N comes before T in input and output; without N all are one axis shorter. States start as 0.
        """
        output, (h, c) = self.walk(input, _pair("LSTM", hx))
        return output, (h, c)

    def state_size(self, name: str) -> int:
        """The features of a state."""
        return self.proj_size or self.hidden_size if name == "h" else self.hidden_size

    def rows(self, x: Tensor, run: str) -> Tensor:
        """x·W_ihᵀ + b_ih + b_hh"""
        bias = self.parameter("bias_ih", run)
        both = None if bias is None else bias + self.parameter("bias_hh", run)
        return self.linear_rows(x, self.parameter("weight_ih", run), both)

    def step(self, run: str, carry: tuple[Tensor, ...], row: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The next h and c, and h."""
        h, c = carry
        h, c = call("lstm_cell", row + F.linear(h, self.parameter("weight_hh", run)), c)
        if self.proj_size:
            h = F.linear(h, self.parameter("weight_hr", run))
        return (h, c), h


class LSTMCell(RecurrentCell):
    """One step of an LSTM: h = σ(o)·tanh(c), c = σ(f)·c₋ + σ(i)·tanh(g); starts with U(−l, l), l = 1/√hidden_size."""

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        """f32[N,input_size] and (h, c), each f32[N,hidden_size] -> the next h and c; 0 where none are given."""
        x, h, c = self.checked(input, _pair("LSTMCell", hx), ("h", "c"))
        gates = F.linear(x, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
        h, c = call("lstm_cell", gates, c)
        return h, c


def _pair(what: str, hx: Any) -> tuple[Any, ...] | None:
    """The states as a pair."""
    if hx is None:
        return None
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        given = f"a {type(hx).__name__} of {len(hx)}" if isinstance(hx, tuple | list) else f"a {type(hx).__name__}"
        fail(ArgumentError(f"{what}: hx is a pair (h, c), not {given}"))
    return tuple(hx)
