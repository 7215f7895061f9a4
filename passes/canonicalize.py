"""`canonicalize`: one form for things that mean the same, so that later passes look for one form only.

    %a: f32[3,N] = permute_dims(%x, axes=(1, 0))                                       ->
    %y: f32[3,4] = dot_general(%a, %w, contract=((1,), (0,)), batch=((), ()))          ->   … contract=((0,), (0,)) …
    %z: f32[3,4] = mul(2.0, %y)                                                        ->   %z = mul(%y, 2.0)

It drops ops that do nothing (`stop_gradient` among them: take derivatives first), merges shape ops, moves arithmetic
in front of repetition, and writes scalars as literals. Values stay what they were, to the last bit. The rules stand
in `canonicalize_operands`, `canonicalize_shape` and `canonicalize_contraction`.
"""

from __future__ import annotations

from graphc.passes.canonicalize_contraction import contraction_rules
from graphc.passes.canonicalize_operands import operand_rules
from graphc.passes.canonicalize_shape import shape_rules
from graphc.passes.rewrite import RewritePass, RuleSet

canonicalize_rules = RuleSet([*operand_rules, *shape_rules, *contraction_rules])
canonicalize = RewritePass(
    "canonicalize", canonicalize_rules, "Give things that mean the same one form; drop what does nothing."
)
