"""Training steps and the loop around them."""

from graphc.train.loop import Epoch, epochs
from graphc.train.metrics import accuracy
from graphc.train.step import TrainingStep, training_step

__all__ = ["Epoch", "TrainingStep", "accuracy", "epochs", "training_step"]
