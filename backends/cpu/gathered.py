"""A product whose depth is gathered: runs of a left operand, side by side in panels, and sums that go on.

    dw[c, o] = sum over n, y, x of image[n, y·2, x·2, c] · dy[n, y, x, o]       lines of an image are runs of the depth

    pack_run(m, k, a, a_row, a_depth, packed, depth, ahead)
        `pack_rows`, which asks for what is packed next: each column's elements `ahead` behind
    gemm_gathered(m, n, k, a, b, b_panel, b_depth, c, c_row, resume)
        `gemm_panels`; with resume the sums go on from what C holds

A line of an image is a short run, and its pixels are far apart: tiles that read it in place end a loop after a few
steps, and find little of it in the first-level cache. The right operand is long, and each slice reads all of it, mostly
from memory: so the first tiles of a panel ask for its next rows, which the next call reads.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.contraction import panel_width
from graphc.backends.cpu.intrinsics import called_by_kernels, memory_of, typed_call
from graphc.backends.cpu.left_operand import AsItIs
from graphc.backends.cpu.left_panels import GEMM_PANELS, PACK_ROWS, GemmPanels, RowPacking
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.vector_ir import Tiling, Word, word

PACK_RUN = (*PACK_ROWS, "ahead")
GEMM_GATHERED = (*GEMM_PANELS, "resume")


class GemmGathered(GemmPanels):
    """The loops of a product whose depth is a part of the whole."""

    title, names = "gemm_gathered", GEMM_GATHERED

    def left_operand(self, b: ir.IRBuilder, k: Word, stride: dict[str, Word]) -> AsItIs:
        """Panels that lie in a cache: tiles ask for nothing more of them."""
        found = super().left_operand(b, k, stride)
        found.is_one_piece = False
        return found

    def _resumes(self, p: ir.Value) -> ir.Value:
        return self.b.or_(super()._resumes(p), self.b.icmp_signed("!=", word(self["resume"]), word(0)))

    @property
    def _fetches_right(self) -> bool:
        """Whether B is read in place."""
        return self.b_panel == self._line and isinstance(self.b_depth, int) and not machine().crowds(self.b_depth)

    @property
    def _may_be_one_row(self) -> bool:
        """One row is an edge, and no worse than others."""
        return False


class RunPacking(RowPacking):
    """Panels out of a run, and a request for another."""

    title, names = "pack_run", PACK_RUN

    def column_ahead(self) -> Word:
        return self.bytes_of(self["ahead"])


def _gemm_gathered(dtype: str) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, a: Any, b: Any, b_panel: Any, b_depth: Any, c: Any, c_row: Any, resume: Any
    ) -> Any:
        kinds = (m, n, k, a, b, b_panel, b_depth, c, c_row, resume)
        return typed_call(GemmGathered, dtype, dict(zip(GEMM_GATHERED, kinds, strict=True)))

    def plain(
        m: int, n: int, k: int, a: int, b: int, b_panel: int, b_depth: int, c: int, c_row: int, resume: int
    ) -> None:
        height, width = Tiling.of(dtype).rows, panel_width(dtype)
        panels = memory_of(dtype, a, (-(-int(m) // height), k, height), (int(k) * height, height, 1))
        A = panels.transpose(0, 2, 1).reshape(-1, int(k))[: int(m)]
        for j in range(0, int(n), width):
            columns = min(width, int(n) - j)
            B = memory_of(dtype, int(b) + j // width * int(b_panel) * A.itemsize, (k, columns), (b_depth, 1))
            C = memory_of(dtype, int(c) + j * A.itemsize, (m, columns), (c_row, 1))
            C[:] = C + A @ B if resume else A @ B

    return called_by_kernels(f"gemm_gathered_{dtype}", typed, plain)


def _pack_run(dtype: str) -> Any:
    def typed(_: Any, m: Any, k: Any, a: Any, a_row: Any, a_depth: Any, packed: Any, depth: Any, ahead: Any) -> Any:
        kinds = (m, k, a, a_row, a_depth, packed, depth, ahead)
        return typed_call(RunPacking, dtype, dict(zip(PACK_RUN, kinds, strict=True)))

    def plain(m: int, k: int, a: int, a_row: int, a_depth: int, packed: int, depth: int, ahead: int) -> None:
        height = Tiling.of(dtype).rows
        A = memory_of(dtype, a, (m, k), (a_row, a_depth))
        panels = memory_of(dtype, packed, (-(-int(m) // height), k, height), (int(depth) * height, height, 1))
        for i, panel in enumerate(panels):
            rows = A[i * height : (i + 1) * height]
            panel[:, : len(rows)] = rows.T
            panel[:, len(rows) :] = 0

    return called_by_kernels(f"pack_run_{dtype}", typed, plain)


gemm_gathered_f32, gemm_gathered_f64 = _gemm_gathered("float32"), _gemm_gathered("float64")
pack_run_f32, pack_run_f64 = _pack_run("float32"), _pack_run("float64")
