"""Pooling over one, two and three axes: the greatest element of each window, or the mean.

max_pool2d(x, 2)                    f32[N,C,H,W] -> f32[N,C,H//2,W//2]
avg_pool2d(x, 3, stride=2)          f32[N,C,H,W] -> f32[N,C,(H-3)//2+1,(W-3)//2+1]

Windows lie side by side unless a stride is given. The order of arguments is torch's functions', where `ceil_mode`
stands before `return_indices`. A NaN wins a maximum; of several the first does, where torch's functions have the last.
"""

from __future__ import annotations

from typing import Any

from graphc.nn.functional.shape import call
from graphc.nn.functional.sliding import Sizes, examples, per_axis
from graphc.op import find_op
from graphc.tensor import Tensor

Maxima = Tensor | tuple[Tensor, Tensor]


def max_pool1d(
    input: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Maxima:  # fmt: skip
    """The greatest element of each window: f32[N,C,L] -> f32[N,C,(L + 2·padding - dilation·(K - 1) - 1)//stride + 1].

    With `return_indices` also where it is first, i64. `padding`, at most half of a window, never wins. With
    `ceil_mode` a last window may reach beyond the end. Raises ShapeError where no window fits.
    """
    return _max("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Maxima:  # fmt: skip
    """f32[N,C,H,W] -> f32[N,C,H',W']; as `max_pool1d`, indices counting row by row over H and W."""
    return _max("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Maxima:  # fmt: skip
    """f32[N,C,D,H,W] -> f32[N,C,D',H',W']; as `max_pool1d`, indices counting row by row over D, H and W."""
    return _max("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max(
    what: str, count: int, input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
    return_indices: bool,
) -> Maxima:  # fmt: skip
    x = examples(what, input, count)
    size, steps = _size_and_stride(what, kernel_size, stride, count)
    y, indices = find_op("max_pool")(
        x,
        size=size,
        stride=steps,
        padding=per_axis(what, "padding", padding, count),
        dilation=per_axis(what, "dilation", dilation, count, 1),
        ceil_mode=ceil_mode,
    )
    return (y, indices) if return_indices else y


def _size_and_stride(what: str, kernel_size: Any, stride: Any, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The stride is the size of the window where there is none."""
    size = per_axis(what, "kernel_size", kernel_size, count, 1)
    given = stride is not None and not (isinstance(stride, list | tuple) and not stride)
    return size, per_axis(what, "stride", stride, count, 1) if given else size


def avg_pool1d(
    input: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window: f32[N,C,L] -> f32[N,C,(L + 2·padding - K)//stride + 1].

    Zeros of the `padding`, at most half of a window, count as elements with `count_include_pad`. With `ceil_mode` a
    last window may reach beyond the end; what it has there does not count. Raises ShapeError where no window fits.
    """
    return _avg("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """f32[N,C,H,W] -> f32[N,C,H',W']; as `avg_pool1d`, `divisor_override` dividing all sums where it is given."""
    return _avg("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """f32[N,C,D,H,W] -> f32[N,C,D',H',W']; as `avg_pool2d`."""
    return _avg("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _avg(
    what: str, count: int, input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None,
) -> Tensor:  # fmt: skip
    x = examples(what, input, count)
    size, steps = _size_and_stride(what, kernel_size, stride, count)
    return call(
        "avg_pool",
        x,
        size=size,
        stride=steps,
        padding=per_axis(what, "padding", padding, count),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )
