"""Passes: graph in, graph out. Importing this package registers the passes of the house."""

from graphc.passes.algebra import algebra, algebra_rules
from graphc.passes.autodiff import grad, gradcheck, hvp, jacobian, jvp, value_and_grad, vjp
from graphc.passes.batch_products import batch_products
from graphc.passes.canonicalize import canonicalize, canonicalize_rules
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.decompose import decompose
from graphc.passes.fold import fold
from graphc.passes.fold_batch_norm import fold_batch_norm, fold_batch_norm_rules
from graphc.passes.fuse import Ledger, fuse, fuse_with_ledger
from graphc.passes.hoist import hoist
from graphc.passes.last_places import last_places
from graphc.passes.layout import channels_last
from graphc.passes.pipeline import PASSES, Pass, Pipeline, Stage, Stages, find_pass, register_pass
from graphc.passes.prepare import prepare
from graphc.passes.rematerialize import rematerialize
from graphc.passes.rewrite import (
    Match,
    Matched,
    NodeMatch,
    Number,
    RewritePass,
    Rule,
    RuleSet,
    apply_rules,
    floats,
    integers,
    rule,
    rule_on,
    same_type,
    single_use,
    spans,
)
from graphc.passes.scans import merge_scans
from graphc.passes.split_reductions import split_reductions, split_rules
from graphc.passes.stored import stored

__all__ = [
    "PASSES", "Ledger", "Match", "Matched", "NodeMatch", "Number", "Pass", "Pipeline", "RewritePass", "Rule",
    "RuleSet", "Stage", "Stages", "algebra", "algebra_rules", "apply_rules", "batch_products", "canonicalize",
    "canonicalize_rules", "channels_last", "cse", "dce", "decompose", "default_pipeline", "find_pass", "floats", "fold",
    "fold_batch_norm", "fold_batch_norm_rules", "fuse", "fuse_with_ledger", "grad", "gradcheck", "hoist", "hvp",
    "integers", "jacobian", "jvp", "last_places", "merge_scans", "prepare", "register_pass", "rematerialize", "rule",
    "rule_on", "same_type", "single_use", "spans", "split_reductions", "split_rules", "stored", "value_and_grad", "vjp",
]  # fmt: skip

register_pass("fold_batch_norm")(fold_batch_norm)
register_pass("decompose")(decompose)
register_pass("last_places")(last_places)
register_pass("canonicalize")(canonicalize)
register_pass("fold")(fold)
register_pass("algebra")(algebra)
register_pass("cse")(cse)
register_pass("split_reductions")(split_reductions)
register_pass("merge_scans")(merge_scans)
register_pass("hoist")(hoist)
register_pass("batch_products")(batch_products)
register_pass("dce")(dce)
register_pass("stored")(stored)
register_pass("prepare")(prepare)
register_pass("channels_last")(channels_last)
register_pass("rematerialize")(rematerialize)
register_pass("fuse")(fuse)

DEFAULT = (
    "fold_batch_norm", "decompose", "last_places", "canonicalize", "fold", "algebra", "cse", "split_reductions",
    "merge_scans", "hoist", "batch_products", "canonicalize", "cse", "dce",
)  # fmt: skip


def default_pipeline() -> Pipeline:
    """The passes that `gc.compile` runs unless it is given a pipeline."""
    return Pipeline(DEFAULT)


def comes_with_graphc(pipeline: Pipeline) -> bool:
    """Whether all passes of a pipeline are graphc's own, with the rules that they came with."""
    return all(_DELIVERED.get(each.name) == _contents(each) for each in pipeline.passes)


def _contents(each: Pass) -> tuple[Pass, tuple[Rule, ...]]:
    return each, tuple(each.rules) if isinstance(each, RewritePass) else ()


_DELIVERED = {name: _contents(each) for name, each in PASSES.items()}  # before users add passes, and rules to passes
