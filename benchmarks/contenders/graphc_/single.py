"""A contraction by itself as graphc compiles it: a graph of one product or convolution, or of one of its gradients.

single(SINGLES["forward 32x64x32 mk·nk"])        # a graph of a: f32[N,64] and b: f32[32,64]
"""

from __future__ import annotations

from typing import Any

from benchmarks.workloads.single import Case, ConvolutionCase, ProductCase


def single(case: Case) -> Any:
    """The graph of a case."""
    return product(case) if isinstance(case, ProductCase) else convolution(case)


def product(case: ProductCase) -> Any:
    """A graph of `a` and `b`; the extent that comes from the batch is named."""
    import graphc as gc

    def matrix(form: str) -> Any:
        shape = ["N" if extent == case.named else getattr(case, extent) for extent in form]
        groups: list[Any] = ["N" if case.named == "groups" else case.groups] if case.groups > 1 else []
        return gc.f32[(*groups, *shape)]

    def multiply(a: Any, b: Any) -> Any:
        return (a.mT if case.left == "km" else a) @ (b.mT if case.right == "nk" else b)

    return gc.trace(multiply, matrix(case.left), matrix(case.right))


def convolution(case: ConvolutionCase) -> Any:
    """A graph of `x`, `w` and, for gradients, `g`; images have the channels last, as they have between layers."""
    import graphc as gc
    from graphc.nn import functional as F

    c = case.convolution

    def convolve(x: Any, w: Any) -> Any:
        images = gc.permute_dims(x, (0, 3, 1, 2))
        result = F.conv2d(images, w, None, c.stride, c.padding, c.dilation, c.groups)
        return gc.permute_dims(result, (0, 2, 3, 1))

    def weighed(x: Any, w: Any, g: Any) -> Any:
        return gc.sum(convolve(x, w) * g)

    x = gc.f32["N", c.image, c.image, c.channels]
    w = gc.f32[c.filters, c.channels // c.groups, c.kernel, c.kernel]
    if case.kind == "forward":
        return gc.trace(convolve, x, w)
    graph = gc.trace(weighed, x, w, gc.f32["N", c.result, c.result, c.filters])
    return gc.grad(graph, wrt=["x" if case.kind == "data gradient" else "w"])
