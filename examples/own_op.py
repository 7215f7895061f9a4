"""An op of one's own, softsign(x) = x / (1 + |x|): as a composite, with its own gradient, as a primitive.

Run `python examples/own_op.py`. docs/adding_an_op.md explains the three declarations.
"""

import numpy as np

import graphc as gc
from graphc.op import REGISTRY, Kind
from graphc.samples import exactly, real, sample


@gc.composite(samples=[sample(real(4, 5))])
def softsign(x):
    """softsign(x) = x / (1 + |x|)"""
    return x / (1 + gc.abs(x))


@gc.composite(vjp=lambda g, y, x: (g * gc.square(1 - gc.abs(y)),), samples=[sample(real(4, 5))])
def softsign_by_result(x):
    """The same, with d/dx softsign(x) = (1 - |softsign(x)|)², which needs the result alone."""
    return x / (1 + gc.abs(x))


softsign_primitive = gc.define_op(
    "softsign_primitive",
    kind=Kind.ELEMENTWISE,
    infer=lambda x: x,  # types in, types out
    reference=lambda x: x / (1 + np.abs(x)),  # NumPy: the meaning
    vjp=lambda g, y, x: (g * gc.square(1 - gc.abs(y)),),  # reverse mode
    jvp=lambda t, y, x: t[0] * gc.square(1 - gc.abs(y)),  # forward mode
    scalar="{x} / ({one} + abs({x}))",  # for the kernel emitters
    accepts="float",
    samples=[sample(real(4, 5)), sample(exactly([0.0, -0.0, np.nan]), differentiable=False)],
)


def main():
    """Try each declaration on its samples."""
    for op in (softsign, softsign_by_result, softsign_primitive):
        graph = gc.trace(lambda x, op=op: gc.sum(op(x)), gc.f64["N", 3], name=op.name)
        print(graph)
        print(gc.compile(gc.grad(graph)).graph)

        for drawn in op.samples:
            (x,) = drawn.arrays()
            f = gc.trace(op, x, name="f")
            assert str(gc.parse(str(f))) == str(f)
            np.testing.assert_array_equal(gc.evaluate(f, x), x / (1 + np.abs(x)))
            if drawn.differentiable:
                assert gc.gradcheck(f, x)
        print(f"{op.name}: its values are the formula's, its gradients agree with differences\n")

    assert {"softsign", "softsign_by_result", "softsign_primitive"} <= set(REGISTRY)


if __name__ == "__main__":
    main()
