"""`einsum`: sums of products written with subscripts, as NumPy reads them.

    einsum("bik,kj->bij", x, w)          x: f32[B,I,K], w: f32[K,J]      ->   f32[B,I,J]
    einsum("...ij,...jk", a, b)          a: f32[B,2,3], b: f32[3,4]      ->   f32[B,2,4]
    einsum("ii->i", a)                   a: f32[4,4]                     ->   f32[4]
    einsum(a, [0, 1], b, [1, 2])         a: f32[2,3], b: f32[3,4]        ->   f32[2,4]

Several operands are contracted two at a time, the pair next whose product is the smallest beside its operands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod
from typing import Any

from graphc.array.contract import Label, Labelled, contract, same_dtype
from graphc.array.linear_algebra import diagonal
from graphc.array.manipulation import broadcast_to, moveaxis
from graphc.array.operands import Operand, as_tensor, fail
from graphc.dim import Dim, Extent, evaluate_extent
from graphc.errors import ArgumentError, ShapeError
from graphc.tensor import Tensor

Labels = list[Label]
ELLIPSIS = "..."
TYPICAL_EXTENT = 64  # what a named dim counts for where the order of contractions is chosen


def einsum(*operands: Any) -> Tensor:
    """The sum of products over all subscripts that the result lacks (numpy.einsum).

        einsum("nd,md->nm", x, y)   x: f32[N,3], y: f32[M,3]   ->   f32[N,M]

    Without `->`, the result has the subscripts that occur once, in alphabetical order, after those of an ellipsis. A
    subscript that is repeated within an operand takes the diagonal; extents of 1 broadcast. Raises ArgumentError where
    the subscripts do not fit the operands, ShapeError where extents of one subscript differ.
    """
    terms, result, tensors = _parsed(operands)
    if len(terms) != len(tensors):
        fail(ArgumentError(f"einsum: the subscripts name {len(terms)} operands, but {len(tensors)} are given"))
    tensors = same_dtype(tensors, "einsum")
    dots = _longest_ellipsis(terms, tensors)
    spelled = [_with_axes(term, t.ndim) for term, t in zip(terms, tensors, strict=True)]
    extents = _extents(spelled, tensors)
    if result is None:
        named = [label for term in terms for label in term if label != ELLIPSIS]
        result = [ELLIPSIS, *sorted((x for x in set(named) if named.count(x) == 1), key=str)]
        if not any(ELLIPSIS in term for term in terms):
            result.remove(ELLIPSIS)
    wanted = _result(result, dots, extents)
    parts = [_without_repeats(t, labels) for t, labels in zip(tensors, spelled, strict=True)]
    total = _contract_all(parts, wanted)
    shape = tuple(extents[label] for label in wanted)
    return broadcast_to(total.aligned(wanted), shape)


# -- reading the subscripts -------------------------------------------------------------------------------------------


def _parsed(operands: Sequence[Any]) -> tuple[list[Labels], Labels | None, list[Tensor]]:
    """The subscripts of each operand and of the result (None when implicit), and the operands."""
    if not operands:
        fail(ArgumentError("einsum: takes subscripts and operands"))
    if isinstance(operands[0], str):
        inputs, arrow, output = operands[0].replace(" ", "").partition("->")
        terms = [_letters(term, operands[0]) for term in inputs.split(",")]
        return terms, _letters(output, operands[0]) if arrow else None, _tensors(operands[1:])
    pairs, rest = divmod(len(operands), 2)
    terms = [_numbers(operands[2 * i + 1]) for i in range(pairs)]
    return terms, _numbers(operands[-1]) if rest else None, _tensors(operands[0 : 2 * pairs : 2])


def _tensors(operands: Sequence[Operand]) -> list[Tensor]:
    if not operands:
        fail(ArgumentError("einsum: takes at least one operand"))
    return [as_tensor(x, "einsum") for x in operands]


def _letters(term: str, subscripts: str) -> Labels:
    before, dots, after = term.partition(ELLIPSIS)
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            fail(ArgumentError(f"einsum: {letter!r} in {subscripts!r} is neither a letter nor `...`, `,` or `->`"))
    return [*before, *([ELLIPSIS] if dots else []), *after]


def _numbers(term: Any) -> Labels:
    if not isinstance(term, Sequence) or isinstance(term, str):
        fail(ArgumentError(f"einsum: {term!r} is no list of subscripts"))
    labels: Labels = [ELLIPSIS if x is Ellipsis else x for x in term]
    for label in labels:
        if label != ELLIPSIS and (isinstance(label, bool) or not isinstance(label, int) or label < 0):
            fail(ArgumentError(f"einsum: {label!r} in {term!r} is no subscript; use integers from 0 and Ellipsis"))
    # Letters sort as numbers do: NumPy numbers A to Z before a to z.
    return [label if label == ELLIPSIS else f"{label:09d}" for label in labels]


def _longest_ellipsis(terms: list[Labels], tensors: list[Tensor]) -> int:
    """The number of axes that `...` stands for in the result."""
    longest = 0
    for term, tensor in zip(terms, tensors, strict=True):
        named = len(term) - (ELLIPSIS in term)
        if named > tensor.ndim or (ELLIPSIS not in term and named != tensor.ndim):
            text = "".join(map(str, term))
            fail(ArgumentError(f"einsum: the term {text!r} has {named} subscripts, but its operand is {tensor.type}"))
        if ELLIPSIS in term:
            longest = max(longest, tensor.ndim - named)
    return longest


def _with_axes(term: Labels, rank: int) -> Labels:
    """An ellipsis spelled out: its axes are labelled -1, -2 … from the right, as they broadcast."""
    if ELLIPSIS not in term:
        return term
    at = term.index(ELLIPSIS)
    return [*term[:at], *range(len(term) - 1 - rank, 0), *term[at + 1 :]]


def _result(result: Labels, dots: int, extents: Mapping[Label, Extent]) -> Labels:
    wanted = _with_axes(result, len(result) - 1 + dots) if ELLIPSIS in result else list(result)
    for label in wanted:
        if wanted.count(label) > 1:
            fail(ArgumentError(f"einsum: the result has the subscript {label!r} twice"))
        if label not in extents:
            fail(ArgumentError(f"einsum: the result has the subscript {label!r}, which no operand has"))
    if dots and ELLIPSIS not in result:
        fail(ArgumentError("einsum: operands have `...`, so the result needs it too"))
    return wanted


def _extents(spelled: list[Labels], tensors: list[Tensor]) -> dict[Label, Extent]:
    """The extent of each label; ShapeError where two differ and neither is 1."""
    extents: dict[Label, Extent] = {}
    for labels, tensor in zip(spelled, tensors, strict=True):
        for label, extent in zip(labels, tensor.shape, strict=True):
            known = extents.get(label, 1)
            if known not in (1, extent) and extent != 1:
                types = ", ".join(str(t.type) for t in tensors)
                fail(ShapeError(f"einsum: subscript {label!r} has the extents {known} and {extent} in {types}"))
            extents[label] = known if extent == 1 else extent
    return extents


def _without_repeats(x: Tensor, labels: Labels) -> Labelled:
    """The diagonal over each label that occurs twice."""
    while len(set(labels)) < len(labels):
        label = next(x for x in labels if labels.count(x) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        if x.shape[first] != x.shape[second]:
            fail(
                ShapeError(
                    f"einsum: subscript {label!r} has the extents {x.shape[first]} and {x.shape[second]} in {x.type}"
                )
            )
        x = diagonal(moveaxis(x, (first, second), (-2, -1)))
        labels = [a for i, a in enumerate(labels) if i not in (first, second)] + [label]
    return Labelled(x, tuple(labels))


# -- the order of contractions ----------------------------------------------------------------------------------------


def _contract_all(parts: list[Labelled], wanted: Labels) -> Labelled:
    while len(parts) > 1:
        i, j = min(combinations(range(len(parts)), 2), key=lambda pair: _cost(parts, pair, wanted))
        others = [part for k, part in enumerate(parts) if k not in (i, j)]
        kept = [label for label in _kept(parts[i], parts[j]) if label in wanted or _is_in(label, others)]
        order = wanted if not others else kept
        parts = [contract(parts[i], parts[j], order), *others]
    return _transposed(parts[0].summed(wanted), wanted)


def _transposed(part: Labelled, wanted: Labels) -> Labelled:
    order = tuple(label for label in wanted if label in part.labels)
    return Labelled(part.transposed(order), order)


def _kept(lhs: Labelled, rhs: Labelled) -> Labels:
    return list(dict.fromkeys((*lhs.labels, *rhs.labels)))


def _is_in(label: Label, parts: Sequence[Labelled]) -> bool:
    return any(label in part.labels for part in parts)


def _cost(parts: list[Labelled], pair: tuple[int, int], wanted: Labels) -> tuple[int, int]:
    """The elements that a contraction adds, its result's less its operands'; then its multiplications."""
    others = [part for k, part in enumerate(parts) if k not in pair]
    lhs, rhs = ({label: _size(extent) for label, extent in parts[k].extents.items()} for k in pair)
    both = {label: max(lhs.get(label, 1), rhs.get(label, 1)) for label in (*lhs, *rhs)}
    result = prod(size for label, size in both.items() if label in wanted or _is_in(label, others))
    return result - prod(lhs.values()) - prod(rhs.values()), prod(both.values())


def _size(extent: Extent) -> int:
    return evaluate_extent(extent, dict.fromkeys(extent.names, TYPICAL_EXTENT)) if isinstance(extent, Dim) else extent


__all__ = ["einsum"]
