"""`split_reductions`: what is the same for all terms of a sum leaves it, so that sums over one domain share a pass.

    Σ x·s → s·Σx        Σ x/s → (Σx)/s        Σ -x → -Σx        Σ s → n·s        ΣΣ x → Σ x        Σ x·y → (Σx)·y

where s is constant along the summed axes: of rank 0, or repeated there. The backward graph of a BatchNorm is then
made of sums of g, of g·x and of what the forward sums were made of, all over the batch.

The laws are those of real numbers: results differ by rounding, by the sign of a zero, and where s or a sum is not
finite (Σ x·s hides an infinite s behind zeros or over no terms, s·Σx does not). Two things are left alone on
purpose. A sum of differences, Σ g·(x - m), is not split into Σ g·x - m·Σg: where the mean m is large against the
spread of x, the difference of the two large sums has few correct digits; and it needs no second pass over the data as
it is, since Σg and Σ g·(x - m) read g and x together. A sum of terms is split only where the graph has both sums
anyway. Sums of 16-bit floats keep their factors, for s·Σx may overflow in f16 where Σ x·s, computed in f32, does not.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from graphc.dim import Dim
from graphc.ops.contraction import dot_general, free_axes
from graphc.ops.elementwise import mul, neg, reciprocal
from graphc.ops.reduction import max, min, sum
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.passes.algebra_integers import wrapped
from graphc.passes.canonicalize_shape import single_terms
from graphc.passes.rewrite import Matched, RewritePass, Rule, RuleSet, rule, rule_on
from graphc.passes.split_products import Factor, Product, repeated_along, taken_apart, without_axes


def _is_wide(x: Matched) -> bool:
    return not (x.dtype.is_float and x.dtype.bits == 16)


# -- sums of products -------------------------------------------------------------------------------------------------


@rule_on(sum, depth=4)
def factor_out_of_sum(node):
    """Σ x·s/t  →  (Σx)·s/t        s and t constant along the summed axes"""
    x, axes = node.operands[0], node["axis"]
    if not axes or not _is_wide(x) or node["keepdims"]:
        return None
    product = taken_apart(x, axes)
    if not (product.constant or product.negated) or not any(f.value.ndim for f in product.varying):
        return None
    if not x.single_use and not _is_known(product, axes):
        return None  # the product is computed for others anyway: a factor more outside would be work
    return _scaled(sum(_product(product.varying), axis=axes, keepdims=False), product, axes, x.ndim)


def _scaled(total, product: Product, axes, rank: int):
    """The sum of the varying factors' product, times the constant ones."""
    for factor in product.constant:
        s = without_axes(factor.value, axes, rank)
        total = total / s if factor.divides else total * s
    return neg(total) if product.negated else total


def _product(factors: list[Factor]):
    """The product of factors and reciprocals of divisors, in their order."""
    result = None
    for factor in factors:
        if result is None:
            result = reciprocal(factor.value) if factor.divides else factor.value
        else:
            result = result / factor.value if factor.divides else result * factor.value
    return result


@rule_on(sum, depth=4)
def sum_of_known_sums(node):
    """Σ (x ± y)  →  Σx ± Σy        where both sums are there already, but for constant factors"""
    x, axes = node.operands[0], node["axis"]
    if not x.made_by("add", "sub") or node["keepdims"] or not _is_wide(x):
        return None
    terms = [taken_apart(x.operand(i), axes) for i in (0, 1)]
    if not all(_is_known(term, axes) for term in terms):
        return None
    left, right = (_scaled(sum(t.varying[0].value, axis=axes, keepdims=False), t, axes, x.ndim) for t in terms)
    return left + right if x.made_by("add") else left - right


def _is_known(term: Product, axes) -> bool:
    """Whether the graph sums what varies in a term over these axes."""
    return len(term.varying) == 1 and not term.varying[0].divides and term.varying[0].value.is_read_by("sum", axis=axes)


@rule_on(sum)
def sum_of_repeated(node):
    """Σ s  →  n·s        n terms, s repeated; what repeats it along other axes follows the sum"""
    x, axes = node.operands[0], node["axis"]
    if not axes or not x.made_by("broadcast_to") or node["keepdims"] or not _is_wide(x):
        return None
    source = x.operand()
    lead = x.ndim - source.ndim
    rest = tuple(a - lead for a in axes if a >= lead)
    count: Any = 1
    for axis in axes:
        if axis < lead or source.shape[axis - lead] == 1:
            count = count * x.shape[axis]
    if isinstance(count, int) and x.dtype.is_integer:
        count = wrapped(count, x.dtype)
    if isinstance(count, Dim) and x.dtype.is_integer and x.dtype.bits < 64:
        return None  # the number of terms may be none of the dtype's
    once = sum(source, axis=rest, keepdims=False) if rest else source
    return _spread(once if count == 1 else mul(once, count), node.result.shape)


