"""Pooling layers: windows reduced to their greatest element or their mean; patches laid out and summed back.

nn.MaxPool2d(2)                # f32[N,C,H,W] -> f32[N,C,H//2,W//2]
nn.AdaptiveAvgPool2d(1)        # f32[N,C,H,W] -> f32[N,C,1,1]
nn.Unfold(3, padding=1)        # f32[N,C,H,W] -> f32[N,C*9,H*W]

Formulas are those of `nn.functional`; here `return_indices` stands before `ceil_mode`, as in torch.
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.nn import functional as F
from graphc.nn.functional.adaptive_pooling import Wanted
from graphc.nn.functional.sliding import Sizes, per_axis
from graphc.nn.module import Module


class _Pool(Module):
    """Settings that are printed by name."""

    function: ClassVar[Any]
    shown: ClassVar[tuple[str, ...]]

    def extra_repr(self) -> str:
        """`kernel_size=2, stride=2, padding=0`: the settings."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.shown)

    def _apply(self, *arguments: Any) -> Any:
        return type(self).function(*arguments)


class _MaxPool(_Pool):
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        """(N, C, …) or (C, …) -> one element a window, and with `return_indices` where it is."""
        return self._apply(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool1d(_MaxPool):
    """The greatest element of each window: f32[N,C,L] -> f32[N,C,(L + 2·padding - dilation·(K - 1) - 1)//stride + 1].

    The stride is the window's size where none is given. With `ceil_mode` a last window may reach beyond the end.
    """

    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """As `MaxPool1d`, over two axes: f32[N,C,H,W] -> f32[N,C,H',W']."""

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """As `MaxPool1d`, over three axes: f32[N,C,D,H,W] -> f32[N,C,D',H',W']."""

    function = staticmethod(F.max_pool3d)


# -- means ------------------------------------------------------------------------------------------------------------


class AvgPool1d(_Pool):
    """The mean of each window: f32[N,C,L] -> f32[N,C,(L + 2·padding - K)//stride + 1].

    Zeros of the padding count as elements with `count_include_pad`. With `ceil_mode` a last window may reach beyond
    the end; what it has there does not count.
    """

    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = per_axis(self._title, "kernel_size", kernel_size, 1, 1)
        self.stride = self.kernel_size if stride is None else per_axis(self._title, "stride", stride, 1, 1)
        self.padding = per_axis(self._title, "padding", padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Any:
        """(N, C, L) or (C, L) -> a mean a window."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )  # fmt: skip


class _AvgPool(_Pool):
    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Any) -> Any:
        """(N, C, …) or (C, …) -> a mean a window."""
        return self._apply(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip


class AvgPool2d(_AvgPool):
    """As `AvgPool1d`, over two axes; `divisor_override` divides all sums where it is given."""

    function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """As `AvgPool2d`, over three axes."""

    function = staticmethod(F.avg_pool3d)


# -- a given number of windows ----------------------------------------------------------------------------------------


class _AdaptiveAvgPool(_Pool):
    shown = ("output_size",)

    def __init__(self, output_size: Wanted) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        """(N, C, …) or (C, …) -> the same channels, and output_size."""
        return self._apply(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The mean of each of `output_size` windows: f32[N,C,L] -> f32[N,C,output_size]."""

    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The mean of each of `output_size` windows: f32[N,C,H,W] -> f32[N,C,*output_size]; None keeps an extent."""

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The mean of each of `output_size` windows: f32[N,C,D,H,W] -> f32[N,C,*output_size]; None keeps an extent."""

    function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(_Pool):
    shown = ("output_size",)

    def __init__(self, output_size: Wanted, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        """(N, C, …) or (C, …) -> the same channels, and output_size."""
        return self._apply(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The greatest element of each of `output_size` windows: f32[N,C,L] -> f32[N,C,output_size]."""

    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The greatest element of each window: f32[N,C,H,W] -> f32[N,C,*output_size]; None keeps an extent."""

    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The greatest element of each window: f32[N,C,D,H,W] -> f32[N,C,*output_size]; None keeps an extent."""

    function = staticmethod(F.adaptive_max_pool3d)


# -- patches ----------------------------------------------------------------------------------------------------------


class Unfold(_Pool):
    """A column for each window: f32[N,C,H,W] -> f32[N,C·K·K,L]."""

    shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) or (C, H, W) -> columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Pool):
    """Columns summed at their windows' places: f32[N,C·K·K,L] -> f32[N,C,*output_size]."""

    shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(
        self, output_size: Any, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Any) -> Any:
        """(N, C·K·K, L) or (C·K·K, L) -> images."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
