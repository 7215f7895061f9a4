"""Passes: graph in, graph out. Importing this package registers the passes of the house."""

from graphc.passes.autodiff import grad, gradcheck, hvp, jacobian, jvp, value_and_grad, vjp
from graphc.passes.dce import dce
from graphc.passes.decompose import decompose
from graphc.passes.pipeline import PASSES, Pass, Pipeline, Stage, Stages, find_pass, register_pass

__all__ = [
    "PASSES", "Pass", "Pipeline", "Stage", "Stages", "dce", "decompose", "default_pipeline", "find_pass", "grad",
    "gradcheck", "hvp", "jacobian", "jvp", "register_pass", "value_and_grad", "vjp",
]  # fmt: skip

register_pass("decompose")(decompose)
register_pass("dce")(dce)

DEFAULT = ("decompose", "dce")


def default_pipeline() -> Pipeline:
    """The passes that `gc.compile` runs unless it is given a pipeline."""
    return Pipeline(DEFAULT)
