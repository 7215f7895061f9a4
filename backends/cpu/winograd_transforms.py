"""The additions around Winograd's products: each a matrix, applied along a line of a tile, and then along its columns.

    both_ways(of_image, tile, b)          # Bᵀ d B for 4×4 vectors, row by row

With the points 0, 1, -1 and infinity (Lavin and Gray 2015, section 4.1):

    of_image  Bᵀ  1  0 -1  0      of_kernel  G   1   0   0     of_gradient  1   0
                  0  1  1  0                    1/2 1/2 1/2                1/2 1/2
                  0 -1  1  0                    1/2 -1/2 1/2               1/2 -1/2
                  0  1  0 -1                     0   0   1                  0   1

    to_image  Aᵀ  1  1  1  0      to_kernel  1  1  1  0
                  0  1 -1 -1                 0  1 -1  0
                                             0  1  1 -1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

Line = Sequence[ir.Value]
Transform = Callable[[Line, ir.IRBuilder], list[ir.Value]]


def of_image(line: Line, b: ir.IRBuilder) -> list[ir.Value]:
    """Four pixels."""
    first, second, third, fourth = line
    return [b.fsub(first, third), b.fadd(second, third), b.fsub(third, second), b.fsub(second, fourth)]


def of_kernel(line: Line, b: ir.IRBuilder) -> list[ir.Value]:
    """Three taps of a kernel."""
    first, second, third = line
    outer = b.fadd(first, third)
    return [first, _halved(b.fadd(outer, second), b), _halved(b.fsub(outer, second), b), third]


def of_gradient(line: Line, b: ir.IRBuilder) -> list[ir.Value]:
    """Gradients for two results."""
    first, second = line
    return [first, _halved(b.fadd(first, second), b), _halved(b.fsub(first, second), b), second]


def to_image(line: Line, b: ir.IRBuilder) -> list[ir.Value]:
    """Two results out of four sums."""
    first, second, third, fourth = line
    return [b.fadd(b.fadd(first, second), third), b.fsub(b.fsub(second, third), fourth)]


def to_kernel(line: Line, b: ir.IRBuilder) -> list[ir.Value]:
    """Three taps of a kernel's gradient out of four sums."""
    first, second, third, fourth = line
    both = b.fadd(second, third)
    return [b.fadd(first, both), b.fsub(second, third), b.fsub(both, fourth)]


def both_ways(transform: Transform, square: Sequence[Line], b: ir.IRBuilder) -> list[ir.Value]:
    """A transform of the columns of a square, then of its lines; the results row by row."""
    columns = [transform(column, b) for column in zip(*square, strict=True)]
    return [value for line in zip(*columns, strict=True) for value in transform(line, b)]


def _halved(value: ir.Value, b: ir.IRBuilder) -> ir.Value:
    kind = value.type
    return b.fmul(value, ir.Constant(kind, [0.5] * kind.count))
