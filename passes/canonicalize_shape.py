"""One form for shape ops: nothing that leaves its operand as it is, one op where two follow each other.

reshape(reshape(x)) → reshape(x)        permute(permute(x, p), q) → permute(x, p∘q)        concat(x) → x
slice(concat(x, y)) → y        reshape(slice(x)) → slice(reshape(x))        sum(x, keepdims=True) → reshape(sum(x))
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import math
from typing import Any

from graphc.op import Op
from graphc.ops.reduction import all as all_op
from graphc.ops.reduction import any as any_op
from graphc.ops.reduction import max, min, prod, reduced_shape
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.ops.slicing import concat, flip, pad, slice
from graphc.passes.rewrite import Rule, RuleSet, rule, rule_on

# -- nothing done -----------------------------------------------------------------------------------------------------


@rule_on(broadcast_to, reshape, depth=1)
def shape_as_it_is(node):
    """reshape(x, shape of x)  →  x        and broadcast_to"""
    x = node.operands[0]
    return x if x.shape == node["shape"] else None


@rule_on(permute_dims, depth=1)
def axes_in_order(node):
    """permute_dims(x, (0, 1, 2))  →  x"""
    return node.operands[0] if node["axes"] == tuple(range(len(node["axes"]))) else None


@rule_on(slice, depth=1)
def whole_slice(node):
    """x[0:N, 0:3]  →  x"""
    x = node.operands[0]
    from_start = all(start == 0 for start in node["starts"])  # a start may be symbolic, whose truth is unknown
    whole = from_start and node["limits"] == x.shape and all(s == 1 for s in node["strides"] or ())
    return x if whole else None


@rule_on(pad, depth=1)
def no_padding(node):
    """pad(x, by nothing)  →  x"""
    margins = (*node["low"], *node["high"], *(node["interior"] or ()))
    return node.operands[0] if all(margin == 0 for margin in margins) else None


@rule_on(flip, depth=1)
def no_flip(node):
    """flip(x, no axes)  →  x"""
    return None if node["axis"] else node.operands[0]


@rule_on(concat, depth=1)
def concat_of_one(node):
    """concat(x)  →  x        empty parts do not count"""
    axis, parts = node["axis"], node.operands
    filled = [x for x in parts if x.shape[axis] != 0] or [parts[0]]
    if len(filled) == len(parts) > 1:
        return None
    return filled[0] if len(filled) == 1 else concat(*filled, axis=axis)


def _folds_axes(op: Op) -> bool:
    return op.name in ("sum", "prod", "max", "min", "any", "all")


@rule_on(prod, max, min, any_op, all_op, depth=1)
def fold_over_nothing(node):
    """max(x, axis=())  →  x;   max over axes of extent 1  →  reshape(x)        and prod, min, any, all"""
    return single_terms(node)


def single_terms(node):
    """The operand of a reduction of one element each, in the shape of the result; None where there are more."""
    x = node.operands[0]
    if any(x.shape[a] != 1 for a in node["axis"]):
        return None
    return x if not node["axis"] else reshape(x, shape=node.result.shape)


# -- two in one -------------------------------------------------------------------------------------------------------


@rule
def broadcast_of_broadcast(x, inner, outer):
    """broadcast_to(broadcast_to(x))  →  broadcast_to(x)"""
    return broadcast_to(broadcast_to(x, shape=inner), shape=outer), broadcast_to(x, shape=outer)


@rule
def reshape_of_reshape(x, inner, outer):
    """reshape(reshape(x))  →  reshape(x)"""
    return reshape(reshape(x, shape=inner), shape=outer), reshape(x, shape=outer)


@rule
def permutation_of_permutation(x, p, q):
    """permute(permute(x, p), q)  →  permute(x, p∘q)"""
    return permute_dims(permute_dims(x, axes=p), axes=q), lambda: permute_dims(x, axes=tuple(p[i] for i in q))


@rule
def flip_of_flip(x, a, b):
    """flip(flip(x, a), b)  →  flip(x, the axes in one of them)"""
    return flip(flip(x, axis=a), axis=b), lambda: flip(x, axis=tuple(sorted(set(a) ^ set(b))))


@rule(where=lambda m: all(s > 0 for s in (*(m["k"] or ()), *(m["l"] or ()))))
def slice_of_slice(x, a, b, k, c, d, l):  # noqa: E741
    """x[a:b:k][c:d:l]  →  x[a+c·k : … : k·l]        positive strides"""
    inner = slice(x, starts=a, limits=b, strides=k)
    outer = slice(inner, starts=c, limits=d, strides=l)

    def merged():
        first, second = k or (1,) * x.ndim, l or (1,) * x.ndim
        starts = tuple(p + q * step for p, q, step in zip(a, c, first, strict=True))
        strides = tuple(p * q for p, q in zip(first, second, strict=True))
        limits = tuple(p + (n - 1) * step + 1 for p, n, step in zip(starts, outer.shape, strides, strict=True))
        return slice(x, starts=starts, limits=limits, strides=None if k is l is None else strides)

    return outer, merged


@rule_on(slice)
def slice_of_concat(node):
    """concat(x, y)[the part of y]  →  y"""
    whole = node.operands[0]
    if not whole.made_by("concat") or any(s != 1 for s in node["strides"] or ()):
        return None
    axis, start = whole.attribute("axis"), 0
    for part in whole.operands:
        starts = tuple(start if i == axis else 0 for i in range(whole.ndim))
        if part.shape == node.result.shape and starts == node["starts"]:
            return part
        start = start + part.shape[axis]
    return None


@rule_on(reshape)
def heads_of_slice(node):
    """reshape(x[:, 64:128], (N, 4, 16))  →  reshape(x, (N, 12, 16))[:, 4:8]        so that no part of x is copied

    Where one axis is cut at whole numbers of what it is split into.
    """
    part, shape = node.operands[0], node["shape"]
    if not part.made_by("slice") or any(s != 1 for s in part.attribute("strides") or ()):
        return None
    x, starts = part.operand(), part.attribute("starts")
    cut = [i for i, (a, b) in enumerate(zip(x.shape, part.shape, strict=True)) if a != b]
    if len(cut) != 1:
        return None
    (axis,) = cut
    behind = part.ndim - axis - 1
    inner = shape[axis + 1 : len(shape) - behind]
    known = (x.shape[axis], part.shape[axis], starts[axis], *inner)
    if not inner or not all(isinstance(n, int) for n in known) or math.prod(inner) == 0:
        return None
    size = math.prod(inner)
    around = (*part.shape[:axis], *part.shape[axis + 1 :]) == (*shape[:axis], *shape[len(shape) - behind :])
    if not around or any(n % size for n in known[:3]):
        return None
    rest = (*inner, *x.shape[axis + 1 :])
    first, count = starts[axis] // size, part.shape[axis] // size
    split = reshape(x, shape=(*x.shape[:axis], x.shape[axis] // size, *rest))
    starts = (0,) * axis + (first,) + (0,) * len(rest)
    return slice(split, starts=starts, limits=(*x.shape[:axis], first + count, *rest))


@rule_on(concat)
def concat_of_concat(node):
    """concat(concat(x, y), z)  →  concat(x, y, z)"""
    axis = node["axis"]
    inner = [x.made_by("concat") and x.attribute("axis") == axis and x.single_use for x in node.operands]
    if not any(inner):
        return None
    parts: list[Any] = []
    for x, opened in zip(node.operands, inner, strict=True):
        parts += x.operands if opened else [x]
    return concat(*parts, axis=axis)


# -- repetition -------------------------------------------------------------------------------------------------------


@rule_on(reshape, permute_dims, flip, slice)
def rearranged_splat(node):
    """reshape(broadcast_to(s))  →  broadcast_to(s)        s of rank 0; and permute_dims, flip, slice"""
    x = node.operands[0]
    if not x.made_by("broadcast_to") or x.operand().ndim:
        return None
    return broadcast_to(x.operand(), shape=node.result.shape) if node.result.ndim else x.operand()


@rule_on(permute_dims)
def permutation_of_repetition(node):
    """permute(broadcast_to(x), p)  →  broadcast_to(permute(x, p))        x of the same rank: less is moved"""
    spread = node.operands[0]
    if not spread.made_by("broadcast_to") or spread.operand().ndim != spread.ndim:
        return None
    return broadcast_to(permute_dims(spread.operand(), axes=node["axes"]), shape=node.result.shape)


@rule(where=lambda m: differ_by_leading_ones(m["x"].shape, m["inner"]) and m["x"].ndim <= len(m["outer"]))
def broadcast_of_unit_axes(x, inner, outer):
    """broadcast_to(reshape(x: (3,), (1, 3)), (N, 3))  →  broadcast_to(x, (N, 3))"""
    return broadcast_to(reshape(x, shape=inner), shape=outer), broadcast_to(x, shape=outer)


def differ_by_leading_ones(a, b) -> bool:
    """Whether one shape is the other behind axes of extent 1."""
    short, long = sorted((a, b), key=len)
    lead = len(long) - len(short)
    return long[lead:] == short and all(extent == 1 for extent in long[:lead])


@rule_on(_folds_axes, depth=1)
def fold_without_keepdims(node):
    """sum(x, axis, keepdims=True)  →  reshape(sum(x, axis))        so that sums of one thing are one sum"""
    if not node["keepdims"]:
        return None
    x = node.operands[0]
    axis = tuple(sorted(node["axis"]))
    return reshape(node.op(x, axis=axis, keepdims=False), shape=reduced_shape(node.op.name, x.type, axis, True))


shape_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
