"""One form for contractions: transposes become a choice of axes, pairs of contracted axes stand in order.

dot_general(permute(x), y) → dot_general(x, y)        permute(dot_general(x, y)) → dot_general(y, x)
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from graphc.ops.contraction import dot_general, free_axes
from graphc.ops.shape import permute_dims
from graphc.passes.rewrite import Rule, RuleSet, rule, rule_on


def _through(axes, operand):
    """Axes of permute(x) as axes of x."""
    return tuple(operand.attribute("axes")[a] for a in axes)


def _keeps_order(operand, contract, batch) -> bool:
    """Whether the free axes of permute(x) follow each other as in x."""
    free = _through(free_axes(operand.ndim, contract, batch), operand)
    return list(free) == sorted(free)


@rule_on(dot_general)
def transposed_operand(node):
    """dot_general(permute(x), y)  →  dot_general(x, y)        where x's free axes keep their order"""
    lhs, rhs = node.operands
    contract, batch = list(node["contract"]), list(node["batch"])
    operands = [lhs, rhs]
    for i, operand in enumerate(operands):
        if operand.made_by("permute_dims") and _keeps_order(operand, contract[i], batch[i]):
            contract[i], batch[i] = _through(contract[i], operand), _through(batch[i], operand)
            operands[i] = operand.operand()
    if operands[0] is lhs and operands[1] is rhs:
        return None
    return dot_general(*operands, contract=tuple(contract), batch=tuple(batch))


@rule_on(dot_general, depth=1)
def contracted_axes_in_order(node):
    """contract=((2, 1), (0, 1))  →  contract=((1, 2), (1, 0))"""
    left, right = node["contract"]
    pairs = sorted(zip(left, right, strict=True))
    ordered = (tuple(a for a, _ in pairs), tuple(b for _, b in pairs))
    if ordered == node["contract"]:
        return None
    return dot_general(*node.operands, contract=ordered, batch=node["batch"])


@rule(where=lambda m: m["product"].single_use)
def transposed_product(x, y, contract, batch, axes):
    """(x·y)ᵀ  →  yᵀ·xᵀ        by exchanging the operands"""
    product = dot_general(x, y, contract=contract, batch=batch)

    def exchanged():
        shared = len(batch[0])
        left = len(free_axes(x.ndim, contract[0], batch[0]))
        swap = (*range(shared), *range(shared + left, product.ndim), *range(shared, shared + left))
        if axes != swap:
            return None
        return dot_general(y, x, contract=contract[::-1], batch=batch[::-1])

    return permute_dims(product, axes=axes), exchanged


contraction_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
