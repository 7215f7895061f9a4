"""Patches of images laid out as columns, and summed back.

unfold(x, 3, padding=1)             f32[N,C,H,W] -> f32[N,C*9,H*W]: a column for each window
fold(columns, (H, W), 3, padding=1) f32[N,C*9,H*W] -> f32[N,C,H,W]: what overlaps is summed
"""

from __future__ import annotations

from typing import Any

from graphc import array as xp
from graphc.array.operands import extent_product
from graphc.dim import Dim
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.shape import call, fail, floating
from graphc.nn.functional.sliding import Sizes, examples, per_axis
from graphc.ops.window import window_count, window_span
from graphc.tensor import Tensor


def unfold(input: Any, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """f32[N,C,H,W] -> f32[N,C·K·K,L], a column for each of the L windows, row by row; rows are channel, then place.

    `padding` zeros lie on each side. A matrix with O rows times the columns is a convolution with O kernels. Without
    the batch axis the input is one example. Raises ShapeError where no window fits.
    """
    x = examples("unfold", input, 2)
    size, spread, margin, steps = _settings("unfold", kernel_size, dilation, padding, stride)
    lead = x.ndim - 2
    _check_fit("unfold", x.shape[lead:], size, spread, margin)
    framed = xp.pad(x, (*((0, 0),) * lead, *((p, p) for p in margin)))
    seen = call("windows", framed, size=size, stride=steps, dilation=spread)
    batch = tuple(range(lead - 1))
    ordered = xp.permute_dims(seen, (*batch, lead - 1, lead + 2, lead + 3, lead, lead + 1))
    rows = extent_product((x.shape[lead - 1], *size))
    return xp.reshape(ordered, (*x.shape[: lead - 1], rows, extent_product(seen.shape[lead : lead + 2])))


def fold(
    input: Any, output_size: Any, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """f32[N,C·K·K,L] -> f32[N,C,*output_size]: every column's patch added at its place; the transpose of `unfold`.

    `output_size` may be named extents. Raises ShapeError where rows are no multiple of a window's places, or where
    the number of columns is not that of the windows.
    """
    (x,) = floating("fold", input=input)
    if x.ndim not in (2, 3):
        fail(ShapeError(f"fold: the input has shape (N, C*K*K, L) or (C*K*K, L), but this one is {x.type}"))
    size, spread, margin, steps = _settings("fold", kernel_size, dilation, padding, stride)
    extents = _extents(output_size)
    _check_fit("fold", extents, size, spread, margin)
    places, rows, columns = extent_product(size), x.shape[-2], x.shape[-1]
    if rows % places != 0:
        fail(ShapeError(f"fold: the input has {rows} rows, which a window's {places} places do not divide"))
    framed = tuple(extent + 2 * p for extent, p in zip(extents, margin, strict=True))
    counts = tuple(window_count(framed[i], size[i], steps[i], spread[i]) for i in range(2))
    if columns != extent_product(counts):
        fail(
            ShapeError(
                f"fold: the input has {columns} columns, but there are {counts[0]}·{counts[1]} windows in {extents}"
            )
        )
    lead = x.shape[:-2]
    parted = xp.reshape(x, (*lead, rows // places, *size, *counts))
    at = len(lead)
    ordered = xp.permute_dims(parted, (*range(at + 1), at + 3, at + 4, at + 1, at + 2))
    summed = call("overlap_add", ordered, extents=framed, stride=steps, dilation=spread)
    if not any(margin):
        return summed
    starts = (*(0,) * (at + 1), *margin)
    limits = (*summed.shape[: at + 1], *(p + extent for p, extent in zip(margin, extents, strict=True)))
    return call("slice", summed, starts=starts, limits=limits)


def _settings(what: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, ...]]:
    rows = (
        ("kernel_size", kernel_size, 1), ("dilation", dilation, 1), ("padding", padding, 0), ("stride", stride, 1),
    )  # fmt: skip
    return [per_axis(what, name, value, 2, least) for name, value, least in rows]


def _extents(output_size: Any) -> tuple[Any, ...]:
    given = tuple(output_size) if isinstance(output_size, list | tuple) else (output_size, output_size)
    if len(given) != 2:
        fail(OpAttributeError(f"fold: output_size is one extent or 2, not {output_size!r}"))
    return tuple(e if isinstance(e, Dim) else per_axis("fold", "output_size", e, 1, 1)[0] for e in given)


def _check_fit(what: str, extents: Any, size: Any, dilation: Any, padding: Any) -> None:
    for extent, k, d, p in zip(extents, size, dilation, padding, strict=True):
        padded, span = extent + 2 * p, window_span(k, d)
        if not isinstance(padded, Dim) and padded < span:
            fail(ShapeError(f"{what}: an extent is {padded} with its padding, but the window reaches over {span}"))
