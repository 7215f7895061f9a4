"""Convolutional layers over one, two and three axes, and their transposes.

nn.Conv2d(3, 8, 3, padding=1)            # f32[N,3,H,W] -> f32[N,8,H,W]; weight f32[8,3,3,3], bias f32[8]
nn.ConvTranspose2d(8, 3, 2, stride=2)    # f32[N,8,H,W] -> f32[N,3,2*H,2*W]; weight f32[8,3,2,2], bias f32[3]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from graphc import array as xp
from graphc.composites.convolution import transposed_extent
from graphc.dim import Dim
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn import functional as F
from graphc.nn import init
from graphc.nn.functional.convolution import margins
from graphc.nn.functional.sliding import Sizes, per_axis
from graphc.nn.linear import empty_parameter, fill_uniform
from graphc.nn.module import Module
from graphc.operands import shape_text
from graphc.types import f32

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class _Convolution(Module):
    """What convolutions of any number of axes share: settings, parameters, the printed form."""

    axes: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes, padding: Sizes | str,
        output_padding: Sizes, dilation: Sizes, groups: int, bias: bool, padding_mode: str, dtype: object,
    ) -> None:  # fmt: skip
        super().__init__()
        what, count = self._title, self.axes
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
            raise OpAttributeError(f"{what}: groups is an integer of at least 1, not {groups!r}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise OpAttributeError(f"{what}: {name} is {channels}, which does not divide into {groups} groups")
        if padding_mode not in MODES:
            raise OpAttributeError(f"{what}: padding_mode is one of {', '.join(MODES)}, not {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = per_axis(what, "kernel_size", kernel_size, count, 1)
        self.stride = per_axis(what, "stride", stride, count, 1)
        self.dilation = per_axis(what, "dilation", dilation, count, 1)
        self.padding = padding if isinstance(padding, str) else per_axis(what, "padding", padding, count)
        margins(what, padding, self.kernel_size, self.stride, self.dilation)
        self.output_padding = per_axis(what, "output_padding", output_padding, count)
        self.groups = groups
        self.padding_mode = padding_mode
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        taps = tuple(range(2, 2 + count))  # in memory as products read them: an element's channels side by side
        order = (*taps, 0, 1) if self.transposed else (*taps, 1, 0)
        self.weight = empty_parameter((outer, inner // groups, *self.kernel_size), dtype, order)
        self.register_parameter("bias", empty_parameter((out_channels,), dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: U(−l, l), l = 1/√fan_in (torch's kaiming_uniform with a = √5)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fill_uniform(self.bias, init.fans(self.weight.shape)[0])

    def extra_repr(self) -> str:
        """`3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)`: what is not as it starts."""
        count = self.axes
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        usual = {
            "padding": (0,) * count, "dilation": (1,) * count, "output_padding": (0,) * count, "groups": 1,
        }  # fmt: skip
        parts += [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class _Conv(_Convolution):
    function: ClassVar[Any]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes | str = 0,
        dilation: Sizes = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", *, strict: bool = False,
        dtype: object = f32,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias, padding_mode, dtype
        )
        self.strict = strict

    def forward(self, input: Any) -> Any:
        """(N, in_channels, …) or (in_channels, …) -> the same with out_channels."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = self._framed(input), 0
        function = type(self).function
        return function(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups, strict=self.strict
        )

    def _framed(self, input: Any) -> Any:
        """The input with margins copied from itself."""
        low, high = margins(self._title, self.padding, self.kernel_size, self.stride, self.dilation)
        lead = input.ndim - self.axes
        for axis, widest in enumerate(map(max, low, high), lead):
            extent = input.shape[axis]
            room = {"reflect": extent - 1, "circular": extent}.get(self.padding_mode)
            if room is not None and not isinstance(room, Dim) and widest > room:
                raise ShapeError(
                    f"{self._title}: padding_mode {self.padding_mode!r} has {room} elements to copy along axis {axis} "
                    f"of {shape_text(input.shape)}, but the padding is {widest}"
                )
        widths = (*((0, 0),) * lead, *zip(low, high, strict=True))
        return xp.pad(input, widths, MODES[self.padding_mode])


