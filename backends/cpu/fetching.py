"""Products whose tiles ask for what the kernel reads next: arrays of the result's shape, such as Adam's averages.

    gemm_fetching(…, arrays, next_row, next0, next1, next2, next3)
    gemm_panels_fetching(…, arrays, next_row, next0, next1, next2, next3)
        `gemm` and `gemm_panels`; when they come back, the elements next[i·next_row + j], 0 <= i < m, 0 <= j < n, of the
        first so many arrays are on their way to the second-level cache

A weight's gradient and its update take turns, some rows of a block of columns at a time: 256 bytes of a row, then the
next row, in each of four arrays. Memory sees no pattern in that, and would wait while the product is computed, and the
machine while the rows come. A tile asks for its own part before it starts, in every block of the depth: what the first
one asked for may have left the cache when the last one is done.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.contraction import GEMM, Gemm, gemm_f32, gemm_f64
from graphc.backends.cpu.intrinsics import called_by_kernels, typed_call
from graphc.backends.cpu.left_panels import GEMM_PANELS, GemmPanels, gemm_panels_f32, gemm_panels_f64
from graphc.backends.cpu.read_beside import MOST_ASKED
from graphc.backends.cpu.vector_ir import at, times

NEXT = tuple(f"next{number}" for number in range(MOST_ASKED))
FETCHING = ("arrays", "next_row", *NEXT)


class _Fetching(Gemm):
    """A product that is told of arrays beside its result."""

    @property
    def asked(self) -> int:
        return self.literals["arrays"]

    def places_asked(self, i: ir.Value, j: ir.Value) -> list[ir.Value]:
        b, row = self.b, times(self.b, self.strides["next_row"], i)
        return [at(b, self.given[name], row, times(b, j, self.tiling.size)) for name in NEXT[: self.asked]]


class GemmFetching(_Fetching):
    title, names = "gemm_fetching", (*GEMM, *FETCHING)


class GemmPanelsFetching(_Fetching, GemmPanels):
    title, names = "gemm_panels_fetching", (*GEMM_PANELS, *FETCHING)


def _gemm_fetching(dtype: str, product: Any) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, a: Any, a_row: Any, a_depth: Any, b: Any, b_panel: Any, b_depth: Any, c: Any,
        c_row: Any, arrays: Any, next_row: Any, next0: Any, next1: Any, next2: Any, next3: Any,
    ) -> Any:  # fmt: skip
        of_product = (m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row)
        kinds = (*of_product, arrays, next_row, next0, next1, next2, next3)
        return typed_call(GemmFetching, dtype, dict(zip(GemmFetching.names, kinds, strict=True)))

    def plain(*arguments: int) -> None:
        product(*arguments[: len(GEMM)])

    return called_by_kernels(f"gemm_fetching_{dtype}", typed, plain)


def _gemm_panels_fetching(dtype: str, product: Any) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, a: Any, b: Any, b_panel: Any, b_depth: Any, c: Any, c_row: Any, arrays: Any,
        next_row: Any, next0: Any, next1: Any, next2: Any, next3: Any,
    ) -> Any:  # fmt: skip
        of_product = (m, n, k, a, b, b_panel, b_depth, c, c_row)
        kinds = (*of_product, arrays, next_row, next0, next1, next2, next3)
        return typed_call(GemmPanelsFetching, dtype, dict(zip(GemmPanelsFetching.names, kinds, strict=True)))

    def plain(*arguments: int) -> None:
        product(*arguments[: len(GEMM_PANELS)])

    return called_by_kernels(f"gemm_panels_fetching_{dtype}", typed, plain)


gemm_fetching_f32, gemm_fetching_f64 = _gemm_fetching("float32", gemm_f32), _gemm_fetching("float64", gemm_f64)
gemm_panels_fetching_f32 = _gemm_panels_fetching("float32", gemm_panels_f32)
gemm_panels_fetching_f64 = _gemm_panels_fetching("float64", gemm_panels_f64)
