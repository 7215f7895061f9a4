"""The job `digits`: a perceptron of three layers learns scikit-learn's handwritten digits.

    job = digits(seed=0)
    for record in job.run(): ...
    job.summary()["test_accuracy"]      # 0.98 or better

The images are split 80/20 by a seed of their own, so that runs of different seeds are measured on the same 359 images.
"""

from __future__ import annotations

from graphc import data, nn, optim
from graphc.random import manual_seed
from graphc.train.classification import Classification
from graphc.types import f32

SPLIT_SEED = 0


def network() -> nn.Module:
    """64 pixels → 64 → 32 → 10 scores, with batch norm and ReLU between."""
    return nn.Sequential(
        nn.Linear(64, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def digits(*, epochs: int = 20, batch_size: int = 64, seed: int = 0, backend: str = "cpu") -> Classification:
    """The job, compiled and ready to run. `seed` fixes the initial weights and the order of the batches.

    Raises MissingPackageError without scikit-learn, BackendError for an unknown backend, ArgumentError for settings
    that cannot train.
    """
    manual_seed(seed)
    train, test = data.random_split(data.digits(), [0.8, 0.2], seed=SPLIT_SEED)
    return Classification(
        network(),
        train,
        test,
        optim.Adam(lr=2e-3),
        inputs=f32["N", 64],
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        backend=backend,
    )
