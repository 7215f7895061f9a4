"""Affine, batch norm and ReLU as one training step: the graph on its way, the kernels, and why they are what they are.

Run `python examples/affine_bn_relu.py`. The gradient of batch norm is its closed form,
dx = γ/(N·σ) · (N·dy - Σdy - x̂·Σ(dy·x̂)), which the simplified graph spells out in primitive ops.
"""

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

gc.manual_seed(0)
model = nn.Sequential(
    nn.Linear(64, 32),
    nn.BatchNorm1d(32),
    nn.ReLU(),
)
step = gc.training_step(
    model,
    loss=F.mse_loss,
    optimizer=optim.SGD(lr=0.1),
    inputs=gc.f32["N", 64],
    targets=gc.f32["N", 32],
)

if __name__ == "__main__":
    print("// as declared\n")
    print(step.stages["trace"].graph.to_text(provenance=True))
    print("\n// with the gradients\n")
    print(step.stages["autodiff"].graph.to_text(provenance=True))
    print("\n// simplified\n")
    print(step.stages["dce"].graph)
    print("\n// as kernels\n")
    print(step.graph)
    print("\n// why\n")
    print(step.ledger)
    print("\n// the kernel of the weight's gradient and update\n")
    (kernel,) = (kernel for kernel in step.kernels if kernel.name == "0.weight_next")
    print(kernel.source)
    print(step.stages)