class Conv1d(_Conv):
    """Kernels that slide over one axis: f32[N,in,L] -> f32[N,out,(L + 2·padding - dilation·(K - 1) - 1)//stride + 1].

    The weight is f32[out, in/groups, K]. `padding` is a number, "valid", "same" or "full", of zeros or, by
    `padding_mode`, of elements: "reflect", "replicate", "circular". `strict` raises ShapeError where the stride does
    not divide what windows slide over. Starts with U(−l, l), l = 1/√(in/groups·K), for weight and bias.
    """

    axes, function = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """As `Conv1d`, over two axes: f32[N,in,H,W] -> f32[N,out,H',W'], weight f32[out, in/groups, K, K]."""

    axes, function = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """As `Conv1d`, over three axes: f32[N,in,D,H,W] -> f32[N,out,D',H',W'], weight f32[out, in/groups, K, K, K]."""

    axes, function = 3, staticmethod(F.conv3d)


# -- transposed -------------------------------------------------------------------------------------------------------


class _ConvTranspose(_Convolution):
    function: ClassVar[Any]
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
        padding: Sizes | str = 0, output_padding: Sizes = 0, groups: int = 1, bias: bool = True, dilation: Sizes = 1,
        padding_mode: str = "zeros", *, dtype: object = f32,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise OpAttributeError(f"{self._title}: padding_mode is 'zeros', not {padding_mode!r}")
        if isinstance(padding, str):
            raise OpAttributeError(f"{self._title}: padding is a number, not {padding!r}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation, groups, bias,
            padding_mode, dtype,
        )  # fmt: skip

    def forward(self, input: Any, output_size: Sequence[int] | None = None) -> Any:
        """(N, in_channels, …) or (in_channels, …) -> out_channels; `output_size` stands for the output_padding."""
        more = self.output_padding if output_size is None else self._output_padding(input, tuple(output_size))
        function = type(self).function
        return function(
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation
        )  # fmt: skip

    def _output_padding(self, input: Any, wanted: tuple[Any, ...]) -> tuple[Any, ...]:
        """What makes the result as large as is wanted; ShapeError where stride and kernel never do."""
        count = self.axes
        given = wanted[-count:] if len(wanted) == input.ndim else wanted
        if len(given) != count:
            raise ShapeError(f"{self._title}: output_size has {count} or {input.ndim} extents, but is {wanted}")
        padding: Any = self.padding
        settings = zip(self.kernel_size, self.stride, padding, (0,) * count, self.dilation, strict=True)
        space = input.shape[input.ndim - count :]
        least = tuple(transposed_extent(extent, *each) for extent, each in zip(space, settings, strict=True))
        more = tuple(size - bound for size, bound in zip(given, least, strict=True))
        if any(isinstance(m, Dim) or not 0 <= m < stride for m, stride in zip(more, self.stride, strict=True)):
            most = tuple(bound + stride - 1 for bound, stride in zip(least, self.stride, strict=True))
            raise ShapeError(
                f"{self._title}: an input of {shape_text(space)} gives {shape_text(least)} to {shape_text(most)}, but "
                f"output_size is {wanted}"
            )
        return more


class ConvTranspose1d(_ConvTranspose):
    """The gradient of a Conv1d by its input, as a layer: f32[N,in,L] -> f32[N,out,(L-1)·stride - 2·padding + …].

    The weight is f32[in, out/groups, K]. `padding` cuts off, `output_padding` chooses among the extents that a Conv1d
    takes to L; `layer(x, output_size=(9,))` asks for one. Starts with U(−l, l), l = 1/√(out/groups·K).
    """

    axes, function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """As `ConvTranspose1d`, over two axes: f32[N,in,H,W] -> f32[N,out,H',W'], weight f32[in, out/groups, K, K]."""

    axes, function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """As `ConvTranspose1d`, over three axes: f32[N,in,D,H,W] -> f32[N,out,D',H',W']."""

    axes, function = 3, staticmethod(F.conv_transpose3d)
