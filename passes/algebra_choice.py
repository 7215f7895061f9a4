"""Rules of truth values: comparisons, logic, and choices by `where`. Comparisons with NaN are false.

where(¬c, x, y) → where(c, y, x)        ¬(x = y) → x ≠ y        x < x → False
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from graphc.ops.elementwise import (
    equal,
    greater,
    greater_equal,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    where,
)
from graphc.passes.rewrite import Rule, RuleSet, floats, integers, rule, same_type, spans

# -- logic ------------------------------------------------------------------------------------------------------------


@rule
def double_not(x):
    """¬¬x  →  x"""
    return logical_not(logical_not(x)), x


@rule
def and_true(x):
    """x ∧ True  →  x"""
    return logical_and(x, True), x


@rule
def and_false(x):
    """x ∧ False  →  False"""
    return logical_and(x, False), False


@rule
def or_true(x):
    """x ∨ True  →  True"""
    return logical_or(x, True), True


@rule
def or_false(x):
    """x ∨ False  →  x"""
    return logical_or(x, False), x


@rule
def xor_true(x):
    """x ⊕ True  →  ¬x"""
    return logical_xor(x, True), logical_not(x)


@rule
def xor_false(x):
    """x ⊕ False  →  x"""
    return logical_xor(x, False), x


@rule(where=same_type("x"))
def and_of_one(x):
    """x ∧ x  →  x"""
    return logical_and(x, x), x


@rule(where=same_type("x"))
def or_of_one(x):
    """x ∨ x  →  x"""
    return logical_or(x, x), x


@rule
def xor_of_one(x):
    """x ⊕ x  →  False"""
    return logical_xor(x, x), False


@rule
def contradiction(x):
    """x ∧ ¬x  →  False"""
    return logical_and(x, logical_not(x)), False


@rule
def tautology(x):
    """x ∨ ¬x  →  True"""
    return logical_or(x, logical_not(x)), True


# -- comparisons ------------------------------------------------------------------------------------------------------


@rule
def not_equal_from_not(x, y):
    """¬(x = y)  →  x ≠ y"""
    return logical_not(equal(x, y)), not_equal(x, y)


@rule
def equal_from_not(x, y):
    """¬(x ≠ y)  →  x = y"""
    return logical_not(not_equal(x, y)), equal(x, y)


@rule(where=integers("x"))
def greater_equal_from_not(x, y):
    """¬(x < y)  →  x ≥ y        integers: with NaN, neither holds"""
    return logical_not(less(x, y)), greater_equal(x, y)


@rule(where=integers("x"))
def greater_from_not(x, y):
    """¬(x ≤ y)  →  x > y        integers"""
    return logical_not(less_equal(x, y)), greater(x, y)


@rule(where=integers("x"))
def less_equal_from_not(x, y):
    """¬(x > y)  →  x ≤ y        integers"""
    return logical_not(greater(x, y)), less_equal(x, y)


@rule(where=integers("x"))
def less_from_not(x, y):
    """¬(x ≥ y)  →  x < y        integers"""
    return logical_not(greater_equal(x, y)), less(x, y)


@rule
def less_than_itself(x):
    """x < x  →  False        of NaN too"""
    return less(x, x), False


@rule
def greater_than_itself(x):
    """x > x  →  False"""
    return greater(x, x), False


@rule(where=floats("x"))
def unequal_to_itself(x):
    """x ≠ x  →  isnan(x)        floats"""
    return not_equal(x, x), isnan(x)


@rule(where=lambda m: not m["x"].dtype.is_float)
def equal_to_itself(x):
    """x = x  →  True        integers, booleans"""
    return equal(x, x), True


@rule(where=lambda m: not m["x"].dtype.is_float)
def not_unequal_to_itself(x):
    """x ≠ x  →  False        integers, booleans"""
    return not_equal(x, x), False


@rule(where=integers("x"))
def at_least_itself(x):
    """x ≥ x  →  True        integers"""
    return greater_equal(x, x), True


@rule(where=integers("x"))
def at_most_itself(x):
    """x ≤ x  →  True        integers"""
    return less_equal(x, x), True


# -- choices ----------------------------------------------------------------------------------------------------------


@rule(where=same_type("x"))
def where_true(x, y):
    """where(True, x, y)  →  x"""
    return where(True, x, y), x


@rule(where=same_type("y"))
def where_false(x, y):
    """where(False, x, y)  →  y"""
    return where(False, x, y), y


@rule(where=same_type("x"))
def where_either_way(c, x):
    """where(c, x, x)  →  x"""
    return where(c, x, x), x


@rule
def where_not(c, x, y):
    """where(¬c, x, y)  →  where(c, y, x)"""
    return where(logical_not(c), x, y), where(c, y, x)


@rule(where=spans("c", "x", "z"))
def where_in_where_true(c, x, y, z):
    """where(c, where(c, x, y), z)  →  where(c, x, z)"""
    return where(c, where(c, x, y), z), where(c, x, z)


@rule(where=spans("c", "x", "z"))
def where_in_where_false(c, x, y, z):
    """where(c, x, where(c, y, z))  →  where(c, x, z)"""
    return where(c, x, where(c, y, z)), where(c, x, z)


@rule(where=same_type("c"))
def where_condition(c):
    """where(c, True, False)  →  c"""
    return where(c, True, False), c


@rule(where=same_type("c"))
def where_negated_condition(c):
    """where(c, False, True)  →  ¬c"""
    return where(c, False, True), logical_not(c)


choice_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
