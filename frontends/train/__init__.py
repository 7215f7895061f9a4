"""Training steps and the loop around them."""

from graphc.train.step import TrainingStep, training_step

__all__ = ["TrainingStep", "training_step"]
