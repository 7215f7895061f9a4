"""Convolutions as layers have them: channels in groups, a kernel for each output channel, a bias.

    conv(x, weight, bias, stride=(2, 2), low=(1, 1), high=(1, 1), dilation=(1, 1))
        x: f32[N,3,H,W], weight: f32[64,3,3,3], bias: f32[64]   ->   f32[N,64,(H-1)//2+1,(W-1)//2+1]
    conv_transpose(x, weight, bias, stride=(2, 2), padding=(1, 1), output_padding=(1, 1), dilation=(1, 1))
        x: f32[N,64,H,W], weight: f32[64,3,3,3], bias: f32[3]   ->   f32[N,3,2*H,2*W]

As many axes are slid over as there are strides; without the batch axis x is one example. Weights lie as torch's do.
Both are the primitive `convolution` over x with an axis of groups.
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Dim, Extent
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import composite
from graphc.ops.convolution import convolution
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.slicing import flip
from graphc.ops.window import check_fit, check_steps, window_count, window_span
from graphc.samples import real, sample
from graphc.types import TensorType

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]


def _check_operands(
    what: str, count: int, layout: str, x: TensorType, weight: TensorType, bias: TensorType | None
) -> None:
    """Raise where dtypes differ, or where operands do not have the axes that `count` strides slide over."""
    for name, type in (("x", x), ("weight", weight), ("bias", bias)):
        if type is not None and not type.dtype.is_float:
            raise DTypeError(f"{what}: takes floating-point numbers, but {name} is {type}; convert with gc.astype")
        if type is not None and type.dtype is not x.dtype:
            raise DTypeError(f"{what}: x is {x.dtype}, but {name} is {type.dtype}; convert one with gc.astype")
    if weight.rank != count + 2:
        raise ShapeError(f"{what}: weight has shape {layout} with {count} axes to slide over, but is {weight}")
    if x.rank not in (count + 1, count + 2):
        raise ShapeError(
            f"{what}: x has shape (N, channels, ...) or (channels, ...) with {count} axes to slide over, but is {x}"
        )


def _check_bias(what: str, channels: Extent, bias: TensorType | None) -> None:
    if bias is None or bias.shape == (channels,):
        return
    if bias.rank != 1:
        raise ShapeError(f"{what}: bias has shape ({channels},), but this one is {bias}")
    raise ShapeError(f"{what}: weight gives {channels} channels, but bias has {bias.shape[0]}")


def _check_groups(what: str, groups: int, channels: Extent, name: str) -> None:
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise OpAttributeError(f"{what}: groups is an integer of at least 1, not {groups!r}")
    if not isinstance(channels, Dim) and channels % groups:
        raise ShapeError(f"{what}: {channels} {name} do not divide into {groups} groups")


def _channels(x: TensorType, count: int) -> Extent:
    return x.shape[-count - 1]


def _biased(y: Any, bias: Any, count: int) -> Any:
    """A number per channel added."""
    return y if bias is None else y + reshape(bias, shape=(*bias.shape, *(1,) * count))


# -- convolution ------------------------------------------------------------------------------------------------------


def _infer_conv(
    x: TensorType, weight: TensorType, bias: TensorType | None = None, *, stride: Numbers, low: Extents, high: Extents,
    dilation: Numbers, groups: int = 1, strict: bool = False,
) -> TensorType:  # fmt: skip
    count = check_steps("conv", stride=stride, dilation=dilation)
    if len(low) != count or len(high) != count:
        raise OpAttributeError(f"conv: low {low} and high {high} must have {count} numbers, as stride {stride}")
    _check_operands("conv", count, "(out, in/groups, ...)", x, weight, bias)
    _check_groups("conv", groups, weight.shape[0], "channels that weight gives")
    given, taken = _channels(x, count), weight.shape[1] * groups
    if given != taken:
        among = f" in {groups} groups" if groups > 1 else ""
        raise ShapeError(f"conv: x has {given} channels, but weight takes {taken}{among}")
    _check_bias("conv", weight.shape[0], bias)
    places = []
    for i in range(count):
        axis, size = x.rank - count + i, weight.shape[2 + i]
        margins = low[i] + high[i]
        padded = x.shape[axis] + margins
        check_fit("conv", x.shape[axis], size, dilation[i], axis, margins)
        if strict:
            _check_division(padded, window_span(size, dilation[i]), stride[i], axis)
        places.append(window_count(padded, size, stride[i], dilation[i]))
    return x.with_shape((*x.shape[: x.rank - count - 1], weight.shape[0], *places))


def _check_division(padded: Extent, span: Extent, stride: int, axis: int) -> None:
    """(W - F + 2P)/S + 1 is to be whole; a named extent is asked when a call binds it."""
    room = padded - span
    if not isinstance(room, Dim) and room % stride:
        raise ShapeError(
            f"conv: strict: axis {axis} has extent {padded} with its margins, and ({padded} - {span})/{stride} + 1 "
            f"windows are not a whole number"
        )


@composite(
    infer=_infer_conv,
    samples=[
        sample(real(2, 3, 7), real(4, 3, 3), real(4), stride=(1,), low=(0,), high=(0,), dilation=(1,)),
        sample(real(2, 3, 6, 7), real(4, 3, 3, 2), stride=(1, 2), low=(1, 0), high=(1, 1), dilation=(1, 1)),
        sample(real(2, 4, 8), real(6, 2, 2), real(6), stride=(2,), low=(1,), high=(1,), dilation=(2,), groups=2),
        sample(real(2, 3, 5, 4), real(2, 3, 2, 2), real(2), stride=(1, 1), low=(0, 0), high=(0, 0), dilation=(1, 1)),
        sample(
            real(1, 2, 3, 4, 3), real(2, 1, 2, 2, 2), stride=(1, 2, 1), low=(0, 0, 1), high=(0, 0, 0),
            dilation=(1, 1, 1), groups=2, strict=True,
        ),
        sample(real(0, 3, 4), real(2, 3, 2), real(2), stride=(1,), low=(0,), high=(0,), dilation=(1,)),
    ],
)  # fmt: skip
def conv(
    x: Any, weight: Any, bias: Any = None, *, stride: Numbers, low: Extents, high: Extents, dilation: Numbers,
    groups: int = 1, strict: bool = False,
) -> Any:  # fmt: skip
    """Σ over channels and places of weight·window, a number per output channel and place, and the bias.

        conv(x, weight, bias, stride=(1,), low=(1,), high=(1,), dilation=(1,))   x: f32[N,3,L], weight: f32[8,3,3]
                                                                                        ->   f32[N,8,L]

    `low` and `high` are zeros before and after each axis. Channels, and the kernels that belong to them, come in
    `groups` that do not see each other. Elements that no window reaches are left out; with `strict` they raise
    ShapeError. Raises ShapeError where channels do not fit or no window does, DTypeError where dtypes differ.
    torch.nn.functional.conv2d.
    """
    count = len(stride)
    batch, space = x.shape[: x.ndim - count - 1], x.shape[x.ndim - count :]
    kernels = reshape(weight, shape=(groups, weight.shape[0] // groups, *weight.shape[1:]))
    grouped = reshape(x, shape=(*(batch or (1,)), groups, weight.shape[1], *space))
    y = convolution(grouped, kernels, stride=stride, low=low, high=high, dilation=dilation, input_dilation=(1,) * count)
    return _biased(reshape(y, shape=(*batch, weight.shape[0], *y.shape[3:])), bias, count)


# -- transposed convolution -------------------------------------------------------------------------------------------


def transposed_extent(
    extent: Extent, size: Extent, stride: int, padding: Extent, output_padding: Extent, dilation: int
) -> Extent:
    """What a convolution of these settings takes to `extent`, and `output_padding` more."""
    return (extent - 1) * stride - 2 * padding + window_span(size, dilation) + output_padding


def _infer_conv_transpose(
    x: TensorType, weight: TensorType, bias: TensorType | None = None, *, stride: Numbers, padding: Extents,
    output_padding: Extents, dilation: Numbers, groups: int = 1,
) -> TensorType:  # fmt: skip
    what = "conv_transpose"
    count = check_steps(what, stride=stride, dilation=dilation)
    if len(padding) != count or len(output_padding) != count:
        raise OpAttributeError(
            f"{what}: padding {padding} and output_padding {output_padding} must have {count} numbers, as stride "
            f"{stride}"
        )
    _check_operands(what, count, "(in, out/groups, ...)", x, weight, bias)
    _check_groups(what, groups, weight.shape[0], "channels that weight takes")
    given, taken = _channels(x, count), weight.shape[0]
    if given != taken:
        raise ShapeError(f"{what}: x has {given} channels, but weight takes {taken}")
    channels = weight.shape[1] * groups
    _check_bias(what, channels, bias)
    places = []
    for i in range(count):
        axis, more = x.rank - count + i, output_padding[i]
        if not isinstance(more, Dim) and not 0 <= more < max(stride[i], dilation[i]):
            raise OpAttributeError(
                f"{what}: output_padding is at least 0 and less than stride or dilation, but along axis {axis} it is "
                f"{more}, stride {stride[i]}, dilation {dilation[i]}"
            )
        extent = x.shape[axis]
        result = transposed_extent(extent, weight.shape[2 + i], stride[i], padding[i], more, dilation[i])
        if (not isinstance(extent, Dim) and extent < 1) or (not isinstance(result, Dim) and result < 1):
            raise ShapeError(f"{what}: axis {axis} of x has extent {extent}, which gives an extent of {result}")
        places.append(result)
    return x.with_shape((*x.shape[: x.rank - count - 1], channels, *places))


@composite(
    infer=_infer_conv_transpose,
    samples=[
        sample(real(2, 3, 4), real(3, 2, 3), real(2), stride=(2,), padding=(1,), output_padding=(1,), dilation=(1,)),
        sample(
            real(2, 4, 3, 2), real(4, 1, 2, 3), real(2), stride=(1, 2), padding=(0, 1), output_padding=(0, 0),
            dilation=(2, 1), groups=2,
        ),
        sample(real(2, 3, 7), real(3, 2, 3), stride=(1,), padding=(3,), output_padding=(0,), dilation=(1,)),
        sample(
            real(1, 2, 2, 2, 2), real(2, 1, 2, 2, 1), stride=(2, 1, 1), padding=(0, 0, 0), output_padding=(1, 0, 0),
            dilation=(1, 1, 1),
        ),
    ],
)  # fmt: skip
def conv_transpose(
    x: Any, weight: Any, bias: Any = None, *, stride: Numbers, padding: Extents, output_padding: Extents,
    dilation: Numbers, groups: int = 1,
) -> Any:  # fmt: skip
    """What `conv` with the same settings does to its x's cotangent, and the bias: x is spread, kernels are turned.

        conv_transpose(x, weight, bias, stride=(2,), padding=(0,), output_padding=(0,), dilation=(1,))
            x: f32[N,8,L], weight: f32[8,3,2], bias: f32[3]   ->   f32[N,3,2*L]

    Of the extents that `conv` takes to the same number of windows, the least one is given, `output_padding` makes it
    larger. Raises ShapeError where channels do not fit, DTypeError where dtypes differ.
    torch.nn.functional.conv_transpose2d.
    """
    count = len(stride)
    batch, space = x.shape[: x.ndim - count - 1], x.shape[x.ndim - count :]
    each = weight.shape[0] // groups
    kernels = reshape(weight, shape=(groups, each, *weight.shape[1:]))
    within = tuple(range(3, 3 + count))
    turned = permute_dims(flip(kernels, axis=within), axes=(0, 2, 1, *within))
    reach = [window_span(weight.shape[2 + i], dilation[i]) - 1 for i in range(count)]
    low = tuple(r - p for r, p in zip(reach, padding, strict=True))
    high = tuple(before + more for before, more in zip(low, output_padding, strict=True))
    grouped = reshape(x, shape=(*(batch or (1,)), groups, each, *space))
    y = convolution(
        grouped, turned, stride=(1,) * count, low=low, high=high, dilation=dilation, input_dilation=stride
    )  # fmt: skip
    return _biased(reshape(y, shape=(*batch, weight.shape[1] * groups, *y.shape[3:])), bias, count)
