"""What kernels call of `winograd.py` and `winograd_gradient.py`, and the same in plain Python.

    winograd_f32, winograd_weights_f32, winograd_gradient_f32, winograd_kernel_f32; the same for f64

With NUMBA_DISABLE_JIT=1 the names are plain Python over the same memory, with the transforms as matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.backends.cpu.intrinsics import called_by_kernels, memory_of, typed_call
from graphc.backends.cpu.vector_ir import Tiling
from graphc.backends.cpu.winograd import FORWARD, WEIGHTS, Winograd, WinogradWeights
from graphc.backends.cpu.winograd_gradient import GRADIENT, KERNEL, WinogradGradient, WinogradKernel
from graphc.backends.cpu.winograd_shape import POINTS

Matrix = Sequence[Sequence[float]]

_KERNEL_TO_POINTS: Matrix = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
_PAIR_TO_POINTS: Matrix = [[1, 0], [0.5, 0.5], [0.5, -0.5], [0, 1]]
_IMAGE_TO_POINTS: Matrix = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
_POINTS_TO_IMAGE: Matrix = [[1, 1, 1, 0], [0, 1, -1, -1]]
_POINTS_TO_KERNEL: Matrix = [[1, 1, 1, 0], [0, 1, -1, 0], [0, 1, 1, -1]]


def _weights(dtype: str) -> Any:
    def typed(
        _: Any, channels: Any, columns: Any, b: Any, b_line: Any, b_pixel: Any, b_depth: Any, packed: Any, point: Any,
    ) -> Any:  # fmt: skip
        kinds = (channels, columns, b, b_line, b_pixel, b_depth, packed, point)
        return typed_call(WinogradWeights, dtype, dict(zip(WEIGHTS, kinds, strict=True)))

    def plain(
        channels: int, columns: int, b: int, b_line: int, b_pixel: int, b_depth: int, packed: int, point: int
    ) -> None:
        width = Tiling.of(dtype).width
        kernel = memory_of(dtype, b, (3, 3, channels, columns), (b_line, b_pixel, b_depth, 1))
        panels = -(-int(columns) // width)
        size = int(channels) * width
        target = memory_of(dtype, packed, (POINTS, panels, channels, width), (point, size, width, 1))
        matrices = _both_ways(_KERNEL_TO_POINTS, kernel)
        for o in range(int(columns)):
            target[:, o // width, :, o % width] = matrices.reshape(POINTS, -1, int(columns))[:, :, o]

    return called_by_kernels(f"winograd_weights_{dtype}", typed, plain)


def _forward(dtype: str) -> Any:
    def typed(
        _: Any, lines: Any, width: Any, channels: Any, columns: Any, a: Any, a_line: Any, a_pixel: Any, b: Any, c: Any,
        c_line: Any, c_row: Any, scratch: Any,
    ) -> Any:  # fmt: skip
        kinds = (lines, width, channels, columns, a, a_line, a_pixel, b, c, c_line, c_row, scratch)
        return typed_call(Winograd, dtype, dict(zip(FORWARD, kinds, strict=True)))

    def plain(
        lines: int, width: int, channels: int, columns: int, a: int, a_line: int, a_pixel: int, b: int, c: int,
        c_line: int, c_row: int, scratch: int,
    ) -> None:  # fmt: skip
        image = memory_of(dtype, a, (lines + 2, width + 2, channels), (a_line, a_pixel, 1))
        panel = Tiling.of(dtype).width
        panels, size = -(-int(columns) // panel), int(channels) * panel
        packed = memory_of(dtype, b, (POINTS, panels, channels, panel), (panels * size, size, panel, 1))
        weights = packed.transpose(0, 2, 1, 3).reshape(POINTS, int(channels), -1)[:, :, : int(columns)]
        tiles = _transformed(image)
        sums = (tiles.reshape(POINTS, -1, int(channels)) @ weights).reshape(*tiles.shape[:4], int(columns))
        results = _both_ways(_POINTS_TO_IMAGE, sums).transpose(2, 0, 3, 1, 4)
        height, across = results.shape[0] * 2, results.shape[2] * 2
        whole = results.reshape(height, across, int(columns))
        memory_of(dtype, c, (lines, width, columns), (c_line, c_row, 1))[:] = whole[: int(lines), : int(width)]

    return called_by_kernels(f"winograd_{dtype}", typed, plain)


def _gradient(dtype: str) -> Any:
    def typed(
        _: Any, images: Any, lines: Any, width: Any, channels: Any, columns: Any, a: Any, a_image: Any, a_line: Any,
        a_pixel: Any, b: Any, b_image: Any, b_line: Any, b_pixel: Any, c: Any, scratch: Any,
    ) -> Any:  # fmt: skip
        kinds = (
            images, lines, width, channels, columns, a, a_image, a_line, a_pixel, b, b_image, b_line, b_pixel, c,
            scratch,
        )  # fmt: skip
        return typed_call(WinogradGradient, dtype, dict(zip(GRADIENT, kinds, strict=True)))

    def plain(
        images: int, lines: int, width: int, channels: int, columns: int, a: int, a_image: int, a_line: int,
        a_pixel: int, b: int, b_image: int, b_line: int, b_pixel: int, c: int, scratch: int,
    ) -> None:  # fmt: skip
        size = np.dtype(dtype).itemsize
        sums = memory_of(dtype, c, (POINTS, channels, columns), (int(channels) * int(columns), columns, 1))
        for n in range(int(images)):
            start = int(a) + n * int(a_image) * size
            image = memory_of(dtype, start, (lines + 2, width + 2, channels), (a_line, a_pixel, 1))
            given = memory_of(dtype, int(b) + n * int(b_image) * size, (lines, width, columns), (b_line, b_pixel, 1))
            whole = np.zeros((-(-int(lines) // 2) * 2, -(-int(width) // 2) * 2, int(columns)), dtype)
            whole[: int(lines), : int(width)] = given
            pairs = whole.reshape(whole.shape[0] // 2, 2, -1, 2, int(columns)).transpose(1, 3, 0, 2, 4)
            gradients = _both_ways(_PAIR_TO_POINTS, pairs)
            tiles = _transformed(image).reshape(POINTS, -1, int(channels))
            sums += tiles.transpose(0, 2, 1) @ gradients.reshape(POINTS, -1, int(columns))

    return called_by_kernels(f"winograd_gradient_{dtype}", typed, plain)


def _kernel(dtype: str) -> Any:
    def typed(_: Any, channels: Any, columns: Any, source: Any, target: Any, tap: Any, row: Any) -> Any:
        kinds = (channels, columns, source, target, tap, row)
        return typed_call(WinogradKernel, dtype, dict(zip(KERNEL, kinds, strict=True)))

    def plain(channels: int, columns: int, source: int, target: int, tap: int, row: int) -> None:
        matrix = int(channels) * int(columns)
        sums = memory_of(dtype, source, (4, 4, channels, columns), (4 * matrix, matrix, columns, 1))
        taps = memory_of(dtype, target, (3, 3, channels, columns), (3 * int(tap), tap, row, 1))
        taps[:] = _both_ways(_POINTS_TO_KERNEL, sums)

    return called_by_kernels(f"winograd_kernel_{dtype}", typed, plain)


def _transformed(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The tiles [4, 4, down, across, channels] of an image with its border, transformed."""
    lines, width = (-(-(extent - 2) // 2) for extent in image.shape[:2])
    down = np.minimum(2 * np.arange(lines) + np.arange(4)[:, None], image.shape[0] - 1)
    across = np.minimum(2 * np.arange(width) + np.arange(4)[:, None], image.shape[1] - 1)
    tiles = image[down[:, None, :, None], across[None, :, None, :]]
    return _both_ways(_IMAGE_TO_POINTS, tiles)


def _both_ways(matrix: Matrix, tiles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A matrix applied along the first two axes; what it multiplies by zero is left out, as NaN times zero is NaN."""
    for axis in (0, 1):
        terms = [[tiles.take(k, axis) * tiles.dtype.type(c) for k, c in enumerate(row) if c] for row in matrix]
        tiles = np.stack([np.add.reduce(row) for row in terms], axis)
    return tiles


winograd_weights_f32, winograd_weights_f64 = _weights("float32"), _weights("float64")
winograd_f32, winograd_f64 = _forward("float32"), _forward("float64")
winograd_gradient_f32, winograd_gradient_f64 = _gradient("float32"), _gradient("float64")
winograd_kernel_f32, winograd_kernel_f64 = _kernel("float32"), _kernel("float64")
