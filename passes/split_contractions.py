"""Rules of `split_reductions` for products of matrices: sums, and what is repeated, come out of them.

    Σ y·z → (Σy)·z        Σ (x + y·z) → Σx + (Σy)·z        y·(s repeated) → (Σy)·s, repeated

So a product over all tokens of a sequence, whose mean is what the rest of a network reads, is one of their sum, and so
are the products of its gradient: 128 times fewer multiplications for 128 tokens.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from functools import reduce

from graphc.ops.contraction import dot_general, free_axes
from graphc.ops.elementwise import add
from graphc.ops.reduction import sum
from graphc.ops.shape import permute_dims, reshape
from graphc.passes.rewrite import Matched, rule, rule_on
from graphc.passes.split_products import is_wide, repeated_along, spread, without_axes

MOST_TERMS = 16  # of a sum that is taken apart


@rule(where=lambda m: m["product"].single_use)
def sum_of_contraction(x, y, contract, batch, axis):
    """Σ x·y  →  (Σx)·y        summed over axes of x alone, or of y alone, before they are multiplied"""
    product = dot_general(x, y, contract=contract, batch=batch)

    def summed():
        left, right = (free_axes(t.ndim, c, b) for t, c, b in zip((x, y), contract, batch, strict=True))
        shared = len(batch[0])
        free = [(0, a) for a in left] + [(1, a) for a in right]
        if any(a < shared for a in axis) or not is_wide(x):
            return None
        chosen = [free[a - shared] for a in axis]
        operands, contracts, batches = [], [], []
        for side, operand in enumerate((x, y)):
            axes = tuple(a for s, a in chosen if s == side)
            operands.append(sum(operand, axis=axes, keepdims=False) if axes else operand)
            contracts.append(tuple(_behind(a, axes) for a in contract[side]))
            batches.append(tuple(_behind(a, axes) for a in batch[side]))
        return dot_general(*operands, contract=tuple(contracts), batch=tuple(batches))

    return sum(product, axis=axis, keepdims=False), summed


def _behind(axis, summed):
    """The place of an axis when others are summed."""
    return axis - len([a for a in summed if a < axis])


@rule_on(sum, depth=6)
def contraction_in_sum(node):
    """Σ (x + y·z)  →  Σx + (Σy)·z        summed over axes of y alone, or of z alone, before they are multiplied"""
    total, axes = node.operands[0], node["axis"]
    if not axes or node["keepdims"] or not is_wide(total) or not _adds(total):
        return None
    terms: list[Matched] = []
    pending = [total]
    while pending:
        term = pending.pop()
        if _adds(term) and len(terms) + len(pending) < MOST_TERMS:
            pending += [term.operand(1), term.operand(0)]
        else:
            terms.append(term)
    if not any(_sums_sooner(term, axes) for term in terms):
        return None
    first, *others = (sum(term, axis=axes, keepdims=False) for term in terms)
    return reduce(add, others, first)


def _adds(x: Matched) -> bool:
    """Whether a value is a sum of two tensors, and nobody else reads it."""
    return x.made_by("add") and x.single_use and all(x.operand(i).ndim == x.ndim for i in (0, 1))


def _sums_sooner(x: Matched, axes) -> bool:
    """Whether a term is a product that nobody else reads, of which all these axes are free axes of operands."""
    if not x.made_by("dot_general") or not x.single_use:
        return False
    return all(axis >= len(x.attribute("batch")[0]) for axis in axes)


@rule_on(dot_general)
def contraction_with_scalar(node):
    """x·(s everywhere)  →  s·Σx        the gradient of a sum of products"""
    for side, operand in enumerate(node.operands):
        if operand.made_by("broadcast_to") and operand.operand().ndim == 0 and is_wide(operand):
            return _scaled_sums(node, operand.operand(), other=1 - side)
    return None


def _scaled_sums(node, s: Matched, other: int):
    x, contract, batch = node.operands[other], node["contract"], node["batch"]
    total = sum(x, axis=tuple(sorted(contract[other])), keepdims=False)
    total = total if s.number == 1 else total * s
    # The sum's axes are x's own, in its order; the result wants the shared ones first, then lhs's, then rhs's.
    left = [a for a in range(x.ndim) if a not in contract[other]]
    wanted = [*batch[other], *free_axes(x.ndim, contract[other], batch[other])]
    if left != wanted:
        total = permute_dims(total, axes=tuple(left.index(a) for a in wanted))
    shape, shared = node.result.shape, len(batch[other])
    free = len(wanted) - shared
    ones = len(shape) - len(wanted)
    if other == 0 and ones:
        total = reshape(total, shape=(*total.shape, *(1,) * ones))
    elif other == 1 and shared and ones:
        total = reshape(total, shape=(*total.shape[:shared], *(1,) * ones, *total.shape[len(total.shape) - free :]))
    return spread(total, shape)


@rule_on(dot_general)
def contraction_of_repeated(node):
    """x·(s repeated)  →  (Σx)·s, repeated        Σ along contracted axes; what repeats s along others comes last"""
    for side, operand in enumerate(node.operands):
        if not operand.made_by("broadcast_to") or not is_wide(operand):
            continue
        shared, rank = node["batch"][side], operand.ndim
        axes = tuple(a for a in range(rank) if a not in shared and repeated_along(operand, (a,), rank))
        if axes and without_axes(operand, axes, rank).ndim:
            return _product_of_repeated(node, side, axes)
    return None


def _product_of_repeated(node, side: int, axes):
    """The product with an operand that is repeated along these axes; only axes that both operands share may be left."""
    repeated, x = node.operands[side], node.operands[1 - side]
    pairs = list(zip(node["contract"][side], node["contract"][1 - side], strict=True))
    summed = tuple(sorted(other for own, other in pairs if own in axes))
    shape = tuple(extent for a, extent in enumerate(repeated.shape) if a not in axes)
    operands = [spread(without_axes(repeated, axes, repeated.ndim), shape)]
    operands.insert(1 - side, sum(x, axis=summed, keepdims=False) if summed else x)
    gone = (axes, summed) if side == 0 else (summed, axes)
    contract, batch = (
        tuple(tuple(_behind(a, gone[i]) for a in node[name][i] if a not in gone[i]) for i in (0, 1))
        for name in ("contract", "batch")
    )
    product = dot_general(*operands, contract=contract, batch=batch)
    free = [
        (i, a)
        for i, operand in enumerate(node.operands)
        for a in free_axes(operand.ndim, node["contract"][i], node["batch"][i])
    ]
    once = [i == side and a in axes for i, a in free]
    if not any(once):
        return product
    extents = node.result.shape[len(node["batch"][0]) :]
    ones = (*node.result.shape[: len(node["batch"][0])], *(1 if o else e for o, e in zip(once, extents, strict=True)))
    return spread(reshape(product, shape=ones), node.result.shape)