def _spread(x, shape):
    return x if x.shape == shape else broadcast_to(x, shape=shape)


# -- sums of sums, of rearranged tensors ------------------------------------------------------------------------------


def _outer_axes(x: Matched, inner, outer):
    """The axes of x that a sum over `inner`, then over `outer` of what is left, sums over."""
    kept = [i for i in range(x.ndim) if i not in inner]
    return tuple(sorted((*inner, *(kept[a] for a in outer))))


@rule_on(sum, depth=1)
def sum_of_single_terms(node):
    """Σ x over axes of extent 1  →  reshape(x);   over no axes  →  x        the sum of -0.0 is 0.0 in NumPy"""
    return single_terms(node)


@rule(where=lambda m: m["once"].single_use)
def sum_of_sum(x, inner, outer):
    """ΣΣ x  →  Σ x        over the axes of both"""
    once = sum(x, axis=inner, keepdims=False)
    return sum(once, axis=outer, keepdims=False), lambda: sum(x, axis=_outer_axes(x, inner, outer), keepdims=False)


@rule(where=lambda m: len(m["axis"]) == m["rearranged"].ndim)
def sum_of_reshaped(x, shape, axis):
    """Σ reshape(x)  →  Σ x        over all axes"""
    rearranged = reshape(x, shape=shape)
    return sum(rearranged, axis=axis, keepdims=False), lambda: sum(x, axis=tuple(range(x.ndim)), keepdims=False)


@rule_on(sum)
def sum_of_permuted(node):
    """Σ permute(x)  →  Σ x        over x's own axes, where those left keep their order"""
    x = node.operands[0]
    if not x.made_by("permute_dims") or node["keepdims"]:
        return None
    order = x.attribute("axes")
    left = [order[i] for i in range(x.ndim) if i not in node["axis"]]
    summed = tuple(sorted(order[a] for a in node["axis"]))
    return sum(x.operand(), axis=summed, keepdims=False) if left == sorted(left) else None


@rule_on(max, min)
def extremum_of_repeated(node):
    """max(s repeated)  →  s        along all axes that max folds, of an extent known to be above 0"""
    x, axes = node.operands[0], node["axis"]
    if node["keepdims"] or not x.made_by("broadcast_to") or not repeated_along(x, axes, x.ndim):
        return None
    if any(not isinstance(x.shape[a], int) for a in axes):
        return None
    return _spread(without_axes(x, axes, x.ndim), node.result.shape)


# -- contractions -----------------------------------------------------------------------------------------------------


@rule(where=lambda m: m["product"].single_use)
def sum_of_contraction(x, y, contract, batch, axis):
    """Σ x·y  →  (Σx)·y        summed over axes of x alone, or of y alone, before they are multiplied"""
    product = dot_general(x, y, contract=contract, batch=batch)

    def summed():
        left, right = (free_axes(t.ndim, c, b) for t, c, b in zip((x, y), contract, batch, strict=True))
        shared = len(batch[0])
        free = [(0, a) for a in left] + [(1, a) for a in right]
        if any(a < shared for a in axis) or not _is_wide(x):
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


@rule_on(dot_general)
def contraction_with_scalar(node):
    """x·(s everywhere)  →  s·Σx        the gradient of a sum of products"""
    for side, operand in enumerate(node.operands):
        if operand.made_by("broadcast_to") and operand.operand().ndim == 0 and _is_wide(operand):
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
    return _spread(total, shape)


@rule_on(dot_general)
def contraction_of_repeated(node):
    """x·(s repeated)  →  (Σx)·s, repeated        Σ along contracted axes; what repeats s along others comes last"""
    for side, operand in enumerate(node.operands):
        if not operand.made_by("broadcast_to") or not _is_wide(operand):
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
    operands = [_spread(without_axes(repeated, axes, repeated.ndim), shape)]
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
    return _spread(reshape(product, shape=ones), node.result.shape)


split_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
split_reductions = RewritePass(
    "split_reductions",
    split_rules,
    "Take what is constant along the summed axes out of sums, by the laws of real numbers.",
)
