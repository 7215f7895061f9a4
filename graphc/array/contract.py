"""Sums of products by labels: what matmul, tensordot and einsum come down to.

    y = contract(Labelled(x, "bik"), Labelled(w, "kj"), "bij")    # x: f32[B,I,K], w: f32[K,J]   ->   f32[B,I,J]

A label in both operands and in the result is a batch axis, one that the result lacks is summed, and one that only one
operand has is free. Axes of extent 1 that stand beside a longer one are dropped instead of stretched, so that nothing
is copied to be multiplied.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from graphc.array.manipulation import permute_dims, reshape
from graphc.array.operands import accumulator, call, cast, fail
from graphc.dim import Extent
from graphc.errors import DTypeError
from graphc.tensor import Tensor
from graphc.types import bool_, promote

Label = Hashable


@dataclass(frozen=True)
class Labelled:
    """A tensor with one distinct label for each axis."""

    tensor: Tensor
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        assert len(self.labels) == self.tensor.ndim == len(set(self.labels)), self

    @property
    def extents(self) -> dict[Label, Extent]:
        return dict(zip(self.labels, self.tensor.shape, strict=True))

    def axes(self, labels: Sequence[Label]) -> tuple[int, ...]:
        return tuple(map(self.labels.index, labels))

    def without_stretched(self, extents: Mapping[Label, Extent]) -> Labelled:
        """Without the axes of extent 1 whose label is longer elsewhere."""
        kept = [i for i, label in enumerate(self.labels) if self.tensor.shape[i] == extents[label]]
        if len(kept) == len(self.labels):
            return self
        shape = tuple(self.tensor.shape[i] for i in kept)
        return Labelled(reshape(self.tensor, shape), tuple(self.labels[i] for i in kept))

    def summed(self, kept: Sequence[Label]) -> Labelled:
        """Summed over the labels that are not kept."""
        gone = tuple(i for i, label in enumerate(self.labels) if label not in kept)
        if not gone:
            return self
        total = call("sum", self.tensor, axis=gone, keepdims=False)
        return Labelled(total, tuple(label for label in self.labels if label in kept))

    def transposed(self, labels: Sequence[Label]) -> Tensor:
        """The tensor with its axes in the order of these labels."""
        return permute_dims(self.tensor, self.axes(labels))

    def aligned(self, labels: Sequence[Label]) -> Tensor:
        """The tensor with one axis for each of these labels, of extent 1 where it has none."""
        own = [label for label in labels if label in self.labels]
        tensor = self.transposed(own)
        extents = self.extents
        shape = tuple(extents.get(label, 1) for label in labels)
        return tensor if shape == tensor.shape else reshape(tensor, shape)


def same_dtype(tensors: Sequence[Tensor], what: str) -> list[Tensor]:
    """Numbers in the dtype that they promote to."""
    try:
        dtype = promote(*(t.dtype for t in tensors))
    except DTypeError as error:
        fail(DTypeError(f"{what}: {error.rule}"))
    if dtype is bool_:
        fail(DTypeError(f"{what}: takes numbers, not booleans; convert with gc.astype"))
    return [cast(t, dtype) for t in tensors]


def contract(lhs: Labelled, rhs: Labelled, result: Sequence[Label]) -> Labelled:
    """The sum of products of two operands of one dtype, over all labels that the result lacks, in the result's order.

    Extents of one label must agree already, or be 1. The labels of the result that neither operand has are left out.
    """
    extents = lhs.extents
    for label, extent in rhs.extents.items():
        extents[label] = extent if extents.get(label, 1) == 1 else extents[label]
    lhs = lhs.without_stretched(extents)
    rhs = rhs.without_stretched(extents)
    lhs = lhs.summed([*rhs.labels, *result])
    rhs = rhs.summed([*lhs.labels, *result])
    order = [label for label in result if label in lhs.labels or label in rhs.labels]
    shared = [label for label in lhs.labels if label in rhs.labels]
    batch = [label for label in order if label in shared]
    summed = [label for label in shared if label not in batch]
    free = [x for x in order if x not in batch]
    if not summed or (batch and not free):
        return Labelled(_product(lhs, rhs, order, summed), tuple(order))
    rows, columns = _in(lhs, free), _in(rhs, free)
    if [*columns, *rows] == free:  # that way round nothing is transposed
        lhs, rhs, rows, columns = rhs, lhs, columns, rows
    product = call(
        "dot_general", lhs.tensor, rhs.tensor,
        contract=(lhs.axes(summed), rhs.axes(summed)), batch=(lhs.axes(batch), rhs.axes(batch)),
    )  # fmt: skip
    return Labelled(Labelled(product, (*batch, *rows, *columns)).transposed(order), tuple(order))


def _in(operand: Labelled, labels: Sequence[Label]) -> list[Label]:
    """An operand's labels that are among these, in the operand's order."""
    return [label for label in operand.labels if label in labels]


def _product(lhs: Labelled, rhs: Labelled, order: Sequence[Label], summed: Sequence[Label]) -> Tensor:
    """Elementwise, then summed: where each element takes part in one product only, there is no matrix product."""
    labels = [*order, *summed]
    if not summed:
        return call("mul", lhs.aligned(labels), rhs.aligned(labels))
    left, right = accumulator(lhs.aligned(labels)), accumulator(rhs.aligned(labels))
    axes = tuple(range(len(order), len(labels)))
    return cast(call("sum", call("mul", left, right), axis=axes, keepdims=False), lhs.tensor.dtype)
