"""A convolution over an image with zeros between its elements, without them: one small convolution for each phase.

    stride 2, kernels of 3:     y[2t]     = Σ over even k of w[k]·x[…]        2 of 3 elements of the kernel
                                y[2t + 1] = Σ over odd k of w[k]·x[…]         1 of 3

This is the gradient for the image of a convolution with a stride, and every transposed convolution. In two dimensions a
stride of 2 leaves a quarter of the multiplications. The phases are laid into one another at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from graphc.dim import Extent
from graphc.ops.convolution import padded_extent
from graphc.ops.creation import full
from graphc.ops.shape import reshape
from graphc.ops.slicing import concat, slice
from graphc.ops.window import window_count
from graphc.passes.convolution_windows import Extents, Numbers, with_margins
from graphc.tensor import Tensor

MOST_PHASES = 16

OverWindows = Callable[[Tensor, Tensor, Numbers, Numbers], Any]  # image, kernels, stride, dilation


@dataclass(frozen=True)
class Phase:
    """The results r, r + s, r + 2s, … along one axis: which elements of the kernel they take, and over what margins."""

    first: int
    step: int
    count: int  # elements of the kernel; 0 where only zeros meet it
    low: int
    high: int
    dilation: int


def has_phases(
    extents: Sequence[Any], size: Sequence[Any], low: Extents, high: Extents, stride: Numbers, steps: Numbers
) -> bool:
    """Whether there are zeros between elements, extents are known, and few phases make up the result."""
    known = all(isinstance(extent, int) for extent in (*extents, *size, *low, *high))
    return known and 1 < prod(steps) <= MOST_PHASES and all(step == 1 for step in stride)


def by_phases(
    over: OverWindows, image: Tensor, kernel: Tensor, outputs: Extent, low: Extents, high: Extents, dilation: Numbers,
    steps: Numbers,
) -> Any:  # fmt: skip
    """y[n, p, o] for an image f32[N,H,W,C] with `steps` - 1 zeros between its elements, and kernels f32[…,3,3].

    `over` makes the product of an image that has margins already and some elements of the kernels, with `outputs`
    channels.
    """
    extents = image.shape[1:-1]
    size = kernel.shape[kernel.ndim - len(extents) :]
    phases, counts, wholes = [], [], []
    for each in zip(extents, size, low, high, dilation, steps, strict=True):
        extent, taps, before, after, far, step = each
        whole = window_count(padded_extent(extent, before, after, step), taps, 1, far)
        assert isinstance(whole, int)
        counts.append(-(-whole // step))
        wholes.append(whole)
        phases.append([_phase(r, extent, taps, before, far, step, counts[-1]) for r in range(step)])

    padded = _Padded(image, phases)

    def part(numbers: Numbers) -> Any:
        return _part(over, padded, kernel, outputs, [axis[r] for axis, r in zip(phases, numbers, strict=True)], counts)

    parts = {numbers: part(numbers) for numbers in product(*(range(step) for step in steps))}
    result = _interleaved(parts, (), steps)
    if result.shape[1:-1] == tuple(wholes):
        return result
    batch, *_, channels = result.shape
    return slice(result, starts=(0,) * result.ndim, limits=(batch, *wholes, channels))


def _phase(r: int, extent: Any, taps: Any, low: Any, dilation: int, step: int, count: int) -> Phase:
    """The elements k of a kernel that meet no zeros at r: r + k·dilation - low is a multiple of the step."""
    met = [k for k in range(taps) if (r + k * dilation - low) % step == 0]
    if not met:
        return Phase(0, 1, 0, 0, 0, 1)
    first, between = met[0], met[1] - met[0] if len(met) > 1 else step
    before = -((r + first * dilation - low) // step)
    far = between * dilation // step
    after = count - extent - before + (len(met) - 1) * far
    return Phase(first, between, len(met), before, after, far)


class _Padded:
    """An image within the widest margins that a phase has, of which the others are views."""

    def __init__(self, image: Tensor, phases: Sequence[Sequence[Phase]]) -> None:
        self.image = image
        self.low = tuple(max(0, *(phase.low for phase in axis)) for axis in phases)
        self.high = tuple(max(0, *(phase.high for phase in axis)) for axis in phases)
        self._ones = (1,) * len(phases)
        self._whole: Tensor | None = None

    def within(self, axes: Sequence[Phase]) -> Tensor:
        """The image within the margins of one phase; as it is where they are none."""
        low, high = tuple(axis.low for axis in axes), tuple(axis.high for axis in axes)
        if max(*low, *high) <= 0:
            return with_margins(self.image, low, high, self._ones, 1)
        if self._whole is None:
            self._whole = with_margins(self.image, self.low, self.high, self._ones, 1)
        before = tuple(n - most for n, most in zip(low, self.low, strict=True))
        behind = tuple(n - most for n, most in zip(high, self.high, strict=True))
        return with_margins(self._whole, before, behind, self._ones, 1)


def _part(
    over: OverWindows, padded: _Padded, kernel: Tensor, outputs: Extent, axes: list[Phase], counts: list[int]
) -> Any:
    """One phase of the result, along every axis."""
    lead = kernel.shape[: kernel.ndim - len(axes)]
    size = kernel.shape[len(lead) :]
    if any(axis.count == 0 for axis in axes):
        return full(value=0.0, shape=(padded.image.shape[0], *counts, outputs), dtype=padded.image.dtype)
    taken = slice(
        kernel,
        starts=(*(0 for _ in lead), *(axis.first for axis in axes)),
        limits=(*lead, *size),
        strides=(*(1 for _ in lead), *(axis.step for axis in axes)),
    )
    ones = (1,) * len(axes)
    return over(padded.within(axes), taken, ones, tuple(axis.dilation for axis in axes))


def _interleaved(parts: dict[Numbers, Any], chosen: Numbers, steps: Numbers) -> Any:
    """Phases laid into one another: the last axis first."""
    if len(chosen) == len(steps):
        return parts[chosen]
    inner = [_interleaved(parts, (*chosen, r), steps) for r in range(steps[len(chosen)])]
    if len(inner) == 1:
        return inner[0]
    axis = 2 + len(chosen)
    shape = inner[0].shape
    side_by_side = concat(*(reshape(x, shape=(*shape[:axis], 1, *shape[axis:])) for x in inner), axis=axis)
    merged = shape[axis - 1] * len(inner)
    return reshape(side_by_side, shape=(*shape[: axis - 1], merged, *shape[axis:]))
