"""XOR by a perceptron of two layers: one line cannot part the four points, a hidden layer can.

Run `python examples/xor.py`: prints the graph of the prediction, the loss as it falls, and the table learned.
"""

import numpy as np

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([[0], [1], [1], [0]], np.float32)

gc.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
step = gc.training_step(
    model,
    loss=F.binary_cross_entropy_with_logits,
    optimizer=optim.Adam(lr=0.05),
    inputs=gc.f32["N", 2],
    targets=gc.f32["N", 1],
)


def probability(x):
    """The model's answer as a probability."""
    return gc.sigmoid(model(x))


predict = gc.compile(probability, inputs=gc.f32["N", 2])

if __name__ == "__main__":
    print(predict.stages["trace"].graph)

    for number in range(1, 301):
        loss = step(X, Y)
        if number % 50 == 0:
            print(f"step {number}  loss {loss:.4f}")

    answers = predict(X)
    for (a, b), answer in zip(X, answers[:, 0], strict=True):
        print(f"{a:.0f} xor {b:.0f} = {answer:.3f}")
