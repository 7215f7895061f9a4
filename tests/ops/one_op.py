"""An op called on arrays: its value and its derivatives through the reference interpreter.

value("take", x, i, axis=0)                an array, or a tuple of them
pulled("take", g, x, i, axis=0)            the gradients of the floating-point operands for the cotangent g
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gc
from graphc.op import find_op


def graph(op: str, *arrays: Any, **attributes: Any) -> Any:
    return gc.trace(lambda *xs: find_op(op)(*xs, **attributes), *map(np.asarray, arrays))


def value(op: str, *arrays: Any, **attributes: Any) -> Any:
    return gc.evaluate(graph(op, *arrays, **attributes), *map(np.asarray, arrays))


def pulled(op: str, g: Any, *arrays: Any, **attributes: Any) -> Any:
    cotangents = g if isinstance(g, tuple) else (g,)
    derivative = gc.vjp(graph(op, *arrays, **attributes))
    return gc.evaluate(derivative, *map(np.asarray, (*arrays, *cotangents)))


def pushed(op: str, tangents: tuple[Any, ...], *arrays: Any, **attributes: Any) -> Any:
    """The tangents of the results alone."""
    derivative = gc.jvp(graph(op, *arrays, **attributes))
    results = gc.evaluate(derivative, *map(np.asarray, (*arrays, *tangents)))
    return results[-1]
