"""`split_reductions`: what is the same for all terms of a sum leaves it, so that sums over one domain share a pass.

    Σ x·s → s·Σx        Σ x/s → (Σx)/s        Σ -x → -Σx        Σ s → n·s        ΣΣ x → Σ x        Σ x·y → (Σx)·y

where s is constant along the summed axes: of rank 0, or repeated there. The backward graph of a BatchNorm is then
made of sums of g, of g·x and of what the forward sums were made of, all over the batch.

The laws are those of real numbers: results differ by rounding, by the sign of a zero, and where s or a sum is not
finite (Σ x·s hides an infinite s behind zeros or over no terms, s·Σx does not). Two things are left alone on
purpose. A sum of differences, Σ g·(x - m), is not split into Σ g·x - m·Σg: where the mean m is large against the
spread of x, the difference of the two large sums has few correct digits; and it needs no second pass over the data as
it is, since Σg and Σ g·(x - m) read g and x together. A sum of terms is split only where the graph has both sums
anyway, or where that makes a product smaller (`split_contractions.py`). Sums of 16-bit floats keep their factors, for
s·Σx may overflow in f16 where Σ x·s, computed in f32, does not.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from graphc.dim import Dim
from graphc.ops.elementwise import mul, neg, reciprocal
from graphc.ops.reduction import max, min, sum
from graphc.ops.shape import reshape
from graphc.passes import split_contractions
from graphc.passes.algebra_integers import wrapped
from graphc.passes.canonicalize_shape import single_terms
from graphc.passes.rewrite import Matched, RewritePass, Rule, RuleSet, rule, rule_on
from graphc.passes.split_products import Factor, Product, is_wide, repeated_along, spread, taken_apart, without_axes

# -- sums of products -------------------------------------------------------------------------------------------------


@rule_on(sum, depth=4)
def factor_out_of_sum(node):
    """Σ x·s/t  →  (Σx)·s/t        s and t constant along the summed axes"""
    x, axes = node.operands[0], node["axis"]
    if not axes or not is_wide(x) or node["keepdims"]:
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
    if not x.made_by("add", "sub") or node["keepdims"] or not is_wide(x):
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
    if not axes or not x.made_by("broadcast_to") or node["keepdims"] or not is_wide(x):
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
    return spread(once if count == 1 else mul(once, count), node.result.shape)


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
    return spread(without_axes(x, axes, x.ndim), node.result.shape)


split_rules = RuleSet(
    value for value in [*globals().values(), *vars(split_contractions).values()] if isinstance(value, Rule)
)
split_reductions = RewritePass(
    "split_reductions",
    split_rules,
    "Take what is constant along the summed axes out of sums, by the laws of real numbers.",
)
