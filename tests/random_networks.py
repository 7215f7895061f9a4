"""Random networks: layers that products, windows of rows, running sums and copies keep in kernels of their own.

Their gradients have what fusion must order well: arrays that are made late beside products that are made early.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

import graphc as gc
from graphc.ir import Graph
from graphc.nn import functional as F

WIDTH = 8
LAYERS: list[Any] = [
    lambda x, y, w, b: gc.tanh(x),
    lambda x, y, w, b: x * y,
    lambda x, y, w, b: x - y,
    lambda x, y, w, b: gc.exp(gc.sin(x)) + b,
    lambda x, y, w, b: x @ w,
    lambda x, y, w, b: x @ gc.flip(w, axis=0) - y,
    lambda x, y, w, b: gc.cumulative_sum(x, axis=1),
    lambda x, y, w, b: gc.softmax(x, axis=1),
    lambda x, y, w, b: F.batch_norm(x, None, None, b, None, training=True),
    lambda x, y, w, b: x - gc.mean(y, axis=1, keepdims=True),
    lambda x, y, w, b: gc.take(x, [0, 3, 3, 1, 2, 7, 6, 0], axis=1),
    lambda x, y, w, b: gc.concat([x[:, 1:], y[:, :1]], axis=1),
    lambda x, y, w, b: gc.pad(x[:, : WIDTH // 2], ((0, 0), (0, WIDTH // 2))),
    lambda x, y, w, b: gc.flip(x, axis=0),
    lambda x, y, w, b: gc.reshape(gc.sin(gc.reshape(x, (-1,))), x.shape),
    lambda x, y, w, b: x * gc.max(y, axis=1, keepdims=True),
    lambda x, y, w, b: x @ (w.T @ w),
]
STEP = st.tuples(st.sampled_from(LAYERS), st.integers(0, 3), st.integers(0, 99))


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """A graph of up to 15 layers over f32 rows to a scalar; each layer reads a recent value and any other."""
    steps = draw(st.lists(STEP, min_size=2, max_size=15))
    last = draw(st.integers(1, 4))

    def network(x: Any, y: Any, w: Any, b: Any) -> Any:
        values = [x, y]
        for layer, recent, other in steps:
            values.append(layer(values[-1 - recent % len(values)], values[other % len(values)], w, b))
        return sum(gc.sum(gc.sin(value)) for value in values[-last:])

    row, matrix = gc.f32["N", WIDTH], gc.f32[WIDTH, WIDTH]
    return gc.trace(network, row, row, matrix, gc.f32[WIDTH], name="network")
