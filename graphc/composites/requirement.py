"""What a graph asks of the extents that a call binds.

require_extent(x, extent=N, at_least=2, reason="a variance needs more than 1 value")     x: f32[64] -> f32[64]
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Extent
from graphc.errors import ShapeError
from graphc.op import composite
from graphc.samples import integers, real, sample
from graphc.types import TensorType


def _infer(x: TensorType, *, extent: Extent, at_least: int, reason: str) -> TensorType:
    if isinstance(extent, int) and extent < at_least:
        raise ShapeError(f"{reason}, but got {extent}")
    return x


@composite(
    infer=_infer,
    vjp=lambda g, y, x, *, extent, at_least, reason: (g,),
    jvp=lambda t, y, x, *, extent, at_least, reason: t[0],
    samples=[
        sample(real(4, 5), extent=4, at_least=2, reason="takes 2 rows or more"),
        sample(integers(3), extent=3, at_least=0, reason="takes any number"),
    ],
)
def require_extent(x: Any, *, extent: Extent, at_least: int, reason: str) -> Any:
    """x itself, in a graph that runs only where the extent is large enough.

        require_extent(x, extent=N, at_least=1, reason="takes 1 row or more")   x: f32[N,3]   ->   f32[N,3]

    Raises ShapeError, "takes 1 row or more, but got 0": at once for a number, before the run for a named extent. It
    leaves nothing behind in the graph that `decompose` makes.
    """
    return x
