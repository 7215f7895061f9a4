"""`algebra`: simplification by the laws of arithmetic and logic that hold exactly, NaN, infinities and -0.0 included.

    %a: f32[N] = mul(%x, 1.0)       ->   (gone: %x)
    %b: f32[N] = neg(%y)            ->
    %c: f32[N] = sub(%a, %b)        ->   %c: f32[N] = add(%x, %y)

The rules stand in `algebra_arithmetic`, `algebra_powers`, `algebra_integers` and `algebra_choice`, one formula each;
every one is proven in the tests, on special values too. `algebra_rules.append(my_rule)` adds to them.
"""

from __future__ import annotations

from graphc.passes.algebra_arithmetic import arithmetic_rules
from graphc.passes.algebra_choice import choice_rules
from graphc.passes.algebra_integers import integer_rules
from graphc.passes.algebra_powers import power_rules
from graphc.passes.rewrite import RewritePass, RuleSet

algebra_rules = RuleSet([*arithmetic_rules, *power_rules, *integer_rules, *choice_rules])
algebra = RewritePass("algebra", algebra_rules, "Simplify by laws that hold exactly, special values included.")
