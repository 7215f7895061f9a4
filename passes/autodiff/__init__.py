"""Derivatives are graphs: reverse mode, forward mode, and what is made of them."""

from graphc.passes.autodiff.derivatives import grad, hvp, jvp, value_and_grad, vjp
from graphc.passes.autodiff.forward import push_forward
from graphc.passes.autodiff.gradcheck import gradcheck
from graphc.passes.autodiff.jacobian import jacobian
from graphc.passes.autodiff.reverse import pull_back

__all__ = [
    "grad",
    "gradcheck",
    "hvp",
    "jacobian",
    "jvp",
    "pull_back",
    "push_forward",
    "value_and_grad",
    "vjp",
]
