"""Average pooling: the mean of each window.

y = avg_pool(x, size=(2, 2), stride=(2, 2), padding=(0, 0))     x: f32[N,C,H,W]   ->   f32[N,C,H//2,W//2]
"""

from __future__ import annotations

from typing import Any

from graphc.composites.precision import computed_in_f32
from graphc.composites.sliding import Extents, Numbers, pooled_extent, pooled_type, windows_of
from graphc.dim import Dim
from graphc.errors import OpAttributeError
from graphc.op import composite
from graphc.ops.creation import iota
from graphc.ops.elementwise import cast, maximum, minimum
from graphc.ops.reduction import sum
from graphc.ops.shape import reshape
from graphc.samples import real, sample
from graphc.types import TensorType, i64


def _infer_avg_pool(
    x: TensorType, *, size: Extents, stride: Extents, padding: Numbers, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> TensorType:  # fmt: skip
    if divisor_override == 0:
        raise OpAttributeError("avg_pool: divisor_override is a number other than 0, not 0")
    return pooled_type("avg_pool", x, size, stride, padding, (1,) * len(size), ceil_mode)


def _elements(
    x: Any, size: Extents, stride: Extents, padding: Numbers, ceil_mode: bool, count_include_pad: bool
) -> Any:
    """How many elements each window has: a number where it is the same for all, else an array over the places."""
    count, lead = len(size), x.ndim - len(size)
    result: Any = 1
    for i, (extent, k, s, p) in enumerate(zip(x.shape[lead:], size, stride, padding, strict=True)):
        places = pooled_extent(extent, k, s, p, 1, ceil_mode)
        reaches_out = ceil_mode and (places - 1) * s + k != extent + 2 * p
        if not reaches_out and (p == 0 or count_include_pad):
            result = result * k
            continue
        margin = p if count_include_pad else 0
        begin = iota(shape=(places,), axis=0, dtype=i64) * s - p
        end = minimum(begin + k, extent + margin)
        within = end - maximum(begin, -margin)
        result = result * reshape(within, shape=(places, *(1,) * (count - 1 - i)))
    return result


@composite(
    infer=_infer_avg_pool,
    samples=[
        sample(real(2, 3, 8), size=(2,), stride=(2,), padding=(0,)),
        sample(real(2, 2, 7, 6), size=(3, 2), stride=(2, 1), padding=(1, 1)),
        sample(real(2, 2, 7, 6), size=(3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False),
        sample(real(2, 2, 6), size=(3,), stride=(2,), padding=(1,), ceil_mode=True),
        sample(real(2, 6, 5), size=(2, 2), stride=(4, 2), padding=(0, 1), ceil_mode=True, count_include_pad=False),
        sample(real(2, 6), size=(3,), stride=(1,), padding=(1,), divisor_override=2),
        sample(real(2, 3, 4, 2), size=(2, 2, 2), stride=(1, 2, 1), padding=(0, 0, 0)),
        sample(real(0, 2, 4), size=(2,), stride=(1,), padding=(0,)),
    ],
)
@computed_in_f32
def avg_pool(
    x: Any, *, size: Extents, stride: Extents, padding: Numbers, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """The mean of each window.

        avg_pool(x, size=(2, 2), stride=(2, 2), padding=(0, 0))   x: f32[N,C,H,W]   ->   f32[N,C,H//2,W//2]

    Zeros of the `padding`, at most half of a window, count as elements with `count_include_pad`; what lies beyond it
    in `ceil_mode` never does. `divisor_override` divides all sums instead. Raises ShapeError where no window fits,
    OpAttributeError for too much padding, DTypeError for integers. torch.nn.functional.avg_pool2d.
    """
    count = len(size)
    seen = windows_of(x, size, stride, padding, (1,) * count, ceil_mode, value=0.0)
    total = sum(seen, axis=tuple(range(seen.ndim - count, seen.ndim)))
    divisor = divisor_override or _elements(x, size, stride, padding, ceil_mode, count_include_pad)
    return total / (divisor if isinstance(divisor, int | Dim) else cast(divisor, dtype=x.dtype))
