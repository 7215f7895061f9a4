"""A perceptron of three layers learns handwritten digits: the model, its training step as one graph, the loop.

Run `python examples/digits.py`; `graphc train digits` does the same with a progress bar. Needs scikit-learn.
"""

import graphc as gc
from graphc import nn, optim
from graphc.data import DataLoader, digits, random_split
from graphc.nn import functional as F
from graphc.train import accuracy, epochs

gc.manual_seed(0)
model = nn.Sequential(
    nn.Linear(64, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Linear(64, 32),
    nn.BatchNorm1d(32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
step = gc.training_step(
    model,
    loss=F.cross_entropy,
    optimizer=optim.Adam(lr=2e-3),
    inputs=gc.f32["N", 64],
    targets=gc.i64["N"],
)
predict = gc.compile(model.eval(), inputs=gc.f32["N", 64])  # shares the step's parameters

if __name__ == "__main__":
    train, test = random_split(digits(), [0.8, 0.2], seed=0)
    images, labels = test[:]
    for epoch in epochs(step, DataLoader(train, batch_size=64, shuffle=True, seed=0), 20):
        print(f"epoch {epoch.number:2}  loss {epoch.loss:.4f}  accuracy {accuracy(predict(images), labels):.4f}")

    print(gc.summary(model, gc.f32["N", 64]))
    print(step.stages)  # nodes after each pass
