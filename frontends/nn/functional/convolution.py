"""Convolutions over one, two and three axes, and their transposes.

conv2d(x, weight, bias, stride=2, padding=1)      x: f32[N,3,32,32], weight: f32[8,3,3,3]   ->   f32[N,8,16,16]
conv_transpose2d(x, weight, stride=2)             x: f32[N,8,16,16], weight: f32[8,3,2,2]   ->   f32[N,3,32,32]

As in torch, kernels are not turned around, and a last window that does not fit whole is left out: the extent of the
result is ⌊(W - F + 2P)/S⌋ + 1. Beyond torch, `padding="full"` has every window that meets the input, and with `strict`
it is an error when S does not divide.

Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Dim
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.shape import call, fail, floating
from graphc.nn.functional.sliding import Sizes, examples, per_axis
from graphc.tensor import Tensor

PADDINGS = ("valid", "same", "full")


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1,
    groups: int = 1, *, strict: bool = False,
) -> Tensor:  # fmt: skip
    """f32[N,C,L] with weight f32[O,C/groups,K] -> f32[N,O,(L + 2·padding - dilation·(K - 1) - 1)//stride + 1].

    `padding` is a number of zeros on each side, "valid" (none), "same" (the result has the input's extents; stride 1)
    or "full". Without the batch axis the input is one example. Raises ShapeError where channels do not fit, no window
    does or, with `strict`, the stride does not divide what windows slide over.
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups, strict)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1,
    groups: int = 1, *, strict: bool = False,
) -> Tensor:  # fmt: skip
    """f32[N,C,H,W] with weight f32[O,C/groups,K,K] -> f32[N,O,H',W']; as `conv1d`, a number an axis or one for both."""
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups, strict)


def conv3d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1,
    groups: int = 1, *, strict: bool = False,
) -> Tensor:  # fmt: skip
    """f32[N,C,D,H,W] with weight f32[O,C/groups,K,K,K] -> f32[N,O,D',H',W']; as `conv1d`."""
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups, strict)


def _conv(
    what: str, count: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int,
    strict: bool,
) -> Tensor:  # fmt: skip
    x, kernels = examples(what, input, count), _kernels(what, weight, count)
    steps, spread = per_axis(what, "stride", stride, count, 1), per_axis(what, "dilation", dilation, count, 1)
    low, high = margins(what, padding, kernels.shape[2:], steps, spread)
    return call(
        "conv", x, kernels, bias, stride=steps, low=low, high=high, dilation=spread, groups=groups, strict=strict
    )


def _kernels(what: str, weight: Any, count: int) -> Tensor:
    (kernels,) = floating(what, weight=weight)
    if kernels.ndim != count + 2 or any(isinstance(extent, Dim) or extent < 1 for extent in kernels.shape[2:]):
        fail(
            ShapeError(
                f"{what}: the weight has two axes of channels and {count} of known extents, but is {kernels.type}"
            )
        )
    return kernels


def margins(what: str, padding: Any, size: Any, stride: Any, dilation: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The zeros before and after each axis, from a number, numbers or the name of a padding."""
    count = len(size)
    if not isinstance(padding, str):
        both = per_axis(what, "padding", padding, count)
        return both, both
    if padding not in PADDINGS:
        fail(OpAttributeError(f"{what}: padding is a number or one of {', '.join(PADDINGS)}, not {padding!r}"))
    if padding == "valid":
        return (0,) * count, (0,) * count
    reach = tuple((k - 1) * d for k, d in zip(size, dilation, strict=True))
    if padding == "full":
        return reach, reach
    if any(step != 1 for step in stride):
        fail(OpAttributeError(f"{what}: padding='same' needs stride 1, but the stride is {stride}"))
    return tuple(r // 2 for r in reach), tuple(r - r // 2 for r in reach)


# -- transposed -------------------------------------------------------------------------------------------------------


def conv_transpose1d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Sizes = 0, output_padding: Sizes = 0,
    groups: int = 1, dilation: Sizes = 1,
) -> Tensor:  # fmt: skip
    """f32[N,C,L], weight f32[C,O/groups,K] -> f32[N,O,(L-1)·stride - 2·padding + dilation·(K-1) + output_padding + 1].

    The gradient of `conv1d` by its input: `padding` is cut off, and `output_padding`, less than stride or dilation,
    chooses among the extents that `conv1d` takes to L. Raises ShapeError where channels do not fit.
    """
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Sizes = 0, output_padding: Sizes = 0,
    groups: int = 1, dilation: Sizes = 1,
) -> Tensor:  # fmt: skip
    """f32[N,C,H,W] with weight f32[C,O/groups,K,K] -> f32[N,O,H',W']; as `conv_transpose1d`."""
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Sizes = 0, output_padding: Sizes = 0,
    groups: int = 1, dilation: Sizes = 1,
) -> Tensor:  # fmt: skip
    """f32[N,C,D,H,W] with weight f32[C,O/groups,K,K,K] -> f32[N,O,D',H',W']; as `conv_transpose1d`."""
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _transposed(
    what: str, count: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any,
    groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    x, kernels = examples(what, input, count), _kernels(what, weight, count)
    return call(
        "conv_transpose",
        x,
        kernels,
        bias,
        stride=per_axis(what, "stride", stride, count, 1),
        padding=per_axis(what, "padding", padding, count),
        output_padding=per_axis(what, "output_padding", output_padding, count),
        dilation=per_axis(what, "dilation", dilation, count, 1),
        groups=groups,
    )
