"""Normalization layers: over the batch (BatchNorm1d to 3d), over the features of each example (LayerNorm, RMSNorm).

nn.BatchNorm1d(64)         # f32[N,64] or f32[N,64,L]; each of the 64 channels to mean 0, variance 1
nn.BatchNorm2d(64)         # f32[N,64,H,W]
nn.LayerNorm(64)           # f32[…,64]; each row to mean 0, variance 1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from graphc.errors import ShapeError
from graphc.nn import functional as F
from graphc.nn.module import Module
from graphc.nn.parameter import Buffer, Parameter
from graphc.operands import shape_text
from graphc.types import as_dtype, f32


class _BatchNorm(Module):
    """What batch normalization of any rank shares; `takes` are the layouts that a subclass accepts."""

    takes: ClassVar[tuple[str, ...]]
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: object = f32,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        numpy = as_dtype(dtype).numpy
        self.register_parameter("weight", Parameter(np.ones(num_features, numpy)) if affine else None)
        self.register_parameter("bias", Parameter(np.zeros(num_features, numpy)) if affine and bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", Buffer(np.zeros(num_features, numpy)) if tracked else None)
        self.register_buffer("running_var", Buffer(np.ones(num_features, numpy)) if tracked else None)
        self.register_buffer("num_batches_tracked", Buffer(np.array(0, np.int64)) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            self.running_mean[...], self.running_var[...], self.num_batches_tracked[...] = 0, 1, 0

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, no running statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            self.weight[...] = 1
        if self.bias is not None:
            self.bias[...] = 0

    def forward(self, input: Any) -> Any:
        """The input, its channels along axis 1 -> the same shape."""
        ranks = [layout.count(",") + 1 for layout in self.takes]
        if input.ndim not in ranks:
            axes, layouts = (" or ".join(map(str, each)) for each in (ranks, self.takes))
            raise ShapeError(
                f"{type(self).__name__} takes {axes} axes, {layouts}, but the input is {shape_text(input.shape)}"
            )
        share: Any = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats:
            batches = self.num_batches_tracked + 1
            self.num_batches_tracked = batches
            if self.momentum is None:
                share = 1 / batches.astype(self.running_mean.dtype)
        return F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            share,
            self.eps,
        )

    def extra_repr(self) -> str:
        """`64, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True`."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """y = (x − μ) / √(σ² + eps) · weight + bias for each channel (axis 1) of f32[N,C] or f32[N,C,L].

    In training μ and σ² (biased) are the batch's, and running_mean and running_var (unbiased) move towards them by
    the share `momentum`, or become their average so far when `momentum` is None; in eval they are the running ones.
    Training with one value a channel raises ShapeError. Source: Ioffe and Szegedy, 2015; torch's conventions.
    """

    takes = ("(N, C)", "(N, C, L)")


class BatchNorm2d(_BatchNorm):
    """As `BatchNorm1d`, for each channel of f32[N,C,H,W]: μ and σ² are over the batch and all places."""

    takes = ("(N, C, H, W)",)


class BatchNorm3d(_BatchNorm):
    """As `BatchNorm1d`, for each channel of f32[N,C,D,H,W]: μ and σ² are over the batch and all places."""

    takes = ("(N, C, D, H, W)",)


class LayerNorm(Module):
    """y = (x − μ) / √(σ² + eps) · weight + bias, with mean and biased variance over the last axes, `normalized_shape`.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: object = f32,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        numpy, shape = as_dtype(dtype).numpy, self.normalized_shape
        self.register_parameter("weight", Parameter(np.ones(shape, numpy)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(np.zeros(shape, numpy)) if elementwise_affine and bias else None)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            self.weight[...] = 1
        if self.bias is not None:
            self.bias[...] = 0

    def forward(self, input: Any) -> Any:
        """f32[…, *normalized_shape] -> the same."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """`(64,), eps=1e-05, elementwise_affine=True, bias=True`."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """y = x / √(mean(x²) + eps) · weight, over the last axes, `normalized_shape`; eps None is the dtype's epsilon.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: object = f32,
    ) -> None:
        super().__init__()
        self.normalized_shape = as_sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        ones = np.ones(self.normalized_shape, as_dtype(dtype).numpy)
        self.register_parameter("weight", Parameter(ones) if elementwise_affine else None)

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            self.weight[...] = 1

    def forward(self, input: Any) -> Any:
        """f32[…, *normalized_shape] -> the same."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """`(64,), eps=None, elementwise_affine=True`."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def as_sizes(sizes: int | Sequence[int]) -> tuple[int, ...]:
    """One extent or several, as a tuple."""
    return (int(sizes),) if isinstance(sizes, int | np.integer) else tuple(int(size) for size in sizes)
