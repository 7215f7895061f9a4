"""The cell of an LSTM: what its four gates make of the cell's memory.

    lstm_cell(gates, c)        gates: f32[N,4*H], c: f32[N,H]   ->   h: f32[N,H], the next c: f32[N,H]

The gates come as they are before their sigmoids and tanh, in torch's order: what goes in (i), what is kept (f), what is
new (g), what is shown (o). The gradient takes their activations from the operands anew: after `decompose` they are the
forward graph's own nodes, and `cse` makes them one.
"""

from __future__ import annotations

from typing import Any

from graphc.composites.precision import check_floats, cotangents_in_f32, narrow, widen
from graphc.errors import ShapeError
from graphc.op import composite
from graphc.ops.creation import zeros
from graphc.ops.elementwise import sigmoid, square, tanh
from graphc.ops.slicing import concat, slice
from graphc.samples import real, sample
from graphc.types import TensorType


def _infer(gates: TensorType, c: TensorType) -> tuple[TensorType, TensorType]:
    check_floats("lstm_cell", gates=gates, c=c)
    if c.rank == 0 or gates.rank != c.rank:
        raise ShapeError(f"lstm_cell: gates and c have features along their last axis, but they are {gates} and {c}")
    if gates.shape[-1] != 4 * c.shape[-1]:
        raise ShapeError(
            f"lstm_cell: c has {c.shape[-1]} features, so gates have {4 * c.shape[-1]}, but they have {gates.shape[-1]}"
        )
    if gates.shape[:-1] != c.shape[:-1]:
        raise ShapeError(f"lstm_cell: gates and c differ before their last axis: they are {gates} and {c}")
    return c.with_dtype(gates.dtype), c


def _activations(gates: Any) -> tuple[Any, Any, Any, Any]:
    """σ(i), σ(f), tanh(g) and σ(o)."""
    features, first, lead = gates.shape[-1] // 4, (0,) * (gates.ndim - 1), gates.shape[:-1]
    i, f, g, o = (
        slice(gates, starts=(*first, number * features), limits=(*lead, (number + 1) * features)) for number in range(4)
    )
    return sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)


def _vjp(g: Any, y: Any, gates: Any, c: Any) -> tuple[Any, Any]:
    """With c' the next memory and t = tanh c':

    dc' = gc + gh·o·(1 - t²)       di = dc'·g·i·(1 - i)       df = dc'·c·f·(1 - f)
    dc  = dc'·f                    dg = dc'·i·(1 - g²)        do = gh·t·o·(1 - o)
    """
    of_h, of_c = g
    i, f, new, o = _activations(gates)
    top = tanh(f * c + i * new)
    through = of_c if of_h is None else of_h * o * (1 - square(top))
    if of_h is not None and of_c is not None:
        through = through + of_c
    parts = [
        through * new * (i * (1 - i)),
        through * c * (f * (1 - f)),
        through * i * (1 - square(new)),
        zeros(o) if of_h is None else of_h * top * (o * (1 - o)),
    ]
    return concat(*parts, axis=gates.ndim - 1), through * f


@composite(
    infer=_infer,
    vjp=cotangents_in_f32(_vjp),
    samples=[sample(real(3, 8), real(3, 2)), sample(real(12), real(3)), sample(real(0, 8), real(0, 2))],
    results=("c",),
)
def lstm_cell(gates: Any, c: Any) -> tuple[Any, Any]:
    """σ(o)·tanh(c') and the next memory c' = σ(f)·c + σ(i)·tanh(g), for gates i, f, g, o side by side.

        lstm_cell(gates, c)        gates: f32[N,4*H], c: f32[N,H]   ->   h: f32[N,H], c': f32[N,H]

    Leading axes are free. Raises ShapeError and DTypeError where operands do not fit. Hochreiter and Schmidhuber, Long
    short-term memory, 1997, with the forget gate of Gers et al., 2000; torch.nn.LSTMCell.
    """
    i, f, g, o = _activations(widen(gates))
    memory = f * widen(c) + i * g
    return narrow(o * tanh(memory), gates.dtype), narrow(memory, c.dtype)
