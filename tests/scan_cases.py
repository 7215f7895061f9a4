"""Scans of all kinds, for tests of derivatives and of backends: functions of arrays, and shapes of these.

for name, (function, shapes) in SCANS.items():
    arrays = draw(shapes)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import graphc as gc

Shapes = Sequence[tuple[int, ...]]


def draw(shapes: Shapes, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    """Arrays of these shapes."""
    rng = np.random.default_rng(seed)
    return [0.7 * rng.standard_normal(shape) for shape in shapes]


def recurrent(reverse: bool) -> Callable[..., Any]:
    """A recurrent layer that gives the last carry, and something of every one."""

    def layer(h0: Any, xs: Any, w: Any, u: Any, b: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            after = gc.tanh(x @ w + h @ u + b)
            return after, gc.sin(after)

        return gc.scan(step, h0, xs, reverse=reverse)

    return layer


def two_carries(h0: Any, c0: Any, xs: Any, w: Any) -> Any:
    """Both carries are stacked as they are before the step, one after it as well."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        memory = gc.sigmoid(h @ w) * c + x
        return (gc.tanh(memory), memory), (h, memory, h * c, c)

    (h, c), stacks = gc.scan(step, (h0, c0), xs)
    return (h, c, *stacks)


def exchanged(a: Any, b: Any, xs: Any) -> Any:
    """Carries that only change places, one that never changes, and a sequence that is stacked as it is."""
    (first, second, same), (ys, twice) = gc.scan(lambda c, x: ((c[1], c[0], c[2]), (x, c[0] + x)), (a, b, a), xs)
    return first, second, same, ys, twice


def products(c0: Any, xs: Any) -> Any:
    """Products of all places before, of numbers."""
    return gc.scan(lambda c, x: (c * x, c), c0, xs)


def iterated(x: Any) -> Any:
    """A step three times over, without any sequence."""
    return gc.scan(lambda c, _: (gc.sin(c * x), None), x, length=3)[0]


def counted(xs: Any, w: Any) -> Any:
    """An integer carry beside another."""

    def step(carry: Any, x: Any) -> Any:
        i, total = carry
        after = total + x * w * gc.astype(i, gc.f64)
        return (i + 1, after), (after, i)

    (_, total), (ys, _) = gc.scan(step, (0, np.zeros(3)), xs)
    return total, ys


def no_products(xs: Any, w: Any) -> Any:
    """A shared operand whose gradient no product of stacks gives."""

    def step(c: Any, x: Any) -> Any:
        return c + gc.sum(gc.sin(w * x)) + gc.sum(w * w), gc.exp(w * c)

    return gc.scan(step, np.zeros(()), xs)


def on_the_left(xs: Any, w: Any) -> Any:
    """What places share stands on the left of products, is transposed, and is computed."""
    return gc.scan(lambda c, x: (gc.tanh(gc.sin(w) @ c + x), gc.cos(w).T @ c), np.ones((3, 2)), xs)


def nested(h0: Any, xs: Any, w: Any) -> Any:
    """A scan in the body of a scan."""

    def outer(h: Any, x: Any) -> Any:
        return gc.scan(lambda c, y: (gc.tanh(c @ w + y), c * 2), h, x)

    return gc.scan(outer, h0, xs)


def half_used(h0: Any, xs: Any, w: Any) -> Any:
    """A carry that nothing needs."""
    return gc.scan(lambda c, x: ((c[0] * x, c[1] @ w), None), (h0, h0), xs)[0][0]


def stacks_of_matrices(h0: Any, xs: Any, w: Any) -> Any:
    """Products over a batch axis."""
    return gc.scan(lambda c, x: (gc.tanh(c @ w), gc.sum(c, axis=1, keepdims=True) * x), h0, xs)


LAYER: Shapes = [(2, 3), (4, 2, 2), (2, 3), (3, 3), (3,)]

SCANS: dict[str, tuple[Callable[..., Any], Shapes]] = {
    "recurrent": (recurrent(False), LAYER),
    "reverse": (recurrent(True), LAYER),
    "one place": (recurrent(False), [(2, 3), (1, 2, 2), *LAYER[2:]]),
    "no place": (recurrent(True), [(2, 3), (0, 2, 2), *LAYER[2:]]),
    "two carries": (two_carries, [(2, 3), (2, 3), (4, 2, 3), (3, 3)]),
    "exchanged": (exchanged, [(2,), (2,), (3, 2)]),
    "products": (products, [(), (5,)]),
    "iterated": (iterated, [(3,)]),
    "counted": (counted, [(4, 3), (3,)]),
    "no products": (no_products, [(3, 2), (2,)]),
    "on the left": (on_the_left, [(3, 3, 2), (3, 3)]),
    "nested": (nested, [(2, 2), (2, 3, 2, 2), (2, 2)]),
    "half used": (half_used, [(2, 2), (3, 2, 2), (2, 2)]),
    "stacks of matrices": (stacks_of_matrices, [(2, 3, 3), (3, 2, 3, 3), (2, 3, 3)]),
}
