"""A contraction by itself in torch: MKL's products, oneDNN's convolutions with the channels last.

Single(SINGLES["forward 32x64x32 mk·nk"], arrays).run(1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.workloads.constants import Array
from benchmarks.workloads.single import Case, ConvolutionCase, ProductCase, single_witness


def product(case: ProductCase, arrays: dict[str, Array]) -> Callable[[], Any]:
    """C ← A · B, in place."""
    import torch

    a, b = (torch.from_numpy(arrays[name]) for name in ("a", "b"))
    a, b = a.mT if case.left == "km" else a, b.mT if case.right == "nk" else b
    c = torch.empty(case.shape("mn"))
    return lambda: torch.matmul(a, b, out=c)


def convolution(case: ConvolutionCase, arrays: dict[str, Array]) -> Callable[[], Any]:
    """The result or a gradient, a new tensor each time."""
    import torch
    from torch.nn import functional as F

    c = case.convolution
    # As views of arrays with the channels last these are tensors in torch.channels_last.
    x, g = (torch.from_numpy(arrays[name]).permute(0, 3, 1, 2) for name in ("x", "g"))
    w = torch.from_numpy(arrays["w"]).to(memory_format=torch.channels_last)
    settings = [c.stride] * 2, [c.padding] * 2, [c.dilation] * 2
    if case.kind == "forward":
        return lambda: F.conv2d(x, w, None, c.stride, c.padding, c.dilation, c.groups)
    mask = [case.kind == "data gradient", case.kind == "weight gradient", False]

    def backward() -> Any:
        found = torch.ops.aten.convolution_backward(g, x, w, None, *settings, False, [0, 0], c.groups, mask)
        return found[0] if mask[0] else found[1]

    return backward


class Single:
    """Calls of a contraction."""

    def __init__(self, case: Case, arrays: dict[str, Array]) -> None:
        self._images = isinstance(case, ConvolutionCase) and case.kind != "weight gradient"
        self._call = product(case, arrays) if isinstance(case, ProductCase) else convolution(case, arrays)
        self._result: Any = None

    def run(self, steps: int) -> None:
        import torch

        call = self._call
        with torch.inference_mode():
            for _ in range(steps):
                self._result = call()

    def witness(self) -> list[float]:
        return single_witness(self._result.permute(0, 2, 3, 1) if self._images else self._result)
