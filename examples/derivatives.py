"""Two derivatives by hand and by graphc: f(x) = 2 / sin(e^(-x)), and y = ln x1 + x1·x2 - sin x2 in both modes.

Run `python examples/derivatives.py`: prints the graphs of the derivatives and compares them with the closed forms.
"""

import math

import numpy as np

import graphc as gc


@gc.function
def f(x: gc.f64()):
    """f(x) = 2 / sin(e^(-x)), in the steps of the chain rule."""
    a = gc.exp(-x)
    b = gc.sin(a)
    return 2 / b


def f_derivative(x: float) -> float:
    """f'(x) = 2 e^(-x) cos(e^(-x)) / sin²(e^(-x))"""
    a = math.exp(-x)
    return 2 * a * math.cos(a) / math.sin(a) ** 2


@gc.function
def y(x1: gc.f64(), x2: gc.f64()):
    """y = ln x1 + x1·x2 - sin x2, whose gradient is (1/x1 + x2, x1 - cos x2)."""
    return gc.log(x1) + x1 * x2 - gc.sin(x2)


def simplified(graph):
    """The graph after the passes that `gc.compile` runs."""
    return gc.compile(graph).graph


def main():
    """Print the graphs, and compare their numbers with the closed forms."""
    print("f and its derivative, one backward pass\n")
    print(f.graph)
    slope = simplified(gc.grad(f.graph))
    print(slope)
    x = 0.5
    found, expected = float(gc.evaluate(slope, x)), f_derivative(x)
    print(f"f'({x}) = {found:.12f}, by hand {expected:.12f}\n")
    assert math.isclose(found, expected, rel_tol=1e-12)

    print("y in reverse mode: one pass from y back gives both derivatives\n")
    gradient = simplified(gc.grad(y.graph))
    print(gradient)
    point = (2.0, 5.0)
    by_hand = (1 / point[0] + point[1], point[0] - math.cos(point[1]))
    backward = tuple(float(g) for g in gc.evaluate(gradient, *point))
    print(f"dy/dx1, dy/dx2 at {point}: {backward}, by hand {by_hand}\n")
    assert np.allclose(backward, by_hand, rtol=1e-12)

    print("y in forward mode: one pass along each direction, the tangent beside the value\n")
    tangent = simplified(gc.jvp(y.graph))
    print(tangent)
    forward = tuple(float(gc.evaluate(tangent, *point, *direction)[1]) for direction in ((1.0, 0.0), (0.0, 1.0)))
    print(f"dy/dx1, dy/dx2 at {point}: {forward}")
    assert np.allclose(forward, by_hand, rtol=1e-12)

    assert gc.gradcheck(f.graph, x)
    assert gc.gradcheck(y.graph, *point)
    print("\ncentral differences agree too: gc.gradcheck(f.graph, x), gc.gradcheck(y.graph, x1, x2)")


if __name__ == "__main__":
    main()
